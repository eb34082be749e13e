package tfrnet

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

func TestModel(t *testing.T) { zootest.Run(t, &Spec, tiny) }

func TestClasses(t *testing.T) { zootest.ClassesAre(t, &Spec, tiny()) }

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text encode summary head",
		"phase train: batches of 2 or more; labels true, complete input true, keep masks "+
			"true",
		"pass : text encode summary head reconstruct; terms task rec_l rec_a rec_v",
		"groups of pass  with a pretrained text encoder: text 9 text 12")
}

func tiny() zoo.Config {
	return &Config{Text: zootest.TinyText(), Width: 4, Heads: 2, Layers: 1, CrossLayers: 1,
		Language:  ModalityConfig{Kernel: 1, Attention: 0.01, GRU: 4, Weight: 0.05},
		Audio:     ModalityConfig{Kernel: 5, Attention: 0.02, GRU: 3, Weight: 0.04},
		Vision:    ModalityConfig{Kernel: 3, Attention: 0.03, GRU: 5, Weight: 0.03},
		GRULayers: 1, Hidden: 10,
		Dropout: DropoutConfig{Text: 0.01, Embed: 0.01, ReLU: 0.01, Residual: 0.01,
			Summary: 0.01, Head: 0.01},
		Reconstruction: ReconstructionConfig{Axis: "batch", Heads: 3, CMD: 5}}
}

// TestParameters has the counts of MMSA's modules besides BERT.
func TestParameters(t *testing.T) {
	for dataset, want := range map[string]int{"mosi": 14850620, "mosei": 18812589,
		"sims": 6668422} {
		if _, got := zootest.PaperSizes(&Spec, dataset); got != want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want)
		}
	}
}

// TestAgreesWithPyTorch has two cases: the attention of the reconstruction runs over the batch, or
// over channels; in the latter vision has the width of the encoders, so that it is not projected.
// A bias before the batch norm has nearly no gradient: what is left in float32 is mostly rounding.
func TestAgreesWithPyTorch(t *testing.T) {
	var cases map[string]*struct {
		zootest.Golden
		Running []float64
	}
	zootest.ReadGolden(t, "tfr_net", &cases)
	for device, tol := range zootest.GoldenDevices {
		for axis, golden := range cases {
			t.Run(device+"/"+axis, func(t *testing.T) {
				c, d := goldenModel(axis)
				m, p := zootest.New(t, &Spec, c, device, d)
				norm := m.(*model).norm
				norm.Mean.Assign(agtest.Noise(2001, norm.Mean.Len()))
				variance := agtest.Noise(2002, norm.Var.Len())
				for i := range variance {
					variance[i]++
				}
				norm.Var.Assign(variance)
				if device == "cpu" {
					tol.Gradient *= 2
				}
				golden.Agrees(t, tol, m, p, goldenBatch(p.Device(), &d))
				zootest.Close(t, "running statistics", tol.Value,
					append(norm.Mean.Values(), norm.Var.Values()...), golden.Running)
			})
		}
	}
}

// goldenModel returns the model of make_tfr_net.py.
func goldenModel(axis string) (*Config, zoo.Dims) {
	c := &Config{Text: zoo.TextConfig{Finetune: true, Width: 6, Layers: 1, Heads: 2,
		FeedForward: 5}, Width: 4, Heads: 2, Layers: 1, CrossLayers: 2,
		Language:  ModalityConfig{Kernel: 1, GRU: 3, Weight: 0.2},
		Audio:     ModalityConfig{Kernel: 5, GRU: 2, Weight: 0.1},
		Vision:    ModalityConfig{Kernel: 3, GRU: 3, Weight: 0.3},
		GRULayers: 2, Hidden: 5,
		Reconstruction: ReconstructionConfig{Axis: axis, Heads: 3, CMD: 5}}
	d := zoo.Dims{Vocab: 11, TextT: 5, AudioT: 4, AudioD: 3, VisionT: 6, VisionD: 2,
		Range: [2]float64{-3, 3}}
	if axis == "channel" {
		c.CrossLayers, d.VisionD = 1, c.Width
	}
	return c, d
}

// goldenBatch returns the batch of make_tfr_net.py.
func goldenBatch(dev ag.Device, d *zoo.Dims) *zoo.Batch {
	b := &zoo.Batch{Label: zootest.NoiseTensor(dev, 1004, 4), Epoch: 2,
		Complete: zootest.Tokens(dev, d.TextT,
			2, 5, 10, 7, 3, 2, 7, 9, 3, 0, 2, 3, 0, 0, 0, 2, 9, 8, 3, 0),
		Corrupted: zootest.Tokens(dev, d.TextT,
			2, 1, 10, 1, 3, 2, 7, 1, 3, 0, 2, 3, 0, 0, 0, 2, 1, 1, 3, 0)}
	var kept []float64
	for i, id := range b.Complete.IDs {
		if id > 0 && id == b.Corrupted.IDs[i] {
			kept = append(kept, 1)
		} else {
			kept = append(kept, 0)
		}
	}
	b.KeepMasks[zoo.Language] = ag.NewTensor(dev, kept, 4, d.TextT)
	b.Complete.Audio, b.Corrupted.Audio, b.KeepMasks[zoo.Audio] = goldenFrames(dev, 1001,
		d.AudioD, "k.kk", "kk  ", ".kk ", "k..k")
	b.Complete.Vision, b.Corrupted.Vision, b.KeepMasks[zoo.Vision] = goldenFrames(dev, 1002,
		d.VisionD, "k...kk", "kkk   ", "k.    ", ".k.k. ")
	for _, in := range []*zoo.Input{b.Complete, b.Corrupted} {
		in.AudioLen, in.VisionLen = []int{4, 2, 3, 4}, []int{6, 3, 2, 5}
	}
	return b
}

// goldenFrames returns complete and corrupted frames and their keep mask, for one row of letters
// for each sample: k for a kept step, a point for a missing one, a space for padding.
func goldenFrames(
	dev ag.Device, number, width int, rows ...string,
) (complete, corrupted, keep *ag.Tensor) {
	steps := len(rows[0])
	x := agtest.Noise(number, len(rows)*steps*width)
	y, mask := make([]float64, len(x)), make([]float64, len(rows)*steps)
	for i, letter := range strings.Join(rows, "") {
		for j := i * width; j < (i+1)*width; j++ {
			switch letter {
			case 'k':
				x[j] *= 3
				y[j], mask[i] = x[j], 1
			case '.':
				x[j] *= 3
			default:
				x[j] = 0
			}
		}
	}
	return ag.NewTensor(dev, x, len(rows), steps, width),
		ag.NewTensor(dev, y, len(rows), steps, width), ag.NewTensor(dev, mask, len(rows), steps)
}

// newTiny returns the model without dropout, after a change of its configuration and sizes.
func newTiny(t *testing.T, change func(*Config, *zoo.Dims)) (*model, *nn.Params) {
	t.Helper()
	c, d := tiny().(*Config), zootest.TinyDims
	c.Text.Dropout, c.Dropout = 0, DropoutConfig{}
	for _, modality := range c.modalities() {
		modality.Attention = 0
	}
	change(c, &d)
	m, p := zootest.New(t, &Spec, c, "cpu64", d)
	zoo.Perturb(p.All(), 0.01, rand.New(rand.NewPCG(1, 6)))
	return m.(*model), p
}

func unchanged(*Config, *zoo.Dims) {}

// TestFirstEpochHasNoReconstruction checks that in epoch 1 no parameter of the reconstruction has a
// gradient, not even one of 0, so that it is not updated, and that the terms are 0.
func TestFirstEpochHasNoReconstruction(t *testing.T) {
	m, p := newTiny(t, unchanged)
	for epoch := 1; epoch <= 2; epoch++ {
		b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1)
		b.Epoch = epoch
		tp := ag.NewTape(p.Device())
		terms, _ := m.terms(tp, b)
		for _, term := range terms[1:] {
			v, none := term.Loss.Item(), epoch == 1
			if (term.Weight == 0) != none || (v == 0) != none {
				t.Errorf("epoch %d: %s is %g with weight %g", epoch, term.Name, v, term.Weight)
			}
		}
		grads := tp.Backward(zoo.Total(tp, terms))
		for _, x := range p.Sub("reconstruct").All() {
			if (grads[x.Tensor] == nil) != (epoch == 1) {
				t.Errorf("epoch %d: %s has a gradient: %t", epoch, x.Name, epoch == 1)
			}
		}
	}
}

// TestMissingSteps checks that M is 1 at recorded steps that are not kept, and 0 at padding.
func TestMissingSteps(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	_, d := goldenModel("batch")
	b := goldenBatch(dev, &d)
	got := missingSteps(ag.NewTape(dev), b)
	for i, want := range []string{"01010 00100 00000 01100", "0100 0000 1000 0110",
		"011100 000000 010000 101010"} {
		text := ""
		for _, v := range got[i].Values() {
			text += strconv.FormatFloat(v, 'g', -1, 64)
		}
		if s := got[i].Shape(); text != strings.ReplaceAll(want, " ", "") || len(s) != 3 {
			t.Errorf("%s: %s of shape %v, want %s", zoo.Modality(i), text, s, want)
		}
	}
}

// TestNothingMissing checks the constant that L_rec then is, and that its gradient is 0.
func TestNothingMissing(t *testing.T) {
	m, p := newTiny(t, unchanged)
	b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1)
	b.Corrupted = b.Complete
	tp := ag.NewTape(p.Device())
	b.KeepMasks = sequences{b.Complete.Mask,
		tp.UntilEnd(b.Complete.AudioLen, zootest.TinyDims.AudioT),
		tp.UntilEnd(b.Complete.VisionLen, zootest.TinyDims.VisionT)}
	terms, _ := m.terms(tp, b)
	for _, term := range terms[1:] {
		zootest.Close(t, term.Name, 1e-12, []float64{term.Loss.Item()}, []float64{0.15})
	}
	grads := tp.Backward(zoo.Total(tp, terms))
	for _, x := range p.Sub("reconstruct").All() {
		if g := grads[x.Tensor]; g == nil || g.Dot(g) != 0 {
			t.Errorf("%s: want a gradient of 0", x.Name)
		}
	}
}

// TestAttentionOfTheReconstruction checks what one sample has an effect on: with axis=batch the
// reconstructions of later samples of the batch, never those of earlier ones, and with axis=channel
// no other sample's; never the prediction of another sample.
func TestAttentionOfTheReconstruction(t *testing.T) {
	for _, axis := range []string{"batch", "channel"} {
		m, p := newTiny(t, func(c *Config, _ *zoo.Dims) { c.Reconstruction.Axis = axis })
		run := func(b *zoo.Batch) (score []float64, made []float64) {
			tp := ag.NewInferenceTape(p.Device())
			h := m.enhance(tp, b.Corrupted)
			return m.Predict(tp, b.Corrupted).Score.Values(),
				m.reconstruct[zoo.Audio].Forward(tp, h[zoo.Audio]).Values()
		}
		b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 3, 1)
		score, made := run(b)
		audio := b.Corrupted.Audio.Values()
		row := len(audio) / 3
		for i := row; i < 2*row; i++ {
			audio[i]++
		}
		b.Corrupted.Audio = ag.NewTensor(p.Device(), audio, b.Corrupted.Audio.Shape()...)
		otherScore, otherMade := run(b)
		for i, want := range []struct{ score, made bool }{{false, false}, {true, true},
			{false, axis == "batch"}} {
			changed := !slices.Equal(made[i*row:][:row], otherMade[i*row:][:row])
			if scored := score[i] != otherScore[i]; scored != want.score || changed != want.made {
				t.Errorf("%s: sample 1 changes the prediction of sample %d: %t, its "+
					"reconstruction: %t; want %t and %t", axis, i, scored, changed, want.score,
					want.made)
			}
		}
	}
}

// TestReconstructionHeads checks that there is one head where the configured number does not divide
// the steps: here 7 of audio, not 6 of vision.
func TestReconstructionHeads(t *testing.T) {
	one, p := newTiny(t, func(c *Config, _ *zoo.Dims) { c.Reconstruction.Heads = 1 })
	three, _ := newTiny(t, unchanged)
	b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1)
	first, _ := one.terms(ag.NewTape(p.Device()), b)
	second, _ := three.terms(ag.NewTape(p.Device()), b)
	for i, term := range first {
		if same := term.Loss.Item() == second[i].Loss.Item(); same == (term.Name == "rec_v") {
			t.Errorf("%s is the same with one head and with three: %t", term.Name, same)
		}
	}
}

// TestOneStep checks that a modality of one step has no reconstruction, which the warning names.
func TestOneStep(t *testing.T) {
	var d zoo.Dims
	m, p := newTiny(t, func(_ *Config, own *zoo.Dims) {
		own.AudioT, own.VisionT = 1, 1
		d = *own
	})
	terms, _ := m.terms(ag.NewTape(p.Device()), zoo.RandomBatch(p.Device(), &d, 4, 1))
	if len(terms) != 2 || terms[1].Name != "rec_l" {
		t.Errorf("terms %v, want task and rec_l", terms)
	}
	for _, x := range p.Sub("reconstruct").All() {
		if !strings.HasPrefix(x.Name, "reconstruct.l.") {
			t.Errorf("the model has %s", x.Name)
		}
	}
	for frames, want := range map[int]string{1: "task rec_l rec_v ", 2: "task rec_l rec_a rec_v "} {
		own := zootest.TinyDims
		own.AudioT = frames
		m, p := newTiny(t, func(_ *Config, d *zoo.Dims) { d.AudioT = frames })
		terms, _ := m.terms(ag.NewTape(p.Device()), zoo.RandomBatch(p.Device(), &own, 4, 1))
		got := ""
		for _, term := range terms {
			got += term.Name + " "
		}
		if got != want {
			t.Errorf("%d frames of audio: terms %s, want %s", frames, got, want)
		}
	}
	if got := m.config.WarnDims(&d); !strings.HasPrefix(got, "audio and vision: one frame") {
		t.Errorf("warning %q", got)
	}
	if m.config.WarnDims(&zootest.TinyDims) != "" {
		t.Error("a warning without a reason")
	}
}

// TestDropout checks that each dropout drops something in training, and nothing in inference.
func TestDropout(t *testing.T) {
	plain, p := newTiny(t, unchanged)
	b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1)
	losses := func(m *model) (v []float64) {
		terms, _ := m.terms(ag.NewTape(p.Device()), b)
		for _, term := range terms {
			v = append(v, term.Loss.Item())
		}
		return v
	}
	predicted := plain.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score.Values()
	want := losses(plain)
	for name, set := range map[string]func(*Config) *float64{
		"text":      func(c *Config) *float64 { return &c.Dropout.Text },
		"embed":     func(c *Config) *float64 { return &c.Dropout.Embed },
		"relu":      func(c *Config) *float64 { return &c.Dropout.ReLU },
		"residual":  func(c *Config) *float64 { return &c.Dropout.Residual },
		"summary":   func(c *Config) *float64 { return &c.Dropout.Summary },
		"head":      func(c *Config) *float64 { return &c.Dropout.Head },
		"attention": func(c *Config) *float64 { return &c.Language.Attention },
		"audio":     func(c *Config) *float64 { return &c.Audio.Attention },
		"vision":    func(c *Config) *float64 { return &c.Vision.Attention },
	} {
		m, _ := newTiny(t, func(c *Config, _ *zoo.Dims) { *set(c) = 0.5 })
		inferred := m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score.Values()
		if !slices.Equal(inferred, predicted) {
			t.Errorf("%s: inference drops", name)
		}
		changed := losses(m)
		// the head's and the summaries' dropout has no effect on the reconstruction
		branch := name == "summary" || name == "head"
		if changed[0] == want[0] || (changed[1] == want[1]) != branch {
			t.Errorf("%s: terms %v in training, without dropout %v", name, changed, want)
		}
	}
}

// TestTargetsAreWithoutDropout checks that the features of the complete text have no dropout of
// their own.
func TestTargetsAreWithoutDropout(t *testing.T) {
	m, p := newTiny(t, func(c *Config, _ *zoo.Dims) { c.Dropout.Text = 0.5 })
	in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1).Complete
	want := m.complete(ag.NewInferenceTape(p.Device()), in)[zoo.Language].Values()
	if !slices.Equal(m.complete(ag.NewTape(p.Device()), in)[zoo.Language].Values(), want) {
		t.Error("training drops features of the complete text")
	}
}

// TestAttentionDropouts checks which encoders have the attention dropout of which modality: the
// others that attend to it and, of language, also those of self-attention and reconstruction.
func TestAttentionDropouts(t *testing.T) {
	for k := range zoo.Modalities {
		m, p := newTiny(t, func(c *Config, _ *zoo.Dims) { c.modalities()[k].Attention = 0.5 })
		drops := func(f func(tp *ag.Tape) *ag.Tensor) bool {
			return !slices.Equal(f(ag.NewTape(p.Device())).Values(),
				f(ag.NewInferenceTape(p.Device())).Values())
		}
		x := zootest.NoiseTensor(p.Device(), 1, 2, 5, 4)
		for i, row := range m.encode.attend {
			for s, encoder := range row {
				want := s == k && i != k || i == s && k == int(zoo.Language)
				if got := drops(func(tp *ag.Tape) *ag.Tensor {
					return encoder.Forward(tp, x, x)
				}); got != want {
					t.Errorf("%s attends to %s with the dropout of %s: %t", zoo.Modality(i),
						zoo.Modality(s), zoo.Modality(k), got)
				}
			}
			if got := drops(func(tp *ag.Tape) *ag.Tensor {
				d := zootest.TinyDims
				steps := []int{d.TextT, d.AudioT, d.VisionT}[i]
				h := zootest.NoiseTensor(p.Device(), 2, 3, steps, 12)
				return m.reconstruct[i].Forward(tp, h)
			}); got != (k == int(zoo.Language)) {
				t.Errorf("the reconstruction of %s has the dropout of %s: %t", zoo.Modality(i),
					zoo.Modality(k), got)
			}
		}
	}
}

// TestGroups checks that BERT alone has a group, in two parts, and that the rest has none.
func TestGroups(t *testing.T) {
	m, _ := zootest.New(t, &Spec, tiny(), "cpu", zootest.TinyBERT())
	groups := m.Phases()[0].Passes[0].Groups
	if len(groups) != 2 || groups[0].NoDecay || !groups[1].NoDecay {
		t.Errorf("groups %v, want text with decay and without", groups)
	}
	for _, g := range groups {
		if g.Name != "text" {
			t.Errorf("a group is called %s", g.Name)
		}
	}
}

// TestPresets has MMSA's numbers.
func TestPresets(t *testing.T) {
	paper := func(change func(*Config, *zoo.Training)) zootest.Preset {
		c := &Config{Text: zoo.PaperText(), Width: 30, Heads: 6, Layers: 3, CrossLayers: 3,
			Language:  ModalityConfig{Kernel: 1, Attention: 0.2, GRU: 36, Weight: 5},
			Audio:     ModalityConfig{Kernel: 5, Attention: 0.1, GRU: 20, Weight: 2},
			Vision:    ModalityConfig{Kernel: 3, Attention: 0, GRU: 48, Weight: 20},
			GRULayers: 3, Hidden: 128,
			Dropout: DropoutConfig{Text: 0.2, Embed: 0.2, ReLU: 0.2, Residual: 0.2,
				Summary: 0.2, Head: 0},
			Reconstruction: ReconstructionConfig{Axis: "batch", Heads: 25, CMD: 5}}
		training := zoo.Training{Batch: 24, Accumulate: 1, Optimizer: "adam",
			Schedule: "constant", LR: 1e-3, WeightDecay: 1e-3,
			Groups:    map[string]zoo.GroupTraining{"text": {LR: 2e-6, WeightDecay: 1e-4}},
			ClipValue: 0.8, Patience: 6, Epochs: map[string]int{"train": 200}}
		change(c, &training)
		return zootest.Preset{Config: c, Training: training}
	}
	bert := map[string]zoo.GroupTraining{"text": {LR: 1e-5, WeightDecay: 1e-4}}
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi": paper(func(*Config, *zoo.Training) {}),
		"mosei": paper(func(c *Config, t *zoo.Training) {
			c.Language.Weight, c.Audio.Weight, c.Vision.Weight = 5e-6, 2e-6, 2e-5
			t.LR, t.Groups = 2e-3, bert
		}),
		"sims": paper(func(c *Config, t *zoo.Training) {
			c.CrossLayers, c.Reconstruction.Heads = 2, 1
			c.Language.Weight, c.Audio.Weight, c.Vision.Weight = 1, 0.01, 0.0001
			c.Dropout = DropoutConfig{Text: 0.2, Embed: 0.1, ReLU: 0, Residual: 0.2,
				Summary: 0.2, Head: 0.1}
			t.Batch, t.LR, t.Groups = 16, 2e-3, bert
		}),
	}, zootest.Preset{Config: &Config{Text: zoo.QuickText(), Width: 24, Heads: 4, Layers: 1,
		CrossLayers: 1, Language: ModalityConfig{Kernel: 1, Attention: 0.2, GRU: 24, Weight: 0.5},
		Audio:     ModalityConfig{Kernel: 5, Attention: 0.1, GRU: 24, Weight: 0.5},
		Vision:    ModalityConfig{Kernel: 3, Attention: 0, GRU: 24, Weight: 0.5},
		GRULayers: 1, Hidden: 64,
		Dropout: DropoutConfig{Text: 0.2, Embed: 0.2, ReLU: 0.2, Residual: 0.2,
			Summary: 0.2},
		Reconstruction: ReconstructionConfig{Axis: "batch", Heads: 4, CMD: 5}},
		Training: zoo.Training{Batch: 32, Accumulate: 1, Optimizer: "adam", Schedule: "constant",
			LR: 1e-3, WeightDecay: 1e-3,
			Groups:    map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-4}},
			ClipValue: 0.8, Epochs: map[string]int{"train": 30}}})
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"tfr-net: width is 3":               func(c *Config) { c.Width = 3 },
		"tfr-net: heads is 3":               func(c *Config) { c.Heads = 3 },
		"tfr-net: cross_layers is 0":        func(c *Config) { c.CrossLayers = 0 },
		"tfr-net: vision.kernel is 4":       func(c *Config) { c.Vision.Kernel = 4 },
		"tfr-net: audio.attention is 1":     func(c *Config) { c.Audio.Attention = 1 },
		"tfr-net: language.weight is -1":    func(c *Config) { c.Language.Weight = -1 },
		"tfr-net: dropout.head is NaN":      func(c *Config) { c.Dropout.Head = math.NaN() },
		"tfr-net: reconstruction.axis is t": func(c *Config) { c.Reconstruction.Axis = "t" },
		"tfr-net: text.width 7":             func(c *Config) { c.Text.Width = 7 },
	})
}
