package autograd

import (
	"fmt"
	"slices"
)

// Gather returns the rows of x [n …] with the given indices, [len(index) …], as an embedding
// layer does. A row may occur several times. The tape retains index until Reset. For a large
// parameter of which a step reads a few rows, see [Tape.Lookup]. It panics if an index is out of
// range.
//
//	x̄ = 0, then x̄[index[i]] += ȳ[i]
func (t *Tape) Gather(x *Tensor, index []int) *Tensor {
	t.CheckOperands("Gather", x)
	t.mustAxis("Gather", x, 0)
	for _, i := range index {
		if i < 0 || i >= x.shape[0] {
			panic(fmt.Sprintf("autograd: Gather: index %d of %d rows", i, x.shape[0]))
		}
	}
	width := size(x.shape[1:])
	shape := slices.Clone(x.shape)
	shape[0] = len(index)
	y := t.alloc(shape)
	t.dev.Gather(y.buf, x.buf, index, width)
	return t.Record("Gather", y, Wrt(x, func(g *Tensor) *Tensor {
		gx := t.full(x.shape, 0)
		t.dev.ScatterAdd(gx.buf, index, g.buf, width)
		return gx
	}))
}

// Pick returns one element of each row of x [B C], element index[i] of row i, as [B]. It panics
// if an index is out of range.
func (t *Tape) Pick(x *Tensor, index []int) *Tensor {
	if x.rank() != 2 || len(index) != x.shape[0] {
		panic(fmt.Sprintf("autograd: Pick: %d indices for shape %v: want [B C] and B", len(index),
			x.shape))
	}
	flat := make([]int, len(index))
	for i, c := range index {
		if c < 0 || c >= x.shape[1] {
			panic(fmt.Sprintf("autograd: Pick: index %d of %d elements", c, x.shape[1]))
		}
		flat[i] = i*x.shape[1] + c
	}
	return t.Gather(t.Reshape(x, x.Len()), flat)
}
