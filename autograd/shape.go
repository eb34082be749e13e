package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Reshape returns the elements of x in row-major order under another shape. One length may be
// −1: it is inferred from the others. It panics if the shape holds another number of elements.
//
//	x̄ = ȳ in x's shape
func (t *Tape) Reshape(x *Tensor, shape ...int) *Tensor {
	t.CheckOperands("Reshape", x)
	s := slices.Clone(shape)
	if i := slices.Index(s, -1); i >= 0 {
		s[i] = 1
		if rest := size(s); rest > 0 {
			s[i] = x.Len() / rest
		}
	}
	if size(s) != x.Len() {
		panic(fmt.Sprintf("autograd: Reshape: %v to %v: %d elements cannot fill it", x.shape,
			shape, x.Len()))
	}
	return t.Record("Reshape", t.alias(x, s),
		Wrt(x, func(g *Tensor) *Tensor { return t.alias(g, x.shape) }))
}

// rearrange returns the tensor of the given shape whose elements lie in x at offset and strides.
// Permute, Slice, Unfold and Diagonal differ only in these. distinct says that no element is read
// twice.
//
//	x̄ = 0, then x̄[offset + strides·i] += ȳ[i]
func (t *Tape) rearrange(
	op string, x *Tensor, shape []int, offset int, strides []int, distinct bool,
) *Tensor {
	y := t.alloc(shape)
	t.dev.Copy(dense(y), shape, device.Operand{Buf: x.buf, Offset: offset, Strides: strides})
	return t.Record(op, y, Wrt(x, func(g *Tensor) *Tensor {
		gx := t.alloc(x.shape)
		to := device.Operand{Buf: gx.buf, Offset: offset, Strides: strides}
		if !distinct || g.Len() < gx.Len() {
			t.dev.Fill(gx.buf, 0)
		}
		if distinct {
			t.dev.Copy(to, shape, dense(g))
		} else {
			t.dev.Accumulate(to, shape, dense(g))
		}
		return gx
	}))
}

// Permute returns x with its axes reordered: axis i of the result is axis axes[i] of x. It
// panics if axes is not a permutation.
func (t *Tape) Permute(x *Tensor, axes ...int) *Tensor {
	t.CheckOperands("Permute", x)
	shape, s := make([]int, x.rank()), make([]int, x.rank())
	own := device.Strides(x.shape)
	seen := make([]bool, x.rank())
	for i := range max(len(axes), x.rank()) {
		if len(axes) != x.rank() || axes[i] < 0 || axes[i] >= x.rank() || seen[axes[i]] {
			panic(fmt.Sprintf("autograd: Permute: axes %v do not permute those of %v", axes,
				x.shape))
		}
		a := axes[i]
		seen[a] = true
		shape[i], s[i] = x.shape[a], own[a]
	}
	return t.rearrange("Permute", x, shape, 0, s, true)
}

// Slice returns the elements with from ≤ i < to along an axis. To read all parts of x, use
// [Tape.Split]. It panics if the range is empty or exceeds the axis.
func (t *Tape) Slice(x *Tensor, axis, from, to int) *Tensor {
	t.CheckOperands("Slice", x)
	t.mustAxis("Slice", x, axis)
	if from < 0 || from >= to || to > x.shape[axis] {
		panic(fmt.Sprintf("autograd: Slice: [%d, %d) of axis %d of %v", from, to, axis, x.shape))
	}
	shape, s := slices.Clone(x.shape), device.Strides(x.shape)
	shape[axis] = to - from
	return t.rearrange("Slice", x, shape, from*s[axis], s, true)
}

// Pad returns x with zeros along an axis, before elements in front of it and after elements behind
// it. It panics if one of the numbers is negative.
//
//	x̄ = ȳ without the elements before and after
func (t *Tape) Pad(x *Tensor, axis, before, after int) *Tensor {
	t.CheckOperands("Pad", x)
	t.mustAxis("Pad", x, axis)
	if before < 0 || after < 0 {
		panic(fmt.Sprintf("autograd: Pad: axis %d of %v by %d and %d: want none negative", axis,
			x.shape, before, after))
	}
	shape := slices.Clone(x.shape)
	shape[axis] += before + after
	y, s := t.full(shape, 0), device.Strides(shape)
	t.dev.Copy(device.Operand{Buf: y.buf, Offset: before * s[axis], Strides: s}, x.shape, dense(x))
	return t.Record("Pad", y, Wrt(x, func(g *Tensor) *Tensor {
		return t.Slice(g, axis, before, before+x.shape[axis])
	}))
}

// Unfold returns the windows of the given length that start every step elements along an axis:
// the axis of length n becomes two axes, [(n−length)/step+1 length]. Windows may overlap. It
// panics if no window fits.
func (t *Tape) Unfold(x *Tensor, axis, length, step int) *Tensor {
	t.CheckOperands("Unfold", x)
	t.mustAxis("Unfold", x, axis)
	n := x.shape[axis]
	if length < 1 || length > n || step < 1 {
		panic(fmt.Sprintf("autograd: Unfold: windows of %d every %d along axis %d of %v",
			length, step, axis, x.shape))
	}
	own := device.Strides(x.shape)
	shape := slices.Insert(slices.Clone(x.shape), axis+1, length)
	shape[axis] = (n-length)/step + 1
	s := slices.Insert(slices.Clone(own), axis+1, own[axis])
	s[axis] = step * own[axis]
	return t.rearrange("Unfold", x, shape, 0, s, step >= length)
}

// Diagonal returns the diagonals [… n] of square matrices x [… n n]. It panics if x has another
// shape.
func (t *Tape) Diagonal(x *Tensor) *Tensor {
	t.CheckOperands("Diagonal", x)
	r := x.rank()
	if r < 2 || x.shape[r-1] != x.shape[r-2] {
		panic(fmt.Sprintf("autograd: Diagonal: shape %v: want [… n n]", x.shape))
	}
	s := device.Strides(x.shape)[:r-1]
	s[r-2]++
	return t.rearrange("Diagonal", x, slices.Clone(x.shape[:r-1]), 0, s, true)
}

// Expand returns x repeated to a shape to which it broadcasts, as in [Tape.Add]. It panics if x
// does not broadcast to the shape.
//
//	x̄ = Σ ȳ over the repeated axes
func (t *Tape) Expand(x *Tensor, shape ...int) *Tensor {
	t.CheckOperands("Expand", x)
	if !slices.Equal(broadcast("Expand", x.shape, shape), shape) {
		panic(fmt.Sprintf("autograd: Expand: %v does not broadcast to %v", x.shape, shape))
	}
	y := t.alloc(slices.Clone(shape))
	t.dev.Copy(dense(y), y.shape, broadcastTo(x, y.shape))
	return t.Record("Expand", y, Wrt(x, func(g *Tensor) *Tensor { return g }))
}

func (t *Tape) mustAxis(op string, x *Tensor, axis int) {
	if axis < 0 || axis >= x.rank() {
		panic(fmt.Sprintf("autograd: %s: axis %d of shape %v", op, axis, x.shape))
	}
}
