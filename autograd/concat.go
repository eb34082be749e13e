package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Concat returns tensors joined along an axis. It panics if the lengths of their other axes differ.
// [Tape.Split] is its inverse, [Tape.Stack] joins along a new axis.
//
//	x̄ᵢ = ȳ at the position of xᵢ
func (t *Tape) Concat(axis int, xs ...*Tensor) *Tensor {
	if len(xs) == 0 {
		panic(fmt.Sprintf("autograd: Concat: no tensors along axis %d", axis))
	}
	t.CheckOperands("Concat", xs...)
	shape := slices.Clone(xs[0].shape)
	t.mustAxis("Concat", xs[0], axis)
	shape[axis] = 0
	for _, x := range xs {
		if x.rank() != len(shape) {
			panic(fmt.Sprintf("autograd: Concat: shapes %v and %v have different ranks",
				xs[0].shape, x.shape))
		}
		for i, d := range x.shape {
			if i != axis && d != shape[i] {
				panic(fmt.Sprintf("autograd: Concat: shapes %v and %v differ outside axis %d",
					xs[0].shape, x.shape, axis))
			}
		}
		shape[axis] += x.shape[axis]
	}
	y := t.alloc(shape)
	s := device.Strides(shape)
	edges := make([]Edge, len(xs))
	at := 0
	for i, x := range xs {
		from, to := at, at+x.shape[axis]
		t.dev.Copy(device.Operand{Buf: y.buf, Offset: from * s[axis], Strides: s}, x.shape,
			dense(x))
		edges[i] = Wrt(x, func(g *Tensor) *Tensor { return t.Slice(g, axis, from, to) })
		at = to
	}
	return t.Record("Concat", y, edges...)
}

// Split divides x along an axis into parts of the given lengths: the inverse of [Tape.Concat]. Its
// backward pass costs as much as one Concat, however many parts there are; with [Tape.Slice] in a
// loop, each part would have a gradient of x's size. It panics if the sizes do not add up to the
// length of the axis.
//
//	x̄ = Concat(ȳ₁, ȳ₂, …)
func (t *Tape) Split(x *Tensor, axis int, sizes ...int) []*Tensor {
	t.CheckOperands("Split", x)
	t.mustAxis("Split", x, axis)
	strides := device.Strides(x.shape)
	parts := make([]*Tensor, len(sizes))
	at := 0
	for i, n := range sizes {
		if at += n; n < 1 || at > x.shape[axis] {
			panic(fmt.Sprintf("autograd: Split: axis %d of %v into %v", axis, x.shape, sizes))
		}
		shape := slices.Clone(x.shape)
		shape[axis] = n
		parts[i] = t.alloc(shape)
		t.dev.Copy(dense(parts[i]), shape,
			device.Operand{Buf: x.buf, Offset: (at - n) * strides[axis], Strides: strides})
	}
	if at != x.shape[axis] {
		panic(fmt.Sprintf("autograd: Split: axis %d of %v into %v", axis, x.shape, sizes))
	}
	t.RecordJoint("Split", slices.Clone(parts), []*Tensor{x}, func(g []*Tensor) []*Tensor {
		return []*Tensor{t.Concat(axis, g...)}
	})
	return parts
}

// Stack returns tensors of one shape joined along a new axis: n tensors of shape [a b] give [n a
// b] for axis 0. It panics if shapes differ.
//
//	x̄ᵢ = ȳ at index i of the axis
func (t *Tape) Stack(axis int, xs ...*Tensor) *Tensor {
	parts := make([]*Tensor, len(xs))
	for i, x := range xs {
		if axis < 0 || axis > x.rank() || !slices.Equal(x.shape, xs[0].shape) {
			panic(fmt.Sprintf("autograd: Stack: shapes %v and %v along new axis %d", xs[0].shape,
				x.shape, axis))
		}
		parts[i] = t.Reshape(x, slices.Insert(slices.Clone(x.shape), axis, 1)...)
	}
	return t.Concat(axis, parts...)
}
