package plots

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
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
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/typeset"
	"github.com/seed-6655bf3b/recap/nn"
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

// TestSnapshotIsOfTheLastEpochOfStage1 compares the snapshot of stage 1 with the state at the end
// of the phase.
func TestSnapshotIsOfTheLastEpochOfStage1(t *testing.T) {
	r := runstest.NewRunner(t)
	var state []byte
	runstest.OnStep(r, func(p runs.Progress) {
		if p.Phase == "stage2" && p.Step == 1 {
			paths := runstest.Glob(t, r.Out, "*/*/*/seed*/"+rundir.StateFile)
			var err error
			if state, err = os.ReadFile(paths[0]); err != nil {
				t.Error(err)
			}
		}
	})
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := os.ReadFile(filepath.Join(dir, "seed5", "stage1.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	meta, err := nn.Meta(snapshot)
	if err != nil || meta["phase"] != "stage1" || meta["epoch"] != "2" {
		t.Errorf("the snapshot is of %v (%v)", meta, err)
	}
	weights := func(file []byte) []byte { // of audio.weight, float32 [12 12]
		i := bytes.Index(file, []byte(`"audio.weight":{`))
		var from, to int
		if _, err := fmt.Sscanf(string(file[i+bytes.Index(file[i:], []byte(`offsets":[`)):]),
			`offsets":[%d,%d]`, &from, &to); err != nil {
			t.Fatal(err)
		}
		header := 8 + int(file[0]) + int(file[1])<<8 + int(file[2])<<16
		return file[header+from : header+to]
	}
	if got := weights(snapshot); len(got) != 4*12*12 || !bytes.Equal(got, weights(state)) {
		t.Errorf("%d bytes of audio.weight in the snapshot differ from those of the state",
			len(got))
	}
	if _, err := Subspaces(context.Background(), dir, []float64{0.5}, "", r.Log,
		func(string, int, int) {}); err == nil ||
		!strings.Contains(err.Error(), "expected a run of RECAP with stage 1") {
		t.Errorf("subspaces of the toy: error %v", err)
	}
}
