package zoo

import (
	"fmt"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// Self-MM (Yu, Xu, Yuan, Wu: Learning Modality-Specific Representations with Self-Supervised
// Multi-Task Learning for Multimodal Sentiment Analysis, AAAI 2021). A regression from all
// modalities is trained together with one from each modality alone. Nobody has labelled what a
// modality says alone, so these labels are made in training, from where the representations lie
// between those of positive and of negative utterances.
//
//	words  ─► BERT ─► f_t ─┬─► F_t ─► ŷ_t ◄─ Y_t ◄─┐
//	audio  ─► LSTM ─► f_a ─┼─► F_a ─► ŷ_a ◄─ Y_a ◄─┼─ Y_m, moved by how the side on which F_x lies
//	vision ─► LSTM ─► f_v ─┼─► F_v ─► ŷ_v ◄─ Y_v ◄─┘  compares with that of F_m
//	                       └─► F_m ─► ŷ_m ◄─ Y_m, given by people
//
// Sizes in comments are B utterances of a batch, N of the training set. Where nothing else is
// named, formulas are those of the paper's code.

// SelfMMConfig describes Self-MM. YAML names are the keys of `recap train --set`.
type SelfMMConfig struct {
	Text        TextConfig  `yaml:"text"`
	AudioWidth  int         `yaml:"audio_width"`  // h_a, of the LSTM's state
	VisionWidth int         `yaml:"vision_width"` // h_v
	AudioOut    int         `yaml:"audio_out"`    // o_a, to which the last state is projected
	VisionOut   int         `yaml:"vision_out"`   // o_v
	Heads       HeadsConfig `yaml:"heads"`
}

// HeadsConfig describes the four regressions.
type HeadsConfig struct {
	Fusion HeadConfig `yaml:"fusion"`
	Text   HeadConfig `yaml:"text"`
	Audio  HeadConfig `yaml:"audio"`
	Vision HeadConfig `yaml:"vision"`
}

// HeadConfig describes one regression.
type HeadConfig struct {
	Width   int     `yaml:"width"`   // D_x, of the representation
	Dropout float64 `yaml:"dropout"` // of its input
}

// selfMMPreset returns the numbers of MMSA's port of the paper's code, which has others for MOSI
// and MOSEI (docs/zoo.md).
func selfMMPreset(preset, dataset string) (Config, Training) {
	c := &SelfMMConfig{Text: PaperText(), AudioWidth: 16, VisionWidth: 32, AudioOut: 16, VisionOut: 32,
		Heads: HeadsConfig{Fusion: HeadConfig{128, 0}, Text: HeadConfig{32, 0.1}, Audio: HeadConfig{16, 0.1}, Vision: HeadConfig{32, 0}}}
	t := Training{Batch: 16, Accumulate: 4, Optimizer: "adam", Schedule: "constant", LR: 1e-3, WeightDecay: 1e-3,
		Groups:   map[string]GroupTraining{"text": {5e-5, 1e-3}, "audio": {5e-3, 1e-3}, "vision": {5e-3, 1e-3}},
		Patience: 8, Epochs: map[string]int{"train": 200}}
	switch {
	case preset == "quick":
		c.Text = QuickText()
		t.Batch, t.Accumulate, t.Patience, t.Epochs["train"] = 32, 2, 0, 30
	case dataset == "mosei":
		c.Heads.Fusion.Dropout, c.Heads.Text.Dropout, c.Heads.Audio.Dropout = 0.1, 0, 0
		t.Batch, t.WeightDecay = 32, 1e-2
		t.Groups["audio"], t.Groups["vision"] = GroupTraining{5e-3, 0}, GroupTraining{1e-4, 0}
	case dataset == "sims":
		c.VisionWidth, c.Heads.Text.Width = 64, 64
		t.Batch = 32
		t.Groups["audio"], t.Groups["vision"] = GroupTraining{5e-3, 1e-2}, GroupTraining{5e-3, 1e-2}
	}
	return c, t
}

// Check returns an error that names the first field whose value cannot be used.
func (c *SelfMMConfig) Check() error {
	h := &c.Heads
	for _, f := range []struct {
		name  string
		value int
	}{
		{"audio_width", c.AudioWidth}, {"vision_width", c.VisionWidth}, {"audio_out", c.AudioOut}, {"vision_out", c.VisionOut},
		{"heads.fusion.width", h.Fusion.Width}, {"heads.text.width", h.Text.Width}, {"heads.audio.width", h.Audio.Width},
		{"heads.vision.width", h.Vision.Width},
	} {
		if f.value < 1 {
			return fmt.Errorf("self-mm: %s is %d, want at least 1", f.name, f.value)
		}
	}
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"fusion", h.Fusion.Dropout}, {"text", h.Text.Dropout}, {"audio", h.Audio.Dropout}, {"vision", h.Vision.Dropout},
	} {
		if f.value < 0 || f.value >= 1 {
			return fmt.Errorf("self-mm: heads.%s.dropout is %g, want 0 ≤ dropout < 1", f.name, f.value)
		}
	}
	if err := c.Text.Check(); err != nil {
		return fmt.Errorf("self-mm: %w", err)
	}
	return nil
}

// Words returns c.Text.
func (c *SelfMMConfig) Words() *TextConfig { return &c.Text }

// selfMM is an encoder for each modality, and a task for each and for their fusion.
type selfMM struct {
	all           *nn.Params
	bound         float64 // H, the largest label
	text          *Text
	audio, vision *selfMMEncoder
	tasks         []*selfMMTask // x = m, t, a, v
}

func newSelfMM(p *nn.Params, c Config, d Dims) Model {
	s := c.(*SelfMMConfig)
	m := &selfMM{all: p, bound: d.Range[1],
		text:   NewText(p.Sub("text"), s.Text, d),
		audio:  newSelfMMEncoder(p.Sub("audio"), d.AudioD, s.AudioWidth, s.AudioOut),
		vision: newSelfMMEncoder(p.Sub("vision"), d.VisionD, s.VisionWidth, s.VisionOut),
	}
	heads, t, a, v := p.Sub("heads"), m.text.Width, s.AudioOut, s.VisionOut
	m.tasks = []*selfMMTask{
		newSelfMMTask(heads, "fusion", t+a+v, s.Heads.Fusion),
		newSelfMMTask(heads, "text", t, s.Heads.Text),
		newSelfMMTask(heads, "audio", a, s.Heads.Audio),
		newSelfMMTask(heads, "vision", v, s.Heads.Vision),
	}
	return m
}

// encode returns the inputs of the tasks: [f_t; f_a; f_v], f_t, f_a and f_v. f_t [B W] is BERT's
// last hidden state at [CLS].
func (m *selfMM) encode(tp *ag.Tape, in *Input) []*ag.Tensor {
	words := m.text.Forward(tp, in)
	t := tp.Reshape(tp.Slice(words, 1, 0, 1), in.Batch(), m.text.Width)
	a := m.audio.Forward(tp, in.Audio, in.AudioLen)
	v := m.vision.Forward(tp, in.Vision, in.VisionLen)
	return []*ag.Tensor{tp.Concat(1, t, a, v), t, a, v}
}

// Predict returns the prediction from the fusion.
func (m *selfMM) Predict(tp *ag.Tape, in *Input) Output {
	_, score := m.tasks[0].Forward(tp, m.encode(tp, in)[0])
	return Output{Score: score}
}

// A selfMMEncoder summarises a sequence by the final state of an LSTM.
type selfMMEncoder struct {
	lstm    *nn.LSTM
	project *nn.Linear
}

func newSelfMMEncoder(p *nn.Params, in, width, out int) *selfMMEncoder {
	return &selfMMEncoder{
		lstm:    nn.NewLSTM(p.Sub("lstm"), nn.LSTMConfig{In: in, Hidden: width, Layers: 1}),
		project: nn.NewLinear(p.Sub("project"), width, out),
	}
}

// Forward returns f_m = W·h + b, [B o_m], h the state after the last frame of each recording x [B
// T d_m].
func (e *selfMMEncoder) Forward(tp *ag.Tape, x *ag.Tensor, lengths []int) *ag.Tensor {
	_, final := e.lstm.Forward(tp, x, lengths)
	return e.project.Forward(tp, final[0])
}

// A selfMMTask x is a regression, and what it remembers of the N utterances of training.
type selfMMTask struct {
	name  string
	drop  float64
	first *nn.Linear
	rest  *nn.MLP

	labels   *ag.Tensor // Y_x [N]; of the fusion those that people gave
	features *ag.Tensor // Φ_x [N D_x], the representation when the utterance was last seen
}

func newSelfMMTask(p *nn.Params, name string, in int, c HeadConfig) *selfMMTask {
	p = p.Sub(name)
	return &selfMMTask{name: name, drop: c.Dropout, first: nn.NewLinear(p.Sub("first"), in, c.Width), rest: nn.NewMLP(p.Sub("rest"), c.Width, c.Width, 1)}
}

// letter returns x as formulas have it.
func (x *selfMMTask) letter() string {
	if x.name == "fusion" {
		return "m"
	}
	return x.name[:1]
}

// Forward returns the representation F_x [B D_x] of an input [B W], and the prediction ŷ_x [B]:
//
//	F_x = ReLU(W₁·drop(input) + b₁)
//	ŷ_x = W₃·ReLU(W₂·F_x + b₂) + b₃
func (x *selfMMTask) Forward(tp *ag.Tape, input *ag.Tensor) (f, score *ag.Tensor) {
	f = tp.ReLU(x.first.Forward(tp, tp.Dropout(input, x.drop)))
	return f, tp.Reshape(x.rest.Forward(tp, f), -1)
}

// Text returns the encoder of words.
func (m *selfMM) Text() *Text { return m.text }

// PredictParams returns all but the regressions from one modality.
func (m *selfMM) PredictParams() []nn.Param {
	return m.params("text", "audio", "vision", "heads.fusion")
}

func (m *selfMM) params(modules ...string) []nn.Param {
	var ps []nn.Param
	for _, name := range modules {
		ps = append(ps, m.all.Sub(name).All()...)
	}
	return ps
}

// Phases returns the one phase.
func (m *selfMM) Phases() []Phase {
	return []Phase{{Name: "train", Params: m.text.trainable(m.all), Groups: m.groups(),
		Labels: true, Remember: m.remember, Terms: m.terms}}
}

// groups returns the encoders. A pretrained BERT's biases and norms have no weight decay.
func (m *selfMM) groups() []Group {
	groups := []Group{{Name: "audio", Params: m.params("audio")}, {Name: "vision", Params: m.params("vision")}}
	for _, g := range m.text.Groups() {
		decayed, others := Group{Name: g.Name}, Group{Name: g.Name, NoDecay: true}
		for _, p := range g.Params {
			if strings.Contains(p.Name, "bias") || strings.Contains(p.Name, "LayerNorm.weight") {
				others.Params = append(others.Params, p)
			} else {
				decayed.Params = append(decayed.Params, p)
			}
		}
		groups = append(groups, decayed, others)
	}
	return groups
}

// terms returns the four tasks' losses, whose sum is
//
//	L = mean |ŷ_m − Y_m| + Σ_x mean w_x·|ŷ_x − Y_x|,  w_x = tanh|Y_x − Y_m|,  x = t, a, v
//
// and then updates the labels Y_x. They begin as Y_m and change first after the losses of epoch 2,
// so that until then the fusion learns alone.
func (m *selfMM) terms(tp *ag.Tape, b *Batch) []Term {
	if m.tasks[0].labels == nil {
		panic("zoo: Self-MM: Terms: there are no labels of the tasks: want Remember before")
	}
	var terms, shifts []Term
	var f []*ag.Tensor
	for i, input := range m.encode(tp, b.Corrupted) {
		x := m.tasks[i]
		fx, score := x.Forward(tp, input)
		f = append(f, fx)
		if i == 0 {
			terms = append(terms, Term{Name: x.name, Weight: 1, Loss: tp.L1(score, b.Label)})
			continue
		}
		y := tp.Gather(x.labels, b.Index)
		shift := tp.Abs(tp.Sub(y, b.Label))
		loss := tp.Mean(tp.Mul(tp.Tanh(shift), tp.Abs(tp.Sub(score, y))))
		terms = append(terms, Term{Name: x.name, Weight: 1, Loss: loss})
		shifts = append(shifts, Term{Name: "shift_" + Modality(i-1).String(), Loss: tp.Mean(shift)})
	}
	tp.NoGrad(func() { m.update(tp, b, f) })
	return append(terms, shifts...)
}

var selfMMTerms = []TermTitle{
	{Name: "fusion", Title: "|ŷ_m − Y_m|"}, {Name: "text", Title: "w_t·|ŷ_t − Y_t|"}, {Name: "audio", Title: "w_a·|ŷ_a − Y_a|"},
	{Name: "vision", Title: "w_v·|ŷ_v − Y_v|"}, {Name: "shift", Title: "|Y_x − Y_m|, how far labels have moved"},
}

// remember makes the tables of N utterances: all labels are those that people gave, all
// representations 0. It returns what will change.
func (m *selfMM) remember(labels []float32) []nn.Param {
	dev, n := m.all.Device(), len(labels)
	human := make([]float64, n)
	for i, y := range labels {
		human[i] = float64(y)
	}
	var changing []nn.Param
	for i, x := range m.tasks {
		width := x.first.W.Shape()[0]
		x.labels = ag.NewTensor(dev, human, n)
		x.features = ag.NewTensor(dev, make([]float64, n*width), n, width)
		if i > 0 {
			changing = append(changing, nn.Param{Name: "memory.labels." + x.letter(), Tensor: x.labels})
		}
		changing = append(changing, nn.Param{Name: "memory.features." + x.letter(), Tensor: x.features})
	}
	return changing
}

// update rewrites the labels of a batch in epoch n > 1, each from the sides δ on which the
// representations F_x of this forward pass lie,
//
//	new = ½·Y_m·δ_x/(δ_m + ε) + ½·(Y_m + δ_x − δ_m), clamped to [−H, H]
//	Y_x ← (n−1)/(n+1)·Y_x + 2/(n+1)·new
//
// and then remembers F_x. Where δ_m is near 0, of either sign, the quotient is huge and the clamp
// decides.
func (m *selfMM) update(tp *ag.Tape, b *Batch, f []*ag.Tensor) {
	if n := float64(b.Epoch); n > 1 {
		fusion := m.tasks[0].side(tp, f[0])
		for i, x := range m.tasks[1:] {
			side := x.side(tp, f[i+1])
			quotient := tp.Div(tp.Mul(b.Label, side), tp.AddScalar(fusion, selfMMEps))
			difference := tp.Add(b.Label, tp.Sub(side, fusion))
			label := tp.Clamp(tp.Scale(tp.Add(quotient, difference), 0.5), -m.bound, m.bound)
			old := tp.Gather(x.labels, b.Index)
			tp.SetRows(x.labels, b.Index, tp.Add(tp.Scale(old, (n-1)/(n+1)), tp.Scale(label, 2/(n+1))))
		}
	}
	for i, x := range m.tasks {
		tp.SetRows(x.features, b.Index, f[i])
	}
}

const selfMMEps = 1e-8

// side returns for each row of F_x [B D_x] how much nearer it is to the centroid of positive
// utterances than to that of negative ones, [B]:
//
//	δ_x = (d⁻ − d⁺)/(d⁺ + ε),  d± = ‖F_x − C_x±‖₂
//
// The distance is the plain Euclidean one.
func (x *selfMMTask) side(tp *ag.Tape, f *ag.Tensor) *ag.Tensor {
	b, width := f.Shape()[0], f.Shape()[1]
	apart := tp.Sub(tp.Reshape(f, b, 1, width), x.centroids(tp)) // [B 2 D_x]
	distances := tp.Sqrt(tp.Sum(tp.Mul(apart, apart), 2))        // [B 2]
	positive, negative := tp.Slice(distances, 1, 0, 1), tp.Slice(distances, 1, 1, 2)
	return tp.Reshape(tp.Div(tp.Sub(negative, positive), tp.AddScalar(positive, selfMMEps)), b)
}

// centroids returns C_x⁺ and C_x⁻, [2 D_x]: the means of Φ_x over the utterances with Y_x > 0 and
// with Y_x < 0, 0 where there are none. Utterances not yet seen count with their zeros, those of
// label 0 in neither (MMSA; the paper's code takes them for positive).
func (x *selfMMTask) centroids(tp *ag.Tape) *ag.Tensor {
	minus := tp.Neg(x.labels)
	class := tp.Stack(0, tp.Less(minus, x.labels), tp.Less(x.labels, minus)) // [2 N]
	count := tp.Clamp(tp.Sum(class, 1), 1, float64(x.labels.Len()))
	return tp.Div(tp.MatMul(class, x.features, ag.NN), tp.Reshape(count, 2, 1))
}
