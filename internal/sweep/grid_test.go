package sweep

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/settings"
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
	const a = "expected a map from settings to lists"
	for text, want := range map[string]string{
		"":                         a + ", found nothing",
		"train.lr: 3":              a + ", such as\n" + DefaultGrid + "found ",
		"- 3":                      a + ", such as\n" + DefaultGrid + "found ",
		"train.lr: []":             "train.lr: expected a list of values, found none",
		"train.lr: [1, 2, 1]":      "train.lr: expected each value once, found 1 twice",
		"train.lr: [1, '1']":       "found 1 twice",
		"train.lr: [null]":         "train.lr: expected a value, found <nil>",
		"text.bert: ['']":          "text.bert: expected a value, found",
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
	for _, key := range []string{"dataset", "model", "preset", "name", "select", "seed", "device",
		"cuda.tf32", "eval.rates", "data.file"} {
		_, err := ParseGrid("g", []byte(key+": [x, y]"))
		if want := "sweep: g: " + key + ": expected settings that trials may differ in, found " +
			"one that makes their scores incomparable; give it as a flag or with " +
			"--set"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestDrawIsAShuffle compares with the shuffle of the whole grid, so that a search is continued
// with the same trials.
func TestDrawIsAShuffle(t *testing.T) {
	g := Grid{{"a", []string{"1", "2", "3"}}, {"b", []string{"x"}}, {"c", []string{"p", "q"}}}
	var all []Trial
	for _, c := range []string{"p", "q"} {
		for _, a := range []string{"1", "2", "3"} {
			all = append(all, Trial{"a": a, "b": "x", "c": c})
		}
	}
	const fnv = 0x84c51ca356506fc0 // the 64-bit FNV-1a hash of the word trials
	rng := rand.New(rand.NewPCG(7, fnv))
	for i := range all {
		j := i + rng.IntN(len(all)-i)
		all[i], all[j] = all[j], all[i]
	}
	got, err := g.Draw(6, 7)
	if err != nil || !slices.EqualFunc(got, all, func(a, b Trial) bool {
		return maps.Equal(a, b)
	}) {
		t.Errorf("%v, want %v: %v", got, all, err)
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
	for n, want := range map[int]int{0: 1, 1: 8, 17: 1 << 51, 18: 1 << 53, 30: 1 << 53} {
		if got := g[:n].Size(); got != want {
			t.Errorf("size %d of %d axes, want %d", got, n, want)
		}
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
	c, err := settings.Preset("quick", "recap", "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var defaults map[string]any
	if err := settings.UnmarshalYAML(text, &defaults); err != nil {
		t.Fatal(err)
	}
	for _, axis := range g { // the defaults of the quick preset and values around them
		var value any = defaults
		for _, name := range strings.Split(axis.Key, ".") {
			value = value.(map[string]any)[name]
		}
		if !slices.Contains(axis.Values, fmt.Sprint(value)) {
			t.Errorf("%s: %v, without the default %v", axis.Key, axis.Values, value)
		}
	}
	if w := g.Filter(func(key string) bool {
		return key != "train.lr"
	}); len(w) != len(g)-1 || w.Size() != g.Size()/3 {
		t.Error(w)
	}
}
