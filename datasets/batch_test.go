package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFill(t *testing.T) {
	s := tokenSplit([][]int{{101, 7, 102}, {101, 102}, {101, 8, 9, 102}}, 4, []int{2, 1, 3},
		3, []int{1, 2, 2}, 2)
	s.Label = []float32{1, 2, 3}
	s.Language.Segment[0] = 5
	s.Language.ID[3] = 8 // at padding; corruption removes it
	k := s.KeepMasks(FixedRates(3, 0))
	k.Language[9], k.Audio[2*3+1] = false, false // token 8, and frame 1 of the last utterance
	var b Batch
	b.Fill(s, []int{2, 0}, k)
	want := Batch{
		Index: []int{2, 0},
		Language: TokenBatch{T: 4,
			ID:        []int{101, 8, 9, 102, 101, 7, 102, 8},
			Corrupted: []int{101, UnkID, 9, 102, 101, 7, 102, 0},
			Keep:      []float32{1, 0, 1, 1, 1, 1, 1, 0},
			Mask:      []float32{1, 1, 1, 1, 1, 1, 1, 0},
			Segment:   []int{0, 0, 0, 0, 5, 0, 0, 0}},
		Audio: FrameBatch{T: 3, D: 2,
			X:    []float32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
			Keep: []float32{1, 0, 1, 1, 1, 0}, Len: []int{3, 2}},
		Vision: FrameBatch{T: 2, D: 1, X: []float32{1, 1, 1, 1}, Keep: []float32{1, 1, 1, 0},
			Len: []int{2, 1}},
		Label: []float32{3, 1},
	}
	if diff := cmp.Diff(want, b, inside); diff != "" {
		t.Error(diff)
	}
	if n := testing.AllocsPerRun(10, func() { b.Fill(s, []int{1, 2}, k) }); n != 0 {
		t.Errorf("%v allocations for a batch of the same size", n)
	}
	s.Audio.X[(2*3+1)*2] = float32(math.NaN())
	b.FillCorrupted(s, []int{2, 0}, k)
	want.Audio.X = []float32{1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0}
	want.Vision.X = []float32{1, 1, 1, 0}
	if diff := cmp.Diff(want, b, inside); diff != "" {
		t.Errorf("corrupted: %s", diff)
	}
	complete := slices.Clone(s.Audio.X[:6])
	b.FillCorrupted(s, []int{0}, nil)
	if !slices.Equal(b.Language.ID, b.Language.Corrupted) || !slices.Equal(b.Audio.X, complete) ||
		len(b.Label) != 1 ||
		slices.Contains(b.Audio.Keep, 0) || slices.Contains(b.Language.Keep, 0) {
		t.Error("without masks the batch is corrupted")
	}
}

func TestOrder(t *testing.T) {
	sizes := func(batches [][]int) (n []int) {
		for _, b := range batches {
			n = append(n, len(b))
		}
		return n
	}
	for _, c := range []struct {
		n, batch, minBatch int
		want               []int
	}{
		{10, 4, 0, []int{4, 4, 2}}, {10, 4, 2, []int{4, 4, 2}}, {10, 4, 3, []int{4, 6}},
		{8, 4, 4, []int{4, 4}},
		{5, 4, 2, []int{5}}, {5, 4, 1, []int{4, 1}},
		{3, 4, 4, []int{3}}, {1, 4, 2, []int{1}}, {0, 4, 2, nil},
	} {
		for _, rng := range []*rand.Rand{nil, rand.New(rand.NewPCG(1, 1))} {
			batches := Order(c.n, c.batch, c.minBatch, rng)
			if !slices.Equal(sizes(batches), c.want) {
				t.Errorf("%d in %d, minBatch %d: %v, want %v", c.n, c.batch, c.minBatch,
					sizes(batches), c.want)
			}
			all := slices.Concat(batches...)
			sorted := slices.Sorted(slices.Values(all))
			for i, v := range sorted {
				if v != i {
					t.Fatalf("%d in %d: %v is no permutation", c.n, c.batch, all)
				}
			}
			if rng == nil && !slices.Equal(all, sorted) || rng != nil && c.n > 5 &&
				slices.Equal(all, sorted) {
				t.Errorf("order %v, shuffled %v", all, rng != nil)
			}
		}
	}
}

// panics returns what f panics with.
func panics(f func()) (message string) {
	defer func() {
		if p := recover(); p != nil {
			message = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

func TestMisusePanics(t *testing.T) {
	s := noisy([3]float64{}).Valid
	fraction := func(f float64) func() { return func() { s.Fraction(f, 1) } }
	for want, f := range map[string]func(){
		"Order: batch of 0: want 1 or more":             func() { Order(3, 0, 0, nil) },
		"Order: batch of -1: want 1 or more":            func() { Order(3, -1, 0, nil) },
		"Fraction: 0: want a fraction in (0, 1]":        fraction(0),
		"Fraction: 1.01: want a fraction in (0, 1]":     fraction(1.01),
		"Fraction: NaN: want a fraction in (0, 1]":      fraction(math.NaN()),
		"KeepMasks: 3 rates for 200 utterances: want":   func() { s.KeepMasks(FixedRates(3, 0)) },
		"KeepMasks: 201 rates for 200 utterances: want": func() { s.KeepMasks(FixedRates(201, 0)) },
	} {
		if got := panics(f); !strings.HasPrefix(got, "datasets: "+want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := panics(func() { Order(3, 1, 0, nil); s.Fraction(1, 1) }); got != "" {
		t.Error(got)
	}
}

// TestFractionIsAPermutationsBeginning keeps what a seed chooses, so that runs can be repeated.
func TestFractionIsAPermutationsBeginning(t *testing.T) {
	s := noisy([3]float64{}).Valid
	var want []string
	for _, chosen := range rand.New(rand.NewPCG(7, 0)).Perm(200)[:30] {
		want = append(want, s.ID[chosen])
	}
	got := s.Fraction(0.15, 7).ID
	if slices.Sort(want); !slices.Equal(want, slices.Sorted(slices.Values(got))) {
		t.Errorf("%q, want %q", got, want)
	}
	if !slices.IsSortedFunc(got, func(a, b string) int {
		return slices.Index(s.ID, a) - slices.Index(s.ID, b)
	}) {
		t.Errorf("%q are not in their order", got)
	}
	if s.Fraction(1, 7) != s {
		t.Error("a fraction of 1 is not the split itself")
	}
	if n := s.Fraction(0.0125, 7).Len(); n != 3 { // 2.5 is rounded up
		t.Errorf("%d utterances of 200·0.0125", n)
	}
}

// TestVocab has the largest id, and the largest segment, in each place.
func TestVocab(t *testing.T) {
	for i := range 3 {
		for k := range 3 {
			set := &Set{}
			for _, to := range []**Split{&set.Train, &set.Valid, &set.Test} {
				*to = tokenSplit([][]int{{ClsID, 1, SepID}}, 3, []int{1}, 1, []int{1}, 1)
			}
			if v, segment := set.Vocab(), set.LargestSegment(); v != 103 || segment != 0 {
				t.Errorf("vocabulary %d, segment %d of the special tokens", v, segment)
			}
			text := set.splits()[i].Language
			if text.ID[k], text.Segment[k] = 3000, 1; set.Vocab() != 3001 ||
				set.LargestSegment() != 1 {
				t.Errorf("%s, token %d: vocabulary %d, segment %d", splitNames[i], k, set.Vocab(),
					set.LargestSegment())
			}
		}
	}
}

// TestFramesOfAShorterFile reads rows of two steps into rows of three that hold something else.
func TestFramesOfAShorterFile(t *testing.T) {
	f := Frames{T: 3, D: 2, Len: []int{2, 1}, fileSteps: 2,
		file: inMemory{1, 2, 3, 4, 5, 6, 7, 8}}
	row := func(read func([]float32, int), i int) []float32 {
		x := []float32{9, 9, 9, 9, 9, 9}
		read(x, i)
		return x
	}
	got := [][]float32{row(f.stored, 0), row(f.stored, 1), row(f.Row, 0), row(f.Row, 1), f.load()}
	want := [][]float32{{1, 2, 3, 4, 0, 0}, {5, 6, 7, 8, 0, 0}, {1, 2, 3, 4, 0, 0},
		{5, 6, 0, 0, 0, 0}, {1, 2, 3, 4, 0, 0, 5, 6, 0, 0, 0, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFraction(t *testing.T) {
	set, _ := Synthetic(SyntheticConfig{Train: 50, LanguageSteps: 6, AudioSteps: 4, VisionSteps: 3,
		AudioDim: 2, VisionDim: 1})
	s := set.Train
	tenth, half := s.Fraction(0.1, 7), s.Fraction(0.5, 7)
	if tenth.Len() != 5 || half.Len() != 25 || s.Fraction(1e-9, 7).Len() != 1 {
		t.Fatalf("%d and %d of 50", tenth.Len(), half.Len())
	}
	if diff := cmp.Diff(s, s.Fraction(1, 7), inside); diff != "" {
		t.Errorf("all of it: %s", diff)
	}
	for _, id := range tenth.ID {
		if !slices.Contains(half.ID, id) {
			t.Errorf("%s is in the tenth, not in the half", id)
		}
	}
	if diff := cmp.Diff(tenth, s.Fraction(0.1, 7), inside); diff != "" {
		t.Errorf("the same seed: %s", diff)
	}
	if slices.Equal(half.ID, s.Fraction(0.5, 8).ID) {
		t.Error("another seed chose the same")
	}

	i := slices.Index(s.ID, tenth.ID[3])
	var want, got Batch
	want.Fill(s, []int{i}, nil)
	got.Fill(tenth, []int{3}, nil)
	want.Index, got.Index = nil, nil
	if diff := cmp.Diff(want, got, inside); diff != "" || tenth.RawText[3] != s.RawText[i] ||
		tenth.Audio.Len[3] != s.Audio.Len[i] {
		t.Errorf("utterance %s changed: %s", tenth.ID[3], diff)
	}
	if v := set.Vocab(); v <= SepID || v > SyntheticVocab {
		t.Errorf("vocabulary of %d", v)
	}
}

// BenchmarkFill fills batches of 64 utterances with the sizes of MOSI's and MOSEI's unaligned
// features.
func BenchmarkFill(b *testing.B) {
	for _, c := range []struct {
		name               string
		audioDim, audioT   int
		visionDim, visionT int
	}{{"MOSI", 5, 375, 20, 500}, {"MOSEI", 74, 500, 35, 500}} {
		set, _ := Synthetic(SyntheticConfig{Train: 256, LanguageSteps: 50, AudioSteps: c.audioT,
			VisionSteps: c.visionT,
			AudioDim:    c.audioDim, VisionDim: c.visionDim})
		masks := set.Train.KeepMasks(FixedRates(256, 0.5))
		index := Order(256, 64, 0, rand.New(rand.NewPCG(1, 1)))[0]
		for name, fill := range map[string]func(*Batch, *Split, []int,
			*KeepMasks){"complete": (*Batch).Fill, "corrupted": (*Batch).FillCorrupted} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				var batch Batch
				for b.Loop() {
					fill(&batch, set.Train, index, masks)
				}
			})
		}
	}
}
