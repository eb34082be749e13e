package autograd_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// TestSetRows compares with a copy, bit by bit: rows of tables of two widths and of a vector, new
// ones and some that were set before, whose sizes differ so much that a difference would be
// rounded.
func TestSetRows(t *testing.T) {
	for name := range devices {
		dev := open(t, name)
		for _, width := range []int{0, 1, 3} { // 0: a vector
			shape := func(n int) []int { return []int{n, width}[:min(width, 1)+1] }
			w := max(width, 1)
			x, want := ag.NewTensor(dev, make([]float64, 5*w), shape(5)...), make([]float64, 5*w)
			tp := ag.NewTape(dev)
			tp.Poison = true
			for step, index := range [][]int{{3, 0, 4}, {1, 3}, {}, {4, 3, 2, 1, 0}} {
				tp.Reset()
				v := make([]float64, len(index)*w)
				for i := range v {
					v[i] = float64(float32(math.Sin(float64(i+7*step)) * math.Pow(10,
						float64(9-6*step))))
				}
				y := tp.Scale(ag.NewParam(dev, v, shape(len(index))...), 1)
				tp.SetRows(x, index, y)
				for i, r := range index {
					copy(want[r*w:][:w], v[i*w:])
				}
				if got := x.Values(); !slices.Equal(got, want) {
					t.Fatalf("%s: width %d, step %d: rows %v, want %v", name, width, step,
						got, want)
				}
				if !slices.Equal(y.Values(), v) {
					t.Errorf("%s: y has changed", name)
				}
			}
		}
	}
}

// TestSetRowsWithinAStep reads a table, sets rows of it, and differentiates what was read before.
func TestSetRowsWithinAStep(t *testing.T) {
	for name := range devices {
		dev := &counting{Device: open(t, name)}
		table, w := ag.NewTensor(dev, []float64{1, 2, 3, 4}, 4), param(dev, 5, 7)
		tp := ag.NewTape(dev)
		tp.Poison = true
		counts := make([]int, 3)
		for i := range counts {
			tp.Reset()
			table.Assign([]float64{1, 2, 3, 4})
			read := tp.Gather(table, []int{2, 0})
			y := tp.Mul(w, read)
			z := tp.Mul(y, y)
			tp.SetRows(table, []int{2, 0}, z)
			before := dev.buffers
			if tp.SetRows(table, []int{2, 0}, z); dev.buffers != before {
				t.Errorf("%s: a second call allocates", name)
			}
			after := tp.Gather(table, []int{0, 1, 2})
			g := tp.Backward(tp.Sum(y), after)
			if got := g[w].Values(); !slices.Equal(got, []float64{3, 1}) {
				t.Errorf("%s: gradient %v, want 3 1: of the rows that were read", name, got)
			}
			if got := after.Values(); !slices.Equal(got, []float64{49, 2, 225}) {
				t.Errorf("%s: rows %v, want 49 2 225", name, got)
			}
			counts[i] = dev.buffers
		}
		if counts[2] != counts[0] {
			t.Errorf("%s: buffers after each step: %v: the first step alone may allocate",
				name, counts)
		}
	}
}

func TestSetRowsMisusePanics(t *testing.T) {
	dev, other := open(t, "cpu64"), open(t, "cpu")
	x, two := ag.NewTensor(dev, make([]float64, 6), 3, 2), ag.NewTensor(dev, make([]float64, 4),
		2, 2)
	tp := ag.NewTape(dev)
	stale := tp.Exp(two)
	tp.Reset()
	for _, c := range []struct {
		want string
		f    func()
	}{
		{"autograd: SetRows: indices [0 3] of 3 rows: want each in range and none twice", func() {
			tp.SetRows(x, []int{0, 3}, two)
		}},
		{"autograd: SetRows: indices [1 -1] of 3 rows", func() {
			tp.SetRows(x, []int{1, -1}, two)
		}},
		{"autograd: SetRows: indices [1 1] of 3 rows", func() { tp.SetRows(x, []int{1, 1}, two) }},
		{"autograd: SetRows: [2 2] as 1 rows of [3 2]: want as many rows of the same shape",
			func() { tp.SetRows(x, []int{1}, two) }},
		{"autograd: SetRows: [2 2] as 2 rows of [2 3]", func() {
			tp.SetRows(ag.NewTensor(dev, make([]float64, 6), 2, 3), []int{0, 1}, two)
		}},
		{"autograd: SetRows: [4] as 4 rows of [3 2]", func() {
			tp.SetRows(x, []int{0, 1, 2, 3}, param(dev, 1, 2, 3, 4))
		}},
		{"autograd: SetRows: [1] as 1 rows of []", func() {
			tp.SetRows(ag.NewTensor(dev, []float64{1}), []int{0}, param(dev, 1))
		}},
		{"autograd: SetRows: the tensor belongs to a tape", func() {
			tp.SetRows(tp.Exp(x), []int{0, 1}, two)
		}},
		{"autograd: SetRows: operand belongs to another tape", func() {
			tp.SetRows(x, []int{0, 1}, ag.NewTape(dev).Exp(two))
		}},
		{"autograd: SetRows: operand is on device cpu, the tape on cpu64", func() {
			tp.SetRows(ag.NewTensor(other, make([]float64, 6), 3, 2), []int{0, 1}, two)
		}},
		{"autograd: SetRows: the operand's memory was recycled", func() {
			tp.SetRows(x, []int{0, 1}, stale)
		}},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, c.want) {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			c.f()
		}()
	}
	if v := x.Values(); slices.Max(v) != 0 || slices.Min(v) != 0 {
		t.Errorf("a refused call has changed rows: %v", v)
	}
}

// TestAdamStep compares a step with the formula, of Adam and of AdamW, for dense gradients and for
// row-sparse ones, which leave the rows that they do not store unchanged.
func TestAdamStep(t *testing.T) {
	const lr, b1, b2, eps, decay = 0.1, 0.7, 0.9, 0.01, 0.3
	start := []float64{1, -2, 3, 4, 5, 6, -7, 8}
	m0, v0 := []float64{0.5, 0, -1, 2, 1, 1, 0, 3}, []float64{4, 1, 0, 9, 1, 2, 3, 0}
	for name, tol := range devices {
		dev := open(t, name)
		for _, decoupled := range []bool{false, true} {
			for _, sparse := range []bool{false, true} {
				x := ag.NewParam(dev, start, 4, 2)
				m, v := ag.NewTensor(dev, m0, 4, 2), ag.NewTensor(dev, v0, 4, 2)
				tp := ag.NewTape(dev)
				read, index := tp.Gather, []int{0, 1, 2, 3}
				if sparse {
					read, index = tp.Lookup, []int{2, 0, 2}
				}
				y := read(x, index)
				g := tp.Backward(tp.Sum(tp.Mul(y, y)))[x]
				grad := g.Values()
				x.AdamStep(g, m, v, ag.Adam{LR: lr, Beta1: b1, Beta2: b2, Eps: eps,
					WeightDecay: decay, Decoupled: decoupled, Correction1: 0.5, Correction2: 0.25})
				for i, x0 := range start {
					want := [3]float64{x0, m0[i], v0[i]}
					if slices.Contains(index, i/2) {
						gi := grad[i]
						if decoupled {
							want[0] -= lr * decay * x0
						} else {
							gi += decay * x0
						}
						want[1] = b1*m0[i] + (1-b1)*gi
						want[2] = b2*v0[i] + (1-b2)*gi*gi
						want[0] -= lr * want[1] / 0.5 / (math.Sqrt(want[2]/0.25) + eps)
					}
					for k, got := range []*ag.Tensor{x, m, v} {
						if d := got.Values()[i] - want[k]; math.Abs(d) > 10*tol {
							t.Errorf("%s, decoupled %t, sparse %t: number %d of %s is off by %g",
								name, decoupled, sparse, i, []string{"x", "m", "v"}[k], d)
						}
					}
				}
			}
		}
	}
}

// TestAdamCompactStep compares a step of a matrix of three columns with the formula. β₁ is 0, so
// that only what m keeps of g is rounded.
func TestAdamCompactStep(t *testing.T) {
	const lr, b2 = 0.1, 0.9
	for name, tol := range devices {
		dev := open(t, name)
		start, gs := []float64{1, -2, 3, 4, 5, -6}, []float64{1, 2, -4, 0.5, 1, 8}
		r0, c0 := []float64{4, 9}, []float64{1, 4, 16}
		x, m := ag.NewParam(dev, start, 2, 3), ag.NewTensor(dev, make([]float64, 4), 2, 2)
		row, column := ag.NewTensor(dev, r0, 2), ag.NewTensor(dev, c0, 3)
		x.AdamCompactStep(ag.NewTensor(dev, gs, 2, 3), m, row, column, ag.Adam{LR: lr,
			Beta2: b2, Correction1: 1, Correction2: 1})
		r, c, mean := []float64{b2 * 4, b2 * 9}, []float64{b2, b2 * 4, b2 * 16}, 0.0
		for i, g := range gs {
			r[i/3] += (1 - b2) * g * g / 3
			c[i%3] += (1 - b2) * g * g / 2
		}
		for j, v := range c {
			mean += v / 3
			mustAgree(t, name+": column", tol, column.Values()[j:j+1], c[j:j+1])
		}
		mustAgree(t, name+": rows", tol, row.Values(), r)
		for i, g := range gs { // powers of 2 and 3 have bfloat16
			want := start[i] - lr*g/math.Sqrt(r[i/3]*c[i%3]/mean)
			mustAgree(t, name+": x", 10*tol, x.Values()[i:i+1], []float64{want})
		}
	}
}

// TestNormAndDot has the norm of nothing, and of a dense and a row-sparse gradient.
func TestNormAndDot(t *testing.T) {
	dev := open(t, "cpu64")
	x, table := param(dev, 2), ag.NewParam(dev, []float64{1, 1, 1, 1}, 2, 2)
	tp := ag.NewTape(dev)
	g := tp.Backward(tp.Sum(tp.Add(tp.Mul(x, x), tp.Scale(tp.Lookup(table, []int{1}), 3))))
	if got := tp.Norm().Item(); got != 0 {
		t.Errorf("the norm of no tensors is %g", got)
	}
	near(t, "norm", tp.Norm(g[x], g[table]).Item(), math.Sqrt(8*8+2*3*3))
	near(t, "dot", x.Dot(g[x]), 2*8)
	near(t, "dot of a row-sparse gradient with itself", g[table].Dot(g[table]), 2*3*3)
}

// TestGradientsAreConstants clamps and scales what is a parameter: nothing is recorded.
func TestGradientsAreConstants(t *testing.T) {
	x := param(open(t, "cpu64"), 3, -0.5)
	tp := ag.NewTape(x.Device())
	clamped := tp.ClampGradient(x, -1, 1)
	scaled := tp.ScaleGradient(x, tp.Full(2))
	if !slices.Equal(clamped.Values(), []float64{1, -0.5}) ||
		!slices.Equal(scaled.Values(), []float64{6, -1}) {
		t.Errorf("clamped %v, scaled %v", clamped.Values(), scaled.Values())
	}
	if zero := tp.ClampGradient(x, 0, 0).Values(); !slices.Equal(zero, []float64{0, 0}) {
		t.Errorf("clamped to 0: %v", zero)
	}
	if g := tp.Backward(tp.Sum(tp.Add(clamped, scaled))); len(g) != 0 {
		t.Errorf("gradients %v", g)
	}
}
