package runs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn"
)

// TestResume stops a run after each of its steps, which leaves the same files as SIGKILL would. It
// adds partly written lines and files of an epoch that was not saved.
func TestResume(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"select": settings.SelectTest})
	uninterrupted := runstest.NewRunner(t)
	dir, _, err := uninterrupted.Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	want := runstest.Contents(t, dir)
	// 40 utterances in batches of 16; the last has 8, the smallest that stage1 allows
	steps := 2*3 + 3*3
	for stop := 1; stop <= steps; stop++ {
		r := runstest.NewRunner(t)
		dir, count, err := runstest.TrainUntil(r, c, stop)
		if interrupted := new(train.Interrupted); !errors.As(err, &interrupted) ||
			interrupted.Dir != dir || !strings.Contains(err.Error(), "--resume "+dir) {
			t.Fatalf("stopped at step %d: error %v", stop, err)
		}
		addPartialEpoch(t, dir)
		runstest.OnStep(r, func(runs.Progress) { count++ })
		if _, _, err = r.Resume(context.Background(), dir); err != nil {
			t.Fatal(err)
		}
		if again := count - steps; again < 0 || again > 3 {
			t.Errorf("stopped at step %d: %d steps were made, want %d and at most the 3 of an "+
				"epoch again", stop, count, steps)
		}
		runstest.SameFiles(t, "resumed", runstest.Contents(t, dir), want)
	}
}

// addPartialEpoch writes files as an epoch that was not finished leaves them.
func addPartialEpoch(t *testing.T, run string) {
	t.Helper()
	d := rundir.Dir(filepath.Join(run, "seed5"))
	f, err := os.OpenFile(d.File(rundir.JournalFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"phase":"stage2","epoch":9,"valid":{"MAE":0},"test":{"MAE":0}}` +
		"\n" + `{"phase":"sta`); err != nil {
		t.Fatal(err)
	}
	if !d.Has(rundir.BestFile) {
		return
	}
	if err := os.WriteFile(d.File("."+rundir.BestFile+".1.partial"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKilledBetweenFiles resumes with an older state beside newer files, as after a kill between
// two renames.
func TestKilledBetweenFiles(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	r := runstest.NewRunner(t)
	var old [][]byte
	runstest.OnStep(r, func(p runs.Progress) {
		paths := runstest.Glob(t, r.Out, "*/*/*/seed*/"+rundir.StateFile)
		if p.Step%3 == 0 && len(paths) == 1 {
			text, err := os.ReadFile(paths[0])
			if err != nil {
				t.Error(err)
			}
			old = append(old, text)
		}
	})
	dir, _, err := r.Train(context.Background(), c, []uint64{5})
	if err != nil || len(old) < 4 {
		t.Fatal(len(old), err)
	}
	want := runstest.Contents(t, dir)
	d := rundir.Dir(filepath.Join(dir, "seed5"))
	for _, state := range old {
		if err := errors.Join(os.WriteFile(d.File(rundir.StateFile), state, 0o644),
			os.Remove(d.File(rundir.PredictionsFile))); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Resume(context.Background(), string(d)); err != nil {
			t.Fatal(err)
		}
		runstest.SameFiles(t, "resumed", runstest.Contents(t, dir), want)
	}
}

func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var contents []map[string]string
	for _, n := range []int{1, 2} {
		runtime.GOMAXPROCS(n)
		dir, _, err := runstest.NewRunner(t).Train(context.Background(),
			settingstest.Resolved(t, nil), []uint64{5})
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, runstest.Contents(t, dir))
	}
	runstest.SameFiles(t, "two cores", contents[1], contents[0])
}

// TestNaNStopsTheRun checks that the error names the step with the NaN, although later steps were
// made before the terms were read.
func TestNaNStopsTheRun(t *testing.T) {
	for _, c := range []struct {
		batch, poison string
		want          string
		made          int // the last step of stage2 that was reported
	}{
		{"16", "5", "epoch 2, step 2:", 5},       // of 3 steps, which are read together
		{"2", "23", "epoch 2, step 3:", 20 + 15}, // of 20 steps, in the first reading
		{"2", "36", "epoch 2, step 16:", 20 + 15},
		{"2", "37", "epoch 2, step 17:", 20 + 19},
		{"2", "40", "epoch 2, step 20:", 20 + 19},
	} {
		r := runstest.NewRunner(t)
		made := 0
		runstest.OnStep(r, func(p runs.Progress) {
			if p.Phase == "stage2" {
				made = p.Step
			}
		})
		dir, _, err := r.Train(context.Background(),
			settingstest.Resolved(t,
				map[string]string{"nan_from": c.poison, "train.batch": c.batch}), []uint64{5})
		for _, part := range []string{"phase stage2, " + c.want, "term task",
			"NaN", filepath.Join(dir, "seed5", rundir.StateFile)} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("error %v does not contain %q", err, part)
			}
		}
		if made != c.made {
			t.Errorf("%s: the last reported step is %d, want %d", c.want, made, c.made)
		}
		file, err := os.ReadFile(filepath.Join(dir, "seed5", rundir.StateFile))
		if err != nil {
			t.Fatal(err)
		}
		if meta, err := nn.Meta(file); err != nil || meta["phase"] != "stage2" ||
			meta["epoch"] != "1" {
			t.Errorf("the saved state is of %v, want stage2, epoch 1 (%v)", meta, err)
		}
	}
}

// TestDivergenceStopsTheRun has one step in each epoch, whose loss is computed before the step
// makes the parameters useless.
func TestDivergenceStopsTheRun(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t,
		map[string]string{"train.batch": "40", "train.lr": "1e30"}), []uint64{5})
	for _, part := range []string{"phase stage1, epoch 1, root mean square of parameter " +
		"audio.weight: expected at most 1e+06, found +Inf; a smaller train.lr",
		"No epoch was finished before"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v does not contain %q", err, part)
		}
	}
	if d := rundir.Dir(filepath.Join(dir, "seed5")); d.Has(rundir.StateFile) {
		t.Error("the parameters were saved as a good state")
	}
}

func TestStateOfAnotherConfiguration(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	d := rundir.Dir(filepath.Join(dir, "seed5"))
	text, err := os.ReadFile(d.File(rundir.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(d.File(rundir.PredictionsFile)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{"batch: 16", "batch: 8", "expected the state of the configuration beside it"},
		{"moments: full", "moments: compact", "expected moments of train.moments=compact, found " +
			"those of full; set train.moments to full in config.yaml"},
	} {
		changed := strings.Replace(string(text), c.from, c.to, 1)
		if err := os.WriteFile(d.File(rundir.ConfigFile), []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Resume(context.Background(), dir); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("resumed with %s: error %v", c.to, err)
		}
	}
}

// TestResumeWithCompactMoments stops a run in its second phase.
func TestResumeWithCompactMoments(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"train.moments": settings.CompactMoments})
	dir, _, err := runstest.NewRunner(t).Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	r := runstest.NewRunner(t)
	stopped, _, err := runstest.TrainUntil(r, c, 2*3+4)
	if interrupted := new(train.Interrupted); !errors.As(err, &interrupted) {
		t.Fatal(err)
	}
	if _, _, err := r.Resume(context.Background(), stopped); err != nil {
		t.Fatal(err)
	}
	runstest.SameFiles(t, "resumed", runstest.Contents(t, stopped), runstest.Contents(t, dir))
}
