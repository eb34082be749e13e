package plots

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestWeightsAreMeans compares the curves with means of the α in predictions.csv, over utterances
// and then over seeds.
func TestWeightsAreMeans(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	curves, err := weightCurves(dir)
	if err != nil {
		t.Fatal(err)
	}
	for m, c := range curves {
		var alpha [2][2]float64 // [seed][rate]
		for i, seed := range []string{"seed5", "seed6"} {
			rows := readPredictions(t, filepath.Join(dir, seed))
			for _, row := range rows {
				alpha[i][map[string]int{"0": 0, "0.5": 1}[row[1]]] += parseFloat(t,
					row[4+m]) / float64(len(rows)/2)
			}
		}
		want := figure.Curve{Name: []string{"language", "audio", "vision"}[m],
			X: []float64{0, 0.5},
			Y: []float64{(alpha[0][0] + alpha[1][0]) / 2, (alpha[0][1] + alpha[1][1]) / 2},
			YError: []float64{math.Abs(alpha[0][0]-alpha[1][0]) / 2,
				math.Abs(alpha[0][1]-alpha[1][1]) / 2}}
		if diff := cmp.Diff(want, c, close12); diff != "" {
			t.Error(diff)
		}
		if c.Y[0] == c.Y[1] || c.YError[0] == 0 {
			t.Error("rates or seeds do not differ")
		}
	}
	if _, err := Weights([]string{dir}); err != nil {
		t.Error(err)
	}
}

// TestSetRange takes the upper end of the highest band of all panels, rounded up to a tenth.
func TestSetRange(t *testing.T) {
	nan := math.NaN()
	low := figure.Panel{Curves: []figure.Curve{{Y: []float64{0.2, nan}}, {Y: []float64{0.31}}}}
	band := figure.Panel{Curves: []figure.Curve{{Y: []float64{0.52}},
		{Y: []float64{0.2, 0.5, 0.3}, YError: []float64{0.1, 0.05, nan}}}}
	for _, c := range []struct {
		panels []figure.Panel
		want   float64
	}{{[]figure.Panel{low}, 0.4}, {[]figure.Panel{low, band}, 0.6},
		{[]figure.Panel{band, low}, 0.6}, {[]figure.Panel{{}}, 0}} {
		setRange(c.panels)
		for i, p := range c.panels {
			if p.YRange != [2]float64{0, c.want} {
				t.Errorf("panel %d of %d: %g, want to %g", i, len(c.panels), p.YRange, c.want)
			}
		}
	}
}
