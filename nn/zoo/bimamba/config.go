package bimamba

import (
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes our adaptation of BI-Mamba.
var Spec = zoo.Spec{
	Name: "bi-mamba", Label: "BI-Mamba, our adaptation",
	Paper: "Yang, Zhang, Wang, Kalra, Yan: Cardiovascular Disease Detection from Multi-View " +
		"Chest X-rays with BI-Mamba, MICCAI 2024",
	Adaptation: "The paper's model classifies X-ray images. RECAP's paper has a row of BI-Mamba " +
		"and does not say how text, audio and vision enter it. In ours they take the place of " +
		"the views of an image, so its scores are not those of that row.",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{{Name: "task", Title: "sentiment"}},
}

// Config holds the settings of BI-Mamba. YAML names are keys of `recap train --set`.
type Config struct {
	Text zoo.TextConfig `yaml:"text"`

	Tokens int         `yaml:"tokens" range:"[0,)" help:"of a modality; 0: its whole sequence"`
	Embed  EmbedConfig `yaml:"embed"`

	Width  int `yaml:"width" range:"[1,)" help:"d, of every step of the sequence"`
	Blocks int `yaml:"blocks" range:"[1,100]" help:"bidirectional Mamba blocks"`
	Expand int `yaml:"expand" range:"[1,)" help:"E: a Mamba layer computes in E·d channels"`
	State  int `yaml:"state" range:"[1,)" help:"N, states of a channel"`

	// false: on all parameters, as the protocol of the paper's tables has it
	VimDecay bool `yaml:"vim_decay" help:"no weight decay of vectors, positions and class token"`
}

// EmbedConfig holds the sizes of the Transformers that represent each modality by tokens.
type EmbedConfig struct {
	Heads       int `yaml:"heads" range:"[1,)" help:"attention heads of each layer"`
	HeadWidth   int `yaml:"head_width" range:"[1,)" help:"width of one head"`
	FeedForward int `yaml:"feed_forward" range:"[1,)" help:"hidden width of feed-forward parts"`
	Depth       int `yaml:"depth" range:"[1,100]" help:"layers"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error { return zoo.CheckConfig("bi-mamba", c) }

// mixer returns the configuration of the blocks' mixers.
func (c *Config) mixer() nn.MambaConfig {
	return nn.MambaConfig{Width: c.Width, Expand: c.Expand, State: c.State,
		Bidirectional: true, Blocks: c.Blocks}
}

// embedding returns the configuration of the Transformer of a modality.
func (c *Config) embedding() nn.TransformerConfig {
	return nn.TransformerConfig{Width: c.Width, Heads: c.Embed.Heads,
		HeadWidth: c.Embed.HeadWidth, FeedForward: c.Embed.FeedForward, Depth: c.Embed.Depth}
}

// preset returns the sizes of our adaptation with the training of LNLN's protocol, the same for all
// data sets, or small ones with squeezed modalities for "quick".
func preset(name, _ string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), Width: 128, Blocks: 4, Expand: 2, State: 16,
		Embed: EmbedConfig{Heads: 8, HeadWidth: 64, FeedForward: 128, Depth: 1}}
	if name == "quick" {
		c.Text, c.Tokens, c.Width, c.Blocks, c.State = zoo.QuickText(), 8, 64, 2, 8
		c.Embed = EmbedConfig{Heads: 4, HeadWidth: 16, FeedForward: 64, Depth: 1}
	}
	return c, zoo.ProtocolTraining(name)
}
