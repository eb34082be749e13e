package plots

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestConfusionCounts counts the cells from the files of both seeds.
func TestConfusionCounts(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, s, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	m, err := confusion(dir, "toy", 0.5)
	if err != nil {
		t.Fatal(err)
	}
	want := make([][]int, 7)
	for i := range want {
		want[i] = make([]int, 7)
	}
	correct := 0
	for _, seed := range []string{"seed5", "seed6"} {
		for _, row := range readPredictions(t, filepath.Join(dir, seed)) {
			if row[1] == "0.5" {
				class := func(cell string) int {
					return int(math.RoundToEven(max(-3, min(3, parseFloat(t, cell))))) + 3
				}
				want[class(row[2])][class(row[3])]++
			}
		}
	}
	for i := range want {
		correct += want[i][i]
	}
	if diff := cmp.Diff(want, m.Counts); diff != "" {
		t.Error(diff)
	}
	if got, want := float64(correct)/80, s.Find("mean",
		"0.5")["Mult_acc_7"]; math.Abs(got-want) > 1e-12 {
		t.Errorf("the fraction on the diagonal is %g, Mult_acc_7 %g", got, want)
	}
	if got := strings.Join(m.Classes, " "); got != "−3 −2 −1 0 1 2 3" {
		t.Errorf("classes %s", got)
	}
	if _, err := Confusions([]string{dir}, 0.3); err == nil ||
		!strings.Contains(err.Error(), "expected one of the run's, [0 0.5], found 0.3") {
		t.Errorf("error %v", err)
	}
}

func TestAddCounts(t *testing.T) {
	counts := func(n int) [][]int {
		c := make([][]int, n)
		for i := range c {
			c[i] = make([]int, n)
		}
		return c
	}
	c := counts(5)
	p := &results.Predictions{ID: []string{"a", "b", "c"}, Label: []float32{-1, 0.1, 0.7},
		Score: []float32{-0.7, 0.11, 5}}
	if err := addCounts(c, p, false, metric.SIMS); err != nil || c[0][0] != 1 || c[2][3] != 1 ||
		c[3][4] != 1 {
		t.Error(c, err)
	}
	c = counts(3)
	p = &results.Predictions{ID: []string{"a", "b"}, Label: []float32{2, 0},
		Score: []float32{1, 0}}
	if err := addCounts(c, p, true, metric.MOSI); err != nil || c[2][1] != 1 || c[0][0] != 1 {
		t.Error(c, err)
	}
	p.Score[1] = float32(math.NaN())
	if err := addCounts(c, p, false, metric.MOSI); err == nil ||
		!strings.Contains(err.Error(),
			"prediction for b at rate 0: expected a number, found NaN") {
		t.Errorf("error %v", err)
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
