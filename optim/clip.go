package optim

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// ClipNorm scales the gradients of the parameters so that, taken as one vector, their norm is at most limit (Pascanu, Mikolov,
// Bengio 2013), and returns the norm before. The scaled gradients are new tensors of the tape that take the old ones' places in grads.
//
//	g ← g · min(1, limit / (norm + 1e-6))
func ClipNorm(tp *ag.Tape, grads ag.Grads, params []nn.Param, limit float64) (norm float64) {
	sum := 0.0
	for _, p := range params {
		if g := grads[p.Tensor]; g != nil {
			sum += g.Dot(g)
		}
	}
	norm = math.Sqrt(sum)
	scale := limit / (norm + 1e-6) // as PyTorch has it
	if scale >= 1 {
		return norm
	}
	for _, p := range params {
		if g := grads[p.Tensor]; g != nil {
			grads[p.Tensor] = tp.Scale(g, scale)
		}
	}
	return norm
}
