package train

import (
	"context"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestPasses makes an epoch of two passes, which update disjoint parameters: each sees its own keep
// masks, moves its own parameters, and has moments of its own.
func TestPasses(t *testing.T) {
	tr := newTrainer(t, nil)
	tr.step = func(string, int, int) {}
	ph := tr.Model.Phases()[1]
	whole := ph.Passes[0]
	var masks [2][]float64
	pass := func(k int, name string) zoo.Pass {
		return zoo.Pass{Name: name, Params: whole.Params[2*k : 2*k+2], Terms: func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
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
	if d := terms["first"] + terms["second"] - terms["loss"]; terms["first"] == 0 || terms["second"] == 0 || d > 1e-9 || d < -1e-9 {
		t.Errorf("terms %v: want two, whose sum is the loss", terms)
	}
	if len(masks[0]) != len(masks[1]) || slices.Equal(masks[0], masks[1]) || slices.Max(masks[0]) != 1 || slices.Min(masks[0]) != 0 {
		t.Error("the passes do not have keep masks of their own")
	}
	names := map[string]bool{}
	for _, p := range moments(ph, opts) {
		names[p.Name] = true
	}
	if len(names) != 12 || !names["first.adam."+whole.Params[0].Name+".exp_avg"] || !names["second.adam."+whole.Params[2].Name+".step"] {
		t.Errorf("state %v", names)
	}
}
