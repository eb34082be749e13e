package recap

import (
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// reconstruct returns the terms of eqs 12 and 13: for each modality, the mean squared error of
// E_rec(X'_m) against the complete features.
func (m *Model) reconstruct(tp *ag.Tape, complete, completed features, in *zoo.Input) []zoo.Term {
	var terms []zoo.Term
	for i, r := range m.reconstructors {
		y := r.Forward(tp, completed[i])
		var target *ag.Tensor
		if m.outputs != nil {
			y = m.outputs[i].Forward(tp, y)
			target = m.raw(tp, in, i)
		} else {
			target = complete[i]
		}
		loss := tp.MSE(y, m.reconstructionTarget(tp, target))
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
	centred, variance := centre(tp, x)
	return tp.Div(centred, tp.AddScalar(tp.Sqrt(variance), 1e-4))
}

// meanDeviation returns the mean over positions and features of the standard deviation over the
// batch. Near 0, the embedding has collapsed. It is logged as spread_l, spread_a and spread_v.
func meanDeviation(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	_, variance := centre(tp, x)
	return tp.Mean(tp.Sqrt(variance))
}

const codeWidth = 64

func (m *Model) rawWidth(i int) int {
	switch zoo.Modality(i) {
	case zoo.Language:
		if m.TextEncoder().Frozen {
			return m.TextEncoder().Width
		}
		return codeWidth
	case zoo.Audio:
		return m.dims.AudioD
	}
	return m.dims.VisionD
}

// raw returns the means of the spans of the recorded features, [B L d].
func (m *Model) raw(tp *ag.Tape, in *zoo.Input, i int) (y *ag.Tensor) {
	tp.NoGrad(func() {
		x, lengths := in.Audio, in.AudioLen
		switch zoo.Modality(i) {
		case zoo.Language:
			lengths = in.TextLen()
			if m.TextEncoder().Frozen {
				x = m.TextEncoder().Forward(tp, in)
			} else {
				codes := make([]float32, len(in.IDs)*codeWidth)
				for k, id := range in.IDs {
					code(id, codes[k*codeWidth:][:codeWidth])
				}
				x = tp.Input(codes, in.Batch(), len(in.IDs)/in.Batch(), codeWidth)
			}
		case zoo.Vision:
			x, lengths = in.Vision, in.VisionLen
		}
		y = tp.MatMul(spans(tp, lengths, m.config.Tokens, x.Shape()[1]), x, ag.NN)
	})
	return y
}

// code fills in random signs that depend on id alone.
func code(id int, to []float32) {
	r := rand.New(rand.NewPCG(uint64(id), 1))
	for i := range to {
		to[i] = float32(r.IntN(2)*2 - 1)
	}
}
