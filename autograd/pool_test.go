package autograd_test

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// TestMaxPoolGivesTheFirstMaximumTheGradient has ties within the length, and larger numbers and NaN
// after it.
func TestMaxPoolGivesTheFirstMaximumTheGradient(t *testing.T) {
	for name := range devices {
		dev := open(t, name)
		x := ag.NewParam(dev, []float64{
			2, -5, -1, -1, 2, -1, 9, math.NaN(), // sample 0: two steps of padding
			0, 7, 0, 7, 0, 7, 0, 8,
		}, 2, 4, 2)
		for _, c := range []struct {
			lengths []int
			y, grad []float64
		}{
			{[]int{3, 4}, []float64{2, -1, 0, 8}, []float64{10, 0, 0, 20, 0, 0, 0, 0,
				30, 0, 0, 0, 0, 0, 0, 40}},
			{[]int{1, 3}, []float64{2, -5, 0, 7}, []float64{10, 20, 0, 0, 0, 0, 0, 0,
				30, 40, 0, 0, 0, 0, 0, 0}},
		} {
			tp := ag.NewTape(dev)
			tp.Poison = true
			y := tp.MaxPool(x, c.lengths)
			weight := tp.Input([]float32{10, 20, 30, 40}, 2, 2)
			g := tp.Backward(tp.Sum(tp.Mul(y, weight)), y)
			if !slices.Equal(y.Values(), c.y) || !slices.Equal(g[x].Values(), c.grad) {
				t.Errorf("%s: lengths %v: y %v, gradient %v, want %v and %v", name, c.lengths,
					y.Values(), g[x].Values(), c.y, c.grad)
			}
		}
	}
}
