// Package gradcheck compares the derivatives that Backward computes with central differences, as
// torch.autograd.gradcheck does. Start with [Check] for an operation and [CheckDirection] for the
// loss of a complete model.
//
// Use it on a float64 device ("cpu64"): in float32 the best difference quotient has three correct
// digits, which hides real mistakes.
//
// A check proves that the backward pass is the derivative of the forward pass. It says nothing
// about the forward pass: compare its results with a reference as well. Package agtest has helpers
// for tests with these checks.
package gradcheck

import (
	"fmt"
	"math"
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"gonum.org/v1/gonum/diff/fd"
)

// A Func computes a tensor of any shape from its inputs.
type Func func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor

// A Derivative is one element of a gradient, computed in two ways.
type Derivative struct {
	Input, Element    int
	Analytic, Numeric float64
	// |Analytic − Numeric|, relative to the largest derivative of the input
	Err float64
}

// Compare differentiates ⟨u, f(x)⟩, where u is a fixed random tensor, with respect to every
// element of every input, by Backward and by central differences, and returns a Derivative for
// each. (A random u reveals a transposed Jacobian, which u = 1 would hide.) The inputs are
// parameters; Compare changes them and restores their values.
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
		all = append(all, derivatives(i, analytic[i], numeric)...)
	}
	return all
}

// derivatives returns the derivatives of an input from its two gradients.
func derivatives(input int, analytic, numeric []float64) []Derivative {
	largest := 0.0
	for j := range numeric {
		largest = max(largest, math.Abs(numeric[j]), math.Abs(analytic[j]))
	}
	if largest < 1e-8 { // a gradient of zero, up to rounding of the difference
		largest = 1
	}
	ds := make([]Derivative, len(numeric))
	for j := range ds {
		ds[j] = Derivative{input, j, analytic[j], numeric[j],
			math.Abs(analytic[j]-numeric[j]) / largest}
	}
	return ds
}

// Worst returns the derivative with the largest error. NaN counts as the largest of all.
func Worst(ds []Derivative) Derivative {
	worst := ds[0]
	for _, d := range ds {
		if math.IsNaN(d.Err) || d.Err > worst.Err {
			worst = d
		}
	}
	return worst
}

// Check returns an error if an element of a gradient of f at x, computed by Backward, is off by
// more than tol (see [Derivative].Err). The inputs are parameters.
func Check(tol float64, f Func, x ...*ag.Tensor) error {
	w := Worst(Compare(f, x))
	if w.Err <= tol {
		return nil
	}
	return fmt.Errorf("gradient of input %d, element %d: backward gives %.12g, differences "+
		"%.12g: relative error %.3g, want ≤ %g",
		w.Input, w.Element, w.Analytic, w.Numeric, w.Err, tol)
}

// CheckDirection returns an error if the derivative of a scalar loss along a random direction in
// the space of all parameters is off by more than tol, relative (see [Direction]). It costs a
// few evaluations of the loss, however many parameters there are.
func CheckDirection(tol float64, params []*ag.Tensor, loss func(tp *ag.Tape) *ag.Tensor) error {
	analytic, numeric := Direction(params, loss)
	err := RelativeError(analytic, numeric)
	if err <= tol {
		return nil
	}
	return fmt.Errorf("derivative along a random direction: backward gives %.12g, differences "+
		"%.12g: relative error %.3g, want ≤ %g",
		analytic, numeric, err, tol)
}

// RelativeError returns |analytic − numeric|, relative to the larger of their absolute values.
func RelativeError(analytic, numeric float64) float64 {
	return math.Abs(analytic-numeric) / max(math.Abs(analytic), math.Abs(numeric))
}

// Direction returns the derivative of a scalar loss along [UnitDirection], by Backward and by a
// five-point difference. The loss is computed with the same dropout seed each time, and what it
// holds constant keeps its values while the parameters change (see [ag.FrozenReplay]). If the two
// do not agree, the difference with a hundredth of the step counts if it agrees better: ReLU and
// maximum have kinks, and one within the step makes the difference useless. A smaller step has
// fewer kinks and a larger rounding error.
func Direction(
	params []*ag.Tensor, loss func(tp *ag.Tape) *ag.Tensor,
) (analytic, numeric float64) {
	tp := ag.NewTape(params[0].Device())
	replay := ag.NewFrozenReplay(params)
	eval := func() *ag.Tensor {
		tp.Reset()
		tp.Seed(1)
		tp.FrozenReplay = replay
		defer func() { tp.FrozenReplay = nil }()
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
	lossAt := func(h float64) float64 {
		for i, p := range params {
			v := make([]float64, p.Len())
			for j := range v {
				v[j] = at[i][j] + h*along[i][j]
			}
			p.Assign(v)
		}
		replay.Replay()
		return eval().Item()
	}
	numeric = fd.Derivative(lossAt, 0, &fd.Settings{Formula: fivePoint})
	if RelativeError(analytic, numeric) > 1e-7 {
		step := fivePoint.Step / 100
		small := fd.Derivative(lossAt, 0, &fd.Settings{Formula: fivePoint, Step: step})
		if RelativeError(analytic, small) < RelativeError(analytic, numeric) {
			numeric = small
		}
	}
	for i, p := range params {
		p.Assign(at[i])
	}
	return analytic, numeric
}

// UnitDirection returns the direction of [Direction], a vector for each parameter: random and
// always the same, of length 1 in the space of all parameters.
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

// fivePoint is the central difference with an error of order h⁴.
var fivePoint = fd.Formula{
	Stencil: []fd.Point{{Loc: -2, Coeff: 1. / 12}, {Loc: -1, Coeff: -2. / 3},
		{Loc: 1, Coeff: 2. / 3}, {Loc: 2, Coeff: -1. / 12}},
	Derivative: 1,
	Step:       1e-4,
}

// ZeroGradient returns the positions in params of the parameters that have no gradient in grads,
// or one that is zero everywhere.
func ZeroGradient(grads ag.Grads, params []*ag.Tensor) []int {
	var zero []int
	for i, p := range params {
		if g := grads[p]; g == nil || g.Dot(g) == 0 {
			zero = append(zero, i)
		}
	}
	return zero
}

func normal(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}
