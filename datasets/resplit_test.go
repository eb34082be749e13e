package datasets

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// ofVideos returns a synthetic set in which three consecutive utterances are of one video.
func ofVideos(train, valid, test int) *Set {
	c := DefaultSynthetic()
	c.Train, c.Valid, c.Test = train, valid, test
	set, _ := Synthetic(c)
	n := 0
	for _, p := range set.splits() {
		for i := range p.ID {
			p.ID[i] = fmt.Sprintf("video%d$_$%d", n/3, n)
			n++
		}
	}
	return set
}

// TestResplit checks that the new splits have all utterances once, about the same sizes, and no
// video in common, and that an utterance keeps what belongs to it.
func TestResplit(t *testing.T) {
	set := ofVideos(60, 15, 24)
	set.Name, set.Range, set.Warnings = "mine", [2]float64{-1, 1}, []string{"a warning"}
	for _, p := range set.splits() {
		for i := range p.Language.Segment {
			p.Language.Segment[i] = i
		}
	}
	type row struct{ text, features string }
	describe := func(p *Split, i int) row {
		audio := make([]float32, p.Audio.T*p.Audio.D)
		vision := make([]float32, p.Vision.T*p.Vision.D)
		p.Audio.Row(audio, i)
		p.Vision.Row(vision, i)
		return row{fmt.Sprint(p.Label[i], p.RawText[i], p.Language.row(i)), fmt.Sprint(audio,
			vision, p.Audio.Len[i], p.Vision.Len[i])}
	}
	rows := func(s *Set) map[string]row {
		all := map[string]row{}
		for _, p := range s.splits() {
			for i, id := range p.ID {
				all[id] = describe(p, i)
			}
		}
		return all
	}
	before := rows(set)
	var tests [][]string
	for seed := range uint64(6) {
		s, err := set.Resplit(seed)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(rows(s), before) || s.Train.Len()+s.Valid.Len()+s.Test.Len() != 99 {
			t.Fatalf("seed %d: the utterances are not those of before", seed)
		}
		if s.Name != "mine" || s.Range != set.Range || !slices.Equal(s.Warnings, set.Warnings) {
			t.Errorf("seed %d: %s, range %v, warnings %q", seed, s.Name, s.Range, s.Warnings)
		}
		split := map[string]int{}
		for k, p := range s.splits() {
			for i := range p.ID {
				if first, ok := split[p.video(i)]; ok && first != k {
					t.Errorf("seed %d: %s is in two splits", seed, p.video(i))
				}
				split[p.video(i)] = k
			}
			if want := []int{60, 15, 24}[k]; p.Len() < want-2 || p.Len() > want+2 {
				t.Errorf("seed %d: split %d has %d utterances, want %d ± 2", seed, k, p.Len(), want)
			}
		}
		tests = append(tests, s.Test.ID)
	}
	again, err := set.Resplit(5)
	if err != nil || !slices.Equal(again.Test.ID, tests[5]) {
		t.Errorf("the same seed gives another test split (error %v)", err)
	}
	if slices.Equal(tests[0], tests[1]) {
		t.Error("two seeds give the same test split")
	}
}

// TestResplitIsAPermutation divides 33 videos of three utterances each as a seed says: 8 for the
// test, 5 for validation. The utterances keep their order.
func TestResplitIsAPermutation(t *testing.T) {
	set := ofVideos(60, 15, 24)
	got, err := set.Resplit(7)
	if err != nil {
		t.Fatal(err)
	}
	videos := make([]int, 33)
	for i := range videos {
		videos[i] = i
	}
	rand.New(rand.NewPCG(7, 0)).Shuffle(33, func(i, k int) {
		videos[i], videos[k] = videos[k], videos[i]
	})
	for k, part := range [][]int{videos[13:], videos[8:13], videos[:8]} {
		slices.Sort(part)
		var want []string
		for _, v := range part {
			for i := range 3 {
				want = append(want, fmt.Sprintf("video%d$_$%d", v, 3*v+i))
			}
		}
		if s := got.splits()[k]; !slices.Equal(s.ID, want) {
			t.Errorf("%s: %q, want %q", splitNames[k], s.ID, want)
		}
	}
	set.Valid.RawText = nil
	if got, err = set.Resplit(7); err != nil || got.Train.RawText != nil {
		t.Errorf("texts %q, which a split does not have: %v", got.Train.RawText, err)
	}
}

// TestResplitOfFewVideos needs a video for each split.
func TestResplitOfFewVideos(t *testing.T) {
	for seed := range uint64(20) {
		s, err := ofVideos(3, 3, 3).Resplit(seed)
		if err != nil {
			t.Fatal(err)
		}
		for k, p := range s.splits() {
			if p.Len() != 3 {
				t.Errorf("seed %d: split %d has %d utterances, want 3", seed, k, p.Len())
			}
		}
	}
	for _, set := range []*Set{ofVideos(30, 1, 2), ofVideos(1, 1, 7), ofVideos(1, 7, 1)} {
		for seed := range uint64(20) {
			s, err := set.Resplit(seed)
			if err != nil || min(s.Train.Len(), s.Valid.Len(), s.Test.Len()) == 0 {
				t.Errorf("seed %d: an empty split, error %v", seed, err)
			}
		}
	}
	// five videos of three utterances, of which each split needs one
	for k, set := range []*Set{ofVideos(13, 1, 1), ofVideos(1, 13, 1), ofVideos(1, 1, 13)} {
		s, err := set.Resplit(1)
		want := [3]int{3, 3, 3}
		if want[k] = 9; err != nil || [3]int{s.Train.Len(), s.Valid.Len(), s.Test.Len()} != want {
			t.Errorf("%d, %d and %d utterances, want %d: %v", s.Train.Len(), s.Valid.Len(),
				s.Test.Len(), want, err)
		}
	}
	if _, err := ofVideos(3, 2, 1).Resplit(1); fmt.Sprint(err) != "datasets: synthetic: expected "+
		"utterances of at least 3 videos for a new division, found 2" {
		t.Error(err)
	}
}
