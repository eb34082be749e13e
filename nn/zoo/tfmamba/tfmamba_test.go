package tfmamba

import (
	"math"
	"math/rand/v2"
	"slices"
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
		"predict: text words audio vision fusion score",
		"phase train: batches of 1 or more; labels true, complete input true, keep masks "+
			"true",
		"pass : text words audio vision fusion score decode; terms sp rec",
		"groups of pass  with a pretrained text encoder: text 21")
}

func tiny() zoo.Config {
	return &Config{Width: 4, Expand: 2, State: 3, Heads: 2, HeadWidth: 3, ContextLayers: 1,
		QueryLayers: 1, Dropout: 0.1, Text: zootest.TinyText(),
		Loss: LossConfig{Reconstruction: 0.7}}
}

// TestParameters has the counts of the authors' code besides BERT.
func TestParameters(t *testing.T) {
	for dataset, want := range map[string]int{"mosi": 1813209, "mosei": 2164081,
		"sims": 1526927} {
		if _, got := zootest.PaperSizes(&Spec, dataset); got != want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want)
		}
	}
	p, _ := zootest.PaperSizes(&Spec, "mosi")
	for _, part := range []struct {
		names string
		want  int
	}{{"words audio vision", 173144}, {"decode", 115584}, {"fusion.context", 1004544},
		{"fusion.attention fusion.norm", 262528}, {"fusion.query", 257280}, {"score", 129}} {
		got := 0
		for _, name := range strings.Fields(part.names) {
			got += p.Sub(name).Count()
		}
		if got != part.want {
			t.Errorf("%s: %d numbers, want %d", part.names, got, part.want)
		}
	}
}

// TestStarts checks the temperature, and that the layers have PyTorch's initial values, not those
// of Vision Mamba.
func TestStarts(t *testing.T) {
	c, _ := preset("quick", "")
	_, p := zootest.New(t, &Spec, c, "cpu", zootest.TinyDims)
	for _, x := range p.All() {
		v := x.Values()
		switch {
		case strings.HasSuffix(x.Name, "temperature"):
			zootest.Close(t, x.Name, 1e-6, v, []float64{2.659260036932778})
		case strings.HasSuffix(x.Name, "dt_proj_b.bias"):
			if slices.Max(v) < 0.4 || slices.Min(v) > -0.4 {
				t.Errorf("%s lies in [%g, %g], want U(−1/2, 1/2)", x.Name, slices.Min(v),
					slices.Max(v))
			}
		case strings.HasSuffix(x.Name, "out_proj.weight"):
			if bound := 1 / math.Sqrt(128); slices.Max(v) < 0.9*bound {
				t.Errorf("%s reaches to %g, want %g", x.Name, slices.Max(v), bound)
			}
		}
	}
}

// TestNorms checks the ε of all norms outside of BERT.
func TestNorms(t *testing.T) {
	m, _ := zootest.New(t, &Spec, tiny(), "cpu", zootest.TinyDims)
	f := m.(*model)
	norms := []*nn.LayerNorm{f.words.norm, f.fusion.norm}
	for _, x := range f.frames[zoo.Audio:] {
		norms = append(norms, x.project.norm, x.norm)
	}
	for _, x := range []*pair{f.fusion.context[0].audio, f.fusion.context[0].vision} {
		norms = append(norms, x.norm, x.textNorm)
	}
	for i, x := range norms {
		if x.Eps != 1e-6 {
			t.Errorf("norm %d has ε %g, want 1e-6", i, x.Eps)
		}
	}
}

// TestEnhancementReadsDirections makes the rows of the text, or of the frames, very short: what the
// text adds to the frames keeps its weights, which are of cosines.
func TestEnhancementReadsDirections(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	f := newFrames(p, 5, 3, 8)
	x, words := zootest.NoiseTensor(dev, 1, 2, 4, 3), zootest.NoiseTensor(dev, 2, 2, 5, 8)
	added := func(scale float64) []float64 {
		tp := ag.NewTape(dev)
		h := f.norm.Forward(tp, f.project.Forward(tp, f.aligned(tp, x, []int{4, 2})))
		y := f.Forward(tp, x, []int{4, 2}, tp.Scale(words, scale))
		return tp.Scale(tp.Sub(y, h), 1/scale).Values()
	}
	want := added(1)
	zootest.Close(t, "short rows of text", 1e-8, added(1e-5), want)
	for _, row := range []*ag.Tensor{f.norm.Gamma, f.norm.Beta} {
		row.Multiply(1e-5)
	}
	zootest.Close(t, "short rows of frames", 1e-8, added(1), want)
}

// TestDropout checks that the decoder drops something in training, and the prediction nothing.
func TestDropout(t *testing.T) {
	c := tiny().(*Config)
	c.Text.Dropout, c.Dropout = 0, 0.5
	m, p := zootest.New(t, &Spec, c, "cpu64", zootest.TinyDims)
	dev := p.Device()
	b := zoo.RandomBatch(dev, &zootest.TinyDims, 4, 1)
	x := zootest.NoiseTensor(dev, 1, 4, 5, 4)
	decode := m.(*model).decode.Forward
	for name, f := range map[string]func(tp *ag.Tape) []float64{
		"decoder": func(tp *ag.Tape) []float64 { return decode(tp, x).Values() },
		"prediction": func(tp *ag.Tape) []float64 {
			return m.Predict(tp, b.Corrupted).Score.Values()
		},
	} {
		same := slices.Equal(f(ag.NewTape(dev)), f(ag.NewInferenceTape(dev)))
		if drops := name == "decoder"; same == drops {
			t.Errorf("%s: training drops something: %t, want %t", name, !same, drops)
		}
	}
}

// TestNothingIsMissing checks that L_rec of a batch without missing words is 0, with finite
// gradients.
func TestNothingIsMissing(t *testing.T) {
	m, p := zootest.New(t, &Spec, tiny(), "cpu", zootest.TinyDims)
	b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1)
	b.KeepMasks[zoo.Language] = b.Corrupted.Mask
	tp := ag.NewTape(p.Device())
	terms, _ := m.Phases()[0].Passes[0].Terms(tp, b)
	loss := zoo.Total(tp, terms)
	grads := tp.Backward(loss, loss, terms[1].Loss)
	if rec := terms[1].Loss.Item(); terms[1].Name != "rec" || rec != 0 {
		t.Errorf("%s is %g, want rec of 0", terms[1].Name, rec)
	}
	for _, x := range p.All() {
		g := grads[x.Tensor]
		if g == nil {
			t.Errorf("%s has no gradient", x.Name)
			continue
		}
		v := g.Values()
		if slices.ContainsFunc(v, math.IsNaN) {
			t.Errorf("the gradient of %s is NaN", x.Name)
		}
		if strings.HasPrefix(x.Name, "decode.") && (slices.Max(v) != 0 || slices.Min(v) != 0) {
			t.Errorf("the gradient of %s is not 0", x.Name)
		}
	}
}

// TestPaddingOfFrames checks that frames after the end of a recording do not change a prediction:
// they are zeros, which the LSTM need not read.
func TestPaddingOfFrames(t *testing.T) {
	m, p := zootest.New(t, &Spec, tiny(), "cpu64", zootest.TinyDims)
	in := *zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1).Corrupted
	predict := func() []float64 {
		return m.Predict(ag.NewInferenceTape(p.Device()), &in).Score.Values()
	}
	short := predict()
	in.AudioLen, in.VisionLen = []int{7, 7, 7, 7}, []int{6, 6, 6, 6}
	zootest.Close(t, "score", 1e-15, predict(), short)
}

// TestLosesAModality checks that predictions without any audio and vision are finite.
func TestLosesAModality(t *testing.T) {
	m, p := zootest.New(t, &Spec, tiny(), "cpu", zootest.TinyDims)
	in := *zoo.RandomBatch(p.Device(), &zootest.TinyDims, 3, 1).Corrupted
	in.Audio = ag.NewTensor(p.Device(), make([]float64, 3*7*3), 3, 7, 3)
	in.Vision = ag.NewTensor(p.Device(), make([]float64, 3*6*4), 3, 6, 4)
	for _, y := range m.Predict(ag.NewInferenceTape(p.Device()), &in).Score.Values() {
		if math.IsNaN(y) || math.IsInf(y, 0) {
			t.Errorf("score %g", y)
		}
	}
}

func TestWarnsOfSingleFrames(t *testing.T) {
	for want, d := range map[string]zoo.Dims{"": zootest.TinyDims,
		"audio":            {Vocab: 20, TextT: 5, AudioT: 1, AudioD: 3, VisionT: 6, VisionD: 4},
		"vision":           {Vocab: 20, TextT: 5, AudioT: 7, AudioD: 3, VisionT: 1, VisionD: 4},
		"audio and vision": {Vocab: 20, TextT: 5, AudioT: 1, AudioD: 3, VisionT: 1, VisionD: 4}} {
		got, _, _ := strings.Cut(tiny().(*Config).WarnDims(&d), ": one frame")
		if got != want {
			t.Errorf("%d and %d frames: warning of %q, want %q", d.AudioT, d.VisionT, got, want)
		}
	}
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"tf-mamba: width is 0":          func(c *Config) { c.Width = 0 },
		"tf-mamba: context_layers is 0": func(c *Config) { c.ContextLayers = 0 },
		"tf-mamba: dropout is 1":        func(c *Config) { c.Dropout = 1 },
		"tf-mamba: text.width 7":        func(c *Config) { c.Text.Width = 7 },
	})
}

// TestPresets has the numbers of the authors' code.
func TestPresets(t *testing.T) {
	training := func(schedule string, lr, text float64, epochs int) zoo.Training {
		return zoo.Training{Batch: 64, Accumulate: 1, Optimizer: "adamw", Schedule: schedule,
			LR: lr, WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: text, WeightDecay: 1e-4}},
			Epochs: map[string]int{"train": epochs}}
	}
	paper := training("cosine", 1e-4, 1e-4, 200)
	config := func(expand, state, query int, dropout, rec float64) *Config {
		return &Config{Width: 128, Expand: expand, State: state, Heads: 8, HeadWidth: 64,
			ContextLayers: 1, QueryLayers: query, Dropout: dropout, Text: zoo.PaperText(),
			Loss: LossConfig{rec}}
	}
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi":  {Config: config(4, 12, 1, 0.1, 0.7), Training: paper},
		"mosei": {Config: config(4, 16, 2, 0.2, 0.3), Training: paper},
		"sims":  {Config: config(2, 16, 2, 0.2, 1), Training: paper},
	}, zootest.Preset{Config: &Config{Width: 64, Expand: 2, State: 8, Heads: 4, HeadWidth: 16,
		ContextLayers: 1, QueryLayers: 1, Dropout: 0.1, Text: zoo.QuickText(),
		Loss: LossConfig{0.7}}, Training: training("cosine-positive", 1e-3, 5e-5, 30)})
}

// fixture is testdata/tf_mamba.json.
type fixture struct {
	zootest.Golden
	Lengths             map[string][]int
	Complete, Corrupted []int
	Keep                map[string][]float64
}

func (g *fixture) batch(dev ag.Device, d *zoo.Dims) *zoo.Batch {
	n := len(g.Lengths["l"])
	b := &zoo.Batch{Complete: zootest.Tokens(dev, d.TextT, g.Complete...),
		Corrupted: zootest.Tokens(dev, d.TextT, g.Corrupted...),
		Label:     zootest.NoiseTensor(dev, 1003, n)}
	in := b.Corrupted
	in.AudioLen, in.VisionLen = g.Lengths["a"], g.Lengths["v"]
	in.Audio = keptFrames(dev, 1001, g.Keep["a"], n, d.AudioT, d.AudioD)
	in.Vision = keptFrames(dev, 1005, g.Keep["v"], n, d.VisionT, d.VisionD)
	b.KeepMasks[zoo.Language] = ag.NewTensor(dev, g.Keep["l"], n, d.TextT)
	return b
}

// keptFrames returns frames [n steps width], 0 where the keep mask [n steps] is.
func keptFrames(dev ag.Device, number int, keep []float64, n, steps, width int) *ag.Tensor {
	x := agtest.Noise(number, n*steps*width)
	for i := range x {
		x[i] *= 3 * keep[i/width]
	}
	return ag.NewTensor(dev, x, n, steps, width)
}

// TestAgreesWithPyTorch compares the prediction, the terms of the loss and all gradients.
func TestAgreesWithPyTorch(t *testing.T) {
	var want fixture
	zootest.ReadGolden(t, "tf_mamba", &want)
	c := &Config{Width: 4, Expand: 2, State: 3, Heads: 2, HeadWidth: 3, ContextLayers: 2,
		QueryLayers: 2, Text: zoo.TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2,
			FeedForward: 6}, Loss: LossConfig{0.7}}
	for device, tol := range zootest.GoldenDevices {
		t.Run(device, func(t *testing.T) {
			m, p := zootest.New(t, &Spec, c, device, zootest.TinyDims)
			want.Agrees(t, tol, m, p, want.batch(p.Device(), &zootest.TinyDims))
		})
	}
}
