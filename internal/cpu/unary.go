package cpu

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Unary implements device.Device.
func (d *Device[T]) Unary(op device.Unary, dst, x device.Buffer, a, b float64) {
	y, v := d.data(dst), d.data(x)
	each(len(v), func(lo, hi int) { d.unary(op, y[lo:hi], v[lo:hi], T(a), T(b)) })
}

// unary has one loop for each operation: calling a function value for each element would double
// the cost of the cheap operations.
func (d *Device[T]) unary(op device.Unary, y, x []T, a, b T) {
	switch op {
	case device.Affine:
		if b == 0 {
			d.loops.scale(y, a, x)
			return
		}
		for i, v := range x {
			y[i] = a*v + b
		}
	case device.Exp:
		d.loops.exp(y, x)
	case device.Tanh:
		d.loops.tanh(y, x)
	case device.Sigmoid:
		d.loops.sigmoid(y, x)
	case device.GELU:
		d.loops.gelu(y, x)
	case device.ReLU:
		d.loops.relu(y, x)
	case device.SiLU:
		s := d.sigmoids(x)
		d.loops.mul(y, x, *s)
		d.recycle(s)
	case device.Log:
		d.loops.log(y, x)
	case device.Sqrt:
		for i, v := range x {
			y[i] = sqrt(v)
		}
	default:
		unaryRare(op, y, x, a, b)
	}
}

// unaryRare is unary for the operations that training rarely uses.
func unaryRare[T Float](op device.Unary, y, x []T, a, b T) {
	switch op {
	case device.Abs:
		for i, v := range x {
			y[i] = abs(v)
		}
	case device.Softplus:
		for i, v := range x {
			y[i] = softplus(v)
		}
	case device.LeakyReLU:
		for i, v := range x {
			y[i] = where(v > 0, v, a*v)
		}
	case device.Clamp:
		for i, v := range x {
			y[i] = min(max(v, a), b)
		}
	case device.Huber:
		for i, v := range x {
			v = abs(v)
			y[i] = where(v < a, v*v/(2*a), v-a/2)
		}
	default:
		panic(fmt.Sprintf("cpu: unary operation %d is unknown", op))
	}
}

// sigmoids returns σ(x) in scratch memory.
func (d *Device[T]) sigmoids(x []T) *[]T {
	s := d.borrow(len(x))
	d.loops.sigmoid(*s, x)
	return s
}

// UnaryGrad implements device.Device.
func (d *Device[T]) UnaryGrad(op device.Unary, dx, x, y, g device.Buffer, a, b float64) {
	dxs, xs, ys, gs := d.data(dx), d.data(x), d.data(y), d.data(g)
	each(len(xs), func(lo, hi int) {
		d.unaryGrad(op, dxs[lo:hi], xs[lo:hi], ys[lo:hi], gs[lo:hi], T(a), T(b))
	})
}

// unaryGrad writes dx = g·f′(x), given y = f(x).
func (d *Device[T]) unaryGrad(op device.Unary, dx, x, y, g []T, a, b T) {
	switch op {
	case device.Affine:
		d.loops.scale(dx, a, g)
	case device.Exp:
		d.loops.mul(dx, g, y)
	case device.GELU:
		d.loops.geluGrad(dx, x, g)
	case device.ReLU:
		d.loops.reluGrad(dx, x, g)
	case device.Log:
		for i, v := range x {
			dx[i] = g[i] / v
		}
	case device.Sqrt:
		for i := range x {
			dx[i] = g[i] / (2 * y[i])
		}
	case device.Tanh:
		for i := range x {
			dx[i] = g[i] * (1 - y[i]*y[i])
		}
	case device.Sigmoid:
		for i := range x {
			dx[i] = g[i] * y[i] * (1 - y[i])
		}
	case device.Softplus:
		for i, v := range x {
			dx[i] = g[i] * sigmoid(v)
		}
	case device.SiLU: // y·(1−σ) is x·σ·(1−σ)
		s := d.sigmoids(x)
		for i, v := range *s {
			dx[i] = g[i] * (v + y[i]*(1-v))
		}
		d.recycle(s)
	default:
		unaryGradPiecewise(op, dx, x, g, a, b)
	}
}

// unaryGradPiecewise is unaryGrad for piecewise functions. A slope of 0 gives 0 even where g is
// infinite.
func unaryGradPiecewise[T Float](op device.Unary, dx, x, g []T, a, b T) {
	switch op {
	case device.Abs:
		for i, v := range x {
			dx[i] = where(v > 0, g[i], where(v < 0, -g[i], 0))
		}
	case device.LeakyReLU:
		for i, v := range x {
			dx[i] = where(v > 0, g[i], a*g[i])
		}
	case device.Clamp:
		for i, v := range x {
			dx[i] = where(v >= a && v <= b, g[i], 0)
		}
	case device.Huber:
		for i, v := range x {
			dx[i] = g[i] * min(max(v/a, -1), 1)
		}
	default:
		panic(fmt.Sprintf("cpu: unary operation %d is unknown", op))
	}
}

// Fill implements device.Device.
func (d *Device[T]) Fill(dst device.Buffer, v float64) {
	y, c := d.data(dst), T(v)
	each(len(y), func(lo, hi int) {
		for i := range y[lo:hi] {
			y[lo+i] = c
		}
	})
}

// Axpy implements device.Device.
func (d *Device[T]) Axpy(alpha float64, x, y device.Buffer) {
	xs, ys := d.data(x), d.data(y)
	each(len(xs), func(lo, hi int) { d.loops.axpy(ys[lo:hi], T(alpha), xs[lo:hi]) })
}
