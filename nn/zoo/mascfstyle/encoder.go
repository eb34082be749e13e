package mascfstyle

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// An encoder maps the steps of a modality to n tokens.
type encoder struct {
	project *nn.Linear
	norm    *nn.LayerNorm
	mix     *nn.MambaBlock
	queries *ag.Tensor // Q_m, [n d]
}

// newEncoder creates an encoder of steps of the given width.
func newEncoder(p *nn.Params, width int, c *Config) *encoder {
	e := &encoder{
		project: nn.NewLinear(p.Sub("linear"), width, c.Width),
		norm:    nn.NewLayerNorm(p.Sub("norm"), c.Width),
		mix:     nn.NewMambaBlock(p.Sub("mix"), c.mamba()),
		queries: p.New("queries", nn.Normal(0.02), c.Tokens, c.Width),
	}
	e.norm.Eps = 1e-6
	return e
}

// Forward returns U_m [B n d] for x [B T d_m]:
//
//	E_m = M(LN(W_m x + b_m)),  U_m = softmax(Q_m E_mᵀ/√d) E_m
//
// where M is a Mamba block. It reads all T steps, and its backward direction starts in the padding;
// the softmax is over the first lengths[b] steps of sample b. Missing steps among them count.
func (e *encoder) Forward(tp *ag.Tape, x *ag.Tensor, lengths []int) *ag.Tensor {
	h := e.mix.Forward(tp, e.norm.Forward(tp, e.project.Forward(tp, x)))
	score := tp.Scale(tp.MatMul(e.queries, h, ag.NT), 1/math.Sqrt(float64(h.Shape()[2])))
	b, steps := len(lengths), x.Shape()[1]
	mask := tp.Reshape(tp.UntilEnd(lengths, steps), b, 1, steps)
	return tp.MatMul(tp.Softmax(score, mask), h, ag.NN)
}
