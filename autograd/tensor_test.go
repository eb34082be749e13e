package autograd_test

import (
	"runtime"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// TestShapesAreCopied changes a slice that gave a tensor its shape, or an operation its axes.
func TestShapesAreCopied(t *testing.T) {
	dev := open(t, "cpu")
	tp := ag.NewTape(dev)
	x := tp.Full(1, 2, 3)
	s := []int{2, 3}
	tensors := []*ag.Tensor{ag.NewTensor(dev, make([]float32, 6), s...),
		ag.NewParam(dev, make([]float64, 6), s...), tp.Input(make([]float32, 6), s...),
		tp.Full(0, s...), tp.Empty(s...), tp.Reshape(x, s...), tp.Expand(x, s...)}
	s[0], s[1] = 7, 7
	for i, y := range tensors {
		if !slices.Equal(y.Shape(), []int{2, 3}) {
			t.Errorf("tensor %d has the shape %v now", i, y.Shape())
		}
	}
	five := ag.NewTensor(dev, make([]float64, 4), 1, 1, 1, 1, 4) // a slice with room for more
	if tp.Unfold(five, 4, 2, 1); !slices.Equal(five.Shape(), []int{1, 1, 1, 1, 4}) {
		t.Errorf("Unfold has changed the shape of its operand to %v", five.Shape())
	}
	axes := []int{1, 0}
	if tp.Sum(x, axes...); axes[0] != 1 {
		t.Errorf("Sum has changed its axes to %v", axes)
	}
	keep := make([]*ag.Tensor, 1, 2)
	keep[0] = x
	tp.Backward(tp.Full(0), keep...)
	if keep[:2][1] != nil {
		t.Error("Backward has changed its list of tensors to keep")
	}
}

// TestTensorsOfBothPrecisions creates tensors from both kinds of numbers, and overwrites them.
func TestTensorsOfBothPrecisions(t *testing.T) {
	for name := range devices {
		dev := open(t, name)
		narrow, wide := []float32{1, -2.5, 1e30}, []float64{1, -2.5, 8}
		for i, x := range []*ag.Tensor{ag.NewTensor(dev, narrow, 3), ag.NewParam(dev, narrow, 3)} {
			if got := x.Values(); got[1] != -2.5 || float32(got[2]) != 1e30 {
				t.Errorf("%s, tensor %d: %v, want %v", name, i, got, narrow)
			}
			if x.Assign(wide); !slices.Equal(x.Values(), wide) {
				t.Errorf("%s, tensor %d: %v, want %v", name, i, x.Values(), wide)
			}
			if x.Assign32([]float32{3, 4, 5}); !slices.Equal(x.Values(), []float64{3, 4, 5}) {
				t.Errorf("%s, tensor %d: %v, want 3 4 5", name, i, x.Values())
			}
			if x.Multiply(-2); !slices.Equal(x.Values(), []float64{-6, -8, -10}) {
				t.Errorf("%s, tensor %d: %v, want -6 -8 -10", name, i, x.Values())
			}
		}
	}
}

func TestTraining(t *testing.T) {
	dev := open(t, "cpu")
	if !ag.NewTape(dev).Training() || ag.NewInferenceTape(dev).Training() {
		t.Error("a tape is for training, an inference tape is not")
	}
}

// A submitting device counts how often it was told that a step has ended.
type submitting struct {
	ag.Device
	n int
}

func (s *submitting) Submit() { s.n++ }

// TestResetForgets releases what the operations of a step hold, and submits the step's commands.
func TestResetForgets(t *testing.T) {
	dev := &submitting{Device: open(t, "cpu")}
	tp, x := ag.NewTape(dev), param(dev, 1)
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	for range 3 {
		held := make([]byte, 16<<20)
		var y *ag.Tensor
		tp.Unrecorded(func() { y = tp.Exp(x) })
		tp.Record("Held", y, ag.Wrt(x, func(g *ag.Tensor) *ag.Tensor {
			return tp.Scale(g, float64(held[0]))
		}))
		tp.Reset()
	}
	if more := heap() - before; more > 8<<20 {
		t.Errorf("%d bytes are in use after Reset", more)
	}
	if dev.n != 3 {
		t.Errorf("%d steps were submitted, want 3", dev.n)
	}
	runtime.KeepAlive(tp)
}

// TestArgumentsAtTheLimit has the smallest arguments that operations accept.
func TestArgumentsAtTheLimit(t *testing.T) {
	tp := ag.NewTape(open(t, "cpu64"))
	x := tp.Input([]float32{-3, 0, 3}, 3)
	if got := tp.Clamp(x, 2, 2).Values(); !slices.Equal(got, []float64{2, 2, 2}) {
		t.Errorf("clamped to 2: %v", got)
	}
	if got := tp.Concat(0, x).Values(); !slices.Equal(got, []float64{-3, 0, 3}) {
		t.Errorf("one tensor joined: %v", got)
	}
}

// TestShapesOfResults has operations whose results have other shapes than their operands.
func TestShapesOfResults(t *testing.T) {
	tp := ag.NewTape(open(t, "cpu"))
	cube, row := tp.Full(1, 2, 3, 4), tp.Full(1, 3)
	one := tp.Full(0, 1, 1, 1)
	for i, x := range []struct {
		y    *ag.Tensor
		want []int
	}{
		{tp.Stack(0, row, row), []int{2, 3}}, {tp.Stack(1, row, row), []int{3, 2}},
		{tp.MeanPool(cube, []int{3, 1}), []int{2, 4}}, {tp.MeanPool(cube, nil), []int{2, 4}},
		{tp.MaxPool(cube, []int{3, 1}), []int{2, 4}}, {tp.Unfold(row, 0, 1, 2), []int{2, 1}},
		{tp.Unfold(cube, 1, 3, 1), []int{2, 1, 3, 4}},
		{tp.SelectiveScan(one, one, one, one, one, ag.ScanWeights{StepBias: tp.Full(0, 1),
			ALog: tp.Full(0, 1, 1), Skip: tp.Full(0, 1)}, false), []int{1, 1, 1}},
	} {
		if got := x.y.Shape(); !slices.Equal(got, x.want) {
			t.Errorf("result %d has the shape %v, want %v", i, got, x.want)
		}
	}
}

// TestGradientOfMax reduces a matrix that is not square along each axis, and along both.
func TestGradientOfMax(t *testing.T) {
	x := ag.NewParam(open(t, "cpu64"), []float64{1, 5, 2, 4, 3, 0}, 2, 3)
	for _, c := range []struct {
		axes []int
		want []float64
	}{{[]int{0}, []float64{0, 1, 1, 1, 0, 0}}, {[]int{1}, []float64{0, 1, 0, 1, 0, 0}},
		{nil, []float64{0, 1, 0, 0, 0, 0}}} {
		tp := ag.NewTape(x.Device())
		g := tp.Backward(tp.Sum(tp.Max(x, c.axes...)))
		if got := g[x].Values(); !slices.Equal(got, c.want) {
			t.Errorf("axes %v: gradient %v, want %v", c.axes, got, c.want)
		}
	}
}

// TestCosineOfShortVectors: only vectors shorter than 1e-8 count as longer.
func TestCosineOfShortVectors(t *testing.T) {
	tp := ag.NewTape(open(t, "cpu64"))
	for length, want := range map[float64]float64{1e-3: 1, 1e-7: 1, 0: 0} {
		x := tp.Full(length, 1, 1)
		near(t, "the cosine of a vector with itself", tp.CosineSimilarity(x, x).Item(), want)
	}
}

// TestAttentionDraws: attention takes random numbers only for dropout, and has none on an inference
// tape.
func TestAttentionDraws(t *testing.T) {
	dev := open(t, "cpu64")
	x := ag.NewTensor(dev, []float64{1, 2, 3, 4, 5, 6, 7, 8}, 1, 4, 2)
	attend := func(tp *ag.Tape, dropout float64) []float64 {
		return tp.Attention(x, x, x, ag.AttentionConfig{Heads: 1, Dropout: dropout}).Values()
	}
	inference, tp := ag.NewInferenceTape(dev), ag.NewTape(dev)
	tp.Seed(1)
	mask := tp.Dropout(x, 0.5).Values()
	tp.Seed(1)
	if !slices.Equal(attend(inference, 0.5), attend(tp, 0)) {
		t.Error("attention has dropout on an inference tape")
	}
	if !slices.Equal(tp.Dropout(x, 0.5).Values(), mask) {
		t.Error("attention without dropout changes the masks that follow")
	}
}
