package selfmm

import (
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes Self-MM.
var Spec = zoo.Spec{
	Name: "self-mm", Label: "Self-MM", Regression: true,
	Paper: "Yu, Xu, Yuan, Wu: Learning Modality-Specific Representations with Self-Supervised " +
		"Multi-Task Learning for Multimodal Sentiment Analysis, AAAI 2021",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{
		{Name: "fusion", Title: "|ŷ_m − Y_m|"}, {Name: "text", Title: "w_t·|ŷ_t − Y_t|"},
		{Name: "audio", Title: "w_a·|ŷ_a − Y_a|"},
		{Name: "vision", Title: "w_v·|ŷ_v − Y_v|"},
		{Name: "shift", Title: "|Y_x − Y_m|, how far labels have moved"},
	},
}

// Config holds the settings of Self-MM. YAML names are keys of `recap train --set`.
type Config struct {
	Text zoo.TextConfig `yaml:"text"`

	AudioWidth  int `yaml:"audio_width" range:"[1,)" help:"h_a, hidden width of the LSTM"`
	VisionWidth int `yaml:"vision_width" range:"[1,)" help:"h_v, hidden width of the LSTM"`
	// widths to which the LSTM's final states are projected
	AudioOut  int         `yaml:"audio_out" range:"[1,)" help:"o_a, width of the audio features"`
	VisionOut int         `yaml:"vision_out" range:"[1,)" help:"o_v, width of the vision features"`
	Heads     HeadsConfig `yaml:"heads"`
}

// HeadsConfig holds the settings of the four regression heads.
type HeadsConfig struct {
	Fusion HeadConfig `yaml:"fusion"`
	Text   HeadConfig `yaml:"text"`
	Audio  HeadConfig `yaml:"audio"`
	Vision HeadConfig `yaml:"vision"`
}

// HeadConfig holds the settings of one regression head.
type HeadConfig struct {
	Width   int     `yaml:"width" range:"[1,)" help:"D_x, width of the head's representation"`
	Dropout float64 `yaml:"dropout" range:"[0,1)" help:"dropout of the head's input"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error { return zoo.CheckConfig("self-mm", c) }

// preset returns the settings of MMSA's port, or small ones for "quick". The paper's own code has
// other settings for MOSI and MOSEI (docs/zoo.md).
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), AudioWidth: 16, VisionWidth: 32, AudioOut: 16,
		VisionOut: 32,
		Heads: HeadsConfig{Fusion: HeadConfig{128, 0}, Text: HeadConfig{32, 0.1},
			Audio: HeadConfig{16, 0.1}, Vision: HeadConfig{32, 0}}}
	t := zoo.Training{Batch: 16, Accumulate: 4, Optimizer: "adam", Schedule: "constant",
		LR: 1e-3, WeightDecay: 1e-3,
		Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-3},
			"audio":  {LR: 5e-3, WeightDecay: 1e-3},
			"vision": {LR: 5e-3, WeightDecay: 1e-3}},
		Patience: 8, Epochs: map[string]int{"train": 200}}
	switch {
	case name == "quick":
		c.Text = zoo.QuickText()
		t.Batch, t.Accumulate, t.Patience, t.Epochs["train"] = 32, 2, 0, 30
	case dataset == "mosei":
		c.Heads.Fusion.Dropout, c.Heads.Text.Dropout, c.Heads.Audio.Dropout = 0.1, 0, 0
		t.Batch, t.WeightDecay = 32, 1e-2
		t.Groups["audio"], t.Groups["vision"] = zoo.GroupTraining{LR: 5e-3},
			zoo.GroupTraining{LR: 1e-4}
	case dataset == "sims":
		c.VisionWidth, c.Heads.Text.Width = 64, 64
		t.Batch = 32
		t.Groups["audio"], t.Groups["vision"] = zoo.GroupTraining{LR: 5e-3,
			WeightDecay: 1e-2}, zoo.GroupTraining{LR: 5e-3, WeightDecay: 1e-2}
	}
	return c, t
}
