package runs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestErrorsOfTheDisk lets each change of the disk fail that planning, training and what follows
// make.
func TestErrorsOfTheDisk(t *testing.T) {
	r := runstest.NewRunner(t)
	file := filepath.Join("..", "..", "datasets", "testdata", "protocol5.pkl")
	c := settingstest.Resolved(t, map[string]string{"dataset": "small", "data.file": file,
		"train.epochs.stage1": "1", "train.epochs.stage2": "1"})
	seeds := []uint64{5}
	trained, _, err := r.Train(t.Context(), c, seeds)
	if err != nil {
		t.Fatal(err)
	}
	search := searchOf(t, nil, "0.1")
	run := func(dir string) string { return filepath.Join(dir, "small", "toy", "full") }
	seed := func(dir string) string { return filepath.Join(run(dir), "seed5") }
	nothing := func(string) error { return nil }
	plan := func(dir string) ([]runs.Unit, error) {
		r.Out = dir
		return r.Plan([]settings.Config{c}, seeds)
	}
	finished := func(dir string) error {
		return errors.Join(os.CopyFS(run(dir), os.DirFS(trained)),
			os.Remove(filepath.Join(run(dir), rundir.SummaryCSV)),
			os.WriteFile(filepath.Join(seed(dir), ".x.1.partial"), nil, 0o644),
			os.WriteFile(filepath.Join(run(dir), ".summary.md.1.partial"), nil, 0o644))
	}
	for _, w := range []struct {
		what           string
		prepare, write func(dir string) error
	}{
		{"Plan", nothing, func(dir string) error {
			_, err := plan(dir)
			return err
		}},
		{"PlanSearch", nothing, func(dir string) error {
			r.Out = dir
			_, err := r.PlanSearch(search, seeds)
			return err
		}},
		{"TrialScores", func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, "synthetic", "toy", "tune"), 0o755)
		}, func(dir string) error {
			r.Out = dir
			_, err := r.TrialScores(search, seeds)
			return err
		}},
		{"MoveData", finished, func(dir string) error { return r.MoveData(run(dir), file) }},
		{"Repair", finished, func(dir string) error {
			return runs.Repair([]runs.Unit{{Config: c, Dir: seed(dir)}})
		}},
		{"Resume", finished, func(dir string) error {
			_, _, err := r.Resume(t.Context(), run(dir))
			return err
		}},
		{"Train", nothing, func(dir string) error {
			r.Out = dir
			_, _, err := r.Train(t.Context(), c, seeds)
			return err
		}},
		{"Ablate", nothing, func(dir string) error {
			r.Out = dir
			_, err := r.Ablate(t.Context(), []settings.Config{c}, seeds, nil)
			return err
		}},
		{"TrainUnit", func(dir string) error {
			_, err := plan(dir)
			return err
		}, func(dir string) error { return r.TrainUnit(t.Context(), seed(dir)) }},
	} {
		filestest.ErrorsReachTheCaller(t, w.what, w.prepare, w.write)
	}
}
