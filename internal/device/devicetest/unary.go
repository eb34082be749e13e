package devicetest

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// A function defines a device.Unary: its values, and its derivatives where they exist.
type function struct {
	name      string
	a, b      float64
	positive  bool // defined for positive x only
	f, df     func(x, a, b float64) float64
	low, high float64 // limits at −Inf and +Inf; NaN where none is required
}

var undefined, infinite = math.NaN(), math.Inf(1)

var functions = [device.NumUnary]function{
	device.Affine: {"Affine", -1.5, 0.25, false,
		func(x, a, b float64) float64 { return a*x + b },
		func(x, a, b float64) float64 { return a }, infinite, -infinite},
	device.Exp: {"Exp", 0, 0, false,
		func(x, a, b float64) float64 { return math.Exp(x) },
		func(x, a, b float64) float64 { return math.Exp(x) }, 0, infinite},
	device.Log: {"Log", 0, 0, true,
		func(x, a, b float64) float64 { return math.Log(x) },
		func(x, a, b float64) float64 { return 1 / x }, undefined, infinite},
	device.Sqrt: {"Sqrt", 0, 0, true,
		func(x, a, b float64) float64 { return math.Sqrt(x) },
		func(x, a, b float64) float64 { return 0.5 / math.Sqrt(x) }, undefined, infinite},
	device.Abs: {"Abs", 0, 0, false,
		func(x, a, b float64) float64 { return math.Abs(x) },
		func(x, a, b float64) float64 { return piece(x, -1, 0, 1) }, infinite, infinite},
	device.Tanh: {"Tanh", 0, 0, false,
		func(x, a, b float64) float64 { return math.Tanh(x) },
		func(x, a, b float64) float64 { return 1 / (math.Cosh(x) * math.Cosh(x)) }, -1, 1},
	device.Sigmoid: {"Sigmoid", 0, 0, false,
		func(x, a, b float64) float64 { return logistic(x) },
		func(x, a, b float64) float64 { return logistic(x) * logistic(-x) }, 0, 1},
	device.Softplus: {"Softplus", 0, 0, false,
		func(x, a, b float64) float64 { return math.Log(1 + math.Exp(x)) },
		func(x, a, b float64) float64 { return logistic(x) }, 0, infinite},
	device.ReLU: {"ReLU", 0, 0, false,
		func(x, a, b float64) float64 { return piece(x, 0, 0, x) },
		func(x, a, b float64) float64 { return piece(x, 0, 0, 1) }, 0, infinite},
	device.LeakyReLU: {"LeakyReLU", 0.125, 0, false,
		func(x, a, b float64) float64 { return piece(x, a*x, a*x, x) },
		func(x, a, b float64) float64 { return piece(x, a, a, 1) }, -infinite, infinite},
	device.GELU: {"GELU", 0, 0, false,
		func(x, a, b float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) },
		func(x, a, b float64) float64 {
			return (1+math.Erf(x/math.Sqrt2))/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		}, undefined, infinite},
	device.SiLU: {"SiLU", 0, 0, false,
		func(x, a, b float64) float64 { return x / (1 + math.Exp(-x)) },
		func(x, a, b float64) float64 {
			return logistic(x) + x*logistic(x)*logistic(-x)
		}, undefined, infinite},
	device.Clamp: {"Clamp", -0.75, 1.25, false,
		func(x, a, b float64) float64 { return piece(x-a, a, a, piece(x-b, x, b, b)) },
		func(x, a, b float64) float64 {
			return piece(x-a, 0, 1, piece(x-b, 1, 1, 0))
		}, -0.75, 1.25},
	device.Huber: {"Huber", 0.5, 0, false,
		func(x, a, b float64) float64 {
			return piece(math.Abs(x)-a, x*x/(2*a), a/2, math.Abs(x)-a/2)
		},
		func(x, a, b float64) float64 {
			return piece(math.Abs(x)-a, x/a, x/a, piece(x, -1, 0, 1))
		}, infinite, infinite},
}

// piece returns one of three values, by the sign of x.
func piece(x, negative, zero, positive float64) float64 {
	switch {
	case x < 0:
		return negative
	case x > 0:
		return positive
	}
	return zero
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// eachFunction calls check for every device.Unary, and fails if functions has no definition of it.
func (s *suite) eachFunction(check func(op device.Unary, f function)) {
	for op := range device.NumUnary {
		if functions[op].f == nil || functions[op].df == nil {
			s.Errorf("device.Unary %d has no definition in devicetest; add one", op)
			continue
		}
		check(op, functions[op])
	}
}

// arguments returns n arguments of f, including its kinks.
func (s *suite) arguments(f function, n int) []float64 {
	x := s.numbers(n)
	for i := range x {
		x[i] *= 2
	}
	if n > 4 {
		copy(x, []float64{0, f.a, f.b, -f.a})
	}
	for i := range x {
		if f.positive {
			x[i] = math.Abs(x[i]) + 0x1p-5
		}
	}
	return x
}

func (s *suite) unary() {
	s.eachFunction(func(op device.Unary, f function) {
		for _, n := range sizes {
			x := s.arguments(f, n)
			want := make([]float64, n)
			for i, v := range x {
				want[i] = f.f(v, f.a, f.b)
			}
			dst, same := s.poison(n), s.put(x)
			s.dev.Unary(op, dst, s.put(x), f.a, f.b)
			s.expect(fmt.Sprintf("%s of %d", f.name, n), dst, want, 0)
			s.expectUnbiased(fmt.Sprintf("%s of %d", f.name, n), dst, want)
			s.dev.Unary(op, same, same, f.a, f.b)
			s.expect(fmt.Sprintf("%s of %d, in place", f.name, n), same, want, 0)
		}
	})
	x := s.put([]float64{1.5, -2, 0})
	s.dev.Unary(device.Affine, x, x, -3, 0)
	s.expect("Affine without b", x, []float64{-4.5, 6, 0}, 0)
}

// expectUnbiased checks that the mean error of many elements is at most 2 units in the last place.
// Rounding errors cancel; the error of a constant with too few digits does not.
func (s *suite) expectUnbiased(what string, b device.Buffer, want []float64) {
	s.Helper()
	if len(want) < 1000 {
		return
	}
	sum, scale := 0.0, 0.0
	for i, v := range s.get(b) {
		sum += v - want[i]
		scale += max(1, math.Abs(want[i]))
	}
	if limit := 2 * s.unit(); !(math.Abs(sum/scale) <= limit) {
		s.Errorf("%s: mean relative error %.2g, want at most %.1g", what, sum/scale, limit)
	}
}

// unarySpecial checks limits, large arguments, and that NaN gives NaN.
func (s *suite) unarySpecial() {
	s.eachFunction(func(op device.Unary, f function) {
		const n = 20 // fills the body and the remainder of a vector loop
		for _, c := range []struct{ x, want float64 }{{math.Inf(-1), f.low}, {infinite, f.high},
			{math.NaN(), math.NaN()}} {
			if math.IsNaN(c.want) && !math.IsNaN(c.x) {
				continue
			}
			dst := s.poison(n)
			s.dev.Unary(op, dst, s.put(filled(n, c.x)), f.a, f.b)
			s.expect(fmt.Sprintf("%s(%g)", f.name, c.x), dst, filled(n, c.want), 0)
		}
	})
	for _, c := range []struct {
		op      device.Unary
		x, want float64
	}{
		{device.Log, 0, -infinite}, {device.Log, -1, math.NaN()}, {device.Sqrt, 0, 0},
		{device.Sqrt, -1, math.NaN()},
		{device.Exp, 1000, infinite}, {device.Exp, -1000, 0}, {device.Tanh, 1000, 1},
		{device.Tanh, -1000, -1},
		{device.Sigmoid, 1000, 1}, {device.Sigmoid, -1000, 0}, {device.Softplus, 1000, 1000},
		{device.Softplus, -1000, 0},
		{device.GELU, 1000, 1000}, {device.GELU, -1000, 0}, {device.SiLU, 1000, 1000},
		{device.SiLU, -1000, 0},
	} {
		dst := s.poison(1)
		s.dev.Unary(c.op, dst, s.put([]float64{c.x}), 0, 0)
		s.expect(fmt.Sprintf("%s(%g)", functions[c.op].name, c.x), dst, []float64{c.want}, 0)
	}
}

func (s *suite) unaryGrad() {
	s.eachFunction(func(op device.Unary, f function) {
		for _, n := range sizes {
			x, g := s.arguments(f, n), s.numbers(n)
			y, want := make([]float64, n), make([]float64, n)
			for i, v := range x {
				y[i] = f.f(v, f.a, f.b)
				want[i] = g[i] * f.df(v, f.a, f.b)
			}
			for _, in := range []string{"", "g", "x", "y"} {
				xs, ys, gs := s.put(x), s.put(y), s.put(g)
				dx := s.poison(n)
				switch in {
				case "g":
					dx = gs
				case "x":
					dx = xs
				case "y":
					dx = ys
				}
				s.dev.UnaryGrad(op, dx, xs, ys, gs, f.a, f.b)
				s.expect(fmt.Sprintf("gradient of %s of %d, in place of %q", f.name, n, in),
					dx, want, 0)
			}
		}
	})
}

// unaryGradSpecial checks that a slope of 0 gives 0 even where g is infinite, and that large
// arguments do not overflow.
func (s *suite) unaryGradSpecial() {
	for _, c := range []struct {
		op               device.Unary
		a, b, x, g, want float64
	}{
		{device.ReLU, 0, 0, -1, infinite, 0}, {device.ReLU, 0, 0, 0, infinite, 0},
		{device.ReLU, 0, 0, 1, infinite, infinite},
		{device.Clamp, -1, 1, -2, infinite, 0}, {device.Clamp, -1, 1, 2, -infinite, 0},
		{device.Clamp, -1, 1, 1, infinite, infinite},
		{device.Abs, 0, 0, 0, infinite, 0}, {device.Abs, 0, 0, -1, infinite, -infinite},
		{device.LeakyReLU, 0.5, 0, -1, infinite, infinite}, {device.Huber, 1, 0, 1000, 2, 2},
		{device.Huber, 1, 0, -1000, 2, -2},
		{device.Tanh, 0, 0, 1000, 2, 0}, {device.Sigmoid, 0, 0, -1000, 2, 0},
		{device.Softplus, 0, 0, 1000, 2, 2},
		{device.Softplus, 0, 0, -1000, 2, 0}, {device.GELU, 0, 0, 1000, 2, 2},
		{device.GELU, 0, 0, -1000, 2, 0},
		{device.SiLU, 0, 0, 1000, 2, 2}, {device.SiLU, 0, 0, -1000, 2, 0},
	} {
		const n = 20
		x, y, dx := s.put(filled(n, c.x)), s.poison(n), s.poison(n)
		s.dev.Unary(c.op, y, x, c.a, c.b)
		s.dev.UnaryGrad(c.op, dx, x, y, s.put(filled(n, c.g)), c.a, c.b)
		s.expect(fmt.Sprintf("gradient of %s at %g where g is %g", functions[c.op].name, c.x, c.g),
			dx, filled(n, c.want), 0)
	}
}
