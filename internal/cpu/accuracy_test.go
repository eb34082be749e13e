package cpu

import (
	"math"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// ulp returns the distance between adjacent numbers of single precision at v.
func ulp(v float64) float64 {
	_, exponent := math.Frexp(v)
	return math.Ldexp(1, max(exponent-24, -149))
}

// approximations are the error bounds of the functions in single precision: an error is at most
// ulps units in the last place, or at most absolute.
var approximations = []struct {
	name     string
	op       device.Unary
	f        func(x float64) float64
	low      float64 // limit at −Inf
	high     float64
	ulps     float64
	absolute float64
}{
	{"Exp", device.Exp, math.Exp, 0, math.Inf(1), 1.5, 0},
	{"Tanh", device.Tanh, math.Tanh, -1, 1, 4, 0},
	{"Sigmoid", device.Sigmoid, func(x float64) float64 {
		return 1 / (1 + math.Exp(-x))
	}, 0, 1, 4, 0x1p-126},
	{"Softplus", device.Softplus, func(x float64) float64 {
		if x > 40 {
			return x
		}
		return math.Log1p(math.Exp(x))
	}, 0, math.Inf(1), 1.5, 0},
	{"GELU", device.GELU, func(x float64) float64 {
		return x / 2 * math.Erfc(-x/math.Sqrt2)
	}, math.NaN(), math.Inf(1), 1, 1e-6},
	{"SiLU", device.SiLU, func(x float64) float64 {
		return x / (1 + math.Exp(-x))
	}, math.NaN(), math.Inf(1), 4, 0x1p-119},
	{"Log", device.Log, math.Log, math.NaN(), math.Inf(1), 2.5, 0},
	{"Sqrt", device.Sqrt, math.Sqrt, math.NaN(), math.Inf(1), 0.5, 0},
}

// singles returns single-precision numbers: evenly spaced over [−110, 110], where every function
// shows its behaviour, and evenly spaced over the bit patterns, including denormal numbers, NaN
// and infinities.
func singles() []float64 {
	x := []float64{0, math.Copysign(0, -1), 0x1p-149, -0x1p-149, math.MaxFloat32, -math.MaxFloat32,
		math.NaN(),
		88.72283, 88.7229, -87.3366, -87.34, -103.27, -103.97, -104, 9, -9}
	for i := -440000; i <= 440000; i++ {
		x = append(x, float64(i)/4000)
	}
	for bits := uint64(0); bits < 1<<32; bits += 16411 {
		x = append(x, float64(math.Float32frombits(uint32(bits))))
	}
	for i, v := range x {
		x[i] = float64(float32(v))
	}
	return x
}

// TestAccuracy compares the functions in single precision with package math, and logs the largest
// errors.
func TestAccuracy(t *testing.T) {
	dev, x := New32(), singles()
	in, out := dev.Alloc(len(x)), dev.Alloc(len(x))
	dev.Upload(in, x)
	for _, c := range approximations {
		dev.Unary(c.op, out, in, 0, 0)
		worstULPs, worst, failed := 0.0, 0.0, 0
		for i, got := range dev.data(out) {
			if want := c.f(x[i]); !math.IsInf(x[i], 0) && float32(want) != got &&
				!(math.IsNaN(want) && math.IsNaN(float64(got))) {
				d := math.Abs(float64(got) - want)
				if d > c.absolute && math.Abs(want) > 0x1p-126 {
					worstULPs = max(worstULPs, d/ulp(want))
				}
				worst = max(worst, d/max(1, math.Abs(want)))
				if !(d <= c.ulps*ulp(want) || d <= c.absolute) && failed < 3 {
					t.Errorf("%s(%g) = %g, want %g", c.name, x[i], got, want)
					failed++
				}
			}
		}
		t.Logf("%-8s at most %.2f ulp for errors above %.2g; relative to 1 or the result at "+
			"most %.2g", c.name, worstULPs, c.absolute, worst)
	}
}

// TestInfinities checks the limits of the functions that have them, in both precisions.
func TestInfinities(t *testing.T) {
	for _, dev := range []device.Device{New32(), New64()} {
		for _, c := range approximations {
			x, got := dev.Alloc(2), make([]float64, 2)
			dev.Upload(x, []float64{math.Inf(-1), math.Inf(1)})
			dev.Unary(c.op, x, x, 0, 0)
			dev.Download(got, x)
			if got[0] != c.low && !math.IsNaN(c.low) || got[1] != c.high {
				t.Errorf("%s: %s(∓Inf) = %g, want %g and %g", dev.Name(), c.name, got, c.low,
					c.high)
			}
		}
	}
}

// TestGauss compares Φ and φ with values of Abramowitz and Stegun, Handbook of Mathematical
// Functions, table 26.1.
func TestGauss(t *testing.T) {
	for _, c := range []struct{ x, cdf, pdf float64 }{
		{0, 0.5, 0.398942280401433},
		{1, 0.841344746068543, 0.241970724519143},
		{-1, 0.158655253931457, 0.241970724519143},
		{2, 0.977249868051821, 0.053990966513188},
	} {
		cdf, pdf := gauss(c.x)
		if math.Abs(cdf-c.cdf) > 1e-15 || math.Abs(pdf-c.pdf) > 1e-15 {
			t.Errorf("gauss(%g) = %.15g, %.15g, want %.15g, %.15g", c.x, cdf, pdf, c.cdf, c.pdf)
		}
	}
}
