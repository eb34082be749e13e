package runs_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestAblateDropped compares variants without a modality.
func TestAblateDropped(t *testing.T) {
	r := runstest.NewRunner(t)
	variants := []settings.Config{settingstest.Resolved(t, nil),
		settingstest.Resolved(t, map[string]string{"variant": "no-dropout"})}
	all, err := r.Ablate(context.Background(), variants, []uint64{6}, []zoo.Modality{zoo.Audio})
	if err != nil {
		t.Fatal(err)
	}
	single, err := runs.Evaluate(context.Background(),
		filepath.Join(r.Out, "synthetic", "toy", "no-dropout"),
		runs.EvalOptions{Drop: []zoo.Modality{zoo.Audio}}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	got, want := all[1].Find("mean", "mean")["MAE"], single.Find("mean", "mean")["MAE"]
	if got != want {
		t.Errorf("MAE %g, want the %g of Evaluate", got, want)
	}
	// the toy uses audio only: all its predictions are equal
	if table := tables.AblationTable(all).Text(0); !strings.Contains(table, "without audio") ||
		!strings.Contains(table, "NaN") || !strings.Contains(table, "constant predictor") {
		t.Error(table)
	}
}
