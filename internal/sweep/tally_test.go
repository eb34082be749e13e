package sweep

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// TestTallies counts the outcomes of two runs whose units alternate. Unit 4 belongs to another
// shard.
func TestTallies(t *testing.T) {
	var units []runs.Unit
	for i, run := range []string{"a", "b", "a", "a", "b", "a", "a"} {
		c := settings.Config{Name: run, Seed: uint64(10 - i)}
		units = append(units, runs.Unit{Config: c, Dir: filepath.Join(run, "seed")})
	}
	results := []Result{{Unit: units[1], Outcome: Failed, Elapsed: time.Second},
		{Unit: units[0], Outcome: Done, Elapsed: 2 * time.Second},
		{Unit: units[2], Outcome: Skipped}, {Unit: units[3], Outcome: Locked},
		{Unit: units[5], Outcome: Stopped, Elapsed: 3 * time.Second},
		{Unit: units[6], Outcome: Waiting}}
	want := []tables.Tally{{Run: "a", Config: units[0].Config, Seeds: []uint64{10, 8, 7, 5, 4},
		Done: 1, Skipped: 1, Remaining: 3, Elapsed: 5 * time.Second},
		{Run: "b", Config: units[1].Config, Seeds: []uint64{9, 6}, Failed: 1,
			Elapsed: time.Second}}
	if diff := cmp.Diff(Tallies(units, results), want); diff != "" {
		t.Error(diff)
	}
}

func TestUnfinished(t *testing.T) {
	unit := runs.Unit{Dir: "a/seed1"}
	result := func(o Outcome, reason string) Result {
		return Result{Unit: unit, Outcome: o, Reason: reason}
	}
	done, failed, locked := result(Done, ""), result(Failed, "no luck"), result(Locked, "by 7")
	stopped, waiting := result(Stopped, ""), result(Waiting, "")
	for _, c := range []struct {
		results []Result
		want    string
	}{
		{nil, ""},
		{[]Result{done, result(Skipped, "")}, ""},
		{[]Result{stopped, done}, "sweep: 1 of 2 units are not finished; interrupted: 1 stopped " +
			"after a complete epoch, 0 not started; run the same command again to continue"},
		{[]Result{locked}, "sweep: 1 of 1 units are not finished; run the same command again to " +
			"continue\n  locked: by 7"},
		{[]Result{failed, stopped, waiting, waiting, locked, done, failed}, "sweep: 6 of 7 units " +
			"are not finished; interrupted: 1 stopped after a complete epoch, 2 not started; " +
			"run the same command again to continue\n" +
			"  failed: a/seed1: no luck; its log is log.txt\n  locked: by 7\n" +
			"  failed: a/seed1: no luck; its log is log.txt"},
	} {
		got := ""
		if err := Unfinished(c.results); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s\nwant\n%s", got, c.want)
		}
	}
}
