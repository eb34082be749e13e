package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// masked returns x with −Inf where the mask, which broadcasts to x, is 0. A nil mask excludes
// nothing.
//
//	x̄ = ȳ, because the gradient of a softmax is 0 at an element of −Inf
func (t *Tape) masked(op string, x, mask *Tensor) *Tensor {
	if mask == nil {
		return x
	}
	if !slices.Equal(broadcast(op, x.shape, mask.shape), x.shape) {
		panic(fmt.Sprintf("autograd: %s: mask %v does not broadcast to x %v", op, mask.shape,
			x.shape))
	}
	return t.Record(op, t.binary(op, device.Mask, x, mask), Wrt(x, func(g *Tensor) *Tensor {
		return g
	}))
}

// Softmax returns y = eˣ / Σ eˣ over the last axis of x [… n]. Elements where the mask is 0 are
// excluded: their weight is 0. A row whose elements are all excluded is 0. The mask broadcasts
// to x and is a constant; nil excludes nothing.
//
//	x̄ = y ⊙ (ȳ − Σ ȳ⊙y)
func (t *Tape) Softmax(x, mask *Tensor) *Tensor {
	t.CheckOperands("Softmax", x)
	x = t.masked("Softmax", x, mask)
	rows, n := t.rows("Softmax", x)
	y := t.alloc(x.shape)
	t.dev.Softmax(y.buf, x.buf, rows, n)
	return t.Record("Softmax", y, Wrt(x, func(g *Tensor) *Tensor {
		gx := t.alloc(x.shape)
		t.dev.SoftmaxGrad(gx.buf, y.buf, g.buf, rows, n)
		return gx
	}))
}

// LogSoftmax returns y = x − ln Σ eˣ over the last axis, with a mask as in Softmax; excluded
// elements are −Inf.
//
//	x̄ = ȳ − eʸ Σ ȳ
func (t *Tape) LogSoftmax(x, mask *Tensor) *Tensor {
	t.CheckOperands("LogSoftmax", x)
	x = t.masked("LogSoftmax", x, mask)
	rows, n := t.rows("LogSoftmax", x)
	y := t.alloc(x.shape)
	t.dev.LogSoftmax(y.buf, x.buf, rows, n)
	return t.Record("LogSoftmax", y, Wrt(x, func(g *Tensor) *Tensor {
		gx := t.alloc(x.shape)
		t.dev.LogSoftmaxGrad(gx.buf, y.buf, g.buf, rows, n)
		return gx
	}))
}

// rows returns how many rows x has along its last axis, and their length.
func (t *Tape) rows(op string, x *Tensor) (rows, n int) {
	t.mustAxis(op, x, x.rank()-1)
	n = x.shape[x.rank()-1]
	return x.Len() / n, n
}
