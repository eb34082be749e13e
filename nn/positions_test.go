package nn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// TestSinusoidalPositionsHaveNoGradient checks that x, and a step of zeros, get none.
func TestSinusoidalPositionsHaveNoGradient(t *testing.T) {
	dev := open(t, "cpu64")
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	l := NewSinusoidalPositions(p, 5, 4)
	x := ag.NewParam(dev, make([]float64, 2*5*4), 2, 5, 4)
	tp := ag.NewTape(dev)
	tp.Poison = true
	g := tp.Backward(tp.Sum(tp.Mul(tp.Add(x, l.Forward(tp, x)), tp.Full(2, 2, 5, 4))))
	for i, v := range g[x].Values() {
		if v != 2 {
			t.Fatalf("element %d has the gradient %g, want 2, of the sum alone", i, v)
		}
	}
	if n := len(p.State()); n != 0 {
		t.Errorf("a checkpoint has %d tensors of it, want none", n)
	}
}

func TestSinusoidalPositionsRefuseWhatDoesNotFit(t *testing.T) {
	dev := open(t, "cpu64")
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	l, tp := NewSinusoidalPositions(p, 5, 4), ag.NewTape(dev)
	for _, shape := range [][]int{{2, 6, 4}, {2, 5, 5}, {5, 4}} {
		mustPanic(t, fmt.Sprintf("nn: SinusoidalPositions: x %v: want [B T 4] with at most 5 steps",
			shape), func() { l.Forward(tp, noise(dev, 1, shape...)) })
	}
	mustPanic(t, "nn: SinusoidalPositions: width 3: want at least 4", func() {
		NewSinusoidalPositions(p, 5, 3)
	})
	plan, _ := PlanParams()
	NewSinusoidalPositions(plan, 5, 4)
}
