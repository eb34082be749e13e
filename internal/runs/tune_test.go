package runs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// searchOf returns a search with a trial for each learning rate.
func searchOf(t *testing.T, set map[string]string, rates ...string) *runs.Search {
	t.Helper()
	s := &runs.Search{Name: "tune", Base: settingstest.Resolved(t, set),
		Keys: []string{"train.lr"}, Grid: []any{map[string]any{"train.lr": rates}}, Seed: 1}
	for _, lr := range rates {
		values := map[string]string{"train.lr": lr}
		maps.Copy(values, set)
		c := settingstest.Resolved(t, values)
		s.Trials = append(s.Trials, runs.Trial{Values: []string{lr}, Config: c})
	}
	return s
}

// bestValid returns the smallest validation score of stage2 in the journal.
func bestValid(t *testing.T, dir, key string) float64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, rundir.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	best := math.Inf(1)
	for line := range bytes.Lines(text) {
		var r struct {
			Phase string
			Valid map[string]float64
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if r.Phase == "stage2" {
			best = min(best, r.Valid[key])
		}
	}
	return best
}

func TestSearch(t *testing.T) {
	for _, set := range []map[string]string{nil, {"data.classes": "3"}} {
		r := runstest.NewRunner(t)
		s := searchOf(t, set, "0.0001", "0.3", "0.02")
		seeds := []uint64{5, 6}
		units, err := r.PlanSearch(s, seeds)
		if err != nil || len(units) != 6 || filepath.Base(units[5].Run()) != "tune-003" {
			t.Fatal(units, err)
		}
		for _, u := range units[:5] { // the last trial lacks a seed
			if err := r.TrainUnit(context.Background(), u.Dir); err != nil {
				t.Fatal(err)
			}
		}
		key := s.Choice().Metric
		score := func(i int) float64 { return bestValid(t, units[i].Dir, key) }
		all, err := r.TrialScores(s, seeds)
		if err != nil {
			t.Fatal(err)
		}
		a, b := (score(0)+score(1))/2, (score(2)+score(3))/2
		order := []int{0, 1, 2}
		if b < a {
			order = []int{1, 0, 2}
		}
		for i, y := range all {
			want := []float64{a, b, score(4)}[y.Trial]
			if y.Trial != order[i] || math.Abs(y.Mean-want) > 1e-12 ||
				y.Seeds != []int{2, 2, 1}[y.Trial] {
				t.Errorf("%s, rank %d: %+v, want trial %d with %g", key, i, y, order[i], want)
			}
		}
		if dev := math.Abs(score(0)-score(1)) / 2; math.Abs(all[order[0]].Std-dev) > 1e-12 {
			t.Errorf("deviation %g, want %g", all[order[0]].Std, dev)
		}
		text, err := os.ReadFile(filepath.Join(r.Out, "synthetic", "toy", "tune", "trials.csv"))
		lines := strings.Split(string(text), "\n")
		best := strings.Join([]string{"1", strconv.Itoa(order[0] + 1), all[0].Run,
			s.Trials[order[0]].Values[0], "2", results.FormatNumber(all[0].Mean),
			results.FormatNumber(all[0].Std)}, ",")
		if err != nil || len(lines) != 5 ||
			lines[0] != "rank,trial,run,train.lr,seeds,valid_"+key+",valid_"+key+"_std" ||
			lines[1] != best || !strings.HasPrefix(lines[3], ",3,tune-003,0.02,1,") {
			t.Errorf("trials.csv is\n%s(%v), its first row should be\n%s", text, err, best)
		}
		if table := s.Table(all,
			seeds).Text(0); !strings.Contains(
			strings.Join(strings.Fields(strings.ReplaceAll(table, "│", "")),
				" "), "test scores were not used",
		) || !strings.Contains(table, "tune-003 │     0.02 │   1/2") ||
			strings.Count(table, " ± 0.") != 2 { // of the two trials with two seeds
			t.Errorf("the table is\n%s", table)
		}
	}
}

// TestSearchReadsNoTestScores ranks trials whose predictions and summaries cannot be read.
func TestSearchReadsNoTestScores(t *testing.T) {
	r := runstest.NewRunner(t)
	s := searchOf(t, nil, "0.1")
	units, err := r.PlanSearch(s, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.TrainUnit(context.Background(), units[0].Dir); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(units[0].Dir, rundir.PredictionsFile),
		filepath.Join(units[0].Run(), rundir.SummaryCSV)} {
		if err := os.WriteFile(path, []byte("nothing"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := r.TrialScores(s, []uint64{5}); err != nil ||
		all[0].Mean != bestValid(t, units[0].Dir, "MAE") {
		t.Error(all, err)
	}
}

// TestSearchContinues plans a search again, with the same and with other contents.
func TestSearchContinues(t *testing.T) {
	r := runstest.NewRunner(t)
	seeds := []uint64{5}
	first, err := r.PlanSearch(searchOf(t, nil, "0.1"), seeds)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(s *runs.Search)) *runs.Search {
		s := searchOf(t, nil, "0.1")
		change(s)
		return s
	}
	more := searchOf(t, nil, "0.1", "0.2")
	more.Grid = searchOf(t, nil, "0.1").Grid
	units, err := r.PlanSearch(more, []uint64{5, 6})
	if err != nil || len(units) != 4 || units[0].Dir != first[0].Dir {
		t.Errorf("more trials: %v, %v", units, err)
	}
	for _, c := range []struct {
		s    *runs.Search
		want string
	}{
		{searchOf(t, nil, "0.1", "0.2"),
			"expected the grid with which this search was started, found another"},
		{changed(func(s *runs.Search) { s.Seed = 2 }), "expected the random seed with"},
		{searchOf(t, map[string]string{"train.batch": "8"}, "0.1"), "expected the settings with"},
		{searchOf(t, nil, "0.1", "0.1"), "trials 1 and 2: expected different settings"},
		{changed(func(s *runs.Search) {
			s.Base.Dataset = "mosi"
		}), "data set mosi: expected its feature file"},
	} {
		if _, err := r.PlanSearch(c.s, seeds); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(r.Out, "mosi")); err == nil {
		t.Error("a directory was made for a data set without a file")
	}
	if _, err := r.PlanSearch(changed(func(s *runs.Search) {
		s.Name, s.Seed = "other", 2
	}), seeds); err != nil {
		t.Error("under a new name:", err)
	}
	if _, err := r.PlanSearch(changed(func(s *runs.Search) {
		s.Base.Seed = 7
	}), seeds); err != nil {
		t.Error("the settings have another seed, but the runs have seeds of their own:", err)
	}
	if _, err := r.PlanSearch(changed(func(s *runs.Search) {
		s.Name = "tune-001"
	}), seeds); err == nil ||
		!strings.Contains(err.Error(), "expected the directory of a search, found a run") {
		t.Error("under the name of a run:", err)
	}
}

// TestFileOfASearch compares the file of a search, and has others in its place.
func TestFileOfASearch(t *testing.T) {
	r := runstest.NewRunner(t)
	s := searchOf(t, nil, "0.1")
	s.Grid = []any{map[string]any{"key": "train.lr", "values": []string{"0.1"}}}
	if _, err := r.PlanSearch(s, []uint64{5}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(r.Out, "synthetic", "toy", "tune")
	path := filepath.Join(dir, "tune.yaml")
	base := s.Base
	base.Seed = 0
	want := "grid:\n- key: train.lr\n  values:\n  - \"0.1\"\ntune_seed: 1\nsettings: " +
		base.Hash() + "\n"
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("%s, %v, want\n%s", text, err, want)
	}
	other := *s
	other.Seed = 2
	for _, w := range []struct {
		s       *runs.Search
		prepare func() error
		want    string
	}{
		{&other, func() error { return nil }, "runs: " + path + ": expected the random seed with " +
			"which this search was started, found another; give the same to continue it, or " +
			"--name for a new search"},
		{s, func() error { return os.WriteFile(path, []byte("grid: [\n"), 0o644) },
			"runs: " + path + ": expected a search, found "},
		{s, func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
			"runs: search: " + path + ": expected a file, found a directory"},
		{s, func() error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o644)) },
			"runs: search: "},
		{s, func() error {
			return errors.Join(os.RemoveAll(r.Out), os.WriteFile(r.Out, nil, 0o644))
		}, "runs: run directories: mkdir " + r.Out + ": file exists"},
	} {
		if err := w.prepare(); err != nil {
			t.Fatal(err)
		}
		_, err := r.PlanSearch(w.s, []uint64{5})
		if !strings.HasPrefix(fmt.Sprint(err), w.want) {
			t.Errorf("error %v, want %s", err, w.want)
		}
	}
}

// TestOrderOfTrials has journals whose scores are known: finished trials are before others, NaN is
// the last of them, and of equal scores the first trial is the first.
func TestOrderOfTrials(t *testing.T) {
	r := runstest.NewRunner(t)
	s := searchOf(t, nil, "0.1", "0.2", "0.3", "0.4", "0.5")
	seeds := []uint64{5, 6}
	units, err := r.PlanSearch(s, seeds)
	if err != nil {
		t.Fatal(err)
	}
	scores := [][]string{{"null", "1"}, {"0.75", "0.25"}, {"", "0.1"}, {"0.5", "0.5"}, nil}
	for i, trial := range scores {
		for k, score := range trial {
			if score == "" {
				continue // the first seed of the trial is not finished
			}
			d := rundir.Dir(units[2*i+k].Dir)
			line := `{"phase":"stage2","epoch":1,"valid":{"MAE":` + score + "}}\n"
			if err := errors.Join(os.WriteFile(d.File(rundir.JournalFile), []byte(line), 0o644),
				os.WriteFile(d.File(rundir.PredictionsFile), nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	leftover := filepath.Join(r.Out, "synthetic", "toy", "tune", ".trials.csv.1.partial")
	if err := os.WriteFile(leftover, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := r.TrialScores(s, seeds)
	nan := math.NaN()
	want := []runs.TrialScore{{Trial: 1, Run: "tune-002", Seeds: 2, Mean: 0.5, Std: 0.25},
		{Trial: 3, Run: "tune-004", Seeds: 2, Mean: 0.5},
		{Trial: 0, Run: "tune-001", Seeds: 2, Mean: nan, Std: nan},
		{Trial: 2, Run: "tune-003", Seeds: 1, Mean: 0.1},
		{Trial: 4, Run: "tune-005", Mean: nan, Std: nan}}
	if diff := cmp.Diff(all, want, cmpopts.EquateNaNs()); err != nil || diff != "" {
		t.Errorf("%s, %v", diff, err)
	}
	if _, err := os.Stat(leftover); err == nil {
		t.Error("the temporary file of a killed process is left")
	}
	journal := filepath.Join(units[0].Dir, rundir.JournalFile)
	if err := os.WriteFile(journal, []byte("{\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := r.TrialScores(s, seeds); !strings.Contains(fmt.Sprint(err), journal) {
		t.Errorf("error %v of a broken journal", err)
	}
}
