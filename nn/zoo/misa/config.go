package misa

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes MISA.
var Spec = zoo.Spec{
	Name: "misa", Label: "MISA",
	Paper: "Hazarika, Zimmermann, Poria: MISA: Modality-Invariant and -Specific " +
		"Representations for Multimodal Sentiment Analysis, ACM Multimedia 2020",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{
		{Name: "task", Title: "L_task"}, {Name: "diff", Title: "L_diff, orthogonality"},
		{Name: "sim", Title: "L_sim, moments"}, {Name: "recon", Title: "L_recon"},
	},
}

// Config holds the settings of MISA. YAML names are keys of `recap train --set`.
type Config struct {
	Text  zoo.TextConfig `yaml:"text"`
	Width int            `yaml:"width"` // d, of every view
	// attention heads of the Transformer that fuses the views
	Heads int `yaml:"heads"`
	// hidden width of its feed-forward part
	FeedForward        int     `yaml:"feed_forward"`
	TransformerDropout float64 `yaml:"transformer_dropout"` // its dropout
	Dropout            float64 `yaml:"dropout"`             // dropout of the head
	// frames read of audio and vision: "text", as many as tokens (MMSA); "own", those of the
	// recording
	Lengths string     `yaml:"lengths"`
	Loss    LossConfig `yaml:"loss"`
}

// LossConfig holds the weights of the loss terms; the weight of the task's is 1.
type LossConfig struct {
	Diff  float64 `yaml:"diff"`
	Sim   float64 `yaml:"sim"`
	Recon float64 `yaml:"recon"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	switch {
	case c.Width < 1:
		return fmt.Errorf("misa: width is %d, want at least 1", c.Width)
	case c.Heads < 1 || c.Width%c.Heads != 0:
		return fmt.Errorf("misa: heads is %d, want a divisor of width %d", c.Heads, c.Width)
	case c.FeedForward < 1:
		return fmt.Errorf("misa: feed_forward is %d, want at least 1", c.FeedForward)
	case !(c.TransformerDropout >= 0 && c.TransformerDropout < 1):
		return fmt.Errorf("misa: transformer_dropout is %g, want 0 ≤ transformer_dropout < 1",
			c.TransformerDropout)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("misa: dropout is %g, want 0 ≤ dropout < 1", c.Dropout)
	case c.Lengths != "text" && c.Lengths != "own":
		return fmt.Errorf("misa: lengths is %q, want text or own", c.Lengths)
	}
	if err := c.Text.Check(); err != nil {
		return fmt.Errorf("misa: %w", err)
	}
	return nil
}

// preset returns the settings of MMSA, or small ones for "quick". MMSA's trainer passes no weight
// decay to the optimiser, whatever is configured, and has no limit of epochs: 200 is our number.
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), Width: 128, Heads: 2, FeedForward: 2048,
		TransformerDropout: 0.1, Dropout: 0.2, Lengths: "text",
		Loss: LossConfig{Diff: 0.1, Sim: 0.3, Recon: 1}}
	t := zoo.Training{Batch: 16, Accumulate: 2, Optimizer: "adam", Schedule: "constant",
		LR: 1e-4, Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-4}},
		ClipValue: 0.8, Patience: 8, Epochs: map[string]int{"train": 200}}
	switch {
	case name == "quick":
		c.Text, c.Width, c.FeedForward, c.Lengths = zoo.QuickText(), 64, 256, "own"
		t.Batch, t.LR, t.Groups["text"], t.Patience, t.Epochs["train"] = 32,
			1e-3, zoo.GroupTraining{LR: 5e-5}, 0, 30
	case dataset == "mosei":
		c.Dropout, c.Loss, t.Batch = 0.5, LossConfig{Diff: 0.3, Sim: 0.8, Recon: 1}, 64
	case dataset == "sims":
		c.Dropout, c.Loss, t.Batch, t.ClipValue = 0, LossConfig{Diff: 0.3, Sim: 1,
			Recon: 0.8}, 64, 1
	}
	return c, t
}
