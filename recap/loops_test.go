package recap

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// This file has layers and critics for one sample, computed with loops, for the tests that compare
// the model with the paper's formulas.

// affine returns W·x + b.
func affine(l *nn.Linear, x []float64) []float64 {
	w := l.W.Values()
	y := each(len(w)/len(x), func(k int) float64 { return dot(x, w[k*len(x):(k+1)*len(x)]) })
	if l.B != nil {
		for k, b := range l.B.Values() {
			y[k] += b
		}
	}
	return y
}

func relu(x []float64) []float64 {
	return each(len(x), func(i int) float64 { return max(0, x[i]) })
}

func perceptron(m *nn.MLP, x []float64) []float64 {
	for i, l := range m.Layers {
		if i > 0 {
			x = relu(x)
		}
		x = affine(l, x)
	}
	return x
}

// rowsOf returns the rows of the last axis of x.
func rowsOf(x *ag.Tensor) [][]float64 {
	s := x.Shape()
	return slices.Collect(slices.Chunk(x.Values(), s[len(s)-1]))
}

// meanOf returns the mean of rows.
func meanOf(rows [][]float64) []float64 {
	return each(len(rows[0]), func(k int) float64 {
		sum := 0.0
		for _, row := range rows {
			sum += row[k]
		}
		return sum / float64(len(rows))
	})
}

func equal(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s: %.10g, want %.10g", what, got, want)
	}
}

// score returns f(x, y) of an estimator for one pair, whose sides have parts.
func (e *estimator) score(x, y [][]float64) float64 {
	project := func(head *nn.MLP, parts [][]float64) []float64 {
		var all []float64
		for _, part := range parts {
			all = append(all, perceptron(head, part)...)
		}
		return all
	}
	px, py := project(e.headX, x), project(e.headY, y)
	if c, ok := e.critic.(separableCritic); ok {
		g, h := perceptron(c.g, px), perceptron(c.h, py)
		return dot(g, h) / math.Sqrt(float64(len(g)))
	}
	c := e.critic.(concatCritic)
	fx, fy := affine(c.firstX, px), affine(c.firstY, py)
	h := each(len(fx), func(k int) float64 { return max(0, fx[k]+fy[k]) })
	if c.second != nil {
		h = relu(affine(c.second, h))
	}
	return affine(c.last, h)[0]
}
