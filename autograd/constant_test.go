package autograd_test

import (
	"math"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
)

// TestFrozenReplayKeepsConstants checks losses that hold something constant,
// whose derivative is known, both ways.
func TestFrozenReplayKeepsConstants(t *testing.T) {
	dev := open(t, "cpu64")
	x := ag.NewParam(dev, []float64{0.5, -1.5, 2}, 3)
	w := ag.NewParam(dev, []float64{1.25, 0.75, -0.5}, 3)
	params := []*ag.Tensor{x, w}
	square := func(tp *ag.Tape, y *ag.Tensor) *ag.Tensor { return tp.Mul(y, y) }
	for _, c := range []struct {
		name   string
		f      func(tp *ag.Tape) *ag.Tensor
		dx, dw func(x, w float64) float64 // what Backward has to give
	}{
		{name: "StopGradient",
			f: func(tp *ag.Tape) *ag.Tensor {
				return tp.Mul(x,
					tp.Mul(tp.StopGradient(square(tp, tp.Mul(x, w))), tp.StopGradient(w)))
			},
			dx: func(x, w float64) float64 {
				return x * x * w * w * w
			}, dw: func(x, w float64) float64 { return 0 }},
		{name: "NoGrad",
			f: func(tp *ag.Tape) (y *ag.Tensor) {
				tp.NoGrad(func() { y = tp.Mul(w, tp.Exp(x)) })
				return tp.Mul(y, x)
			},
			dx: func(x, w float64) float64 {
				return w * math.Exp(x)
			}, dw: func(x, w float64) float64 { return 0 }},
		{name: "Frozen",
			f: func(tp *ag.Tape) (y *ag.Tensor) {
				moved := square(tp, x)
				tp.Frozen([]*ag.Tensor{w}, func() { y = tp.Mul(square(tp, w), moved) })
				return y
			},
			dx: func(x, w float64) float64 {
				return 2 * x * w * w
			}, dw: func(x, w float64) float64 { return 0 }},
		{name: "ReverseGrad",
			f: func(tp *ag.Tape) *ag.Tensor {
				return square(tp, tp.Mul(w, tp.ReverseGrad(x, 0.5)))
			},
			dx: func(x, w float64) float64 {
				return -0.5 * 2 * x * w * w
			}, dw: func(x, w float64) float64 { return 2 * x * x * w }},
	} {
		loss := func(tp *ag.Tape) *ag.Tensor { return tp.Sum(c.f(tp)) }
		want, along := 0.0, gradcheck.UnitDirection(params)
		for i := range along[0] {
			a, b := x.Values()[i], w.Values()[i]
			want += along[0][i]*c.dx(a, b) + along[1][i]*c.dw(a, b)
		}
		analytic, numeric := gradcheck.Direction(params, loss)
		if math.Abs(analytic-want) > 1e-12 || math.Abs(numeric-want) > 1e-8 {
			t.Errorf("%s: backward gives %.12f, differences %.12f, want %.12f", c.name, analytic,
				numeric, want)
		}
	}
}
