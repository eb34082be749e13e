package optim

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// ClipNorm scales the gradients of the parameters so that, taken as one vector, their Euclidean
// norm is at most limit (Pascanu, Mikolov, Bengio 2013, On the difficulty of training recurrent
// neural networks; PyTorch's clip_grad_norm_). It returns the norm before, a scalar. The scaled
// gradients are new tensors of the tape, and replace the old ones in grads.
//
//	g ← g · min(1, limit / (norm + 1e-6))
//
// It does not wait for the device. Gradients within the limit are scaled too, by exactly 1.
func ClipNorm(tp *ag.Tape, grads ag.Grads, params []nn.Param, limit float64) (norm *ag.Tensor) {
	var gs []*ag.Tensor
	for _, p := range params {
		if g := grads[p.Tensor]; g != nil {
			gs = append(gs, g)
		}
	}
	norm = tp.Norm(gs...)
	positive := tp.AddScalar(norm, 1e-6) // as in PyTorch
	scale := tp.Div(tp.Clamp(positive, 0, limit), positive)
	for _, p := range params {
		if g := grads[p.Tensor]; g != nil {
			grads[p.Tensor] = tp.ScaleGradient(g, scale)
		}
	}
	return norm
}

// ClipValue clamps each element of the parameters' gradients to [−limit, limit] (PyTorch's
// clip_grad_value_). The clamped gradients are new tensors of the tape, and replace the old ones
// in grads.
func ClipValue(tp *ag.Tape, grads ag.Grads, params []nn.Param, limit float64) {
	for _, p := range params {
		if g := grads[p.Tensor]; g != nil {
			grads[p.Tensor] = tp.ClampGradient(g, -limit, limit)
		}
	}
}
