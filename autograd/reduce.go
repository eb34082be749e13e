package autograd

import (
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// reduce reduces x over the given axes (ascending), which the result does not have. Adjacent axes
// are reduced in one pass, which is correct because f(f(x, y), z) = f(x, y, z) for every Reduction.
func (t *Tape) reduce(op device.Reduction, x *Tensor, axes []int) *Tensor {
	shape := slices.Clone(x.shape)
	for end := len(axes); end > 0; {
		begin := end - 1
		for begin > 0 && axes[begin-1] == axes[begin]-1 {
			begin--
		}
		lo, hi := axes[begin], axes[end-1]+1
		n, inner := size(shape[lo:hi]), size(shape[hi:])
		shape = slices.Delete(shape, lo, hi)
		y := t.alloc(slices.Clone(shape))
		t.dev.Reduce(op, y.buf, x.buf, size(shape[:lo]), n, inner)
		x, end = y, begin
	}
	return x
}

// reductionAxes returns the axes to reduce over in ascending order, all axes of x if axes is
// empty, and x's shape with 1 in their places.
func (t *Tape) reductionAxes(op string, x *Tensor, axes []int) (sorted, kept []int) {
	t.CheckOperands(op, x)
	if len(axes) == 0 {
		for i := range x.shape {
			axes = append(axes, i)
		}
	}
	sorted = slices.Clone(axes)
	slices.Sort(sorted)
	kept = slices.Clone(x.shape)
	for i, a := range sorted {
		t.mustAxis(op, x, a)
		if i > 0 && sorted[i-1] == a {
			panic("autograd: " + op + ": an axis is named twice")
		}
		kept[a] = 1
	}
	return sorted, kept
}

// reduced applies a reduction. Without axes, for a scalar, it returns an alias of x, so that the
// result is always a new tensor.
func (t *Tape) reduced(op device.Reduction, x *Tensor, axes []int) *Tensor {
	if len(axes) == 0 {
		return t.alias(x, x.shape)
	}
	return t.reduce(op, x, axes)
}

// Sum returns the sum of x over the given axes, which the result does not have, or over all axes
// if none is given. It panics if an axis does not exist or is given twice.
//
//	x̄ = ȳ, repeated along the axes
func (t *Tape) Sum(x *Tensor, axes ...int) *Tensor {
	axes, kept := t.reductionAxes("Sum", x, axes)
	return t.Record("Sum", t.reduced(device.Sum, x, axes), Wrt(x, func(g *Tensor) *Tensor {
		return t.Expand(t.alias(g, kept), x.shape...)
	}))
}

// Mean returns the mean of x over the given axes, or over all axes: see [Tape.Sum].
//
//	x̄ = ȳ / n, repeated along the axes
func (t *Tape) Mean(x *Tensor, axes ...int) *Tensor {
	y := t.Sum(x, axes...)
	return t.Scale(y, float64(y.Len())/float64(x.Len()))
}

// Max returns the largest element of x along the given axes, or of all elements: see [Tape.Sum].
// Equal maxima share the gradient equally.
//
//	x̄ = ȳ ⊙ [x = y] / #{x = y}
func (t *Tape) Max(x *Tensor, axes ...int) *Tensor {
	axes, kept := t.reductionAxes("Max", x, axes)
	y := t.reduced(device.Max, x, axes)
	return t.Record("Max", y, Wrt(x, func(g *Tensor) *Tensor {
		at := t.binary("Max", device.Equal, x, t.alias(y, kept))
		ties := t.alias(t.reduced(device.Sum, at, axes), kept)
		return t.Mul(at, t.Div(t.alias(g, kept), ties))
	}))
}

// LogSumExp returns y = ln Σ eˣ along the given axes, or of all elements: see [Tape.Sum].
//
//	x̄ = ȳ ⊙ e^(x − y)
func (t *Tape) LogSumExp(x *Tensor, axes ...int) *Tensor {
	axes, kept := t.reductionAxes("LogSumExp", x, axes)
	y := t.reduced(device.LogSumExp, x, axes)
	return t.Record("LogSumExp", y, Wrt(x, func(g *Tensor) *Tensor {
		return t.Mul(t.alias(g, kept), t.Exp(t.Sub(x, t.alias(y, kept))))
	}))
}
