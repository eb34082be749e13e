package plots

import (
	"bytes"
	"encoding/csv"
	"errors"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

var close12 = cmp.Options{cmpopts.EquateApprox(0, 1e-12), cmpopts.EquateNaNs()}

// readPredictions returns the rows of predictions.csv in a seed's directory, without the header.
func readPredictions(t *testing.T, dir string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, rundir.PredictionsFile))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func parseFloat(t *testing.T, cell string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

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

// svgOf returns a figure as SVG.
func svgOf(t *testing.T, f Figure) string {
	t.Helper()
	var svg strings.Builder
	if err := f.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	return svg.String()
}

// TestTitles checks that the titles of runs have the settings in which they differ.
func TestTitles(t *testing.T) {
	summary := func(set map[string]string, seeds ...uint64) *tables.Summary {
		return &tables.Summary{Config: settingstest.Resolved(t, set), Seeds: seeds}
	}
	all := []*tables.Summary{
		summary(map[string]string{"model": "recap"}, 1, 2),
		summary(map[string]string{"model": "recap", "train.lr": "0.1"}, 1, 2),
		summary(map[string]string{"model": "recap", "select": settings.SelectTest}, 3),
	}
	if got, want := differences(all), []string{", train.lr=0.05, valid, 2 seeds",
		", train.lr=0.1, valid, 2 seeds",
		", train.lr=0.05, per-metric-test, seed 3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := differences(all[:1]); !slices.Equal(got, []string{""}) {
		t.Errorf("one run alone has differences: %q", got)
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
