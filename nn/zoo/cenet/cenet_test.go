package cenet

import (
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

func TestModel(t *testing.T) {
	for _, freeze := range []bool{true, false} {
		zootest.Run(t, &Spec, func() zoo.Config {
			c := tiny().(*Config)
			c.FreezeEmbeddings = freeze
			return c
		})
	}
}

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text enhance head",
		"phase train: batches of 1 or more; labels true, complete input false, keep masks"+
			" false",
		"pass : text enhance head; group undecayed, decay false: "+
			"text.embeddings.LayerNorm text.encoder.layer.0.attention.self.query.bias "+
			"text.encoder.layer.0.attention.self.key.bias "+
			"text.encoder.layer.0.attention.self.value.bias "+
			"text.encoder.layer.0.attention.output.dense.bias "+
			"text.encoder.layer.0.attention.output.LayerNorm "+
			"text.encoder.layer.0.intermediate.dense.bias "+
			"text.encoder.layer.0.output.dense.bias text.encoder.layer.0.output.LayerNorm "+
			"text.encoder.layer.1.attention.self.query.bias "+
			"text.encoder.layer.1.attention.self.key.bias "+
			"text.encoder.layer.1.attention.self.value.bias "+
			"text.encoder.layer.1.attention.output.dense.bias "+
			"text.encoder.layer.1.attention.output.LayerNorm "+
			"text.encoder.layer.1.intermediate.dense.bias "+
			"text.encoder.layer.1.output.dense.bias text.encoder.layer.1.output.LayerNorm "+
			"head.hidden.bias head.score.bias; terms task",
		"groups of pass  with a pretrained text encoder: text 12 text 20 undecayed 2")
}

func tiny() zoo.Config {
	c := &Config{Text: zootest.TinyText(), FreezeEmbeddings: true}
	c.Text.Layers = 2
	return c
}

// tinyBERT returns the dimensions for a pretrained text encoder of two layers.
func tinyBERT() zoo.Dims {
	d := zootest.TinyBERT()
	d.BERT.Layers = 2
	return d
}

// TestParameters counts the enhancement and the head of the published sizes.
func TestParameters(t *testing.T) {
	const head = 591361
	for dataset, want := range map[string]int{"mosi": 5925888, "mosei": 5990400, "sims": 6476544} {
		p, got := zootest.PaperSizes(&Spec, dataset)
		if got != want+head {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want+head)
		}
		if got := p.Sub("enhance").Count(); got != want {
			t.Errorf("%s: the enhancement has %d numbers, want %d", dataset, got, want)
		}
		if got := p.Sub("head").Count(); got != head {
			t.Errorf("%s: the head has %d numbers, want %d", dataset, got, head)
		}
	}
}

// TestPresets has MMSA's numbers.
func TestPresets(t *testing.T) {
	paper := func(batch int, eps, lr, decay float64) zootest.Preset {
		return zootest.Preset{Config: &Config{Text: zoo.PaperText(), FreezeEmbeddings: true},
			Training: zoo.Training{Batch: batch, Accumulate: 1, Optimizer: "adam", Eps: eps,
				Schedule: "constant", LR: lr, WeightDecay: decay,
				Groups: map[string]zoo.GroupTraining{"text": {LR: lr, WeightDecay: decay}},
				Clip:   2, Patience: 8, Epochs: map[string]int{"train": 200}}}
	}
	small := zoo.QuickText()
	small.Layers = 2
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi":  paper(64, 3e-8, 1e-5, 1e-4),
		"mosei": paper(64, 1e-8, 1e-5, 1e-4),
		"sims":  paper(32, 2e-8, 2e-6, 0),
	}, zootest.Preset{Config: &Config{Text: small, FreezeEmbeddings: true},
		Training: zoo.Training{Batch: 32, Accumulate: 1, Optimizer: "adam", Eps: 3e-8,
			Schedule: "constant", LR: 1e-3, WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-4}},
			Clip:   2, Epochs: map[string]int{"train": 30}}})
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"cenet: text.layers is 1, want 2 or more": func(c *Config) { c.Text.Layers = 1 },
		"cenet: text.width 7":                     func(c *Config) { c.Text.Width = 7 },
	})
}

// TestInit checks that new weights are from N(0, 0.02²) and biases 0.
func TestInit(t *testing.T) {
	p := zootest.PaperParams(t, &Spec, "mosi")
	for _, x := range slices.Concat(p.Sub("enhance").All(), p.Sub("head").All()) {
		sd := math.Sqrt(x.Dot(x.Tensor) / float64(x.Len()))
		want := 0.02
		if strings.HasSuffix(x.Name, "bias") {
			want = 0
		}
		if math.Abs(sd-want) > 3*want/math.Sqrt(2*float64(x.Len())) {
			t.Errorf("%s has standard deviation %g, want %g", x.Name, sd, want)
		}
	}
}

// TestGroups checks which parameters decay, in which group and what is trained.
func TestGroups(t *testing.T) {
	const table, norm, bias = "text.embeddings.word_embeddings.weight",
		"text.embeddings.LayerNorm.weight", "text.encoder.layer.1.attention.self.query.bias"
	// name of the group and whether it decays; none: not trained
	for name, c := range map[string]struct {
		pretrained, frozen, embeddings bool
		want                           map[string]string
	}{
		"from scratch": {false, false, false, map[string]string{
			table: " decays", norm: "undecayed", bias: "undecayed"}},
		"pretrained": {true, false, false, map[string]string{
			table: "none", norm: "none", bias: "text"}},
		"with embeddings": {true, false, true, map[string]string{
			table: "text decays", norm: "text", bias: "text"}},
		"frozen": {true, true, false, map[string]string{
			table: "none", norm: "none", bias: "none"}},
	} {
		config, d := tiny().(*Config), zootest.TinyDims
		config.FreezeEmbeddings = !c.embeddings
		if c.pretrained {
			config.Text.BERT, config.Text.Finetune, d = "somewhere", !c.frozen, tinyBERT()
		}
		m, p := zootest.New(t, &Spec, config, "cpu", d)
		pass := m.Phases()[0].Passes[0]
		of := map[string]string{}
		for _, x := range p.All() {
			of[x.Name] = "none"
		}
		for _, x := range pass.Params {
			of[x.Name] = " decays"
		}
		for _, g := range pass.Groups {
			for _, x := range g.Params {
				if of[x.Name] = g.Name; !g.NoDecay {
					of[x.Name] += " decays"
				}
			}
		}
		c.want["head.hidden.weight"], c.want["head.hidden.bias"] = " decays", "undecayed"
		c.want["head.score.bias"], c.want["enhance.merge.bias"] = "undecayed", " decays"
		c.want["enhance.audio.frames.0.weight"] = " decays"
		c.want["enhance.vision.query.bias"] = " decays"
		c.want["text.encoder.layer.0.intermediate.dense.weight"] = map[bool]string{
			true: "text decays", false: " decays"}[c.pretrained]
		if c.frozen {
			c.want["text.encoder.layer.0.intermediate.dense.weight"] = "none"
		}
		for x, want := range c.want {
			if of[x] != want {
				t.Errorf("%s: %s is in %q, want %q", name, x, of[x], want)
			}
		}
	}
}

// TestDropout checks that with dropout predictions in training vary, and in inference do not: in
// the embeddings and layers, and at both places in the head.
func TestDropout(t *testing.T) {
	for name, pretrained := range map[string]bool{"from scratch": false, "pretrained": true} {
		c, d := tiny().(*Config), zootest.TinyDims
		c.Text.Dropout = 0.5
		if pretrained {
			c.Text.Dropout, d = 0, tinyBERT()
			d.BERT.Dropout = 0.5
		}
		built, p := zootest.New(t, &Spec, c, "cpu64", d)
		m := built.(*model)
		if m.text.Dropout != 0.5 {
			t.Errorf("%s: the head has dropout %g, want 0.5", name, m.text.Dropout)
		}
		in := zoo.RandomBatch(p.Device(), &d, 4, 1).Corrupted
		predict := func(tp *ag.Tape, seed uint64) []float64 {
			tp.Seed(seed)
			return m.Predict(tp, in).Score.Values()
		}
		if !slices.Equal(predict(ag.NewInferenceTape(p.Device()), 1),
			predict(ag.NewInferenceTape(p.Device()), 2)) {
			t.Errorf("%s: inference drops", name)
		}
		if slices.Equal(predict(ag.NewTape(p.Device()), 1), predict(ag.NewTape(p.Device()), 2)) {
			t.Errorf("%s: training does not drop", name)
		}
	}
}

// TestHeadDropout gives the head's layers weights from which the dropout of their inputs can be
// told: the first unit is tanh of the sum of 8 features, each of which may be dropped, and then
// dropped itself or doubled.
func TestHeadDropout(t *testing.T) {
	c := tiny().(*Config)
	c.Text.Dropout = 0
	built, p := zootest.New(t, &Spec, c, "cpu64", zootest.TinyDims)
	m := built.(*model)
	m.text.Dropout = 0.5 // of the head alone
	first, unit := make([]float64, m.hidden.W.Len()), make([]float64, m.score.W.Len())
	for i := range unit {
		first[i] = 0.1
	}
	unit[0] = 1
	m.hidden.W.Assign(first)
	m.score.W.Assign(unit)
	in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 1, 1).Corrupted
	zeros, values := 0, map[float64]bool{}
	for seed := range uint64(64) {
		tp := ag.NewTape(p.Device())
		tp.Seed(seed)
		y := m.Predict(tp, in).Score.Item()
		if y == 0 {
			zeros++
		}
		values[y] = true
	}
	if zeros < 20 || zeros > 44 {
		t.Errorf("a hidden unit is dropped in %d of 64 predictions, want about half", zeros)
	}
	if len(values) < 20 {
		t.Errorf("a hidden unit has %d values, want many, since its features are dropped too",
			len(values))
	}
}

// TestOneFrame checks for a warning that names the modalities of one frame in each utterance.
func TestOneFrame(t *testing.T) {
	for want, steps := range map[string][2]int{"": {7, 6}, "audio: one": {1, 6},
		"vision: one": {7, 1}, "audio and vision: one": {1, 1}} {
		d := zootest.TinyDims
		d.AudioT, d.VisionT = steps[0], steps[1]
		if got := tiny().(*Config).WarnDims(&d); !strings.HasPrefix(got, want) ||
			(want == "") != (got == "") {
			t.Errorf("%v frames: warning %q, want %s …", steps, got, want)
		}
	}
}

// fixtureBatch returns the utterances of testdata/make_cenet.py.
func fixtureBatch(dev ag.Device) *zoo.Batch {
	d := &zootest.TinyDims
	var ids, segments []int
	for i, n := range []int{5, 3, 4, 2, 1} {
		for s := range d.TextT {
			id, segment := 1+(7*i+3*s)%(d.Vocab-1), s/3
			if s >= n {
				id, segment = 0, 0
			}
			ids, segments = append(ids, id), append(segments, segment)
		}
	}
	in := zootest.Tokens(dev, d.TextT, ids...)
	in.Segments = segments
	in.Audio = zootest.NoiseTensor(dev, 1003, 5, d.AudioT, d.AudioD)
	size := d.VisionT * d.VisionD
	vision := agtest.Noise(1004, 5*size)
	clear(vision[2*size:][:size])
	in.Vision = ag.NewTensor(dev, vision, 5, d.VisionT, d.VisionD)
	return &zoo.Batch{Corrupted: in, Epoch: 1,
		Label: ag.NewTensor(dev, []float64{-1, -0.5, -2, 0.5, -1.25}, 5)}
}

// TestAgreesWithPyTorch compares a text encoder from scratch, a pretrained one, whose embeddings
// are frozen, and a frozen one.
func TestAgreesWithPyTorch(t *testing.T) {
	var want zootest.Golden
	zootest.ReadGolden(t, "cenet", &want)
	sizes := zoo.TextConfig{Finetune: true, Width: 8, Layers: 3, Heads: 2, FeedForward: 6}
	for device, tol := range map[string]zootest.Tolerance{
		"cpu64": {Value: 1e-9, Gradient: 1e-9}, "cpu": {Value: 1e-5, Gradient: 1e-4}} {
		for _, text := range []string{"from scratch", "pretrained", "frozen"} {
			t.Run(device+"/"+text, func(t *testing.T) {
				c, d := &Config{Text: sizes, FreezeEmbeddings: true}, zootest.TinyDims
				if text != "from scratch" {
					c.Text.BERT, c.Text.Finetune = "somewhere", text == "pretrained"
					d.BERT = &nn.BERTConfig{Vocab: 20, Width: 8, Layers: 3, Heads: 2,
						FeedForward: 6, Positions: 5, Types: 2, Eps: 1e-12}
				}
				m, p := zootest.New(t, &Spec, c, device, d)
				want.Assign(t, p.All())
				b, tp := fixtureBatch(p.Device()), ag.NewTape(p.Device())
				zootest.Close(t, "score", tol.Value, m.Predict(ag.NewInferenceTape(p.Device()),
					b.Corrupted).Score.Values(), want.Score)
				pass := m.Phases()[0].Passes[0]
				terms, _ := pass.Terms(tp, b)
				zootest.TermsAgree(t, "", tol.Value, terms, want.Terms)
				grads := tp.Backward(zoo.Total(tp, terms))
				want.GradientsAgree(t, tol.Gradient, pass.Params, grads)
				for _, x := range p.All() {
					if grads[x.Tensor] != nil && !slices.Contains(pass.Params, x) {
						t.Errorf("%s is not trained and has a gradient", x.Name)
					}
				}
			})
		}
	}
}
