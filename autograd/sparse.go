package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Lookup is [Tape.Gather] from a parameter x [n …], typically a large table of which a step
// reads a few rows: it returns the rows in index, [len(index) …]. The gradient of x is
// row-sparse: it stores the rows that index names; all others are zero. The tape retains index
// until Reset.
//
//	x̄ = 0, then x̄[index[i]] += ȳ[i]
//
// A row-sparse gradient is for [Tensor.AdamStep], which updates the stored rows and their moments
// and leaves the other rows unchanged, weight decay included. [Tape.Norm], [Tape.ScaleGradient],
// [Tape.ClampGradient], [Tape.Accumulate] and [Tensor.Values] also take one; every other operation
// panics.
//
// Lookup panics if x is not a parameter or constant of the caller, or if an index is out of range.
func (t *Tape) Lookup(x *Tensor, index []int) *Tensor {
	if x.tape != nil {
		panic("autograd: Lookup: the table was computed on a tape: want a parameter; Gather reads any tensor")
	}
	var y *Tensor
	t.Unrecorded(func() { y = t.Gather(x, index) })
	return t.Record("Lookup", y, Wrt(x, func(g *Tensor) *Tensor {
		gx := t.sparse(x.shape, index)
		gx.scatter(index, g)
		return gx
	}))
}

// ScaleGradient returns a·g for a gradient g, dense or row-sparse, and a tensor a of one element.
// The result is a constant of the tape.
func (t *Tape) ScaleGradient(g, a *Tensor) *Tensor {
	if a.Len() != 1 {
		panic(fmt.Sprintf("autograd: ScaleGradient: gradient %v by %v: want a scalar", g, a))
	}
	return storedAs(g, t.binary("ScaleGradient", device.Mul, stored(g), a))
}

// ClampGradient returns min(max(g, lo), hi) elementwise for a gradient g, dense or row-sparse. The
// result is a constant of the tape. It panics if lo > 0 or hi < 0, because rows that are not stored
// stay zero.
func (t *Tape) ClampGradient(g *Tensor, lo, hi float64) *Tensor {
	if !(lo <= 0 && hi >= 0) {
		panic(fmt.Sprintf("autograd: ClampGradient: gradient %v to [%g, %g]: want 0 to stay 0",
			g, lo, hi))
	}
	var y *Tensor
	t.Unrecorded(func() { y = t.unary("ClampGradient", device.Clamp, stored(g), lo, hi) })
	return storedAs(g, y)
}

// stored returns the elements that x stores as a vector: those of its rows if it is row-sparse.
func stored(x *Tensor) *Tensor {
	y := *x
	y.shape, y.rows = []int{x.buf.Len()}, nil
	return &y
}

// storedAs returns y, a new vector of the elements that x stores, in the form of x.
func storedAs(x, y *Tensor) *Tensor {
	y.shape, y.rows = x.shape, x.rows
	return y
}

// sparse returns a row-sparse tensor of zeros that stores the rows in index. Its buffer has room
// for len(index) rows even if some are equal, so that steps of one shape need buffers of one size.
func (t *Tape) sparse(shape, index []int) *Tensor {
	x := t.full([]int{len(index), size(shape[1:])}, 0)
	x.shape, x.rows = shape, slices.Compact(slices.Sorted(slices.Values(index)))
	return x
}

// scatter adds the rows of y to x's rows in index.
func (x *Tensor) scatter(index []int, y *Tensor) {
	place := make([]int, len(index))
	for i, r := range index {
		place[i], _ = slices.BinarySearch(x.rows, r)
	}
	x.dev.ScatterAdd(x.buf, place, y.buf, size(x.shape[1:]))
}

// sum returns the sum of two gradients of one tensor, dense or row-sparse.
func (t *Tape) sum(x, y *Tensor) *Tensor {
	switch {
	case x.rows == nil && y.rows == nil:
		return t.Add(x, y)
	case x.rows == nil || y.rows == nil:
		if x.rows == nil {
			x, y = y, x
		}
		z := t.full(x.shape, 0)
		t.dev.Axpy(1, y.buf, z.buf)
		t.dev.ScatterAdd(z.buf, x.rows, x.buf, size(x.shape[1:]))
		return z
	}
	z := t.sparse(x.shape, slices.Concat(x.rows, y.rows))
	z.scatter(x.rows, x)
	z.scatter(y.rows, y)
	return z
}

// expand returns the values of all rows, given those of the stored rows.
func (x *Tensor) expand(values []float64) []float64 {
	width := size(x.shape[1:])
	all := make([]float64, x.Len())
	for i, r := range x.rows {
		copy(all[r*width:][:width], values[i*width:])
	}
	return all
}

// mustBeDense panics for a row-sparse gradient.
func (x *Tensor) mustBeDense(op string) {
	if x.rows != nil {
		panic(fmt.Sprintf(
			"autograd: %s: %v is a row-sparse gradient of Lookup, which the optimizers' "+
				"functions take; Gather's is dense", op, x,
		))
	}
}
