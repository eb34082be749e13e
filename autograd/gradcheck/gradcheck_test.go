package gradcheck_test

import (
	"math"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
)

// TestKinkWithinTheStep checks a loss with a kink at a distance of half a step.
func TestKinkWithinTheStep(t *testing.T) {
	dev, err := ag.Open("cpu64")
	if err != nil {
		t.Fatal(err)
	}
	x := ag.NewParam(dev, []float64{5e-5})
	analytic, numeric := gradcheck.Direction([]*ag.Tensor{x}, func(tp *ag.Tape) *ag.Tensor {
		return tp.ReLU(x)
	})
	if math.Abs(analytic) != 1 || gradcheck.RelativeError(analytic, numeric) > 1e-9 {
		t.Errorf("the derivative is %g, by differences %.12g; want ±1", analytic, numeric)
	}
}
