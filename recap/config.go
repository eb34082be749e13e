package recap

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Config holds the settings of RECAP. YAML names are keys of `recap train --set`.
type Config struct {
	Width       int `yaml:"width" range:"[1,)" help:"d, of every representation"`
	Tokens      int `yaml:"tokens" range:"[1,)" help:"L, learned tokens that represent a modality"`
	Heads       int `yaml:"heads" range:"[1,)" help:"attention heads of every Transformer"`
	HeadWidth   int `yaml:"head_width" range:"[1,)" help:"width of one head"`
	FeedForward int `yaml:"feed_forward" range:"[1,)" help:"hidden width of feed-forward parts"`
	Depth       int `yaml:"depth" range:"[1,100]" help:"layers of other Transformers than fusion's"`
	// 0: none, as in the authors' release
	FusionDepth int `yaml:"fusion_depth" range:"[0,100]" older:"0" help:"layers of the fusion"`

	Text      zoo.TextConfig  `yaml:"text"`
	Generator GeneratorConfig `yaml:"generator"`
	Critic    CriticConfig    `yaml:"critic"`
	// transformer: the paper's; mlp: that of the authors' release
	Discriminator string `yaml:"discriminator" values:"transformer,mlp" help:"architecture of D_m"`
	// the set 𝒢 of eq 6
	Granularities []int `yaml:"granularities" help:"numbers of segments; divide tokens"`
	// complete: D_m sees segments of X_m, and L_gen trains G_m alone; corrupted: D_m sees segments
	// of X̃_m, and L_gen trains E_m too
	Future string `yaml:"future" values:"complete,corrupted" older:"corrupted" help:"real for D_m"`

	Loss LossConfig `yaml:"loss"`

	Without Ablation `yaml:"without"`
	// Literal implements stage 1 as it is printed in the paper, without the three measures against
	// collapse (docs/guide.md): positions are initialised from N(0, 1), critics read the features
	// without standardisation, and the reconstruction target is not standardised.
	Literal bool `yaml:"literal" help:"stage 1 as printed, without measures against collapse"`
	// Release implements what the authors' release does otherwise, as far as no other setting does
	// (docs/guide.md): L_gen trains D_m too; the critics of upper bounds are trained by the bound,
	// which is clamped at −5; gradients flow into the target X_m; the ranking compares predictors
	// g_m that are never trained; and stage 2 keeps G_m alone and starts from a new E_m.
	Release bool `yaml:"release" older:"false" help:"as the authors' release, where it differs"`
}

// GeneratorConfig describes G_m. All settings but Kind are those of the kind "imagebind", the
// paper's deeper generator for MOSEI.
type GeneratorConfig struct {
	// transformer: of the sizes above; imagebind: blocks of ImageBind between projections
	Kind string `yaml:"kind" values:"transformer,imagebind" help:"architecture of G_m"`
	File string `yaml:"file" help:"imagebind_huge.pth, the initial weights; empty: from scratch"`
	// of ImageBind's encoders of text, audio and images, the deepest of which has 32
	Blocks int `yaml:"blocks" range:"[1,32]" help:"first blocks of each encoder of ImageBind"`
	Width  int `yaml:"width" range:"[1,)" help:"width of the blocks if there is no file"`
	// except a norm after the last block
	Freeze bool  `yaml:"freeze" help:"hold what was loaded from the file constant"`
	Widths []int `yaml:"widths" help:"widths of the file's blocks, by modality; read from the file"`
}

// CriticConfig describes the critics f of the bounds of mutual information.
type CriticConfig struct {
	// separable: g(x)·h(y)/√e; concat: an MLP on [x; y]
	Kind   string `yaml:"kind" values:"separable,concat" help:"architecture of the critics f"`
	Width  int    `yaml:"width" range:"[1,)" help:"hidden width of f, and e of a separable one"`
	Hidden int    `yaml:"hidden" range:"[0,100]" help:"hidden layers after the first"`
	// flat: all L·d features; mean: the mean over the L tokens
	Input string `yaml:"input" values:"flat,mean" older:"flat" help:"what critics see"`
}

// LossConfig holds the weights of eqs 7, 14, 15 and 19.
type LossConfig struct {
	Adversarial    float64 `yaml:"adv" help:"λ_adv, weight of L_adv in stage 1"`
	Factorisation  float64 `yaml:"fid" help:"λ_fid, weight of L_FID in stage 1"`
	Reconstruction float64 `yaml:"rec" help:"λ_rec, weight of the reconstruction in stage 1"`
	Task           float64 `yaml:"task" help:"λ_task, weight of the task's loss in stage 2"`
	Rank           float64 `yaml:"rank" help:"λ_rank, weight of L_rank in stage 2"`
	// 0: the predictors learn from constant features, and eq 19 is as printed
	Auxiliary float64    `yaml:"aux" range:"[0,)" older:"0" help:"λ_aux, weight of L_MI in stage 2"`
	Margin    float64    `yaml:"margin" help:"ε, margin of L_rank"`
	Modality  [3]float64 `yaml:"modality" help:"w_l, w_a, w_v of the modalities in L_adv"`
}

// Ablation switches off parts of the method, as in the rows of the paper's Table 3.
type Ablation struct {
	HCAG          bool `yaml:"hcag" help:"without H-CAG, the generation of stage 1"`
	FID           bool `yaml:"fid" help:"without FID"`
	Shared        bool `yaml:"shared" help:"without L_shared of FID"`
	Unique        bool `yaml:"unique" help:"without L_unique of FID"`
	LV            bool `yaml:"lv" help:"without FID of language and vision"`
	LA            bool `yaml:"la" help:"without FID of language and audio"`
	AV            bool `yaml:"av" help:"without FID of audio and vision"`
	Reconstructor bool `yaml:"reconstructor" help:"without E_rec"`
	MIR           bool `yaml:"mir" help:"without MIR"`
	Stage1        bool `yaml:"stage1" help:"without stage 1"`
}

// Paper returns the paper's configuration, with the numbers it omits taken from its authors'
// release.
func Paper() Config {
	return Config{
		Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, FeedForward: 128, Depth: 2,
		FusionDepth:   2,
		Text:          zoo.PaperText(),
		Generator:     GeneratorConfig{Kind: "transformer", Blocks: 4, Width: 128},
		Critic:        CriticConfig{Kind: "concat", Width: 2048, Hidden: 1, Input: "flat"},
		Discriminator: "transformer",
		Granularities: []int{8, 4, 2}, Future: "complete",
		Loss: LossConfig{Adversarial: 0.01, Factorisation: 0.001, Reconstruction: 0.1, Task: 1,
			Rank: 0.01, Auxiliary: 0.2, Margin: 0.1, Modality: [3]float64{0.5, 0.2, 0.3}},
	}
}

// Quick returns a small configuration that trains from scratch in minutes on a CPU.
func Quick() Config {
	c := Paper()
	c.Width, c.Heads, c.HeadWidth, c.FeedForward = 64, 4, 16, 64
	c.Text = zoo.QuickText()
	c.Generator.Width = 64
	c.Critic = CriticConfig{Kind: "separable", Width: 256, Input: "mean"}
	return c
}

// TextEncoder returns the settings of the text encoder.
func (c *Config) TextEncoder() *zoo.TextConfig { return &c.Text }

// Check returns an error that names the first setting with an invalid value.
func (c *Config) Check() error {
	if err := zoo.CheckSettings(c); err != nil {
		return fmt.Errorf("recap: %w", err)
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
	case c.Critic.Kind == "concat" && c.Critic.Hidden > 1:
		return fmt.Errorf("recap: critic.hidden is %d, want at most 1 with critic.kind=concat",
			c.Critic.Hidden)
	}
	return nil
}

func (g *GeneratorConfig) check() error {
	fits := func(width int) bool { return width > 0 && width%headWidth == 0 }
	switch {
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
