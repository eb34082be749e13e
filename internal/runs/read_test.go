package runs_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

func TestReadRun(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, summary, err := r.Train(context.Background(), settingstest.Resolved(t, nil),
		[]uint64{6, 5})
	if err != nil {
		t.Fatal(err)
	}
	run, err := rundir.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	results, err := tables.Summarize(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Seeds) != 2 || run.Seeds[0].Seed != 5 || !run.Finished() ||
		run.Title() != "toy on synthetic" || !slices.Equal(results.Seeds, []uint64{5, 6}) {
		t.Errorf("run: %+v", run)
	}
	want := "data.scale=0.2 data.limit=40 train.batch=16 train.lr=0.05"
	if got := strings.Join(run.Config.Changes(), " "); !strings.HasPrefix(got, want) {
		t.Errorf("changes %q, want %q and more", got, want)
	}
	if text, err := run.YAML(); err != nil || strings.Contains(text, "seed:") ||
		!strings.Contains(text, "batch: 16") {
		t.Errorf("configuration:\n%s", text)
	}

	metrics, rows := results.Cells()
	at := slices.Index(metrics, "MAE")
	mean, std := summary.Find("mean", "0.5"), summary.Find("std", "0.5")
	if len(rows) != 4 || rows[1][0] != "0.5" || rows[2][0] != "mean" ||
		rows[1][1+at] != fmt.Sprintf("%.4f ± %.4f", mean["MAE"], std["MAE"]) {
		t.Errorf("rows %v", rows)
	}
	// With two rates the area is half the sum, times 0.5.
	area := 0.25 * (summary.Find("mean", "0")["MAE"] + mean["MAE"])
	if got := rows[3]; got[0] != "AUILC" ||
		!strings.HasPrefix(got[1+at], fmt.Sprintf("%.4f ± ", area)) {
		t.Errorf("area %v, want %.4f", got, area)
	}
	if seeds := results.SeedCells(); len(seeds) != 2 || seeds[1][0] != "6" ||
		seeds[1][1+at] != fmt.Sprintf("%.4f", summary.Find("6", "mean")["MAE"]) {
		t.Errorf("seeds %v", seeds)
	}

	journal := run.Seeds[0].Dir.File(rundir.JournalFile)
	if records, err := run.Seeds[0].Dir.Records(); err != nil || len(records) != 5 ||
		records[0].Phase != "stage1" || records[0].Epoch != 1 {
		t.Errorf("%d records, want 5: %v", len(records), err)
	}
	add := func(text string) {
		t.Helper()
		old, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(journal, append(old, text...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	add(`{"phase":`)
	if records, err := run.Seeds[0].Dir.Records(); err != nil || len(records) != 5 {
		t.Errorf("%d records with half a line, want 5: %v", len(records), err)
	}
	add("\n")
	if _, err := run.Seeds[0].Dir.Records(); err == nil ||
		!strings.Contains(err.Error(), "line 6: expected an epoch") {
		t.Errorf("a broken line: %v", err)
	}

	// Another seed, which was not started.
	if _, err := rundir.CreateSeeds(dir, run.Config, []uint64{9}); err != nil {
		t.Fatal(err)
	}
	if run, err = rundir.Read(dir); err != nil || run.Finished() || !run.HasFinished() ||
		len(run.Seeds) != 3 {
		t.Errorf("with an unfinished seed: %+v, %v", run, err)
	}
	if results, err = tables.Summarize(dir); err != nil || len(results.Seeds) != 2 {
		t.Errorf("results with an unfinished seed: %+v, %v", results, err)
	}
	if records, err := run.Seeds[2].Dir.Records(); err != nil || records == nil ||
		len(records) != 0 {
		t.Errorf("a seed that was not started: %d records, %v", len(records), err)
	}
}
