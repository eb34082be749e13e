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

// TestAlignPool has means of windows by hand: of one step, and with copies of the last step.
func TestAlignPool(t *testing.T) {
	dev := open(t, "cpu64")
	x := ag.NewTensor(dev, []float64{0, 1, 2, 3, 4}, 1, 5, 1)
	for steps, want := range map[int][]float64{1: {2}, 2: {1, 11. / 3}, 3: {0.5, 2.5, 4},
		4: {0.5, 2.5, 4, 4}, 5: {0, 1, 2, 3, 4}, 7: {0, 1, 2, 3, 4, 4, 4}} {
		y := ag.NewTape(dev).AlignPool(x, steps)
		if !slices.Equal(y.Shape(), []int{1, steps, 1}) {
			t.Errorf("%d steps: shape %v", steps, y.Shape())
		}
		for i, got := range y.Values() {
			near(t, "a window's mean", got, want[i])
		}
	}
}

func TestUntilEnd(t *testing.T) {
	got := ag.NewTape(open(t, "cpu")).UntilEnd([]int{0, 2}, 3)
	if !slices.Equal(got.Shape(), []int{2, 3}) ||
		!slices.Equal(got.Values(), []float64{0, 0, 0, 1, 1, 0}) {
		t.Errorf("lengths 0 and 2: %v %v", got.Shape(), got.Values())
	}
}
