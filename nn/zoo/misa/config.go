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
	Terms: zoo.ViewTitles,
}

// Config holds the settings of MISA. YAML names are keys of `recap train --set`.
type Config struct {
	Text  zoo.TextConfig `yaml:"text"`
	Width int            `yaml:"width" range:"[1,)" help:"d, of every view; a multiple of heads"`
	// of the Transformer that fuses the views
	Heads       int `yaml:"heads" range:"[1,)" help:"attention heads of the fusion"`
	FeedForward int `yaml:"feed_forward" range:"[1,)" help:"hidden width of its feed-forward part"`

	TransformerDropout float64 `yaml:"transformer_dropout" range:"[0,1)" help:"of the fusion"`

	Dropout float64 `yaml:"dropout" range:"[0,1)" help:"dropout of the head"`
	// text: as many as tokens (MMSA); own: those of the recording
	Lengths string `yaml:"lengths" values:"text,own" help:"frames read of audio and vision"`

	Loss zoo.ViewWeights `yaml:"loss"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	if err := zoo.CheckConfig("misa", c); err != nil {
		return err
	}
	if c.Width%c.Heads != 0 {
		return fmt.Errorf("misa: heads is %d, want a divisor of width %d", c.Heads, c.Width)
	}
	return nil
}

// preset returns the settings of MMSA, or small ones for "quick". MMSA's trainer passes no weight
// decay to the optimiser, whatever is configured, and has no limit of epochs; 200 is chosen here.
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), Width: 128, Heads: 2, FeedForward: 2048,
		TransformerDropout: 0.1, Dropout: 0.2, Lengths: "text",
		Loss: zoo.ViewWeights{Diff: 0.1, Sim: 0.3, Recon: 1}}
	t := zoo.Training{Batch: 16, Accumulate: 2, Optimizer: "adam", Schedule: "constant",
		LR: 1e-4, Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-4}},
		ClipValue: 0.8, Patience: 8, Epochs: map[string]int{"train": 200}}
	switch {
	case name == "quick":
		c.Text, c.Width, c.FeedForward, c.Lengths = zoo.QuickText(), 64, 256, "own"
		t.Batch, t.LR, t.Groups["text"], t.Patience, t.Epochs["train"] = 32,
			1e-3, zoo.GroupTraining{LR: 5e-5}, 0, 30
	case dataset == "mosei":
		c.Dropout, c.Loss, t.Batch = 0.5, zoo.ViewWeights{Diff: 0.3, Sim: 0.8, Recon: 1}, 64
	case dataset == "sims":
		c.Dropout, c.Loss, t.Batch, t.ClipValue = 0, zoo.ViewWeights{Diff: 0.3, Sim: 1,
			Recon: 0.8}, 64, 1
	}
	return c, t
}
