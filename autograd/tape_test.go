package autograd_test

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/internal/device"
)

func param(dev ag.Device, v ...float64) *ag.Tensor { return ag.NewParam(dev, v, len(v)) }

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

// Work after the loss, and a tensor used twice, must not change a gradient.
func TestBackwardStartsAtTheLoss(t *testing.T) {
	dev := open(t, "cpu64")
	x := param(dev, 3)
	tp := ag.NewTape(dev)
	loss := tp.Sum(tp.Mul(x, x))
	tp.Scale(loss, 7)
	near(t, "d(x²)/dx at 3", tp.Backward(loss)[x].Item(), 6)
}

func TestSharedGradientIsNotMutated(t *testing.T) {
	dev := open(t, "cpu64")
	x, y := param(dev, 2), param(dev, 5)
	tp := ag.NewTape(dev)
	s := tp.Add(x, y) // both inputs get the same gradient tensor
	loss := tp.Sum(tp.Add(s, tp.Mul(x, x)))
	g := tp.Backward(loss)
	near(t, "x̄", g[x].Item(), 5)
	near(t, "ȳ", g[y].Item(), 1)
}

// TestGradientOfTwoIsNotMutated adds to the gradient of x after y has got the same tensor, which is
// then used by no others.
func TestGradientOfTwoIsNotMutated(t *testing.T) {
	dev := open(t, "cpu64")
	x, y := param(dev, 2), param(dev, 5)
	tp := ag.NewTape(dev)
	square := tp.Mul(x, x)
	s := tp.Add(x, y)
	g := tp.Backward(tp.Sum(tp.Add(tp.Scale(square, 3), s)))
	near(t, "x̄", g[x].Item(), 3*2*2+1)
	near(t, "ȳ", g[y].Item(), 1)
}

// Backward recycles what it has used, except the loss and the tensors to keep: these are
// constants from then on.
func TestBackwardConsumes(t *testing.T) {
	dev := open(t, "cpu64")
	x := param(dev, 3)
	tp := ag.NewTape(dev)
	tp.Poison = true
	y := tp.Mul(x, x)
	gone := tp.Exp(y)
	loss := tp.Sum(tp.Add(tp.Mul(y, gone), tp.Reshape(y, 1, 1)))
	g := tp.Backward(loss, y)
	near(t, "d(x²·exp x² + x²)/dx", g[x].Item(), math.Exp(9)*(6+54)+6)
	near(t, "loss", loss.Item(), 9*math.Exp(9)+9)
	near(t, "kept value", y.Item(), 9)
	near(t, "gradient of what is computed later", tp.Backward(tp.Sum(tp.Mul(y, x)))[x].Item(), 9)
	for _, misuse := range []func(){func() { gone.Item() }, func() { tp.Backward(loss) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic at use of a consumed computation")
				}
			}()
			misuse()
		}()
	}
}

// Gradients that live in one memory, several times in one operation and across operations, are
// summed without touching each other.
func TestAliasedGradients(t *testing.T) {
	dev := open(t, "cpu64")
	a, b, c := param(dev, 2), param(dev, 3), param(dev, 5)
	tp := ag.NewTape(dev)
	tp.Poison = true
	var y *ag.Tensor
	tp.NoGrad(func() { y = tp.Add(tp.Add(tp.Scale(a, 2), b), c) })
	tp.RecordJoint("SameForAll", []*ag.Tensor{y}, []*ag.Tensor{a, a, b, c},
		func(g []*ag.Tensor) []*ag.Tensor {
			return []*ag.Tensor{g[0], g[0], tp.Reshape(g[0], 1), g[0]}
		})
	s := tp.Add(tp.Add(y, c), b)
	g := tp.Backward(tp.Sum(tp.Add(tp.Mul(a, s), tp.Add(s, s))))
	near(t, "ā", g[a].Item(), 2*(2+2)+(2*2+2*3+2*5)) // (a + 2)·s, s = 2a + 2b + 2c
	near(t, "b̄", g[b].Item(), 2*(2+2))
	near(t, "c̄", g[c].Item(), 2*(2+2))
}

// Accumulate sums the gradients of losses as if they were one, of dense and row-sparse gradients
// and of parameters that one loss alone knows, and in groups of equal shape takes no more memory
// than in the first.
func TestAccumulate(t *testing.T) {
	dev := &counting{Device: open(t, "cpu64")}
	a, b, table := param(dev, 2, 3), param(dev, 5, 7), ag.NewParam(dev,
		[]float64{1, 2, 3, 4, 5, 6}, 3, 2)
	losses := []func(tp *ag.Tape) *ag.Tensor{
		func(tp *ag.Tape) *ag.Tensor {
			return tp.Sum(tp.Mul(tp.Mul(a, a), tp.Lookup(table, []int{2, 0})))
		},
		func(tp *ag.Tape) *ag.Tensor {
			return tp.Sum(tp.Mul(tp.Mul(a, b), tp.Lookup(table, []int{2, 2})))
		},
		func(tp *ag.Tape) *ag.Tensor { return tp.Sum(tp.Exp(tp.Scale(a, 0.1))) },
	}
	tp := ag.NewTape(dev)
	sum := tp.Add(tp.Add(losses[0](tp), losses[1](tp)), losses[2](tp))
	want := tp.Backward(sum)
	values := [][]float64{want[a].Values(), want[b].Values(), want[table].Values()}
	first := 0
	tp = ag.NewTape(dev)
	tp.Poison = true
	for group := range 3 {
		tp.Reset()
		grads := ag.Grads{}
		for _, loss := range losses {
			tp.Accumulate(grads, loss(tp))
		}
		for i, x := range []*ag.Tensor{a, b, table} {
			for j, v := range grads[x].Values() {
				near(t, "accumulated gradient", v, values[i][j])
			}
		}
		if group == 0 {
			first = dev.buffers
		}
	}
	if dev.buffers != first {
		t.Errorf("%d buffers after the first group, %d after the third", first, dev.buffers)
	}
	scalar := ag.NewParam(dev, []float64{3})
	grads := tp.Backward(tp.Mul(scalar, scalar))
	tp.Accumulate(grads, scalar)
	near(t, "gradient of x² + x", grads[scalar].Item(), 7)
	five := ag.NewTensor(dev, []float64{5}) // not of the tape
	grads = ag.Grads{scalar: five}
	tp.Accumulate(grads, tp.Mul(scalar, scalar))
	near(t, "gradient of x², and 5", grads[scalar].Item(), 11)
	near(t, "the gradient that it was added to", five.Item(), 5)
}

// Scope takes memory back where nothing was recorded, and else leaves it to Backward.
func TestScope(t *testing.T) {
	dev := open(t, "cpu64")
	x, c := param(dev, 3), ag.NewTensor(dev, []float64{3}, 1)
	tp := ag.NewTape(dev)
	tp.Poison = true
	run := func(x *ag.Tensor) (inner, y *ag.Tensor) {
		y = tp.Scope(func() *ag.Tensor {
			inner = tp.Mul(x, x)
			return tp.Mul(inner, inner)
		})
		return inner, y
	}
	inner, y := run(x)
	near(t, "value inside", inner.Item(), 9)
	near(t, "d(x⁴)", tp.Backward(tp.Sum(y))[x].Item(), 108)
	inner, y = run(c)
	near(t, "x⁴", y.Item(), 81)
	defer func() {
		if recover() == nil {
			t.Error("a constant made in a Scope can be read after it")
		}
	}()
	inner.Item()
}

func TestFrozen(t *testing.T) {
	dev := open(t, "cpu64")
	w, x := param(dev, 3), param(dev, 2)
	tp := ag.NewTape(dev)
	var frozen *ag.Tensor
	tp.Frozen([]*ag.Tensor{w}, func() {
		tp.Frozen([]*ag.Tensor{w}, func() {}) // nests
		frozen = tp.Mul(w, x)
	})
	g := tp.Backward(tp.Sum(tp.Add(frozen, tp.Mul(tp.Mul(w, w), tp.StopGradient(x)))))
	near(t, "gradient through the frozen view", g[x].Item(), 3)
	near(t, "gradient of w outside of it", g[w].Item(), 2*3*2)
}

func TestNoGradAndInference(t *testing.T) {
	dev := open(t, "cpu64")
	x := param(dev, 3)
	tp := ag.NewTape(dev)
	var constant *ag.Tensor
	tp.NoGrad(func() { constant = tp.Mul(x, x) })
	near(t, "x̄ of c·x", tp.Backward(tp.Sum(tp.Mul(constant, x)))[x].Item(), 9)

	inf := ag.NewInferenceTape(dev)
	y := inf.Sum(inf.Dropout(inf.Mul(x, x), 0.9))
	near(t, "value without dropout", y.Item(), 9)
	if g := inf.Backward(y); len(g) != 0 {
		t.Errorf("an inference tape gave %d gradients", len(g))
	}
}

func TestJointResults(t *testing.T) {
	dev := open(t, "cpu64")
	x := param(dev, 3)
	tp := ag.NewTape(dev)
	var square, cube *ag.Tensor
	tp.NoGrad(func() { square = tp.Mul(x, x); cube = tp.Mul(square, x) })
	tp.RecordJoint("Powers", []*ag.Tensor{square, cube}, []*ag.Tensor{x},
		func(g []*ag.Tensor) []*ag.Tensor {
			return []*ag.Tensor{tp.Add(tp.Mul(g[0], tp.Scale(x, 2)),
				tp.Mul(g[1], tp.Scale(square, 3)))}
		})
	near(t, "gradient of both", tp.Backward(tp.Sum(tp.Add(square, cube)))[x].Item(), 33)
}

func TestJointResultsOfWhichOneIsUnused(t *testing.T) {
	dev := open(t, "cpu64")
	x := param(dev, 3)
	tp := ag.NewTape(dev)
	var same, twice *ag.Tensor
	tp.NoGrad(func() { same = tp.Scale(x, 1); twice = tp.Scale(x, 2) })
	tp.RecordJoint("OneTwo", []*ag.Tensor{same, twice}, []*ag.Tensor{x},
		func(g []*ag.Tensor) []*ag.Tensor {
			return []*ag.Tensor{tp.Add(g[0], tp.Scale(g[1], 2))}
		})
	near(t, "gradient of one", tp.Backward(tp.Sum(twice))[x].Item(), 2)
}

// objective is a small network: every kind of memory a training step uses.
func objective(tp *ag.Tape, w, b, x *ag.Tensor) *ag.Tensor {
	h := tp.Dropout(tp.GELU(tp.Linear(x, w, b)), 0.2)
	a := tp.Attention(h, h, h, ag.AttentionConfig{Heads: 2})
	return tp.Mean(tp.Mul(a, tp.Slice(tp.Concat(1, h, a), 1, 1, 6)))
}

func network(dev ag.Device) (w, b, x *ag.Tensor) {
	v := make([]float64, 4*5*8)
	for i := range v {
		v[i] = math.Sin(float64(i))
	}
	return ag.NewParam(dev, v[:64], 8, 8), ag.NewParam(dev, v[:8], 8), ag.NewTensor(dev,
		v, 4, 5, 8)
}

// counting counts the buffers that a device allocates.
type counting struct {
	ag.Device
	buffers int
}

func (c *counting) Alloc(n int) device.Buffer { c.buffers++; return c.Device.Alloc(n) }

func TestStepsReuseMemory(t *testing.T) {
	dev := &counting{Device: open(t, "cpu")}
	w, b, x := network(dev)
	tp := ag.NewTape(dev)
	counts := make([]int, 4)
	for i := range counts {
		tp.Reset()
		tp.Backward(objective(tp, w, b, x))
		counts[i] = dev.buffers
	}
	if counts[1] != counts[0] || counts[3] != counts[0] {
		t.Errorf("buffers after each step: %v: the first step alone may allocate", counts)
	}
}

func TestSameSeedSameBits(t *testing.T) {
	dev := open(t, "cpu")
	run := func(seed uint64) []float64 {
		w, b, x := network(dev)
		tp := ag.NewTape(dev)
		for i := range 5 {
			tp.Reset()
			tp.Seed(seed + uint64(i))
			g := tp.Backward(objective(tp, w, b, x))
			w.AddScaled(-0.1, g[w])
		}
		return w.Values()
	}
	if !slices.Equal(run(1), run(1)) {
		t.Error("the same seed gave different bits")
	}
	if slices.Equal(run(1), run(2)) {
		t.Error("another seed gave the same bits")
	}
}

func TestTapesShareParameters(t *testing.T) {
	dev := open(t, "cpu")
	w, b, x := network(dev)
	results := make([][]float64, 4)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			tp := ag.NewTape(dev)
			for range 10 {
				tp.Reset()
				tp.Seed(1)
				g := tp.Backward(objective(tp, w, b, x))
				results[i] = g[w].Values()
			}
		})
	}
	wg.Wait()
	for i := range results {
		if !slices.Equal(results[i], results[0]) {
			t.Error("tapes on shared parameters disagree")
		}
	}
}

func TestDerivativeOfNetworkAlongDirection(t *testing.T) {
	w, b, x := network(open(t, "cpu64"))
	agtest.CheckDirection(t, 1e-7, []*ag.Tensor{w, b}, func(tp *ag.Tape) *ag.Tensor {
		return objective(tp, w, b, x)
	})
}

func TestMisusePanics(t *testing.T) {
	dev, other := open(t, "cpu64"), open(t, "cpu")
	a, b := ag.NewTensor(dev, make([]float64, 6), 2, 3), ag.NewTensor(dev, make([]float64, 8),
		4, 2)
	tp := ag.NewTape(dev)
	stale, staleBias := tp.Exp(a), tp.Exp(param(dev, 1, 2, 3, 4))
	tp.Reset()
	for _, c := range []struct {
		want string
		f    func()
	}{
		{"autograd: MatMul: shapes [2 3] and [4 2]: inner lengths 3 and 4 differ", func() {
			tp.MatMul(a, b, ag.NN)
		}},
		{"autograd: Add: shapes [2 3] and [4 2] do not broadcast", func() { tp.Add(a, b) }},
		{"autograd: Exp: the operand's memory was recycled", func() { tp.Exp(stale) }},
		{"autograd: Values: the operand's memory was recycled", func() { stale.Values() }},
		{"autograd: LSTM: the operand's memory was recycled", func() {
			w := lstmWeights(dev, 3, 1)
			tp.LSTM(tp.Reshape(a, 2, 1, 3), ag.LSTMWeights{Input: w.Input, Hidden: w.Hidden,
				InputBias: w.InputBias, HiddenBias: staleBias}, []int{1, 1}, false)
		}},
		{"autograd: L2Normalize: ", func() { tp.L2Normalize(tp.Sum(a), 1e-12) }},
		{"autograd: Exp: operand belongs to another tape", func() {
			tp.Exp(ag.NewTape(dev).Exp(a))
		}},
		{"autograd: Exp: operand is on device cpu, the tape on cpu64", func() {
			tp.Exp(ag.NewTensor(other, []float64{1}, 1))
		}},
		{"autograd: Backward: loss has shape [2 3], want a scalar", func() { tp.Backward(a) }},
		{"autograd: Slice: [1, 4) of axis 1 of [2 3]", func() { tp.Slice(a, 1, 1, 4) }},
		{"autograd: Reshape: [2 3] to [4 -1]", func() { tp.Reshape(a, 4, -1) }},
		{"autograd: Gather: index 2 of 2 rows", func() { tp.Gather(a, []int{0, 2}) }},
		{"autograd: Assign: the tensor belongs to a tape", func() {
			tp.Exp(a).Assign(make([]float64, 6))
		}},
		{"autograd: AddToRow: Tensor[4 2] on cpu64 as row 1 of Tensor[2 3] on cpu64", func() {
			a.AddToRow(1, b)
		}},
		{"autograd: AddToRow: Tensor[3] on cpu64 as row 2 of Tensor[2 3] on cpu64", func() {
			a.AddToRow(2, param(dev, 1, 2, 3))
		}},
		{"autograd: AddToRow: the tensor belongs to a tape", func() {
			tp.Exp(a).AddToRow(0, param(dev, 1, 2, 3))
		}},
		{"autograd: ScaleGradient: gradient Tensor[2 3] on cpu64 by Tensor[3] on cpu64: want a scalar", func() {
			x := ag.NewParam(dev, make([]float64, 6), 2, 3)
			tp.ScaleGradient(tp.Backward(tp.Sum(tp.Lookup(x, []int{1})))[x], param(dev, 1, 2, 3))
		}},
		{"autograd: ClampGradient: gradient Tensor[2 3] on cpu64 to [1, 2]: want 0 to stay 0",
			func() {
				x := ag.NewParam(dev, make([]float64, 6), 2, 3)
				tp.ClampGradient(tp.Backward(tp.Sum(tp.Lookup(x, []int{1})))[x], 1, 2)
			}},
		{"autograd: Mul: Tensor[2 3] on cpu64 is a row-sparse gradient", func() {
			x := ag.NewParam(dev, make([]float64, 6), 2, 3)
			tp.Mul(tp.Backward(tp.Sum(tp.Lookup(x, []int{1})))[x], param(dev, 1, 2, 3))
		}},
		{"autograd: Clamp: Tensor[2 3] on cpu64 is a row-sparse gradient", func() {
			x := ag.NewParam(dev, make([]float64, 6), 2, 3)
			tp.Clamp(tp.Backward(tp.Sum(tp.Lookup(x, []int{1})))[x], -1, 1)
		}},
		{"autograd: Split: axis 1 of [2 3] into [1 1]", func() { tp.Split(a, 1, 1, 1) }},
		{"autograd: Split: axis 1 of [2 3] into [2 2]", func() { tp.Split(a, 1, 2, 2) }},
		{"autograd: Split: axis 1 of [2 3] into [3 0]", func() { tp.Split(a, 1, 3, 0) }},
		{"autograd: Split: axis 2 of shape [2 3]", func() { tp.Split(a, 2, 1) }},
		{"autograd: Buffer: the operand's memory was recycled", func() { stale.Buffer() }},
		{"autograd: Accumulate: the operand's memory was recycled", func() {
			x := param(dev, 1)
			grads := tp.Backward(tp.Sum(tp.Mul(x, x)))
			tp.Reset()
			tp.Accumulate(grads, tp.Sum(x))
		}},
		{"autograd: LSTM: x [2 3 2], weights [12 2] and [12 3], biases [12] and [2]: want [B T in]", func() {
			w := lstmWeights(dev, 2, 3)
			w.HiddenBias = param(dev, 1, 2)
			tp.LSTM(waves(dev, 1, 2, 3, 2), w, []int{1, 2}, false)
		}},
		{"autograd: LSTM: 1 lengths for x [2 3 2]", func() {
			tp.LSTM(waves(dev, 1, 2, 3, 2), lstmWeights(dev, 2, 3), []int{1}, false)
		}},
		{"autograd: LSTM: sample 1 has length 4: want 1 to the 3 steps of x [2 3 2]", func() {
			tp.LSTM(waves(dev, 1, 2, 3, 2), lstmWeights(dev, 2, 3), []int{1, 4}, false)
		}},
		{"autograd: Pad: axis 1 of [2 3] by 0 and -1", func() { tp.Pad(a, 1, 0, -1) }},
		{"autograd: MeanPool: x [2 3]: want [B T C]", func() { tp.MeanPool(a, nil) }},
		{"autograd: MeanPool: 1 lengths for x [2 3 2]", func() {
			tp.MeanPool(waves(dev, 1, 2, 3, 2), []int{1})
		}},
		{"autograd: AlignPool: x [2 3 2] to 0 steps: want at least 1", func() {
			tp.AlignPool(waves(dev, 1, 2, 3, 2), 0)
		}},
		{"autograd: MaxPool: sample 1 has length 4: want 1 to the 3 steps of x [2 3 2]", func() {
			tp.MaxPool(waves(dev, 1, 2, 3, 2), []int{1, 4})
		}},
		{"autograd: MaxPool: sample 0 has length 0: want 1 to the 3 steps of x [2 3 2]", func() {
			tp.MaxPool(waves(dev, 1, 2, 3, 2), []int{0, 3})
		}},
		{"autograd: LogDet: shape [2 3]: want [… n n]", func() { tp.LogDet(a) }},
		{"autograd: LogDet: matrix 1 of [2 2 2] is not positive definite: pivot 1 is -3;", func() {
			tp.LogDet(ag.NewParam(dev, []float64{2, 1, 1, 2, 1, 2, 2, 1}, 2, 2, 2))
		}},
		{"autograd: LogDet: matrix 0 of [2 2] is not positive definite: pivot 1 is 0;", func() {
			tp.LogDet(ag.NewParam(dev, []float64{1, 1, 1, 1}, 2, 2))
		}},
		{"autograd: GRU: x [2 3 2], weights [12 2] and [12 3], biases [12] and [12]: want", func() {
			tp.GRU(waves(dev, 1, 2, 3, 2), lstmWeights(dev, 2, 3), []int{1, 2}, false)
		}},
		{"autograd: SelectiveScan: u [2 0 3], step [2 0 3], z [2 0 3], b [2 0 4], c [2 0 4], " +
			"StepBias [3], Skip [3], ALog [3 4]: want [B T D], [B T D],", func() {
			scanOf(dev, tp, []int{2, 0, 3}, []int{2, 0, 4}, []int{3}, []int{3, 4})
		}},
		{"autograd: SelectiveScan: u [2 5 3], step [2 5 3], z [2 5 3], b [2 5 4]", func() {
			scanOf(dev, tp, []int{2, 5, 3}, []int{2, 5, 4}, []int{3}, []int{3, 2})
		}},
		{"autograd: SelectiveScan: u [2 5 3]", func() {
			scanOf(dev, tp, []int{2, 5, 3}, []int{2, 5, 0}, []int{3}, []int{3, 0})
		}},
		{"autograd: SelectiveScan: u [2 5 3]", func() {
			scanOf(dev, tp, []int{2, 5, 3}, []int{2, 5, 4}, []int{3}, []int{4, 4})
		}},
		{"autograd: SelectiveScan: u [2 3]", func() {
			scanOf(dev, tp, []int{2, 3}, []int{2, 4}, []int{3}, []int{3, 4})
		}},
		{"autograd: SelectiveScan: u [2 5 3], step [2 5 3], z [2 5 3], b [2 5 4]", func() {
			scanOf(dev, tp, []int{2, 5, 3}, []int{2, 5, 4}, []int{4}, []int{3, 4})
		}},
		{"autograd: CausalConv: x [2 3], w [3 2], b [3]: want [B T C], [C K], [C]", func() {
			tp.CausalConv(a, waves(dev, 1, 3, 2), param(dev, 1, 2, 3), false)
		}},
		{"autograd: CausalConv: x [1 5 3], w [2 4], b [3]: want", func() {
			tp.CausalConv(waves(dev, 1, 1, 5, 3), waves(dev, 1, 2, 4), param(dev, 1, 2, 3), false)
		}},
		{"autograd: CausalConv: x [1 5 3], w [3 4], b [3 1]: want", func() {
			tp.CausalConv(waves(dev, 1, 1, 5, 3), waves(dev, 1, 3, 4), waves(dev, 1, 3, 1), false)
		}},
		{"autograd: CausalConv: x [1 0 3], w [3 4], b [3]: want", func() {
			tp.CausalConv(waves(dev, 1, 1, 0, 3), waves(dev, 1, 3, 4), param(dev, 1, 2, 3), true)
		}},
		{"autograd: CausalConv: x [1 5 3], w [3 0], b [3]: want", func() {
			tp.CausalConv(waves(dev, 1, 1, 5, 3), waves(dev, 1, 3, 0), param(dev, 1, 2, 3), true)
		}},
		{"autograd: RMSNorm: x [2 3], gamma [2]: want [… n], [n]", func() {
			tp.RMSNorm(a, param(dev, 1, 2), 1e-5)
		}},
		{"autograd: RMSNorm: x [2 3], gamma [3 1]: want [… n], [n]", func() {
			tp.RMSNorm(a, waves(dev, 1, 3, 1), 1e-5)
		}},
		{"autograd: UntilEnd: sample 0 has length 4: want 0 to 3", func() {
			tp.UntilEnd([]int{4, 1}, 3)
		}},
		{"autograd: UntilEnd: sample 1 has length -1: want 0 to 3", func() {
			tp.UntilEnd([]int{3, -1}, 3)
		}},
		{"autograd: Norm: the operand's memory was recycled", func() { tp.Norm(a, stale) }},
		{"autograd: Twice: the result is not a new tensor", func() {
			x := param(dev, 1)
			y := tp.Exp(x)
			tp.Record("Twice", y, ag.Wrt(x, func(g *ag.Tensor) *ag.Tensor { return g }))
		}},
		{"autograd: Bad: gradient of shape [3] for an input of shape [2]", func() {
			x := param(dev, 1, 2)
			var y *ag.Tensor
			tp.NoGrad(func() { y = tp.Sum(x) })
			tp.Record("Bad", y, ag.Wrt(x, func(*ag.Tensor) *ag.Tensor {
				return param(dev, 1, 2, 3)
			}))
			tp.Backward(y)
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
}

func TestKeptValueOutlivesReset(t *testing.T) {
	dev := open(t, "cpu64")
	tp := ag.NewTape(dev)
	y := tp.Exp(param(dev, 0)).Clone()
	tp.Reset()
	near(t, "clone", y.Item(), 1)
}

func TestAddToRow(t *testing.T) {
	dev := open(t, "cpu")
	tp := ag.NewTape(dev)
	x := ag.NewTensor(dev, make([]float64, 6), 3, 2)
	x.AddToRow(2, tp.Exp(ag.NewTensor(dev, make([]float64, 2), 2)))
	x.AddToRow(0, tp.Reshape(param(dev, 4, 5), 2, 1))
	tp.Reset()
	if v := x.Values(); !slices.Equal(v, []float64{4, 5, 0, 0, 1, 1}) {
		t.Errorf("rows %v, want 4 5, 0 0, 1 1", v)
	}
}

func TestEqualMaximaShareTheGradient(t *testing.T) {
	dev := open(t, "cpu64")
	x := param(dev, 2, 5, 5, 1)
	tp := ag.NewTape(dev)
	if g := tp.Backward(tp.Max(x))[x].Values(); !slices.Equal(g, []float64{0, 0.5, 0.5, 0}) {
		t.Errorf("gradient %v, want [0 0.5 0.5 0]", g)
	}
}

// TestBCEIsFinite checks that a probability of exactly 0 or 1 has a loss of at most −ln e⁻¹⁰⁰, and
// a finite gradient.
func TestBCEIsFinite(t *testing.T) {
	for name := range devices {
		dev := open(t, name)
		p, y := param(dev, 0, 1), ag.NewTensor(dev, []float64{1, 0}, 2)
		tp := ag.NewTape(dev)
		loss := tp.BCE(p, y)
		if v := loss.Item(); math.Abs(v-100) > 0.1 {
			t.Errorf("%s: BCE of certain errors is %g, want 100", name, v)
		}
		for _, g := range tp.Backward(loss)[p].Values() {
			if math.IsNaN(g) || math.IsInf(g, 0) {
				t.Errorf("%s: gradient %g", name, g)
			}
		}
		x := param(dev, 1000, -1000)
		if v := tp.BCEWithLogits(x, y).Item(); math.Abs(v) > 1e-6 {
			t.Errorf("%s: BCE of certain, right logits is %g, want 0", name, v)
		}
	}
}
