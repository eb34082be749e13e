package runs_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// Other data are tested with all their utterances and their own features, whatever the run has.
func TestEvaluateOtherData(t *testing.T) {
	testdata := filepath.Join("..", "..", "datasets", "testdata")
	file := filepath.Join(testdata, "protocol4.pkl")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "own.pkl")
	if err := os.WriteFile(own, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, map[string]string{
		"dataset": "mine", "data.file": file, "data.audio": own, "data.limit": "1"}), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	var progress [][2]int
	got, err := runs.Evaluate(context.Background(), dir, runs.EvalOptions{File: file,
		Rates:    "0,0.5",
		Progress: func(done, all int) { progress = append(progress, [2]int{done, all}) }}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(progress, [][2]int{{1, 2}, {2, 2}}) {
		t.Errorf("progress %v, want two rates of the one seed", progress)
	}
	if text := got.Table().Markdown(); !strings.Contains(text, "data of protocol4.pkl") {
		t.Errorf("the table does not name the file:\n%s", text)
	}
	if text := got.Text(0); strings.Contains(text, "constant") {
		t.Errorf("other data have no training labels of the run:\n%s", text)
	}
	again, err := runs.Evaluate(context.Background(), dir, runs.EvalOptions{File: file, Rates: "0",
		Features: datasets.Features{Vision: file}}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	if text := again.Table().Markdown(); !strings.Contains(text,
		"data of protocol4.pkl; features of protocol4.pkl") ||
		strings.Count(text, "features of") != 1 {
		t.Errorf("the table does not name the file of vision:\n%s", text)
	}
	predicted, err := runs.Predict(dir, file, "", r.Log)
	if err != nil {
		t.Fatal(err)
	}
	set, err := datasets.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	mae := 0.0
	for i, y := range set.Test.Label {
		mae += math.Abs(float64(y-predicted.Score[i])) / 2
	}
	if found := got.Find("5", "0")["MAE"]; math.Abs(found-mae) > 1e-6 {
		t.Errorf("MAE %g, want %g of both utterances", found, mae)
	}

	for want, o := range map[string]runs.EvalOptions{
		"expected a label for each utterance": {File: filepath.Join(testdata, "flat.pkl")},
		"own.pkl: no such file":               {},
		"flat.pkl: expected split test": {File: file,
			Features: datasets.Features{Audio: filepath.Join(testdata, "flat.pkl")}},
	} {
		_, err := runs.Evaluate(context.Background(), dir, o, r.Log)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
