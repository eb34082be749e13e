package tables

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// TestSweepTable has runs of which two seeds, one of two and none are finished. MAEs are as in
// TestTables.
func TestSweepTable(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	full := recapConfig(t, nil)
	few := recapConfig(t, map[string]string{"data.labels": "0.1"})
	w.write("full", full, 9, smallOffsets)
	w.write("full", full, 10, largeOffsets)
	w.write("few", few, 9, smallOffsets)
	run := func(name string) string { return filepath.Join(w.out, "mosi", "recap", name) }
	for _, name := range []string{"none", "later"} {
		if _, err := rundir.CreateSeeds(run(name), few, []uint64{9}); err != nil {
			t.Fatal(err)
		}
	}
	table, err := SweepTable([]Tally{
		{Run: run("full"), Config: full, Seeds: []uint64{9, 10}, Done: 1, Skipped: 1,
			Elapsed: 90 * time.Second},
		{Run: run("few"), Config: few, Seeds: []uint64{9, 10}, Done: 1, Failed: 1,
			Elapsed: 1234 * time.Millisecond},
		{Run: run("none"), Config: few, Seeds: []uint64{9, 10, 11}, Skipped: 2, Failed: 2,
			Remaining: 3},
		{Run: run("later"), Config: few, Seeds: []uint64{9}, Remaining: 4},
	}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"mosi/recap/full", "1", "1", "0", "0", "1m30s", "2/2", "0.3333 ± 0.1000",
			"1.0000 ± 0.0000"},
		{"mosi/recap/few", "1", "0", "1", "0", "1.2s", "1/2", "0.2333", "1.0000"},
		{"mosi/recap/none", "0", "2", "2", "3", "0s", "0/3", "", ""},
		{"mosi/recap/later", "0", "0", "0", "4", "0s", "0/1", "", ""},
		{"all, time on the clock", "2", "3", "3", "7", "1h0m0s", "", "", ""},
	}
	if diff := diffTables(&typeset.Table{Title: "mean over rates 0,0.5,0.9 and finished seeds ± " +
		"standard deviation; selected by validation MAE at rate 0.5", Rows: want,
		Header: []string{"run", "done", "skipped", "failed", "left", "time", "seeds", "MAE",
			"Corr"}, Rules: []int{4}, LabelColumns: 1,
		Important: []string{"MAE", "failed", "left", "done", "Corr", "seeds"}}, table); diff != "" {
		t.Error(diff)
	}
}

// TestSweepsOfOtherRuns has a run of classes, one that has more finished seeds than the sweep, and
// one whose files are damaged.
func TestSweepsOfOtherRuns(t *testing.T) {
	w := &runWriter{t, t.TempDir(), []float32{0, 1, 2}}
	classes := recapConfig(t, map[string]string{"data.classes": "3"})
	for _, seed := range []uint64{5, 6} {
		w.write("full", classes, seed, map[float64]float32{0.9: float32(seed) - 5})
	}
	run := filepath.Join(w.out, "mosi", "recap", "full")
	sweep := func(seeds ...uint64) (*typeset.Table, error) {
		return SweepTable([]Tally{{Run: run, Config: classes, Seeds: seeds}}, 0)
	}
	table, err := sweep(6, 7)
	if err != nil {
		t.Fatal(err)
	}
	// seed 6 is right at two of three rates
	want := []string{"mosi/recap/full", "0", "0", "0", "0", "0s", "1/2", "0.6667", "0.6667"}
	if diff := gocmp.Diff(want, table.Rows[0]); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]string{"Acc_3", "F1_score_3"}, table.Header[7:]); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{rundir.PredictionsFile, rundir.ConfigFile} {
		path := rundir.Dir(filepath.Join(run, "seed6")).File(name)
		if err := os.WriteFile(path, []byte("x: ["), 0o600); err != nil {
			t.Fatal(err)
		}
		if table, err := sweep(6); err == nil || table != nil ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s is damaged: %v", name, err)
		}
		if _, _, n, err := Scores(run, []uint64{6}); err == nil || n != 0 {
			t.Errorf("%s is damaged: %d seeds, %v", name, n, err)
		}
	}
}

func TestSeedList(t *testing.T) {
	for want, seeds := range map[string][]uint64{"seed 7": {7},
		"seeds 7 8 (mean ± standard deviation)": {7, 8}} {
		if got := SeedList(seeds); got != want {
			t.Errorf("%v: %q, want %q", seeds, got, want)
		}
	}
}
