package recap

import (
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Spec is RECAP as a model that can be trained by its name.
var Spec = zoo.Spec{
	Name: "recap", Label: "RECAP",
	Paper: "Huang, Gong, He, Wen, Zhang, Feng: Recovering Coherent Affective Patterns: " +
		"Addressing Modality Missing in Multimodal Sentiment Analysis, AAAI 2026",
	Preset: preset, Variants: variants, Terms: terms,
	New: func(p *nn.Params, c zoo.Config, d zoo.Dims) zoo.Model { return New(p, *c.(*Config), d) },
}

// preset returns the same numbers for every data set, as the paper does, but the deeper generator
// for MOSEI.
func preset(name, dataset string) (zoo.Config, zoo.Training) {
	c, t := Paper(),
		zoo.Training{Batch: 64, Accumulate: 1, Optimizer: "adamw", Schedule: "cosine", LR: 1e-4,
			WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-4, WeightDecay: 1e-4},
				"generator": {LR: 1e-5, WeightDecay: 1e-4}},
			Epochs: map[string]int{"stage1": 200, "stage2": 200}}
	switch {
	case name == "paper" && dataset == "mosei":
		c.Generator.Kind = "imagebind"
	case name == "quick":
		c, t.Schedule, t.LR = Quick(), "cosine-positive", 1e-3
		t.Groups["text"] = zoo.GroupTraining{LR: 5e-5, WeightDecay: 1e-4}
		t.Epochs = map[string]int{"stage1": 4, "stage2": 18}
	}
	return &c, t
}

// variants holds the rows of Table 3, and four more: the method without stage 1, as it is printed
// in the paper, as its authors' release has it, and without the measures against collapse of stage
// 1, but otherwise as the default.
var variants = []zoo.Variant{
	{Name: "no-hcag", Label: "w/o H-CAG", Apply: on(func(c *Config) { c.Without.HCAG = true })},
	{Name: "no-fid", Label: "w/o FID", Apply: on(func(c *Config) { c.Without.FID = true })},
	{Name: "no-shared", Label: "w/o Shared", Apply: on(func(c *Config) {
		c.Without.Shared = true
	})},
	{Name: "no-unique", Label: "w/o Unique", Apply: on(func(c *Config) {
		c.Without.Unique = true
	})},
	{Name: "no-lv", Label: "w/o LV", Apply: on(func(c *Config) { c.Without.LV = true })},
	{Name: "no-la", Label: "w/o LA", Apply: on(func(c *Config) { c.Without.LA = true })},
	{Name: "no-av", Label: "w/o AV", Apply: on(func(c *Config) { c.Without.AV = true })},
	{Name: "no-reconstructor", Label: "w/o Reconstructor", Apply: on(func(c *Config) {
		c.Without.Reconstructor = true
	})},
	{Name: "no-mir", Label: "w/o MIR", Apply: on(func(c *Config) { c.Without.MIR = true })},
	{Name: "no-stage1", Label: "w/o Stage 1", Apply: on(func(c *Config) {
		c.Without.Stage1 = true
	})},
	{Name: "letter", Label: "By the letter", Apply: on(func(c *Config) {
		c.Literal, c.Critic.Input, c.Future, c.Loss.Auxiliary = true, "flat", "corrupted", 0
	})},
	{Name: "release", Label: "As the release", Apply: on(func(c *Config) {
		c.Release, c.Literal, c.Discriminator = true, true, "mlp"
		c.Critic.Input, c.Future, c.Loss.Auxiliary, c.FusionDepth = "flat", "corrupted", 0, 0
		c.Loss.Reconstruction /= 3 // the release's are means over modalities and pairs
		c.Loss.Rank /= 3
	})},
	{Name: "literal", Label: "Stage 1 by the letter", Apply: on(func(c *Config) {
		c.Literal, c.Critic.Input = true, "flat"
	})},
}

func on(change func(*Config)) func(zoo.Config) {
	return func(c zoo.Config) { change(c.(*Config)) }
}

// terms holds the titles of the terms for reports. X and X′ are the complete and the completed
// features of the first modality of a pair, Y and Y′ those of the second.
var terms = []zoo.TermTitle{
	{Name: "task", Title: "task, eq 18"},
	{Name: "gen", Title: "L_gen, eq 3", Unit: "nats"},
	{Name: "disc", Title: "L_disc, eq 5", Unit: "nats"},
	{Name: "rec", Title: "reconstruction, eq 13"},
	{Name: "nce_common", Title: "I_NCE(X′; Y′)", Unit: "nats"},
	{Name: "club_common", Title: "I_CLUB(X′; Y′ | X, Y)", Unit: "nats"},
	{Name: "learn_club_common", Title: "f* of I_CLUB(X′; Y′ | X, Y)", Unit: "nats"},
	{Name: "nce_own1", Title: "I_NCE(X; X′)", Unit: "nats"},
	{Name: "nce_own2", Title: "I_NCE(Y; Y′)", Unit: "nats"},
	{Name: "nce_given", Title: "I_NCE(X′; Y′ | X, Y)", Unit: "nats"},
	{Name: "club", Title: "I_CLUB(X′; Y′)", Unit: "nats"},
	{Name: "learn_club", Title: "f* of I_CLUB(X′; Y′)", Unit: "nats"},
	{Name: "spread", Title: "spread of X over samples"},
	{Name: "token_spread", Title: "spread of X over tokens"},
	{Name: "rank", Title: "L_rank, eq 15"},
	{Name: "probe", Title: "predictors g"},
	{Name: "constant", Title: "best constant"},
	{Name: "alpha", Title: "weight α"},
}
