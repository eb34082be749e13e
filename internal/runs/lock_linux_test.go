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

func TestSettleRemovesDeadLocks(t *testing.T) {
	r := runstest.NewRunner(t)
	units := plan(t, r, []settings.Config{settingstest.Resolved(t, nil)}, 5, 6)
	if err := r.Work(t.Context(), units[0].Dir); err != nil {
		t.Fatal(err)
	}
	finished, begun := filepath.Join(units[0].Dir, rundir.LockFile), filepath.Join(units[1].Dir, rundir.LockFile)
	leave(t, finished, func(h *rundir.Holder) { h.Start++ })
	leave(t, begun, func(h *rundir.Holder) { h.Start++ })
	if err := runs.Settle(units); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(finished); err == nil {
		t.Error("a dead lock is still in a finished unit")
	}
	leave(t, finished, func(h *rundir.Holder) { h.Host += "-2" })
	if err := runs.Settle(units); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(finished); err != nil {
		t.Error("another host's lock was removed")
	}
}

// leave writes a lock as a process would have that is described by change.
func leave(t *testing.T, path string, change func(h *rundir.Holder)) {
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
