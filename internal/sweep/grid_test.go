package sweep

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseGrid(t *testing.T) {
	g, err := ParseGrid("g",
		[]byte("train.lr: [0.00001, 1e-3]\ngranularities: [[8, 4, 2], [4, 2]]\nvariant: [full, "+
			"no-fid]\nliteral: [true, false]\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "[{granularities [[8, 4, 2] [4, 2]]} {literal [true false]} {train.lr [1e-05 " +
		"1e-3]} {variant [full no-fid]}]"
	if fmt.Sprint(g) != want || g.Size() != 16 {
		t.Errorf("%v, %d combinations; want %s", g, g.Size(), want)
	}
	for text, want := range map[string]string{
		"":                         "found nothing",
		"train.lr: 3":              "expected a map from settings to lists",
		"- 3":                      "expected a map from settings to lists",
		"train.lr: []":             "train.lr: expected a list of values, found none",
		"train.lr: [1, 2, 1]":      "train.lr: expected each value once, found 1 twice",
		"train.lr: [1, '1']":       "found 1 twice",
		"train.lr: [null]":         "train.lr: expected a value",
		"text.bert: ['']":          "text.bert: expected a value",
		"data.labels: [0.1, 1]":    "data.labels: expected settings that trials may differ in",
		"seed: [1, 2]":             "seed: expected settings",
		"eval.valid_rate: [0.1]":   "eval.valid_rate: expected settings",
		"train.lr: [1]\ntrain.lr:": "already defined",
	} {
		if _, err := ParseGrid("grid.yaml", []byte(text)); err == nil ||
			!strings.HasPrefix(err.Error(), "sweep: grid.yaml: ") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	if _, err := ParseGrid("g", []byte("data.resample: [epoch, static]")); err != nil {
		t.Error(err)
	}
}

// TestDraw draws 1 to 12 trials of a grid of 12: no combination is drawn twice, and a longer list
// begins with the shorter ones.
func TestDraw(t *testing.T) {
	g := Grid{{"a", []string{"1", "2", "3"}}, {"b", []string{"x", "y"}}, {"c", []string{"p", "q"}}}
	all, err := g.Draw(12, 7)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, trial := range all {
		if seen[fmt.Sprint(trial)] = true; len(trial) != 3 {
			t.Error(trial)
		}
	}
	if len(seen) != 12 {
		t.Errorf("12 draws have %d different combinations", len(seen))
	}
	for n := 1; n <= 12; n++ {
		some, err := g.Draw(n, 7)
		if err != nil || !slices.EqualFunc(some, all[:n], func(a, b Trial) bool {
			return maps.Equal(a, b)
		}) {
			t.Errorf("%d trials: %v, want %v (%v)", n, some, all[:n], err)
		}
	}
	for _, n := range []int{0, 13} {
		if _, err := g.Draw(n, 7); err == nil ||
			!strings.Contains(err.Error(),
				fmt.Sprintf("from 1 to 12 trials, the size of the grid, found %d", n)) {
			t.Error(n, err)
		}
	}
}

// TestDrawIsUniform counts how often each combination is the first and the second of many draws.
func TestDrawIsUniform(t *testing.T) {
	g := Grid{{"a", []string{"1", "2", "3"}}, {"b", []string{"x", "y"}}}
	const draws = 6000
	for position := range 2 {
		count := map[string]int{}
		for seed := range uint64(draws) {
			trials, err := g.Draw(2, seed)
			if err != nil {
				t.Fatal(err)
			}
			count[fmt.Sprint(trials[position])]++
		}
		for trial, n := range count { // 1000 ± 29 for a uniform distribution
			if n < 850 || n > 1150 || len(count) != 6 {
				t.Errorf("%s was drawn %d times of %d at position %d, want about %d", trial,
					n, draws, position, draws/6)
			}
		}
	}
}

func TestSizeOfHugeGrid(t *testing.T) {
	var g Grid
	for i := range 30 {
		g = append(g, Axis{fmt.Sprint(i), strings.Split("abcdefgh", "")})
	}
	if g.Size() != maxSize {
		t.Errorf("size %d", g.Size())
	}
	if trials, err := g.Draw(100, 1); err != nil || len(trials) != 100 {
		t.Error(err)
	}
}

func TestDefaultGrid(t *testing.T) {
	g, err := ParseGrid("default", []byte(DefaultGrid))
	if err != nil || g.Size() != 3*2*3*3*3*3*3 {
		t.Error(g.Size(), err)
	}
	if w := g.Filter(func(key string) bool {
		return key != "train.lr"
	}); len(w) != len(g)-1 || w.Size() != g.Size()/3 {
		t.Error(w)
	}
}
