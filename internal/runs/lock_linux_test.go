package runs_test

import (
	"encoding/json"
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
	if err := runs.Repair(units); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(finished); err == nil {
		t.Error("the lock of a dead process is still in a finished unit")
	}
	writeLock(t, finished, func(h *rundir.Holder) { h.Host += "-2" })
	if err := runs.Repair(units); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(finished); err != nil {
		t.Error("another host's lock was removed")
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
