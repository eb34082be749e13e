package mmim

import (
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes MMIM.
var Spec = zoo.Spec{
	Name: "mmim", Label: "MMIM", Regression: true,
	Paper: "Han, Chen, Poria: Improving Multimodal Fusion with Hierarchical Mutual Information " +
		"Maximization for Multimodal Sentiment Analysis, EMNLP 2021",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{
		{Name: "task", Title: "|ŷ − y|"},
		{Name: "nce", Title: "L_nce, contrast of x_m and F", Unit: "nats"},
		{Name: "lld", Title: "ln q(x_m|x_l)", Unit: "nats"},
		{Name: "entropy", Title: "H(x_m)", Unit: "nats"},
		{Name: "fit", Title: "ln q(x_m|x_l) in the first pass", Unit: "nats"},
	},
}

// Config holds the settings of MMIM. YAML names are keys of `recap train --set`.
type Config struct {
	Text zoo.TextConfig `yaml:"text"`

	AudioWidth  int `yaml:"audio_width" range:"[1,)" help:"hidden width of a direction of the LSTM"`
	VisionWidth int `yaml:"vision_width" range:"[1,)" help:"hidden width of a direction"`
	// a quarter of it is the width of the samples for the entropy
	AudioOut  int `yaml:"audio_out" range:"[4,)" help:"width of x_a"`
	VisionOut int `yaml:"vision_out" range:"[4,)" help:"width of x_v"`

	Fusion  int     `yaml:"fusion" range:"[1,)" help:"width of F, the fusion of the modalities"`
	Dropout float64 `yaml:"dropout" range:"[0,1)" help:"dropout of the fusion's input"`
	// of each epoch
	PredictorShare float64 `yaml:"predictor_share" range:"(0,1]" help:"part of the first pass used"`

	Loss LossConfig `yaml:"loss"`
}

// LossConfig holds the weights of the loss terms; the weight of the task's is 1.
type LossConfig struct {
	Contrast    float64 `yaml:"nce" help:"α, weight of L_nce"`
	Information float64 `yaml:"mi" help:"β, weight of the bounds of I(x_l; x_a) and I(x_l; x_v)"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error { return zoo.CheckConfig("mmim", c) }

// preset returns the settings of MMSA's port, which are the same for MOSI, MOSEI and SIMS, or small
// ones for "quick". MMSA has no limit of epochs; 200 is chosen here.
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), AudioWidth: 16, VisionWidth: 16, AudioOut: 16,
		VisionOut: 16, Fusion: 128, Dropout: 0.1, PredictorShare: 1,
		Loss: LossConfig{Contrast: 0.1, Information: 0.1}}
	t := zoo.Training{Batch: 32, Accumulate: 1, Optimizer: "adam", Schedule: "constant",
		LR: 1e-3, WeightDecay: 1e-4,
		Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-4},
			"predictors": {LR: 1e-3, WeightDecay: 1e-4}},
		Clip: 1, Patience: 8, Epochs: map[string]int{"train": 200}}
	switch {
	case name == "quick":
		c.Text, t.Patience, t.Epochs["train"] = zoo.QuickText(), 0, 30
	case dataset == "mosei":
		c.PredictorShare = 0.5
	}
	return c, t
}
