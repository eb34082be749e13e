package tetfn

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/selfmm"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

func TestModel(t *testing.T) { zootest.Run(t, &Spec, tiny) }

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text audio vision fusion project heads.fusion",
		"phase train: batches of 1 or more; labels true, complete input false, keep masks"+
			" false; memory.features.m [8 8]; memory.labels.t [8]; memory.features.t [8 6]; "+
			"memory.labels.a [8]; memory.features.a [8 7]; memory.labels.v [8]; "+
			"memory.features.v [8 5]",
		"pass : text audio vision fusion project heads; group audio, decay true: audio; "+
			"group vision, decay true: vision; terms fusion text audio vision shift_l shift_a"+
			" shift_v",
		"groups of pass  with a pretrained text encoder: audio 5 vision 5 text 9 text 12")
}

func tiny() zoo.Config {
	head := func(width int) selfmm.HeadConfig {
		return selfmm.HeadConfig{Width: width, Dropout: 0.1}
	}
	return &Config{Text: zootest.TinyText(), Width: 4, Heads: 2, Layers: 1, AudioWidth: 3,
		VisionWidth: 5, TextKernel: 2, FrameKernel: 3,
		Dropout: DropoutConfig{Attention: 0.01, Audio: 0.02, Vision: 0.03, ReLU: 0.01,
			Embed: 0.01, Residual: 0.01},
		Tasks: selfmm.HeadsConfig{Fusion: head(8), Text: head(6), Audio: head(7), Vision: head(5)},
		Bound: 3}
}

// TestParameters has the counts of MMSA's modules besides BERT.
func TestParameters(t *testing.T) {
	for dataset, want := range map[string]int{"mosi": 1254224, "mosei": 1257360,
		"sims": 1529968} {
		if _, got := zootest.PaperSizes(&Spec, dataset); got != want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want)
		}
	}
}

// newTiny returns the model without dropout, after a change of its configuration and sizes.
func newTiny(t *testing.T, change func(*Config, *zoo.Dims)) (*model, *nn.Params) {
	t.Helper()
	c, d := tiny().(*Config), zootest.TinyDims
	c.Text.Dropout, c.Dropout = 0, DropoutConfig{}
	for _, head := range tasks(c) {
		head.Dropout = 0
	}
	change(c, &d)
	m, p := zootest.New(t, &Spec, c, "cpu64", d)
	return m.(*model), p
}

func tasks(c *Config) []*selfmm.HeadConfig {
	return []*selfmm.HeadConfig{&c.Tasks.Fusion, &c.Tasks.Text, &c.Tasks.Audio, &c.Tasks.Vision}
}

func unchanged(*Config, *zoo.Dims) {}

// TestDropout checks that each dropout drops something in training, and nothing in inference.
func TestDropout(t *testing.T) {
	plain, p := newTiny(t, unchanged)
	b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1)
	fuse := func(m *model, tp *ag.Tape) []float64 {
		return m.Predict(tp, b.Corrupted).Score.Values()
	}
	want := fuse(plain, ag.NewTape(p.Device()))
	for name, set := range map[string]func(*Config) *float64{
		"attention": func(c *Config) *float64 { return &c.Dropout.Attention },
		"audio":     func(c *Config) *float64 { return &c.Dropout.Audio },
		"vision":    func(c *Config) *float64 { return &c.Dropout.Vision },
		"relu":      func(c *Config) *float64 { return &c.Dropout.ReLU },
		"embed":     func(c *Config) *float64 { return &c.Dropout.Embed },
		"residual":  func(c *Config) *float64 { return &c.Dropout.Residual },
		"fusion":    func(c *Config) *float64 { return &c.Tasks.Fusion.Dropout },
	} {
		m, _ := newTiny(t, func(c *Config, _ *zoo.Dims) { *set(c) = 0.5 })
		if got := fuse(m, ag.NewInferenceTape(p.Device())); !slices.Equal(got, want) {
			t.Errorf("%s: inference drops", name)
		}
		if got := fuse(m, ag.NewTape(p.Device())); slices.Equal(got, want) {
			t.Errorf("%s: training drops nothing", name)
		}
	}
}

// TestAttentionDropouts checks which encoders have which dropout of attention weights, and that
// neither the LSTMs nor the convolutions have one.
func TestAttentionDropouts(t *testing.T) {
	for name, set := range map[string]func(*Config) *float64{
		"attention": func(c *Config) *float64 { return &c.Dropout.Attention },
		"audio":     func(c *Config) *float64 { return &c.Dropout.Audio },
		"vision":    func(c *Config) *float64 { return &c.Dropout.Vision },
	} {
		m, p := newTiny(t, func(c *Config, _ *zoo.Dims) { *set(c) = 0.5 })
		x := zootest.NoiseTensor(p.Device(), 1, 2, 4, 4)
		wide := zootest.NoiseTensor(p.Device(), 2, 2, 4, 8)
		f := m.fusion
		for encoder, c := range map[string]struct {
			f    func(tp *ag.Tape) *ag.Tensor
			want string
		}{
			"t←a": {func(tp *ag.Tape) *ag.Tensor { return f.textAudio.Forward(tp, x, x) }, "audio"},
			"t←v": {func(tp *ag.Tape) *ag.Tensor { return f.textVision.Forward(tp, x, x) },
				"vision"},
			"a←t": {func(tp *ag.Tape) *ag.Tensor { return f.audioText.Forward(tp, x, x) },
				"attention"},
			"v←t": {func(tp *ag.Tape) *ag.Tensor { return f.visionText.Forward(tp, x, x) },
				"attention"},
			"lower of a": {func(tp *ag.Tape) *ag.Tensor { return f.audio.lower.Forward(tp, x, x) },
				"attention"},
			"upper of a": {func(tp *ag.Tape) *ag.Tensor { return f.audio.upper.Forward(tp, x, x) },
				"attention"},
			"lower of v": {func(tp *ag.Tape) *ag.Tensor { return f.vision.lower.Forward(tp, x, x) },
				"attention"},
			"memory": {func(tp *ag.Tape) *ag.Tensor { return f.memory[1].Forward(tp, wide, nil) },
				"attention"},
			"P_a": {func(tp *ag.Tape) *ag.Tensor {
				return m.audio.Forward(tp, zootest.NoiseTensor(p.Device(), 3, 2, 4, 3))
			}, "none"},
		} {
			drops := !slices.Equal(c.f(ag.NewTape(p.Device())).Values(),
				c.f(ag.NewInferenceTape(p.Device())).Values())
			if drops != (c.want == name) {
				t.Errorf("%s: the dropout %s drops something: %t", encoder, name, drops)
			}
		}
	}
}

// TestReadsWholeSequences checks that the prediction reads the last frame, which is often padding.
func TestReadsWholeSequences(t *testing.T) {
	m, p := newTiny(t, unchanged)
	in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 2, 1).Corrupted
	in.AudioLen, in.VisionLen = []int{1, 1}, []int{1, 1}
	score := m.Predict(ag.NewInferenceTape(p.Device()), in).Score.Values()
	audio := in.Audio.Values()
	audio[len(audio)-1]++ // of the last step, far after the end of the recording
	in.Audio = ag.NewTensor(p.Device(), audio, in.Audio.Shape()...)
	other := m.Predict(ag.NewInferenceTape(p.Device()), in).Score.Values()
	if score[0] != other[0] || score[1] == other[1] {
		t.Errorf("scores %v, and %v with another last frame of sample 1", score, other)
	}
}

// TestGroups checks that audio and vision have groups, of LSTM and convolution, and that BERT's is
// divided by weight decay.
func TestGroups(t *testing.T) {
	m, _ := zootest.New(t, &Spec, tiny(), "cpu", zootest.TinyBERT())
	var names []string
	for _, g := range m.Phases()[0].Passes[0].Groups {
		names = append(names, fmt.Sprintf("%s %t %d", g.Name, g.NoDecay, len(g.Params)))
		for _, x := range g.Params {
			if !strings.HasPrefix(x.Name, g.Name+".") {
				t.Errorf("%s is in group %s", x.Name, g.Name)
			}
		}
	}
	want := []string{"audio false 5", "vision false 5", "text false 9", "text true 12"}
	if !slices.Equal(names, want) {
		t.Errorf("groups %q, want %q", names, want)
	}
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"tetfn: width is 2":            func(c *Config) { c.Width = 2 },
		"tetfn: heads is 3":            func(c *Config) { c.Heads = 3 },
		"tetfn: frame_kernel is 0":     func(c *Config) { c.FrameKernel = 0 },
		"tetfn: dropout.vision is 1":   func(c *Config) { c.Dropout.Vision = 1 },
		"tetfn: tasks.text.width is 0": func(c *Config) { c.Tasks.Text.Width = 0 },
		"tetfn: bound is 0":            func(c *Config) { c.Bound = 0 },
		"tetfn: text.width 7":          func(c *Config) { c.Text.Width = 7 },
	})
	for _, kernels := range [][2]int{{6, 1}, {1, 6}, {5, 5}} {
		c := tiny().(*Config)
		c.TextKernel, c.FrameKernel = kernels[0], kernels[1]
		err := c.CheckDims(&zootest.TinyDims)
		const want = "tetfn: text_kernel and frame_kernel: expected at most the 5 tokens"
		if fits := kernels[0] == 5; (err == nil) != fits ||
			err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("windows of %v steps for 5 tokens: error %v", kernels, err)
		}
	}
}

// TestPresets has MMSA's numbers.
func TestPresets(t *testing.T) {
	bert := zoo.PaperText()
	head := func(width int, dropout float64) selfmm.HeadConfig {
		return selfmm.HeadConfig{Width: width, Dropout: dropout}
	}
	training := func(batch int, lr, decay float64, audio, vision zoo.GroupTraining) zoo.Training {
		return zoo.Training{Batch: batch, Accumulate: 4, Optimizer: "adam", Schedule: "constant",
			LR: lr, WeightDecay: decay,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 3e-5, WeightDecay: 1e-3},
				"audio": audio, "vision": vision},
			Patience: 8, Epochs: map[string]int{"train": 200}}
	}
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi": {Config: &Config{Text: bert, Width: 50, Heads: 5, Layers: 2,
			AudioWidth: 16, VisionWidth: 64, TextKernel: 1, FrameKernel: 1,
			Dropout: DropoutConfig{Attention: 0.1, Audio: 0, Vision: 0.1, ReLU: 0, Embed: 0,
				Residual: 0.1},
			Tasks: selfmm.HeadsConfig{Fusion: head(64, 0), Text: head(32, 0), Audio: head(32, 0),
				Vision: head(16, 0)}, Bound: 3},
			Training: training(64, 3e-4, 1e-2, zoo.GroupTraining{LR: 5e-4, WeightDecay: 1e-2},
				zoo.GroupTraining{LR: 3e-4, WeightDecay: 0})},
		"mosei": {Config: &Config{Text: bert, Width: 50, Heads: 5, Layers: 2,
			AudioWidth: 32, VisionWidth: 32, TextKernel: 1, FrameKernel: 1,
			Dropout: DropoutConfig{Attention: 0.1, Audio: 0, Vision: 0.1, ReLU: 0.1, Embed: 0.1,
				Residual: 0},
			Tasks: selfmm.HeadsConfig{Fusion: head(64, 0), Text: head(64, 0.1),
				Audio: head(32, 0), Vision: head(16, 0.1)}, Bound: 3},
			Training: training(32, 1e-4, 1e-2, zoo.GroupTraining{LR: 1e-3, WeightDecay: 0},
				zoo.GroupTraining{LR: 5e-3, WeightDecay: 1e-3})},
		"sims": {Config: &Config{Text: bert, Width: 50, Heads: 5, Layers: 2,
			AudioWidth: 16, VisionWidth: 64, TextKernel: 3, FrameKernel: 5,
			Dropout: DropoutConfig{Attention: 0, Audio: 0.1, Vision: 0, ReLU: 0.1, Embed: 0,
				Residual: 0},
			Tasks: selfmm.HeadsConfig{Fusion: head(64, 0.1), Text: head(64, 0),
				Audio: head(16, 0), Vision: head(32, 0)}, Bound: 3},
			Training: training(64, 3e-3, 1e-3, zoo.GroupTraining{LR: 3e-3, WeightDecay: 0},
				zoo.GroupTraining{LR: 5e-4, WeightDecay: 1e-2})},
	}, zootest.Preset{Config: &Config{Text: zoo.QuickText(), Width: 32, Heads: 4, Layers: 1,
		AudioWidth: 16, VisionWidth: 32, TextKernel: 1, FrameKernel: 1,
		Dropout: DropoutConfig{Attention: 0.1, Vision: 0.1, Residual: 0.1},
		Tasks: selfmm.HeadsConfig{Fusion: head(64, 0), Text: head(32, 0), Audio: head(32, 0),
			Vision: head(16, 0)}, Bound: 3},
		Training: zoo.Training{Batch: 32, Accumulate: 2, Optimizer: "adam", Schedule: "constant",
			LR: 1e-3, WeightDecay: 1e-3,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-3}},
			Epochs: map[string]int{"train": 30}}})
}

// fixture is testdata/tetfn.json.
type fixture struct {
	zootest.Golden
	TextLen []int `json:"text_len"`
	Labels  []float32
	Epochs  [][][]int
	Steps   []struct {
		Terms  map[string]float64
		Tables map[string][]float64
	}
}

// batch returns the utterances in rows.
func (g *fixture) batch(dev ag.Device, d *zoo.Dims, rows []int, epoch int) *zoo.Batch {
	var ids []int
	var y, audio, vision []float64
	add := func(to *[]float64, number, size, i int) {
		*to = append(*to, agtest.Noise(number, len(g.Labels)*size)[i*size:][:size]...)
	}
	for _, i := range rows {
		for s := range d.TextT {
			id := 0
			if s < g.TextLen[i] {
				id = 1 + (7*i+3*s)%(d.Vocab-1)
			}
			ids = append(ids, id)
		}
		add(&audio, 1003, d.AudioT*d.AudioD, i)
		add(&vision, 1004, d.VisionT*d.VisionD, i)
		y = append(y, float64(g.Labels[i]))
	}
	in := zootest.Tokens(dev, d.TextT, ids...)
	in.Audio = ag.NewTensor(dev, audio, len(rows), d.AudioT, d.AudioD)
	in.Vision = ag.NewTensor(dev, vision, len(rows), d.VisionT, d.VisionD)
	return &zoo.Batch{Corrupted: in, Label: ag.NewTensor(dev, y, len(y)), Index: rows,
		Epoch: epoch}
}

// TestAgreesWithPyTorch compares losses and generated labels of every step, the gradients of the
// last, and predictions.
func TestAgreesWithPyTorch(t *testing.T) {
	var want fixture
	zootest.ReadGolden(t, "tetfn", &want)
	head := func(width int) selfmm.HeadConfig { return selfmm.HeadConfig{Width: width} }
	c := &Config{Text: zoo.TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2,
		FeedForward: 6}, Width: 4, Heads: 2, Layers: 2, AudioWidth: 3, VisionWidth: 2,
		TextKernel: 2, FrameKernel: 3,
		Tasks: selfmm.HeadsConfig{Fusion: head(6), Text: head(5), Audio: head(4), Vision: head(3)},
		Bound: 2}
	d := zootest.TinyDims
	d.VisionT = 3 // less than tokens
	for device, tol := range zootest.GoldenDevices {
		t.Run(device, func(t *testing.T) {
			m, p := zootest.New(t, &Spec, c, device, d)
			want.Assign(t, p.All())
			ph, tp := m.Phases()[0], ag.NewTape(p.Device())
			tables := ph.NewMemory(want.Labels)
			var grads ag.Grads
			steps := want.Steps
			for e, batches := range want.Epochs {
				for _, rows := range batches {
					at, step := fmt.Sprintf("epoch %d, %d, ", e+1, rows), steps[0]
					tp.Reset()
					b := want.batch(p.Device(), &d, rows, e+1)
					terms, updates := ph.Passes[0].Terms(tp, b)
					zoo.Apply(tp, updates)
					zootest.TermsAgree(t, at, tol.Value, terms, step.Terms)
					for _, x := range tables {
						name := strings.TrimPrefix(x.Name, "memory.")
						if labels, ok := step.Tables[name]; ok {
							zootest.Close(t, at+name, tol.Value, x.Values(), labels)
						}
					}
					steps, grads = steps[1:], tp.Backward(zoo.Total(tp, terms))
				}
			}
			want.GradientsAgree(t, tol.Gradient, p.All(), grads)
			all := want.batch(p.Device(), &d, []int{0, 1, 2, 3, 4, 5}, 0).Corrupted
			zootest.Close(t, "score", tol.Value,
				m.Predict(ag.NewInferenceTape(p.Device()), all).Score.Values(), want.Score)
		})
	}
}
