// Package selfmm implements Self-MM (Yu, Xu, Yuan, Wu: Learning Modality-Specific Representations
// with Self-Supervised Multi-Task Learning for Multimodal Sentiment Analysis; AAAI 2021).
//
// A regression of the label from all modalities is trained together with one regression from each
// modality alone. There are no human labels of a single modality. They are generated in training,
// from the distances between the representation of a sample and the centroids of positive and of
// negative samples.
//
//	text   ─► BERT ─► f_t ─┬─► F_t ─► ŷ_t ◄─ Y_t ◄─┐
//	audio  ─► LSTM ─► f_a ─┼─► F_a ─► ŷ_a ◄─ Y_a ◄─┼─ generated from Y_m and from the
//	vision ─► LSTM ─► f_v ─┼─► F_v ─► ŷ_v ◄─ Y_v ◄─┘  positions of F_x and F_m (memory.go)
//	                       └─► F_m ─► ŷ_m ◄─ Y_m, the human label
//
//	config.go  settings and presets
//	model.go   the model
//	task.go    the four regressions and their loss
//	memory.go  generated labels
//
// In shapes, B is the number of samples of a batch and N that of the training set. Formulas without
// a source are those of the paper's code.
package selfmm

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// model is Self-MM: an encoder for each modality, and a regression for each and for their fusion.
type model struct {
	*Tasks
	all           *nn.Params
	text          *zoo.TextEncoder
	audio, vision *encoder
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{all: p,
		text:   zoo.NewTextEncoder(p.Sub("text"), c.Text, d),
		audio:  newEncoder(p.Sub("audio"), d.AudioD, c.AudioWidth, c.AudioOut),
		vision: newEncoder(p.Sub("vision"), d.VisionD, c.VisionWidth, c.VisionOut),
	}
	t, a, v := m.text.Width, c.AudioOut, c.VisionOut
	m.Tasks = NewTasks(p.Sub("heads"), [4]int{t + a + v, t, a, v}, c.Heads, d.Range[1])
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters but those of the regressions from one modality.
func (m *model) PredictParams() []nn.Param {
	return m.params("text", "audio", "vision", "heads.fusion")
}

func (m *model) params(modules ...string) []nn.Param {
	var ps []nn.Param
	for _, name := range modules {
		ps = append(ps, m.all.Sub(name).All()...)
	}
	return ps
}

// Phases returns the only phase.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true, NewMemory: m.NewMemory,
		Passes: []zoo.Pass{{Params: m.text.Trainable(m.all), Groups: m.groups(), Terms: m.terms}},
	}}
}

// groups returns the parameter groups: one for each encoder. Biases and norms of a pretrained BERT
// have no weight decay.
func (m *model) groups() []zoo.Group {
	return append([]zoo.Group{{Name: "audio", Params: m.params("audio")},
		{Name: "vision", Params: m.params("vision")}}, m.text.DecayGroups()...)
}

// encode returns the inputs of the tasks, [f_t; f_a; f_v], f_t, f_a and f_v. f_t [B W] is BERT's
// last hidden state at [CLS].
func (m *model) encode(tp *ag.Tape, in *zoo.Input) []*ag.Tensor {
	tokens := m.text.Forward(tp, in)
	t := tp.Reshape(tp.Slice(tokens, 1, 0, 1), in.Batch(), m.text.Width)
	a := m.audio.Forward(tp, in.Audio, in.AudioLen)
	v := m.vision.Forward(tp, in.Vision, in.VisionLen)
	return []*ag.Tensor{tp.Concat(1, t, a, v), t, a, v}
}

// Predict returns ŷ_m.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	return m.Score(tp, m.encode(tp, in)[0])
}

// terms returns the losses of the four tasks and the updates of their memory.
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	return m.Terms(tp, b, m.encode(tp, b.Corrupted))
}

// An encoder maps a sequence of frames to a vector, by the final state of an LSTM.
type encoder struct {
	lstm    *nn.LSTM
	project *nn.Linear
}

func newEncoder(p *nn.Params, in, width, out int) *encoder {
	return &encoder{
		lstm:    nn.NewLSTM(p.Sub("lstm"), nn.LSTMConfig{In: in, Hidden: width, Layers: 1}),
		project: nn.NewLinear(p.Sub("project"), width, out),
	}
}

// Forward returns f_m = W·h + b, [B o_m], for x [B T d_m]; h is the state after the last frame of
// each recording.
func (e *encoder) Forward(tp *ag.Tape, x *ag.Tensor, lengths []int) *ag.Tensor {
	_, final := e.lstm.Forward(tp, x, lengths)
	return e.project.Forward(tp, final[0])
}
