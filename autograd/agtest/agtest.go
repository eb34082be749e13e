// Package agtest checks derivatives against central differences. Use it on a float64 device
// ("cpu64"): in float32 the best difference quotient is good to three digits and hides real
// mistakes.
//
// A gradient check proves that backward matches forward, and nothing about forward: compare values
// with a reference as well.
package agtest

import (
	"math"
	"math/rand/v2"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"gonum.org/v1/gonum/diff/fd"
)

// A Func computes a tensor of any shape from its inputs.
type Func func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor

// A Derivative is one element of a gradient, obtained in two ways.
type Derivative struct {
	Input, Element    int
	Analytic, Numeric float64
	Err               float64 // |Analytic − Numeric| / the largest |Numeric| of the input
}

// Compare differentiates ⟨u, f(x)⟩, u a fixed random tensor, with respect to every element of
// every input, by Backward and by central differences. A random u shows a transposed Jacobian,
// which all ones would hide. The inputs are parameters, changed and restored.
func Compare(f Func, x []*ag.Tensor) []Derivative {
	tp := ag.NewTape(x[0].Device())
	tp.Poison = true
	project := func() *ag.Tensor {
		tp.Reset()
		tp.Seed(1)
		y := f(tp, x)
		u := normal(rand.New(rand.NewPCG(1, 2)), y.Len())
		return tp.Sum(tp.Mul(y, ag.NewTensor(y.Device(), u, y.Shape()...)))
	}
	analytic := make([][]float64, len(x))
	grads := tp.Backward(project())
	for i := range x {
		analytic[i] = make([]float64, x[i].Len())
		if g := grads[x[i]]; g != nil {
			analytic[i] = g.Values()
		}
	}
	var all []Derivative
	for i := range x {
		at := x[i].Values()
		numeric := fd.Gradient(nil, func(v []float64) float64 {
			x[i].Assign(v)
			return project().Item()
		}, at, &fd.Settings{Formula: fd.Central})
		x[i].Assign(at)
		all = append(all, pair(i, analytic[i], numeric)...)
	}
	return all
}

// pair joins the two gradients of an input.
func pair(input int, analytic, numeric []float64) []Derivative {
	largest := 0.0
	for j := range numeric {
		largest = max(largest, math.Abs(numeric[j]), math.Abs(analytic[j]))
	}
	if largest < 1e-8 { // a gradient of zero, up to rounding of the difference
		largest = 1
	}
	ds := make([]Derivative, len(numeric))
	for j := range ds {
		ds[j] = Derivative{input, j, analytic[j], numeric[j], math.Abs(analytic[j]-numeric[j]) / largest}
	}
	return ds
}

// Worst returns the derivative with the largest error; NaN is the largest of all.
func Worst(ds []Derivative) Derivative {
	worst := ds[0]
	for _, d := range ds {
		if math.IsNaN(d.Err) || d.Err > worst.Err {
			worst = d
		}
	}
	return worst
}

// CheckGrad fails the test where an element of a gradient of f at x is off by more than tol (see
// Derivative.Err).
func CheckGrad(t testing.TB, tol float64, f Func, x ...*ag.Tensor) {
	t.Helper()
	if w := Worst(Compare(f, x)); !(w.Err <= tol) {
		t.Errorf("gradient of input %d, element %d: backward gives %.12g, differences %.12g: relative error %.3g, want ≤ %g",
			w.Input, w.Element, w.Analytic, w.Numeric, w.Err, tol)
	}
}

// CheckDirection fails the test if the derivative of a scalar loss along a random direction in the
// space of all parameters is off by more than tol, relative. It costs a few evaluations of the
// loss, whatever the number of parameters. The loss is computed with the same dropout seed each
// time.
func CheckDirection(t testing.TB, tol float64, params []*ag.Tensor, loss func(tp *ag.Tape) *ag.Tensor) {
	t.Helper()
	analytic, numeric := Direction(params, loss)
	if err := Apart(analytic, numeric); !(err <= tol) {
		t.Errorf("derivative along a random direction: backward gives %.12g, differences %.12g: relative error %.3g, want ≤ %g",
			analytic, numeric, err, tol)
	}
}

// Apart returns how far two values of one derivative are apart, relative to the larger.
func Apart(analytic, numeric float64) float64 {
	return math.Abs(analytic-numeric) / max(math.Abs(analytic), math.Abs(numeric))
}

// Direction returns the derivative of a loss along a random unit direction, by Backward and by a
// five-point difference. What the loss holds constant stays as it is while the parameters move
// (autograd.Constants).
func Direction(params []*ag.Tensor, loss func(tp *ag.Tape) *ag.Tensor) (analytic, numeric float64) {
	tp := ag.NewTape(params[0].Device())
	constants := ag.NewConstants(params)
	eval := func() *ag.Tensor {
		tp.Reset()
		tp.Seed(1)
		tp.Constants = constants
		defer func() { tp.Constants = nil }()
		return loss(tp)
	}
	at, along := make([][]float64, len(params)), UnitDirection(params)
	grads := tp.Backward(eval())
	for i, p := range params {
		at[i] = p.Values()
		if grads[p] != nil {
			for j, g := range grads[p].Values() {
				analytic += g * along[i][j]
			}
		}
	}
	numeric = fd.Derivative(func(h float64) float64 {
		for i, p := range params {
			v := make([]float64, p.Len())
			for j := range v {
				v[j] = at[i][j] + h*along[i][j]
			}
			p.Assign(v)
		}
		constants.Replay()
		return eval().Item()
	}, 0, &fd.Settings{Formula: fivePoint})
	for i, p := range params {
		p.Assign(at[i])
	}
	return analytic, numeric
}

// UnitDirection returns Direction's direction: random, of length 1 in the space of all the
// parameters.
func UnitDirection(params []*ag.Tensor) [][]float64 {
	along := make([][]float64, len(params))
	r := rand.New(rand.NewPCG(3, 4))
	sum := 0.0
	for i, p := range params {
		along[i] = normal(r, p.Len())
		for _, d := range along[i] {
			sum += d * d
		}
	}
	for _, a := range along {
		for j := range a {
			a[j] /= math.Sqrt(sum)
		}
	}
	return along
}

// fivePoint is the central difference of order h⁴.
var fivePoint = fd.Formula{
	Stencil:    []fd.Point{{Loc: -2, Coeff: 1. / 12}, {Loc: -1, Coeff: -2. / 3}, {Loc: 1, Coeff: 2. / 3}, {Loc: 2, Coeff: -1. / 12}},
	Derivative: 1,
	Step:       1e-4,
}

// Dead returns the positions of the parameters without a gradient, or whose gradient is zero
// everywhere.
func Dead(grads ag.Grads, params []*ag.Tensor) []int {
	var dead []int
	for i, p := range params {
		if g := grads[p]; g == nil || g.Dot(g) == 0 {
			dead = append(dead, i)
		}
	}
	return dead
}

func normal(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}
