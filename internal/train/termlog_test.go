package train

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A watched device counts transfers to the host and allocations, and returns failure from Sync.
type watched struct {
	ag.Device
	downloads, allocs int
	failure           error
}

func (w *watched) Alloc(n int) device.Buffer {
	w.allocs++
	return w.Device.Alloc(n)
}

func (w *watched) Download(dst []float64, src device.Buffer) {
	w.downloads++
	w.Device.Download(dst, src)
}

func (w *watched) Sync() error { return w.failure }

// newWatched returns a trainer whose device is watched.
func newWatched(t *testing.T, set map[string]string, bert *nn.BERTConfig) (*trainer, *watched) {
	t.Helper()
	tr := newTrainer(t, set)
	c, dims := &tr.config, tr.Dims
	if bert != nil {
		bert.Vocab, bert.Positions = dims.Vocab, dims.TextT
		dims.BERT, c.Method.TextEncoder().Finetune = bert, false
	}
	dev := &watched{Device: tr.Device}
	p := nn.NewParams(dev, stream(c.Seed, "init"))
	tr.Learner = &Learner{Model: c.Spec().New(p, c.Method, dims), Params: p.All(), Dims: dims,
		Device: dev}
	tr.tape = ag.NewTape(dev)
	return tr, dev
}

// small returns the settings of a small model. 40 utterances make 20 batches, or 19 where a last of
// 2 joins the one before.
func small(t *testing.T, model string) map[string]string {
	set := settingstest.Small(t, model)
	set["train.batch"], set["train.clip"], set["data.resample"] = "2", "0.5", "static"
	return set
}

// TestStepsStayOnTheDevice counts the transfers to the host and the allocations in the third
// epoch. The first two are warm-up: a phase may change its memory from the second epoch on.
func TestStepsStayOnTheDevice(t *testing.T) {
	type run struct {
		name, model string
		bert        *nn.BERTConfig
		waits       int // for the host in each step of the second pass but the first two
	}
	frozen := &nn.BERTConfig{Width: 8, Layers: 1, Heads: 2, FeedForward: 8, Types: 2, Eps: 1e-12}
	runs := []run{{"toy", "toy", nil, 0}, {"recap", "recap", nil, 0},
		{"recap with frozen text encoder", "recap", frozen, 0}}
	for _, s := range settingstest.Baselines {
		logDets := map[string]int{"mmim": 2}[s.Name] // of its two entropies
		runs = append(runs, run{s.Name, s.Name, nil, logDets})
	}
	for _, c := range runs {
		t.Run(c.name, func(t *testing.T) {
			tr, dev := newWatched(t, small(t, c.model), c.bert)
			for _, ph := range tr.Model.Phases() {
				opt := tr.begin(ph)
				for epoch := 1; epoch <= 3; epoch++ {
					dev.downloads, dev.allocs = 0, 0
					batches := datasets.Order(tr.utterances(ph).Len(), tr.config.Train.Batch,
						ph.MinBatch, nil)
					steps := len(batches) * len(ph.Passes)
					tr.meter.report = func(p Progress) {
						i := (p.Step-1)%steps + 1
						n := len(batches)
						pass, j := (i-1)/n, (i-1)%n+1 // the j-th step of the pass
						readings := pass*(n/stepsPerFlush+1) + j/stepsPerFlush
						if j == n {
							readings++
						}
						readings += pass * c.waits * max(0, j-2)
						if epoch > 2 && (dev.downloads != readings || dev.allocs != 0) {
							t.Fatalf("%s, epoch %d, step %d: %d transfers to the host, want "+
								"%d; %d buffers allocated, want none",
								ph.Name, epoch, i, dev.downloads, readings, dev.allocs)
						}
					}
					if _, err := tr.steps(context.Background(), ph, opt, epoch); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// TestFailureOfTheDevice checks that a failure of the device is returned as it is, although the
// terms are NaN.
func TestFailureOfTheDevice(t *testing.T) {
	tr, dev := newWatched(t, map[string]string{"nan_from": "1"}, nil)
	dev.failure = errors.New("out of memory")
	ph := tr.Model.Phases()[1]
	_, err := tr.steps(context.Background(), ph, tr.begin(ph), 1)
	if want := "train: phase stage2, epoch 1, step 3: out of memory"; !errors.Is(err,
		dev.failure) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestTermLog records phases with different numbers of terms in one log and compares the sums.
func TestTermLog(t *testing.T) {
	dev, err := ag.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	scalar := func(tp *ag.Tape, v float32) *ag.Tensor { return tp.Input([]float32{v}) }
	tp := ag.NewTape(dev)
	tr := &trainer{}
	for _, weights := range [][]float64{{1, 0}, {0.5, 2, 0}} {
		sums := rundir.Numbers{}
		for step := range stepsPerFlush {
			tp.Reset()
			var terms []zoo.Term
			for i, w := range weights {
				terms = append(terms,
					zoo.Term{Name: "abc"[i : i+1], Weight: w,
						Loss: scalar(tp, float32(10*i+step))})
			}
			tr.terms.record(tp, terms)
			tp.Reset()
		}
		if err := tr.flushTerms(zoo.Phase{}, 1, stepsPerFlush, sums); err != nil {
			t.Fatal(err)
		}
		want := rundir.Numbers{"a": 120, "b": 280, "loss": 120}
		if len(weights) == 3 {
			want = rundir.Numbers{"a": 120, "b": 280, "c": 440, "loss": 60 + 560}
		}
		for name, v := range want {
			if sums[name] != v {
				t.Errorf("the sum of %s is %g, want %g", name, sums[name], v)
			}
		}
		if len(sums) != len(want) {
			t.Errorf("sums %v, want %v", sums, want)
		}
	}
}

// TestInfiniteTerms records two steps, of which the second has a term that is infinite.
func TestInfiniteTerms(t *testing.T) {
	for _, x := range []float32{float32(math.Inf(1)), float32(math.Inf(-1))} {
		tr := newTrainer(t, nil)
		for _, v := range []float32{1, x} {
			tr.tape.Reset()
			tr.terms.record(tr.tape, []zoo.Term{
				{Name: "a", Weight: 1, Loss: tr.tape.Input([]float32{2})},
				{Name: "b", Loss: tr.tape.Input([]float32{v})}})
		}
		err := tr.flushTerms(zoo.Phase{Name: "p"}, 3, 9, rundir.Numbers{})
		want := fmt.Sprintf("train: phase p, epoch 3, step 9: term b: expected a finite number, "+
			"found %v; a smaller", x)
		if !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestFailureAfterTheValidation loses the device in the validation of an epoch.
func TestFailureAfterTheValidation(t *testing.T) {
	tr, dev := newWatched(t, map[string]string{"train.epochs.stage1": "0"}, nil)
	tr.log, tr.predictor = slog.New(slog.DiscardHandler), newPredictor(&tr.config, tr.Learner)
	tr.predictor.OnBatch = func(int) { dev.failure = errors.New("lost") }
	if err := tr.train(t.Context()); fmt.Sprint(err) != "train: stage2, epoch 1: lost" ||
		tr.dir.Has(rundir.StateFile) {
		t.Errorf("error %v", err)
	}
}

// TestPredictionStaysOnTheDevice predicts twice: the second time nothing is allocated.
func TestPredictionStaysOnTheDevice(t *testing.T) {
	tr, dev := newWatched(t, nil, nil)
	p := newPredictor(&tr.config, tr.Learner)
	p.Predict(tr.set.Valid, 0.5, nil)
	dev.allocs = 0
	if p.Predict(tr.set.Valid, 0.5, nil); dev.allocs > 0 {
		t.Errorf("%d buffers were allocated", dev.allocs)
	}
}
