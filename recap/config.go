package recap

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Config holds the settings of RECAP. YAML names are keys of `recap train --set`.
type Config struct {
	Width       int `yaml:"width"`        // d, of every representation
	Tokens      int `yaml:"tokens"`       // L, learned tokens that represent a modality
	Heads       int `yaml:"heads"`        // of every Transformer
	HeadWidth   int `yaml:"head_width"`   // of one head
	FeedForward int `yaml:"feed_forward"` // hidden width of the Transformers' feed-forward part
	Depth       int `yaml:"depth"`        // layers of every Transformer

	Text      zoo.TextConfig  `yaml:"text"`
	Generator GeneratorConfig `yaml:"generator"`
	Critic    CriticConfig    `yaml:"critic"`
	// "transformer" (paper) or "mlp" (the authors' release)
	Discriminator string     `yaml:"discriminator"`
	Granularities []int      `yaml:"granularities"` // numbers of segments, the set 𝒢 of eq 6
	Loss          LossConfig `yaml:"loss"`

	Without Ablation `yaml:"without"`
	// Literal implements stage 1 by the letter of the paper, without the three measures against
	// collapse (docs/guide.md): positions start at N(0,1), critics see raw features, the
	// reconstruction target is not standardised.
	Literal bool `yaml:"literal"`
}

// GeneratorConfig describes G_m. All but Kind is for "imagebind", the paper's deeper generator for
// MOSEI.
type GeneratorConfig struct {
	// "transformer": of the sizes above; "imagebind": blocks of ImageBind between projections
	Kind string `yaml:"kind"`
	File string `yaml:"file"` // imagebind_huge.pth, from which they start; empty: from scratch
	// the first of each of ImageBind's encoders of text, audio and images
	Blocks int `yaml:"blocks"`
	Width  int `yaml:"width"` // of the blocks, if there is no file
	// hold what was loaded from the file constant, except a norm after the last block
	Freeze bool  `yaml:"freeze"`
	Widths []int `yaml:"widths"` // of the file's blocks, by modality; Config.Resolve sets it
}

// CriticConfig describes f of the mutual-information bounds.
type CriticConfig struct {
	Kind   string `yaml:"kind"`   // "separable": g(x)·h(y)/√e; "concat": an MLP on [x; y]
	Width  int    `yaml:"width"`  // hidden width, and e
	Hidden int    `yaml:"hidden"` // hidden layers after the first
}

// LossConfig holds the weights of eqs 7, 14, 15 and 19.
type LossConfig struct {
	Adversarial    float64    `yaml:"adv"`      // λ_adv
	Factorisation  float64    `yaml:"fid"`      // λ_fid
	Reconstruction float64    `yaml:"rec"`      // λ_rec
	Task           float64    `yaml:"task"`     // λ_task
	Rank           float64    `yaml:"rank"`     // λ_rank
	Margin         float64    `yaml:"margin"`   // ε of eq 15
	Modality       [3]float64 `yaml:"modality"` // w_l, w_a, w_v of eq 7
}

// Ablation switches parts of the method off: the rows of Table 3.
type Ablation struct {
	HCAG          bool `yaml:"hcag"`
	FID           bool `yaml:"fid"`
	Shared        bool `yaml:"shared"`
	Unique        bool `yaml:"unique"`
	LV            bool `yaml:"lv"`
	LA            bool `yaml:"la"`
	AV            bool `yaml:"av"`
	Reconstructor bool `yaml:"reconstructor"`
	MIR           bool `yaml:"mir"`
	Stage1        bool `yaml:"stage1"`
}

// Paper returns the paper's configuration, with the numbers it omits taken from its authors'
// release.
func Paper() Config {
	return Config{
		Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, FeedForward: 128, Depth: 2,
		Text:          zoo.PaperText(),
		Generator:     GeneratorConfig{Kind: "transformer", Blocks: 4, Width: 128},
		Critic:        CriticConfig{Kind: "concat", Width: 2048, Hidden: 1},
		Discriminator: "transformer",
		Granularities: []int{8, 4, 2},
		Loss: LossConfig{Adversarial: 0.01, Factorisation: 0.001, Reconstruction: 0.1, Task: 1,
			Rank:   0.01,
			Margin: 0.1, Modality: [3]float64{0.5, 0.2, 0.3}},
	}
}

// Quick returns a small configuration that trains from scratch in minutes on a CPU.
func Quick() Config {
	c := Paper()
	c.Width, c.Heads, c.HeadWidth, c.FeedForward = 64, 4, 16, 64
	c.Text = zoo.QuickText()
	c.Generator.Width = 64
	c.Critic = CriticConfig{Kind: "separable", Width: 256, Hidden: 0}
	return c
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	positive := []struct {
		name  string
		value int
	}{
		{"width", c.Width}, {"tokens", c.Tokens}, {"heads", c.Heads}, {"head_width", c.HeadWidth},
		{"feed_forward", c.FeedForward},
		{"depth", c.Depth}, {"generator.blocks", c.Generator.Blocks},
		{"generator.width", c.Generator.Width}, {"critic.width", c.Critic.Width},
	}
	for _, f := range positive {
		if f.value < 1 {
			return fmt.Errorf("recap: %s is %d, want at least 1", f.name, f.value)
		}
	}
	for _, n := range c.Granularities {
		if n < 2 || c.Tokens%n != 0 {
			return fmt.Errorf(
				"recap: granularities contain %d, want numbers of at least 2 that divide tokens (%d)", n, c.Tokens,
			)
		}
	}
	if err := c.Text.Check(); err != nil {
		return fmt.Errorf("recap: %w", err)
	}
	if err := c.Generator.check(); err != nil {
		return err
	}
	switch {
	case c.Width%predictorHeads != 0:
		return fmt.Errorf(
			"recap: width %d does not divide into the %d heads of the predictors g_m", c.Width,
			predictorHeads,
		)
	case c.Critic.Kind != "separable" && c.Critic.Kind != "concat":
		return fmt.Errorf("recap: critic.kind is %q, want separable or concat", c.Critic.Kind)
	case c.Critic.Hidden < 0 || c.Critic.Kind == "concat" && c.Critic.Hidden > 1:
		return fmt.Errorf(
			"recap: critic.hidden is %d, want at least 0, and at most 1 with critic.kind=concat",
			c.Critic.Hidden,
		)
	case c.Discriminator != "transformer" && c.Discriminator != "mlp":
		return fmt.Errorf("recap: discriminator is %q, want transformer or mlp", c.Discriminator)
	}
	return nil
}

func (g *GeneratorConfig) check() error {
	fits := func(width int) bool { return width > 0 && width%headWidth == 0 }
	switch {
	case g.Kind != "transformer" && g.Kind != "imagebind":
		return fmt.Errorf("recap: generator.kind is %q, want transformer or imagebind", g.Kind)
	case g.Blocks > maxBlocks:
		return fmt.Errorf(
			"recap: generator.blocks is %d, want at most %d, the depth of ImageBind's deepest "+
				"encoder", g.Blocks, maxBlocks,
		)
	case !fits(g.Width):
		return fmt.Errorf(
			"recap: generator.width is %d, want a multiple of %d, the width of a head", g.Width,
			headWidth,
		)
	case g.File != "" && g.Kind != "imagebind":
		return fmt.Errorf(
			"recap: generator.file is %s, but generator.kind=%s reads none; want "+
				"generator.kind=imagebind", g.File, g.Kind,
		)
	case g.Freeze && g.File == "":
		return fmt.Errorf(
			"recap: generator.freeze is true without generator.file: blocks that start from " +
				"scratch have to be trained; give a file",
		)
	case len(g.Widths) > 0 && g.File == "":
		return fmt.Errorf(
			"recap: generator.widths is %v without generator.file, want generator.width", g.Widths,
		)
	case len(g.Widths) > 0 &&
		(len(g.Widths) != zoo.Modalities || !fits(g.Widths[0]) || !fits(g.Widths[1]) ||
			!fits(g.Widths[2])):
		return fmt.Errorf(
			"recap: generator.widths is %v, want %d multiples of %d; leave it to be read from "+
				"generator.file", g.Widths, zoo.Modalities, headWidth,
		)
	}
	return nil
}
