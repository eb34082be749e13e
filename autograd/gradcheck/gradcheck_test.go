package gradcheck_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
)

// TestKinkWithinTheStep checks a loss with a kink at a distance of half a step.
func TestKinkWithinTheStep(t *testing.T) {
	dev := open(t)
	x := ag.NewParam(dev, []float64{5e-5})
	analytic, numeric := gradcheck.Direction([]*ag.Tensor{x}, func(tp *ag.Tape) *ag.Tensor {
		return tp.ReLU(x)
	})
	if math.Abs(analytic) != 1 || gradcheck.RelativeError(analytic, numeric) > 1e-9 {
		t.Errorf("the derivative is %g, by differences %.12g; want ±1", analytic, numeric)
	}
}

func open(t *testing.T) ag.Device {
	t.Helper()
	dev, err := ag.Open("cpu64")
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func within(a, b, tol float64) bool { return math.Abs(a-b) <= tol }

// TestCompare differentiates x₀²·x₁ by hand, with the same random u. The last input has no effect.
func TestCompare(t *testing.T) {
	dev := open(t)
	in := [][]float64{{2, -3}, {0.5}, {7}}
	var x []*ag.Tensor
	for _, v := range in {
		x = append(x, ag.NewParam(dev, v, len(v)))
	}
	r := rand.New(rand.NewPCG(1, 2))
	u := []float64{r.NormFloat64(), r.NormFloat64()}
	got := gradcheck.Compare(func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
		return tp.Mul(tp.Mul(x[0], x[0]), x[1])
	}, x)
	want := []gradcheck.Derivative{{Input: 0, Element: 0, Analytic: u[0] * 2},
		{Input: 0, Element: 1, Analytic: u[1] * -3},
		{Input: 1, Element: 0, Analytic: 4*u[0] + 9*u[1]}, {Input: 2, Element: 0}}
	if len(got) != len(want) {
		t.Fatalf("%d derivatives, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Input != w.Input || g.Element != w.Element || !within(g.Analytic, w.Analytic, 1e-14) ||
			!within(g.Numeric, w.Analytic, 1e-9) {
			t.Errorf("derivative %d is %+v, want %+v", i, g, w)
		}
		largest := []float64{max(2*math.Abs(u[0]), 3*math.Abs(u[1])), math.Abs(w.Analytic),
			1}[g.Input]
		if !within(g.Err, math.Abs(g.Analytic-g.Numeric)/largest, 1e-14) {
			t.Errorf("derivative %d has the error %g", i, g.Err)
		}
	}
	for i, v := range in {
		if !slices.Equal(x[i].Values(), v) {
			t.Errorf("input %d is %v afterwards, want %v", i, x[i].Values(), v)
		}
	}
}

// wrong returns x₀ + value·x₁, whose derivative in x₁ is taken as factor·value.
func wrong(value, factor float64) gradcheck.Func {
	return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
		var y *ag.Tensor
		tp.Unrecorded(func() { y = tp.Scale(x[1], value) })
		return tp.Add(x[0], tp.Record("Wrong", y, ag.Wrt(x[1], func(g *ag.Tensor) *ag.Tensor {
			return tp.Scale(g, factor*value)
		})))
	}
}

// TestCheckNamesTheDerivative checks the error's text, and the size under which a gradient counts
// as zero.
func TestCheckNamesTheDerivative(t *testing.T) {
	dev := open(t)
	x := []*ag.Tensor{ag.NewParam(dev, []float64{1, 2}, 2), ag.NewParam(dev, []float64{3, 4}, 2)}
	pattern := regexp.MustCompile(`^gradient of input 1, element [01]: backward gives -?[0-9.]+, ` +
		`differences -?[0-9.]+: relative error 0.333, want ≤ 1e-06$`)
	if err := gradcheck.Check(1e-6, wrong(1, 1.5), x...); err == nil ||
		!pattern.MatchString(err.Error()) {
		t.Errorf("error %v, want %v", err, pattern)
	}
	for _, c := range []struct {
		value, factor float64
		fails         bool
	}{{1, 1, false}, {1e-9, 2, false}, {1e-7, 2, true}, {0, 1, false}, {1, math.NaN(), true}} {
		if err := gradcheck.Check(1e-6, wrong(c.value, c.factor), x...); (err != nil) != c.fails {
			t.Errorf("%+v: error %v", c, err)
		}
	}
	for _, value := range []float64{1, -1} { // one of the derivatives is negative
		one := []*ag.Tensor{ag.NewParam(dev, []float64{1}, 1), ag.NewParam(dev, []float64{3}, 1)}
		if w := gradcheck.Worst(gradcheck.Compare(wrong(value, 0.5), one)); w.Input != 1 ||
			!within(w.Err, 0.5, 1e-9) {
			t.Errorf("half of the derivative: %+v, want an error of 0.5", w)
		}
	}
	if w := gradcheck.Worst(gradcheck.Compare(wrong(1e-9, 2), x)); w.Err !=
		math.Abs(w.Analytic-w.Numeric) {
		t.Errorf("the error of a small gradient is not absolute: %+v", w)
	}
	dropout := func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor { return tp.Dropout(x[0], 0.5) }
	if err := gradcheck.Check(1e-6, dropout, x[0]); err != nil {
		t.Errorf("the mask changes between two computations: %v", err)
	}
}

// TestWorst prefers NaN to every number, and of equal errors the first.
func TestWorst(t *testing.T) {
	for _, c := range []struct {
		errs []float64
		want int
	}{{[]float64{1}, 0}, {[]float64{1, 3, 2}, 1}, {[]float64{2, 2}, 0},
		{[]float64{1, math.NaN(), 0}, 1}, {[]float64{1, 2, 3}, 2}} {
		var ds []gradcheck.Derivative
		for i, e := range c.errs {
			ds = append(ds, gradcheck.Derivative{Element: i, Err: e})
		}
		if w := gradcheck.Worst(ds); w.Element != c.want {
			t.Errorf("of %v the worst is %d, want %d", c.errs, w.Element, c.want)
		}
	}
}

// TestDirection compares the derivative of Σ 3x² + Σ x·x₀ along the direction, where x₀ is held
// constant, with the formula (6x + x₀)·direction. The second parameter has no effect.
func TestDirection(t *testing.T) {
	dev := open(t)
	values := []float64{1, -2, 0.5}
	x, unused := ag.NewParam(dev, values, 3), ag.NewParam(dev, []float64{9, 9}, 2)
	params := []*ag.Tensor{x, unused}
	along, again := gradcheck.UnitDirection(params), gradcheck.UnitDirection(params)
	square, want := 0.0, 0.0
	for i, a := range along {
		if len(a) != params[i].Len() || !slices.Equal(a, again[i]) {
			t.Errorf("the direction of parameter %d is %v, then %v", i, a, again[i])
		}
		for j, d := range a {
			square += d * d
			if i == 0 {
				want += 7 * values[j] * d
			}
		}
	}
	if !within(square, 1, 1e-15) {
		t.Errorf("the direction has the length² %g", square)
	}
	loss := func(factor float64) func(tp *ag.Tape) *ag.Tensor {
		return func(tp *ag.Tape) *ag.Tensor {
			f := wrong(3, factor)
			square := tp.Sum(f(tp, []*ag.Tensor{tp.Scale(x, 0), tp.Mul(x, x)}))
			return tp.Add(square, tp.Sum(tp.Mul(x, tp.StopGradient(x))))
		}
	}
	analytic, numeric := gradcheck.Direction(params, loss(1))
	if !within(analytic, want, 1e-12) || !within(numeric, want, 1e-9) {
		t.Errorf("derivative %g, by differences %g, want %g", analytic, numeric, want)
	}
	if !slices.Equal(x.Values(), values) || !slices.Equal(unused.Values(), []float64{9, 9}) {
		t.Errorf("the parameters are %v and %v afterwards", x.Values(), unused.Values())
	}
	if err := gradcheck.CheckDirection(1e-8, params, loss(1)); err != nil {
		t.Error(err)
	}
	analytic, numeric = gradcheck.Direction(params, loss(2))
	relative := gradcheck.RelativeError(analytic, numeric)
	for tol, fails := range map[float64]bool{relative * 0.99: true, relative * 1.01: false} {
		err := gradcheck.CheckDirection(tol, params, loss(2))
		if text := fmt.Sprintf("derivative along a random direction: backward gives %.12g, "+
			"differences %.12g: relative error %.3g, want ≤ %g", analytic, numeric, relative,
			tol); (err != nil) != fails || fails && err.Error() != text {
			t.Errorf("tolerance %g: error %v, want %q: %t", tol, err, text, fails)
		}
	}
}

// TestDirectionOfDropout has the same mask in each computation.
func TestDirectionOfDropout(t *testing.T) {
	x := ag.NewParam(open(t), []float64{1, 2, 3, 4, 5, 6, 7, 8}, 8)
	err := gradcheck.CheckDirection(1e-8, []*ag.Tensor{x}, func(tp *ag.Tape) *ag.Tensor {
		y := tp.Dropout(x, 0.5)
		return tp.Sum(tp.Mul(y, y))
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRelativeError(t *testing.T) {
	for _, c := range [][3]float64{{1, 2, 0.5}, {2, 1, 0.5}, {-1, 1, 2}, {-4, -1, 0.75},
		{3, 3, 0}} {
		if got := gradcheck.RelativeError(c[0], c[1]); got != c[2] {
			t.Errorf("of %g and %g: %g, want %g", c[0], c[1], got, c[2])
		}
	}
}

func TestZeroGradient(t *testing.T) {
	dev := open(t)
	var params []*ag.Tensor
	grads := ag.Grads{}
	for _, g := range [][]float64{nil, {0, 0}, {0, 1}, {-1, 1}} {
		p := ag.NewParam(dev, []float64{1, 1}, 2)
		params = append(params, p)
		if g != nil {
			grads[p] = ag.NewTensor(dev, g, 2)
		}
	}
	if got := gradcheck.ZeroGradient(grads, params); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("zero gradients at %v, want [0 1]", got)
	}
}

// TestStaleMemoryIsNoticed has a backward pass that reads a memory after its last use.
func TestStaleMemoryIsNoticed(t *testing.T) {
	x := ag.NewParam(open(t), []float64{1, 2}, 2)
	err := gradcheck.Check(1e-6, func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
		var y, later *ag.Tensor
		var memory ag.Buffer
		tp.Unrecorded(func() { y = tp.Scale(x[0], 1) })
		tp.Record("Stale", y, ag.Wrt(x[0], func(g *ag.Tensor) *ag.Tensor {
			gx := ag.NewTensor(tp.Device(), []float64{0, 0}, 2) // not in recycled memory
			tp.Device().Axpy(1, memory, gx.Buffer())
			return gx
		}))
		later = tp.Exp(y)
		memory = later.Buffer()
		return tp.Scale(later, 2)
	}, x)
	if err == nil || !strings.Contains(err.Error(), "backward gives NaN") {
		t.Errorf("error %v", err)
	}
}

// TestStepsOfTheDifference has losses for which one of the two steps alone is right: a kink within
// the first that changes the derivative little, and a large constant, whose rounding the second
// magnifies.
func TestStepsOfTheDifference(t *testing.T) {
	x := ag.NewParam(open(t), []float64{5e-5})
	for name, c := range map[string]struct {
		tol  float64
		loss func(tp *ag.Tape) *ag.Tensor
	}{
		"kink": {1e-8, func(tp *ag.Tape) *ag.Tensor {
			return tp.Add(tp.Scale(tp.Exp(x), 100), tp.ReLU(x))
		}},
		"kink of the negative": {1e-8, func(tp *ag.Tape) *ag.Tensor {
			return tp.Neg(tp.Add(tp.Scale(tp.Exp(x), 100), tp.ReLU(x)))
		}},
		"constant": {5e-6, func(tp *ag.Tape) *ag.Tensor { return tp.AddScalar(x, 1e6) }},
	} {
		analytic, numeric := gradcheck.Direction([]*ag.Tensor{x}, c.loss)
		if e := gradcheck.RelativeError(analytic, numeric); !(e < c.tol) {
			t.Errorf("%s: the derivative is %g, by differences off by %g of it", name, analytic, e)
		}
	}
}
