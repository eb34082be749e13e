package zoo

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type inner struct {
	Rate float64 `yaml:"rate" range:"(0,1]" help:"a rate"`
}

type outer struct {
	Kind   string           `yaml:"kind" values:"a,b" help:"a kind"`
	Count  int              `yaml:"count" range:"[2,)" help:"a count" older:"3"`
	Part   float64          `yaml:"part" range:"[0,1)" help:"a part"`
	Groups map[string]inner `yaml:"groups"`
	Steps  map[string]int   `yaml:"steps" range:"[1,5]" help:"steps"`
	Free   [2]float64       `yaml:"free" help:"no limits"`
	Any    any              `yaml:",inline"`
}

func valid() *outer {
	return &outer{Kind: "a", Count: 2, Groups: map[string]inner{"y": {1}, "x": {0.5}},
		Steps: map[string]int{"one": 1}, Any: &inner{Rate: 1}}
}

// TestSettings checks keys, the keys of maps, meanings, and that Store changes elements of maps.
func TestSettings(t *testing.T) {
	c := valid()
	var got []string
	for _, s := range Settings(c) {
		got = append(got, fmt.Sprintf("%s %s %s %s%s", s.Key, s.Map, s.Help, s.Expected(), s.Older))
	}
	want := []string{
		"kind  a kind one of a, b", "count  a count 2 or more3", "part  a part 0 or more, below 1",
		"groups.x.rate  a rate a number above 0, at most 1",
		"groups.y.rate  a rate a number above 0, at most 1",
		"steps.one steps steps a number from 1 to 5", "free  no limits a list of 2 numbers",
		"rate  a rate a number above 0, at most 1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, s := range Settings(c) {
		switch s.Key {
		case "groups.x.rate":
			s.Value.SetFloat(0.25)
		case "steps.one":
			s.Value.SetInt(4)
		}
		s.Store()
	}
	if c.Groups["x"].Rate != 0.25 || c.Steps["one"] != 4 || c.Groups["y"].Rate != 1 {
		t.Errorf("after a change of groups.x.rate and steps.one: %+v", c)
	}
}

// TestCheckSettings has values inside, at and outside the ends of ranges.
func TestCheckSettings(t *testing.T) {
	for _, x := range []struct {
		change func(c *outer)
		want   string // the error, or empty
	}{
		{func(c *outer) {}, ""},
		{func(c *outer) { c.Kind = "c" }, "kind is c, want one of a, b"},
		{func(c *outer) { c.Count = 1 }, "count is 1, want 2 or more"},
		{func(c *outer) { c.Count = math.MaxInt }, ""},
		{func(c *outer) { c.Part = 1 }, "part is 1, want 0 or more, below 1"},
		{func(c *outer) { c.Part = math.NaN() }, "part is NaN, want 0 or more, below 1"},
		{func(c *outer) { c.Groups["x"] = inner{0} },
			"groups.x.rate is 0, want a number above 0, at most 1"},
		{func(c *outer) { c.Steps["one"] = 5 }, ""},
		{func(c *outer) { c.Steps["one"] = 6 }, "steps.one is 6, want a number from 1 to 5"},
		{func(c *outer) { c.Any = &inner{2} }, "rate is 2, want a number above 0, at most 1"},
	} {
		c := valid()
		x.change(c)
		if err := CheckSettings(c); (err == nil) != (x.want == "") ||
			err != nil && err.Error() != x.want {
			t.Errorf("error %v, want %q", err, x.want)
		}
	}
}

// TestTypeName has the words for a value that is not of the setting's type.
func TestTypeName(t *testing.T) {
	for want, value := range map[string]any{"true or false": true, "text": "",
		"a whole number, 0 or more": uint64(0), "a whole number": 0, "a number": 0.5,
		"a list of numbers": []float64{}, "a list of whole numbers": []int{},
		"a list of 2 numbers": [2]float64{}, "a list of 3 whole numbers": [3]int{}} {
		if got := TypeName(reflect.TypeOf(value)); got != want {
			t.Errorf("%T: %q, want %q", value, got, want)
		}
	}
}

// TestMalformedRangesPanic has tags that are not intervals.
func TestMalformedRangesPanic(t *testing.T) {
	for _, config := range []any{
		&struct {
			X int `yaml:"x" range:"one"`
		}{},
		&struct {
			X int `yaml:"x" range:"[1,two]"`
		}{},
		&struct {
			X int `yaml:"x" range:"[one,2]"`
		}{},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, "zoo: x: tag range: ") {
					t.Errorf("%+v: panic %q", config, got)
				}
			}()
			CheckSettings(config)
		}()
	}
}

// A testConfig is the configuration of a model with one setting.
type testConfig struct {
	Text  TextConfig `yaml:"text"`
	Count int        `yaml:"count" range:"[2,)"`
}

func (c *testConfig) Check() error             { return CheckConfig("model", c) }
func (c *testConfig) TextEncoder() *TextConfig { return &c.Text }

// TestCheckConfig has errors of the settings alone, of the text encoder, and of both.
func TestCheckConfig(t *testing.T) {
	odd := QuickText()
	odd.Heads = 3
	for want, c := range map[string]*testConfig{
		"<nil>":                             {QuickText(), 2},
		"model: count is 1, want 2 or more": {odd, 1},
		"model: text.width 64 does not divide into text.heads 3": {odd, 2},
	} {
		if got := fmt.Sprint(c.Check()); got != want {
			t.Errorf("error %s, want %s", got, want)
		}
	}
}

// TestUnboundedRangeExcludesInfinity checks that a range without an end has no infinite values.
func TestUnboundedRangeExcludesInfinity(t *testing.T) {
	c := Training{LR: math.Inf(1)}
	for _, s := range Settings(&c) {
		if s.Key == "lr" && s.Valid() {
			t.Error("lr: +Inf is valid")
		}
	}
}

func TestVariantsOfASpec(t *testing.T) {
	s := &Spec{Label: "Model", Variants: []Variant{{Name: "none", Label: "w/o all"}}}
	for name, want := range map[string]string{"full": "Model", "none": "w/o all", "other": ""} {
		if v, ok := s.Variant(name); v.Label != want || ok != (want != "") {
			t.Errorf("variant %s: %q, %v", name, v.Label, ok)
		}
	}
	var names []string
	for _, v := range s.AllVariants() {
		names = append(names, v.Name)
	}
	if want := []string{"full", "none"}; !slices.Equal(names, want) {
		t.Errorf("variants %v, want %v", names, want)
	}
}

func TestNoteOfASpec(t *testing.T) {
	s := &Spec{Label: "Model", Paper: "Paper"}
	if got := s.Note(); got != "" {
		t.Errorf("the model of the paper has the note %q", got)
	}
	s.Adaptation = "half as wide"
	if got, want := s.Note(), "Model: half as wide"; got != want {
		t.Errorf("note %q, want %q", got, want)
	}
}

// TestProtocolTraining has the settings of LNLN's code, and those of the preset "quick".
func TestProtocolTraining(t *testing.T) {
	want := Training{Batch: 64, Accumulate: 1, Optimizer: "adamw", Schedule: "cosine", LR: 1e-4,
		WeightDecay: 1e-4, Groups: map[string]GroupTraining{"text": {1e-4, 1e-4}},
		Epochs: map[string]int{"train": 200}}
	if got := ProtocolTraining("paper"); !reflect.DeepEqual(got, want) {
		t.Errorf("paper: %+v, want %+v", got, want)
	}
	want.Schedule, want.LR = "cosine-positive", 1e-3
	want.Groups = map[string]GroupTraining{"text": {5e-5, 1e-4}}
	want.Epochs = map[string]int{"train": 30}
	if got := ProtocolTraining("quick"); !reflect.DeepEqual(got, want) {
		t.Errorf("quick: %+v, want %+v", got, want)
	}
}
