package cpu

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Unary implements device.Device.
func (d *Device[T]) Unary(op device.Unary, dst, x device.Buffer, a, b float64) {
	y, v := d.data(dst), d.data(x)
	each(len(v), func(lo, hi int) { unary(op, y[lo:hi], v[lo:hi], T(a), T(b)) })
}

// unary has one loop an operation: a call of a function value for each element would double the cost of the cheap ones.
func unary[T Float](op device.Unary, y, x []T, a, b T) {
	y = y[:len(x)]
	switch op {
	case device.Affine:
		for i, v := range x {
			y[i] = a*v + b
		}
	case device.Exp:
		for i, v := range x {
			y[i] = exp(v)
		}
	case device.Log:
		for i, v := range x {
			y[i] = log(v)
		}
	case device.Sqrt:
		for i, v := range x {
			y[i] = sqrt(v)
		}
	case device.Abs:
		for i, v := range x {
			y[i] = T(math.Abs(float64(v)))
		}
	case device.ReLU:
		for i, v := range x {
			y[i] = max(v, 0)
		}
	case device.LeakyReLU:
		for i, v := range x {
			y[i] = v
			if v < 0 {
				y[i] = a * v
			}
		}
	case device.Clamp:
		for i, v := range x {
			y[i] = min(max(v, a), b)
		}
	default:
		unarySmooth(op, y, x, a)
	}
}

func unarySmooth[T Float](op device.Unary, y, x []T, a T) {
	switch op {
	case device.Tanh:
		for i, v := range x {
			y[i] = tanh(v)
		}
	case device.Sigmoid:
		for i, v := range x {
			y[i] = sigmoid(v)
		}
	case device.Softplus:
		for i, v := range x {
			y[i] = softplus(v)
		}
	case device.GELU:
		for i, v := range x {
			cdf, _ := gauss(v)
			y[i] = v * cdf
		}
	case device.SiLU:
		for i, v := range x {
			y[i] = v * sigmoid(v)
		}
	case device.Huber:
		for i, v := range x {
			if v = T(math.Abs(float64(v))); v < a {
				y[i] = v * v / (2 * a)
			} else {
				y[i] = v - a/2
			}
		}
	default:
		panic(fmt.Sprintf("cpu: unary operation %d is not known", op))
	}
}

// UnaryGrad implements device.Device.
func (d *Device[T]) UnaryGrad(op device.Unary, dx, x, y, g device.Buffer, a, b float64) {
	dxs, xs, ys, gs := d.data(dx), d.data(x), d.data(y), d.data(g)
	each(len(xs), func(lo, hi int) { unaryGrad(op, dxs[lo:hi], xs[lo:hi], ys[lo:hi], gs[lo:hi], T(a), T(b)) })
}

func unaryGrad[T Float](op device.Unary, dx, x, y, g []T, a, b T) {
	dx, y, g = dx[:len(x)], y[:len(x)], g[:len(x)]
	switch op {
	case device.Affine:
		for i := range x {
			dx[i] = a * g[i]
		}
	case device.Exp:
		for i := range x {
			dx[i] = g[i] * y[i]
		}
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
	case device.GELU:
		for i, v := range x {
			cdf, pdf := gauss(v)
			dx[i] = g[i] * (cdf + v*pdf)
		}
	case device.SiLU:
		for i, v := range x {
			s := sigmoid(v)
			dx[i] = g[i] * s * (1 + v*(1-s))
		}
	default:
		unaryGradKinked(op, dx, x, g, a, b)
	}
}

// unaryGradKinked differentiates the functions made of pieces. A piece of slope 0 yields 0 even where g is infinite.
func unaryGradKinked[T Float](op device.Unary, dx, x, g []T, a, b T) {
	switch op {
	case device.Abs:
		for i, v := range x {
			dx[i] = choose(v > 0, g[i], choose(v < 0, -g[i], 0))
		}
	case device.ReLU:
		for i, v := range x {
			dx[i] = choose(v > 0, g[i], 0)
		}
	case device.LeakyReLU:
		for i, v := range x {
			dx[i] = choose(v > 0, g[i], a*g[i])
		}
	case device.Clamp:
		for i, v := range x {
			dx[i] = choose(v >= a && v <= b, g[i], 0)
		}
	case device.Huber:
		for i, v := range x {
			dx[i] = g[i] * min(max(v/a, -1), 1)
		}
	default:
		panic(fmt.Sprintf("cpu: unary operation %d is not known", op))
	}
}

func choose[T Float](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
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
	xs, ys, a := d.data(x), d.data(y), T(alpha)
	each(len(xs), func(lo, hi int) {
		to := ys[lo:hi]
		for i, v := range xs[lo:hi] {
			to[i] += a * v
		}
	})
}
