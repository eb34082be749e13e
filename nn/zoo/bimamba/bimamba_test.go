package bimamba

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// TestModel checks a model whose modalities are squeezed into tokens.
func TestModel(t *testing.T) { zootest.Run(t, &Spec, tiny) }

func TestClasses(t *testing.T) { zootest.ClassesAre(t, &Spec, tiny()) }

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text embed class_token positions blocks norm score",
		"phase train: batches of 1 or more; labels true, complete input false, keep masks"+
			" false",
		"pass : text embed class_token positions blocks norm score; terms task",
		"groups of pass  with a pretrained text encoder: text 21")
}

// TestModelOfWholeSequences checks the model that reads them step by step.
func TestModelOfWholeSequences(t *testing.T) {
	zootest.Run(t, &Spec, func() zoo.Config {
		c := tiny().(*Config)
		c.Tokens = 0
		return c
	})
}

func tiny() zoo.Config {
	return &Config{Text: zootest.TinyText(), Tokens: 3, Width: 8, Blocks: 2, Expand: 2, State: 3,
		Embed: EmbedConfig{Heads: 2, HeadWidth: 3, FeedForward: 5, Depth: 2}}
}

// squeezed is the model with the preset "paper" in which each modality is squeezed into 8 tokens.
func squeezed() *zoo.Spec {
	s := Spec
	s.Preset = func(name, dataset string) (zoo.Config, zoo.Training) {
		c, t := preset(name, dataset)
		c.(*Config).Tokens = 8
		return c, t
	}
	return &s
}

// TestParameters has the counts of independent programs, besides BERT. Those of squeezed modalities
// are without the shifts of the three norms of keys, 128 each, which have no effect.
func TestParameters(t *testing.T) {
	for dataset, want := range map[string]int{"mosi": 759937, "mosei": 786689, "sims": 796545} {
		if _, got := zootest.PaperSizes(&Spec, dataset); got != want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want)
		}
	}
	for dataset, want := range map[string]int{"mosi": 1658113, "mosei": 1684865, "sims": 1694721} {
		if _, got := zootest.PaperSizes(squeezed(), dataset); got != want-3*128 {
			t.Errorf("%s, squeezed: %d numbers besides BERT, want %d", dataset, got, want-3*128)
		}
	}
}

// TestClassToken checks where the class token is: between the middle tokens of the text.
func TestClassToken(t *testing.T) {
	for _, c := range []struct{ tokens, text, audio, vision, want int }{
		{0, 50, 375, 500, 525}, {0, 39, 400, 55, 74}, {0, 1, 1, 1, 1}, {8, 50, 375, 500, 12},
		{8, 39, 400, 55, 12}, {3, 5, 7, 6, 4},
	} {
		config, d := tiny().(*Config), zootest.TinyDims
		config.Tokens, d.TextT, d.AudioT, d.VisionT = c.tokens, c.text, c.audio, c.vision
		m, p := zootest.New(t, &Spec, config, "cpu", d)
		if got := m.(*model).at; got != c.want {
			t.Errorf("%+v: the class token is step %d", c, got)
		}
		in := zoo.RandomBatch(p.Device(), &d, 2, 1).Corrupted
		x := m.(*model).sequence(ag.NewInferenceTape(p.Device()), in)
		class, positions := m.(*model).class.Values(), m.(*model).positions.Values()
		first := c.want * config.Width
		for i, v := range x.Values()[first:][:config.Width] {
			if want := class[i] + positions[first+i]; math.Abs(v-want) > 1e-6 {
				t.Errorf("%+v: element %d of step %d is %g, want the class token's %g", c, i,
					c.want, v, want)
			}
		}
	}
}

// TestInit checks initial values. A uniform distribution on (−b, b) has standard deviation b/√3.
func TestInit(t *testing.T) {
	uniform := func(fanIn float64) float64 { return 1 / math.Sqrt(3*fanIn) }
	check := func(p *nn.Params, want map[string]float64) {
		t.Helper()
		for _, x := range p.All() {
			sd, ok := want[x.Name]
			if !ok {
				continue
			}
			delete(want, x.Name)
			got := math.Sqrt(x.Dot(x.Tensor) / float64(x.Len()))
			if !(math.Abs(got-sd) <= 3*sd/math.Sqrt(2*float64(x.Len()))) {
				t.Errorf("%s has standard deviation %g, want %g", x.Name, got, sd)
			}
		}
		if len(want) > 0 {
			t.Errorf("there are no parameters %v", want)
		}
	}
	common := func(more map[string]float64) map[string]float64 {
		more["class_token"], more["positions"], more["score.weight"] = 0.02, 0.02, 0.02
		more["score.bias"], more["blocks.3.mixer.dt_proj_b.bias"] = 0, 0
		more["blocks.3.norm.weight"], more["norm.weight"] = 1, 1
		more["blocks.3.mixer.out_proj.weight"] = uniform(256) / 2 // divided by √4
		return more
	}
	p := zootest.PaperParams(t, &Spec, "mosi")
	check(p, common(map[string]float64{"embed.l.weight": uniform(768),
		"embed.a.weight": uniform(5), "embed.v.weight": uniform(20), "embed.l.bias": 0,
		"embed.a.bias": 0, "embed.v.bias": 0}))
	p = zootest.PaperParams(t, squeezed(), "mosi")
	check(p, common(map[string]float64{"embed.l.project.bias": uniform(768),
		"embed.a.project.weight": uniform(5), "embed.v.project.bias": uniform(20),
		"embed.l.encode.positions": 1, "embed.l.encode.tokens": 0}))
}

// TestReadsPadding checks that a step after the end of a recording changes the prediction.
func TestReadsPadding(t *testing.T) {
	for _, tokens := range []int{0, 3} {
		c := tiny().(*Config)
		c.Tokens = tokens
		m, p := zootest.New(t, &Spec, c, "cpu64", zootest.TinyDims)
		in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 2, 1).Corrupted
		in.AudioLen, in.VisionLen = []int{1, 1}, []int{1, 1}
		score := m.Predict(ag.NewInferenceTape(p.Device()), in).Score.Values()
		audio := in.Audio.Values()
		audio[len(audio)-1]++ // of the last step
		in.Audio = ag.NewTensor(p.Device(), audio, in.Audio.Shape()...)
		other := m.Predict(ag.NewInferenceTape(p.Device()), in).Score.Values()
		if score[0] != other[0] || score[1] == other[1] {
			t.Errorf("%d tokens: scores %v, and %v with another last frame of sample 1", tokens,
				score, other)
		}
	}
}

// TestGroups checks that weight decay acts on all parameters by default, and by Vim's rule on
// matrices but the class token and its sequence's positions.
func TestGroups(t *testing.T) {
	c := tiny().(*Config)
	for text, d := range map[string]zoo.Dims{"scratch": zootest.TinyDims,
		"pretrained": zootest.TinyBERT()} {
		c.VimDecay = false
		m, _ := zootest.New(t, &Spec, c, "cpu", d)
		if got := len(m.Phases()[0].Passes[0].Groups); got != len(m.TextEncoder().Groups()) {
			t.Errorf("%s: %d groups, want that of a pretrained text encoder", text, got)
		}
		c.VimDecay = true
		m, p := zootest.New(t, &Spec, c, "cpu", d)
		decays, group := map[*ag.Tensor]bool{}, map[*ag.Tensor]string{}
		for _, x := range p.All() {
			decays[x.Tensor] = true
		}
		for _, g := range m.Phases()[0].Passes[0].Groups {
			for _, x := range g.Params {
				decays[x.Tensor], group[x.Tensor] = !g.NoDecay, group[x.Tensor]+g.Name
			}
		}
		for _, x := range p.All() {
			want := len(x.Shape()) > 1 && x.Name != "class_token" && x.Name != "positions"
			if decays[x.Tensor] != want {
				t.Errorf("%s: weight decay of %s %v: %t", text, x.Name, x.Shape(), !want)
			}
			name := map[bool]string{true: "", false: "undecayed"}[want]
			if text == "pretrained" && strings.HasPrefix(x.Name, "text.") {
				name = "text"
			}
			if group[x.Tensor] != name {
				t.Errorf("%s: %s is in group %q, want %q", text, x.Name, group[x.Tensor], name)
			}
		}
	}
}

// TestUndecayed counts the numbers without weight decay by Vim's rule, besides BERT's: 14,721 with
// the shifts of the norms of keys.
func TestUndecayed(t *testing.T) {
	p := zootest.PaperParams(t, squeezed(), "mosi")
	n := 0
	for _, x := range p.All() {
		if !strings.HasPrefix(x.Name, "text.") && !vimDecays(x.Name) {
			n += x.Len()
		}
	}
	if n != 14721-3*128 {
		t.Errorf("%d numbers have no weight decay, want %d", n, 14721-3*128)
	}
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"bi-mamba: tokens is -1":           func(c *Config) { c.Tokens = -1 },
		"bi-mamba: width is 0":             func(c *Config) { c.Width = 0 },
		"bi-mamba: blocks is 0":            func(c *Config) { c.Blocks = 0 },
		"bi-mamba: expand is 0":            func(c *Config) { c.Expand = 0 },
		"bi-mamba: state is 0":             func(c *Config) { c.State = 0 },
		"bi-mamba: embed.heads is 0":       func(c *Config) { c.Embed.Heads = 0 },
		"bi-mamba: embed.depth is 101":     func(c *Config) { c.Embed.Depth = 101 },
		"bi-mamba: embed.head_width is -2": func(c *Config) { c.Embed.HeadWidth = -2 },
		"bi-mamba: text.width 7":           func(c *Config) { c.Text.Width = 7 },
	})
}

// TestPresets has our sizes and the training of LNLN's protocol.
func TestPresets(t *testing.T) {
	training := func(schedule string, lr, textLR float64, epochs int) zoo.Training {
		return zoo.Training{Batch: 64, Accumulate: 1, Optimizer: "adamw", Schedule: schedule,
			LR: lr, WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: textLR, WeightDecay: 1e-4}},
			Epochs: map[string]int{"train": epochs}}
	}
	paper := zootest.Preset{Config: &Config{Text: zoo.PaperText(), Width: 128, Blocks: 4,
		Expand: 2, State: 16,
		Embed: EmbedConfig{Heads: 8, HeadWidth: 64, FeedForward: 128, Depth: 1}},
		Training: training("cosine", 1e-4, 1e-4, 200)}
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{"mosi": paper, "mosei": paper,
		"sims": paper}, zootest.Preset{Config: &Config{Text: zoo.QuickText(), Tokens: 8,
		Width: 64, Blocks: 2, Expand: 2, State: 8,
		Embed: EmbedConfig{Heads: 4, HeadWidth: 16, FeedForward: 64, Depth: 1}},
		Training: training("cosine-positive", 1e-3, 5e-5, 30)})
}

// goldenBatch returns the utterances of testdata/make_bimamba.py.
func goldenBatch(dev ag.Device) *zoo.Batch {
	d := &zootest.TinyDims
	in := zootest.Sentences(dev, 5, 3, 4, 1)
	audio := agtest.Noise(1003, 4*d.AudioT*d.AudioD)
	clear(audio[(d.AudioT+4)*d.AudioD : 2*d.AudioT*d.AudioD])
	vision := agtest.Noise(1004, 4*d.VisionT*d.VisionD)
	clear(vision[2*d.VisionT*d.VisionD : 3*d.VisionT*d.VisionD])
	in.Audio = ag.NewTensor(dev, audio, 4, d.AudioT, d.AudioD)
	in.Vision = ag.NewTensor(dev, vision, 4, d.VisionT, d.VisionD)
	return &zoo.Batch{Corrupted: in, Label: ag.NewTensor(dev, []float64{-1, 0.5, -2, 1.25}, 4)}
}

// TestAgreesWithPyTorch compares both kinds of model.
func TestAgreesWithPyTorch(t *testing.T) {
	var want struct{ Squeezed, Whole zootest.Golden }
	zootest.ReadGolden(t, "bimamba", &want)
	for device, tol := range zootest.GoldenDevices {
		for tokens, golden := range map[int]*zootest.Golden{3: &want.Squeezed, 0: &want.Whole} {
			t.Run(fmt.Sprintf("%s/%d tokens", device, tokens), func(t *testing.T) {
				c := tiny().(*Config)
				c.Tokens = tokens
				c.Width, c.Text.Dropout, c.Text.FeedForward = 4, 0, 6
				m, p := zootest.New(t, &Spec, c, device, zootest.TinyDims)
				golden.Agrees(t, tol, m, p, goldenBatch(p.Device()))
			})
		}
	}
}

// TestPlanHasGroups checks that the groups of a model without values are those of the model.
func TestPlanHasGroups(t *testing.T) {
	c := tiny().(*Config)
	c.VimDecay = true
	m, _ := zootest.New(t, &Spec, c, "cpu", zootest.TinyDims)
	planned, _ := nn.PlanParams()
	names := func(m zoo.Model) (all []string) {
		for _, g := range m.Phases()[0].Passes[0].Groups {
			for _, x := range g.Params {
				all = append(all, g.Name+" "+x.Name)
			}
		}
		return all
	}
	if got := names(Spec.New(planned, c, zootest.TinyDims)); !slices.Equal(got, names(m)) {
		t.Errorf("groups %q of a plan", got)
	}
}
