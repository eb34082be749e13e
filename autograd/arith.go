package autograd

import "github.com/seed-6655bf3b/recap/internal/device"

// binary computes an elementwise function of two tensors, broadcasting them.
func (t *Tape) binary(name string, op device.Binary, a, b *Tensor) *Tensor {
	t.CheckOperands(name, a, b)
	y := t.alloc(broadcast(name, a.shape, b.shape))
	t.dev.Binary(op, y.buf, y.shape, spreadOver(a, y.shape), spreadOver(b, y.shape))
	return y
}

// Add returns a + b, with broadcasting.
//
//	ā = ȳ,  b̄ = ȳ
func (t *Tape) Add(a, b *Tensor) *Tensor {
	return t.Record("Add", t.binary("Add", device.Add, a, b),
		Wrt(a, func(g *Tensor) *Tensor { return g }),
		Wrt(b, func(g *Tensor) *Tensor { return g }))
}

// Sub returns a − b, with broadcasting.
//
//	ā = ȳ,  b̄ = −ȳ
func (t *Tape) Sub(a, b *Tensor) *Tensor {
	return t.Record("Sub", t.binary("Sub", device.Sub, a, b),
		Wrt(a, func(g *Tensor) *Tensor { return g }),
		Wrt(b, func(g *Tensor) *Tensor { return t.Neg(g) }))
}

// Mul returns the elementwise product a ⊙ b, with broadcasting.
//
//	ā = ȳ ⊙ b,  b̄ = ȳ ⊙ a
func (t *Tape) Mul(a, b *Tensor) *Tensor {
	return t.Record("Mul", t.binary("Mul", device.Mul, a, b),
		Wrt(a, func(g *Tensor) *Tensor { return t.Mul(g, b) }),
		Wrt(b, func(g *Tensor) *Tensor { return t.Mul(g, a) }))
}

// Div returns the elementwise quotient y = a / b, with broadcasting.
//
//	ā = ȳ / b,  b̄ = −ȳ ⊙ y / b
func (t *Tape) Div(a, b *Tensor) *Tensor {
	y := t.binary("Div", device.Div, a, b)
	return t.Record("Div", y,
		Wrt(a, func(g *Tensor) *Tensor { return t.Div(g, b) }),
		Wrt(b, func(g *Tensor) *Tensor { return t.Neg(t.Div(t.Mul(g, y), b)) }))
}

// Less returns 1 where a < b and 0 elsewhere, with broadcasting. It is piecewise constant, so no
// gradient passes.
func (t *Tape) Less(a, b *Tensor) *Tensor { return t.binary("Less", device.Less, a, b) }

// Neg returns −x.
//
//	x̄ = −ȳ
func (t *Tape) Neg(x *Tensor) *Tensor { return t.unary("Neg", device.Affine, x, -1, 0) }

// Scale returns a·x for a constant a.
//
//	x̄ = a·ȳ
func (t *Tape) Scale(x *Tensor, a float64) *Tensor {
	return t.unary("Scale", device.Affine, x, a, 0)
}

// AddScalar returns x + b for a constant b.
//
//	x̄ = ȳ
func (t *Tape) AddScalar(x *Tensor, b float64) *Tensor {
	return t.unary("AddScalar", device.Affine, x, 1, b)
}
