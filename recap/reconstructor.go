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
		loss := tp.MSE(r.Forward(tp, completed[i]), m.target(tp, complete[i]))
		terms = append(terms, zoo.Term{Name: "rec_" + zoo.Modality(i).String(), Weight: m.config.Loss.Reconstruction, Loss: loss})
	}
	return terms
}

// target returns the complete features standardised over the batch, (X − mean)/(sd + 1e-4) for
// each position and feature, so that shrinking the embedding wins nothing.
func (m *Model) target(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	if m.config.Literal {
		return x
	}
	centred := tp.Sub(x, tp.Mean(x, 0))
	sd := tp.Sqrt(tp.Mean(tp.Mul(centred, centred), 0))
	return tp.Div(centred, tp.AddScalar(sd, 1e-4))
}

// spread returns the mean over positions and features of the standard deviation over the batch:
// near 0, the embedding has collapsed.
func spread(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	centred := tp.Sub(x, tp.Mean(x, 0))
	return tp.Mean(tp.Sqrt(tp.Mean(tp.Mul(centred, centred), 0)))
}
