// Package cenet implements CENET: Cross-modal Enhancement Network (Wang, Liu, Wang, Tian, He, Gao:
// Cross-modal Enhancement Network for Multimodal Sentiment Analysis; IEEE Transactions on
// Multimedia 2022).
//
// Audio and vision are added inside of a pretrained language model. After the first layer of BERT
// every token attends to the frames of audio and to those of vision. What it finds there shifts its
// hidden state, and the other layers continue with the shifted states.
//
//	text ─► embeddings ─► layer 0 ─► h ─┬──────────► + ─► layers 1, 2, … ─► [CLS] ─► head ─► ŷ
//	                                    │ queries    ▲
//	vision ─► MLP ─► V ─ keys, values ──┼─► c_v ─┬───┘ W_c [c_v; c_a] + b_c
//	audio ──► MLP ─► A ─ keys, values ──┴─► c_a ─┘
//
//	config.go   settings and presets
//	model.go    the model and its loss
//	enhance.go  the shift
//
// In shapes, B is the number of samples, T that of tokens, T_m that of frames of modality m, W the
// width of BERT. The formulas are those of MMSA's port, which the "paper" preset follows. The
// authors' own code differs in much (docs/zoo.md). Parameters of the port that have no gradient are
// left out: BERT's pooler and embeddings of lexicon, part of speech and polarity.
package cenet

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// model is CENET.
type model struct {
	text          *zoo.TextEncoder
	enhance       *enhancement
	hidden, score *nn.Linear // of the head
	all           *nn.Params
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{all: p, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d)}
	if c.FreezeEmbeddings {
		m.text.FreezeEmbeddings()
	}
	w := m.text.Width
	m.enhance = newEnhancement(p.Sub("enhance"), d.AudioD, d.VisionD, w)
	m.hidden = newLinear(p.Sub("head.hidden"), w, w)
	m.score = newLinear(p.Sub("head.score"), w, 1)
	return m
}

// newLinear creates a layer with weights from N(0, 0.02²) and bias 0, as those of BERT.
func newLinear(p *nn.Params, in, out int) *nn.Linear {
	return &nn.Linear{W: p.New("weight", nn.Normal(0.02), out, in), B: p.New("bias", nn.Zeros, out)}
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters.
func (m *model) PredictParams() []nn.Param { return m.all.All() }

// Phases returns the only phase.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true,
		Passes: []zoo.Pass{{Params: m.text.Trainable(m.all), Groups: m.groups(), Terms: m.terms}},
	}}
}

// groups returns the parameter groups. Biases and norms do not decay, except for the biases of the
// enhancement.
func (m *model) groups() []zoo.Group {
	text := m.text.DecayGroups()
	_, undecayed := zoo.SplitDecay(m.all.Sub("head").All())
	if len(text) == 0 { // from scratch or frozen
		_, others := zoo.SplitDecay(m.text.Trainable(m.text.Params))
		undecayed = append(others, undecayed...)
	}
	return append(text, zoo.Group{Name: "undecayed", NoDecay: true, Params: undecayed})
}

// Predict returns
//
//	ŷ = W_2·Dropout(tanh(W_1·Dropout(x) + b_1)) + b_2
//
// for the last hidden state x [B 1 W] at [CLS].
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	tokens := m.text.ForwardWith(tp, in, 1, func(h *ag.Tensor) *ag.Tensor {
		return tp.Add(h, m.enhance.Forward(tp, h, in.Audio, in.Vision))
	})
	x := tp.Slice(tokens, 1, 0, 1)
	x = tp.Tanh(m.hidden.Forward(tp, tp.Dropout(x, m.text.Dropout)))
	score := m.score.Forward(tp, tp.Dropout(x, m.text.Dropout))
	return zoo.Output{Score: tp.Reshape(score, -1)}
}

// terms returns the only term of the loss, mean |ŷ − y|.
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	return []zoo.Term{{Name: "task", Weight: 1,
		Loss: tp.L1(m.Predict(tp, b.Corrupted).Score, b.Label)}}, nil
}
