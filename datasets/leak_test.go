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
