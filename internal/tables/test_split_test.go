package tables

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// divided returns RECAP's configuration, with splits of each seed's own and other settings changed.
func divided(t *testing.T, set map[string]string) settings.Config {
	c := recapConfig(t, set)
	c.Data.Resplit = settings.ResplitBySeed
	return c
}

// TestSplitsOfEachSeed puts runs into one table that were tested, with each seed that they have in
// common, on the same utterances.
func TestSplitsOfEachSeed(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	w.write("full", divided(t, nil), 6, smallOffsets)
	w.write("more", divided(t, nil), 5, smallOffsets)
	w.write("no-fid", divided(t, map[string]string{"variant": "no-fid"}), 5, largeOffsets)
	w.write("no-mir", divided(t, map[string]string{"variant": "no-mir"}), 7, largeOffsets)
	w.write("fixed", recapConfig(t, nil), 5, largeOffsets)
	w.labels = []float32{-2, -1, 1, 2, 2}
	w.write("other", divided(t, map[string]string{"train.lr": "0.1"}), 5, largeOffsets)
	list, log := w.collect("")
	var got []string
	for _, p := range list {
		for _, s := range p.rows {
			got = append(got, fmt.Sprint(s.Config.Name, s.Seeds))
		}
		got = append(got, "")
	}
	const want = "fixed[5]  full[5 6] no-fid[5]  other[5]  no-mir[7] "
	if strings.Join(got, " ") != want {
		t.Fatalf("tables %q, want %q; log %q", got, want, log)
	}
	p := list[1]
	means := p.Means([]string{"MAE"})
	// 0.1, 0.2 and 0.4 times 6.5 and 7.5
	if got := means.Rows[0][2]; got != "1.6333 ± 0.1167" {
		t.Errorf("MAE %s", got)
	}
	if !strings.Contains(means.Caption, "test split of 4 utterances, another for each seed") ||
		!strings.Contains(means.Caption, "data.resplit=seed") {
		t.Error(means.Caption)
	}
	s := p.rows[0]
	if !s.TestedOn(6, []string{"u6", "u7", "u8", "u9"}, []float32{1, 2, -2, -1}) ||
		s.TestedOn(5, []string{"u6", "u7", "u8", "u9"}, []float32{1, 2, -2, -1}) {
		t.Error("test splits of other seeds")
	}
	if err := p.AddBaseline(func(_ *Summary, c *settings.Config) ([]float32, error) {
		return []float32{float32(c.Seed)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	// of labels -2, -1, 1, 2 from 5 and 6
	if got := p.Means([]string{"MAE"}).Rows[2][2]; got != "5.5000" {
		t.Errorf("MAE of the constant predictor %s", got)
	}
	if other := list[2].rows[0]; len(NewPair(s, p.rows[1]).Warnings) != 0 ||
		!strings.Contains(strings.Join(NewPair(s, other).Warnings, ""), "of 4 and 5 utterances") {
		t.Error("warnings of a pair")
	}
	if text := p.constant.explainBaseline(); !strings.Contains(text, ", 5 with seed 5;") {
		t.Error(text)
	}
	w.labels = fourLabels[:3]
	w.write("more", divided(t, map[string]string{"variant": "no-fid"}), 6, largeOffsets)
	list, _ = w.collect("")
	lines := CSV(list, []string{"MAE"}, false)
	i := slices.Index(lines[0], "Utterances")
	if !slices.ContainsFunc(lines, func(l []string) bool {
		return l[0] == "recap no-fid" && l[i] == "3 to 4"
	}) {
		t.Errorf("utterances in %q", lines)
	}
}

// TestSameTest compares test splits that are the same for all seeds, and those of each seed's own.
func TestSameTest(t *testing.T) {
	of := func(own bool, seeds []uint64, splits ...int) *Summary {
		s := &Summary{Config: recapConfig(t, nil), Seeds: seeds}
		if own {
			s.Config.Data.Resplit = settings.ResplitBySeed
		}
		for _, n := range splits {
			s.tests = append(s.tests, testSplit{utterances: n})
		}
		return s
	}
	one, two, three := []uint64{1}, []uint64{2}, []uint64{1, 2, 3}
	from3 := []uint64{3, 1}
	for what, c := range map[string]struct {
		a, b *Summary
		want bool
	}{
		"fixed, other seeds":       {of(false, one, 7), of(false, two, 7), true},
		"fixed, other splits":      {of(false, one, 7), of(false, one, 8), false},
		"fixed and own":            {of(false, one, 7), of(true, one, 7), false},
		"own, no seed in common":   {of(true, one, 7), of(true, two, 7), false},
		"own, one seed in common":  {of(true, three, 7, 8, 9), of(true, two, 8), true},
		"own, it has other splits": {of(true, three, 7, 8, 9), of(true, two, 7), false},
		"own, one of two is other": {of(true, three, 7, 8, 9), of(true, from3, 9, 8), false},
	} {
		if sameTest(c.a, c.b) != c.want || sameTest(c.b, c.a) != c.want {
			t.Errorf("%s: the same is not %v", what, c.want)
		}
	}
	split := func(id string, label float32) testSplit {
		return testSplitOf(&results.Predictions{ID: []string{id, "b"}, Label: []float32{label, 1}})
	}
	if a := split("a", 1); a != split("a", 1) || a == split("a", 1.5) || a == split("c", 1) ||
		a.utterances != 2 {
		t.Errorf("the split %v is told by ids and labels", a)
	}
}

// TestDifferencesOfDividedSets checks that a resample has an utterance as often in each test split
// that has it.
func TestDifferencesOfDividedSets(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	for _, seed := range []uint64{5, 6} {
		w.write("full", divided(t, nil), seed, smallOffsets)
		w.write("no-fid", divided(t, map[string]string{"variant": "no-fid"}), seed, largeOffsets)
	}
	list, _ := w.collect("")
	all, err := CompareRows(list, []string{"recap", "no-fid"}, []string{"MAE"})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all[0].lines(true) {
		if want := l.means[1] - l.means[0]; math.Abs(l.Mean-want) > 1e-6 ||
			!(l.Low < want) || !(l.High > want) {
			t.Errorf("at %s: %+v, want %g", l.rate, l.Difference, want)
		}
	}
	text := strings.Join(all[0].Table(false).Notes, " ")
	if !strings.Contains(text, "2 seeds and of 5 utterances") ||
		!strings.Contains(text, "those of its utterances that are drawn") {
		t.Error(text)
	}
	tested := numbering{map[string]int{}}
	s := list[0].rows[0]
	for j, want := range []float64{0.7, (2*0.7 + 3*0.9) / 5} {
		trained, err := s.trained(j, []string{"MAE"}, &tested)
		if err != nil {
			t.Fatal(err)
		}
		scores := make([]float64, 4)
		trained([]float64{0, 0, 2, 0, 3}, scores) // u7 twice, and u9, which seed 5 has not
		if math.Abs(scores[0]-want) > 1e-6 {
			t.Errorf("seed %d: MAE %g, want %g", s.Seeds[j], scores[0], want)
		}
	}
	numbers := tested.add([]string{"u9", "u6", "u6"})
	if !slices.Equal(numbers, []int{4, 1, 5}) || len(tested.of) != 6 {
		t.Errorf("numbers %v of %d", numbers, len(tested.of))
	}
	tested = numbering{map[string]int{}}
	numbers = tested.add(append(slices.Repeat([]string{"x"}, 11), "0x", "0x"))
	if last := numbers[10:]; !slices.Equal(last, []int{10, 11, 12}) {
		t.Errorf("the eleventh x and two others have the numbers %v", last)
	}
}
