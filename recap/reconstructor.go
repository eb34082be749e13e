package recap

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// reconstruct returns the terms of eqs 12 and 13: for each modality, the mean squared error of
// E_rec(X'_m) against the complete features.
func (m *Model) reconstruct(tp *ag.Tape, complete, completed features) []zoo.Term {
	var terms []zoo.Term
	for i, r := range m.reconstructors {
		loss := tp.MSE(r.Forward(tp, completed[i]), m.reconstructionTarget(tp, complete[i]))
		terms = append(terms,
			zoo.Term{Name: "rec_" + zoo.Modality(i).String(), Weight: m.config.Loss.Reconstruction,
				Loss: loss})
	}
	return terms
}

// reconstructionTarget returns the complete features standardised over the batch, (X − mean)/(σ +
// 1e-4) for each position and feature, so that a smaller embedding is not easier to reconstruct.
func (m *Model) reconstructionTarget(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	if m.config.Literal {
		return x
	}
	centred, variance := centre(tp, x, 0)
	return tp.Div(centred, tp.AddScalar(tp.Sqrt(variance), 1e-4))
}

// spread returns the mean of the standard deviations of x [B L d] over axis 0, the samples, or 1,
// the tokens. If the first is near 0, the embedding has collapsed; if the second is, the L tokens
// are one token L times.
func spread(tp *ag.Tape, x *ag.Tensor, axis int) *ag.Tensor {
	_, variance := centre(tp, x, axis)
	return tp.Mean(tp.Sqrt(variance))
}
