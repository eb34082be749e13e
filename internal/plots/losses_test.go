package plots

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// TestLossesAreTheJournal compares panels with the values of two journals, one of which has an
// epoch less.
func TestLossesAreTheJournal(t *testing.T) {
	epoch := func(n int, rec, valid float64) rundir.Record {
		return rundir.Record{Phase: "stage2", Epoch: n,
			Terms: rundir.Numbers{"rec_l": rec, "mystery": 1, "rec_a": 2, "disc_chance": 3},
			Valid: rundir.Numbers{"MAE": valid, "Corr": math.NaN()}}
	}
	// whose terms have titles, units and families
	c := settingstest.Resolved(t, map[string]string{"model": "recap"})
	panels := lossPanels(&c, [][]rundir.Record{{epoch(1, 4, 1)}, {epoch(1, 2, 3), epoch(2, 6, 5)}})
	x := []float64{1, 2}
	want := []figure.Panel{
		{Title: "L_disc, eq 5", X: "epoch", Y: "nats", IntegerX: true,
			Curves: []figure.Curve{{Name: "by chance", X: x, Y: []float64{3, 3},
				YError: []float64{0, 0}}}},
		{Title: "reconstruction, eq 13", X: "epoch", IntegerX: true, Curves: []figure.Curve{
			{Name: "language", X: x, Y: []float64{3, 6}, YError: []float64{1, 0}},
			{Name: "audio", X: x, Y: []float64{2, 2}, YError: []float64{0, 0}}}},
		{Title: "mystery", X: "epoch", IntegerX: true,
			Curves: []figure.Curve{{X: x, Y: []float64{1, 1}, YError: []float64{0, 0}}}},
		{Title: "validation, r = 0.5, MAE", X: "epoch", Y: "MAE ↓", IntegerX: true,
			Curves: []figure.Curve{{X: x, Y: []float64{2, 5}, YError: []float64{1, 0}}}},
		{Title: "validation, r = 0.5, Corr", X: "epoch", Y: "Corr ↑", IntegerX: true,
			Curves: []figure.Curve{{X: x, Y: []float64{math.NaN(), math.NaN()},
				YError: []float64{math.NaN(), math.NaN()}}}},
	}
	if diff := cmp.Diff(want, panels, close12); diff != "" {
		t.Error(diff)
	}
}

// TestLossesOfAnUnfinishedRun stops a run in its second phase; its second seed has not been
// started.
func TestLossesOfAnUnfinishedRun(t *testing.T) {
	r := runstest.NewRunner(t)
	ctx, cancel := context.WithCancel(context.Background())
	runstest.OnStep(r, func(p runs.Progress) {
		if p.Phase == "stage2" && p.Step == 4 {
			cancel()
		}
	})
	dir, _, err := r.Train(ctx, settingstest.Resolved(t, nil), []uint64{5, 6})
	if err == nil {
		t.Fatal("not interrupted")
	}
	list, err := Losses(dir)
	if err != nil || fmt.Sprint(typeset.MapStrings(list, func(p Figure) string {
		return p.Name
	})) != "[losses-stage1 losses-stage2]" {
		t.Errorf("figures %v (%v)", list, err)
	}
	if _, err := Losses(filepath.Join(dir, "seed6")); err == nil ||
		!strings.Contains(err.Error(), "expected a run with an epoch") {
		t.Errorf("a seed that was not started: error %v", err)
	}
}
