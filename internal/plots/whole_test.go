package plots

import (
	"errors"
	"fmt"
	"html"
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
	"github.com/seed-6655bf3b/recap/internal/settings"
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

// TestFindPredictions takes those of the checkpoint that was selected by a metric, at a rate.
func TestFindPredictions(t *testing.T) {
	seed := testedSeed{config: settings.Config{Select: settings.SelectTest}, kind: metric.MOSI}
	for range results.Choices(&seed.config, seed.kind) {
		seed.predictions = append(seed.predictions,
			[]*results.Predictions{{Rate: 0}, {Rate: 0.5}})
	}
	for key, i := range map[string]int{"MAE": 0, "": 0, "Corr": 0, "Has0_acc_2": 1,
		"Mult_acc_5": 3, "Mult_acc_7": 4} {
		for j, rate := range []float64{0, 0.5} {
			if p, err := seed.find(key, rate); err != nil || p != seed.predictions[i][j] {
				t.Errorf("%s at %g: not of checkpoint %d (%v)", key, rate, i, err)
			}
		}
	}
	const want = "rate: expected one of the run's, [0 0.5], found 0.25"
	if _, err := seed.find("MAE", 0.25); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
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
		first.Name + "_la": {first.Title, first.Unit, "language–audio"},
		"other":            {"other", "", ""}} {
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

// svgOf returns a figure as SVG.
func svgOf(t *testing.T, f Figure) string {
	t.Helper()
	var svg strings.Builder
	if err := f.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	return svg.String()
}

// TestFiguresOfRuns compares the names, the descriptions and the text of the figures of a run with
// two seeds, and of this one with another of one seed.
func TestFiguresOfRuns(t *testing.T) {
	r := runstest.NewRunner(t)
	full, _, e1 := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5, 6})
	half, _, e2 := r.Train(t.Context(), settingstest.Resolved(t, map[string]string{"name": "half",
		"data.labels": "0.5"}), []uint64{5})
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
	const first = "synthetic, seeds 5 6 (mean ± standard deviation), selected by validation MAE " +
		"at rate 0.5"
	const second = first + "; synthetic, seed 5, selected by validation MAE at rate 0.5."
	const fullTitle, halfTitle = "toy, 2 seeds", "toy, data.labels=0.5, seed 5"
	one, two := []string{full}, []string{full, half}
	confusions := func(dirs []string) ([]Figure, error) {
		f, err := Confusions(dirs, 0.5)
		return []Figure{f}, err
	}
	weights := func(dirs []string) ([]Figure, error) {
		f, err := Weights(dirs)
		return []Figure{f}, err
	}
	losses := func(dirs []string) ([]Figure, error) { return Losses(dirs[0]) }
	curves := func(dirs []string) ([]Figure, error) {
		return Curves(dirs, []string{"Mult_acc_7", "MAE"})
	}
	for _, c := range []struct {
		draw      func(dirs []string) ([]Figure, error)
		dirs      []string
		name, alt string
		texts     string // that are in the figure, in any order
		not       string // a text that is not
	}{
		{confusions, one, "confusion-r0.5", "Confusion matrices at a missing rate of 0.5, sums " +
			"over all seeds; " + first + ".", "toy, r = 0.5, 2 seeds|−3|3", "toy"},
		{confusions, two, "confusion-r0.5", "Confusion matrices at a missing rate of 0.5, sums " +
			"over all seeds; " + second, fullTitle + ", r = 0.5|" + halfTitle + ", r = 0.5", "toy"},
		{weights, one, "weights", "Weights α of language, audio and vision against the missing " +
			"rate; " + first + ".", "language|audio|vision|weight α|missing rate r", "toy"},
		{weights, two, "weights", "Weights α of language, audio and vision against the missing " +
			"rate; " + second, "language|audio|vision|" + fullTitle + "|" + halfTitle, "toy"},
		{curves, one, "curves-Mult_acc_7-MAE", "Mult_acc_7, MAE against the missing rate; " +
			first + ".", "toy|Acc-7 (%) ↑|MAE ↓|missing rate r", fullTitle},
		{curves, two, "curves-Mult_acc_7-MAE", "Mult_acc_7, MAE against the missing rate; " +
			second, fullTitle + "|" + halfTitle + "|Acc-7 (%) ↑|MAE ↓", "toy"},
		{losses, one, "losses-stage1", "Terms of the loss over the epochs of stage1, means over " +
			"2 seeds; synthetic, toy.", "epoch|loss of the phase",
			"epoch (the run is not finished)"},
		{losses, []string{half}, "losses-stage1", "Terms of the loss over the epochs of stage1; " +
			"synthetic, toy.", "epoch|loss of the phase", "epoch (the run is not finished)"},
	} {
		list, err := c.draw(c.dirs)
		if err != nil {
			t.Fatal(err)
		}
		f := list[0]
		svg := svgOf(t, f)
		if f.Name != c.name || f.Alt != c.alt {
			t.Errorf("%s: %s, want %s: %s", f.Name, f.Alt, c.name, c.alt)
		}
		for _, text := range append(strings.Split(c.texts, "|"), c.not) {
			there := strings.Contains(svg, ">"+html.EscapeString(text)+"</text>")
			if there != (text != c.not) {
				t.Errorf("%s of %d runs: %q is there: %t", f.Name, len(c.dirs), text, there)
			}
		}
	}
}

// TestFiguresOfClasses draws a run that predicts classes.
func TestFiguresOfClasses(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t,
		map[string]string{"data.classes": "3"}), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	curves, err := Curves([]string{dir}, nil)
	if err != nil || len(curves) != 1 || curves[0].Name != "curves-Acc_3-F1_score_3" {
		t.Errorf("curves %v (%v)", curves, err)
	}
	losses, err := Losses(dir)
	if err != nil {
		t.Fatal(err)
	}
	stage2 := svgOf(t, losses[1])
	for _, text := range []string{"validation, r = 0.5, loss", "cross-entropy ↓"} {
		if !strings.Contains(stage2, ">"+text+"</text>") {
			t.Errorf("the losses do not say %q", text)
		}
	}
	m, err := confusion(dir, "c", 0.5)
	sum := 0
	for _, row := range m.Counts {
		for _, n := range row {
			sum += n
		}
	}
	if err != nil || strings.Join(m.Classes, " ") != "−1 0 1" || sum != 40 {
		t.Errorf("%d predictions of classes %q (%v)", sum, m.Classes, err)
	}
}

// TestSaveErrors has a file where the folder should be.
func TestSaveErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := Figure{"a", figure.Curves(1, figure.Panel{})}
	for format, want := range map[string]string{"png": "\x89PNG", "svg": "<svg "} {
		saved, err := f.Save(filepath.Dir(path), format)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(saved)
		if err != nil || saved != filepath.Join(filepath.Dir(path), "a."+format) ||
			!strings.HasPrefix(string(text), want) {
			t.Errorf("%s begins with %.4q (%v)", saved, text, err)
		}
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(path), "a.pdf"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Save(filepath.Dir(path), "pdf"); err == nil {
		t.Error("a folder is overwritten by a figure")
	}
	if _, err := f.Save(path, "svg"); err == nil ||
		!strings.HasPrefix(err.Error(), "plots: figures: mkdir "+path) {
		t.Errorf("error %v", err)
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
}

// TestNaNPredictions changes the last prediction of a run, which is of rate 0.5, to NaN.
func TestNaNPredictions(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	path := rundir.Dir(filepath.Join(dir, "seed5")).File(rundir.PredictionsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	cells := strings.Split(lines[len(lines)-2], ",")
	cells[3] = "NaN"
	lines[len(lines)-2] = strings.Join(cells, ",")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "plots: prediction for " + cells[0] + " at rate 0.5: expected a number, found " +
		"NaN; train the run again"
	if _, err := Confusions([]string{dir}, 0.5); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestOneRunTwice refuses two runs of the same configuration, and a metric that a run does not
// have.
func TestOneRunTwice(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
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
