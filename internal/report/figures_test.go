package report

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
)

// TestFiguresOfAPage has the confusion matrix at rate 0.5, or at the middle rate if the run was not
// tested at it, and a note in place of a figure that cannot be drawn.
func TestFiguresOfAPage(t *testing.T) {
	dir := trained(t)
	for _, c := range []struct {
		rates []float64
		want  string
	}{{[]float64{0, 0.5, 0.9}, "0.5"}, {[]float64{0, 0.9}, "0.9"}, {[]float64{0}, "0"}} {
		var p Page
		if err := p.addFigures(t.Context(), dir, c.rates, Options{}, quiet); err != nil {
			t.Fatal(err)
		}
		want := "Confusion matrices at a missing rate of " + c.want + ", sums over all seeds"
		if len(p.Figures) != 4 || !strings.HasPrefix(p.Figures[2].Caption, want) ||
			!strings.HasPrefix(p.Figures[3].Caption, "Weights α") || p.Notes != nil {
			t.Errorf("rates %g: figures %d, want %s; notes %q", c.rates, len(p.Figures), want,
				p.Notes)
		}
		for _, f := range p.Figures {
			if !strings.HasPrefix(string(f.SVG), "<svg ") {
				t.Errorf("%s is %.20s", f.Caption, f.SVG)
			}
		}
	}
	var live Page
	if err := live.addFigures(t.Context(), dir, []float64{0.5}, Options{Samples: 1, Live: true},
		quiet); err != nil || len(live.Figures) != 4 || !slices.Equal(live.Notes, []string{
		"The figure of the feature spaces after stage 1 takes long to compute; recap report " +
			"draws it."}) {
		t.Errorf("live: %d figures, %q, %v", len(live.Figures), live.Notes, err)
	}
	path := rundir.Dir(filepath.Join(dir, "seed7")).File(rundir.PredictionsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines[1:] { // without weights
		if cells := strings.Split(line, ","); len(cells) == 7 {
			lines[i+1] = strings.Join(cells[:4], ",") + ",,,\n"
		}
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	var p Page
	if err := p.addFigures(t.Context(), dir, []float64{0.5}, Options{},
		slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	const note = "The figure of the modality weights is missing: plots: full: expected a model " +
		"with modality weights, found no weights in predictions.csv"
	if len(p.Figures) != 3 || !slices.Equal(p.Notes, []string{note}) ||
		!strings.Contains(log.String(), `level=WARN msg="figure omitted" figure="the modality `+
			`weights" reason="plots: `+dir) {
		t.Errorf("%d figures, notes %q, log %s", len(p.Figures), p.Notes, &log)
	}
}
