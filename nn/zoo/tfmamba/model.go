// Package tfmamba implements TF-Mamba: Text-enhanced Fusion Mamba (Li, Cheng, Miao, Zhang, Li;
// Findings of EMNLP 2025).
//
// Audio and vision are aligned with the tokens of the text, and take over what resembles them
// there. Bidirectional Mamba layers then relate each of the two to the text, the text attends to
// both, and a last Mamba layer reads what it found. In training a decoder predicts the features of
// missing words.
//
//	text   ─► BERT ─► H_l ─┬─────────► t ─┐            ┌─► t ─► attention ─► TQ-Mamba ─► max ─► ŷ
//	                       ├─► decoder    │            │           ▲
//	                       ▼              ├► TC-Mamba ─┤           │
//	audio  ─► aligner ─► H_a ─► E_a = a ──┤            ├─► a ──────┤
//	vision ─► aligner ─► H_v ─► E_v = v ──┘            └─► v ──────┘
//
//	config.go   settings and presets
//	model.go    the model and its loss
//	enhance.go  alignment and enhancement by text: TME
//	fusion.go   TC-Mamba and TQ-Mamba
//
// In shapes, T is the number of tokens of every sample, padding included, d the width. No step is
// masked outside of BERT, so what follows reads BERT's features of padding too. Formulas are those
// of the authors' code.
package tfmamba

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// model is TF-Mamba.
type model struct {
	config *Config
	dims   zoo.Dims

	text   *zoo.TextEncoder
	words  *projection // of the text
	frames [zoo.Modalities]*frames
	fusion *fusion
	score  *nn.Linear // d → 1, or d → C
	decode *decoder

	trained, predict []nn.Param
}

// newModel creates the modules under p. Those that prediction needs come first.
func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{config: c, dims: d, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d)}
	m.words = newProjection(p.Sub("words"), m.text.Width, c.Width)
	m.frames[zoo.Audio] = newFrames(p.Sub("audio"), d.TextT, d.AudioD, c.Width)
	m.frames[zoo.Vision] = newFrames(p.Sub("vision"), d.TextT, d.VisionD, c.Width)
	m.fusion = newFusion(p.Sub("fusion"), c)
	m.score = nn.NewLinear(p.Sub("score"), c.Width, d.OutputWidth())
	m.predict = p.All()

	m.decode = newDecoder(p.Sub("decode"), c, m.text.Width)
	m.trained = m.text.Trainable(p)
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters but those of the decoder.
func (m *model) PredictParams() []nn.Param { return m.predict }

// Phases returns the only phase.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true, NeedsComplete: true, NeedsKeepMasks: true,
		Passes: []zoo.Pass{{Params: m.trained, Groups: m.text.Groups(), Terms: m.terms}},
	}}
}

// Predict returns ŷ.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	words := m.words.Forward(tp, m.text.Forward(tp, in))
	return m.dims.Output(tp, m.sentiment(tp, in, words))
}

// sentiment returns the scores, [B 1] or [B C], for an input and H_l [B T d].
func (m *model) sentiment(tp *ag.Tape, in *zoo.Input, words *ag.Tensor) *ag.Tensor {
	audio := m.frames[zoo.Audio].Forward(tp, in.Audio, in.AudioLen, words)
	vision := m.frames[zoo.Vision].Forward(tp, in.Vision, in.VisionLen, words)
	return m.score.Forward(tp, tp.MaxPool(m.fusion.Forward(tp, words, audio, vision), nil))
}

// terms returns the parts of L = L_sp + α·L_rec, where L_sp is MSE(ŷ, y), or the cross-entropy of
// classes.
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	words := m.words.Forward(tp, m.text.Forward(tp, b.Corrupted))
	missing := tp.Sub(b.Corrupted.Mask, b.KeepMasks[zoo.Language])
	score := m.sentiment(tp, b.Corrupted, words)
	return []zoo.Term{
		{Name: "sp", Weight: 1, Loss: tp.Mean(zoo.TaskErrors(tp, score, b, &m.dims))},
		{Name: "rec", Weight: m.config.Loss.Reconstruction, Loss: reconstructionError(tp,
			m.decode.Forward(tp, words), m.text.Forward(tp, b.Complete), missing)},
	}, nil
}

// A decoder predicts the text encoder's features of the complete text.
type decoder struct {
	hidden, out *nn.Linear // d → d → W
	dropout     float64
}

func newDecoder(p *nn.Params, c *Config, width int) *decoder {
	return &decoder{nn.NewLinear(p.Sub("hidden"), c.Width, c.Width),
		nn.NewLinear(p.Sub("out"), c.Width, width), c.Dropout}
}

// Forward returns Q [B T W] for H_l [B T d].
func (l *decoder) Forward(tp *ag.Tape, words *ag.Tensor) *ag.Tensor {
	return l.out.Forward(tp, tp.Dropout(tp.ReLU(l.hidden.Forward(tp, words)), l.dropout))
}

// reconstructionError returns the mean error of Q [B T W] at the missing words, those where m [B T]
// is 1:
//
//	L_rec = Σ SmoothL1(m ⊙ Q, m ⊙ X) / (W·Σ m + 1e-6)
//
// X [B T W] are the features of the complete text. They are not constants: the text encoder gets
// gradients through both.
func reconstructionError(tp *ag.Tape, q, x, missing *ag.Tensor) *ag.Tensor {
	m := tp.Reshape(missing, missing.Shape()[0], -1, 1)
	sum := tp.Scale(tp.SmoothL1(tp.Mul(m, q), tp.Mul(m, x), 1), float64(q.Len()))
	width := float64(q.Shape()[2])
	return tp.Div(sum, tp.AddScalar(tp.Scale(tp.Sum(missing), width), 1e-6))
}
