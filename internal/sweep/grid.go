package sweep

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// DefaultGrid is what is searched where no grid is given: about the defaults of the quick preset,
// a step either way.
const DefaultGrid = `train.lr:           [0.0003, 0.001, 0.003]
train.batch:        [32, 64]
train.weight_decay: [0, 0.0001, 0.01]
loss.fid:           [0.0001, 0.001, 0.01]
loss.rec:           [0.03, 0.1, 0.3]
loss.rank:          [0, 0.01, 0.1]
width:              [32, 64, 128]
`

// A Grid is a set of combinations: for each key, in order, one of its values.
type Grid []Axis

// An Axis is a setting and the values that it may have, as --set takes them.
type Axis struct {
	Key    string   `yaml:"key"`
	Values []string `yaml:"values"`
}

// A Trial is a combination: the values by key.
type Trial map[string]string

// ParseGrid reads a YAML map from keys to lists of values. name is said in errors.
func ParseGrid(name string, text []byte) (Grid, error) {
	bad := func(format string, args ...any) (Grid, error) {
		return nil, fmt.Errorf("sweep: %s: %s", name, fmt.Sprintf(format, args...))
	}
	var lists map[string][]any
	if err := yaml.Unmarshal(text, &lists); err != nil {
		return bad("expected a map from settings to lists, such as\n%sfound %v", DefaultGrid, err)
	}
	var g Grid
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		if fixed(key) {
			return bad("%s: expected settings that trials may differ in, found one that makes their scores incomparable; give it as a flag or with --set", key)
		}
		axis := Axis{Key: key}
		for _, v := range lists[key] {
			value, err := valueText(v)
			if err != nil {
				return bad("%s: %v", key, err)
			}
			if slices.Contains(axis.Values, value) {
				return bad("%s: expected each value once, found %s twice", key, value)
			}
			axis.Values = append(axis.Values, value)
		}
		if axis.Values == nil {
			return bad("%s: expected a list of values, found none", key)
		}
		g = append(g, axis)
	}
	if g == nil {
		return bad("expected a map from settings to lists, found nothing")
	}
	return g, nil
}

// fixed tells whether a setting has to be the same in all trials: what is learned from and how it
// is scored.
func fixed(key string) bool {
	section, _, _ := strings.Cut(key, ".")
	return slices.Contains([]string{"dataset", "model", "preset", "name", "select", "seed", "device", "cuda", "eval", "data"}, section) && key != "data.resample"
}

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

// most is the largest size of a grid that is counted.
const most = 1 << 53

// Size returns the number of combinations, at most 2⁵³.
func (g Grid) Size() int {
	size := 1
	for _, a := range g {
		if size > most/len(a.Values) {
			return most
		}
		size *= len(a.Values)
	}
	return size
}

// Draw returns n different combinations, the first of a permutation of all that the seed gives:
// more trials begin with the same.
func (g Grid) Draw(n int, seed uint64) ([]Trial, error) {
	size := g.Size()
	if n < 1 || n > size {
		return nil, fmt.Errorf("sweep: expected from 1 to %d trials, all that the grid has, found %d", size, n)
	}
	h := fnv.New64a()
	h.Write([]byte("trials"))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	moved := map[int]int{} // Fisher and Yates' shuffle of 0, 1, 2, …, of which only what differs is written down
	at := func(i int) int {
		if v, ok := moved[i]; ok {
			return v
		}
		return i
	}
	var trials []Trial
	for i := range n {
		j := i + rng.IntN(size-i)
		chosen := at(j)
		moved[j] = at(i)
		trials = append(trials, g.combination(chosen))
	}
	return trials, nil
}

// combination returns that of a number, whose digits are the values' numbers, the first key's the
// lowest.
func (g Grid) combination(number int) Trial {
	t := Trial{}
	for _, a := range g {
		t[a.Key] = a.Values[number%len(a.Values)]
		number /= len(a.Values)
	}
	return t
}

// Only returns the axes of the grid whose keys are wanted.
func (g Grid) Only(wanted func(key string) bool) Grid {
	return slices.DeleteFunc(slices.Clone(g), func(a Axis) bool { return !wanted(a.Key) })
}
