package sweep

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/seed-6655bf3b/recap/internal/settings"
)

// DefaultGrid is the search space of "recap tune" if the user gives none. It has the defaults of
// the quick preset and values around them.
const DefaultGrid = `train.lr:           [0.0003, 0.001, 0.003]
train.batch:        [32, 64]
train.weight_decay: [0, 0.0001, 0.01]
loss.fid:           [0.0001, 0.001, 0.01]
loss.rec:           [0.03, 0.1, 0.3]
loss.rank:          [0, 0.01, 0.1]
width:              [32, 64, 128]
`

// A Grid is a search space: the set of all combinations that take one value from each axis.
type Grid []Axis

// An Axis is a setting and its candidate values, written as --set accepts them.
type Axis struct {
	Key    string   `yaml:"key"`
	Values []string `yaml:"values"`
}

// A Trial is one combination: a value for each key of the grid.
type Trial map[string]string

// ParseGrid parses a YAML map from keys to lists of values; see [DefaultGrid]. The axes are sorted
// by key. It returns an error that begins with name if the text is malformed, if a key occurs
// twice or has no values, if a value is repeated, or if a setting must be equal in all trials.
func ParseGrid(name string, text []byte) (Grid, error) {
	fail := func(format string, args ...any) (Grid, error) {
		return nil, fmt.Errorf("sweep: %s: %s", name, fmt.Sprintf(format, args...))
	}
	var lists map[string][]any
	if err := settings.UnmarshalYAML(text, &lists); err != nil {
		return fail("expected a map from settings to lists, such as\n%sfound %v", DefaultGrid, err)
	}
	var g Grid
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		if mustBeEqual(key) {
			return fail(
				"%s: expected settings that trials may differ in, found one that makes their "+
					"scores incomparable; give it as a flag or with --set", key,
			)
		}
		axis := Axis{Key: key}
		for _, v := range lists[key] {
			value, err := valueText(v)
			if err != nil {
				return fail("%s: %v", key, err)
			}
			if slices.Contains(axis.Values, value) {
				return fail("%s: expected each value once, found %s twice", key, value)
			}
			axis.Values = append(axis.Values, value)
		}
		if axis.Values == nil {
			return fail("%s: expected a list of values, found none", key)
		}
		g = append(g, axis)
	}
	if g == nil {
		return fail("expected a map from settings to lists, found nothing")
	}
	return g, nil
}

// mustBeEqual reports whether a setting must have the same value in all trials, because it changes
// the training data or the evaluation.
func mustBeEqual(key string) bool {
	section, _, _ := strings.Cut(key, ".")
	return slices.Contains([]string{"dataset", "model", "preset", "name", "select", "seed",
		"device", "cuda", "eval", "data"}, section) && key != "data.resample"
}

// valueText returns the text of a YAML value, as --set accepts it.
func valueText(v any) (string, error) {
	if text, ok := v.(string); ok && text != "" {
		return text, nil
	}
	text, err := yaml.MarshalWithOptions(v, yaml.Flow(true))
	if v == nil || v == "" || err != nil {
		return "", fmt.Errorf("expected a value, found %v", v)
	}
	return strings.TrimSpace(string(text)), nil
}

// maxSize is the largest value that Size returns.
const maxSize = 1 << 53

// Size returns the number of combinations, at most 2⁵³.
func (g Grid) Size() int {
	size := 1
	for _, a := range g {
		if size > maxSize/len(a.Values) {
			return maxSize
		}
		size *= len(a.Values)
	}
	return size
}

// Draw returns n random combinations without replacement. They are the first n of a random
// permutation that depends on the seed only, so a larger n adds trials and keeps the earlier ones.
// It returns an error if n is not between 1 and Size.
func (g Grid) Draw(n int, seed uint64) ([]Trial, error) {
	size := g.Size()
	if n < 1 || n > size {
		return nil, fmt.Errorf(
			"sweep: expected from 1 to %d trials, the size of the grid, found %d", size, n,
		)
	}
	h := fnv.New64a()
	h.Write([]byte("trials"))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	// Fisher-Yates shuffle of 0, 1, 2, …; has only the elements that are not in their place
	swapped := map[int]int{}
	at := func(i int) int {
		if v, ok := swapped[i]; ok {
			return v
		}
		return i
	}
	var trials []Trial
	for i := range n {
		j := i + rng.IntN(size-i)
		index := at(j)
		swapped[j] = at(i)
		trials = append(trials, g.combination(index))
	}
	return trials, nil
}

// combination returns the combination with an index from 0 to Size-1. The index is a mixed-radix
// number with one digit per axis; the first axis has the lowest digit.
func (g Grid) combination(index int) Trial {
	t := Trial{}
	for _, a := range g {
		t[a.Key] = a.Values[index%len(a.Values)]
		index /= len(a.Values)
	}
	return t
}

// Filter returns a grid with the axes for whose keys keep returns true.
func (g Grid) Filter(keep func(key string) bool) Grid {
	return slices.DeleteFunc(slices.Clone(g), func(a Axis) bool { return !keep(a.Key) })
}
