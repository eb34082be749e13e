// Package almt implements ALMT: Adaptive Language-guided Multimodal Transformer (Zhang, Wang, Yin,
// Liu, Liu, Yu: Learning Language-guided Adaptive Hyper-modality Representation for Multimodal
// Sentiment Analysis; EMNLP 2023).
//
// Language decides what is read of audio and vision: its states at three depths are the queries of
// attentions to both. What these find is added up to the hyper-modality, from which the label is
// predicted.
//
//	text   ─► U_l ─► L_0 ──► L_1 ──► L_2
//	                  │       │       │     queries
//	                  ▼       ▼       ▼
//	           h⁰ ──► h¹ ───► h² ───► h³ ─► [c; h³]
//	                  ▲       ▲       ▲        │ keys, values
//	audio  ─► U_a ─┬──┴───────┴───────┘        ▼
//	vision ─► U_v ─┘    keys, values      c ─► fusion ─► ŷ
//
//	config.go  settings and presets
//	model.go   the model and its loss
//	blocks.go  embedding, hyper-modality and fusion, which other models use too
//
// In shapes, B is the number of samples, n the number of tokens, d the width. Formulas without a
// source are those of the authors' code. That code has parameters without effect, which are left
// out: the shift of LN_k in each attention block (nn.Transformer), and the positions of language in
// the fusion.
package almt

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// model is ALMT.
type model struct {
	dims     zoo.Dims
	all      *nn.Params
	text     *zoo.TextEncoder
	embed    *Embeddings
	language *Encoder
	hyper    *Hyper
	fusion   *Fusion
	score    *nn.Linear // d → 1, or d → C
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{dims: d, all: p, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d)}
	m.embed = NewEmbeddings(p.Sub("embed"), c.transformer(c.Depth), c.Tokens, m.text.Width, d)
	m.language = NewEncoder(p.Sub("language"), c.transformer(c.HyperDepth-1), 0, c.Tokens)
	m.hyper = NewHyper(p.Sub("hyper"), HyperConfig{Width: c.Width, Tokens: c.Tokens,
		Heads: c.Heads, HeadWidth: c.HyperHeadWidth, Depth: c.HyperDepth})
	m.fusion = NewFusion(p.Sub("fusion"), c.transformer(c.FusionDepth), 0, c.Tokens)
	m.score = nn.NewLinear(p.Sub("score"), c.Width, d.OutputWidth())
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters.
func (m *model) PredictParams() []nn.Param { return m.all.All() }

// Phases returns the only phase.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true,
		Passes: []zoo.Pass{{Params: m.text.Trainable(m.all), Groups: m.text.Groups(),
			Terms: m.terms}},
	}}
}

// Predict returns ŷ.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	return m.dims.Output(tp, m.sentiment(tp, in))
}

// terms returns the only term of the loss, the mean (ŷ − y)², or the cross-entropy of classes.
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	score := m.sentiment(tp, b.Corrupted)
	return []zoo.Term{{Name: "task", Weight: 1,
		Loss: tp.Mean(zoo.TaskErrors(tp, score, b, &m.dims))}}, nil
}

// sentiment returns the scores, [B 1] or [B C]: a linear map of the row of the class token in T.
// Rows of T do not attend to each other, so the code's other rows, those of L_2, have no effect on
// them, and T has no others here. So language acts only as the query of the hyper-modality.
func (m *model) sentiment(tp *ag.Tape, in *zoo.Input) *ag.Tensor {
	u := m.embed.Forward(tp, m.text.Forward(tp, in), in)
	l := m.language.Stream(tp, u[zoo.Language])
	h := m.hyper.Forward(tp, l, u[zoo.Audio], u[zoo.Vision])
	t := m.fusion.Forward(tp, nil, h) // [B 1 d]
	return m.score.Forward(tp, tp.Reshape(t, in.Batch(), -1))
}
