package datasets

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// fingerprint hashes everything in a set.
func fingerprint(s *Set) uint64 {
	h := fnv.New64a()
	for _, p := range []*Split{s.Train, s.Valid, s.Test} {
		for _, x := range []any{p.Language.ID, p.Language.Mask, p.Language.Segment, p.Audio.X,
			p.Vision.X, p.Label} {
			if ids, ok := x.([]int); ok {
				narrow := make([]int32, len(ids))
				for i, id := range ids {
					narrow[i] = int32(id)
				}
				x = narrow
			}
			binary.Write(h, binary.LittleEndian, x)
		}
		fmt.Fprint(h, p.ID, p.RawText, p.Audio.Len, p.Vision.Len)
	}
	return h.Sum64()
}

// The golden values are this package's own: they fix the set on every platform.
func TestSyntheticIsReproducible(t *testing.T) {
	set, truth := Synthetic(DefaultSynthetic())
	if got, want := fingerprint(set), uint64(0x468e533226ef6f20); got != want {
		t.Errorf("fingerprint %#x, want %#x", got, want)
	}
	if again, _ := Synthetic(DefaultSynthetic()); fingerprint(again) != fingerprint(set) {
		t.Error("a second call made another set")
	}
	other := DefaultSynthetic()
	other.Seed++
	if set2, _ := Synthetic(other); fingerprint(set2) == fingerprint(set) {
		t.Error("another seed made the same set")
	}

	small := DefaultSynthetic()
	small.Train, small.Test = 10, 20
	prefix, prefixTruth := Synthetic(small)
	if !slices.Equal(prefix.Train.Label, set.Train.Label[:10]) ||
		!slices.Equal(prefix.Test.Audio.X, set.Test.Audio.X[:len(prefix.Test.Audio.X)]) ||
		!slices.Equal(prefixTruth.Train, truth.Train[:10]) {
		t.Error("a smaller split is not the beginning of the larger one")
	}
}

// TestSmallestSynthetic has sizes that are just large enough, and each of them too small.
func TestSmallestSynthetic(t *testing.T) {
	smallest := SyntheticConfig{0, 0, 0, 5, 1, 1, 1, 1, 0}
	set, truth := Synthetic(smallest)
	if set.Shape() != (Shape{5, 1, 1, 1, 1}) || set.Train.Len()+len(truth.Test) != 0 ||
		set.Name != "synthetic" || set.Range != [2]float64{-3, 3} {
		t.Errorf("%+v", set)
	}
	for i, c := range []SyntheticConfig{{-1, 0, 0, 5, 1, 1, 1, 1, 0}, {0, -1, 0, 5, 1, 1, 1, 1, 0},
		{0, 0, -1, 5, 1, 1, 1, 1, 0}, {0, 0, 0, 4, 1, 1, 1, 1, 0}, {0, 0, 0, 5, 0, 1, 1, 1, 0},
		{0, 0, 0, 5, 1, 0, 1, 1, 0}, {0, 0, 0, 5, 1, 1, 0, 1, 0}, {0, 0, 0, 5, 1, 1, 1, 0, 0}} {
		if got := panics(func() { Synthetic(c) }); !strings.HasSuffix(got, "want 5 or more "+
			"language steps, 1 or more of the other steps and dimensions, no negative number of "+
			"utterances") {
			t.Errorf("%d: %+v: %q", i, c, got)
		}
	}
}

// TestPathsHaveTheStepsOfTheLongestModality expects the first utterance, whose vision is drawn
// last, to depend on the largest number of steps only.
func TestPathsHaveTheStepsOfTheLongestModality(t *testing.T) {
	made := func(language, audio, vision int) *Split {
		set, _ := Synthetic(SyntheticConfig{1, 0, 0, language, audio, vision, 2, 2, 3})
		return set.Train
	}
	if a, b := made(24, 96, 96), made(24, 96, 12); a.RawText[0] != b.RawText[0] ||
		!slices.Equal(a.Audio.X, b.Audio.X) {
		t.Error("audio is the longest")
	}
	if a, b := made(96, 24, 96), made(96, 24, 12); a.RawText[0] != b.RawText[0] ||
		!slices.Equal(a.Audio.X, b.Audio.X) {
		t.Error("the text is the longest")
	}
	if a, b := made(24, 24, 96), made(24, 96, 12); a.RawText[0] != b.RawText[0] {
		t.Error("vision is the longest")
	}
}

// TestSyntheticConstants has the formulas' values: the label has the variance
// 1 + 0.49 + 0.09 + 0.2025 + 0.01 = 1.7925.
func TestSyntheticConstants(t *testing.T) {
	for m, want := range []float64{1.7 / math.Sqrt(2*1.7925), math.Sqrt(1.09 / 1.7925),
		math.Sqrt(1.2025 / 1.7925)} {
		if got := SyntheticMaxCorrelation(m); math.Abs(got-want) > 1e-12 {
			t.Errorf("modality %d: %v, want %v", m, got, want)
		}
	}
	z := Latent{1, [3]float64{2, 3, 4}}
	if got := [3]float64{z.Mean(0), z.Mean(1), z.Mean(2)}; got != [3]float64{3, 4, 5} {
		t.Errorf("means %v", got)
	}
	if got := SyntheticInformation(); math.Abs(got-0.143841) > 1e-6 {
		t.Errorf("%v nats", got)
	}
	if SyntheticVocab != 183 {
		t.Errorf("vocabulary of %d", SyntheticVocab)
	}
}

func TestSyntheticSplitsAreIndependent(t *testing.T) {
	set, truth := Synthetic(DefaultSynthetic())
	seen := map[string]bool{}
	for _, s := range []*Split{set.Train, set.Valid, set.Test} {
		for i := range s.Len() {
			if seen[s.ID[i]] || seen[s.RawText[i]] {
				t.Fatalf("%s, %q: seen before", s.ID[i], s.RawText[i])
			}
			seen[s.ID[i]], seen[s.RawText[i]] = true, true
		}
	}
	shared := func(z []Latent) []float64 {
		return column(z[:200], func(z Latent) float64 { return z.Shared })
	}
	for _, pair := range [][2][]Latent{{truth.Train, truth.Valid}, {truth.Train, truth.Test},
		{truth.Valid, truth.Test}} {
		// 3 standard errors
		if r := stat.Correlation(shared(pair[0]), shared(pair[1]), nil); math.Abs(r) > 0.2 {
			t.Errorf("shared factors of two splits correlate, %.3f", r)
		}
	}
}

func TestSyntheticShapes(t *testing.T) {
	small := DefaultSynthetic()
	small.Train, small.Valid, small.Test = 100, 20, 50
	mosi := MOSISynthetic()
	if want := (SyntheticConfig{1284, 229, 686, 50, 375, 500, 5, 20, 1111}); mosi != want {
		t.Errorf("MOSI's sizes are %+v, want %+v", mosi, want)
	}
	mosi.Train, mosi.Valid, mosi.Test = 20, 5, 0
	for _, cfg := range []SyntheticConfig{small, small.Scale(1.5), mosi} {
		set, truth := Synthetic(cfg)
		checkSplit(t, cfg, set.Train, truth.Train, cfg.Train)
		checkSplit(t, cfg, set.Valid, truth.Valid, cfg.Valid)
		checkSplit(t, cfg, set.Test, truth.Test, cfg.Test)
	}
	if got, want := small.Scale(0.7), (SyntheticConfig{100, 20, 50, 17, 34, 34, 12, 16,
		1111}); got != want { // 16.8 and 33.6 steps
		t.Errorf("Scale(0.7) = %+v, want %+v", got, want)
	}
	if got := small.Scale(1.5); got.LanguageSteps != 36 || got.AudioSteps != 72 ||
		got.VisionSteps != 72 || got.AudioDim != 12 {
		t.Errorf("Scale(1.5) = %+v", got)
	}
}

func checkSplit(t *testing.T, cfg SyntheticConfig, s *Split, z []Latent, n int) {
	t.Helper()
	if s.Len() != n || len(z) != n || len(s.RawText) != n || len(s.Label) != n ||
		s.Language.T != cfg.LanguageSteps || len(s.Language.ID) != n*cfg.LanguageSteps {
		t.Fatalf("%d utterances, %d latents, text [%d %d], want %d of %d tokens", s.Len(),
			len(z), len(s.RawText), s.Language.T, n, cfg.LanguageSteps)
	}
	for i := range n {
		checkTokens(t, &s.Language, i, s.RawText[i])
	}
	checkFrames(t, &s.Audio, n, cfg.AudioSteps, cfg.AudioDim)
	checkFrames(t, &s.Vision, n, cfg.VisionSteps, cfg.VisionDim)
}

func checkTokens(t *testing.T, text *Tokens, i int, raw string) {
	t.Helper()
	id, mask := text.ID[i*text.T:][:text.T], text.Mask[i*text.T:][:text.T]
	words := strings.Fields(raw)
	n := len(words) + 2
	if n < (text.T+1)/2 || n > text.T || id[0] != ClsID || id[n-1] != SepID {
		t.Fatalf("utterance %d: %d tokens of %d, ids %v", i, n, text.T, id)
	}
	for j, w := range words {
		if v := id[j+1]; v < firstWord || v >= SyntheticVocab ||
			w != fmt.Sprintf("w%d", v-firstWord) {
			t.Fatalf("utterance %d: word %q has id %d", i, w, v)
		}
	}
	for j := range text.T {
		if (mask[j] == 1) != (j < n) || j >= n && id[j] != PadID || text.Segment[i*text.T+j] != 0 {
			t.Fatalf("utterance %d: ids %v, mask %v, want %d tokens", i, id, mask, n)
		}
	}
}

func checkFrames(t *testing.T, f *Frames, n, steps, dim int) {
	t.Helper()
	if f.T != steps || f.D != dim || len(f.X) != n*steps*dim || len(f.Len) != n {
		t.Fatalf("frames [%d %d %d] of %d values, want [%d %d %d]", len(f.Len), f.T, f.D,
			len(f.X), n, steps, dim)
	}
	for i, valid := range f.Len {
		if valid < (steps+1)/2 || valid > steps {
			t.Fatalf("utterance %d: %d frames of %d", i, valid, steps)
		}
		for j := range steps {
			zero := !slices.ContainsFunc(f.X[(i*steps+j)*dim:][:dim], func(v float32) bool {
				return v != 0
			})
			if zero != (j >= valid) {
				t.Fatalf("utterance %d, frame %d of %d: all zero is %t", i, j, valid, zero)
			}
		}
	}
	if n > 15 && slices.Max(f.Len) == slices.Min(f.Len) {
		t.Errorf("all utterances have %d frames", f.Len[0])
	}
}

// large is a set with enough utterances for statistics.
func large() (*Split, []Latent) {
	cfg := DefaultSynthetic()
	cfg.Train = 4000
	set, truth := Synthetic(cfg)
	return set.Train, truth.Train
}

func TestSyntheticLabels(t *testing.T) {
	s, z := large()
	y := make([]float64, s.Len())
	clipped := 0
	for i, v := range s.Label {
		y[i] = float64(v)
		if math.Abs(y[i]) > 3 {
			t.Fatalf("label %g", v)
		}
		if math.Abs(y[i]) == 3 {
			clipped++
		}
	}
	mean, sd := stat.MeanStdDev(y, nil)
	share := float64(clipped) / float64(len(y))
	wantSD := math.Sqrt(1 + 0.49 + 0.09 + 0.2025 + 0.01) // 1.339
	wantShare := math.Erfc(3 / wantSD / math.Sqrt2)      // 0.025
	if math.Abs(mean) > 0.06 || math.Abs(sd-wantSD) > 0.06 || math.Abs(share-wantShare) > 0.008 {
		t.Errorf("mean %.3f, sd %.3f, clipped %.4f; want 0, %.3f, %.4f", mean, sd, share,
			wantSD, wantShare)
	}

	// Clipping a Gaussian scales its regression on Gaussians by the share that is not clipped
	// (Bussgang 1952).
	design := mat.NewDense(len(z), 5, nil)
	for i, z := range z {
		design.SetRow(i, []float64{1, z.Shared, z.Private[0], z.Private[1], z.Private[2]})
	}
	var w mat.VecDense
	if err := w.SolveVec(design, mat.NewVecDense(len(y), y)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0, 1, 0.7, 0.3, 0.45} {
		if got := w.AtVec(i) / (1 - wantShare); math.Abs(got-want) > 0.015 {
			t.Errorf("weight %d of the label is %.4f, want %.2f", i, got, want)
		}
	}
}

// The correlations are those of the construction; the paths' finite length and the noise lower
// them a little.
func TestSyntheticModalitiesPredictTheirFactors(t *testing.T) {
	s, z := large()
	features := []*mat.Dense{wordMeans(&s.Language), frameMeans(&s.Audio), frameMeans(&s.Vision)}
	label := make([]float64, s.Len())
	for i, v := range s.Label {
		label[i] = float64(v)
	}
	factor := column(z, func(z Latent) float64 { return z.Shared })
	for m, x := range features {
		if r, ceiling := fit(x, label), SyntheticMaxCorrelation(m); r > ceiling ||
			r < ceiling-0.05 {
			t.Errorf("modality %d predicts the label with R %.3f, want just under %.3f",
				m, r, ceiling)
		}
		want := 0.96 // of one who sees the mean of s alone
		if m == 0 {
			want = 1 / math.Sqrt2
		}
		if r := fit(x, factor); math.Abs(r-want) > 0.04 {
			t.Errorf("modality %d predicts the shared factor with R %.3f, want %.3f", m, r, want)
		}
		for other := range features {
			private := column(z, func(z Latent) float64 { return z.Private[other] })
			r := fit(x, private)
			if other != m && r > 0.1 { // √(17/4000) = 0.065 by chance
				t.Errorf("modality %d predicts the private factor of %d with R %.3f, want 0",
					m, other, r)
			}
			if other == m && r < 0.65 {
				t.Errorf("modality %d predicts its own private factor with R %.3f", m, r)
			}
		}
	}
	if !(SyntheticMaxCorrelation(0) > SyntheticMaxCorrelation(2) &&
		SyntheticMaxCorrelation(2) > SyntheticMaxCorrelation(1)) {
		t.Error("want language to predict the label best, then vision, then audio")
	}
}

func TestSyntheticInformation(t *testing.T) {
	_, z := large()
	for _, pair := range [][2]int{{0, 1}, {0, 2}, {1, 2}} {
		a := column(z, func(z Latent) float64 { return z.Mean(pair[0]) })
		b := column(z, func(z Latent) float64 { return z.Mean(pair[1]) })
		r := stat.Correlation(a, b, nil)
		if got, want := -math.Log(1-r*r)/2, SyntheticInformation(); math.Abs(got-want) > 0.025 {
			t.Errorf("means %v share %.3f nats, want %.3f", pair, got, want)
		}
	}
}

// A word predicts the next one better than a later one.
func TestSyntheticPastPredictsNext(t *testing.T) {
	s := synthesizer{correlation: pathCorrelation, rng: rand.New(rand.NewPCG(1, 1))}
	const n = 400000
	x := s.path(0.5, n)
	mean, sd := stat.MeanStdDev(x, nil)
	if math.Abs(mean-0.5) > 0.02 || math.Abs(sd-pathSD) > 0.01 {
		t.Errorf("path has mean %.3f, sd %.3f, want 0.5, 0.5", mean, sd)
	}
	for _, lag := range []int{1, 4} {
		got, want := stat.Correlation(x[:n-lag], x[lag:], nil), math.Pow(0.85, float64(lag))
		if math.Abs(got-want) > 0.01 {
			t.Errorf("correlation %.3f over %d steps, want %.3f", got, lag, want)
		}
	}

	split, _ := large()
	at := func(j int) []float64 {
		x := make([]float64, split.Len())
		for i := range x {
			x[i] = float64(split.Language.ID[i*split.Language.T+j])
		}
		return x
	}
	next, later := stat.Correlation(at(1), at(2), nil), stat.Correlation(at(1), at(10), nil)
	if !(next > later+0.04 && later > 0.7) { // the factors alone give 2/2.5 = 0.8
		t.Errorf("a word and the next correlate by %.3f, and with a later one by %.3f", next,
			later)
	}
}

func column(z []Latent, f func(Latent) float64) []float64 {
	x := make([]float64, len(z))
	for i := range z {
		x[i] = f(z[i])
	}
	return x
}

// wordMeans returns the mean bin of each utterance's words, beside a column of ones.
func wordMeans(text *Tokens) *mat.Dense {
	n := len(text.ID) / text.T
	x := mat.NewDense(n, 2, nil)
	for i := range n {
		sum, words := 0.0, 0.0
		for _, id := range text.ID[i*text.T:][:text.T] {
			if id >= firstWord {
				sum += float64((id - firstWord) / synonyms)
				words++
			}
		}
		x.SetRow(i, []float64{1, sum / words})
	}
	return x
}

// frameMeans returns the mean of each utterance's frames, beside a column of ones.
func frameMeans(f *Frames) *mat.Dense {
	x := mat.NewDense(len(f.Len), f.D+1, nil)
	for i, n := range f.Len {
		x.Set(i, 0, 1)
		for j := range n * f.D {
			d := 1 + j%f.D
			x.Set(i, d, x.At(i, d)+float64(f.X[i*f.T*f.D+j])/float64(n))
		}
	}
	return x
}

// fit returns the correlation of y with its least-squares prediction from x.
func fit(x *mat.Dense, y []float64) float64 {
	var w, prediction mat.VecDense
	if err := w.SolveVec(x, mat.NewVecDense(len(y), y)); err != nil {
		return math.NaN()
	}
	prediction.MulVec(x, &w)
	return stat.Correlation(prediction.RawVector().Data, y, nil)
}
