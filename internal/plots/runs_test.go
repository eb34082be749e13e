package plots

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestFiguresOfAnUnfinishedRun draws a run of which one seed of two is finished.
func TestFiguresOfAnUnfinishedRun(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	finished, err := Curves([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(finished[0].Alt, "finished") {
		t.Errorf("of a finished run: %s", finished[0].Alt)
	}
	if err := os.Remove(filepath.Join(dir, "seed6", rundir.PredictionsFile)); err != nil {
		t.Fatal(err)
	}
	const want = "1 of 2 seeds finished"
	if _, titles, err := summaries([]string{dir}); err != nil ||
		titles[0] != "toy, "+want {
		t.Errorf("title %q, want %q (%v)", titles, want, err)
	}
	curves, e1 := Curves([]string{dir}, nil)
	weights, e2 := Weights([]string{dir})
	losses, e3 := Losses(dir)
	if err := errors.Join(e1, e2, e3); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(curves[0].Alt, want) || !strings.Contains(weights.Alt, want) ||
		!strings.Contains(svgOf(t, weights), ">toy, "+want+"</text>") {
		t.Errorf("%q, %q, or the title of the weights, do not say %q", curves[0].Alt, weights.Alt,
			want)
	}
	const alt = "Terms of the loss over the epochs of stage2, means over 2 seeds; synthetic, toy " +
		"(the run is not finished)."
	if got := losses[len(losses)-1].Alt; len(losses) != 2 || got != alt {
		t.Errorf("%d figures, the last is %s, want %s", len(losses), got, alt)
	}
	if !strings.Contains(svgOf(t, losses[0]), "epoch (the run is not finished)") {
		t.Error("the axis does not say that the run is not finished")
	}
}

// TestOtherTestSplit refuses runs that were tested on different numbers of utterances.
func TestOtherTestSplit(t *testing.T) {
	r := runstest.NewRunner(t)
	var dirs []string
	for _, limit := range []string{"40", "24"} {
		dir, _, err := r.Train(t.Context(), settingstest.Resolved(t,
			map[string]string{"data.limit": limit}), []uint64{5})
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	_, curves := Curves(dirs, nil)
	_, confusions := Confusions(dirs, 0.5)
	_, weights := Weights(dirs)
	for _, err := range []error{curves, confusions, weights} {
		if err == nil || !strings.Contains(err.Error(), "40 utterances, found another of 24") {
			t.Errorf("error %v", err)
		}
	}
}
