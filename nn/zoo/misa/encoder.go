package misa

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// An encoder maps a sequence of frames to one vector, by two bidirectional LSTMs with a norm
// between them: the paper's sLSTM.
type encoder struct {
	first, second *nn.LSTM
	norm          *nn.LayerNorm
}

func newEncoder(p *nn.Params, width int) *encoder {
	return &encoder{
		first: nn.NewLSTM(p.Sub("first"),
			nn.LSTMConfig{In: width, Hidden: width, Layers: 1, Bidirectional: true}),
		norm: nn.NewLayerNorm(p.Sub("norm"), 2*width),
		second: nn.NewLSTM(p.Sub("second"),
			nn.LSTMConfig{In: 2 * width, Hidden: width, Layers: 1, Bidirectional: true}),
	}
}

// Forward returns u_m [B 4d_m] for x [B T d_m], reading the first lengths[b] frames of sample b.
// With the final states h1 and h2 of the two LSTMs, forward (→) and backward (←),
//
//	u_m = [h1→; h2→; h1←; h2←]
func (e *encoder) Forward(tp *ag.Tape, x *ag.Tensor, lengths []int) *ag.Tensor {
	y, h1 := e.first.Forward(tp, x, lengths)
	_, h2 := e.second.Forward(tp, e.norm.Forward(tp, y), lengths)
	return tp.Concat(1, h1[0], h2[0], h1[1], h2[1])
}

// frames returns the frames x [B T d_m] of a modality that the model reads, and their number in
// each sample, [B]. With lengths=own these are the frames of the recording. With lengths=text
// they are as many as the sentence has tokens: the authors' frames are aligned to words. MMSA
// does the same with frames that are not aligned, and so reads only the first 50 of them, 39 on
// SIMS. Frames after the longest sentence are cut off.
func (m *model) frames(tp *ag.Tape, in *zoo.Input, x *ag.Tensor, own []int) (*ag.Tensor, []int) {
	if m.config.Lengths == "own" {
		return x, own
	}
	steps := min(x.Shape()[1], in.Mask.Shape()[1])
	lengths := in.TextLen()
	for i, n := range lengths {
		lengths[i] = min(n, steps)
	}
	return tp.Slice(x, 1, 0, steps), lengths
}

// tokenMean returns u_l [B W], the mean of the tokens' features [B T W]; [CLS] and [SEP] count.
func tokenMean(tp *ag.Tape, in *zoo.Input, features *ag.Tensor) *ag.Tensor {
	b := in.Batch()
	counts := make([]float32, b)
	for i, n := range in.TextLen() {
		counts[i] = float32(n)
	}
	sum := tp.MatMul(tp.Reshape(in.Mask, b, 1, -1), features, ag.NN) // [B 1 W]
	return tp.Div(tp.Reshape(sum, b, -1), tp.Input(counts, b, 1))
}

// A projection computes p_m = LN(ReLU(W_m u_m + b_m)).
type projection struct {
	linear *nn.Linear
	norm   *nn.LayerNorm
}

func newProjection(p *nn.Params, in, out int) projection {
	return projection{nn.NewLinear(p.Sub("linear"), in, out), nn.NewLayerNorm(p.Sub("norm"), out)}
}

func (p projection) Forward(tp *ag.Tape, u *ag.Tensor) *ag.Tensor {
	return p.norm.Forward(tp, tp.ReLU(p.linear.Forward(tp, u)))
}
