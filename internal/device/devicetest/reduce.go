package devicetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// A reducer defines a device.Reduction.
type reducer struct {
	name string
	f    func(x []float64) float64
}

var reducers = [device.NumReductions]reducer{
	device.Sum: {"Sum", func(x []float64) float64 {
		s := 0.0
		for _, v := range x {
			s += v
		}
		return s
	}},
	device.Max: {"Max", func(x []float64) float64 {
		m := x[0]
		for _, v := range x[1:] {
			if v > m {
				m = v
			}
		}
		return m
	}},
	device.LogSumExp: {"LogSumExp", logSumExp},
}

func logSumExp(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	if math.IsInf(m, -1) {
		return m
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(v - m)
	}
	return m + math.Log(s)
}

// blocks are shapes [outer n inner].
var blocks = []struct{ outer, n, inner int }{
	{1, 1, 1}, {3, 1, 5}, {3, 7, 1}, {2, 5, 3}, {4, 33, 17}, {1, 16384, 1}, {1, 40001, 1},
	{2, 20001, 1}, {300, 131, 1},
	{1, 300, 131}, {3, 100, 600}, {1, 20001, 5}, {40001, 1, 1}, {500, 3, 40},
}

func (s *suite) reduce() {
	for op := range device.NumReductions {
		if reducers[op].f == nil {
			s.Errorf("device.Reduction %d has no definition in devicetest; add one", op)
			continue
		}
		for _, c := range blocks {
			s.reduceOne(op, c.outer, c.n, c.inner, s.numbers(c.outer*c.n*c.inner))
		}
	}
}

// reduceOne compares the reduction of x [outer n inner] with its definition.
func (s *suite) reduceOne(op device.Reduction, outer, n, inner int, x []float64) {
	s.Helper()
	want, column := make([]float64, outer*inner), make([]float64, n)
	for i := range want {
		for k := range column {
			column[k] = x[i/inner*n*inner+k*inner+i%inner]
		}
		want[i] = reducers[op].f(column)
	}
	dst := s.poison(len(want))
	s.dev.Reduce(op, dst, s.put(x), outer, n, inner)
	s.expect(fmt.Sprintf("%s of [%d %d %d]", reducers[op].name, outer, n, inner), dst, want, 0)
}

// reduceSpecial checks −Inf, alone and among finite numbers, numbers whose exponentials overflow,
// and that a NaN gives NaN.
func (s *suite) reduceSpecial() {
	for _, c := range blocks {
		size := c.outer * c.n * c.inner
		some, large := s.numbers(size), s.numbers(size)
		for i := range some {
			if i%3 == 0 {
				some[i] = -infinite
			}
			large[i] += 1000
		}
		for _, op := range []device.Reduction{device.Max, device.LogSumExp} {
			s.reduceOne(op, c.outer, c.n, c.inner, filled(size, -infinite))
			s.reduceOne(op, c.outer, c.n, c.inner, some)
			s.reduceOne(op, c.outer, c.n, c.inner, large)
		}
		for op := range device.NumReductions {
			x, want := s.numbers(size), make([]float64, c.outer*c.inner)
			x[size-1] = math.NaN()
			dst := s.poison(len(want))
			s.dev.Reduce(op, dst, s.put(x), c.outer, c.n, c.inner)
			if v := s.get(dst)[len(want)-1]; !math.IsNaN(v) {
				s.Errorf("%s of [%d %d %d] with a NaN: %g", reducers[op].name, c.outer, c.n,
					c.inner, v)
			}
		}
	}
}

// dot checks that every device multiplies and sums in double precision: the products of these
// numbers, and their sums, are exact in it. In single precision the products of finePairs cancel.
func (s *suite) dot() {
	for _, n := range append(sizes, 1100000) {
		fineX, fineY := finePairs(n)
		for _, v := range [][2][]float64{{s.numbers(n), s.numbers(n)}, {fineX, fineY}} {
			want, square := 0.0, 0.0
			for i, x := range v[0] {
				want += x * v[1][i]
				square += x * x
			}
			b, dst := s.put(v[0]), s.put([]float64{7, 7, 7})
			s.dev.Dot(dst, 1, b, s.put(v[1]))
			s.dev.Dot(dst, 2, b, b)
			rounded := s.get(s.put([]float64{7, want, square}))
			if got := s.get(dst); !slices.Equal(got, rounded) {
				s.Errorf("7, and Dot of %d with another and with itself: %v, want exactly %v",
					n, got, rounded)
			}
		}
	}
}

// finePairs returns two vectors of n elements. The products of two consecutive elements have the
// sum (1+2⁻¹⁶)² − (1+2⁻¹⁵) = 2⁻³².
func finePairs(n int) (x, y []float64) {
	x, y = filled(n, 1+0x1p-16), filled(n, 1+0x1p-16)
	for i := 1; i < n; i += 2 {
		x[i], y[i] = 1+0x1p-15, -1
	}
	return x, y
}
