package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/explore"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// checkSamples checks the data of the explorer.
func checkSamples(t *testing.T, page string) {
	t.Helper()
	var p explorerData
	decode(t, page, "sample-data", &p)
	features, err := base64.StdEncoding.DecodeString(p.Features)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Samples) != 6 || p.Of != 20 || p.Seed != 7 || p.L*p.D != 64 ||
		len(features) != 6*3*(1+2*3)*64 {
		t.Errorf("%d samples of %d, seed %d, %d bytes of [%d %d]", len(p.Samples), p.Of,
			p.Seed, len(features), p.L, p.D)
	}
	for i, s := range p.Samples {
		if len(s.Score) != 3 || len(s.Weight) != 3 || len(s.Weight[0]) != 3 ||
			s.Text != strings.Join(s.Tokens, " ") || len(s.MissingFrom[zoo.Audio]) == 0 {
			t.Errorf("sample %+v", s)
		}
		for m := range zoo.Modalities { // at missing rate 0, X̃ equals X
			at := (i*3 + m) * 7 * 64
			if !slices.Equal(features[at:at+64], features[at+64:at+128]) ||
				slices.Equal(features[at:at+64], features[at+5*64:][:64]) {
				t.Errorf("sample %d, modality %d: the features are in another order", i, m)
			}
		}
	}
}

// TestExplorerJSON compares the data of two samples at two rates, whose features have one number.
// Of the largest numbers 1, 2 and 4 of the modalities the bytes are 255·(v/scale + 1)/2.
func TestExplorerJSON(t *testing.T) {
	inf := float32(math.Inf(1))
	of := func(l, a, v float32) [3][]float32 { return [3][]float32{{l}, {a}, {v}} }
	e := &explore.Exploration{Seed: 5, Utterances: 40, Rates: []float64{0, 0.5},
		Range: [2]float64{-3, 3}, Classes: 0, L: 1, D: 1, Samples: []explore.Sample{
			{ID: "<a>", Text: "x", Label: 1.23456, Tokens: []string{"x"},
				MissingFrom: [3][]int{{1}, {2, 0}, {}}, Complete: of(1, -2, 4),
				Views: []explore.View{
					{Score: 0.5, Weight: []float64{0.5, 0.25, 0.25}, Corrupted: of(0, 2, -4),
						Completed: of(0.5, 1, 2)},
					{Score: inf, Weight: []float64{1, math.NaN(), 0}, Corrupted: of(-1, 0, 0),
						Completed: of(-0.5, -1, -2)}}},
			{ID: "b", Complete: of(1, 2, 4), Views: []explore.View{{Score: -1,
				Corrupted: of(1, 2, 4), Completed: of(1, 2, 4)}, {Score: -2,
				Corrupted: of(1, 2, 4), Completed: of(1, 2, 4)}}}}}
	text, err := explorerJSON(e)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	// 0 → 127.5, ±0.5 of 1 → 191.25 and 63.75
	features := []byte{255, 128, 191, 0, 64, 0, 255, 191, 128, 64, 255, 0, 191, 128, 64}
	features = append(features, bytes.Repeat([]byte{255}, 15)...)
	encoded, err := json.Marshal(features) // base 64
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"seed":5,"of":40,"rates":[0,0.5],"range":[-3,3],"classes":0,`+
		`"l":1,"d":1,"scale":[1,2,4],"features":`+string(encoded)+`,"samples":[`+
		`{"id":"<a>","text":"x","label":1.2346,"tokens":["x"],"missingFrom":[[1],[2,0],[]],`+
		`"score":[0.5,null],"weight":[[0.5,0.25,0.25],[1,null,0]]},`+
		`{"id":"b","text":"","label":0,"tokens":null,"missingFrom":[null,null,null],`+
		`"score":[-1,-2]}]}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || strings.Contains(string(text), "<a>") {
		t.Error(diff)
	}
}

func TestQuantize(t *testing.T) {
	// 255·(v/2 + 1)/2: −2 → 0, −1 → 63.75, 0 → 127.5, 2 → 255; values outside −2 … 2 are clipped.
	if got, want := quantize(nil, []float32{-9, -2, -1, 0, 1.99, 2, 9, float32(math.NaN())},
		2), []byte{0, 0, 64, 128, 254, 255, 255, 128}; !slices.Equal(got, want) {
		t.Errorf("bytes %v, want %v", got, want)
	}
	var x []float32
	for i := range 1000 {
		x = append(x, -float32(i)/100)
	}
	x[3] = 1e6
	s := explore.Sample{Complete: [3][]float32{x}}
	// the 996th of 1000 in order, with one outlier: 0, 0.01, 0.02, 0.04, …
	if got := scale([]explore.Sample{s}, 0); got != 9.96 {
		t.Errorf("scale %g, want 9.96", got)
	}
	if got := scale([]explore.Sample{{}}, 1); got != 0 {
		t.Errorf("scale of no features %g, want 0", got)
	}
	if got := quantize(nil, []float32{0, 0}, 0); !slices.Equal(got, []byte{128, 128}) {
		t.Errorf("features that are all zero: %v", got)
	}
}
