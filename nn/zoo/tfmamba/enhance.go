package tfmamba

import (
	"math"
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// newNorm creates a layer normalisation with the ε of all norms here.
func newNorm(p *nn.Params, width int) *nn.LayerNorm {
	l := nn.NewLayerNorm(p, width)
	l.Eps = 1e-6
	return l
}

// A projection is Linear(LN(x)).
type projection struct {
	norm   *nn.LayerNorm
	linear *nn.Linear
}

func newProjection(p *nn.Params, in, out int) *projection {
	return &projection{newNorm(p.Sub("norm"), in), nn.NewLinear(p.Sub("linear"), in, out)}
}

// Forward maps x [… in] to [… out].
func (l *projection) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return l.linear.Forward(tp, l.norm.Forward(tp, x))
}

// frames is the way of audio or vision to E_m, a sequence as long as the text: alignment,
// projection and enhancement by the text.
type frames struct {
	align       *nn.LSTM // 2 layers of T+1 units
	project     *projection
	norm        *nn.LayerNorm
	temperature *ag.Tensor // κ, scalar
}

func newFrames(p *nn.Params, tokens, in, width int) *frames {
	const temperature = 0.07 // e^−κ at the start
	return &frames{
		align: nn.NewLSTM(p.Sub("align"),
			nn.LSTMConfig{In: in, Hidden: tokens + 1, Layers: 2}),
		project: newProjection(p.Sub("project"), in, width), norm: newNorm(p.Sub("norm"), width),
		temperature: p.New("temperature",
			func(*rand.Rand) float64 { return -math.Log(temperature) }),
	}
}

// Forward returns E_m [B T d] for frames x [B T_m d_m], zeros after each length, and H_l [B T d]:
//
//	H_m = LN(Linear(LN(Y_m))),  E_m = H_m + (S ⊙ [S > 1/T])·H_l
//	S = softmax(e^κ·n(H_m)·n(H_l)ᵀ),  n(x) = x/max(|x|, 1e-9) of each row
//
// So a row of H_m takes over the tokens that resemble it more than on average. What is left of S
// does not add up to 1.
func (f *frames) Forward(tp *ag.Tape, x *ag.Tensor, lengths []int, words *ag.Tensor) *ag.Tensor {
	h := f.norm.Forward(tp, f.project.Forward(tp, f.aligned(tp, x, lengths)))
	cosine := tp.MatMul(tp.L2Normalize(h, 1e-9), tp.L2Normalize(words, 1e-9), ag.NT)
	s := tp.Softmax(tp.Mul(cosine, tp.Exp(f.temperature)), nil)
	average := tp.Full(1 / float64(words.Shape()[1]))
	similar := tp.Mul(tp.Less(average, s), s)
	return tp.Add(h, tp.MatMul(similar, words, ag.NN))
}

// aligned returns Y_m = Mᵀ·x [B T d_m]: sums of the frames x, weighted by the probabilities M [B
// T_m T] that a frame belongs to a token. They are the softmax of the LSTM's T+1 outputs at the
// frame, without the first, which stands for no token. M's columns need not add up to 1. The LSTM
// need not read the zeros after the lengths, because M multiplies them.
func (f *frames) aligned(tp *ag.Tape, x *ag.Tensor, lengths []int) *ag.Tensor {
	y, _ := f.align.Forward(tp, x, lengths)
	classes := y.Shape()[2]
	return tp.MatMul(tp.Slice(tp.Softmax(y, nil), 2, 1, classes), x, ag.TN)
}
