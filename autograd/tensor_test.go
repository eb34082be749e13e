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
