package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/nn"
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
	filestest.Use(t, filestest.Fast{})
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
	tr.journal.Records = nil
	if tr.outOfPatience(labels, 1) || !tr.outOfPatience(labels, 2) {
		t.Error("two epochs without a validation do not end the patience, or one does")
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

// TestPreparedModelIsTrained expects the model that Prepare made to be the next one of the same
// configuration, once.
func TestPreparedModelIsTrained(t *testing.T) {
	tr, log := newTrainer(t, nil), slog.New(slog.DiscardHandler)
	data, other := &Data{Set: tr.set}, tr.config
	other.Seed++
	if _, err := data.Prepare(&tr.config, log); err != nil {
		t.Fatal(err)
	}
	prepared := data.prepared
	for i, c := range []*settings.Config{&tr.config, &tr.config} {
		if l, err := data.learner(c, log); err != nil || (l == prepared) != (i == 0) {
			t.Errorf("learner %d: the prepared one: %v; %v", i, l == prepared, err)
		}
	}
	if _, err := data.Prepare(&tr.config, log); err != nil {
		t.Fatal(err)
	}
	prepared = data.prepared
	if l, err := data.learner(&other, log); err != nil || l == prepared {
		t.Errorf("a model of another seed is trained: %v", err)
	}
}

// withWarning is a model whose phases warn with the losses of their first and last epoch.
type withWarning struct{ zoo.Model }

func (m withWarning) Phases() []zoo.Phase {
	all := m.Model.Phases()
	for i := range all {
		all[i].Warn = func(first, last map[string]float64) string {
			return fmt.Sprintf("from %.6f to %.6f", first[rundir.LossKey], last[rundir.LossKey])
		}
	}
	return all
}

// LoadPretrained implements Pretrained.
func (m withWarning) LoadPretrained(*slog.Logger) error { return errors.New("no such file") }

// TestLogOfASeed checks what the log says of the model, and that a phase of several epochs warns
// once, after the last.
func TestLogOfASeed(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.epochs.stage1": "3", "train.epochs.stage2": "1"})
	var log bytes.Buffer
	tr.Model, tr.log = withWarning{tr.Model}, slog.New(slog.NewTextHandler(&log, nil))
	tr.predictor = newPredictor(&tr.config, tr.Learner)
	tr.logModel(5e6)
	if err := tr.train(t.Context()); err != nil {
		t.Fatal(err)
	}
	records := tr.journal.Records
	for _, want := range []string{fmt.Sprintf("parameters=%d in_checkpoint=%d utterances=%d "+
		`epochs="3 of stage1, 1 of stage2" disk=`, tr.parameters(), Count(
		tr.Model.PredictParams()), tr.set.Train.Len()),
		fmt.Sprintf(`level=WARN msg="from %.6f to %.6f" phase=stage1`,
			records[0].Terms[rundir.LossKey], records[2].Terms[rundir.LossKey])} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log does not say once %q:\n%s", want, &log)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, &log)
	}
	if err := tr.loadPretrained(&tr.config, nil, tr.log); err == nil ||
		err.Error() != "no such file" {
		t.Errorf("error %v of a file of weights that is not there", err)
	}
}

// parameters returns the number of elements of what the phases train.
func (t *trainer) parameters() int {
	var all []nn.Param
	for _, ph := range t.Model.Phases() {
		for _, p := range ph.Params() {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return Count(all)
}

// TestEventsAreThoseOfTheJournal compares the file of events that was written epoch by epoch with
// the one that a resumed run begins.
func TestEventsAreThoseOfTheJournal(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.epochs.stage1": "2", "train.epochs.stage2": "1"})
	if err := tr.dir.WriteConfig(&tr.config); err != nil {
		t.Fatal(err)
	}
	tr.predictor, tr.log = newPredictor(&tr.config, tr.Learner), slog.New(slog.DiscardHandler)
	tr.recorded = true
	if err := tr.train(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(tr.events.path)
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := openEvents(tr.dir, tr.journal.Records)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(resumed.path)
	if err != nil || len(tr.journal.Records) != 3 || !bytes.Equal(got, want) {
		t.Errorf("%v: %d bytes of events for %d epochs, want %d", err, len(got),
			len(tr.journal.Records), len(want))
	}
}

// TestErrorsOfTheDisk lets each change fail that saves what a phase does not train, and that begins
// a file of events beside an older one.
func TestErrorsOfTheDisk(t *testing.T) {
	tr := newTrainer(t, nil)
	for _, ph := range tr.Model.Phases() {
		if len(tr.fixed(ph)) == 0 {
			continue
		}
		filestest.ErrorsReachTheCaller(t, "saveStart", func(string) error { return nil },
			func(dir string) error {
				tr.dir = rundir.Dir(dir)
				return tr.saveStart(ph)
			})
	}
	c := tr.config
	filestest.ErrorsReachTheCaller(t, "openEvents", func(dir string) error {
		return errors.Join(rundir.Dir(dir).WriteConfig(&c), os.WriteFile(
			rundir.Dir(dir).File("events.out.tfevents.0000000001.recap"), nil, 0o644))
	}, func(dir string) error {
		_, err := openEvents(rundir.Dir(dir), nil)
		return err
	})
}

// TestOpenWithAPretrainedModel opens its files with the data.
func TestOpenWithAPretrainedModel(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	c.Method.TextEncoder().BERT = filepath.Join("..", "..", "nn", "testdata", "tiny_bert", "safe")
	data, err := Open(&c)
	if err != nil {
		t.Fatal(err)
	}
	if data.bert == nil || data.bert.Config.Width != 12 {
		t.Errorf("%+v", data.bert)
	}
	if err := data.Close(); err != nil {
		t.Error(err)
	}
}
