package recap

import (
	"reflect"
	"testing"

	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// TestReadings has the settings in which the variants letter and release differ from the paper's
// preset.
func TestReadings(t *testing.T) {
	letter, release := Paper(), Paper()
	letter.Literal, letter.Future, letter.Loss.Auxiliary = true, "corrupted", 0
	release.Release, release.Literal, release.Discriminator = true, true, "mlp"
	release.Future, release.Loss.Auxiliary, release.FusionDepth = "corrupted", 0, 0
	release.Loss.Reconstruction, release.Loss.Rank = 0.1/3, 0.01/3
	for name, want := range map[string]Config{"letter": letter, "release": release} {
		v, ok := Spec.Variant(name)
		if !ok {
			t.Fatalf("no variant %s", name)
		}
		got := Paper()
		if v.Apply(&got); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestPresets has the numbers of the paper and, where it has none, of its authors' release. Only
// the kind of generator depends on the data set.
func TestPresets(t *testing.T) {
	loss := LossConfig{Adversarial: 0.01, Factorisation: 0.001, Reconstruction: 0.1, Task: 1,
		Rank: 0.01, Auxiliary: 0.2, Margin: 0.1, Modality: [3]float64{0.5, 0.2, 0.3}}
	paper := zootest.Preset{
		Config: &Config{
			Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, FeedForward: 128, Depth: 2,
			FusionDepth: 2, Future: "complete",
			Text: zoo.TextConfig{Finetune: true, Sparse: true, Width: 768, Layers: 12, Heads: 12,
				FeedForward: 3072, Dropout: 0.1},
			Generator:     GeneratorConfig{Kind: "transformer", Blocks: 4, Width: 128},
			Critic:        CriticConfig{Kind: "concat", Width: 2048, Hidden: 1, Input: "flat"},
			Discriminator: "transformer",
			Granularities: []int{8, 4, 2}, Loss: loss},
		Training: zoo.Training{Batch: 64, Accumulate: 1,
			Optimizer: "adamw", Schedule: "cosine", LR: 1e-4, WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-4, WeightDecay: 1e-4},
				"generator": {LR: 1e-5, WeightDecay: 1e-4}},
			Epochs: map[string]int{"stage1": 200, "stage2": 200}}}
	quick := zootest.Preset{
		Config: &Config{
			Width: 64, Tokens: 8, Heads: 4, HeadWidth: 16, FeedForward: 64, Depth: 2,
			FusionDepth: 2, Future: "complete",
			Text: zoo.TextConfig{Finetune: true, Sparse: true, Width: 64, Layers: 1, Heads: 4,
				FeedForward: 128, Dropout: 0.1},
			Generator:     GeneratorConfig{Kind: "transformer", Blocks: 4, Width: 64},
			Critic:        CriticConfig{Kind: "separable", Width: 256, Input: "mean"},
			Discriminator: "transformer",
			Granularities: []int{8, 4, 2}, Loss: loss},
		Training: zoo.Training{Batch: 64, Accumulate: 1,
			Optimizer: "adamw", Schedule: "cosine-positive", LR: 1e-3, WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-4},
				"generator": {LR: 1e-5, WeightDecay: 1e-4}},
			Epochs: map[string]int{"stage1": 4, "stage2": 18}}}
	mosei := Paper()
	mosei.Generator.Kind = "imagebind"
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{"mosi": paper,
		"mosei": {Config: &mosei, Training: paper.Training}}, quick)

	for _, x := range []struct{ got, want zoo.Config }{{new(Quick()), quick.Config},
		{new(Paper()), paper.Config}} {
		if !reflect.DeepEqual(x.got, x.want) {
			t.Errorf("%+v, want %+v", x.got, x.want)
		}
	}
}
