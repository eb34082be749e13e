package lnln

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

func TestModel(t *testing.T) { zootest.Run(t, &Spec, tiny) }

func TestClasses(t *testing.T) { zootest.ClassesAre(t, &Spec, tiny()) }

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text embed completeness proxy language hyper fusion score",
		"phase train: batches of 1 or more; labels true, complete input true, keep masks "+
			"false",
		"pass : text embed completeness proxy language hyper fusion score discriminator "+
			"reconstruct; terms cc adv rec sp completeness",
		"groups of pass  with a pretrained text encoder: text 21")
}

func tiny() zoo.Config {
	return &Config{Width: 8, Tokens: 4, Heads: 2, HeadWidth: 4, HyperHeadWidth: 3, FeedForward: 6,
		Depth: 2, HyperDepth: 3, FusionDepth: 2,
		Text: zootest.TinyText(),
		Loss: LossConfig{Completeness: 0.9, Adversarial: 0.8, Reconstruction: 0.1, Sentiment: 1}}
}

// TestParameters counts those of the paper's presets, without the text encoder, and lays
// them beside the authors' code's: there each block of attention has d more, the shift of LN_k.
func TestParameters(t *testing.T) {
	const embed, completeness, proxy, language, reconstruct = 3 * 2, 2, 2, 2, 3 * 2 // blocks
	for dataset, want := range map[string]struct{ theirs, fusion int }{"mosi": {6483012, 2},
		"mosei": {7102404, 4}, "sims": {7112260, 4}} {
		_, got := zootest.PaperSizes(&Spec, dataset)
		if got += 128 *
			(embed + completeness + proxy + language + reconstruct +
				want.fusion); got != want.theirs {
			t.Errorf("%s: %d numbers with the shifts of LN_k, want %d", dataset, got, want.theirs)
		}
	}
	p, _ := zootest.PaperSizes(&Spec, "mosi")
	for name, part := range map[string]struct{ theirs, blocks int }{
		"embed.l": {699520, 2}, "embed.a": {643456, 2}, "embed.v": {661376, 2},
		"proxy.generate": {597760, 2}, "discriminator": {8386, 0},
		"completeness.encode": {593920, 2}, "completeness.score": {8321, 0},
		"reconstruct": {3 * 593664, 6}, "language": {593664, 2},
		"hyper.layers": {298368, 0}, "fusion": {595072, 2}, "score": {129, 0},
	} {
		if got := p.Sub(name).Count() + 128*part.blocks; got != part.theirs {
			t.Errorf("%s has %d numbers, want %d", name, got, part.theirs)
		}
	}
}

// TestInit checks the initial values of the learned tables.
func TestInit(t *testing.T) {
	p := nn.NewParams(zootest.Open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	c, _ := preset("quick", "mosi")
	newModel(p, c, zootest.TinyDims)
	for _, x := range p.All() {
		v, sum, square := x.Values(), 0.0, 0.0
		for _, y := range v {
			sum, square = sum+y, square+y*y
		}
		n := float64(len(v))
		switch last := x.Name[strings.LastIndex(x.Name, ".")+1:]; {
		case last == "start" && (sum != n || square != n):
			t.Errorf("%s does not start at ones", x.Name)
		case (last == "tokens" || last == "class") && square != 0:
			t.Errorf("%s does not start at 0", x.Name)
		case last == "positions" || last == "target" || last == "source":
			if math.Abs(sum/n) > 0.2 || math.Abs(square/n-1) > 0.2 {
				t.Errorf("%s starts with mean %.2f and mean square %.2f, want 0 and 1", x.Name,
					sum/n, square/n)
			}
		}
	}
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"lnln: width is 0":        func(c *Config) { c.Width = 0 },
		"lnln: width is 7":        func(c *Config) { c.Width = 7 },
		"lnln: hyper_depth is -1": func(c *Config) { c.HyperDepth = -1 },
		"lnln: text.width 7":      func(c *Config) { c.Text.Width = 7 },
	})
}

// TestPresets has the numbers of the authors' code.
func TestPresets(t *testing.T) {
	bert, small := zoo.PaperText(), zoo.QuickText()
	paper := zoo.Training{Batch: 64, Accumulate: 1,
		Optimizer: "adamw", Schedule: "cosine", LR: 1e-4, WeightDecay: 1e-4,
		Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-4, WeightDecay: 1e-4}},
		Epochs: map[string]int{"train": 200}}
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi": {Config: &Config{
			Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, HyperHeadWidth: 16,
			FeedForward: 128, Depth: 2, HyperDepth: 3, FusionDepth: 2, Text: bert,
			Loss: LossConfig{Completeness: 0.9, Adversarial: 0.8, Reconstruction: 0.1,
				Sentiment: 1}}, Training: paper},
		"mosei": {Config: &Config{
			Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, HyperHeadWidth: 16,
			FeedForward: 128, Depth: 2, HyperDepth: 3, FusionDepth: 4, Text: bert,
			Loss: LossConfig{Completeness: 0.9, Adversarial: 0.8, Reconstruction: 0.1,
				Sentiment: 1}}, Training: paper},
		"sims": {Config: &Config{
			Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, HyperHeadWidth: 16,
			FeedForward: 128, Depth: 2, HyperDepth: 3, FusionDepth: 4, Text: bert,
			Loss: LossConfig{Completeness: 0.9, Adversarial: 0.6, Reconstruction: 0.1,
				Sentiment: 1}}, Training: paper},
	}, zootest.Preset{Config: &Config{
		Width: 64, Tokens: 8, Heads: 4, HeadWidth: 16, HyperHeadWidth: 16,
		FeedForward: 64, Depth: 2, HyperDepth: 3, FusionDepth: 2, Text: small,
		Loss: LossConfig{Completeness: 0.9, Adversarial: 0.8, Reconstruction: 0.1,
			Sentiment: 1}},
		Training: zoo.Training{Batch: 64, Accumulate: 1,
			Optimizer: "adamw", Schedule: "cosine-positive", LR: 1e-3, WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-4}},
			Epochs: map[string]int{"train": 30}}})
}

// derivatives returns the derivative of a loss along a random direction in the space of the
// parameters, by Backward and by differences. They differ where the gradient is reversed, because
// there is no ag.FrozenReplay here.
func derivatives(params []*ag.Tensor, loss func(tp *ag.Tape) *ag.Tensor) (backward, truth float64) {
	tp := ag.NewTape(params[0].Device())
	eval := func() *ag.Tensor {
		tp.Reset()
		tp.Seed(1)
		return loss(tp)
	}
	grads := tp.Backward(eval())
	along := gradcheck.UnitDirection(params)
	at := make([][]float64, len(params))
	for i, p := range params {
		at[i] = p.Values()
		if g := grads[p]; g != nil {
			for j, v := range g.Values() {
				backward += v * along[i][j]
			}
		}
	}
	moved := func(h float64) float64 {
		for i, p := range params {
			v := slices.Clone(at[i])
			for j := range v {
				v[j] += h * along[i][j]
			}
			p.Assign(v)
		}
		return eval().Item()
	}
	const h = 1e-5
	truth = (8*(moved(h)-moved(-h)) - (moved(2*h) - moved(-2*h))) / (12 * h)
	moved(0)
	return backward, truth
}

// TestReversal checks that the gradient of P is reversed, and no other: the table p and the
// generator are trained to increase every loss that depends on P, as are audio and vision for
// L_adv, which depends on them through P only. All other parameters decrease the losses, also
// through w and U_l. Where Backward agrees with the difference quotient no tensor is detached: the
// targets C_m have gradients too.
func TestReversal(t *testing.T) {
	m, p := zootest.New(t, &Spec, tiny(), "cpu64", zootest.TinyDims)
	zoo.Perturb(p.All(), 0.2, rand.New(rand.NewPCG(2, 2))) // a norm maps a table of ones to zeros
	b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 6, 1)
	for _, c := range []struct {
		term, part string
		sign       float64
	}{
		{"adv", "proxy.start", -1}, {"adv", "proxy.generate", -1}, {"adv", "embed.a", -1},
		{"adv", "embed.v", -1},
		{"sp", "proxy.start", -1}, {"sp", "proxy.generate", -1},
		{"adv", "completeness", 1}, {"adv", "embed.l", 1}, {"adv", "text", 1},
		{"adv", "discriminator", 1},
		{"sp", "completeness", 1}, {"sp", "embed.l", 1}, {"sp", "text", 1},
		{"sp", "language", 1}, {"sp", "hyper", 1}, {"sp", "fusion", 1}, {"sp", "score", 1},
		{"cc", "completeness", 1}, {"cc", "embed.l", 1}, {"cc", "text", 1},
		{"rec", "reconstruct", 1}, {"rec", "embed", 1}, {"rec", "text", 1},
	} {
		var part []*ag.Tensor
		for _, x := range p.All() {
			if strings.HasPrefix(x.Name, c.part) {
				part = append(part, x.Tensor)
			}
		}
		backward, truth := derivatives(part, func(tp *ag.Tape) *ag.Tensor {
			terms, _ := m.Phases()[0].Passes[0].Terms(tp, b)
			return terms[slices.IndexFunc(terms, func(x zoo.Term) bool {
				return x.Name == c.term
			})].Loss
		})
		if math.Abs(truth) < 1e-6 || math.Abs(backward-c.sign*truth) > 1e-6*math.Abs(truth) {
			t.Errorf("along %s the derivative of %s is %.9g, and Backward has %.9g; want %+.0f "+
				"times it", c.part, c.term, truth, backward, c.sign)
		}
	}
}

func TestAgreesWithPyTorch(t *testing.T) {
	var want zootest.Golden
	zootest.ReadGolden(t, "lnln", &want)
	c := &Config{Width: 4, Tokens: 2, Heads: 2, HeadWidth: 3, HyperHeadWidth: 2, FeedForward: 5,
		Depth: 2, HyperDepth: 3, FusionDepth: 2,
		Text: zoo.TextConfig{Finetune: true, Width: 6, Layers: 1, Heads: 2, FeedForward: 5},
		Loss: LossConfig{0.9, 0.8, 0.1, 1}}
	d := zoo.Dims{Vocab: 9, TextT: 4, AudioT: 5, AudioD: 3, VisionT: 3, VisionD: 2,
		Range: [2]float64{-3, 3}}
	for device, tol := range zootest.GoldenDevices {
		t.Run(device, func(t *testing.T) {
			m, p := zootest.New(t, &Spec, c, device, d)
			dev := p.Device()
			b := &zoo.Batch{
				Corrupted: zootest.Tokens(dev, 4, 2, 1, 8, 3, 2, 1, 3, 0, 2, 6, 1, 3),
				Complete:  zootest.Tokens(dev, 4, 2, 5, 8, 3, 2, 7, 3, 0, 2, 6, 4, 3),
				Label:     zootest.NoiseTensor(dev, 1005, 3),
				MissingRates: ag.NewTensor(dev,
					[]float64{0.4, 0.2, 0.7, 0.9, 0.1, 0.3, 0, 0.5, 0.6}, 3, 3),
			}
			b.Corrupted.Audio, b.Corrupted.Vision = zootest.NoiseTensor(dev, 1001,
				3, 5, 3), zootest.NoiseTensor(dev, 1002, 3, 3, 2)
			b.Complete.Audio, b.Complete.Vision = zootest.NoiseTensor(dev, 1003,
				3, 5, 3), zootest.NoiseTensor(dev, 1004, 3, 3, 2)
			want.Agrees(t, tol, m, p, b)
		})
	}
}
