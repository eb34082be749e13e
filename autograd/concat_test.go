package autograd_test

import (
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/internal/optable"
)

// TestSplitGradients checks Split more tightly than TestGradients does.
func TestSplitGradients(t *testing.T) {
	dev := open(t, "cpu64")
	for _, c := range optable.Cases() {
		if c.Op == "Split" {
			agtest.CheckGrad(t, 1e-8, c.F, c.Inputs(dev)...)
		}
	}
}

// TestSplitOwnsItsResults overwrites the slice that Split returned before Backward.
func TestSplitOwnsItsResults(t *testing.T) {
	x := param(open(t, "cpu64"), 2, 3)
	tp := ag.NewTape(x.Device())
	parts := tp.Split(x, 0, 1, 1)
	for i := range parts {
		parts[i] = tp.Mul(parts[i], parts[i])
	}
	if g := tp.Backward(tp.Sum(tp.Concat(0, parts...)))[x].Values(); !slices.Equal(g,
		[]float64{4, 6}) {
		t.Errorf("gradient %v, want 4 6", g)
	}
}

// BenchmarkSplit reads the T steps of x [B T d] one by one, by Split and by Slice.
func BenchmarkSplit(b *testing.B) {
	const samples, steps, width = 16, 200, 16
	dev := open(b, "cpu")
	x := waves(dev, 1, samples, steps, width)
	for name, read := range map[string]func(tp *ag.Tape) []*ag.Tensor{
		"split": func(tp *ag.Tape) []*ag.Tensor {
			return tp.Split(x, 1, slices.Repeat([]int{1}, steps)...)
		},
		"slice": func(tp *ag.Tape) (parts []*ag.Tensor) {
			for t := range steps {
				parts = append(parts, tp.Slice(x, 1, t, t+1))
			}
			return parts
		},
	} {
		b.Run(name, func(b *testing.B) {
			tp := ag.NewTape(dev)
			for b.Loop() {
				tp.Reset()
				sum := tp.Full(0, samples, 1, width)
				for _, step := range read(tp) {
					sum = tp.Add(sum, tp.Mul(step, step))
				}
				tp.Backward(tp.Sum(sum))
			}
		})
	}
}
