package runs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// plan calls r.Plan.
func plan(t *testing.T, r *runs.Runner, configs []settings.Config, seeds ...uint64) []runs.Unit {
	t.Helper()
	units, err := r.Plan(configs, seeds)
	if err != nil {
		t.Fatal(err)
	}
	return units
}

// TestPlan plans the same units twice, beside existing runs.
func TestPlan(t *testing.T) {
	r := runstest.NewRunner(t)
	other := settingstest.Resolved(t, map[string]string{"train.lr": "0.1"})
	if _, err := r.Plan([]settings.Config{other}, []uint64{5}); err != nil { // uses the name full
		t.Fatal(err)
	}
	// as a killed process leaves it
	if err := os.MkdirAll(filepath.Join(r.Out, "synthetic", "toy", "no-dropout", "seed5"),
		0o755); err != nil {
		t.Fatal(err)
	}
	configs := []settings.Config{settingstest.Resolved(t, nil),
		settingstest.Resolved(t, map[string]string{"variant": "no-dropout"}),
		settingstest.Resolved(t, map[string]string{"name": "mine", "train.batch": "8"})}
	configs[0].Dataset = ""
	for range 2 {
		units := plan(t, r, configs, 5, 6)
		if configs[0].Dataset != "" {
			t.Error("the caller's configurations were changed")
		}
		var got []string
		for _, u := range units {
			dir, _ := filepath.Rel(r.Out, u.Dir)
			got = append(got, filepath.ToSlash(dir))
			if c, err := rundir.Dir(u.Dir).Config(); err != nil || c.Hash() != u.Config.Hash() ||
				c.Name != u.Config.Name {
				t.Errorf("%s has another configuration than the unit: %v", u.Dir, err)
			}
			if u.Finished() {
				t.Error("finished before it was started")
			}
		}
		want := []string{"synthetic/toy/full-2/seed5", "synthetic/toy/full-2/seed6",
			"synthetic/toy/no-dropout/seed5", "synthetic/toy/no-dropout/seed6",
			"synthetic/toy/mine/seed5", "synthetic/toy/mine/seed6"}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	for want, set := range map[string]map[string]string{
		"expected a run of the same configuration, found another": {"name": "mine"},
		"nowhere.pkl: no such file": {"dataset": "mosi",
			"data.file": "nowhere.pkl"},
		"expected the name of the data set":        {"data.file": "nowhere.pkl"},
		"data set mosi: expected its feature file": {"dataset": "mosi"},
	} {
		if _, err := r.Plan([]settings.Config{settingstest.Resolved(t, set)},
			[]uint64{5}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", set, err, want)
		}
	}
	if left := runstest.Glob(t, r.Out, ".*"); left != nil {
		t.Errorf("files left: %v", left)
	}
	lock := filepath.Join(r.Out, ".placing.lock")
	if err := os.WriteFile(lock, []byte("whose?"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Plan(configs, []uint64{5}); !strings.HasPrefix(fmt.Sprint(err),
		"rundir: "+lock+": expected the holder of a lock") {
		t.Errorf("error %v of a lock that is none", err)
	}
}

// TestConcurrentPlans plans two different sweeps several times concurrently. Plans of the same
// sweep must have the same runs, and the two sweeps different ones.
func TestConcurrentPlans(t *testing.T) {
	r := runstest.NewRunner(t)
	kinds := []settings.Config{settingstest.Resolved(t, nil),
		settingstest.Resolved(t, map[string]string{"train.lr": "0.1"})}
	var wg sync.WaitGroup
	runs := make([]string, 8)
	for i := range runs {
		wg.Go(func() {
			units, err := r.Plan([]settings.Config{kinds[i%2]}, []uint64{5, 6})
			if err != nil {
				t.Error(err)
				return
			}
			runs[i] = filepath.Base(units[0].Run())
		})
	}
	wg.Wait()
	if runs[0] == runs[1] {
		t.Error("two configurations have the same run", runs)
	}
	for i := range runs {
		if runs[i] != runs[i%2] {
			t.Errorf("the same sweep has the runs %v", runs)
		}
	}
}

// TestTrainUnit interrupts a unit within each epoch. The epoch is finished, and at last the files
// are those of an uninterrupted run.
func TestTrainUnit(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"name": "full"})
	uninterrupted := runstest.NewRunner(t)
	dir, _, err := uninterrupted.Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	want := runstest.Contents(t, dir)
	r := runstest.NewRunner(t)
	u := plan(t, r, []settings.Config{c}, 5)[0]
	for epoch := 1; epoch <= 6; epoch++ { // 5 epochs and the test
		ctx, cancel := context.WithCancel(context.Background())
		r.Stop = ctx.Done()
		runstest.OnStep(r, func(p runs.Progress) {
			cancel()
			if p.Number != 1 || p.Count != 1 {
				t.Errorf("seed %d of %d, want the only one", p.Number, p.Count)
			}
			if locked, err := u.Holder(); err != nil || locked == nil ||
				locked.Holder.PID != os.Getpid() {
				t.Errorf("while it is trained, the unit is locked by %v (%v)", locked, err)
			}
		})
		err := r.TrainUnit(context.Background(), u.Dir)
		if interrupted := new(train.Interrupted); epoch < 6 && !errors.As(err, &interrupted) ||
			epoch == 6 && err != nil {
			t.Fatal(epoch, err)
		}
		if records, err := rundir.Dir(u.Dir).Records(); err != nil ||
			len(records) != min(epoch, 5) {
			t.Errorf("after %d interruptions there are %d epochs (%v)", epoch, len(records), err)
		}
		if locked, err := u.Holder(); locked != nil || err != nil {
			t.Errorf("still locked by %v (%v)", locked, err)
		}
	}
	r.Stop = nil
	runstest.SameFiles(t, "interrupted", runstest.Contents(t, u.Run()), want)
	if err := r.TrainUnit(context.Background(), u.Dir); err != nil || !u.Finished() {
		t.Error("a finished unit:", err)
	}
}

// TestLockedUnit checks that each operation refuses a unit that another process has locked.
func TestLockedUnit(t *testing.T) {
	r := runstest.NewRunner(t)
	c := settingstest.Resolved(t, nil)
	u := plan(t, r, []settings.Config{c}, 5)[0]
	release, err := rundir.Lock(filepath.Join(u.Dir, rundir.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	_, _, resumed := r.Resume(context.Background(), u.Dir)
	_, ablated := r.Ablate(context.Background(), []settings.Config{c}, []uint64{5}, nil)
	for what, err := range map[string]error{"work": r.TrainUnit(context.Background(), u.Dir),
		"resume": resumed, "ablate": ablated} {
		if locked := new(rundir.LockedError); !errors.As(err, &locked) ||
			!strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := r.TrainUnit(context.Background(), u.Dir); err != nil {
		t.Error(err)
	}
}

// TestSummaryOfConcurrentSeeds trains the seeds of a run concurrently. The summary has all of
// them.
func TestSummaryOfConcurrentSeeds(t *testing.T) {
	r := runstest.NewRunner(t)
	seeds := []uint64{1, 2, 3, 4, 5, 6}
	units := plan(t, r, []settings.Config{settingstest.Resolved(t, nil)}, seeds...)
	var wg sync.WaitGroup
	for _, u := range units {
		wg.Go(func() {
			if err := r.TrainUnit(context.Background(), u.Dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, one := runstest.Contents(t, units[0].Run()), runstest.NewRunner(t)
	dir, _, err := one.Train(context.Background(), settingstest.Resolved(t, nil), seeds)
	if err != nil {
		t.Fatal(err)
	}
	runstest.SameFiles(t, "concurrent", got, runstest.Contents(t, dir))
}

// TestRepair repairs the files of a process that was killed between its last writes.
func TestRepair(t *testing.T) {
	r := runstest.NewRunner(t)
	units := plan(t, r, []settings.Config{settingstest.Resolved(t, nil)}, 5, 6, 7)
	for _, u := range units[:2] {
		if err := r.TrainUnit(context.Background(), u.Dir); err != nil {
			t.Fatal(err)
		}
	}
	summary := filepath.Join(units[0].Run(), rundir.SummaryCSV)
	want, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(summary, []byte("of one seed only"), 0o644); err != nil {
		t.Fatal(err)
	}
	mean, std, n, err := tables.Scores(units[0].Run(), []uint64{5, 7})
	if v := runstest.ParseSummary(t, want); err != nil || n != 1 ||
		mean["MAE"] != v["5 mean MAE"] || std["MAE"] != 0 {
		t.Errorf("MAE %g ± %g over %d seeds, want %g (%v)", mean["MAE"], std["MAE"],
			n, v["5 mean MAE"], err)
	}
	// a run after it, and one of which no seed is finished
	second := filepath.Join(r.Out, "synthetic", "toy", "second")
	if err := os.CopyFS(second, os.DirFS(units[0].Run())); err != nil {
		t.Fatal(err)
	}
	new := settingstest.Resolved(t, map[string]string{"name": "first"})
	unfinished := plan(t, r, []settings.Config{new}, 5)
	all := slices.Concat(units, unfinished, []runs.Unit{{Dir: filepath.Join(second, "seed5")}})
	if err := runs.Repair(all); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{summary, filepath.Join(second, rundir.SummaryCSV)} {
		if got, _ := os.ReadFile(path); string(got) != string(want) {
			t.Errorf("%s was not repaired", path)
		}
	}
	if _, err := os.Stat(filepath.Join(unfinished[0].Run(), rundir.SummaryCSV)); err == nil {
		t.Error("a run without a finished seed has a summary")
	}
	if _, _, n, err := tables.Scores(units[0].Run(), []uint64{7}); n != 0 || err != nil {
		t.Error(n, err)
	}
}
