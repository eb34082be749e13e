package lnln

import (
	"fmt"

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
	Width          int `yaml:"width"`            // d, of every representation
	Tokens         int `yaml:"tokens"`           // n, learned tokens that represent a modality
	Heads          int `yaml:"heads"`            // of every attention
	HeadWidth      int `yaml:"head_width"`       // of one head of the Transformers
	HyperHeadWidth int `yaml:"hyper_head_width"` // of one head of the hyper-modality's layers
	// hidden width of the Transformers' feed-forward part
	FeedForward int `yaml:"feed_forward"`
	// layers of embeddings, completeness, generator and reconstructors
	Depth int `yaml:"depth"`
	// layers of the hyper-modality; the dominant language has one less
	HyperDepth  int `yaml:"hyper_depth"`
	FusionDepth int `yaml:"fusion_depth"` // layers of the cross attention

	Text zoo.TextConfig `yaml:"text"`
	Loss LossConfig     `yaml:"loss"`
}

// LossConfig holds the weights α, β, γ and σ of the loss terms.
type LossConfig struct {
	Completeness   float64 `yaml:"cc"`  // α
	Adversarial    float64 `yaml:"adv"` // β
	Reconstruction float64 `yaml:"rec"` // γ
	Sentiment      float64 `yaml:"sp"`  // σ
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"width", c.Width}, {"tokens", c.Tokens}, {"heads", c.Heads}, {"head_width", c.HeadWidth},
		{"hyper_head_width", c.HyperHeadWidth},
		{"feed_forward", c.FeedForward}, {"depth", c.Depth}, {"hyper_depth", c.HyperDepth},
		{"fusion_depth", c.FusionDepth},
	} {
		if f.value < 1 {
			return fmt.Errorf("lnln: %s is %d, want at least 1", f.name, f.value)
		}
	}
	if c.Width%2 != 0 {
		return fmt.Errorf("lnln: width is %d, want an even number: hidden layers have half of it",
			c.Width)
	}
	if err := c.Text.Check(); err != nil {
		return fmt.Errorf("lnln: %w", err)
	}
	return nil
}

// preset returns the settings of the paper's code, or small ones for "quick".
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, HyperHeadWidth: 16,
		FeedForward: 128, Depth: 2, HyperDepth: 3, FusionDepth: 2,
		Text: zoo.PaperText(),
		Loss: LossConfig{Completeness: 0.9, Adversarial: 0.8, Reconstruction: 0.1, Sentiment: 1}}
	t := zoo.Training{Batch: 64, Accumulate: 1, Optimizer: "adamw", Schedule: "cosine", LR: 1e-4,
		WeightDecay: 1e-4,
		Groups:      map[string]zoo.GroupTraining{"text": {LR: 1e-4, WeightDecay: 1e-4}},
		Epochs:      map[string]int{"train": 200}}
	switch {
	case name == "quick":
		c.Width, c.Heads, c.HeadWidth, c.FeedForward, c.Text = 64, 4, 16, 64, zoo.QuickText()
		t.LR, t.Groups["text"], t.Epochs["train"] = 1e-3, zoo.GroupTraining{LR: 5e-5,
			WeightDecay: 1e-4}, 30
	case dataset == "mosei":
		c.FusionDepth = 4
	case dataset == "sims":
		c.FusionDepth, c.Loss.Adversarial = 4, 0.6
	}
	return c, t
}
