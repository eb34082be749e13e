package results

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestBrokenPredictions expects the line in which a truncated file breaks off.
func TestBrokenPredictions(t *testing.T) {
	text := strings.Join(predictionColumns, ",") + "\na,0,1,1.5,,,\nb,0,1,1."
	_, err := readCSV("predictions.csv", []byte(text))
	want := "predictions.csv: line 3: expected a row of 7 cells, found wrong number of fields"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestWeightsAreRead writes predictions with and without weights and reads them back.
func TestWeightsAreRead(t *testing.T) {
	p := &Predictions{Rate: 0.5, ID: []string{"a", "b"}, Label: []float32{1, 2},
		Score:  []float32{1.5, 2.5},
		Weight: [][zoo.Modalities]float64{{0.5, 0.25, 0.25}, {0.125, 0.75, 0.125}}}
	for range 2 {
		var b bytes.Buffer
		if err := WriteCSV(&b, []*Predictions{p}); err != nil {
			t.Fatal(err)
		}
		back, err := readCSV("file", b.Bytes())
		if err != nil || len(back) != 1 || !cmp.Equal(back[0].Weight, p.Weight) {
			t.Errorf("read %v of %v (%v)", back[0].Weight, p.Weight, err)
		}
		for damaged, line := range map[string]int{strings.Replace(b.String(), "0.5000", "", 1): 2,
			strings.Replace(b.String(), "0.5000,0.2500,0.2500", ",,", 1): 3} {
			want := fmt.Sprintf("line %d: expected weights of all three modalities", line)
			if _, err := readCSV("file", []byte(damaged)); p.Weight != nil &&
				(err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q: error %v, want %q", damaged, err, want)
			}
		}
		p.Weight = nil
	}
}

// TestJSONHasWhatIsKnown adds a batch of logits with known classes, and scores without labels.
func TestJSONHasWhatIsKnown(t *testing.T) {
	classes := &Predictions{ID: []string{"<a>"}}
	classes.addClasses([]float64{2, 2}, []int{1}, 2, 1)
	scores := &Predictions{ID: []string{"b"}, Score: []float32{-1.5},
		Weight: [][zoo.Modalities]float64{{0.5, 0.25, 0.25}}}
	for want, p := range map[string]*Predictions{
		`{"id":"<a>","prediction":0,"label":1,"probabilities":[0.5,0.5]}`:          classes,
		`{"id":"b","prediction":-1.5,"alpha_l":0.5,"alpha_a":0.25,"alpha_v":0.25}`: scores,
	} {
		var b bytes.Buffer
		if err := WriteJSON(&b, p); err != nil || b.String() != want+"\n" {
			t.Errorf("%s, %v, want %s", b.String(), err, want)
		}
	}
	scores.Score[0] = float32(math.NaN())
	if err := WriteJSON(io.Discard, scores); err == nil ||
		!strings.Contains(err.Error(), `"b": expected finite numbers`) {
		t.Error(err)
	}
}

// TestClassesOfABatch adds two batches of logits, whose probabilities and losses are known: those
// of ln 3 and 0 are 3/4 and 1/4.
func TestClassesOfABatch(t *testing.T) {
	p, z := &Predictions{}, math.Log(3)
	p.addClasses([]float64{z, 0, 0, z}, []int{0, 0}, 2, 3)
	p.addClasses([]float64{0, z}, []int{1}, 2, 3)
	loss := (math.Log(4./3) + math.Log(4) + math.Log(4./3)) / 3
	if !cmp.Equal(p.Score, []float32{0, 1, 1}) || !cmp.Equal(p.Label, []float32{0, 0, 1}) ||
		math.Abs(p.Loss-loss) > 1e-12 {
		t.Errorf("classes %v of labels %v, loss %g, want %g", p.Score, p.Label, p.Loss, loss)
	}
	for i, want := range []float64{0.25, 0.75, 0.75} {
		if got := p.Probability[i]; math.Abs(got[1]-want) > 1e-12 ||
			math.Abs(got[0]+want-1) > 1e-12 {
			t.Errorf("probabilities %v, want %g of class 1", got, want)
		}
	}
}

// TestNoPredictions refuses what is not a table of predictions.
func TestNoPredictions(t *testing.T) {
	header := strings.Join(predictionColumns, ",") + "\n"
	for _, c := range []struct{ text, want string }{
		{"", "line 1: expected a table"},
		{header, "line 1: expected a table"},
		{strings.Replace(header, "label", "lable", 1) + "a,0,1,1.5,,,\n",
			"line 1: expected a table"},
		{header + "a,x,1,1.5,,,\n", "line 2: expected numbers"},
		{header + "a,0,x,1.5,,,\n", "line 2: expected numbers"},
		{header + "a,0,1,1.5,,,\nb,0,1,x,,,\n", "line 3: expected numbers"},
	} {
		if _, err := readCSV("file", []byte(c.text)); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.text, err, c.want)
		}
	}
}

func TestDimsWithoutCheckpoint(t *testing.T) {
	if _, err := Dims(rundir.Dir(t.TempDir())); err == nil ||
		!strings.HasPrefix(err.Error(), "results: checkpoint: ") {
		t.Errorf("error %v, want one of the file", err)
	}
}
