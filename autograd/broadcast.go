package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// broadcast returns the shape of an elementwise operation on shapes a and b. Shapes are aligned at
// the last axis; two lengths are equal, or one of them is 1 or absent.
func broadcast(op string, a, b []int) []int {
	if slices.Equal(a, b) {
		return a
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	y := slices.Clone(a)
	for i, d := range b {
		switch j := len(a) - len(b) + i; {
		case y[j] == 1:
			y[j] = d
		case d != 1 && d != y[j]:
			panic(fmt.Sprintf(
				"autograd: %s: shapes %v and %v do not broadcast: lengths %d and %d differ",
				op, a, b, y[j], d,
			))
		}
	}
	return y
}

// broadcastTo returns the operand that reads x as if it had a shape to which x broadcasts.
func broadcastTo(x *Tensor, shape []int) device.Operand {
	s := make([]int, len(shape))
	own := device.Strides(x.shape)
	for i, d := range x.shape {
		if d != 1 {
			s[len(shape)-len(x.shape)+i] = own[i]
		}
	}
	return device.Operand{Buf: x.buf, Strides: s}
}

// sumTo is the adjoint of broadcasting: it returns g summed over the axes along which a tensor
// of the given shape was repeated.
func (t *Tape) sumTo(op string, g *Tensor, shape []int) *Tensor {
	if slices.Equal(g.shape, shape) {
		return g
	}
	extra := len(g.shape) - len(shape)
	var axes []int
	for i, d := range g.shape {
		switch {
		case i < extra || shape[i-extra] == 1 && d != 1:
			axes = append(axes, i)
		case extra < 0 || shape[i-extra] != d:
			panic(fmt.Sprintf("autograd: %s: gradient of shape %v for an input of shape %v",
				op, g.shape, shape))
		}
	}
	return t.alias(t.reduce(device.Sum, g, axes), shape)
}
