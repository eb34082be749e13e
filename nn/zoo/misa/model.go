// Package misa implements MISA: Modality-Invariant and -Specific Representations (Hazarika,
// Zimmermann, Poria; ACM Multimedia 2020).
//
// Each modality m is encoded as one vector u_m and projected to p_m. Two views are made of p_m:
// the private view s_m by an encoder of the modality's own, and the shared view c_m by one
// encoder for all modalities. A Transformer layer lets the six views attend to each other, and a
// head predicts the label.
//
//	text   ─► BERT ─► mean ─────────────► u_l ─┐       ┌─► private_m ─► s_m ─┐
//	vision ─► BiLSTM ─► norm ─► BiLSTM ─► u_v ─┼─► p_m ┤                     ├─► six tokens ─► Transformer ─► ŷ
//	audio  ─► BiLSTM ─► norm ─► BiLSTM ─► u_a ─┘       └─► shared ────► c_m ─┘
//
// Three loss terms besides the task's give the views their meaning. L_sim makes the distributions
// of the shared views similar. L_diff makes views orthogonal that should contain different
// information. L_recon makes s_m + c_m sufficient to reconstruct p_m.
//
//	config.go   settings and presets
//	model.go    the model and its loss
//	encoder.go  from features to p_m
//
// The three terms are those of zoo.Views.
//
// Formulas without a source are those of the authors' code and of its port in MMSA, which the
// "paper" preset follows. Modules of that code that get no gradient are left out: BERT's pooler, a
// classifier of views (d → 4) and a norm of width 1536, for d = 128 together 3588 parameters
// besides the pooler's; also the adversarial form of L_sim, which no configuration uses.
package misa

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// order is the order of the modalities along the first axis of all stacked tensors.
var order = [zoo.Modalities]zoo.Modality{zoo.Language, zoo.Vision, zoo.Audio}

// model is MISA.
type model struct {
	config *Config
	dims   zoo.Dims

	text          *zoo.TextEncoder
	vision, audio *encoder
	project       [zoo.Modalities]projection // in the order of order, as private and reconstruct
	private       [zoo.Modalities]*nn.Linear
	shared        *nn.Linear
	mix           *nn.PostNormLayer
	hidden, score *nn.Linear // of the head
	reconstruct   [zoo.Modalities]*nn.Linear

	trained, predict []nn.Param
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{config: c, dims: d, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d)}
	m.vision = newEncoder(p.Sub("encode.v"), d.VisionD)
	m.audio = newEncoder(p.Sub("encode.a"), d.AudioD)
	for i, in := range []int{m.text.Width, 4 * d.VisionD, 4 * d.AudioD} {
		name := order[i].String()
		m.project[i] = newProjection(p.Sub("project").Sub(name), in, c.Width)
		m.private[i] = nn.NewLinear(p.Sub("private").Sub(name), c.Width, c.Width)
	}
	m.shared = nn.NewLinear(p.Sub("shared"), c.Width, c.Width)
	m.mix = nn.NewPostNormLayer(p.Sub("mix"),
		nn.PostNormConfig{Width: c.Width, Heads: c.Heads, FeedForward: c.FeedForward,
			Dropout: c.TransformerDropout})
	m.hidden = nn.NewLinear(p.Sub("head.hidden"), 2*zoo.Modalities*c.Width, zoo.Modalities*c.Width)
	m.score = nn.NewLinear(p.Sub("head.score"), zoo.Modalities*c.Width, d.OutputWidth())
	m.predict = p.All()
	for i, modality := range order {
		m.reconstruct[i] = nn.NewLinear(p.Sub("reconstruct").Sub(modality.String()), c.Width,
			c.Width)
	}
	m.trained = m.text.Trainable(p)
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters but those of the reconstruction.
func (m *model) PredictParams() []nn.Param { return m.predict }

// Phases returns the only phase. It needs two samples in a batch: with one, the central moments and
// the features centred over the batch would all be 0.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true, MinBatch: 2,
		Passes: []zoo.Pass{{Params: m.trained, Groups: m.text.Groups(), Terms: m.terms}},
	}}
}

// Predict returns ŷ.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	return m.dims.Output(tp, m.fuse(tp, m.views(tp, in)))
}

// terms returns the parts of the loss
//
//	L = L_task + w_diff·L_diff + w_sim·L_sim + w_recon·L_recon
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	v := m.views(tp, b.Corrupted)
	task := zoo.Term{Name: "task", Weight: 1,
		Loss: tp.Mean(zoo.TaskErrors(tp, m.fuse(tp, v), b, &m.dims))}
	return append([]zoo.Term{task}, v.Terms(tp, m.reconstruct, m.config.Loss)...), nil
}

// views returns the views of p_m,
//
//	s_m = σ(P_m p_m + b),  c_m = σ(C p_m + b)
func (m *model) views(tp *ag.Tape, in *zoo.Input) *zoo.Views {
	vision, visionLen := m.frames(tp, in, in.Vision, in.VisionLen)
	audio, audioLen := m.frames(tp, in, in.Audio, in.AudioLen)
	u := [zoo.Modalities]*ag.Tensor{
		tokenMean(tp, in, m.text.Forward(tp, in)), m.vision.Forward(tp, vision, visionLen),
		m.audio.Forward(tp, audio, audioLen)}
	var p, s [zoo.Modalities]*ag.Tensor
	for i := range u {
		p[i] = m.project[i].Forward(tp, u[i])
		s[i] = m.private[i].Forward(tp, p[i])
	}
	v := &zoo.Views{Target: tp.Stack(0, p[:]...), Private: tp.Sigmoid(tp.Stack(0, s[:]...))}
	v.Shared = tp.Sigmoid(m.shared.Forward(tp, v.Target))
	v.All = tp.Concat(0, v.Private, v.Shared)
	return v
}

// fuse returns the scores, [B 1] or [B C]. The six views are the tokens of the sequence that one
// Transformer layer reads, and
//
//	ŷ = W_2·ReLU(Dropout(W_1 g + b_1)) + b_2,  g [B 6d] the concatenated outputs of the layer
func (m *model) fuse(tp *ag.Tape, v *zoo.Views) *ag.Tensor {
	z := m.mix.Forward(tp, tp.Permute(v.All, 1, 0, 2)) // [B 6 d]
	g := tp.Reshape(z, z.Shape()[0], -1)
	return m.score.Forward(tp, tp.ReLU(tp.Dropout(m.hidden.Forward(tp, g), m.config.Dropout)))
}
