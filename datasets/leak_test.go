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

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
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

func TestVideosOfIDs(t *testing.T) {
	s := &Split{ID: []string{"a$_$1", "a$_$2", "b$_$1", "a", "a", "train$_$1", "train$_$2",
		"valid$_$1", "test$_$1", "synthetic$_$1", "synthetic$_$2", "a$_$1$_$2"}}
	seen := map[string]int{}
	for i := range s.ID {
		seen[s.video(i)]++
	}
	if seen["a"] != 3 || seen["b"] != 1 || len(seen) != 2+8 {
		t.Errorf("videos %v", seen)
	}
	other := &Split{ID: s.ID}
	if other.video(3) == s.video(3) || other.video(0) != s.video(0) {
		t.Error("an id without a video has the same one in two splits, or a video another")
	}
	s.ID = []string{"a$_$1", "b$_$1", "a$_$2", "c$_$1", "d$_$1", "e$_$1", "f$_$1", "c$_$2"}
	if got := s.folds(); !slices.Equal(got, []int{0, 1, 0, 2, 3, 4, 0, 2}) {
		t.Errorf("folds %v", got)
	}
}

// TestDigest changes one thing of an utterance after the other.
func TestDigest(t *testing.T) {
	made := func(audio []float32, n int, vision []float32, m int) *Split {
		return &Split{Language: Tokens{2, []int{5, 6, 7, 8}, []float32{1, 1, 1, 0}, make([]int, 4)},
			Audio:  Frames{T: 3, D: 1, X: append(make([]float32, 3), audio...), Len: []int{1, n}},
			Vision: Frames{T: 3, D: 1, X: append(make([]float32, 3), vision...), Len: []int{1, m}}}
	}
	base := func() *Split { return made([]float32{1, 2, 0}, 2, []float32{3, 0, 0}, 1) }
	seen := map[string]string{base().digest(1): "the same"}
	for what, s := range map[string]*Split{
		"audio":         made([]float32{1, 9, 0}, 2, []float32{3, 0, 0}, 1),
		"vision":        made([]float32{1, 2, 0}, 2, []float32{9, 0, 0}, 1),
		"length":        made([]float32{1, 2, 0}, 3, []float32{3, 0, 0}, 1),
		"another place": made([]float32{1, 0, 0}, 1, []float32{2, 3, 0}, 2),
	} {
		if same, ok := seen[s.digest(1)]; ok {
			t.Errorf("%s: as %s", what, same)
		}
		seen[s.digest(1)] = what
	}
	for what, change := range map[string]func(s *Split){
		"token": func(s *Split) { s.Language.ID[3]++ },
		"mask":  func(s *Split) { s.Language.Mask[3] = 1 },
	} {
		s := base()
		if change(s); seen[s.digest(1)] != "" {
			t.Errorf("%s: as %s", what, seen[s.digest(1)])
		}
	}
	s := base()
	s.Language.ID[0], s.Audio.X[0], s.Audio.X[5], s.Vision.X[4] = 1, 1, 1, 1
	if seen[s.digest(1)] != "the same" {
		t.Error("another utterance or padding changes the digest")
	}
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
		{0.125, 0.25, -0.75, learned + " from labels of other splits than test; no comparison of " +
			"models should rest on them (correlation of the label with a ridge regression on " +
			"audio: 0.12 in train by video, 0.25 in valid, -0.75 in test)"},
	} {
		found := &findings{}
		found.correlated(set, []Correlation{{"audio", c.train, c.valid, c.test}})
		if c.want == "" && len(found.warnings) > 0 || c.want != "" &&
			(len(found.warnings) != 1 || !strings.HasPrefix(found.warnings[0], c.want)) {
			t.Errorf("%+v: warnings %q", c, found.warnings)
		}
	}
}

// The difference of 1 has the variance 1/(4-3) + 1/(19-3).
func TestFisher(t *testing.T) {
	want := 1 / math.Sqrt(1+1./16)
	for _, got := range []float64{fisher(math.Tanh(1.5), 4, math.Tanh(0.5), 19),
		fisher(math.Tanh(1.5), 19, math.Tanh(0.5), 4), -fisher(math.Tanh(-1), 4, 0, 19)} {
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if got := pearson([]float64{2, 2, 2}, []float32{1, 2, 3}); got != 0 {
		t.Errorf("a constant has the correlation %v", got)
	}
}

func TestCorrelationsNeedUtterances(t *testing.T) {
	set := noisy([3]float64{1, 1, 1})
	first := func(s *Split, n int) *Split {
		return s.Subset(slices.Collect(func(yield func(int) bool) {
			for i := range n {
				yield(i)
			}
		}))
	}
	for _, c := range []struct{ train, valid, test, want int }{
		{50, 10, 10, 3}, {49, 10, 10, 0}, {50, 9, 10, 0}, {50, 10, 9, 0},
	} {
		few := &Set{Train: first(set.Train, c.train), Valid: first(set.Valid, c.valid),
			Test: first(set.Test, c.test)}
		if all := few.correlations(); len(all) != c.want {
			t.Errorf("%+v: %v", c, all)
		}
	}
	for _, s := range set.splits() {
		s.Vision.X = make([]float32, len(s.Vision.X))
	}
	if all := set.correlations(); len(all) != 2 || all[0].Modality != "text" ||
		all[1].Modality != "audio" {
		t.Errorf("%v with constant vision", all)
	}
}

// TestRidge checks that the gradient Σ (w·x + b - y) x + penalty·w of half of the squares is 0 for
// each penalty, and that b is the mean of the labels.
func TestRidge(t *testing.T) {
	x := mat.NewDense(5, 2, []float64{1, 2, -1, 0.5, 3, -2, 100, 100, -3, 0.25})
	y := []float32{1, -2, 0.5, 100, 3.5}
	models := ridge(x, y, func(i int) bool { return i != 3 })
	for j, penalty := range []float64{1, 10, 100, 1000, 1e4} {
		gradient := []float64{penalty * models[j].w.AtVec(0), penalty * models[j].w.AtVec(1)}
		for i, label := range y {
			if i == 3 {
				continue
			}
			residual := models[j].predict(x.RawRowView(i)) - float64(label)
			gradient[0] += residual * x.At(i, 0)
			gradient[1] += residual * x.At(i, 1)
		}
		if math.Abs(gradient[0])+math.Abs(gradient[1]) > 1e-9 || models[j].bias != 0.75 {
			t.Errorf("penalty %g: gradient %v, bias %g", penalty, gradient, models[j].bias)
		}
	}
}

// TestStandardize has a column in use, and three that are constant up to rounding.
func TestStandardize(t *testing.T) {
	train := mat.NewDense(2, 4, []float64{1, 7, 0, 1e6, 5, 7, 1e-10, 1e6 + 1e-5})
	test := mat.NewDense(1, 4, []float64{9, 8, 1, 2})
	if !standardize([]*mat.Dense{train, test}) {
		t.Error("no column varies")
	}
	for want, x := range map[*mat.Dense]*mat.Dense{
		mat.NewDense(2, 4, []float64{-1, 0, 0, 0, 1, 0, 0, 0}): train,
		mat.NewDense(1, 4, []float64{3, 0, 0, 0}):              test,
	} {
		if !mat.Equal(want, x) {
			t.Errorf("%v, want %v", mat.Formatted(x), mat.Formatted(want))
		}
	}
	if standardize([]*mat.Dense{mat.NewDense(2, 1, []float64{5, 5})}) {
		t.Error("a constant varies")
	}
	last := mat.NewDense(2, 2, []float64{5, 101, 5, 100}) // varies by half of a percent
	if !standardize([]*mat.Dense{last}) || last.At(0, 1) != 1 || last.At(1, 1) != -1 {
		t.Errorf("%v", mat.Formatted(last))
	}
}

// TestCountsOfTokens has 600 tokens once, of which two occur again, and one behind a mask.
func TestCountsOfTokens(t *testing.T) {
	const n = 300
	text := Tokens{T: 3}
	for i := range n {
		again := []int{5000, 4000}[min(i, 1)]
		if i > 2 {
			again = 9999
		}
		text.ID = append(text.ID, 1000+i, 2000+i, again)
		text.Mask = append(text.Mask, 1, 1, []float32{0, 1}[min(max(3-i, 0), 1)])
		text.Segment = append(text.Segment, 0, 0, 0)
	}
	column := (&Set{Train: &Split{Language: text}}).frequentTokens()
	want := map[int]int{4000: 0} // twice; the others once, by id
	for i := range n {
		want[1000+i] = 1 + i
		if i < maxColumns-1-n {
			want[2000+i] = 1 + n + i
		}
	}
	if diff := cmp.Diff(want, column); diff != "" {
		t.Error(diff)
	}
	few := Tokens{T: 3, ID: []int{7, 8, 7, 9, 8, 8, 7, 7, 8}, Segment: make([]int, 9),
		Mask: []float32{1, 1, 1, 1, 1, 0, 1, 0, 1}}
	got := few.counts(map[int]int{7: 1, 8: 0})
	if !mat.Equal(got, mat.NewDense(3, 2, []float64{1, 2, 1, 0, 1, 1})) {
		t.Errorf("%v", mat.Formatted(got))
	}
	column = (&Set{Train: &Split{Language: few}}).frequentTokens()
	if diff := cmp.Diff(map[int]int{7: 0, 8: 1, 9: 2}, column); diff != "" {
		t.Error(diff)
	}
}

// TestWideFeaturesAreSummed has 300 features that are 1 in every frame. The sum of 300 random signs
// has mean 0 and variance 300.
func TestWideFeaturesAreSummed(t *testing.T) {
	const d = 300
	f := &Frames{T: 1, D: d, Len: []int{1}, X: slices.Repeat([]float32{1}, d)}
	sums := f.moments().RawRowView(0)
	checkSigns(t, d)
	mean, square := 0.0, 0.0
	for _, v := range sums {
		mean, square = mean+v/float64(len(sums)), square+v*v/float64(len(sums))
	}
	if len(sums) != maxColumns || math.Abs(mean) > 4*math.Sqrt(1.*d/maxColumns) ||
		math.Abs(square-d) > d/4 {
		t.Errorf("%d sums with mean %g and mean square %g", len(sums), mean, square)
	}
}

// TestMoments has 250 features, the most that are not summed, with means 0, 1, … and standard
// deviations 2; padding does not count.
func TestMoments(t *testing.T) {
	const d = maxColumns / 2
	f := &Frames{T: 3, D: d, Len: []int{2}, X: make([]float32, 3*d)}
	var want []float64
	for k := range d {
		f.X[k], f.X[d+k], f.X[2*d+k] = float32(k-2), float32(k+2), 99
		want = append(want, float64(k))
	}
	want = append(want, slices.Repeat([]float64{2}, d)...)
	if got := f.moments().RawRowView(0); !slices.Equal(want, got) {
		t.Errorf("moments %v", got)
	}
	wide := &Frames{T: 1, D: d + 1, Len: []int{1}, X: make([]float32, d+1)}
	if _, n := wide.moments().Dims(); n != maxColumns {
		t.Errorf("%d columns of 251 features", n)
	}
}

// checkSigns has features whose mean is their number and whose standard deviation is 1.
func checkSigns(t *testing.T, d int) {
	t.Helper()
	f := &Frames{T: 2, D: d, Len: []int{2}, X: make([]float32, 2*d)}
	for k := range d {
		f.X[k], f.X[d+k] = float32(k-1), float32(k+1)
	}
	want := make([]float64, maxColumns)
	rng := rand.New(rand.NewPCG(1, 0))
	for i := range 2 * d {
		v := 1.
		if i < d {
			v = float64(i)
		}
		for j := range want {
			want[j] += float64(2*rng.IntN(2)-1) * v
		}
	}
	if got := f.moments().RawRowView(0); !slices.Equal(want, got) {
		t.Errorf("sums %v, want %v", got[:5], want[:5])
	}
}

// TestCorrelationsAreThoseOfTheBestPenalty has labels that a small and a large penalty suit. Seven
// consecutive utterances are of one video, and every fifth video is in one fold.
func TestCorrelationsAreThoseOfTheBestPenalty(t *testing.T) {
	chosen := map[int]bool{}
	for _, strength := range []float64{0, 0.1, -1} {
		set := noisy([3]float64{strength, strength, strength})
		var x [3]*mat.Dense
		for i, s := range set.splits() {
			x[i] = s.Audio.moments()
			for k := range s.Label {
				if strength < 0 { // the features tell all
					s.Label[k] = float32(x[i].At(k, 0) - x[i].At(k, 1) + 2*x[i].At(k, 2))
				}
			}
		}
		standardize(x[:])
		score := func(k int, predict func(i int) float64) float64 {
			var predicted, label []float64
			for i, y := range set.splits()[k].Label {
				predicted, label = append(predicted, predict(i)), append(label, float64(y))
			}
			return stat.Correlation(predicted, label, nil)
		}
		var others [5][]linearModel
		for k := range others {
			others[k] = ridge(x[0], set.Train.Label, func(i int) bool { return i/7%5 != k })
		}
		all := ridge(x[0], set.Train.Label, func(int) bool { return true })
		best, want := 0, Correlation{Modality: "audio", Train: -2}
		for j := range all {
			if r := score(0, func(i int) float64 {
				return others[i/7%5][j].predict(x[0].RawRowView(i))
			}); r > want.Train {
				best, want.Train = j, r
			}
		}
		chosen[best] = true
		want.Valid = score(1, func(i int) float64 { return all[best].predict(x[1].RawRowView(i)) })
		want.Test = score(2, func(i int) float64 { return all[best].predict(x[2].RawRowView(i)) })
		got := set.correlations()[1]
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("strength %g: %s", strength, diff)
		}
	}
	if !chosen[0] || !chosen[4] {
		t.Errorf("penalties %v, want the first and the last among them", chosen)
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
