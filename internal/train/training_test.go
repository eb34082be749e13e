package train

import (
	"context"
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// TestAccumulatedBatches compares an epoch, of steps made from three batches' clipped gradients,
// with the same written out. The last step is made of the two batches that are left.
func TestAccumulatedBatches(t *testing.T) {
	set := map[string]string{"device": "cpu64", "train.batch": "8", "train.accumulate": "3",
		"train.clip_value": "0.02", "train.optimizer": "adam",
		"train.schedule": "constant", "train.weight_decay": "0.1"}
	tr, other := newTrainer(t, set), newTrainer(t, set)
	ph := tr.Model.Phases()[1]
	if _, err := tr.steps(context.Background(), ph, tr.begin(ph), 1); err != nil {
		t.Fatal(err)
	}

	ph = other.Model.Phases()[1]
	opt := optim.NewAdam(0.05, 0.1, ph.Params())
	rates, masks := other.masks(other.labelled, ph.Name, 1)
	batches := datasets.Order(40, 8, 0, stream(other.config.Seed, ph.Name, 1, "order"))
	for _, of := range [][]int{{0, 1, 2}, {3, 4}} {
		other.tape.Reset()
		sum := map[*ag.Tensor][]float64{}
		for _, i := range of {
			other.tape.Seed(stream(other.config.Seed, ph.Name, 1, "step", i).Uint64())
			other.batcher.FillCorrupted(other.labelled, batches[i], masks)
			terms, _ := ph.Passes[0].Terms(other.tape,
				other.batcher.Batch(other.tape, ph, &rates, 1))
			loss := zoo.Total(other.tape, terms)
			for x, g := range other.tape.Backward(loss) {
				if sum[x] == nil {
					sum[x] = make([]float64, x.Len())
				}
				for j, v := range g.Values() {
					sum[x][j] = min(max(sum[x][j]+v, -0.02), 0.02)
				}
			}
		}
		grads := ag.Grads{}
		for x, v := range sum {
			grads[x] = ag.NewTensor(x.Device(), v, x.Shape()...)
		}
		opt.Step(grads)
	}
	for i, p := range tr.Params {
		got, want := p.Values(), other.Params[i].Values()
		for j := range want {
			if math.Abs(got[j]-want[j]) > 1e-12 {
				t.Fatalf("%s[%d] is %.15g, want %.15g", p.Name, j, got[j], want[j])
			}
		}
	}
}

// newTrainer returns a trainer, not begun.
func newTrainer(t *testing.T, set map[string]string) *trainer {
	t.Helper()
	c := settingstest.Resolved(t, set)
	data, err := Open(&c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	dims, err := data.dims(&c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLearner(&c, dims)
	if err != nil {
		t.Fatal(err)
	}
	return &trainer{config: c, dir: rundir.Dir(t.TempDir()), set: data.Set,
		labelled: data.Set.Train, origin: data.Origin, Learner: l, tape: ag.NewTape(l.Device),
		batcher: newBatcher(&c, dims),
		meter:   &Meter{report: func(Progress) {}, phases: map[string]*work{}}}
}

func TestOutOfPatience(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.patience": "2"})
	tr.journal = &rundir.Journal{}
	labels := zoo.Phase{Name: "stage2", Supervised: true}
	var ended []int
	for i, mae := range []float64{math.NaN(), 1, 2, 0.5, 0.5, 0.7, 0.6} {
		tr.journal.Records = append(tr.journal.Records,
			rundir.Record{Phase: "stage1", Epoch: i + 1, Valid: rundir.Numbers{"MAE": 0}},
			rundir.Record{Phase: "stage2", Epoch: i + 1, Valid: rundir.Numbers{"MAE": mae}})
		if tr.outOfPatience(labels, i+1) {
			ended = append(ended, i+1)
		}
	}
	if !slices.Equal(ended, []int{6, 7}) {
		t.Errorf("out of patience after the epochs %v, want 6 and 7: the best is the fourth",
			ended)
	}
	if tr.outOfPatience(zoo.Phase{Name: "stage2"}, 7) {
		t.Error("a phase that is not validated has no patience")
	}
}

// TestLimitOfParameters sets all elements of one parameter to about the largest root mean square.
func TestLimitOfParameters(t *testing.T) {
	tr := newTrainer(t, nil)
	ph := tr.Model.Phases()[0]
	p := ph.Params()[0]
	for v, want := range map[float64]bool{0.999e6: true, -0.999e6: true, 1.001e6: false} {
		p.Assign(slices.Repeat([]float64{v}, p.Len()))
		if err := tr.checkParams(ph, 1); (err == nil) != want {
			t.Errorf("all elements of %s are %g: error %v", p.Name, v, err)
		}
	}
}
