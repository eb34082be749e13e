package results

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

const sizes = `{"Vocab":9,"TextT":4,"AudioT":5,"AudioD":2,"VisionT":6,"VisionD":3,"Range":[-1,1]}`

// TestDims reads the sizes of the data from checkpoints, and refuses files that do not have them.
func TestDims(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	path := d.File(rundir.BestFile)
	if _, err := Dims(d); err == nil ||
		!strings.HasPrefix(err.Error(), "results: checkpoint: weights: open "+path+": ") {
		t.Errorf("no file: error %v", err)
	}
	for _, c := range []struct{ dims, want string }{
		{sizes, ""},
		{"x", `expected the sizes of the data in the metadata, found "x"; it is not the ` +
			"checkpoint of a run"},
		{strings.Replace(sizes, "9", "0", 1), "sizes of the data in the metadata: Vocab: " +
			"expected 1 to 1048576, found 0; the file is damaged"},
	} {
		if err := rundir.SaveTensors(path, nil, map[string]string{"dims": c.dims}); err != nil {
			t.Fatal(err)
		}
		dims, err := Dims(d)
		if c.want != "" {
			if err == nil || err.Error() != "results: "+path+": "+c.want {
				t.Errorf("%s: error %v, want %q", c.dims, err, c.want)
			}
			continue
		}
		if diff := cmp.Diff(zoo.Dims{Vocab: 9, TextT: 4, AudioT: 5, AudioD: 2, VisionT: 6,
			VisionD: 3, Range: [2]float64{-1, 1}}, dims); err != nil || diff != "" {
			t.Errorf("%v, %s", err, diff)
		}
		for dataset, want := range map[string]metric.Kind{"mosi": metric.MOSI, "own": metric.SIMS} {
			kind, err := LabelKind(d, &settings.Config{Dataset: dataset})
			if err != nil || kind != want {
				t.Errorf("labels of %s are of kind %v (%v), want %v", dataset, kind, err, want)
			}
		}
	}
	if _, err := LabelKind(d, &settings.Config{Dataset: "mosi"}); err == nil {
		t.Error("no error of a damaged checkpoint")
	}
}

// TestReadAndMerge writes the predictions of each checkpoint, the i-th off by i/8 everywhere, at
// two rates. Every metric is that of its own checkpoint: F1 that of its accuracy, Corr that of MAE.
func TestReadAndMerge(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	c := settings.Config{Select: settings.SelectTest}
	label := []float32{-2.6, -1, -0.3, 0, 0.4, 1.6, 2.2}
	var want [][]*Predictions
	for i, choice := range Choices(&c, metric.MOSI) {
		var all []*Predictions
		for _, rate := range []float64{0, 0.5} {
			p := &Predictions{Rate: rate, Label: label}
			for j, y := range label {
				p.ID = append(p.ID, fmt.Sprint("u", j))
				p.Score = append(p.Score, -y/2+float32(i)/8+float32(rate))
			}
			all = append(all, p)
		}
		var b bytes.Buffer
		if err := WriteCSV(&b, all); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.File(choice.File(rundir.PredictionsFile)), b.Bytes(),
			0o600); err != nil {
			t.Fatal(err)
		}
		want = append(want, all)
	}
	tested, err := Read(d, &c, metric.MOSI)
	if diff := cmp.Diff(want, tested); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	from := map[string]int{"MAE": 0, "Corr": 0, metric.NaNPredictions: 0, "Has0_acc_2": 1,
		"Has0_F1_score": 1, metric.Has0F1Swapped: 1, "Non0_acc_2": 2, "Non0_F1_score": 2,
		metric.Non0F1Swapped: 2, "Mult_acc_5": 3, "Mult_acc_7": 4}
	for j, got := range Merge(&c, metric.MOSI, tested) {
		scores := metric.Scores{}
		for key, i := range from {
			scores[key] = metric.Compute(metric.MOSI, want[i][j].Score, label)[key]
			if p := OfMetric(&c, metric.MOSI, tested, key); p[j] != tested[i][j] {
				t.Errorf("%s is not of checkpoint %d", key, i)
			}
		}
		if diff := cmp.Diff(scores, got); diff != "" {
			t.Errorf("at the %d-th rate: %s", j, diff)
		}
	}
	sims := [][]*Predictions{{{}}, {{}}, {{}}, {{}}}
	for key, i := range map[string]int{"MAE": 0, "Corr": 0, metric.NaNPredictions: 0,
		"Mult_acc_2": 1, "F1_score": 1, metric.F1Swapped: 1, "Mult_acc_3": 2, "Mult_acc_5": 3} {
		if OfMetric(&c, metric.SIMS, sims, key)[0] != sims[i][0] {
			t.Errorf("%s of CH-SIMS is not of checkpoint %d", key, i)
		}
	}
	path := d.File("predictions-Mult_acc_7.csv")
	if err := os.WriteFile(path, []byte("id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError := "results: " + path + ": line 1: expected a table of predictions; train or " +
		"resume the run again"
	if _, err := Read(d, &c, metric.MOSI); err == nil || err.Error() != wantError {
		t.Errorf("a damaged file: %v, want %s", err, wantError)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(d, &c, metric.MOSI); err == nil ||
		!strings.HasPrefix(err.Error(), "results: predictions: open "+path) {
		t.Errorf("a file that is missing: %v", err)
	}
}
