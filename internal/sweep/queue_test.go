package sweep

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
)

// TestQueue takes units that are free beside one that is finished, one whose lock is no lock, one
// that this process holds and one of another host.
func TestQueue(t *testing.T) {
	units := fakeUnits(t, "nothing", "train", "train", "train", "train", "train")
	lock := func(i int) string { return filepath.Join(units[i].Dir, rundir.LockFile) }
	for i, text := range map[int]string{1: "whose?",
		3: `{"host":"there","pid":7,"since":"2026-01-02T03:04:05Z"}`} {
		if err := os.WriteFile(lock(i), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	release, err := rundir.Lock(lock(2))
	if err != nil {
		t.Fatal(err)
	}
	q := newQueue(units)
	var ended []Result
	q.onEnd = func(r Result) { ended = append(ended, r) }
	take := func(unit, here, remaining int) {
		t.Helper()
		got, lockedHere := q.take()
		if got != unit || lockedHere != here || q.remaining() != remaining {
			t.Errorf("unit %d, %d locked here, %d remaining; want %d, %d, %d", got, lockedHere,
				q.remaining(), unit, here, remaining)
		}
	}
	for i, r := range q.results {
		if r.Outcome != Waiting || r.Unit.Dir != units[i].Dir {
			t.Errorf("unit %d: %+v before it is taken", i, r)
		}
	}
	if n := q.remaining(); n != 6 {
		t.Errorf("%d units remain at first, want all 6", n)
	}
	take(4, 1, 3) // units 2, 3 and 5 remain
	if len(ended) != 2 || ended[0].Unit.Dir != units[0].Dir || ended[0].Outcome != Skipped ||
		ended[1].Unit.Dir != units[1].Dir || ended[1].Outcome != Failed ||
		!strings.Contains(ended[1].Reason, lock(1)+": expected the holder of a lock") {
		t.Errorf("ended: %+v", ended)
	}
	if r := q.results[3]; r.Outcome != Locked ||
		!strings.Contains(r.Reason, "in use by process 7 of host there") {
		t.Errorf("locked by another host: %+v", r)
	}
	take(5, 1, 2)
	take(-1, 1, 2)
	q.put(4, Result{Unit: units[4], Outcome: Done, Memory: 7})
	q.put(5, Result{Unit: units[5], Outcome: Locked})
	if n := q.remaining(); n != 3 || q.results[4].Memory != 7 {
		t.Errorf("%d remain, results %+v", n, q.results)
	}
	take(5, 1, 2) // it was locked first by a process that has ended since
	if err := os.Remove(lock(3)); err != nil {
		t.Fatal(err)
	}
	take(3, 1, 1)
	if r := q.results[3]; r.Outcome != Waiting || r.Reason != "" {
		t.Errorf("taken after its lock was removed: %+v", r)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	take(2, 0, 0)
	take(-1, 0, 0)
	if len(ended) != 2 {
		t.Errorf("ended: %+v", ended)
	}
}

func TestTakeLeavesAllLaterUnits(t *testing.T) {
	q := newQueue(fakeUnits(t, "train", "train", "train", "train"))
	for i := range 4 {
		if unit, _ := q.take(); unit != i || q.remaining() != 3-i {
			t.Errorf("unit %d, %d remain, want unit %d and %d", unit, q.remaining(), i, 3-i)
		}
	}
}

// TestNextWaits has one unit that this process holds, until it is released or the sweep is
// interrupted.
func TestNextWaits(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		units := fakeUnits(t, "train")
		release, err := rundir.Lock(filepath.Join(units[0].Dir, rundir.LockFile))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		q := newQueue(units)
		var waits []int
		q.onWait = func(n int) {
			waits = append(waits, n)
			if interrupted {
				cancel()
			} else if err := release(); err != nil {
				t.Error(err)
			}
		}
		began := time.Now()
		i, ok := q.next(ctx)
		took := time.Since(began)
		if i != 0 || ok == interrupted || !slices.Equal(waits, []int{1}) ||
			!interrupted && took < pollInterval {
			t.Errorf("interrupted %v: unit %d, %v after %v, waits %v", interrupted, i, ok, took,
				waits)
		}
		if interrupted {
			if err := release(); err != nil {
				t.Error(err)
			}
		}
		if _, ok := q.next(ctx); ok {
			t.Error("another unit, though none is left, or the sweep was interrupted")
		}
	}
}

// TestNothingToDo has no units, and units that are all finished, on a pool that has no program.
func TestNothingToDo(t *testing.T) {
	for _, actions := range [][]string{nil, {"nothing", "nothing"}} {
		var units []runs.Unit
		if actions != nil {
			units = fakeUnits(t, actions...)
		}
		var ended []Outcome
		p := &Pool{Workers: 3, Log: discard, End: func(r *Result) {
			ended = append(ended, r.Outcome)
		}}
		results := p.Run(t.Context(), units)
		if len(results) != len(units) || len(ended) != len(units) ||
			slices.ContainsFunc(ended, func(o Outcome) bool { return o != Skipped }) {
			t.Errorf("%+v, ended %v", results, ended)
		}
	}
}
