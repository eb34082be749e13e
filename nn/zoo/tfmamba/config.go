package tfmamba

import (
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes TF-Mamba.
var Spec = zoo.Spec{
	Name: "tf-mamba", Label: "TF-Mamba",
	Paper: "Li, Cheng, Miao, Zhang, Li: TF-Mamba: Text-enhanced Fusion Mamba with Missing " +
		"Modalities for Robust Multimodal Sentiment Analysis, Findings of EMNLP 2025",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{{Name: "sp", Title: "L_sp, sentiment"},
		{Name: "rec", Title: "L_rec, missing words"}},
}

// Config holds the settings of TF-Mamba. YAML names are keys of `recap train --set`.
type Config struct {
	Width     int `yaml:"width" range:"[1,)" help:"d, of every representation"`
	Expand    int `yaml:"expand" range:"[1,)" help:"E: a Mamba layer computes in E·d channels"`
	State     int `yaml:"state" range:"[1,)" help:"N, states of a channel"`
	Heads     int `yaml:"heads" range:"[1,)" help:"heads of the attention of text to frames"`
	HeadWidth int `yaml:"head_width" range:"[1,)" help:"width of one head"`
	// of TC-Mamba and of TQ-Mamba
	ContextLayers int `yaml:"context_layers" range:"[1,100]" help:"layers on pairs with text"`
	QueryLayers   int `yaml:"query_layers" range:"[1,100]" help:"layers after the attention"`
	// of the decoder of missing words, the only one outside the text encoder
	Dropout float64 `yaml:"dropout" range:"[0,1)" help:"dropout of the decoder of missing words"`

	Text zoo.TextConfig `yaml:"text"`
	Loss LossConfig     `yaml:"loss"`
}

// LossConfig holds the weight of the second loss term. That of the first is 1.
type LossConfig struct {
	Reconstruction float64 `yaml:"rec" help:"α, weight of L_rec, missing words"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error { return zoo.CheckConfig("tf-mamba", c) }

// WarnDims warns of audio and vision of one frame in each utterance.
func (c *Config) WarnDims(d *zoo.Dims) string {
	return d.WarnOneFrame("the same at every word, so its aligner learns nothing")
}

// mamba returns the sizes of a Mamba layer.
func (c *Config) mamba() nn.MambaConfig {
	return nn.MambaConfig{Width: c.Width, Expand: c.Expand, State: c.State, Bidirectional: true}
}

// preset returns the settings of the authors' code, or small ones for "quick".
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Width: 128, Expand: 4, State: 12, Heads: 8, HeadWidth: 64, ContextLayers: 1,
		QueryLayers: 1, Dropout: 0.1, Text: zoo.PaperText(), Loss: LossConfig{Reconstruction: 0.7}}
	switch {
	case name == "quick":
		c.Width, c.Expand, c.State, c.Heads, c.HeadWidth, c.Text = 64, 2, 8, 4, 16, zoo.QuickText()
	case dataset == "mosei":
		c.State, c.QueryLayers, c.Dropout, c.Loss.Reconstruction = 16, 2, 0.2, 0.3
	case dataset == "sims":
		c.Expand, c.State, c.QueryLayers = 2, 16, 2
		c.Dropout, c.Loss.Reconstruction = 0.2, 1
	}
	return c, zoo.ProtocolTraining(name)
}
