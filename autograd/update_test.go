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
