package runs_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

func TestRepairRemovesStaleLocks(t *testing.T) {
	r := runstest.NewRunner(t)
	units := plan(t, r, []settings.Config{settingstest.Resolved(t, nil)}, 5, 6)
	if err := r.TrainUnit(t.Context(), units[0].Dir); err != nil {
		t.Fatal(err)
	}
	finished, unfinished := filepath.Join(units[0].Dir,
		rundir.LockFile), filepath.Join(units[1].Dir, rundir.LockFile)
	writeLock(t, finished, func(h *rundir.Holder) { h.Start++ })
	writeLock(t, unfinished, func(h *rundir.Holder) { h.Start++ })
	leftover := filepath.Join(units[0].Run(), ".summary.csv.1.partial")
	if err := os.WriteFile(leftover, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := runs.Repair(units); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(leftover); err != nil {
		t.Error("removed, though a process may be writing the summary:", err)
	}
	if _, err := os.Stat(finished); err == nil {
		t.Error("the lock of a dead process is still in a finished unit")
	}
	if err := errors.Join(os.Remove(unfinished), runs.Repair(units)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(leftover); err == nil {
		t.Error("a temporary file is left though no process uses the run")
	}
	writeLock(t, finished, func(h *rundir.Holder) { h.Host += "-2" })
	if err := runs.Repair(units); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(finished); err != nil {
		t.Error("another host's lock was removed")
	}
}

// TestKilledAtTheEnd leaves a run as a process that is killed after the last predictions leaves it:
// without a summary of all seeds, with its lock and temporary files.
func TestKilledAtTheEnd(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), c, []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	want := runstest.Contents(t, dir)
	for name, command := range map[string]func() error{
		"resume": func() error {
			_, _, err := r.Resume(t.Context(), dir)
			return err
		},
		"ablate": func() error {
			_, err := r.Ablate(t.Context(), []settings.Config{c}, []uint64{5, 6}, nil)
			return err
		},
	} {
		if name == "resume" { // ablate finds temporary files alone
			writeLock(t, filepath.Join(dir, "seed6", rundir.LockFile), func(h *rundir.Holder) {
				h.Start++
			})
		}
		for _, left := range []string{
			"seed6/.state.safetensors.1.partial", ".summary.csv.2.partial",
		} {
			if err := os.WriteFile(filepath.Join(dir, left), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.Remove(filepath.Join(dir, rundir.SummaryMarkdown)),
			os.WriteFile(filepath.Join(dir, rundir.SummaryCSV), []byte("of seed 5"), 0o644),
			command()); err != nil {
			t.Fatal(name, err)
		}
		runstest.SameFiles(t, name, runstest.Contents(t, dir), want)
		if left := runstest.Glob(t, dir, ".summary*"); left != nil {
			t.Errorf("%s: left: %v", name, left)
		}
	}
}

// writeLock writes the lock of a process that differs from this one by change.
func writeLock(t *testing.T, path string, change func(h *rundir.Holder)) {
	t.Helper()
	own := filepath.Join(t.TempDir(), "lock")
	release, err := rundir.Lock(own)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	text, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	var h rundir.Holder
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	change(&h)
	if text, err = json.Marshal(h); err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
