package mascfstyle

import (
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes the model.
var Spec = zoo.Spec{
	Name: "mascf-style", Label: "MASCF-style (re-designed from the title)",
	Paper: "after the title of Chen, Tang, Liu: Mamba-assisted modality subspace complementary " +
		"fusion for multimodal sentiment analysis, Pattern Recognition Letters, 2025",
	Adaptation: "The paper was not available, so this is MISA's views with Mamba encoders and a " +
		"fusion of our own design. It reproduces no number of MASCF and says nothing about it.",
	FromTitle: true, Preset: preset, New: newModel, Terms: zoo.ViewTitles,
}

// Config holds the settings of the model. YAML names are keys of `recap train --set`.
type Config struct {
	Text zoo.TextConfig `yaml:"text"`

	Width  int `yaml:"width" range:"[1,)" help:"d, of all tokens and views"`
	Expand int `yaml:"expand" range:"[1,)" help:"E: a Mamba layer computes in E·d channels"`
	State  int `yaml:"state" range:"[1,)" help:"N, states of a channel"`
	Tokens int `yaml:"tokens" range:"[1,)" help:"n, tokens to which a modality is pooled"`

	Dropout float64         `yaml:"dropout" range:"[0,1)" help:"dropout of the head"`
	Loss    zoo.ViewWeights `yaml:"loss"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error { return zoo.CheckConfig("mascf-style", c) }

// WarnDims warns of audio and vision of one frame in each utterance.
func (c *Config) WarnDims(d *zoo.Dims) string {
	return d.WarnOneFrame("so its tokens are all equal; its queries and the matrices A of " +
		"its Mamba layer are not trained")
}

// mamba returns the sizes of all Mamba layers.
func (c *Config) mamba() nn.MambaConfig {
	return nn.MambaConfig{Width: c.Width, Expand: c.Expand, State: c.State}
}

// preset returns settings of our choice: the training of LNLN's code, and in the loss and the head
// those of MISA in MMSA. There are no published ones. "quick" has small sizes.
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), Width: 128, Expand: 2, State: 16, Tokens: 8, Dropout: 0.2,
		Loss: zoo.ViewWeights{Diff: 0.1, Sim: 0.3, Recon: 1}}
	t := zoo.ProtocolTraining(name)
	switch {
	case name == "quick":
		c.Text, c.Width, c.State = zoo.QuickText(), 64, 8
		t.Batch = 32
	case dataset == "mosei":
		c.Dropout, c.Loss = 0.5, zoo.ViewWeights{Diff: 0.3, Sim: 0.8, Recon: 1}
	case dataset == "sims":
		c.Dropout, c.Loss = 0, zoo.ViewWeights{Diff: 0.3, Sim: 1, Recon: 0.8}
	}
	return c, t
}
