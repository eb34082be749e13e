package devicetest

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// causalConv compares CausalConv and CausalConvGrad with loops over samples, steps, channels and
// weights.
func (s *suite) causalConv() {
	for _, c := range []device.CausalConv{
		{Samples: 1, Steps: 1, Width: 1, Kernel: 1},
		{Samples: 2, Steps: 2, Width: 3, Kernel: 4},
		{Samples: 3, Steps: 9, Width: 33, Kernel: 4},
		{Samples: 5, Steps: 131, Width: 40, Kernel: 3},
		{Samples: 130, Steps: 5, Width: 7, Kernel: 2},
	} {
		for _, c.Reverse = range []bool{false, true} {
			s.oneCausalConv(c)
		}
	}
}

func (s *suite) oneCausalConv(c device.CausalConv) {
	n := c.Samples * c.Steps * c.Width
	x, g, w, b := s.numbers(n), s.numbers(n), s.numbers(c.Width*c.Kernel), s.numbers(c.Width)
	y, dx := make([]float64, n), make([]float64, n)
	dw, db := make([]float64, len(w)), make([]float64, len(b))
	for i := range n {
		j, t, first := i%c.Width, i/c.Width%c.Steps, i-i%(c.Steps*c.Width)+i%c.Width
		y[i] = b[j]
		db[j] += g[i]
		for k := range c.Kernel {
			from := t - (c.Kernel - 1 - k)
			if c.Reverse {
				from = t + (c.Kernel - 1 - k)
			}
			if from < 0 || from >= c.Steps {
				continue
			}
			at, tap := first+from*c.Width, j*c.Kernel+k
			y[i] += w[tap] * x[at]
			dx[at] += w[tap] * g[i]
			dw[tap] += x[at] * g[i]
		}
	}
	what, terms := fmt.Sprintf("CausalConv %+v", c), 4*c.Samples*c.Steps
	xs, ws, dst := s.put(x), s.put(w), s.poison(n)
	s.dev.CausalConv(c, dst, xs, ws, s.put(b))
	s.expect(what, dst, y, 4*c.Kernel)
	gx, gw, gb := s.poison(n), s.poison(len(w)), s.poison(len(b))
	s.dev.CausalConvGrad(c, gx, gw, gb, s.put(g), xs, ws)
	s.expect(what+", dx", gx, dx, 4*c.Kernel)
	s.expect(what+", dweight", gw, dw, terms)
	s.expect(what+", dbias", gb, db, terms)
}
