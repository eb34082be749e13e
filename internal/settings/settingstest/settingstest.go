// Package settingstest has a small model, called toy, and its configuration. The tests of packages
// that train and compare models use them. The package adds the toy to [models.All].
package settingstest

import (
	"maps"
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// config holds the settings of the toy. Sizes and Weights have no effect; they test settings of
// slice and array type.
type config struct {
	Text    zoo.TextConfig `yaml:"text"`
	Dropout float64        `yaml:"dropout" range:"[0,1)" help:"of the mean frames in stage 1"`
	// first step of stage 2, counted from 1, in which the loss is NaN; 0: no loss is NaN
	NaNFrom int        `yaml:"nan_from" range:"[0,)" help:"first step without a loss"`
	Sizes   []int      `yaml:"sizes" help:"no effect"`
	Weights [3]float64 `yaml:"weights" help:"no effect"`
}

// TextEncoder returns the settings of the text encoder, which the toy does not have.
func (c *config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error if a setting has an invalid value.
func (c *config) Check() error { return zoo.CheckSettings(c) }

// WarnDims warns of audio and vision of one frame in each utterance.
func (c *config) WarnDims(d *zoo.Dims) string { return d.WarnOneFrame("a toy") }

// spec is the specification of the toy. Its two presets are equal.
var spec = zoo.Spec{Name: "toy", Label: "toy", Preset: preset, New: newToy,
	Variants: []zoo.Variant{{Name: "no-dropout", Label: "w/o dropout", Apply: func(c zoo.Config) {
		c.(*config).Dropout = 0
	}}},
	Terms: []zoo.TermTitle{{Name: "task", Title: "task"}, {Name: "rec", Title: "reconstruction"},
		{Name: "size", Title: "mean square"}}}

func preset(string, string) (zoo.Config, zoo.Training) {
	return &config{Text: zoo.QuickText(), Dropout: 0.1, Sizes: []int{8, 4}}, zoo.Training{
		Batch: 64, Accumulate: 1, Optimizer: "adamw", Schedule: "cosine", LR: 1e-3,
		WeightDecay: 1e-4,
		Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5}, "audio": {LR: 1e-3},
			"head": {LR: 1e-3}},
		Epochs: map[string]int{"stage1": 5, "stage2": 25}}
}

// A toy predicts the label from the mean of the audio frames. Its first phase, which uses no
// labels, trains it to reconstruct the mean of the complete frames from the mean of the corrupted
// frames.
type toy struct {
	config      *config
	p           *nn.Params
	audio, head *nn.Linear
	steps       int // number of steps of stage 2
}

func newToy(p *nn.Params, c zoo.Config, d zoo.Dims) zoo.Model {
	m := &toy{config: c.(*config), p: p, audio: nn.NewLinear(p.Sub("audio"), d.AudioD, d.AudioD),
		head: nn.NewLinear(p.Sub("head"), d.AudioD, 1)}
	if d.Classes > 0 {
		m.head = nn.NewLinear(p.Sub("classes"), d.AudioD, d.Classes)
	}
	return m
}

func (m *toy) Phases() []zoo.Phase {
	return []zoo.Phase{
		{Name: "stage1", NeedsComplete: true, MinBatch: 8, Snapshot: m.p.Sub("audio").All(),
			Passes: []zoo.Pass{{Params: m.p.Sub("audio").All(), Terms: m.reconstruct}},
			Warn:   func(first, last map[string]float64) string { return "warned" }},
		{Name: "stage2", Supervised: true,
			Passes: []zoo.Pass{{Params: m.p.All(), Terms: m.predict}}},
	}
}

func (m *toy) PredictParams() []nn.Param     { return m.p.All() }
func (m *toy) TextEncoder() *zoo.TextEncoder { return nil }

func (m *toy) reconstruct(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	x := tp.Dropout(tp.Mean(b.Corrupted.Audio, 1), m.config.Dropout)
	return []zoo.Term{
		{Name: "rec", Weight: 0.5,
			Loss: tp.MSE(m.audio.Forward(tp, x), tp.Mean(b.Complete.Audio, 1))},
		{Name: "size", Loss: tp.Mean(tp.Mul(x, x))},
	}, nil
}

func (m *toy) predict(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	m.steps++
	y := m.Predict(tp, b.Corrupted).Score
	var loss *ag.Tensor
	if len(y.Shape()) > 1 {
		loss = tp.CrossEntropy(y, b.Class)
	} else {
		loss = tp.MSE(y, b.Label)
	}
	if first := m.config.NaNFrom; first > 0 && m.steps >= first {
		loss = tp.Scale(loss, math.NaN())
	}
	return []zoo.Term{{Name: "task", Weight: 1, Loss: loss}}, nil
}

func (m *toy) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	x := m.audio.Forward(tp, tp.Mean(in.Audio, 1))
	y := m.head.Forward(tp, x)
	if y.Shape()[1] == 1 {
		y = tp.Reshape(y, -1)
	}
	return zoo.Output{Score: y, Weight: tp.Softmax(tp.Slice(x, 1, 0, zoo.Modalities), nil)}
}

// Baselines are the specifications of the models in nn/zoo.
var Baselines = slices.Clone(models.All[1:])

func init() {
	models.All = append(models.All, spec)
	settings.Generators["synthetic"] = fewUtterances
}

// fewUtterances returns the configuration of the synthetic set with a tenth of the utterances,
// since each of many runs generates it again.
func fewUtterances() datasets.SyntheticConfig {
	c := datasets.DefaultSynthetic()
	c.Train, c.Valid, c.Test = 100, 40, 50
	return c
}

// Resolved returns a small configuration for tests, by default of the toy, in which the keys in
// set have the given values. It fails the test if a value is invalid.
func Resolved(t *testing.T, set map[string]string) settings.Config {
	t.Helper()
	all := map[string]string{"model": "toy", "data.limit": "40", "data.scale": "0.2",
		"train.batch": "16", "train.lr": "0.05", "eval.rates": "0,0.5"}
	if model := set["model"]; model == "" || model == "toy" || model == "recap" {
		all["train.epochs.stage1"], all["train.epochs.stage2"] = "2", "3"
	}
	maps.Copy(all, set)
	c, err := settings.Resolve(settings.Sources{Set: all})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Small returns settings of a model with which a step takes milliseconds, and a state is small.
func Small(t *testing.T, model string) map[string]string {
	t.Helper()
	c, err := settings.Preset("quick", model, "")
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{"width": "8", "tokens": "2", "heads": "2", "head_width": "4",
		"feed_forward": "8", "granularities": "[2]", "critic.width": "8",
		"text.width": "8", "text.feed_forward": "8", "text.heads": "2"}
	maps.DeleteFunc(set, func(key, _ string) bool { return !c.Has(key) })
	set["model"] = model
	return set
}
