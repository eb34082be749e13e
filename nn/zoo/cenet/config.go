package cenet

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes CENET.
var Spec = zoo.Spec{
	Name: "cenet", Label: "CENET", Regression: true,
	Paper: "Wang, Liu, Wang, Tian, He, Gao: Cross-modal Enhancement Network for Multimodal " +
		"Sentiment Analysis, IEEE Transactions on Multimedia 2022",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{{Name: "task", Title: "|ŷ − y|"}},
}

// Config holds the settings of CENET. YAML names are keys of `recap train --set`. All widths are
// those of the text encoder.
type Config struct {
	Text zoo.TextConfig `yaml:"text"`
	// tables and their norm; those trained from scratch are never frozen
	FreezeEmbeddings bool `yaml:"freeze_embeddings" help:"do not train pretrained embeddings"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	if err := c.Text.Check(); err != nil {
		return fmt.Errorf("cenet: %w", err)
	}
	if c.Text.Layers < 2 {
		return fmt.Errorf("cenet: text.layers is %d, want 2 or more: audio and vision are added "+
			"to the text between its first two layers", c.Text.Layers)
	}
	return nil
}

// WarnDims warns of audio and vision of one frame in each utterance.
func (c *Config) WarnDims(d *zoo.Dims) string {
	return d.WarnOneFrame("which is added to all tokens in the same way; its queries and " +
		"keys are not trained")
}

// preset returns the settings of MMSA's port, or small ones for "quick". MMSA has no limit of
// epochs; 200 is chosen here.
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), FreezeEmbeddings: true}
	t := zoo.Training{Batch: 64, Accumulate: 1, Optimizer: "adam", Eps: 3e-8,
		Schedule: "constant", LR: 1e-5, WeightDecay: 1e-4,
		Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-5, WeightDecay: 1e-4}},
		Clip:   2, Patience: 8, Epochs: map[string]int{"train": 200}}
	switch {
	case name == "quick":
		c.Text = zoo.QuickText()
		c.Text.Layers = 2
		t.Batch, t.LR, t.Groups["text"], t.Patience, t.Epochs["train"] = 32, 1e-3,
			zoo.GroupTraining{LR: 5e-5, WeightDecay: 1e-4}, 0, 30
	case dataset == "mosei":
		t.Eps = 1e-8
	case dataset == "sims":
		t.Batch, t.Eps, t.LR, t.WeightDecay = 32, 2e-8, 2e-6, 0
		t.Groups["text"] = zoo.GroupTraining{LR: 2e-6}
	}
	return c, t
}
