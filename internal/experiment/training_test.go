package experiment

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// TestAccumulatedBatches compares an epoch, of steps made from three batches' clipped gradients,
// with the same written out. The last step is made of the two batches that are left.
func TestAccumulatedBatches(t *testing.T) {
	set := map[string]string{"device": "cpu64", "train.batch": "8", "train.accumulate": "3", "train.clip_value": "0.02", "train.optimizer": "adam",
		"train.schedule": "constant", "train.weight_decay": "0.1"}
	tr, other := newTrainer(t, set), newTrainer(t, set)
	ph := tr.model.Phases()[1]
	if _, err := tr.steps(context.Background(), ph, tr.begin(ph), 1); err != nil {
		t.Fatal(err)
	}

	ph = other.model.Phases()[1]
	opt := optim.NewAdam(0.05, 0.1, ph.Params)
	rates, masks := other.masks(other.labelled, ph.Name, 1)
	batches := datasets.Order(40, 8, 0, stream(other.config.Seed, ph.Name, 1, "order"))
	for _, of := range [][]int{{0, 1, 2}, {3, 4}} {
		other.tape.Reset()
		sum := map[*ag.Tensor][]float64{}
		for _, i := range of {
			other.tape.Seed(stream(other.config.Seed, ph.Name, 1, "step", i).Uint64())
			other.feed.Fill(other.labelled, batches[i], masks)
			loss := zoo.Total(other.tape, ph.Terms(other.tape, other.feed.Batch(other.tape, &rates, 1)))
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
	for i, p := range tr.params {
		got, want := p.Values(), other.params[i].Values()
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
	c := resolved(t, set)
	data, err := openData(&c)
	if err != nil {
		t.Fatal(err)
	}
	dims, err := dimsOf(&c, data)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLearner(&c, dims)
	if err != nil {
		t.Fatal(err)
	}
	return &trainer{config: c, dir: runDir(t.TempDir()), set: data, labelled: data.Train, learner: l, tape: ag.NewTape(l.device), feed: newFeed(&c, dims),
		step: func(string, int, int) {}}
}

// TestPatience trains at a rate that changes nothing: no epoch is better than the first.
func TestPatience(t *testing.T) {
	r := newTestRunner(t)
	steps := 0
	r.Step = func(_ uint64, phase string, _, _ int) {
		if phase == "stage2" {
			steps++
		}
	}
	c := resolved(t, map[string]string{"train.lr": "1e-30", "train.schedule": "constant", "train.patience": "2", "train.epochs.stage2": "6"})
	dir, _, err := r.Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	const want = 3 * 3 // epochs of 3 steps
	if steps != want {
		t.Errorf("stage2 made %d steps, want %d", steps, want)
	}
	whole := contents(t, dir)
	d := runDir(filepath.Join(dir, "seed5"))
	if err := os.Remove(d.file(predictionsFile)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Resume(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	if steps != want {
		t.Errorf("resumed after its end, stage2 made %d steps more", steps-want)
	}
	sameFiles(t, "resumed", contents(t, dir), whole)
}

func TestExhausted(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.patience": "2"})
	tr.journal = &journal{}
	labels := zoo.Phase{Name: "stage2", Labels: true}
	var ended []int
	for i, mae := range []float64{math.NaN(), 1, 2, 0.5, 0.5, 0.7, 0.6} {
		tr.journal.records = append(tr.journal.records, record{Phase: "stage1", Epoch: i + 1, Valid: numbers{"MAE": 0}},
			record{Phase: "stage2", Epoch: i + 1, Valid: numbers{"MAE": mae}})
		if tr.exhausted(labels, i+1) {
			ended = append(ended, i+1)
		}
	}
	if !slices.Equal(ended, []int{6, 7}) {
		t.Errorf("exhausted after the epochs %v, want 6 and 7: the best is the fourth", ended)
	}
	if tr.exhausted(zoo.Phase{Name: "stage2"}, 7) {
		t.Error("a phase that is not validated has no patience")
	}
}

// trainUntil interrupts a training at a step, and returns how many were made.
func trainUntil(r *Runner, c Config, stop int) (dir string, steps int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.Step = func(uint64, string, int, int) {
		if steps++; steps == stop {
			cancel()
		}
	}
	dir, _, err = r.Train(ctx, c, []uint64{5})
	return dir, steps, err
}

// TestModelsResume interrupts the training of every model of the zoo in each epoch: resumed, it
// arrives at the same files, what a phase remembers of its utterances included.
func TestModelsResume(t *testing.T) {
	for _, spec := range zoo.Specs {
		t.Run(spec.Name, func(t *testing.T) {
			c, err := Resolve(Sources{Env: func(string) (string, bool) { return "", false }, Set: map[string]string{"model": spec.Name, "data.limit": "24",
				"data.scale": "0.2", "train.batch": "8", "train.epochs.train": "4", "train.schedule": "constant", "eval.rates": "0,0.5"}})
			if err != nil {
				t.Fatal(err)
			}
			dir, _, err := newTestRunner(t).Train(context.Background(), c, []uint64{5})
			if err != nil {
				t.Fatal(err)
			}
			want := contents(t, dir)
			for _, stop := range []int{2, 5, 8, 12} { // of 3 steps an epoch
				r := newTestRunner(t)
				dir, _, err := trainUntil(r, c, stop)
				if !errors.As(err, new(*Interrupted)) {
					t.Fatalf("stopped at step %d: error %v", stop, err)
				}
				if _, _, err := r.Resume(context.Background(), dir); err != nil {
					t.Fatal(err)
				}
				sameFiles(t, "resumed", contents(t, dir), want)
			}
		})
	}
}
