package tfrnet

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec describes TFR-Net.
var Spec = zoo.Spec{
	Name: "tfr-net", Label: "TFR-Net",
	Paper: "Yuan, Li, Xu, Yu: Transformer-based Feature Reconstruction Network for Robust " +
		"Multimodal Sentiment Analysis, ACM Multimedia 2021",
	Preset: preset, New: newModel,
	Terms: []zoo.TermTitle{
		{Name: "task", Title: "L_task"},
		{Name: "rec", Title: "L_rec, features that were missing"},
	},
}

// Config holds the settings of TFR-Net. YAML names are keys of `recap train --set`.
type Config struct {
	Text zoo.TextConfig `yaml:"text"`

	Width int `yaml:"width" range:"[4,)" help:"d, of the encoders; a multiple of heads"`
	Heads int `yaml:"heads" range:"[1,)" help:"attention heads of the encoders"`
	// of the encoders that attend to one modality, and of the reconstruction
	Layers      int `yaml:"layers" range:"[1,100]" help:"of self-attention and reconstruction"`
	CrossLayers int `yaml:"cross_layers" range:"[1,100]" help:"that attend to other modalities"`

	Language ModalityConfig `yaml:"language"`
	Audio    ModalityConfig `yaml:"audio"`
	Vision   ModalityConfig `yaml:"vision"`

	GRULayers int           `yaml:"gru_layers" range:"[1,100]" help:"layers of the GRUs"`
	Hidden    int           `yaml:"hidden" range:"[1,)" help:"hidden width of the head"`
	Dropout   DropoutConfig `yaml:"dropout"`

	Reconstruction ReconstructionConfig `yaml:"reconstruction"`
}

// ModalityConfig holds the settings of one modality.
type ModalityConfig struct {
	Kernel int `yaml:"kernel" range:"[1,)" help:"steps of a window of the convolution, odd"`
	// of the self-attention of language, and of encoders that attend to this modality
	Attention float64 `yaml:"attention" range:"[0,1)" help:"dropout of attention to the modality"`
	GRU       int     `yaml:"gru" range:"[1,)" help:"g, hidden width of a direction of the GRU"`
	Weight    float64 `yaml:"weight" range:"[0,)" help:"weight of the modality's L_rec"`
}

// DropoutConfig holds probabilities of dropout.
type DropoutConfig struct {
	Text     float64 `yaml:"text" range:"[0,1)" help:"of the text encoder's features"`
	Embed    float64 `yaml:"embed" range:"[0,1)" help:"of sequences that enter the encoders"`
	ReLU     float64 `yaml:"relu" range:"[0,1)" help:"of hidden layers of the encoders"`
	Residual float64 `yaml:"residual" range:"[0,1)" help:"of what the encoders' layers add"`
	Summary  float64 `yaml:"summary" range:"[0,1)" help:"of the summary of each modality"`
	Head     float64 `yaml:"head" range:"[0,1)" help:"of the head's hidden layer"`
}

// ReconstructionConfig holds the settings of the reconstruction.
type ReconstructionConfig struct {
	// batch: to the same step of earlier samples (the authors' code); channel: to other channels
	Axis  string  `yaml:"axis" values:"batch,channel" help:"what the attention runs over"`
	Heads int     `yaml:"heads" range:"[1,)" help:"attention heads if they divide T_m, else 1"`
	CMD   float64 `yaml:"cmd" range:"[0,)" help:"weight of the difference of moments in L_rec"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// modalities returns the settings of each modality.
func (c *Config) modalities() [zoo.Modalities]*ModalityConfig {
	return [zoo.Modalities]*ModalityConfig{&c.Language, &c.Audio, &c.Vision}
}

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	if err := zoo.CheckConfig("tfr-net", c); err != nil {
		return err
	}
	if c.Width%c.Heads != 0 {
		return fmt.Errorf("tfr-net: heads is %d, want a divisor of width %d", c.Heads, c.Width)
	}
	for i, name := range []string{"language", "audio", "vision"} {
		if k := c.modalities()[i].Kernel; k%2 == 0 {
			return fmt.Errorf("tfr-net: %s.kernel is %d, want an odd number", name, k)
		}
	}
	return nil
}

// WarnDims warns of audio and vision of one frame in each utterance.
func (c *Config) WarnDims(d *zoo.Dims) string {
	return d.WarnOneFrame("which TFR-Net does not reconstruct: it reconstructs sequences")
}

// preset returns the settings of MMSA, or small ones for "quick". MMSA makes a step after each
// batch with gradients that add up over four batches; here each batch has a gradient of its own
// (docs/zoo.md). It has no limit of epochs; 200 is chosen here.
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), Width: 30, Heads: 6, Layers: 3, CrossLayers: 3,
		Language:  ModalityConfig{Kernel: 1, Attention: 0.2, GRU: 36, Weight: 5},
		Audio:     ModalityConfig{Kernel: 5, Attention: 0.1, GRU: 20, Weight: 2},
		Vision:    ModalityConfig{Kernel: 3, Attention: 0, GRU: 48, Weight: 20},
		GRULayers: 3, Hidden: 128,
		Dropout: DropoutConfig{Text: 0.2, Embed: 0.2, ReLU: 0.2, Residual: 0.2,
			Summary: 0.2},
		Reconstruction: ReconstructionConfig{Axis: "batch", Heads: 25, CMD: 5}}
	t := zoo.Training{Batch: 24, Accumulate: 1, Optimizer: "adam", Schedule: "constant",
		LR: 1e-3, WeightDecay: 1e-3,
		Groups:    map[string]zoo.GroupTraining{"text": {LR: 2e-6, WeightDecay: 1e-4}},
		ClipValue: 0.8, Patience: 6, Epochs: map[string]int{"train": 200}}
	switch {
	case name == "quick":
		quick(c, &t)
	case dataset == "mosei":
		c.Language.Weight, c.Audio.Weight, c.Vision.Weight = 5e-6, 2e-6, 2e-5
		t.LR, t.Groups["text"] = 2e-3, zoo.GroupTraining{LR: 1e-5, WeightDecay: 1e-4}
	case dataset == "sims":
		c.CrossLayers = 2
		c.Dropout.Embed, c.Dropout.ReLU, c.Dropout.Head = 0.1, 0, 0.1
		c.Language.Weight, c.Audio.Weight, c.Vision.Weight = 1, 0.01, 0.0001
		c.Reconstruction.Heads = 1
		t.Batch, t.LR = 16, 2e-3
		t.Groups["text"] = zoo.GroupTraining{LR: 1e-5, WeightDecay: 1e-4}
	}
	return c, t
}

// quick makes the model small. The weights of L_rec are chosen so that its parts together are about
// as large as L_task in epoch 2 on the synthetic data set.
func quick(c *Config, t *zoo.Training) {
	c.Text, c.Width, c.Heads = zoo.QuickText(), 24, 4
	c.Layers, c.CrossLayers, c.GRULayers, c.Hidden = 1, 1, 1, 64
	c.Language.GRU, c.Audio.GRU, c.Vision.GRU = 24, 24, 24
	c.Language.Weight, c.Audio.Weight, c.Vision.Weight = 0.5, 0.5, 0.5
	c.Reconstruction.Heads = 4
	t.Batch, t.Groups["text"] = 32, zoo.GroupTraining{LR: 5e-5, WeightDecay: 1e-4}
	t.Patience, t.Epochs["train"] = 0, 30
}
