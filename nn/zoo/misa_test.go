package zoo

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

func tinyMISA() Config {
	return &MISAConfig{Text: tinyText(), Width: 16, Heads: 2, FeedForward: 8, TransformerDropout: 0.1, Dropout: 0.1, Lengths: "own",
		Loss: MISALoss{Diff: 0.1, Sim: 0.3, Recon: 1}}
}

// newTinyMISA returns the model without dropout, after a change of its configuration.
func newTinyMISA(t *testing.T, device string, change func(*MISAConfig)) (*misa, *nn.Params) {
	t.Helper()
	c := tinyMISA().(*MISAConfig)
	c.Text.Dropout, c.TransformerDropout, c.Dropout = 0, 0, 0
	change(c)
	m, p := newModel(t, named(t, "misa"), c, device, tinyDims)
	return m.(*misa), p
}

func readAsManyAsTokens(c *MISAConfig) { c.Lengths = "text" }

// TestMISAParameters counts what the published sizes have besides BERT, less the 3588 numbers that
// nothing uses.
func TestMISAParameters(t *testing.T) {
	for dataset, want := range map[string]int{"mosi": 1138033 - 3588, "mosei": 1435105 - 3588, "sims": 21664749 - 3588} {
		if _, got := paperParams(t, named(t, "misa"), dataset); got != want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want)
		}
	}
}

func TestMISAPresets(t *testing.T) {
	type numbers struct {
		batch            int
		dropout, clip    float64
		diff, sim, recon float64
	}
	for dataset, want := range map[string]numbers{
		"mosi": {16, 0.2, 0.8, 0.1, 0.3, 1}, "mosei": {64, 0.5, 0.8, 0.3, 0.8, 1}, "sims": {64, 0, 1, 0.3, 1, 0.8}, "synthetic": {16, 0.2, 0.8, 0.1, 0.3, 1},
	} {
		config, training := misaPreset("paper", dataset)
		c := config.(*MISAConfig)
		if got := (numbers{training.Batch, c.Dropout, training.ClipValue, c.Loss.Diff, c.Loss.Sim, c.Loss.Recon}); got != want {
			t.Errorf("%s: %+v, want %+v", dataset, got, want)
		}
		if c.Lengths != "text" || c.Width != 128 || c.FeedForward != 2048 || c.Heads != 2 || c.TransformerDropout != 0.1 || c.Text != PaperText() {
			t.Errorf("%s: %+v", dataset, c)
		}
		if training.Accumulate != 2 || training.Patience != 8 || training.LR != 1e-4 || training.WeightDecay != 0 || training.Optimizer != "adam" ||
			training.Schedule != "constant" || training.Clip != 0 || training.Groups["text"] != (GroupTraining{LR: 1e-4}) {
			t.Errorf("%s: %+v", dataset, training)
		}
	}
}

func TestMISACheckNamesTheKey(t *testing.T) {
	checkRefuses(t, tinyMISA, map[string]func(*MISAConfig){
		"misa: width is 0":               func(c *MISAConfig) { c.Width = 0 },
		"misa: heads is 3":               func(c *MISAConfig) { c.Heads = 3 },
		"misa: feed_forward is 0":        func(c *MISAConfig) { c.FeedForward = 0 },
		"misa: transformer_dropout is 1": func(c *MISAConfig) { c.TransformerDropout = 1 },
		"misa: dropout is NaN":           func(c *MISAConfig) { c.Dropout = math.NaN() },
		"misa: lengths is \"words\"":     func(c *MISAConfig) { c.Lengths = "words" },
		"misa: text.width 7":             func(c *MISAConfig) { c.Text.Width = 7 },
	})
}

// TestMISAOneRow sees a finite gradient where all moments of a batch agree: those of one row, and
// of equal rows.
func TestMISAOneRow(t *testing.T) {
	for _, device := range []string{"cpu64", "cpu"} {
		for _, n := range []int{1, 3} {
			m, p := newTinyMISA(t, device, readAsManyAsTokens)
			b := Sample(p.Device(), &tinyDims, n, 1)
			b.Corrupted = tokens(p.Device(), tinyDims.TextT, slices.Repeat([]int{2, 9, 5, 3, 0}, n)...)
			b.Corrupted.Audio = ag.NewTensor(p.Device(), make([]float64, n*7*3), n, 7, 3)
			b.Corrupted.Vision = ag.NewTensor(p.Device(), make([]float64, n*6*4), n, 6, 4)
			for i := range m.terms(ag.NewTape(p.Device()), b) {
				tp := ag.NewTape(p.Device())
				term := m.terms(tp, b)[i]
				for x, g := range tp.Backward(term.Loss) {
					if norm := g.Dot(g); math.IsNaN(norm) || math.IsInf(norm, 0) {
						t.Errorf("%s, %d equal rows: the gradient of %s for a parameter %v has norm² %g", device, n, term.Name, x.Shape(), norm)
					}
				}
			}
		}
	}
	m, _ := newTinyMISA(t, "cpu64", func(*MISAConfig) {})
	if least := m.Phases()[0].Least; least != 2 {
		t.Errorf("a last batch of less than %d is merged, want 2", least)
	}
}

// TestMISAComputesNoMoreThanIsRead sees that frames which no sentence is long enough for are cut
// off, and no others.
func TestMISAComputesNoMoreThanIsRead(t *testing.T) {
	for lengths, want := range map[string]int{"own": 7, "text": 5} {
		m, p := newTinyMISA(t, "cpu64", func(c *MISAConfig) { c.Lengths = lengths })
		in := Sample(p.Device(), &tinyDims, 2, 1).Corrupted
		if x, _ := m.frames(ag.NewTape(p.Device()), in, in.Audio, in.AudioLen); x.Shape()[1] != want {
			t.Errorf("%s: %d frames, want %d", lengths, x.Shape()[1], want)
		}
	}
}

// TestMISAWithoutTokens sees a number where a sentence has no token at all.
func TestMISAWithoutTokens(t *testing.T) {
	m, p := newTinyMISA(t, "cpu64", readAsManyAsTokens)
	in, sample := tokens(p.Device(), tinyDims.TextT, make([]int, 2*tinyDims.TextT)...), Sample(p.Device(), &tinyDims, 2, 1).Corrupted
	in.Audio, in.Vision = sample.Audio, sample.Vision
	for _, v := range m.Predict(ag.NewTape(p.Device()), in).Score.Values() {
		if math.IsNaN(v) {
			t.Error("the score is NaN")
		}
	}
}

// TestMISADrops sees both dropouts in training and none in inference.
func TestMISADrops(t *testing.T) {
	for name, set := range map[string]func(*MISAConfig){
		"none":                func(*MISAConfig) {},
		"transformer_dropout": func(c *MISAConfig) { c.TransformerDropout = 0.5 },
		"dropout":             func(c *MISAConfig) { c.Dropout = 0.5 },
	} {
		plain, p := newTinyMISA(t, "cpu64", func(*MISAConfig) {})
		m, _ := newTinyMISA(t, "cpu64", set)
		in := Sample(p.Device(), &tinyDims, 4, 1).Corrupted
		want := plain.Predict(ag.NewTape(p.Device()), in).Score.Values()
		if got := m.Predict(ag.NewInferenceTape(p.Device()), in).Score.Values(); !slices.Equal(got, want) {
			t.Errorf("%s: inference drops", name)
		}
		if got := m.Predict(ag.NewTape(p.Device()), in).Score.Values(); slices.Equal(got, want) != (name == "none") {
			t.Errorf("%s: training gives %v, without dropout %v", name, got, want)
		}
	}
}

// TestMISAAgreesWithPyTorch has two cases: as many frames are read as there are tokens, or as the
// recordings have.
func TestMISAAgreesWithPyTorch(t *testing.T) {
	var cases map[string]*golden
	readGolden(t, "misa", &cases)
	d := Dims{Vocab: 11, TextT: 6, AudioT: 5, AudioD: 2, VisionT: 9, VisionD: 3, Range: [2]float64{-3, 3}}
	for device, tol := range goldenDevices {
		for _, lengths := range []string{"own", "text"} {
			t.Run(device+"/"+lengths, func(t *testing.T) {
				c := &MISAConfig{Text: TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2, FeedForward: 12}, Width: 6, Heads: 2, FeedForward: 7,
					Lengths: lengths, Loss: MISALoss{Diff: 0.3, Sim: 0.8, Recon: 0.9}}
				m, p := newModel(t, named(t, "misa"), c, device, d)
				in := tokens(p.Device(), d.TextT, 2, 5, 10, 7, 7, 3, 2, 7, 1, 3, 0, 0, 2, 3, 0, 0, 0, 0, 2, 9, 4, 1, 3, 0)
				in.Audio, in.Vision = waveOf(p.Device(), 100, 4, d.AudioT, d.AudioD), waveOf(p.Device(), 200, 4, d.VisionT, d.VisionD)
				in.AudioLen, in.VisionLen = []int{5, 1, 3, 4}, []int{9, 4, 1, 7}
				cases[lengths].agrees(t, tol, m, p, &Batch{Corrupted: in, Label: waveOf(p.Device(), 300, 4), Epoch: 1})
			})
		}
	}
}
