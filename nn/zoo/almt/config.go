package almt

import (
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes ALMT.
var Spec = zoo.Spec{
	Name: "almt", Label: "ALMT",
	Paper: "Zhang, Wang, Yin, Liu, Liu, Yu: Learning Language-guided Adaptive Hyper-modality " +
		"Representation for Multimodal Sentiment Analysis, EMNLP 2023",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{{Name: "task", Title: "L_task"}},
}

// Config holds the settings of ALMT. YAML names are keys of `recap train --set`.
type Config struct {
	Text zoo.TextConfig `yaml:"text"`

	Width     int `yaml:"width" range:"[1,)" help:"d, of every representation"`
	Tokens    int `yaml:"tokens" range:"[1,)" help:"n, learned tokens that represent a modality"`
	Heads     int `yaml:"heads" range:"[1,)" help:"attention heads of every layer"`
	HeadWidth int `yaml:"head_width" range:"[1,)" help:"width of one head of the Transformers"`
	// of the hyper-modality's layers
	HyperHeadWidth int `yaml:"hyper_head_width" range:"[1,)" help:"one head of the hyper-modality"`
	FeedForward    int `yaml:"feed_forward" range:"[1,)" help:"hidden width of feed-forward parts"`

	Depth int `yaml:"depth" range:"[1,100]" help:"layers of the embeddings"`
	// the encoder of language has one less
	HyperDepth  int `yaml:"hyper_depth" range:"[1,100]" help:"layers of the hyper-modality"`
	FusionDepth int `yaml:"fusion_depth" range:"[1,100]" help:"layers of the cross attention"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error { return zoo.CheckConfig("almt", c) }

// transformer returns the sizes of a Transformer.
func (c *Config) transformer(depth int) nn.TransformerConfig {
	return nn.TransformerConfig{Width: c.Width, Heads: c.Heads, HeadWidth: c.HeadWidth,
		FeedForward: c.FeedForward, Depth: depth}
}

// preset returns the settings of the authors' code, or small ones for "quick".
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64,
		HyperHeadWidth: 16, FeedForward: 128, Depth: 1, HyperDepth: 3, FusionDepth: 2}
	switch {
	case name == "quick":
		c.Text, c.Width, c.Heads, c.HeadWidth, c.FeedForward = zoo.QuickText(), 64, 4, 16, 64
	case dataset == "mosei", dataset == "sims":
		c.FusionDepth = 4
	}
	return c, zoo.ProtocolTraining(name)
}
