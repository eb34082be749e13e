package lnln

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes LNLN.
var Spec = zoo.Spec{
	Name: "lnln", Label: "LNLN",
	Paper:  "Zhang, Wang, Yu: Towards Robust Multimodal Sentiment Analysis with Incomplete Data, NeurIPS 2024",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{
		{Name: "sp", Title: "L_sp, sentiment"}, {Name: "cc", Title: "L_cc, completeness"},
		{Name: "adv", Title: "L_adv", Unit: "nats"},
		{Name: "rec", Title: "L_rec"}, {Name: "completeness", Title: "mean w"},
	},
}

// Config holds the settings of LNLN. YAML names are keys of `recap train --set`.
type Config struct {
	Width     int `yaml:"width" range:"[1,)" help:"d, of every representation; even"`
	Tokens    int `yaml:"tokens" range:"[1,)" help:"n, learned tokens that represent a modality"`
	Heads     int `yaml:"heads" range:"[1,)" help:"attention heads of every layer"`
	HeadWidth int `yaml:"head_width" range:"[1,)" help:"width of one head of the Transformers"`
	// of the hyper-modality's layers
	HyperHeadWidth int `yaml:"hyper_head_width" range:"[1,)" help:"one head of the hyper-modality"`
	FeedForward    int `yaml:"feed_forward" range:"[1,)" help:"hidden width of feed-forward parts"`
	// of embeddings, completeness, generator and reconstructors
	Depth int `yaml:"depth" range:"[1,100]" help:"layers of all Transformers but those below"`
	// the dominant language has one less
	HyperDepth  int `yaml:"hyper_depth" range:"[1,100]" help:"layers of the hyper-modality"`
	FusionDepth int `yaml:"fusion_depth" range:"[1,100]" help:"layers of the cross attention"`

	Text zoo.TextConfig `yaml:"text"`
	Loss LossConfig     `yaml:"loss"`
}

// LossConfig holds the weights of the loss terms.
type LossConfig struct {
	Completeness   float64 `yaml:"cc" help:"α, weight of L_cc, completeness"`
	Adversarial    float64 `yaml:"adv" help:"β, weight of L_adv"`
	Reconstruction float64 `yaml:"rec" help:"γ, weight of L_rec"`
	Sentiment      float64 `yaml:"sp" help:"σ, weight of L_sp, sentiment"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	if err := zoo.CheckConfig("lnln", c); err != nil {
		return err
	}
	if c.Width%2 != 0 {
		return fmt.Errorf("lnln: width is %d, want an even number: hidden layers have half of it",
			c.Width)
	}
	return nil
}

// transformer returns the sizes of a Transformer.
func (c *Config) transformer(depth int) nn.TransformerConfig {
	return nn.TransformerConfig{Width: c.Width, Heads: c.Heads, HeadWidth: c.HeadWidth,
		FeedForward: c.FeedForward, Depth: depth}
}

// preset returns the settings of the paper's code, or small ones for "quick".
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, HyperHeadWidth: 16,
		FeedForward: 128, Depth: 2, HyperDepth: 3, FusionDepth: 2,
		Text: zoo.PaperText(),
		Loss: LossConfig{Completeness: 0.9, Adversarial: 0.8, Reconstruction: 0.1, Sentiment: 1}}
	switch {
	case name == "quick":
		c.Width, c.Heads, c.HeadWidth, c.FeedForward, c.Text = 64, 4, 16, 64, zoo.QuickText()
	case dataset == "mosei":
		c.FusionDepth = 4
	case dataset == "sims":
		c.FusionDepth, c.Loss.Adversarial = 4, 0.6
	}
	return c, zoo.ProtocolTraining(name)
}
