package train

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/version"
	"github.com/seed-6655bf3b/recap/optim"
)

// begin returns the empty directory of a seed, and options that write to a log.
func begin(t *testing.T, c *settings.Config) (rundir.Dir, Options, *bytes.Buffer) {
	t.Helper()
	filestest.Use(t, filestest.Fast{})
	d := rundir.Dir(filepath.Join(t.TempDir(), "seed5"))
	if err := errors.Join(os.Mkdir(string(d), 0o755), d.WriteConfig(c)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	return d, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Meter: NewMeter(),
		Progress: func(Progress) {}}, &log
}

// contents returns the files of a directory except the journal, which has times.
func contents(t *testing.T, d rundir.Dir) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(string(d))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(d.File(e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() != rundir.JournalFile && !eventName.MatchString(e.Name()) {
			all[e.Name()] = string(text)
		}
	}
	return all
}

// TestSeed trains and tests a seed: it checks the log, the journal and the predictions. A seed
// that is stopped in each epoch, and in the test, ends with the same files.
func TestSeed(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"data.labels": "0.5",
		"select": settings.SelectTest})
	data, err := Open(&c)
	if err != nil {
		t.Fatal(err)
	}
	d, o, log := begin(t, &c)
	var last Progress
	steps := map[string]int{}
	o.TensorBoard, o.Progress = true, func(p Progress) {
		steps[p.Phase] = max(steps[p.Phase], p.Step)
		epochs := map[string]int{"stage1": 2, "stage2": 3, TestPhase: 10}[p.Phase]
		if last.Done == 1 || p.Epochs != epochs || p.Epoch < 1 || p.Epoch > epochs {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}
	if err := Seed(t.Context(), c, data, d, o); err != nil {
		t.Fatal(err)
	}
	if last.Phase != TestPhase || last.Done != 1 || last.Left != (Estimate{}) {
		t.Errorf("at the end: %+v", last)
	}
	// batches of 16 of 40 utterances, and of 20 with a label
	if want := map[string]int{"stage1": 2 * 3, "stage2": 3 * 2, TestPhase: 0}; !maps.Equal(steps,
		want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	first, _, _ := strings.Cut(log.String(), "\n")
	if want := ` epochs="2 of stage1, 3 of stage2" disk="1 MB"`; !strings.HasSuffix(first, want) ||
		!strings.Contains(first, "msg=training run="+string(d)+" parameters=") ||
		!strings.Contains(first, " utterances=40 ") {
		t.Errorf("the log begins with %s", first)
	}
	if n := strings.Count(log.String(), "msg=epoch phase="); n != 5 {
		t.Errorf("%d epochs in the log:\n%s", n, log)
	}
	if strings.Contains(log.String(), "no better validation") {
		t.Errorf("the last epoch ends the phase early:\n%s", log)
	}
	if n := strings.Count(log.String(), `level=WARN msg=warned phase=stage1`); n != 1 {
		t.Errorf("%d warnings of stage1 in the log:\n%s", n, log)
	}
	records, err := d.Records()
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		supervised := i >= 2
		rate := optim.WarmupCosine{LR: 0.05, Epochs: []int{2, 3}[min(i/2, 1)]}
		if r.Phase != []string{"stage1", "stage2"}[max(0, min(1, i-1))] ||
			r.Epoch != []int{1, 2, 1, 2, 3}[i] || r.Program != version.Text() ||
			r.LR != rate.At(r.Epoch) ||
			(r.Valid != nil) != supervised || (r.Test != nil) != supervised || r.Seconds <= 0 {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	choices := results.Choices(&c, metric.MOSI)
	tested, err := results.Read(d, &c, metric.MOSI)
	if err != nil || len(records) != 5 || len(tested) != len(choices) {
		t.Fatalf("%d records, predictions of %d checkpoints: %v", len(records), len(tested), err)
	}
	for _, list := range tested {
		for j, p := range list {
			if p.Rate != []float64{0, 0.5}[j] || !slices.Equal(p.ID, data.Set.Test.ID) ||
				!slices.Equal(p.Label, data.Set.Test.Label) || p.Weight == nil {
				t.Errorf("rate %g: predictions for %v", p.Rate, p.ID)
			}
		}
	}
	want := contents(t, d)
	if n := 5 + 2*len(choices); len(want) != n-1 { // the journal is left out
		t.Errorf("%d files, want %d without the events: %v", len(want)+1, n, want)
	}
	stopped(t, c, data, want)
	resumeFinished(t, c, data, d, want)
}

// stopped trains a seed that is stopped again and again.
func stopped(t *testing.T, c settings.Config, data *Data, want map[string]string) {
	t.Helper()
	d, o, _ := begin(t, &c)
	for _, at := range []struct {
		phase string
		epoch int
		abort bool // after the step under way
	}{{"stage1", 1, true}, {"stage1", 1, false}, {"stage1", 2, true}, {"stage1", 2, false},
		{"stage2", 1, false}, {"stage2", 3, true}, {"stage2", 3, false}, {TestPhase, 1, true},
		{TestPhase, 2, false}} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := make(chan struct{})
		again, reached := o, false
		again.Stop = stop
		again.Progress = func(p Progress) {
			if reached && p.Phase == TestPhase {
				time.Sleep(time.Millisecond) // until the test knows that it is stopped
			}
			if p.Phase == at.phase && p.Epoch == at.epoch && !reached {
				reached = true
				if at.abort {
					cancel()
				} else {
					close(stop)
				}
			}
		}
		err := Seed(ctx, c, data, d, again)
		var interrupted *Interrupted
		if !errors.As(err, &interrupted) || interrupted.Dir != filepath.Dir(string(d)) ||
			err.Error() != "train: interrupted; continue with: recap train --resume "+
				interrupted.Dir {
			t.Errorf("stopped in %+v: error %v", at, err)
		}
		records, err := d.Records()
		epochs := map[string]int{"stage1": 0, "stage2": 2, TestPhase: 5}[at.phase] + at.epoch
		if at.abort {
			epochs--
		}
		if epochs = min(epochs, 5); err != nil || len(records) != epochs || d.Finished() {
			t.Errorf("stopped in %+v: %d epochs, want %d; %v", at, len(records), epochs, err)
		}
		cancel()
	}
	var last Progress
	o.Progress = func(p Progress) { last = p }
	if err := Seed(t.Context(), c, data, d, o); err != nil {
		t.Fatal(err)
	}
	if last.Done != 1 || last.Left != (Estimate{}) {
		t.Errorf("at the end of the stopped seed: %+v", last)
	}
	if diff := cmp.Diff(keys(want), keys(contents(t, d))); diff != "" {
		t.Error(diff)
	}
	for name, text := range contents(t, d) {
		if text != want[name] {
			t.Errorf("%s is not the same after the seed was stopped", name)
		}
	}
	if eventFiles(d) != nil {
		t.Errorf("events %v", eventFiles(d))
	}
}

func keys(m map[string]string) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// resumeFinished goes on with a seed that is finished but for its predictions: nothing is trained
// again, and the events, which it has, begin again.
func resumeFinished(t *testing.T, c settings.Config, data *Data, d rundir.Dir,
	want map[string]string) {
	t.Helper()
	if err := os.Remove(d.File(rundir.PredictionsFile)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	close(stop)
	o := Options{Log: slog.New(slog.DiscardHandler), Meter: NewMeter(), Stop: stop,
		Progress: func(p Progress) {
			if p.Phase != TestPhase {
				t.Errorf("resumed after the training: %+v", p)
			}
		}}
	if err := Seed(t.Context(), c, data, d, o); !errors.As(err, new(*Interrupted)) ||
		d.Finished() {
		t.Errorf("stopped before the test: error %v", err)
	}
	o.Stop = nil
	var last Progress
	o.Progress = func(p Progress) {
		if last = p; !p.Measured {
			t.Errorf("in the test: %+v", p)
		}
	}
	running := runtime.NumGoroutine()
	if err := Seed(t.Context(), c, data, d, o); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > running; {
		if time.Sleep(time.Millisecond); time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), running)
		}
	}
	if last.Done != 1 || last.Left != (Estimate{}) {
		t.Errorf("at the end of the resumed seed: %+v", last)
	}
	for name, text := range contents(t, d) {
		if text != want[name] {
			t.Errorf("%s is not the same after the seed was resumed", name)
		}
	}
	name := d.File("events.out.tfevents.0000000005.recap")
	if got := eventFiles(d); !slices.Equal(got, []string{name}) {
		t.Errorf("events %v, want %s", got, name)
	}
}

// TestSeedOnAFullDisk lets each change of the disk by a seed fail.
func TestSeedOnAFullDisk(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"data.limit": "8", "train.epochs.stage1": "1",
		"train.epochs.stage2": "1", "eval.rates": "0", "data.classes": "3"})
	data, err := Open(&c)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	for _, epochs := range []int{1, 0} {
		c.Train.Epochs["stage2"] = epochs
		filestest.ErrorsReachTheCaller(t, "Seed", func(dir string) error {
			partial := filepath.Join(dir, ".state.safetensors.12.partial")
			return errors.Join(rundir.Dir(dir).WriteConfig(&c), os.WriteFile(partial, nil, 0o600))
		}, func(dir string) error {
			return Seed(t.Context(), c, data, rundir.Dir(dir), Options{Log: log,
				Meter: NewMeter(), Progress: func(Progress) {}, TensorBoard: true})
		})
	}
}

// TestSeedThatCannotBegin has settings, data and states that do not fit.
func TestSeedThatCannotBegin(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	data, err := Open(&c)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *settings.Config){
		"settings: rates: expected first:last:step": func(c *settings.Config) {
			c.Eval.Rates = "x"
		},
		"settings: train.epochs.stage2: expected a number, found none": func(c *settings.Config) {
			c.Train.Epochs = map[string]int{"stage1": 0}
		},
		"train: ": func(c *settings.Config) { c.Device = "abacus" },
	} {
		broken := c
		change(&broken)
		d, o, _ := begin(t, &c)
		if err := Seed(t.Context(), broken, data, d, o); err == nil ||
			!strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	d, o, _ := begin(t, &c)
	if err := os.WriteFile(d.File(rundir.StateFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Seed(t.Context(), c, data, d, o); err == nil ||
		!strings.HasPrefix(err.Error(), "train: state: ") {
		t.Errorf("error %v of a damaged state", err)
	}
}
