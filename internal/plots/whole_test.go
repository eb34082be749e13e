package plots

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// summaryOf returns a summary of the rates 0 and 0.5 whose labels are −1 and 1, of seeds that are
// off by a tenth of their number.
func summaryOf(t *testing.T, set map[string]string, seeds ...uint64) *tables.Summary {
	t.Helper()
	c, s := settingstest.Resolved(t, set), &tables.Summary{}
	kind := metric.KindOf(c.Dataset, [2]float64{-1, 2})
	for _, seed := range seeds {
		c.Seed = seed
		var list []*results.Predictions
		for _, rate := range []float64{0, 0.5} {
			off := float32(seed)/10 + float32(rate)
			list = append(list, &results.Predictions{Rate: rate, ID: []string{"a", "b"},
				Label: []float32{-1, 1}, Score: []float32{-1 + off, 1 + off}})
		}
		s.AddTested(&c, kind, slices.Repeat([][]*results.Predictions{list},
			len(results.Choices(&c, kind))))
	}
	return s
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

// TestDescribe names each data set, its seeds and its selection once, and what is not finished.
func TestDescribe(t *testing.T) {
	mosi := map[string]string{"dataset": "mosi"}
	a, b := summaryOf(t, mosi, 5, 6), summaryOf(t, mosi, 5, 6)
	c := summaryOf(t, map[string]string{"dataset": "sims", "select": "per-metric-test"}, 5)
	c.Unfinished = 2
	const want = "mosi, seeds 5 6 (mean ± standard deviation), selected by validation MAE at " +
		"rate 0.5; sims, seed 5, selected per metric on TEST at rate 0.5: optimistic, as in the " +
		"literature, 1 of 3 seeds finished"
	if got := describe([]*tables.Summary{a, b, c}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestMeanCurve has one seed, two, and two of which one has a point less.
func TestMeanCurve(t *testing.T) {
	x := []float64{1, 2}
	of := func(values ...float64) (list []metric.Scores) {
		for _, v := range values {
			list = append(list, metric.Scores{"a": v, "b": -v})
		}
		return list
	}
	for what, c := range map[string]struct {
		runs [][]metric.Scores
		want figure.Curve
	}{
		"one": {[][]metric.Scores{of(2, 8)}, figure.Curve{Y: []float64{2, 8}}},
		"two": {[][]metric.Scores{of(1, 1), of(1, 5)},
			figure.Curve{Y: []float64{1, 3}, YError: []float64{0, 2}}},
		"one with a point less": {[][]metric.Scores{of(2, 8), of(4)},
			figure.Curve{Y: []float64{3, 8}, YError: []float64{1, 0}}},
	} {
		c.want.Name, c.want.X = "c", x
		if diff := cmp.Diff(c.want, meanCurve("c", x, c.runs, "a")); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

// TestSetRange takes the upper end of the highest band of all panels, rounded up to a tenth.
func TestSetRange(t *testing.T) {
	low := figure.Panel{Curves: []figure.Curve{{Y: []float64{0.2, math.NaN()}}, {Y: []float64{0.31}}}}
	band := figure.Panel{Curves: []figure.Curve{
		{Y: []float64{0.2, 0.5, 0.3}, YError: []float64{0.1, 0.05, math.NaN()}}, {Y: []float64{0.52}}}}
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

// TestClassNames compares the names of all numbers of classes.
func TestClassNames(t *testing.T) {
	for _, c := range []struct {
		kind metric.Kind
		want []string
	}{
		{metric.MOSI, []string{"< 0", "≥ 0"}}, {metric.MOSI, []string{"−1", "0", "1"}},
		{metric.MOSI, []string{"−2", "−1", "0", "1", "2"}},
		{metric.MOSI, []string{"−3", "−2", "−1", "0", "1", "2", "3"}},
		{metric.SIMS, []string{"≤ 0", "> 0"}}, {metric.SIMS, []string{"≤ −0.1", "≤ 0.1", "> 0.1"}},
		{metric.SIMS, []string{"≤ −0.7", "≤ −0.1", "≤ 0.1", "≤ 0.7", "> 0.7"}},
	} {
		if diff := cmp.Diff(c.want, classNames(len(c.want), c.kind)); diff != "" {
			t.Errorf("kind %v: %s", c.kind, diff)
		}
	}
}

// TestTerms are in the order of their titles, then of their curves, then of their names.
func TestTerms(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"model": "recap"})
	spec := c.Spec().Terms
	first, second := spec[0], spec[1]
	order := []string{"loss", "loss_chance", first.Name, first.Name + "_l", first.Name + "_av",
		first.Name + "_chance", second.Name, second.Name + "_l", "another", "other"}
	for i, a := range order {
		for j, b := range order {
			got := compareTerms(&c, a, b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s and %s are ordered %d", a, b, got)
			}
		}
	}
	for key, want := range map[string][3]string{"loss": {"loss of the phase", "", ""},
		first.Name + "_la": {first.Title, first.Unit, "language–audio"}, "other": {"other", "", ""}} {
		title, unit, curve := titlesOf(&c, key)
		if got := [3]string{title, unit, curve}; got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	prefixes, suffixes := TermTitles(&c)
	want := [][2]string{{"loss", "loss of the phase"}}
	for _, term := range spec {
		title := term.Title
		if term.Unit != "" {
			title += ", " + term.Unit
		}
		want = append(want, [2]string{term.Name, title})
	}
	if diff := cmp.Diff(want, prefixes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][2]string{{"", ""}, {"_l", "language"}, {"_a", "audio"}, {"_v", "vision"},
		{"_la", "language–audio"}, {"_lv", "language–vision"}, {"_av", "audio–vision"},
		{"_chance", "by chance"}}, suffixes); diff != "" {
		t.Error(diff)
	}
}

// TestDamagedRuns asks for each figure of a run whose files are damaged or missing: the error names
// the file.
func TestDamagedRuns(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	figures := map[string]func(dir string) error{
		"curves": func(dir string) error { _, err := Curves([]string{dir}, nil); return err },
		"confusions": func(dir string) error {
			_, err := Confusions([]string{dir}, 0.5)
			return err
		},
		"weights":   func(dir string) error { _, err := Weights([]string{dir}); return err },
		"confusion": func(dir string) error { _, err := confusion(dir, "", 0.5); return err },
		"alpha":     func(dir string) error { _, err := weightCurves(dir); return err },
		"losses":    func(dir string) error { _, err := Losses(dir); return err },
		"subspaces": func(dir string) error {
			_, err := Subspaces(t.Context(), dir, []float64{0.5}, "", r.Log,
				func(string, int, int) {})
			return err
		},
	}
	for what, draw := range figures {
		nowhere := filepath.Join(dir, "nowhere")
		if err := draw(nowhere); err == nil || !strings.Contains(err.Error(), nowhere) {
			t.Errorf("%s of no run: %v", what, err)
		}
	}
	d := rundir.Dir(filepath.Join(dir, "seed5"))
	for name, left := range map[string]string{rundir.PredictionsFile: "losses subspaces",
		rundir.BestFile: "losses", rundir.ConfigFile: "",
		rundir.JournalFile: "curves confusions weights confusion alpha subspaces"} {
		text, err := os.ReadFile(d.File(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.File(name), []byte("{x: [\n{"), 0o600); err != nil {
			t.Fatal(err)
		}
		for what, draw := range figures {
			err := draw(dir)
			if strings.Contains(" "+left+" ", " "+what+" ") {
				if err != nil && strings.Contains(err.Error(), name) {
					t.Errorf("%s without %s: %v", what, name, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), d.File(name)) {
				t.Errorf("%s with a damaged %s: %v", what, name, err)
			}
		}
		if err := os.WriteFile(d.File(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	same := []string{dir, dir}
	want := "plots: " + dir + ": expected a run that differs from " + dir + ", found the same " +
		"configuration; leave one out"
	for what, draw := range map[string]func() error{
		"curves":     func() error { _, err := Curves(same, nil); return err },
		"weights":    func() error { _, err := Weights(same); return err },
		"confusions": func() error { _, err := Confusions(same, 0.5); return err },
	} {
		if err := draw(); err == nil || err.Error() != want {
			t.Errorf("%s of a run twice: %v, want %s", what, err, want)
		}
	}
	var unknown *MetricError
	if _, err := Curves([]string{dir}, []string{"Acc_3"}); !errors.As(err, &unknown) {
		t.Errorf("a metric of classes: %v", err)
	}
}
