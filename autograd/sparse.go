package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Lookup is Gather from a parameter, typically a large table of which a step reads a few rows. Its
// gradient is row-sparse: it stores the rows that index names, and all others are zero.
// Tensor.AdamStep updates these rows alone, with their moments, and leaves the others as they are,
// weight decay included; Norm, Mul by a scalar, Clamp around 0 and Values take such a gradient as
// any other. No other operation does.
//
//	x̄ = 0, then x̄[index[i]] += ȳ[i]
func (t *Tape) Lookup(x *Tensor, index []int) *Tensor {
	if x.tape != nil {
		panic("autograd: Lookup: the table was computed on a tape: want a parameter; Gather reads any tensor")
	}
	var y *Tensor
	t.unrecorded(func() { y = t.Gather(x, index) })
	return t.Record("Lookup", y, Wrt(x, func(g *Tensor) *Tensor {
		gx := t.sparse(x.shape, index)
		gx.scatter(index, g)
		return gx
	}))
}

// sparse returns a tensor of zeros that can hold the rows in index. Its buffer has room for all of
// them, though some be equal, so that steps of one shape need buffers of one size.
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

// sum returns the sum of two gradients of one tensor.
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

// scaleRows is Mul for a row-sparse gradient and a scalar.
func (t *Tape) scaleRows(x, a *Tensor) *Tensor {
	if a.Len() != 1 {
		panic(fmt.Sprintf("autograd: Mul: the row-sparse gradient %v by %v: want a scalar", x, a))
	}
	y := t.binary("Mul", device.Mul, stored(x), a)
	y.shape, y.rows = x.shape, x.rows
	return y
}

// clampRows is Clamp for a row-sparse gradient.
func (t *Tape) clampRows(x *Tensor, lo, hi float64) *Tensor {
	if lo > 0 || hi < 0 {
		panic(fmt.Sprintf("autograd: Clamp: the row-sparse gradient %v to [%g, %g]: want 0 to stay 0", x, lo, hi))
	}
	y := t.Clamp(stored(x), lo, hi)
	y.shape, y.rows = x.shape, x.rows
	return y
}

// stored returns the numbers that x stores as a vector: of a row-sparse gradient those of its
// rows.
func stored(x *Tensor) *Tensor {
	y := *x
	y.shape, y.rows = []int{x.buf.Len()}, nil
	return &y
}

// expand returns the values, which are those of some rows, with the other rows' zeros.
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
		panic(fmt.Sprintf("autograd: %s: %v is the row-sparse gradient of Lookup, for AdamStep; Gather's is dense", op, x))
	}
}
