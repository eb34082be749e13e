package results

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/cpu"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestCSVIsReadBack writes predictions at two rates, with and without weights, compares the text
// and reads it back.
func TestCSVIsReadBack(t *testing.T) {
	const header = "id,rate,label,prediction,alpha_l,alpha_a,alpha_v\n"
	at := func(rate float64, shift float32) *Predictions {
		return &Predictions{Rate: rate, ID: []string{"a", "b, c"}, Label: []float32{1, -0.1},
			Score: []float32{1.5 + shift, 2.5 + shift}}
	}
	tenths := 0.1
	for what, c := range map[string]struct {
		all  []*Predictions
		want string
	}{
		"one rate": {[]*Predictions{at(0.5, 0)},
			header + "a,0.5,1,1.5,,,\n\"b, c\",0.5,-0.1,2.5,,,\n"},
		"two rates": {[]*Predictions{at(0, 0), at(0.2+tenths, 1e-7)}, header +
			"a,0,1,1.5,,,\n\"b, c\",0,-0.1,2.5,,,\n" +
			"a,0.30000000000000004,1,1.5000001,,,\n" +
			"\"b, c\",0.30000000000000004,-0.1,2.5,,,\n"},
	} {
		for _, weighted := range []bool{false, true} {
			want := c.want
			if weighted {
				for _, p := range c.all {
					p.Weight = [][zoo.Modalities]float64{{0.5, 0.25, 0.25}, {0.125, 0.75, 0.125}}
				}
				lines := strings.SplitAfter(want, "\n")
				for i := 1; i+1 < len(lines); i += 2 {
					lines[i] = strings.Replace(lines[i], ",,,", ",0.5000,0.2500,0.2500", 1)
					lines[i+1] = strings.Replace(lines[i+1], ",,,", ",0.1250,0.7500,0.1250", 1)
				}
				want = strings.Join(lines, "")
			}
			var b bytes.Buffer
			if err := WriteCSV(&b, c.all); err != nil || b.String() != want {
				t.Errorf("%s: %v, wrote\n%s, want\n%s", what, err, &b, want)
			}
			back, err := readCSV("file", b.Bytes())
			if diff := cmp.Diff(c.all, back); err != nil || diff != "" {
				t.Errorf("%s: %v, read %s", what, err, diff)
			}
		}
	}
	var b bytes.Buffer
	if err := WriteCSV(&b, []*Predictions{{ID: []string{"a"}, Score: []float32{2}}}); err != nil ||
		b.String() != header+"a,0,,2,,,\n" {
		t.Errorf("without labels: %v, %s", err, &b)
	}
	full, w := io.Pipe()
	full.CloseWithError(errors.New("full"))
	if err := WriteCSV(w, nil); err == nil || err.Error() != "full" {
		t.Errorf("the error of the writer is %v", err)
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

// TestAddABatch adds two batches of scores and of weights, and one of logits.
func TestAddABatch(t *testing.T) {
	device := cpu.New64()
	y := zoo.Output{Score: ag.NewTensor(device, []float32{0.5, -2}, 2),
		Weight: ag.NewTensor(device, []float32{0.5, 0.25, 0.25, 0, 0.75, 0.25}, 2, 3)}
	var p Predictions
	p.Add(y, []float32{1, -1}, nil, 0, 4)
	p.Add(y, []float32{2, 3}, nil, 0, 4)
	weights := [][zoo.Modalities]float64{{0.5, 0.25, 0.25}, {0, 0.75, 0.25}}
	if diff := cmp.Diff(Predictions{Score: []float32{0.5, -2, 0.5, -2},
		Label: []float32{1, -1, 2, 3}, Weight: slices.Concat(weights, weights)}, p); diff != "" {
		t.Error(diff)
	}
	logits := zoo.Output{Score: ag.NewTensor(device, []float32{0, 0, 1, 1}, 2, 2)}
	half := []float64{0.5, 0.5}
	want := Predictions{Score: []float32{0, 0}, Probability: [][]float64{half, half}}
	p = Predictions{}
	p.Add(logits, nil, nil, 2, 4)
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error("logits without labels:", diff)
	}
	want.Label, want.Loss = []float32{0, 1}, math.Ln2/2 // of two of four utterances
	p = Predictions{}
	p.Add(logits, nil, []int{0, 1}, 2, 4)
	if diff := cmp.Diff(want, p, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Error("logits:", diff)
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

// TestNoPredictions refuses what is not a table of predictions, with the line.
func TestNoPredictions(t *testing.T) {
	header := strings.Join(predictionColumns, ",") + "\n"
	const numbers = "numbers for rate, label and prediction"
	const weights = "weights of all three modalities, in every line or none"
	const cells = "a row of 7 cells, found wrong number of fields"
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{"", 1, "a table of predictions"},
		{header, 1, "a table of predictions"},
		{strings.Replace(header, "label", "lable", 1) + "a,0,1,1.5,,,\n", 1,
			"a table of predictions"},
		{header + "a,0,1,1.5,,,\nb,0,1,1.", 3, cells},
		{header + "a,x,1,1.5,,,\n", 2, numbers},
		{header + "a,0,x,1.5,,,\n", 2, numbers},
		{header + "a,0,,1.5,,,\n", 2, numbers},
		{header + "a,0,1,1.5,,,\nb,0,1,x,,,\n", 3, numbers},
		{header + "a,0,1,1.5,,0.5,0.5\n", 2, weights},
		{header + "a,0,1,1.5,0.5,0.5,\n", 2, weights},
		{header + "a,0,1,1.5,0.5,0.5,0\nb,0,1,1.5,,,\n", 3, weights},
		{header + "a,0,1,1.5,,,\na,0.5,1,1.5,0.5,0.5,0\n", 3, weights},
	} {
		want := fmt.Sprintf("results: file: line %d: expected %s; train or resume the run again",
			c.line, c.want)
		if _, err := readCSV("file", []byte(c.text)); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %q", c.text, err, want)
		}
	}
}
