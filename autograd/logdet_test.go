package autograd_test

import (
	"math"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// TestLogDetOfNaNIsNaN checks that a loss that is already NaN stays NaN, and does not panic.
func TestLogDetOfNaNIsNaN(t *testing.T) {
	for name := range devices {
		dev := open(t, name)
		tp := ag.NewTape(dev)
		x := ag.NewParam(dev, []float64{2, 1, 1, 2, math.NaN(), 1, 1, 2}, 2, 2, 2)
		y := tp.LogDet(x).Values()
		if math.Abs(y[0]-math.Log(3)) > 1e-6 || !math.IsNaN(y[1]) {
			t.Errorf("%s: %v, want ln 3 and NaN", name, y)
		}
	}
}

// TestL2NormalizeOfZeros has the result 0 and the gradient ȳ/eps, as PyTorch.
func TestL2NormalizeOfZeros(t *testing.T) {
	dev := open(t, "cpu")
	tp := ag.NewTape(dev)
	x := ag.NewParam(dev, []float64{0, 0, 3, -4}, 2, 2)
	y := tp.L2Normalize(x, 1e-12)
	g := tp.Backward(tp.Sum(y), y)
	for i, want := range []float64{0, 0, 0.6, -0.8} {
		if math.Abs(y.Values()[i]-want) > 1e-6 {
			t.Errorf("y is %v, want 0, 0, 0.6, -0.8", y.Values())
		}
	}
	for i, want := range []float64{1e12, 1e12, 0.224, 0.168} {
		if math.Abs(g[x].Values()[i]/want-1) > 1e-6 {
			t.Errorf("the gradient is %v, want 1e12, 1e12, 0.224, 0.168", g[x].Values())
		}
	}
}
