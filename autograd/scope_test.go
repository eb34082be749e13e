package autograd_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/optable/optest"
)

// layer is a part of a computation with everything that Backward must do again in the same way:
// dropout, constants, parameters that other parts read too, and a part inside.
func layer(tp *ag.Tape, w, b, x *ag.Tensor) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		h := tp.Dropout(tp.GELULinear(tp.Linear(x, w, b), w, b), 0.2)
		inner := tp.Scope(func() *ag.Tensor {
			y := tp.Attention(h, h, x, ag.AttentionConfig{Heads: 2, Dropout: 0.1})
			return tp.Mul(tp.ReverseGrad(y, 0.5), tp.StopGradient(h))
		})
		var constant *ag.Tensor
		tp.NoGrad(func() { constant = tp.Exp(tp.Add(b, b)) })
		return tp.Tanh(tp.Add(tp.Add(x, inner), tp.Mul(constant, h)))
	})
}

// scopes is a loss of several layers. Tensors that one layer reads are read by the next, and after
// them.
func scopes(tp *ag.Tape, w, b, x *ag.Tensor) *ag.Tensor {
	first := tp.Linear(x, w, nil)
	y := layer(tp, w, b, first)
	tp.Frozen([]*ag.Tensor{w}, func() { y = layer(tp, w, b, y) })
	source := y
	y = tp.Scope(func() *ag.Tensor { return tp.Mul(tp.Dropout(source, 0.3), first) })
	y = tp.Add(layer(tp, w, b, y), tp.Dropout(first, 0.5))
	return tp.Mean(tp.Mul(y, tp.Linear(source, w, b)))
}

// TestActivationCheckpointing compares losses and gradients of three steps, of two losses each,
// with those of a tape that saves everything: they have the same bits. The first step alone
// allocates memory.
func TestActivationCheckpointing(t *testing.T) {
	for name := range devices {
		dev := &counting{Device: open(t, name)}
		w, b, x := network(dev)
		var buffers []int
		run := func(checkpointing bool) (all [][]float64) {
			tp := ag.NewTape(dev)
			tp.Poison, tp.ActivationCheckpointing = true, checkpointing
			for step := range 3 {
				tp.Reset()
				tp.Seed(uint64(step))
				grads := ag.Grads{}
				for range 2 {
					loss := scopes(tp, w, b, x)
					tp.Accumulate(grads, loss, loss)
					all = append(all, loss.Values(), grads[w].Values(), grads[b].Values())
				}
				buffers = append(buffers, dev.buffers)
			}
			return all
		}
		want, got := run(false), run(true)
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("%s: %v with checkpointing, want %v", name, got[i], want[i])
			}
		}
		if buffers[5] != buffers[3] {
			t.Errorf("%s: buffers after each step with checkpointing: %v", name, buffers[3:])
		}
	}
}

func TestGradientsWithActivationCheckpointing(t *testing.T) {
	w, b, x := network(open(t, "cpu64"))
	agtest.CheckDirection(t, 1e-7, []*ag.Tensor{w, b}, func(tp *ag.Tape) *ag.Tensor {
		tp.ActivationCheckpointing = true
		return scopes(tp, w, b, x)
	})
	agtest.CheckGrad(t, 1e-7, func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
		tp.ActivationCheckpointing = true
		y := tp.Scope(func() *ag.Tensor { return tp.Exp(tp.Dropout(tp.Mul(x[0], x[1]), 0.5)) })
		return tp.Scope(func() *ag.Tensor { return tp.Mul(tp.Tanh(y), x[0]) })
	}, param(w.Device(), 0.1, 0.2, -0.3, 0.4), param(w.Device(), 1, 2, 3, 4))
}

// A sizing device adds up the lengths of the buffers that it allocates. An arena may allocate a
// sixty-fourth more than it needs.
type sizing struct {
	ag.Device
	total int
}

func (s *sizing) Alloc(n int) device.Buffer { s.total += n; return s.Device.Alloc(n) }

// TestActivationCheckpointingNeedsLessMemory: a layer more needs the memory of one result, not of
// all tensors inside.
func TestActivationCheckpointingNeedsLessMemory(t *testing.T) {
	const width, inside = 1024, 10
	layers := func(n int, checkpointing bool) int {
		dev := &sizing{Device: open(t, "cpu")}
		x := ag.NewParam(dev, make([]float64, width), width)
		dev.total = 0
		tp := ag.NewTape(dev)
		tp.ActivationCheckpointing = checkpointing
		y := tp.Scale(x, 1)
		for range n {
			input := y
			y = tp.Scope(func() *ag.Tensor {
				h := input
				for range inside {
					h = tp.Tanh(h)
				}
				return h
			})
		}
		tp.Backward(tp.Sum(y))
		return dev.total
	}
	for _, c := range []struct {
		checkpointing bool
		want          float64
	}{{false, inside}, {true, 1}} {
		more := float64(layers(40, c.checkpointing) - layers(20, c.checkpointing))
		if got := more / 20 / width; math.Abs(got-c.want) > 0.2*c.want {
			t.Errorf("checkpointing %v: a layer needs the memory of %.2f tensors, want %g",
				c.checkpointing, got, c.want)
		}
	}
}

// TestScopeSetsRowsOnce: a layer with running statistics changes them once.
func TestScopeSetsRowsOnce(t *testing.T) {
	dev := open(t, "cpu64")
	x, running := param(dev, 3), ag.NewTensor(dev, []float64{1}, 1)
	tp := ag.NewTape(dev)
	tp.ActivationCheckpointing = true
	loss := tp.Scope(func() *ag.Tensor {
		y := tp.Mul(x, x)
		tp.Unrecorded(func() { tp.SetRows(running, []int{0}, tp.Add(running, y)) })
		return tp.Sum(y)
	})
	near(t, "gradient", tp.Backward(loss)[x].Item(), 6)
	near(t, "running", running.Item(), 1+9)
	tp.SetRows(running, []int{0}, tp.Full(7, 1))
	near(t, "running after the step", running.Item(), 7)
}

// TestScopeWithoutGradient recycles at once what is computed inside, and by Reset its result.
func TestScopeWithoutGradient(t *testing.T) {
	x := param(open(t, "cpu64"), 3)
	tp := ag.NewInferenceTape(x.Device())
	var inner *ag.Tensor
	y := tp.Scope(func() *ag.Tensor { inner = tp.Mul(x, x); return tp.Scale(inner, 2) })
	near(t, "result", y.Item(), 18)
	for _, stale := range []*ag.Tensor{inner, y} {
		if got := optest.PanicOf(func() { stale.Item() }); !strings.Contains(got, "was recycled") {
			t.Errorf("panic %q", got)
		}
		tp.Reset()
	}
}

// TestScopeOfSavedValues differentiates a computation that uses the values that an earlier one
// saved, after the parameter has changed.
func TestScopeOfSavedValues(t *testing.T) {
	x := param(open(t, "cpu64"), 3)
	for _, checkpointing := range []bool{false, true} {
		tp, replay := ag.NewTape(x.Device()), ag.NewFrozenReplay([]*ag.Tensor{x})
		tp.ActivationCheckpointing = checkpointing
		loss := func() *ag.Tensor {
			tp.FrozenReplay = replay
			defer func() { tp.FrozenReplay = nil }()
			tp.StopGradient(tp.Exp(x))
			return tp.Scope(func() *ag.Tensor {
				var square *ag.Tensor
				tp.NoGrad(func() { square = tp.Mul(x, x) })
				return tp.Sum(tp.Mul(square, tp.Mul(tp.StopGradient(x), x)))
			})
		}
		loss()
		x.Assign([]float64{5})
		replay.Replay()
		near(t, "gradient of x₀²·x₀·x", tp.Backward(loss())[x].Item(), 27)
		near(t, "x after it", tp.StopGradient(x).Item(), 5)
		x.Assign([]float64{3})
	}
}

// TestScopeWithoutDependentResult: nothing is differentiated, whatever the part recorded.
func TestScopeWithoutDependentResult(t *testing.T) {
	x := param(open(t, "cpu64"), 3)
	tp := ag.NewTape(x.Device())
	tp.ActivationCheckpointing = true
	y := tp.Mul(x, x)
	same := tp.Scope(func() *ag.Tensor { tp.Exp(y); return y })
	constant := tp.Scope(func() *ag.Tensor { tp.Exp(y); return tp.StopGradient(tp.Exp(y)) })
	unused := tp.Scope(func() *ag.Tensor { return tp.Exp(y) })
	loss := tp.Scope(func() *ag.Tensor { return tp.Sum(tp.Mul(same, tp.Log(constant))) })
	near(t, "gradient", tp.Backward(loss, unused)[x].Item(), 9*6)
	near(t, "unused", tp.Log(unused).Item(), 9)
}

// TestScopeOfAnAssignedVariable expects the panic that tells what to do, for an operation of two
// operands and for one of a single operand.
func TestScopeOfAnAssignedVariable(t *testing.T) {
	dev := open(t, "cpu64")
	for _, second := range []bool{false, true} {
		x, y := param(dev, 3), param(dev, 3)
		tp := ag.NewTape(dev)
		tp.ActivationCheckpointing = true
		loss := tp.Scope(func() *ag.Tensor {
			if second {
				return tp.Mul(y, x)
			}
			return tp.Exp(x)
		})
		x = param(dev, 3)
		if text := optest.PanicOf(func() { tp.Backward(tp.Sum(loss)) }); !strings.Contains(text,
			"reads other tensors") {
			t.Errorf("panic %q", text)
		}
	}
}
