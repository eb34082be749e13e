package almt

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
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
		"predict: text embed language hyper fusion score",
		"phase train: batches of 1 or more; labels true, complete input false, keep masks"+
			" false",
		"pass : text embed language hyper fusion score; terms task",
		"groups of pass  with a pretrained text encoder: text 21")
}

func tiny() zoo.Config {
	return &Config{Text: zootest.TinyText(), Width: 8, Tokens: 4, Heads: 2, HeadWidth: 4,
		HyperHeadWidth: 3, FeedForward: 6, Depth: 2, HyperDepth: 3, FusionDepth: 2}
}

// TestParameters counts those of the paper's presets, without the text encoder, and lays them
// beside the authors' code's: there each block of attention has d more, the shift of LN_k, and the
// fusion n·d, the positions of language.
func TestParameters(t *testing.T) {
	const embed, language = 3, 2 // blocks
	for dataset, want := range map[string]struct{ ours, theirs, fusion int }{
		"mosi": {2601729, 2603649, 2}, "mosei": {3220865, 3223041, 4},
		"sims": {3230721, 3232897, 4}} {
		_, got := zootest.PaperSizes(&Spec, dataset)
		if got != want.ours {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want.ours)
		}
		if got += 128*(embed+language+want.fusion) + 8*128; got != want.theirs {
			t.Errorf("%s: %d numbers with those without effect, want %d", dataset, got,
				want.theirs)
		}
	}
	p, _ := zootest.PaperSizes(&Spec, "mosi")
	for name, part := range map[string]struct{ theirs, without int }{
		"embed.l": {403200, 128}, "embed.a": {347136, 128}, "embed.v": {365056, 128},
		"language": {593664, 2 * 128}, "hyper": {1024 + 298368, 0},
		"fusion": {595072, (2 + 8) * 128}, "score": {129, 0},
	} {
		if got := p.Sub(name).Count() + part.without; got != part.theirs {
			t.Errorf("%s has %d numbers, want %d", name, got, part.theirs)
		}
	}
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"almt: width is 0":        func(c *Config) { c.Width = 0 },
		"almt: hyper_depth is -1": func(c *Config) { c.HyperDepth = -1 },
		"almt: text.width 7":      func(c *Config) { c.Text.Width = 7 },
	})
}

// TestPresets has the numbers of the authors' code.
func TestPresets(t *testing.T) {
	paper := func(fusionDepth int) zootest.Preset {
		return zootest.Preset{Config: &Config{Text: zoo.PaperText(), Width: 128, Tokens: 8,
			Heads: 8, HeadWidth: 64, HyperHeadWidth: 16, FeedForward: 128, Depth: 1,
			HyperDepth: 3, FusionDepth: fusionDepth},
			Training: zoo.Training{Batch: 64, Accumulate: 1, Optimizer: "adamw",
				Schedule: "cosine", LR: 1e-4, WeightDecay: 1e-4,
				Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-4, WeightDecay: 1e-4}},
				Epochs: map[string]int{"train": 200}}}
	}
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi": paper(2), "mosei": paper(4), "sims": paper(4),
	}, zootest.Preset{Config: &Config{Text: zoo.QuickText(), Width: 64, Tokens: 8, Heads: 4,
		HeadWidth: 16, HyperHeadWidth: 16, FeedForward: 64, Depth: 1, HyperDepth: 3,
		FusionDepth: 2},
		Training: zoo.Training{Batch: 64, Accumulate: 1, Optimizer: "adamw",
			Schedule: "cosine-positive", LR: 1e-3, WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-4}},
			Epochs: map[string]int{"train": 30}}})
}

// TestInit checks the initial values of what is no layer of nn: tokens and the class token are 0,
// the hyper-modality is 1, positions are from N(0, 1), and the projections of the hyper-modality
// from U(−1/√d, 1/√d). The norms of the first layer map ones to their shift, 0.
func TestInit(t *testing.T) {
	p := zootest.PaperParams(t, &Spec, "mosi")
	for _, x := range p.All() {
		sd, mean, largest := 0.0, 0.0, 0.0 // sd: √ of the mean square
		switch {
		case strings.HasSuffix(x.Name, ".tokens"), x.Name == "fusion.class":
		case x.Name == "hyper.start":
			sd, mean = 1, 1
		case strings.HasSuffix(x.Name, ".positions"), x.Name == "fusion.target",
			x.Name == "fusion.source":
			sd = 1
		case strings.HasPrefix(x.Name, "hyper.") && len(x.Shape()) == 2:
			largest = 1 / math.Sqrt(128)
			sd = largest / math.Sqrt(3)
		default:
			continue
		}
		v, n := x.Values(), float64(x.Len())
		sum := 0.0
		for _, y := range v {
			sum += y
		}
		got := math.Sqrt(x.Dot(x.Tensor) / n)
		if math.Abs(got-sd) > 3*sd/math.Sqrt(2*n) || math.Abs(sum/n-mean) > 3*sd/math.Sqrt(n) {
			t.Errorf("%s has mean %g and mean square %g², want %g and %g²", x.Name, sum/n, got,
				mean, sd)
		}
		if largest > 0 && slices.Max(v) > largest {
			t.Errorf("%s has a weight of %g, want at most %g", x.Name, slices.Max(v), largest)
		}
	}
}

// TestFirstStep checks the gradients at the initial values: the scale of the first norm of the
// hyper-modality has none, since rows of ones have no variance, and all other parameters have one.
func TestFirstStep(t *testing.T) {
	m, p := zootest.New(t, &Spec, tiny(), "cpu64", zootest.TinyDims)
	tp := ag.NewTape(p.Device())
	terms, _ := m.Phases()[0].Passes[0].Terms(tp,
		zoo.RandomBatch(p.Device(), &zootest.TinyDims, 16, 1))
	var zero []string
	for _, i := range gradcheck.ZeroGradient(tp.Backward(zoo.Total(tp, terms)), p.Tensors()) {
		zero = append(zero, p.All()[i].Name)
	}
	if want := []string{"hyper.layers.0.norm_h.weight"}; !slices.Equal(zero, want) {
		t.Errorf("without gradient: %v, want %v", zero, want)
	}
}

// TestGroups checks that a pretrained text encoder has a learning rate of its own, that one from
// scratch has none, and that a frozen one is not trained.
func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		pretrained, finetune bool
		group                string
		trained              bool
	}{
		"from scratch": {false, true, "", true}, "pretrained": {true, true, "text", true},
		"frozen": {true, false, "", false},
	} {
		config, d := tiny().(*Config), zootest.TinyDims
		if c.pretrained {
			config.Text.BERT, config.Text.Finetune, d = "somewhere", c.finetune, zootest.TinyBERT()
		}
		m, p := zootest.New(t, &Spec, config, "cpu", d)
		pass := m.Phases()[0].Passes[0]
		of := map[string]string{}
		for _, g := range pass.Groups {
			if g.NoDecay {
				t.Errorf("%s: a group %q without weight decay, want none", name, g.Name)
			}
			for _, x := range g.Params {
				of[x.Name] = g.Name
			}
		}
		for _, x := range p.All() {
			trained, group := true, ""
			if strings.HasPrefix(x.Name, "text.") {
				trained, group = c.trained, c.group
			}
			if slices.Contains(pass.Params, x) != trained || of[x.Name] != group {
				t.Errorf("%s: %s is trained: %v, in group %q; want %v, %q", name, x.Name,
					slices.Contains(pass.Params, x), of[x.Name], trained, group)
			}
		}
	}
}

// scoresOf returns the predictions for an input.
func scoresOf(m zoo.Model, in *zoo.Input) []float64 {
	return m.Predict(ag.NewInferenceTape(in.Audio.Device()), in).Score.Values()
}

// TestReadsPadding checks that frames and tokens of padding are read: there is no mask outside
// BERT. A token of padding changes the features of padding only.
func TestReadsPadding(t *testing.T) {
	m, p := zootest.New(t, &Spec, tiny(), "cpu64", zootest.TinyDims)
	zoo.Perturb(p.All(), 0.3, rand.New(rand.NewPCG(2, 2)))
	in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 1, 1).Corrupted
	mask := []float64{1, 1, 1, 0, 0}
	in.Mask = ag.NewTensor(p.Device(), mask, 1, 5)
	before := scoresOf(m, in)
	in.IDs[4] = 1 + (in.IDs[4]+1)%(zootest.TinyDims.Vocab-1)
	if after := scoresOf(m, in); math.Abs(after[0]-before[0]) < 1e-9 {
		t.Errorf("another token of padding changes the score from %.12g to %.12g", before, after)
	}
	before = scoresOf(m, in)
	frames := in.Audio.Values()
	in.AudioLen = []int{4}
	frames[len(frames)-1]++
	in.Audio.Assign(frames)
	if after := scoresOf(m, in); math.Abs(after[0]-before[0]) < 1e-9 {
		t.Errorf("another frame of padding changes the score from %.12g to %.12g", before, after)
	}
}

// TestOneFrame checks a data set whose utterances have one frame of audio and of vision: it is
// read.
func TestOneFrame(t *testing.T) {
	d := zootest.TinyDims
	d.AudioT, d.VisionT = 1, 1
	m, p := zootest.New(t, &Spec, tiny(), "cpu64", d)
	zoo.Perturb(p.All(), 0.1, rand.New(rand.NewPCG(1, 6)))
	in := zoo.RandomBatch(p.Device(), &d, 1, 1).Complete
	other := zoo.RandomBatch(p.Device(), &d, 1, 2).Complete
	before, audio, vision := scoresOf(m, in), *in, *in
	audio.Audio, vision.Vision = other.Audio, other.Vision
	for name, changed := range map[string]zoo.Input{"audio": audio, "vision": vision} {
		if after := scoresOf(m, &changed); math.Abs(after[0]-before[0]) < 1e-5 {
			t.Errorf("other %s changes the score from %.12g to %.12g", name, before, after)
		}
	}
}

// TestEncoder compares with the Transformer of its own layers, without tokens and with them.
func TestEncoder(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	c := nn.TransformerConfig{Width: 4, Heads: 2, HeadWidth: 3, FeedForward: 5, Depth: 2}
	for _, tokens := range []int{0, 1, 2} {
		p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
		e := NewEncoder(p, c, tokens, 5)
		zoo.Perturb(p.All(), 0.3, rand.New(rand.NewPCG(2, 2)))
		tp, x := ag.NewTape(dev), zootest.NoiseTensor(dev, 1, 3, 5, 4)
		in, n := x, 5
		if tokens > 0 {
			in, n = tp.Concat(1, tp.Stack(0, e.tokens, e.tokens, e.tokens), x), tokens
		}
		y := e.transformer.Forward(tp, tp.Add(in, e.positions))
		want := tp.Slice(y, 1, 0, n).Values()
		zootest.Close(t, "encoder", 1e-12, e.Forward(tp, x).Values(), want)
	}
}

// TestFusion compares with the Transformer of its own layers, with and without rows of language.
func TestFusion(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	c := nn.TransformerConfig{Width: 4, Heads: 2, HeadWidth: 3, FeedForward: 5, Depth: 2}
	for _, words := range []int{0, 2} {
		p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
		f := NewFusion(p, c, words, 3)
		zoo.Perturb(p.All(), 0.3, rand.New(rand.NewPCG(2, 2)))
		tp, hyper := ag.NewTape(dev), zootest.NoiseTensor(dev, 1, 2, 3, 4)
		class := tp.Stack(0, f.class, f.class) // [2 1 4]
		target, language := class, (*ag.Tensor)(nil)
		if words > 0 {
			language = zootest.NoiseTensor(dev, 2, 2, words, 4)
			target = tp.Concat(1, class, language)
		}
		want := f.transformer.Cross(tp, tp.Add(target, f.target),
			tp.Add(tp.Concat(1, class, hyper), f.source))
		got := f.Forward(tp, language, hyper)
		if !slices.Equal(got.Shape(), []int{2, 1 + words, 4}) {
			t.Errorf("%d words: shape %v", words, got.Shape())
		}
		zootest.Close(t, "fusion", 1e-12, got.Values(), want.Values())
	}
}

// fixtureBatch returns the utterances of testdata/make_almt.py.
func fixtureBatch(dev ag.Device) *zoo.Batch {
	d := &zootest.TinyDims
	in := zootest.Sentences(dev, 5, 3, 1)
	in.Audio = zootest.NoiseTensor(dev, 1001, 3, d.AudioT, d.AudioD)
	size := d.VisionT * d.VisionD
	vision := agtest.Noise(1002, 3*size)
	clear(vision[size:][:size])
	in.Vision = ag.NewTensor(dev, vision, 3, d.VisionT, d.VisionD)
	return &zoo.Batch{Corrupted: in, Label: zootest.NoiseTensor(dev, 1003, 3), Epoch: 1}
}

func TestAgreesWithPyTorch(t *testing.T) {
	var want zootest.Golden
	zootest.ReadGolden(t, "almt", &want)
	c := &Config{Text: zoo.TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2,
		FeedForward: 6}, Width: 4, Tokens: 2, Heads: 2, HeadWidth: 3, HyperHeadWidth: 2,
		FeedForward: 5, Depth: 1, HyperDepth: 3, FusionDepth: 2}
	for device, tol := range zootest.GoldenDevices {
		t.Run(device, func(t *testing.T) {
			m, p := zootest.New(t, &Spec, c, device, zootest.TinyDims)
			want.Agrees(t, tol, m, p, fixtureBatch(p.Device()))
		})
	}
}
