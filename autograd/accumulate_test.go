package autograd_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/optable/optest"
)

// TestAccumulateLeavesGradientsOfTheCallerUnchanged holds gradients in every way that a caller
// can, and reads them after another Accumulate has added to each.
func TestAccumulateLeavesGradientsOfTheCallerUnchanged(t *testing.T) {
	dev := open(t, "cpu64")
	a, b, c, table := param(dev, 2, 3), param(dev, 5, 7), param(dev, 4), ag.NewParam(dev,
		[]float64{1, 2, 3, 4, 5, 6}, 3, 2)
	loss := func(tp *ag.Tape) *ag.Tensor { // Add gives a and b one gradient tensor
		y := tp.Sum(tp.Add(tp.Mul(tp.Add(a, b), tp.Lookup(table, []int{2, 0})),
			tp.Lookup(table, []int{1, 2})))
		return tp.Add(y, tp.Sum(tp.Mul(c, c))) // the gradient of c shares its memory with no other
	}
	tp := ag.NewTape(dev)
	tp.Poison = true
	kept := tp.Exp(a) // a constant of the tape, which serves as a gradient too
	grads := ag.Grads{}
	tp.Accumulate(grads, loss(tp), kept)
	grads[b] = tp.Reshape(grads[b], 2) // an alias of the gradient of a
	taken, shared, sparse := grads[a], ag.Grads{b: grads[b]}, grads[table]
	alone, aloneWant := grads[c], grads[c].Values()
	want := [][]float64{taken.Values(), shared[b].Values(), sparse.Values(), kept.Values()}

	other := ag.Grads{a: kept}
	tp.Accumulate(grads, loss(tp), kept)
	check := func(what string, got *ag.Tensor, want []float64) {
		t.Helper()
		if v := got.Values(); !slices.Equal(v, want) {
			t.Errorf("%s has become %v, was %v", what, v, want)
		}
	}
	check("a gradient taken from the map", taken, want[0])
	check("a gradient that has its memory alone", alone, aloneWant)
	check("an alias of a gradient, in another map", shared[b], want[1])
	check("a row-sparse gradient", sparse, want[2])
	check("a kept tensor", kept, want[3])

	// kept explicitly, for this Accumulate is into another map
	sums := []*ag.Tensor{grads[a], grads[b]}
	before := [][]float64{sums[0].Values(), sums[1].Values()}
	tp.Accumulate(other, loss(tp), append(sums, kept)...)
	check("a sum", sums[0], before[0])
	check("another sum", sums[1], before[1])
	check("a constant that served as a gradient", kept, want[3])
	for i, v := range before[0] {
		near(t, "the sum of two gradients", v, 2*want[0][i])
		near(t, "the sum with a constant", other[a].Values()[i], want[3][i]+want[0][i])
	}
}

// TestScopeInBackward recycles, in a vjp, memory that an earlier gradient had, and looks for two
// tensors in one memory in the next step.
func TestScopeInBackward(t *testing.T) {
	dev := open(t, "cpu64")
	x := param(dev, 2, 3)
	tp := ag.NewTape(dev)
	square := func(x *ag.Tensor) *ag.Tensor {
		var y *ag.Tensor
		tp.Unrecorded(func() { y = tp.Mul(x, x) })
		return tp.Record("Square", y, ag.Wrt(x, func(g *ag.Tensor) *ag.Tensor {
			return tp.Scope(func() *ag.Tensor { return tp.Mul(tp.Scale(tp.Scale(g, 1), 2), x) })
		}))
	}
	grads := tp.Backward(tp.Sum(square(square(tp.Exp(square(x))))))
	near(t, "gradient of (exp x²)⁴", grads[x].Values()[0], 8*2*math.Exp(4*4))
	tp.Reset()
	tensors := make([]*ag.Tensor, 20)
	for i := range tensors {
		tensors[i] = tp.Full(float64(i), 2)
	}
	for i, x := range tensors {
		near(t, "a tensor after 19 others were filled", x.Values()[0], float64(i))
	}
}

// TestDenseAndRowSparseGradients adds a dense gradient of a table to a row-sparse one and the
// reverse, within one Backward.
func TestDenseAndRowSparseGradients(t *testing.T) {
	dev := open(t, "cpu64")
	table := ag.NewParam(dev, []float64{1, 2, 3, 4, 5, 6}, 3, 2)
	want := []float64{2, 4, 7, 9, 11, 13} // 2·table + 1 for each time that a row is read
	for _, sparseFirst := range []bool{false, true} {
		tp := ag.NewTape(dev)
		tp.Poison = true
		rows := func() *ag.Tensor { return tp.Sum(tp.Lookup(table, []int{2, 1})) }
		square := func() *ag.Tensor { return tp.Sum(tp.Mul(table, table)) }
		var loss *ag.Tensor
		if sparseFirst {
			y := rows()
			loss = tp.Add(y, square())
		} else {
			y := square()
			loss = tp.Add(y, rows())
		}
		if got := tp.Backward(loss)[table].Values(); !slices.Equal(got, want) {
			t.Errorf("recorded row-sparse first: %v: gradient %v, want %v", sparseFirst, got, want)
		}
	}
}

// TestKeptLossIsNotDifferentiatedAgain expects the panic that tells what to do.
func TestKeptLossIsNotDifferentiatedAgain(t *testing.T) {
	tp := ag.NewTape(open(t, "cpu64"))
	x := param(tp.Device(), 2)
	loss := tp.Sum(tp.Mul(x, x))
	tp.Backward(loss)
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text,
			"an earlier Backward kept the loss") {
			t.Errorf("panic %q", text)
		}
	}()
	tp.Backward(loss)
}

// TestBackwardRecyclesAtLastUse measures the memory that Backward allocates beside that of the
// forward computation: that of a few tensors, however long the computation is, also if it keeps all
// results.
func TestBackwardRecyclesAtLastUse(t *testing.T) {
	const width = 64
	extra := func(length int, keep bool) int {
		dev := &sizing{Device: open(t, "cpu64")}
		tp := ag.NewTape(dev)
		x := ag.NewParam(dev, make([]float64, width), width)
		y := tp.Mul(x, x)
		var kept []*ag.Tensor
		for range length {
			product := tp.Mul(y, x)
			y = tp.Add(product, y) // several gradients of one tensor, added up
			if keep {
				kept = append(kept, product, y)
			}
		}
		loss := tp.Sum(y)
		forward := dev.total
		tp.Backward(loss, kept...)
		return (dev.total - forward) / width
	}
	for _, keep := range []bool{false, true} {
		if short, long := extra(5, keep), extra(100, keep); long > short+10 {
			t.Errorf("Backward (keep %v) allocates %d tensors for 5 steps and %d for 100", keep,
				short, long)
		}
	}
}

// TestOperationsOnRowSparseGradients scales a gradient of a table, clamps it and takes its norm:
// only rows that were read are stored.
func TestOperationsOnRowSparseGradients(t *testing.T) {
	dev := open(t, "cpu64")
	table, u := ag.NewParam(dev, make([]float64, 8), 4, 2), ag.NewTensor(dev, []float64{3, 4}, 2)
	tp := ag.NewTape(dev)
	g := tp.Backward(tp.Sum(tp.Mul(tp.Lookup(table, []int{2}), u)))[table]
	if got := g.Dot(g); got != 25 {
		t.Errorf("the square of the norm is %g, want 25", got)
	}
	for what, c := range map[string]struct {
		got  *ag.Tensor
		want []float64
	}{
		"scaled":  {tp.ScaleGradient(g, ag.NewTensor(dev, []float64{2}, 1)), []float64{6, 8}},
		"clamped": {tp.ClampGradient(g, -1, 3.5), []float64{3, 3.5}},
	} {
		want := slices.Concat(make([]float64, 4), c.want, make([]float64, 2))
		if got := c.got.Values(); !slices.Equal(got, want) ||
			!slices.Equal(c.got.Shape(), []int{4, 2}) {
			t.Errorf("%s: %v of shape %v, want %v", what, got, c.got.Shape(), want)
		}
	}
}

// TestStepsUseTheSameMemory checks that each tensor of a step has the memory that it had in the
// step before, also if steps of other shapes come between.
func TestStepsUseTheSameMemory(t *testing.T) {
	tp := ag.NewTape(open(t, "cpu64"))
	tensors := func(sizes ...int) (list []string) {
		for _, n := range sizes {
			list = append(list, fmt.Sprintf("%p", tp.Full(1, n).Buffer()))
		}
		return list
	}
	step := func() (list []string) {
		tp.Reset()
		tensors(1000, 300)
		tp.Reset()
		for _, n := range []int{100, 1000, 10} {
			last := tp.Scope(func() *ag.Tensor {
				list = append(list, tensors(n, 7, n/2)...)
				return tp.Full(1, 5*n)
			})
			list = append(list, fmt.Sprintf("%p", last.Buffer()))
		}
		return append(list, tensors(100, 1000, 10, 10, 2000)...)
	}
	first := step()
	for range 2 {
		if again := step(); !slices.Equal(again, first) {
			t.Errorf("memory %v, before %v", again, first)
		}
	}
}

// TestTensorsOfOtherSizesShareMemory: memory is divided for smaller tensors, and joined for larger
// ones.
func TestTensorsOfOtherSizesShareMemory(t *testing.T) {
	dev := &sizing{Device: open(t, "cpu")}
	tp := ag.NewTape(dev)
	tp.Poison = true
	const n = 640
	outer := tp.Full(1, n)
	for _, sizes := range [][]int{{4 * n}, {n, n, n, n}, {n / 2, 3 * n}, {}, {4 * n}} {
		tp.Scope(func() *ag.Tensor {
			for i, size := range sizes {
				near(t, "the sum", tp.Sum(tp.Full(float64(i), size)).Item(), float64(i*size))
			}
			return outer
		})
	}
	near(t, "the sum of a tensor outside", tp.Sum(outer).Item(), n)
	if want := 7 * n; dev.total > want {
		t.Errorf("%d numbers in all, want at most %d", dev.total, want)
	}
}

// TestFewSegments: many small tensors share buffers of the device.
func TestFewSegments(t *testing.T) {
	sizes := &sizing{Device: open(t, "cpu")}
	dev := &counting{Device: sizes}
	tp := ag.NewTape(dev)
	const tensors, width = 20000, 64
	for range tensors {
		tp.Empty(width)
	}
	if dev.buffers > 600 || sizes.total > tensors*width*65/64 {
		t.Errorf("%d tensors of %d numbers take %d buffers, of %d numbers in all", tensors, width,
			dev.buffers, sizes.total)
	}
}

// TestInputsEndWithBackward: what the forward computation began with is stale after Backward, and
// batches that follow use its memory.
func TestInputsEndWithBackward(t *testing.T) {
	const width = 1024
	total := func(batches int) int {
		dev := &sizing{Device: open(t, "cpu")}
		x := ag.NewParam(dev, make([]float64, width), width)
		dev.total = 0
		tp, grads := ag.NewTape(dev), ag.Grads{}
		for range batches {
			in := tp.Input(make([]float32, width), width)
			tp.Accumulate(grads, tp.Sum(tp.Mul(x, in)))
			got := optest.PanicOf(func() { in.Values() })
			if !strings.Contains(got, "was recycled") {
				t.Errorf("panic %q at the use of an input after Backward", got)
			}
		}
		return dev.total
	}
	if few, many := total(4), total(40); many != few {
		t.Errorf("40 batches need %d numbers, 4 need %d", many, few)
	}
}
