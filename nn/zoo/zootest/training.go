package zootest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// fitSteps is the number of steps in each phase after which a model has to fit four samples, and
// fitCheck the number of steps after which its training ends if it does.
const fitSteps, fitCheck = 200, 20

// overfitsFourSamples trains on four samples until the predictions are near their labels; the mean
// of the labels has error 1.5. Training changes every parameter that the prediction reads.
func overfitsFourSamples(t testing.TB, s *zoo.Spec, c zoo.Config) {
	c.TextEncoder().Dropout = 0
	m, p := New(t, s, c, "cpu", TinyDims)
	b := zoo.RandomBatch(p.Device(), &TinyDims, 4, 1)
	labels := []float64{-1, 1, 2, -2}
	b.Label.Assign(labels)
	start := valuesOf(m.PredictParams())
	limit := 0.15
	if slices.ContainsFunc(p.Buffers(), func(x nn.Param) bool {
		return slices.Contains(m.PredictParams(), x)
	}) {
		// the running variance of a batch norm is 4/3 of four samples' own: in inference they are
		// nearer to their mean, by 1 − √(3/4) of 1.5
		limit += 0.2
	}
	distance := func() float64 { return meanDistance(scores(m, b.Corrupted), labels) }
	fit(m, b, fitSteps, 0.01, func() bool { return distance() < limit })
	err := distance()
	t.Logf("the mean absolute error is %.4f", err)
	if !(err < limit) {
		t.Errorf("after %d steps on four samples the mean absolute error is %.3f, want less than "+
			"%.2f", fitSteps, err, limit)
	}
	for i, x := range m.PredictParams() {
		if slices.Equal(x.Values(), start[i]) {
			t.Errorf("training does not change %s", x.Name)
		}
	}
}

// fit trains every phase that needs labels for a number of steps on one batch, each step being an
// epoch. The others, which alone cannot fit the labels, are trained for a tenth as many. The
// training of a phase that needs labels ends early if fits, called after every fitCheck steps,
// returns true.
func fit(m zoo.Model, b *zoo.Batch, steps int, lr float64, fits func() bool) {
	for _, ph := range m.Phases() {
		steps := steps
		if !ph.Supervised {
			steps /= 10
		}
		newMemory(&ph, b)
		tp, opts := ag.NewTape(b.Label.Device()), optimizers(&ph, lr)
		for i := range steps {
			b.Epoch = i + 1
			for k, opt := range opts {
				opt.SetLR(lr * (1 - float64(i)/float64(steps)))
				tp.Reset()
				tp.Seed(uint64(i))
				step(tp, ph.Passes[k], b, opt)
			}
			if ph.Supervised && (i+1)%fitCheck == 0 && fits() {
				break
			}
		}
	}
}

// optimizers returns Adam for each pass.
func optimizers(ph *zoo.Phase, lr float64) []*optim.Adam {
	opts := make([]*optim.Adam, len(ph.Passes))
	for i, pass := range ph.Passes {
		opts[i] = optim.NewAdam(lr, 0, pass.Params)
	}
	return opts
}

// step makes a step of the optimiser on one batch.
func step(tp *ag.Tape, pass zoo.Pass, b *zoo.Batch, opt *optim.Adam) {
	terms, updates := pass.Terms(tp, b)
	zoo.Apply(tp, updates)
	opt.Step(tp.Backward(zoo.Total(tp, terms)))
}

// separatesClasses trains a model that can predict classes on four samples of three classes.
func separatesClasses(t testing.TB, s *zoo.Spec, c zoo.Config) {
	if s.Regression {
		t.Skip("the model predicts labels only")
	}
	d := TinyDims
	d.Classes = 3
	c.TextEncoder().Dropout = 0
	m, p := New(t, s, c, "cpu", d)
	b := zoo.RandomBatch(p.Device(), &d, 4, 1)
	var logits []float64
	// margin is the smallest difference of a sample's class from the larger of the other two.
	margin := func() float64 {
		y := m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score
		if got := y.Shape(); !slices.Equal(got, []int{4, 3}) {
			t.Fatalf("logits have shape %v, want [4 3]", got)
		}
		logits = y.Values()
		smallest := math.Inf(1)
		for i, class := range b.Class {
			z := slices.Clone(logits[3*i:][:3])
			own := z[class]
			z[class] = math.Inf(-1)
			smallest = min(smallest, own-slices.Max(z))
		}
		return smallest
	}
	fit(m, b, fitSteps/2, 0.01, func() bool { return margin() > 1 })
	if !(margin() > 0) {
		t.Errorf("after %d steps the logits of samples of the classes %v are %.2f", fitSteps/2,
			b.Class, logits)
	}
}

// activationCheckpointing trains every phase for three steps, with dropout. Parameters, buffers and
// memory get the same bits with [ag.Tape.ActivationCheckpointing] as without.
func activationCheckpointing(t testing.TB, s *zoo.Spec, c zoo.Config) {
	train := func(checkpointing bool) (state []nn.Param) {
		m, p := New(t, s, c, "cpu", TinyDims)
		for _, ph := range m.Phases() {
			b := zoo.RandomBatch(p.Device(), &TinyDims, 8, 1)
			state = append(state, newMemory(&ph, b)...)
			tp, opts := ag.NewTape(p.Device()), optimizers(&ph, 1e-3)
			tp.Poison, tp.ActivationCheckpointing = true, checkpointing
			for b.Epoch = 1; b.Epoch <= 3; b.Epoch++ {
				for k, opt := range opts {
					tp.Reset()
					tp.Seed(uint64(b.Epoch))
					step(tp, ph.Passes[k], b, opt)
				}
			}
		}
		return append(state, p.State()...)
	}
	want := train(false)
	for i, x := range train(true) {
		if !slices.Equal(x.Values(), want[i].Values()) {
			t.Errorf("%s has other bits after training with activation checkpointing", x.Name)
		}
	}
}

// A CountingDevice counts the buffers that it allocates.
type CountingDevice struct {
	ag.Device
	Buffers int
}

// Alloc allocates a buffer.
func (d *CountingDevice) Alloc(n int) device.Buffer { d.Buffers++; return d.Device.Alloc(n) }

// stepsAllocateNothing trains for six epochs of one batch; in the last three no step allocates
// device memory.
func stepsAllocateNothing(t testing.TB, s *zoo.Spec, c zoo.Config) {
	dev := &CountingDevice{Device: Open(t, "cpu")}
	m := s.New(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))), c, TinyDims)
	for _, ph := range m.Phases() {
		const warmup = 3
		var batches []*zoo.Batch
		for i := range warmup + 3 {
			batches = append(batches, zoo.RandomBatch(dev, &TinyDims, 4, uint64(i)))
			batches[i].Epoch = 1 + i
		}
		newMemory(&ph, batches[0])
		tp, opts := ag.NewTape(dev), optimizers(&ph, 1e-3)
		counts := make([]int, len(batches))
		for i, b := range batches {
			for k, opt := range opts {
				tp.Reset()
				step(tp, ph.Passes[k], b, opt)
			}
			counts[i] = dev.Buffers
		}
		if counts[len(counts)-1] != counts[warmup-1] {
			t.Errorf("%s: number of buffers after each step: %v: want no new ones after step %d",
				ph.Name, counts, warmup)
		}
	}
}
