package tetfn

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/selfmm"
)

// Spec describes TETFN.
var Spec = zoo.Spec{
	Name: "tetfn", Label: "TETFN", Regression: true,
	Paper: "Wang, Guo, Tian, Liu, He, Luo: TETFN: A text enhanced transformer fusion network for " +
		"multimodal sentiment analysis, Pattern Recognition 136, 2023",
	Preset: preset, New: newModel,
	Terms: selfmm.Spec.Terms,
}

// Config holds the settings of TETFN. YAML names are keys of `recap train --set`.
type Config struct {
	Text zoo.TextConfig `yaml:"text"`

	Width  int `yaml:"width" range:"[4,)" help:"d, of the encoders; a multiple of heads"`
	Heads  int `yaml:"heads" range:"[1,)" help:"attention heads of the encoders"`
	Layers int `yaml:"layers" range:"[1,100]" help:"layers of the encoders"`

	AudioWidth  int `yaml:"audio_width" range:"[1,)" help:"h_a, hidden width of the LSTM"`
	VisionWidth int `yaml:"vision_width" range:"[1,)" help:"h_v, hidden width of the LSTM"`
	// the convolutions of audio and vision have one setting, as in MMSA
	TextKernel  int `yaml:"text_kernel" range:"[1,)" help:"steps of a window of text"`
	FrameKernel int `yaml:"frame_kernel" range:"[1,)" help:"steps of a window of audio and vision"`

	Dropout DropoutConfig      `yaml:"dropout"`
	Tasks   selfmm.HeadsConfig `yaml:"tasks"`
	Bound   float64            `yaml:"bound" range:"(0,)" help:"H, largest generated label"`
}

// DropoutConfig holds probabilities of dropout in the encoders.
type DropoutConfig struct {
	// of all encoders but the two in which text attends to another modality
	Attention float64 `yaml:"attention" range:"[0,1)" help:"of attention weights"`
	Audio     float64 `yaml:"audio" range:"[0,1)" help:"of text's attention to audio"`
	Vision    float64 `yaml:"vision" range:"[0,1)" help:"of text's attention to vision"`
	ReLU      float64 `yaml:"relu" range:"[0,1)" help:"of hidden layers"`
	Embed     float64 `yaml:"embed" range:"[0,1)" help:"of sequences that enter an encoder"`
	Residual  float64 `yaml:"residual" range:"[0,1)" help:"of what layers add"`
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	if err := zoo.CheckConfig("tetfn", c); err != nil {
		return err
	}
	if c.Width%c.Heads != 0 {
		return fmt.Errorf("tetfn: heads is %d, want a divisor of width %d", c.Heads, c.Width)
	}
	return nil
}

// CheckDims returns an error if the text has fewer tokens than a window of a convolution: audio and
// vision are as long as the text.
func (c *Config) CheckDims(d *zoo.Dims) error {
	if k := max(c.TextKernel, c.FrameKernel); d.TextT < k {
		return fmt.Errorf("tetfn: text_kernel and frame_kernel: expected at most the %d tokens of "+
			"an utterance, found %d and %d", d.TextT, c.TextKernel, c.FrameKernel)
	}
	return nil
}

// transformer returns the configuration of an encoder.
func (c *Config) transformer(width, layers int, attention float64) nn.CrossmodalConfig {
	return nn.CrossmodalConfig{Width: width, Heads: c.Heads, Layers: layers,
		AttentionDropout: attention, ReLUDropout: c.Dropout.ReLU,
		ResidualDropout: c.Dropout.Residual, EmbedDropout: c.Dropout.Embed}
}

// preset returns the settings of MMSA, or small ones for "quick". MMSA has no limit of epochs; 200
// is chosen here.
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c := &Config{Text: zoo.PaperText(), Width: 50, Heads: 5, Layers: 2,
		AudioWidth: 16, VisionWidth: 64, TextKernel: 1, FrameKernel: 1,
		Dropout: DropoutConfig{Attention: 0.1, Vision: 0.1, Residual: 0.1},
		Tasks:   heads(64, 32, 32, 16), Bound: 3}
	t := zoo.Training{Batch: 64, Accumulate: 4, Optimizer: "adam", Schedule: "constant",
		LR: 3e-4, WeightDecay: 1e-2,
		Groups: map[string]zoo.GroupTraining{"text": {LR: 3e-5, WeightDecay: 1e-3},
			"audio": {LR: 5e-4, WeightDecay: 1e-2}, "vision": {LR: 3e-4}},
		Patience: 8, Epochs: map[string]int{"train": 200}}
	switch {
	case name == "quick":
		c.Text, c.Width, c.Heads, c.Layers, c.VisionWidth = zoo.QuickText(), 32, 4, 1, 32
		t.Batch, t.Accumulate, t.LR, t.WeightDecay = 32, 2, 1e-3, 1e-3
		t.Groups = map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-3}}
		t.Patience, t.Epochs["train"] = 0, 30
	case dataset == "mosei":
		c.AudioWidth, c.VisionWidth, c.Tasks = 32, 32, heads(64, 64, 32, 16)
		c.Dropout.ReLU, c.Dropout.Embed, c.Dropout.Residual = 0.1, 0.1, 0
		c.Tasks.Text.Dropout, c.Tasks.Vision.Dropout = 0.1, 0.1
		t.Batch, t.LR = 32, 1e-4
		t.Groups["audio"] = zoo.GroupTraining{LR: 1e-3}
		t.Groups["vision"] = zoo.GroupTraining{LR: 5e-3, WeightDecay: 1e-3}
	case dataset == "sims":
		c.TextKernel, c.FrameKernel, c.Tasks = 3, 5, heads(64, 64, 16, 32)
		c.Dropout, c.Tasks.Fusion.Dropout = DropoutConfig{Audio: 0.1, ReLU: 0.1}, 0.1
		t.LR, t.WeightDecay = 3e-3, 1e-3
		t.Groups["audio"] = zoo.GroupTraining{LR: 3e-3}
		t.Groups["vision"] = zoo.GroupTraining{LR: 5e-4, WeightDecay: 1e-2}
	}
	return c, t
}

// heads returns the settings of regressions of the given widths, without dropout.
func heads(fusion, text, audio, vision int) selfmm.HeadsConfig {
	return selfmm.HeadsConfig{Fusion: selfmm.HeadConfig{Width: fusion},
		Text: selfmm.HeadConfig{Width: text}, Audio: selfmm.HeadConfig{Width: audio},
		Vision: selfmm.HeadConfig{Width: vision}}
}
