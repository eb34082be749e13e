package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// noisy returns a set in which audio tells the label of an utterance as well as the strength of its
// split says; vision is noise and the text tells nothing.
func noisy(strength [3]float64) *Set {
	rng := rand.New(rand.NewPCG(1, 2))
	set := &Set{Range: [2]float64{-3, 3}}
	for i, to := range []**Split{&set.Train, &set.Valid, &set.Test} {
		n := []int{400, 200, 300}[i]
		s := &Split{Audio: Frames{T: 2, D: 5}, Vision: Frames{T: 1, D: 4},
			Language: Tokens{T: 3, Segment: make([]int, 3*n)}}
		for k := range n {
			y := max(-3, min(3, rng.NormFloat64()))
			s.ID = append(s.ID, fmt.Sprintf("%s%d$_$%d", splitNames[i][:2], k/7, k))
			s.Label = append(s.Label, float32(y))
			s.Language.ID = append(s.Language.ID, ClsID, 1000+rng.IntN(20), SepID)
			s.Language.Mask = append(s.Language.Mask, 1, 1, 1)
			s.Audio.Len, s.Vision.Len = append(s.Audio.Len, 2), append(s.Vision.Len, 1)
			for range 10 {
				s.Audio.X = append(s.Audio.X,
					float32(strength[i]*y+rng.NormFloat64()))
			}
			for range 4 {
				s.Vision.X = append(s.Vision.X, float32(rng.NormFloat64()))
			}
		}
		*to = s
	}
	return set
}

func TestCheckFindsLeaks(t *testing.T) {
	for _, c := range []struct {
		strength [3]float64
		want     string
	}{
		{[3]float64{0.2, 0.2, 0.2}, ""},
		{[3]float64{0.5, 0.5, 0}, "audio: the features seem to be learned from labels"},
		{[3]float64{0.5, 0, 0.5}, "audio: validation and test disagree"},
		{[3]float64{5, 5, 5}, "audio: the features tell the label"},
	} {
		report, err := Check(writeFile(t, "mine.pkl", pickleOf(noisy(c.strength))), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "" && len(report.Warnings) > 0 || c.want != "" &&
			(len(report.Warnings) != 1 || !strings.HasPrefix(report.Warnings[0], c.want)) {
			t.Errorf("%v: warnings %q, want %q", c.strength, report.Warnings, c.want)
		}
		if text := report.String(); strings.Contains(text, "\nwarnings:") != (c.want != "") ||
			strings.Contains(text, "\nproblems:") {
			t.Errorf("%v: want a title of what there is:\n%s", c.strength, text)
		}
		for _, want := range []string{"\ncorrelation with the label ", "\n  vision  ",
			"\n\nno problems\n"} {
			if !strings.Contains(report.String(), want) {
				t.Errorf("%q is not in\n%s", want, report)
			}
		}
	}
}

// TestLimitsOfCorrelations has 103, 28 and 103 utterances, whose artanh r have the variances 1/100,
// 1/25 and 1/100. So four standard errors are 0.566 between train and test, and 0.894 between valid
// and test.
func TestLimitsOfCorrelations(t *testing.T) {
	split := func(n int) *Split { return &Split{ID: make([]string, n)} }
	set := &Set{Train: split(103), Valid: split(28), Test: split(103)}
	learned, disagree := "audio: the features seem to be learned", "audio: validation and test disa"
	tell := "audio: the features tell the label"
	for _, c := range []struct {
		train, valid, test float64
		want               string
	}{
		{math.Tanh(0.56), 0, 0, ""},
		{math.Tanh(0.57), 0, 0, learned},
		{0, math.Tanh(0.89), 0, ""},
		{0, math.Tanh(0.90), 0, learned},
		{0, 0, math.Tanh(0.89), ""},
		{0, 0, math.Tanh(0.90), disagree},
		{0.91, 0.91, 0.91, tell},
		{0.89, 0.91, 0.91, ""},
		{0.91, 0.89, 0.91, ""},
		{0.91, 0.91, 0.89, ""},
		{1, 1, 0.998, tell}, // artanh 1 is infinite
		{-1, -1, -0.998, ""},
	} {
		found := &findings{}
		found.correlated(set, []Correlation{{"audio", c.train, c.valid, c.test}})
		if c.want == "" && len(found.warnings) > 0 || c.want != "" &&
			(len(found.warnings) != 1 || !strings.HasPrefix(found.warnings[0], c.want)) {
			t.Errorf("%+v: warnings %q", c, found.warnings)
		}
	}
}

// TestWideFeaturesAreSummed has 300 features that are 1 in every frame. The sum of 300 random signs
// has mean 0 and variance 300.
func TestWideFeaturesAreSummed(t *testing.T) {
	const d = 300
	f := &Frames{T: 1, D: d, Len: []int{1}, X: slices.Repeat([]float32{1}, d)}
	sums := f.moments().RawRowView(0)
	mean, square := 0.0, 0.0
	for _, v := range sums {
		mean, square = mean+v/float64(len(sums)), square+v*v/float64(len(sums))
	}
	if len(sums) != maxColumns || math.Abs(mean) > 4*math.Sqrt(1.*d/maxColumns) ||
		math.Abs(square-d) > d/4 {
		t.Errorf("%d sums with mean %g and mean square %g", len(sums), mean, square)
	}
}

// With one feature x and standardised columns, ridge regression is y = mean + x·Σxy/(Σx²+penalty),
// so that its correlation with the labels is that of the feature.
func TestCorrelationsOfOneFeature(t *testing.T) {
	set := noisy([3]float64{1, 1, 1})
	for _, s := range set.splits() {
		var first []float32
		for i := range s.Len() {
			first = append(first, s.Audio.X[10*i])
		}
		s.Audio = Frames{T: 1, D: 1, X: first, Len: slices.Repeat([]int{1}, s.Len())}
	}
	var x []float64
	for _, v := range set.Test.Audio.X {
		x = append(x, float64(v))
	}
	want := pearson(x, set.Test.Label)
	got := set.correlations()[1]
	if math.Abs(got.Test-want) > 1e-9 || math.Abs(got.Train-want) > 0.1 {
		t.Errorf("%v, want %v in test", got, want)
	}
	for i := range set.Train.Label {
		set.Train.Label[i] += 100
	}
	if moved := set.correlations()[1]; math.Abs(moved.Train-got.Train) > 1e-4 {
		t.Errorf("%v in train with labels that are larger by 100, want %v", moved.Train, got.Train)
	}
}

// The figures are those of an independent program (see the data's description), which searches
// more penalties and describes the text by all its tokens.
func TestCheckFindsTheLeakOfRealData(t *testing.T) {
	for file, leaks := range map[string]bool{"mosi_utterance.pkl": true, "mosi_honest.pkl": false} {
		path := filepath.Join("..", "..", "shared", "data", file)
		if _, err := os.Stat(path); err != nil {
			t.Skipf("no real data beside the repository: %v", err)
		}
		report, err := Check(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(report.Warnings, func(w string) bool {
			return strings.HasPrefix(w, "vision: the features seem to be learned from labels")
		})
		if found != leaks {
			t.Errorf("%s: %q\n%v", file, report.Warnings, report.Correlations)
		}
	}
}

func TestCheckFindsUtterancesInTwoSplits(t *testing.T) {
	set := noisy([3]float64{})
	for i, to := range []**Split{&set.Train, &set.Valid, &set.Test} {
		*to = (*to).Subset([]int{0, 1, 2, 3, 4, 5, 6, 7})
		for k := range (*to).ID {
			(*to).ID[k] = fmt.Sprintf("%s%d", splitNames[i], k)
		}
	}
	for _, c := range []struct {
		change func()
		want   []string
	}{
		{func() {}, nil},
		{func() { set.Valid.ID[1], set.Test.ID[0] = "a$_$3", "a$_$4" }, []string{
			"test: expected no utterances of the same video as in valid, found 1 of 8 " +
				`utterances, the first "a$_$4"`}},
		{func() {
			set.Test = set.Train.Subset([]int{0, 1, 2, 3, 4, 5, 6, 7})
			set.Valid.ID[1] = "other"
			for k := range set.Test.ID {
				set.Test.ID[k] = fmt.Sprint(k)
			}
		}, []string{"test: expected no utterances with the same features as in train, found 8 of 8 " +
			`utterances, the first "0"`}},
	} {
		c.change()
		report, err := Check(writeFile(t, "mine.pkl", pickleOf(set)), Options{})
		if err != nil || !slices.Equal(report.Warnings, c.want) {
			t.Errorf("%v: %q, want %q", err, report.Warnings, c.want)
		}
	}
}
