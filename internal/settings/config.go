package settings

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/backend"
	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Config is the configuration of a run. It determines the run completely. The YAML names are the
// keys that `recap train --set` accepts; [zoo.Setting] explains the other tags.
type Config struct {
	Dataset string `yaml:"dataset" help:"generated data set, or the name of that in data.file"`
	Model   string `yaml:"model" help:"model to train"`
	// applied after all other settings
	Variant string `yaml:"variant" help:"named change of the model, such as an ablation"`
	Preset  string `yaml:"preset" help:"selects the defaults of all settings"`
	// if it is empty, the variant is the name, with a number if that directory exists
	Name   string `yaml:"name" help:"name of the run directory; empty: the variant's"`
	Select string `yaml:"select" values:"valid,per-metric-test" help:"selection of the checkpoint"`
	Device string `yaml:"device" help:"device that computes"`
	Seed   uint64 `yaml:"seed" help:"random seed"`

	Data  DataConfig   `yaml:"data"`
	Train zoo.Training `yaml:"train"`
	Eval  EvalConfig   `yaml:"eval"`
	CUDA  CUDAConfig   `yaml:"cuda"`

	Method zoo.Config `yaml:",inline"` // the model's configuration
}

// DataConfig selects the data set and the utterances and labels that are used.
type DataConfig struct {
	File   string `yaml:"file" help:"feature file, MMSA's or packed; empty: generated data"`
	Text   string `yaml:"text" help:"file whose text_bert replaces that of data.file"`
	Audio  string `yaml:"audio" help:"file whose audio features replace those of data.file"`
	Vision string `yaml:"vision" help:"file whose vision features replace those of data.file"`

	Labels  float64 `yaml:"labels" range:"(0,1]" help:"fraction of the training labels to use"`
	Classes int     `yaml:"classes" values:"0,2,3,5,7" help:"number of classes; 0: regression"`
	// epoch: for each epoch; static: once
	Resample string `yaml:"resample" values:"epoch,static" help:"how often keep masks are drawn"`

	Scale float64 `yaml:"scale" range:"(0,100]" help:"factor of generated sequences' lengths"`
	Limit int     `yaml:"limit" range:"[0,)" help:"utterances used of each split; 0: all"`
	// for small sets: see datasets.Set.Resplit
	Resplit Resplit `yaml:"resplit" older:"0" help:"seed of new splits by video"`
}

// EvalConfig selects the missing rates of validation and test.
type EvalConfig struct {
	ValidRate float64 `yaml:"valid_rate" range:"[0,1]" help:"missing rate of the validation"`
	Rates     string  `yaml:"rates" help:"missing rates of the test"` // for [ParseRates]
	// valid: for choices between settings, so that the test split is read only for the last
	Split string `yaml:"split" values:"test,valid" older:"test" help:"split of the final test"`
}

// CUDAConfig selects the arithmetic of a GPU.
type CUDAConfig struct {
	// rounds inputs to ten bits of mantissa
	TF32 bool `yaml:"tf32" help:"compute matrix products on tensor cores"`
}

// DeviceName returns the name of the device for [backend.Open]. The name includes whether the
// device uses TF32. If c.Device is not a valid name, DeviceName returns c.Device.
func (c *Config) DeviceName() string {
	name, err := backend.Parse(c.Device)
	if err != nil {
		return c.Device // [backend.Open] reports the error
	}
	name.TF32 = c.CUDA.TF32
	return name.String()
}

// Methods of checkpoint selection, the values of Config.Select.
const (
	SelectValid = "valid" // the best epoch on the validation split
	// the best epoch on the test split, selected for each metric: optimistic, as in the literature
	SelectTest = "per-metric-test"
)

// Splits on which a trained model is tested, the values of EvalConfig.Split.
const (
	TestSplit  = "test"
	ValidSplit = "valid"
)

// Moments of the optimiser, the values of zoo.Training.Moments.
const (
	FullMoments = "full"
	// of parameters with two or more axes 2 bytes instead of 8: see [optim.NewCompactAdam]
	CompactMoments = "compact"
)

// Spec returns the specification of the model, or nil if no model has the name c.Model.
func (c *Config) Spec() *zoo.Spec { return models.Find(c.Model) }

// Presets are the names of the presets.
var Presets = []string{"quick", "paper"}

// Preset returns the default configuration of a model. The preset "paper" has the values of the
// model's paper for the data set; the preset "quick" trains in minutes on a CPU. Preset returns an
// error if the preset or the model is unknown.
func Preset(name, model, dataset string) (Config, error) {
	c := Config{
		Dataset: dataset, Model: model, Variant: "full", Preset: name, Select: SelectValid,
		Device: "cpu", Seed: 1111,
		Data: DataConfig{Labels: 1, Resample: "epoch", Scale: 1, Resplit: "0"},
		Eval: EvalConfig{ValidRate: 0.5, Rates: "0:0.9:0.1", Split: TestSplit},
	}
	spec := c.Spec()
	switch {
	case spec == nil:
		return c, invalidName("model", models.Names(), model)
	case !slices.Contains(Presets, name):
		return c, invalidName("preset", Presets, name)
	}
	c.Method, c.Train = spec.Preset(name, dataset)
	c.Train.Moments = FullMoments
	return c, nil
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// check returns an error for the first key with an invalid value. Rules between settings of the
// model are left to its own Check.
func (c *Config) check() error {
	for _, f := range []struct{ key, value string }{{"dataset", c.Dataset}, {"name", c.Name}} {
		if f.value != "" && !plainName.MatchString(f.value) {
			return Invalid(f.key, names, f.value)
		}
	}
	if !slices.Contains(c.Variants(), c.Variant) {
		return invalidName("variant", c.Variants(), c.Variant)
	}
	for _, s := range zoo.Settings(c) {
		if !s.Valid() {
			return Invalid(s.Key, s.Expected(), s.Value)
		}
	}
	name, err := backend.Parse(c.Device)
	if err := checkRules([]rule{
		{"data.classes", c.Data.Classes == 0 || c.Select == SelectValid,
			"0 with per-metric-test, which selects by metrics of regression", c.Data.Classes},
		{"data.classes", c.Data.Classes == 0 || !c.Spec().Regression,
			"0 with model " + c.Model + ", which supports only regression", c.Data.Classes},
		{"eval.split", c.Eval.Split == TestSplit || c.Select == SelectValid,
			"test with per-metric-test, which selects on it", c.Eval.Split},
		{"data.resplit", c.Data.Resplit.valid(), resplits, c.Data.Resplit},
		{"device", err == nil && !name.TF32, devices, c.Device},
		{"cuda.tf32", !c.CUDA.TF32 || name.Kind == "cuda", "false with device " + c.Device,
			c.CUDA.TF32},
	}); err != nil {
		return err
	}
	_, err = ParseRates(c.Eval.Rates)
	return err
}

// A rule is the result of checking the value of a key.
type rule struct {
	key      string
	valid    bool
	expected string // the valid values
	value    any
}

// checkRules returns the error of the first violated rule, or nil if all values are valid.
func checkRules(rules []rule) error {
	for _, r := range rules {
		if !r.valid {
			return Invalid(r.key, r.expected, r.value)
		}
	}
	return nil
}

// Invalid returns an error for a key with an invalid value. expected describes the valid values.
func Invalid(key, expected string, found any) error {
	return fmt.Errorf("settings: %s: expected %s, found %v", key, expected, found)
}

// invalidName returns an error for a key whose value is not one of the known names.
func invalidName(key string, known []string, found string) error {
	return fmt.Errorf("settings: %s: expected one of %s, found %s%s", key,
		strings.Join(known, ", "), found, DidYouMean(found, known))
}

// SelectedVariant returns the variant with the name c.Variant. c must be a configuration that
// [Resolve] or [Parse] returned.
func (c *Config) SelectedVariant() zoo.Variant {
	v, _ := c.Spec().Variant(c.Variant)
	return v
}

// Variants returns the names of all variants of the model. It panics if the model is unknown.
func (c *Config) Variants() []string {
	var names []string
	for _, v := range c.Spec().AllVariants() {
		names = append(names, v.Name)
	}
	return names
}

// ParseRates parses missing rates. s is either first:last:step, such as "0:0.9:0.1" for ten rates,
// none above last, or a list of numbers with commas between them. ParseRates returns an error if
// the rates are not increasing numbers from 0 to 1.
func ParseRates(s string) ([]float64, error) {
	invalid := func() ([]float64, error) {
		return nil, Invalid("rates", rateLists, strconv.Quote(s))
	}
	var rates []float64
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ':' }) {
		r, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return invalid()
		}
		rates = append(rates, r)
	}
	if strings.Contains(s, ":") {
		if len(rates) != 3 || strings.Contains(s, ",") || !(rates[2] >= 1e-3) || !(rates[1] <= 1) {
			return invalid()
		}
		first, last, step := rates[0], rates[1], rates[2]
		rates = nil
		for i := 0; first+float64(i)*step < last+step*1e-6; i++ {
			// 0.3, not 0.30000000000000004
			rates = append(rates, math.Round((first+float64(i)*step)*1e9)/1e9)
		}
	}
	for i, r := range rates {
		if !(r >= 0 && r <= 1) || i > 0 && !(r > rates[i-1]) {
			return invalid()
		}
	}
	if len(rates) == 0 {
		return invalid()
	}
	return rates, nil
}

// Selection returns a description of the checkpoint selection for the caption of a table.
func (c *Config) Selection() string {
	score := "MAE"
	if c.Data.Classes > 0 {
		score = "cross-entropy"
	}
	if c.Select == SelectTest {
		return fmt.Sprintf(
			"selected per metric on TEST at rate %g: optimistic, as in the literature",
			c.Eval.ValidRate,
		)
	}
	text := fmt.Sprintf("selected by validation %s at rate %g", score, c.Eval.ValidRate)
	if c.Eval.Split != TestSplit {
		text += ", and TESTED on the validation split, for choices only"
	}
	return text
}

// MoveTo sets the device of the run to name, in the format of [backend.Parse]. The setting for
// TF32 is kept if the new device is a GPU. An empty name changes nothing.
func (c *Config) MoveTo(name string) {
	if name == "" {
		return
	}
	c.Device = name
	if n, err := backend.Parse(name); err == nil {
		c.CUDA.TF32 = n.TF32 || c.CUDA.TF32 && n.Kind == "cuda"
		n.TF32 = false
		c.Device = n.String()
	}
}

// PlainName reports whether name is valid as the name of a run: it consists of letters, digits,
// '.', '_' and '-', and begins with a letter or a digit.
func PlainName(name string) bool { return plainName.MatchString(name) }
