package plots

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

func TestCurvesAreTheSummary(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, s, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	v := runstest.SummaryScores(t, dir)
	want := figure.Curve{Name: "toy", X: []float64{0, 0.5},
		Y:      []float64{100 * v["mean 0 Mult_acc_7"], 100 * v["mean 0.5 Mult_acc_7"]},
		YError: []float64{100 * v["std 0 Mult_acc_7"], 100 * v["std 0.5 Mult_acc_7"]}}
	if diff := cmp.Diff(want, curve(s, "toy", "Mult_acc_7", 100), close12); diff != "" {
		t.Error(diff)
	}
	list, err := Curves([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := typeset.MapStrings(list, func(p Figure) string {
		return p.Name
	}); !slices.Equal(got, []string{"curves-Non0_acc_2-Corr", "curves-Mult_acc_5-MAE"}) {
		t.Errorf("figures %v", got)
	}
	for _, part := range []string{"Non0_acc_2, Corr", "synthetic", "seeds 5 6",
		"selected by validation MAE at rate 0.5"} {
		if !strings.Contains(list[0].Alt, part) {
			t.Errorf("%q does not contain %q", list[0].Alt, part)
		}
	}
	var unknown *MetricError
	if _, err := Curves([]string{dir}, []string{"MAE", "mae"}); !errors.As(err, &unknown) ||
		unknown.Metric != "mae" {
		t.Errorf("error %v", err)
	}
	for _, format := range []string{"png", "svg"} {
		path, err := list[1].Save(filepath.Join(dir, "a", "b"), format)
		if info, e := os.Stat(path); err != nil || e != nil || info.Size() < 1000 ||
			filepath.Base(path) != "curves-Mult_acc_5-MAE."+format {
			t.Error(path, err, e)
		}
	}
}

// TestCurve compares the curves of MAE of two seeds and of one.
func TestCurve(t *testing.T) {
	near := func(a, b figure.Curve) string { return cmp.Diff(a, b, cmpopts.EquateApprox(0, 1e-5)) }
	if diff := near(figure.Curve{Name: "two", X: []float64{0, 0.5}, Y: []float64{20, 70},
		YError: []float64{10, 10}}, curve(summaryOf(t, nil, 1, 3), "two", "MAE", 100)); diff != "" {
		t.Error(diff)
	}
	if diff := near(figure.Curve{Name: "one", X: []float64{0, 0.5}, Y: []float64{0.2, 0.7}},
		curve(summaryOf(t, nil, 2), "one", "MAE", 1)); diff != "" {
		t.Error(diff)
	}
}

// TestFigure4 are the metrics of the paper's figure, of each kind of labels, and those of classes.
func TestFigure4(t *testing.T) {
	for dataset, want := range map[string]string{"mosi": "[[Non0_acc_2 Corr] [Mult_acc_5 MAE]]",
		"sims": "[[Mult_acc_2 Corr] [Mult_acc_5 MAE]]", "classes": "[[Acc_3 F1_score_3]]"} {
		set := map[string]string{"dataset": dataset}
		if dataset == "classes" {
			set = map[string]string{"dataset": "sims", "data.classes": "3"}
		}
		if got := fmt.Sprint(figure4(summaryOf(t, set, 1))); got != want {
			t.Errorf("%s: %s, want %s", dataset, got, want)
		}
	}
}

// TestMetricError names the metrics that a run has, and the one that is meant.
func TestMetricError(t *testing.T) {
	const want = `plots: metric: expected one of MAE, Corr, found mae, did you mean "MAE"?`
	if got := (&MetricError{"mae", []string{"MAE", "Corr"}}).Error(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAxes(t *testing.T) {
	for key, want := range map[string]string{
		"MAE": "MAE ↓", "Corr": "Corr ↑", "Mult_acc_7": "Acc-7 (%) ↑",
		"Non0_acc_2": "Acc-2, neg./pos. (%) ↑", "Has0_F1_score": "F1, neg./non-neg. (%) ↑",
		"F1_score": "F1 (%) ↑", "F1_score_3": "F1-3 (%) ↑", "Acc_3": "Acc-3 (%) ↑",
		"NaN_predictions": "NaN predictions ↓", "Non0_F1_swapped": "Non0 F1 swapped (%) ↑",
	} {
		label, factor := axisOf(key)
		if label != want || (factor == 100) != strings.Contains(want, "%") {
			t.Errorf("%s: %q, times %g; want %q", key, label, factor, want)
		}
	}
}
