package misa

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

func TestModel(t *testing.T) { zootest.Run(t, &Spec, tiny) }

func TestClasses(t *testing.T) { zootest.ClassesAre(t, &Spec, tiny()) }

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text encode project private shared mix head",
		"phase train: batches of 2 or more; labels true, complete input false, keep masks"+
			" false",
		"pass : text encode project private shared mix head reconstruct; terms task diff "+
			"sim recon",
		"groups of pass  with a pretrained text encoder: text 21")
}

func tiny() zoo.Config {
	return &Config{Text: zootest.TinyText(), Width: 16, Heads: 2, FeedForward: 8,
		TransformerDropout: 0.1, Dropout: 0.1, Lengths: "own",
		Loss: zoo.ViewWeights{Diff: 0.1, Sim: 0.3, Recon: 1}}
}

// newTiny returns the model without dropout, after a change of its configuration.
func newTiny(t *testing.T, device string, change func(*Config)) (*model, *nn.Params) {
	t.Helper()
	c := tiny().(*Config)
	c.Text.Dropout, c.TransformerDropout, c.Dropout = 0, 0, 0
	change(c)
	m, p := zootest.New(t, &Spec, c, device, zootest.TinyDims)
	return m.(*model), p
}

func textLengths(c *Config) { c.Lengths = "text" }

// TestParameters counts what the published sizes have besides BERT, less the 3588 numbers that
// nothing uses.
func TestParameters(t *testing.T) {
	for dataset, want := range map[string]int{"mosi": 1138033 - 3588, "mosei": 1435105 - 3588,
		"sims": 21664749 - 3588} {
		if _, got := zootest.PaperSizes(&Spec, dataset); got != want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want)
		}
	}
}

// TestPresets has MMSA's numbers.
func TestPresets(t *testing.T) {
	bert, small := zoo.PaperText(), zoo.QuickText()
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi": {Config: &Config{
			Text: bert, Width: 128, Heads: 2, FeedForward: 2048,
			TransformerDropout: 0.1, Dropout: 0.2, Lengths: "text",
			Loss: zoo.ViewWeights{Diff: 0.1, Sim: 0.3, Recon: 1}},
			Training: zoo.Training{Batch: 16, Accumulate: 2,
				Optimizer: "adam", Schedule: "constant", LR: 1e-4,
				Groups:    map[string]zoo.GroupTraining{"text": {LR: 1e-4}},
				ClipValue: 0.8, Patience: 8, Epochs: map[string]int{"train": 200}}},
		"mosei": {Config: &Config{
			Text: bert, Width: 128, Heads: 2, FeedForward: 2048,
			TransformerDropout: 0.1, Dropout: 0.5, Lengths: "text",
			Loss: zoo.ViewWeights{Diff: 0.3, Sim: 0.8, Recon: 1}},
			Training: zoo.Training{Batch: 64, Accumulate: 2,
				Optimizer: "adam", Schedule: "constant", LR: 1e-4,
				Groups:    map[string]zoo.GroupTraining{"text": {LR: 1e-4}},
				ClipValue: 0.8, Patience: 8, Epochs: map[string]int{"train": 200}}},
		"sims": {Config: &Config{
			Text: bert, Width: 128, Heads: 2, FeedForward: 2048,
			TransformerDropout: 0.1, Dropout: 0, Lengths: "text",
			Loss: zoo.ViewWeights{Diff: 0.3, Sim: 1, Recon: 0.8}},
			Training: zoo.Training{Batch: 64, Accumulate: 2,
				Optimizer: "adam", Schedule: "constant", LR: 1e-4,
				Groups:    map[string]zoo.GroupTraining{"text": {LR: 1e-4}},
				ClipValue: 1, Patience: 8, Epochs: map[string]int{"train": 200}}},
	}, zootest.Preset{Config: &Config{
		Text: small, Width: 64, Heads: 2, FeedForward: 256,
		TransformerDropout: 0.1, Dropout: 0.2, Lengths: "own",
		Loss: zoo.ViewWeights{Diff: 0.1, Sim: 0.3, Recon: 1}},
		Training: zoo.Training{Batch: 32, Accumulate: 2,
			Optimizer: "adam", Schedule: "constant", LR: 1e-3,
			Groups:    map[string]zoo.GroupTraining{"text": {LR: 5e-5}},
			ClipValue: 0.8, Epochs: map[string]int{"train": 30}}})
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"misa: width is 0":               func(c *Config) { c.Width = 0 },
		"misa: heads is 3":               func(c *Config) { c.Heads = 3 },
		"misa: feed_forward is 0":        func(c *Config) { c.FeedForward = 0 },
		"misa: transformer_dropout is 1": func(c *Config) { c.TransformerDropout = 1 },
		"misa: dropout is NaN":           func(c *Config) { c.Dropout = math.NaN() },
		"misa: lengths is words":         func(c *Config) { c.Lengths = "words" },
		"misa: text.width 7":             func(c *Config) { c.Text.Width = 7 },
	})
}

// TestEqualMoments checks for a finite gradient where all moments of a batch are equal: for one
// row, and for equal rows.
func TestEqualMoments(t *testing.T) {
	for _, device := range []string{"cpu64", "cpu"} {
		for _, n := range []int{1, 3} {
			m, p := newTiny(t, device, textLengths)
			b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, n, 1)
			b.Corrupted = zootest.Tokens(p.Device(), zootest.TinyDims.TextT,
				slices.Repeat([]int{2, 9, 5, 3, 0}, n)...)
			b.Corrupted.Audio = ag.NewTensor(p.Device(), make([]float64, n*7*3), n, 7, 3)
			b.Corrupted.Vision = ag.NewTensor(p.Device(), make([]float64, n*6*4), n, 6, 4)
			all, _ := m.terms(ag.NewTape(p.Device()), b)
			for i := range all {
				tp := ag.NewTape(p.Device())
				terms, _ := m.terms(tp, b)
				term := terms[i]
				for x, g := range tp.Backward(term.Loss) {
					if norm := g.Dot(g); math.IsNaN(norm) || math.IsInf(norm, 0) {
						t.Errorf("%s, %d equal rows: the gradient of %s for a parameter %v has "+
							"norm² %g", device, n, term.Name, x.Shape(), norm)
					}
				}
			}
		}
	}
	m, _ := newTiny(t, "cpu64", func(*Config) {})
	if n := m.Phases()[0].MinBatch; n != 2 {
		t.Errorf("a last batch of less than %d samples is merged, want 2", n)
	}
}

// TestFramesAfterLongestSentenceAreCut checks that the frames after the length of the longest
// sentence are cut off, and no others.
func TestFramesAfterLongestSentenceAreCut(t *testing.T) {
	for lengths, want := range map[string]int{"own": 7, "text": 5} {
		m, p := newTiny(t, "cpu64", func(c *Config) { c.Lengths = lengths })
		in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 2, 1).Corrupted
		if x, _ := m.frames(ag.NewTape(p.Device()), in, in.Audio,
			in.AudioLen); x.Shape()[1] != want {
			t.Errorf("%s: %d frames, want %d", lengths, x.Shape()[1], want)
		}
	}
}

// TestWithoutTokens checks for a finite prediction where a sentence has no token.
func TestWithoutTokens(t *testing.T) {
	m, p := newTiny(t, "cpu64", textLengths)
	in, sample := zootest.Tokens(p.Device(), zootest.TinyDims.TextT,
		make([]int, 2*zootest.TinyDims.TextT)...), zoo.RandomBatch(p.Device(), &zootest.TinyDims,
		2, 1).Corrupted
	in.Audio, in.Vision = sample.Audio, sample.Vision
	for _, v := range m.Predict(ag.NewTape(p.Device()), in).Score.Values() {
		if math.IsNaN(v) {
			t.Error("the score is NaN")
		}
	}
}

// TestDropout checks for both dropouts in training and none in inference.
func TestDropout(t *testing.T) {
	for name, set := range map[string]func(*Config){
		"none":                func(*Config) {},
		"transformer_dropout": func(c *Config) { c.TransformerDropout = 0.5 },
		"dropout":             func(c *Config) { c.Dropout = 0.5 },
	} {
		plain, p := newTiny(t, "cpu64", func(*Config) {})
		m, _ := newTiny(t, "cpu64", set)
		in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1).Corrupted
		want := plain.Predict(ag.NewTape(p.Device()), in).Score.Values()
		if got := m.Predict(ag.NewInferenceTape(p.Device()), in).Score.Values(); !slices.Equal(got,
			want) {
			t.Errorf("%s: inference drops", name)
		}
		if got := m.Predict(ag.NewTape(p.Device()), in).Score.Values(); slices.Equal(got,
			want) != (name == "none") {
			t.Errorf("%s: training gives %v, without dropout %v", name, got, want)
		}
	}
}

// TestAgreesWithPyTorch has two cases: as many frames are read as there are tokens, or as the
// recordings have.
func TestAgreesWithPyTorch(t *testing.T) {
	var cases map[string]*zootest.Golden
	zootest.ReadGolden(t, "misa", &cases)
	d := zoo.Dims{Vocab: 11, TextT: 6, AudioT: 5, AudioD: 2, VisionT: 9, VisionD: 3,
		Range: [2]float64{-3, 3}}
	for device, tol := range zootest.GoldenDevices {
		for _, lengths := range []string{"own", "text"} {
			t.Run(device+"/"+lengths, func(t *testing.T) {
				c := &Config{Text: zoo.TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2,
					FeedForward: 12}, Width: 6, Heads: 2, FeedForward: 7,
					Lengths: lengths, Loss: zoo.ViewWeights{Diff: 0.3, Sim: 0.8, Recon: 0.9}}
				m, p := zootest.New(t, &Spec, c, device, d)
				in := zootest.Tokens(p.Device(), d.TextT, 2, 5, 10, 7, 7, 3, 2, 7, 1, 3,
					0, 0, 2, 3, 0, 0, 0, 0, 2, 9, 4, 1, 3, 0)
				in.Audio, in.Vision = zootest.NoiseTensor(p.Device(), 1001, 4,
					d.AudioT, d.AudioD), zootest.NoiseTensor(p.Device(), 1002, 4, d.VisionT,
					d.VisionD)
				in.AudioLen, in.VisionLen = []int{5, 1, 3, 4}, []int{9, 4, 1, 7}
				cases[lengths].Agrees(t,
					tol, m, p, &zoo.Batch{Corrupted: in,
						Label: zootest.NoiseTensor(p.Device(), 1003, 4), Epoch: 1})
			})
		}
	}
}
