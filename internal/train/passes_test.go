package train

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestPasses makes an epoch of two passes, which update disjoint parameters: each sees its own
// keep masks, moves its own parameters, and has moments of its own.
func TestPasses(t *testing.T) {
	tr := newTrainer(t, nil)
	ph := tr.Model.Phases()[1]
	whole := ph.Passes[0]
	var order []string
	var masks [2][]float64
	var samples [2][]int
	pass := func(k int, name string) zoo.Pass {
		return zoo.Pass{Name: name, Params: whole.Params[2*k : 2*k+2],
			Terms: func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
				if !slices.Contains(order, name) {
					order = append(order, name)
				}
				samples[k] = append(samples[k], b.Index...)
				masks[k] = append(masks[k], b.KeepMasks[zoo.Audio].Values()...)
				terms, updates := whole.Terms(tp, b)
				terms[0].Name = name
				return terms, updates
			}}
	}
	ph.NeedsKeepMasks, ph.Passes = true, []zoo.Pass{pass(0, "first"), pass(1, "second")}
	var before [][]float64
	for _, p := range whole.Params {
		before = append(before, p.Values())
	}
	opts := tr.begin(ph)
	terms, err := tr.steps(context.Background(), ph, opts, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range whole.Params[:4] {
		if slices.Equal(p.Values(), before[i]) {
			t.Errorf("%s did not move", p.Name)
		}
	}
	if d := terms["first"] + terms["second"] - terms["loss"]; terms["first"] == 0 ||
		terms["second"] == 0 || d > 1e-9 || d < -1e-9 {
		t.Errorf("terms %v: want two, whose sum is the loss", terms)
	}
	if !slices.Equal(order, []string{"first", "second"}) {
		t.Errorf("the passes were made in the order %v", order)
	}
	if len(masks[0]) != len(masks[1]) || slices.Equal(masks[0], masks[1]) ||
		slices.Max(masks[0]) != 1 || slices.Min(masks[0]) != 0 {
		t.Error("the passes do not have keep masks of their own")
	}
	if slices.Equal(samples[0], samples[1]) {
		t.Error("both passes take the samples in the same order")
	}
	names := map[string]bool{}
	for _, p := range moments(ph, opts) {
		names[p.Name] = true
	}
	if len(names) != 12 || !names["first.adam."+whole.Params[0].Name+".exp_avg"] ||
		!names["second.adam."+whole.Params[2].Name+".step"] {
		t.Errorf("state %v", names)
	}
}

// TestPassesHaveTheirOwnSettings makes one step of each of two passes, whose groups have learning
// rates and weight decays of their own in the configuration. The first step of AdamW moves a
// number x by lr against the sign of its gradient, after x ← x − lr·decay·x.
func TestPassesHaveTheirOwnSettings(t *testing.T) {
	tr := newTrainer(t,
		map[string]string{"device": "cpu64", "train.batch": "40", "train.schedule": "constant",
			"train.groups.audio.lr": "0.01", "train.groups.audio.weight_decay": "0.5",
			"train.groups.head.lr": "0.2", "train.groups.head.weight_decay": "0.25"})
	ph := tr.Model.Phases()[1]
	whole := ph.Passes[0]
	ph.Passes = nil
	for i, name := range []string{"audio", "head"} {
		params := whole.Params[2*i : 2*i+2]
		ph.Passes = append(ph.Passes, zoo.Pass{Name: name, Params: params,
			Groups: []zoo.Group{{Name: name, Params: params}},
			Terms: func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
				if b.Step != 0 || b.Steps != 1 {
					t.Errorf("batch %d of %d, want 0 of 1", b.Step, b.Steps)
				}
				terms, updates := whole.Terms(tp, b)
				terms[0].Name = name
				return terms, updates
			}})
	}
	before := map[string][]float64{}
	for _, p := range whole.Params {
		before[p.Name] = p.Values()
	}
	opts := tr.begin(ph)
	for i, opt := range opts {
		tr.schedule(opt, ph.Passes[i], 1, 1)
	}
	if _, err := tr.steps(context.Background(), ph, opts, 1); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ lr, decay float64 }{{0.01, 0.5}, {0.2, 0.25}} {
		for _, p := range ph.Passes[i].Params {
			for j, x := range p.Values() {
				old := before[p.Name][j]
				moved := math.Abs(x - old*(1-want.lr*want.decay))
				if math.Abs(moved-want.lr) > 1e-3*want.lr { // Eps is not 0
					t.Errorf("%s[%d] moved by %g besides the decay, want %g", p.Name, j,
						moved, want.lr)
				}
			}
		}
	}
}

// TestPreviousBatch checks that each batch of a pass knows the samples of the one before it.
func TestPreviousBatch(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.batch": "12"})
	ph := tr.Model.Phases()[1]
	terms := ph.Passes[0].Terms
	var before []int
	batches := 0
	ph.Passes[0].Terms = func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
		if !slices.Equal(b.Previous, before) || (b.Step == 0) != (b.Previous == nil) {
			t.Errorf("batch %d comes after %v, want %v", b.Step, b.Previous, before)
		}
		before = slices.Clone(b.Index)
		batches++
		return terms(tp, b)
	}
	opts := tr.begin(ph)
	for epoch := 1; epoch <= 2; epoch++ {
		if _, err := tr.steps(context.Background(), ph, opts, epoch); err != nil {
			t.Fatal(err)
		}
		before = nil
	}
	if batches != 8 {
		t.Errorf("%d batches, want 8", batches)
	}
}

// TestClipParams clips the gradient of a pass that updates some of the parameters: afterwards the
// norm over these, or over ClipParams, is the limit.
func TestClipParams(t *testing.T) {
	tr := newTrainer(t, map[string]string{"device": "cpu64", "train.clip": "0.001"})
	pass := tr.Model.Phases()[1].Passes[0]
	all := pass.Params
	pass.Params = all[:1]
	for _, c := range []struct{ over, counted []nn.Param }{{nil, all[:1]}, {all, all}} {
		grads := ag.Grads{}
		for _, p := range all {
			grads[p.Tensor] = tr.tape.Full(1, p.Shape()...)
		}
		pass.ClipParams = c.over
		tr.update(pass, tr.optimizer(pass), grads)
		sum := 0.0
		for _, p := range c.counted {
			sum += grads[p.Tensor].Dot(grads[p.Tensor])
		}
		if norm := math.Sqrt(sum); math.Abs(norm-0.001) > 1e-8 {
			t.Errorf("the norm over %d parameters is %g, want 0.001", len(c.counted), norm)
		}
	}
}

// TestPassOverHalfOfTheBatches gives the terms of the later batches of a pass the weight 0: the
// optimiser makes no step for them.
func TestPassOverHalfOfTheBatches(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.batch": "8"})
	ph := tr.Model.Phases()[1]
	whole := ph.Passes[0]
	ph.Passes = []zoo.Pass{{Params: whole.Params,
		Terms: func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
			terms, updates := whole.Terms(tp, b)
			if 2*b.Step >= b.Steps {
				terms[0].Weight = 0
			}
			return terms, updates
		}}}
	opts := tr.begin(ph)
	if _, err := tr.steps(context.Background(), ph, opts, 1); err != nil {
		t.Fatal(err)
	}
	for _, p := range opts[0].State() {
		if strings.HasSuffix(p.Name, ".step") && p.Item() != 3 {
			t.Errorf("%s is %g after the first half of five batches, want 3", p.Name, p.Item())
		}
	}
}

// stale reports whether the memory of a tensor was given to others.
func stale(x *ag.Tensor) (yes bool) {
	defer func() { yes = recover() != nil }()
	x.Values()
	return false
}

// TestMeansOfTerms makes the second epoch of two passes of 20 steps, more than a reading of the
// terms has: it compares the means, the steps that are counted, the inputs, and what dropout draws.
func TestMeansOfTerms(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.batch": "2"})
	ph := tr.Model.Phases()[0]
	params := ph.Passes[0].Params
	var before *ag.Tensor
	draw := func(tp *ag.Tape) []float64 {
		return tp.Dropout(tp.Input(slices.Repeat([]float32{1}, 40), 40), 0.5).Values()
	}
	pass := func(name string, weight float64) zoo.Pass {
		return zoo.Pass{Name: name, Params: params,
			Terms: func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
				seeded := ag.NewTape(tr.Device)
				seeded.Seed(stream(tr.config.Seed, "stage1/"+name, 2, "step", b.Step).Uint64())
				if !slices.Equal(draw(tp), draw(seeded)) {
					t.Errorf("%s, step %d: dropout is not that of its stream", name, b.Step)
				}
				want := tr.set.Train.Audio
				row := want.T * want.D
				for i, x := range b.Complete.Audio.Values() {
					if y := want.X[b.Index[i/row]*row+i%row]; float32(x) != y {
						t.Fatalf("complete audio is %g, want %g", x, y)
					}
				}
				zero := tp.Scale(tp.Mean(params[0].Tensor), 0)
				if before != nil && !stale(before) {
					t.Errorf("%s, step %d: the tape still has the step before", name, b.Step)
				}
				step := tp.Input([]float32{float32(b.Step)})
				before = step
				weight := weight
				if name == "b" && b.Step >= 10 { // no gradient
					weight = 0
				}
				return []zoo.Term{{Name: "step", Loss: step},
					{Name: name, Weight: weight, Loss: tp.Add(zero, tp.Reshape(step))}}, nil
			}}
	}
	ph.MinBatch, ph.Passes = 0, []zoo.Pass{pass("a", 1), pass("b", 2)}
	opts := tr.begin(ph)
	count := 40
	tr.meter.report = func(p Progress) {
		if count++; p.Step != count {
			t.Errorf("step %d, want %d", p.Step, count)
		}
	}
	got, err := tr.steps(t.Context(), ph, opts, 2)
	const mean, half = 19. / 2, (0 + 9) * 10. / 2 / 20 // half: without the later steps
	want := rundir.Numbers{"step": 2 * mean, "a": mean, "b": mean, "loss": mean + 2*half}
	if err != nil || !maps.Equal(got, want) || count != 80 {
		t.Errorf("%v after %d steps (%v), want %v", got, count, err, want)
	}
}
