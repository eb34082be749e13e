// Package lnln implements LNLN: Language-dominated Noise-resistant Learning Network (Zhang, Wang,
// Yu: Towards Robust Multimodal Sentiment Analysis with Incomplete Data; NeurIPS 2024).
//
// Language is the dominant modality, as in ALMT (Zhang et al., EMNLP 2023), of whose blocks the
// model consists. It is corrected first: a network estimates the completeness w of the text, and a
// proxy P, generated from audio and vision, replaces what is missing.
//
//	text   ─► U_l ─┬─► completeness w ─┐
//	               └───────────────────┼─► D = (1−w)·P + w·U_l ─► L_0, L_1, L_2 ─┬─► fusion ─► ŷ
//	audio  ─► U_a ─┬─► G ─► P ─────────┘                              │          │
//	vision ─► U_v ─┤                                                  ▼          │
//	               └───────────────────────────────────────────► hyper-modality ─┘
//
// In training the complete input passes through the same embeddings too. Its representations C_l,
// C_a, C_v serve a discriminator between D and C_l, and are the targets of a reconstruction.
//
//	config.go      settings and presets
//	model.go       the model and its loss
//	correction.go  completeness, proxy and discriminator
//
// Embedding, hyper-modality and fusion are the blocks of package almt.
//
// In shapes, B is the number of samples, n the number of tokens, d the width. Formulas without a
// source are those of the authors' code. That code has 128 parameters more in each of
// its 20 attention blocks (22 for MOSEI and SIMS): the shift of LN_k, which has no effect
// (nn.Transformer).
package lnln

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/almt"
)

// model is LNLN.
type model struct {
	config *Config
	dims   zoo.Dims

	text         *zoo.TextEncoder
	embed        *almt.Embeddings
	completeness *completeness
	proxy        *proxy
	language     *almt.Encoder // of D
	hyper        *almt.Hyper
	fusion       *almt.Fusion
	score        *nn.Linear // d → 1, or d → C

	discriminator  *twoLayer
	reconstructors [zoo.Modalities]*almt.Encoder

	trained, predict []nn.Param
}

// newModel creates the modules under p. Those that prediction needs come first.
func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{config: c, dims: d, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d)}
	m.embed = almt.NewEmbeddings(p.Sub("embed"), c.transformer(c.Depth), c.Tokens, m.text.Width, d)
	m.completeness = newCompleteness(p.Sub("completeness"), c)
	m.proxy = newProxy(p.Sub("proxy"), c)
	m.language = almt.NewEncoder(p.Sub("language"), c.transformer(c.HyperDepth-1), 0, c.Tokens)
	m.hyper = almt.NewHyper(p.Sub("hyper"), almt.HyperConfig{Width: c.Width, Tokens: c.Tokens,
		Heads: c.Heads, HeadWidth: c.HyperHeadWidth, Depth: c.HyperDepth})
	m.fusion = almt.NewFusion(p.Sub("fusion"), c.transformer(c.FusionDepth), c.Tokens, c.Tokens)
	m.score = nn.NewLinear(p.Sub("score"), c.Width, d.OutputWidth())
	m.predict = p.All()

	m.discriminator = newTwoLayer(p.Sub("discriminator"), c.Width, 2)
	for i := range m.reconstructors {
		m.reconstructors[i] = almt.NewEncoder(p.Sub("reconstruct").Sub(zoo.Modality(i).String()),
			c.transformer(c.Depth), 0, c.Tokens)
	}
	m.trained = m.text.Trainable(p)
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters but those of the discriminator and the reconstructors.
func (m *model) PredictParams() []nn.Param { return m.predict }

// Phases returns the only phase.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true, NeedsComplete: true,
		Passes: []zoo.Pass{{Params: m.trained, Groups: m.text.Groups(), Terms: m.terms}},
	}}
}

// Predict returns ŷ.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	u := m.features(tp, in)
	dominant, _ := m.dominant(tp, u)
	return m.dims.Output(tp, m.sentiment(tp, dominant, u))
}

// terms returns the parts of L = α·L_cc + β·L_adv + γ·L_rec + σ·L_sp,
//
//	L_cc  = MSE(w, 1 − r_l)
//	L_rec = MSE([R_l R_a R_v], [C_l C_a C_v]),  R_m = Encoder_m(U_m)
//	L_sp  = MSE(ŷ, y), or the cross-entropy of classes
//
// r_l is the missing rate with which the tokens' keep mask was drawn, not the share of tokens
// that is missing. The targets C_m are not constants: embeddings and text encoder get gradients
// through both U_m and C_m.
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	u, complete := m.features(tp, b.Corrupted), m.features(tp, b.Complete)
	dominant, w := m.dominant(tp, u)
	rate := tp.Slice(b.MissingRates, 1, 0, 1) // r_l, [B 1]
	var reconstructed [zoo.Modalities]*ag.Tensor
	for i, r := range m.reconstructors {
		reconstructed[i] = r.Forward(tp, u[i])
	}
	rec := tp.MSE(tp.Concat(1, reconstructed[:]...), tp.Concat(1, complete[:]...))
	score := m.sentiment(tp, dominant, u)
	weight := m.config.Loss
	return []zoo.Term{
		{Name: "cc", Weight: weight.Completeness, Loss: tp.MSE(w, tp.AddScalar(tp.Neg(rate), 1))},
		{Name: "adv", Weight: weight.Adversarial,
			Loss: m.adversarial(tp, dominant, complete[zoo.Language])},
		{Name: "rec", Weight: weight.Reconstruction, Loss: rec},
		{Name: "sp", Weight: weight.Sentiment,
			Loss: tp.Mean(zoo.TaskErrors(tp, score, b, &m.dims))},
		{Name: "completeness", Loss: tp.Mean(w)},
	}, nil
}

// features returns U_m [B n d] of each modality.
func (m *model) features(tp *ag.Tape, in *zoo.Input) [zoo.Modalities]*ag.Tensor {
	return m.embed.Forward(tp, m.text.Forward(tp, in), in)
}

// sentiment returns the scores, [B 1] or [B C]. L_0, L_1, … are the states of the encoder of the
// dominant language. Each is the query of one layer of the hyper-modality, and the last is fused
// with the hyper-modality to T. The scores are a linear map of the mean of T over all rows but the
// first, that of the class token. ALMT predicts from that first row.
func (m *model) sentiment(
	tp *ag.Tape, dominant *ag.Tensor, u [zoo.Modalities]*ag.Tensor,
) *ag.Tensor {
	l := m.language.Stream(tp, dominant)
	h := m.hyper.Forward(tp, l, u[zoo.Audio], u[zoo.Vision])
	t := m.fusion.Forward(tp, l[len(l)-1], h) // [B 1+n d]
	return m.score.Forward(tp, tp.Mean(tp.Slice(t, 1, 1, t.Shape()[1]), 1))
}
