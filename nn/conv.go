package nn

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// Conv1d is a convolution over time with stride 1: step t of the result is a linear map of steps
// t − Padding to t − Padding + Kernel − 1 of x, where steps outside of x are 0:
//
//	y_t = Σ_k W[:, :, k]·x_{t+k−Padding} + b,  k from 0 to Kernel − 1
//
// It is PyTorch's Conv1d, but x and y are [B T C] here and [B C T] there. The windows of all steps
// are the rows of one matrix product.
type Conv1d struct {
	W       *ag.Tensor // [out in kernel]
	B       *ag.Tensor // [out]; nil for none
	Padding int        // zeros before the first step and after the last
}

// Conv1dConfig holds the sizes of a [Conv1d].
type Conv1dConfig struct {
	In, Out int // widths of a step
	Kernel  int // steps of a window
	Padding int // zeros at each end; (Kernel−1)/2 keeps the length, for an odd Kernel
	Bias    bool
}

// NewConv1d creates "weight" [out in kernel] and, with a bias, "bias" [out], both from
// U(−1/√(in·kernel), 1/√(in·kernel)).
func NewConv1d(p *Params, c Conv1dConfig) *Conv1d {
	init := FanIn(c.In * c.Kernel)
	l := &Conv1d{W: p.New("weight", init, c.Out, c.In, c.Kernel), Padding: c.Padding}
	if c.Bias {
		l.B = p.New("bias", init, c.Out)
	}
	return l
}

// Forward maps x [B T in] to [B T+2·Padding−Kernel+1 out]. It panics if x has another width or no
// window fits.
func (l *Conv1d) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	w := l.W.Shape()
	out, in, kernel := w[0], w[1], w[2]
	s := x.Shape()
	if len(s) != 3 || s[2] != in || s[1]+2*l.Padding < kernel {
		panic(fmt.Sprintf("nn: Conv1d: x %v: want [B T %d] with at least %d steps, for weight %v "+
			"and padding %d", s, in, max(1, kernel-2*l.Padding), w, l.Padding))
	}
	if kernel == 1 && l.Padding == 0 {
		return tp.Linear(x, tp.Reshape(l.W, out, in), l.B)
	}
	windows := tp.Unfold(tp.Pad(x, 1, l.Padding, l.Padding), 1, kernel, 1) // [B T′ kernel in]
	steps := windows.Shape()[1]
	byStep := tp.Reshape(tp.Permute(l.W, 0, 2, 1), out, kernel*in)
	return tp.Linear(tp.Reshape(windows, s[0], steps, kernel*in), byStep, l.B)
}
