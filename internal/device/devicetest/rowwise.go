package devicetest

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// matrices are the sizes of matrices whose rows are independent.
var matrices = []struct{ rows, n int }{{1, 1}, {4, 1}, {3, 7}, {5, 33}, {128, 16}, {300, 65},
	{700, 50}, {40, 1000}, {2, 20001}}

// A normalizer defines Softmax or LogSoftmax.
type normalizer struct {
	name string
	run  func(dev device.Device, dst, x device.Buffer, rows, n int)
	grad func(dev device.Device, dx, y, g device.Buffer, rows, n int)
	f    func(x, lse float64) float64        // an element of y
	df   func(g, y, gy, sum float64) float64 // an element of dx, where gy is Σ g⊙y and sum is Σ g
}

var normalizers = []normalizer{
	{"Softmax", device.Device.Softmax, device.Device.SoftmaxGrad,
		func(x, lse float64) float64 { return math.Exp(x - lse) },
		func(g, y, gy, sum float64) float64 { return y * (g - gy) }},
	{"LogSoftmax", device.Device.LogSoftmax, device.Device.LogSoftmaxGrad,
		func(x, lse float64) float64 { return x - lse },
		func(g, y, gy, sum float64) float64 { return g - math.Exp(y)*sum }},
}

func (s *suite) softmax() {
	for _, c := range matrices {
		for _, norm := range normalizers {
			x, g := s.numbers(c.rows*c.n), s.numbers(c.rows*c.n)
			for i := range c.n { // exponentials of the first row overflow
				x[i] += 1000
			}
			y, dx := make([]float64, len(x)), make([]float64, len(x))
			for r := range c.rows {
				// exact; a large x would cost ln Σ eˣ its last digits
				shifted := make([]float64, c.n)
				for i := range shifted {
					shifted[i] = x[r*c.n+i] - x[r*c.n]
				}
				lse, gy, sum := logSumExp(shifted), 0.0, 0.0
				for i := r * c.n; i < (r+1)*c.n; i++ {
					y[i] = norm.f(shifted[i-r*c.n], lse)
					gy += g[i] * y[i]
					sum += g[i]
				}
				for i := r * c.n; i < (r+1)*c.n; i++ {
					dx[i] = norm.df(g[i], y[i], gy, sum)
				}
			}
			dst, same := s.poison(len(x)), s.put(x)
			norm.run(s.dev, dst, s.put(x), c.rows, c.n)
			s.expect(fmt.Sprintf("%s %+v", norm.name, c), dst, y, 0)
			norm.run(s.dev, same, same, c.rows, c.n)
			s.expect(fmt.Sprintf("%s %+v, in place", norm.name, c), same, y, 0)

			for _, in := range []string{"", "y", "g"} {
				ys, gs, dst := s.put(y), s.put(g), s.poison(len(x))
				switch in {
				case "y":
					dst = ys
				case "g":
					dst = gs
				}
				norm.grad(s.dev, dst, ys, gs, c.rows, c.n)
				s.expect(fmt.Sprintf("gradient of %s %+v, in place of %q", norm.name, c, in),
					dst, dx, 16)
			}
		}
	}
}

// softmaxSpecial checks rows in which some or all numbers are −Inf.
func (s *suite) softmaxSpecial() {
	const rows, n = 3, 37
	x, g := s.numbers(rows*n), s.numbers(rows*n)
	for i := range n {
		x[n+i] = -infinite
		if i%2 == 0 {
			x[2*n+i] = -infinite
		}
	}
	soft, logs, dx := make([]float64, rows*n), make([]float64, rows*n), make([]float64, rows*n)
	for r := range rows {
		lse, gy := logSumExp(x[r*n:(r+1)*n]), 0.0
		for i := r * n; i < (r+1)*n; i++ {
			logs[i] = -infinite
			if !math.IsInf(x[i], -1) {
				soft[i], logs[i] = math.Exp(x[i]-lse), x[i]-lse
			}
			gy += g[i] * soft[i]
		}
		for i := r * n; i < (r+1)*n; i++ {
			dx[i] = soft[i] * (g[i] - gy)
		}
	}
	for _, c := range []struct {
		name string
		run  func(dst, x device.Buffer, rows, n int)
		want []float64
	}{{"Softmax", s.dev.Softmax, soft}, {"LogSoftmax", s.dev.LogSoftmax, logs}} {
		dst := s.poison(rows * n)
		c.run(dst, s.put(x), rows, n)
		s.expect(c.name+" of −Inf", dst, c.want, 0)
	}
	dst := s.poison(rows * n)
	s.dev.SoftmaxGrad(dst, s.put(soft), s.put(g), rows, n)
	s.expect("gradient of Softmax of −Inf", dst, dx, 16)

	for i := range logs { // for LogSoftmax: e^−Inf is 0
		row := g[i/n*n : (i/n+1)*n]
		dx[i] = g[i] - math.Exp(logs[i])*reducers[device.Sum].f(row)
	}
	s.dev.LogSoftmaxGrad(dst, s.put(logs), s.put(g), rows, n)
	s.expect("gradient of LogSoftmax of −Inf", dst, dx, 16)
}
