package autograd

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Dropout sets each element to 0 with probability p and divides the others by 1−p (Srivastava et
// al. 2014, Dropout). The mask is a hash of the tape's seed ([Tape.Seed]), the number of the
// dropout operation and the index of the element, so it needs no memory. On an inference tape
// Dropout is the identity. It panics unless 0 ≤ p < 1.
//
//	x̄ = ȳ / (1−p) where kept, 0 elsewhere
func (t *Tape) Dropout(x *Tensor, p float64) *Tensor {
	t.CheckOperands("Dropout", x)
	mustBeProbability("Dropout", p)
	if t.inference || p == 0 {
		return x
	}
	seed := t.draw()
	y := t.alloc(x.shape)
	t.dev.Dropout(y.buf, x.buf, p, seed)
	return t.Record("Dropout", y, Wrt(x, func(g *Tensor) *Tensor {
		gx := t.alloc(x.shape)
		t.dev.Dropout(gx.buf, g.buf, p, seed)
		return gx
	}))
}

func mustBeProbability(op string, p float64) {
	if !(p >= 0 && p < 1) {
		panic(fmt.Sprintf("autograd: %s: probability %g: want 0 ≤ p < 1", op, p))
	}
}

// draw returns the seed of the next random operation.
func (t *Tape) draw() uint64 {
	t.draws++
	return device.Hash(t.seed, t.draws)
}
