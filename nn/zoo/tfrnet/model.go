// Package tfrnet implements TFR-Net: Transformer-based Feature Reconstruction Network for Robust
// Multimodal Sentiment Analysis (Yuan, Li, Xu, Yu; ACM Multimedia 2021).
//
// Each modality attends to itself and to the two others, which gives an enhanced sequence h_m. From
// these sequences one branch predicts the label. A second branch, in training only, reconstructs
// the complete features of the steps that are missing in the input; so the encoders learn to infer
// what is missing from what is there.
//
//	text   ─► BERT ─► conv ─► P_l ─┐                  ┌─► GRU, gate, maximum ─► e_m ─► head ─► ŷ
//	audio  ─────────► conv ─► P_a ─┼─► 9 encoders ─► h_m
//	vision ─────────► conv ─► P_v ─┘                  └─► encoder ─► X̂_m ≈ X_m, complete
//
//	config.go       settings and presets
//	model.go        the model and its loss
//	encoder.go      from features to h_m
//	summary.go      from h_m to e_m
//	reconstruct.go  from h_m to X̂_m, and L_rec
//
// In shapes, T_m is the number of steps of a modality, d_m the width of its features and d that of
// the encoders. Formulas without a source are those of the authors' code and of MMSA's copy of it.
package tfrnet

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// sequences holds a tensor [B T_m …] for each modality.
type sequences = [zoo.Modalities]*ag.Tensor

// model is TFR-Net.
type model struct {
	config *Config
	dims   zoo.Dims

	text          *zoo.TextEncoder
	encode        *encoder
	summaries     [zoo.Modalities]*summary
	norm          *nn.BatchNorm1d // of the head
	hidden, score *nn.Linear
	reconstruct   [zoo.Modalities]*reconstruction // nil for a modality of one step

	trained, predict []nn.Param
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{config: c, dims: d, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d)}
	steps := [zoo.Modalities]int{d.TextT, d.AudioT, d.VisionT}
	widths := [zoo.Modalities]int{m.text.Width, d.AudioD, d.VisionD}
	m.encode = newEncoder(p.Sub("encode"), c, steps, widths)
	total := 0 // width of e
	for i, modality := range c.modalities() {
		q := p.Sub("summary").Sub(zoo.Modality(i).String())
		m.summaries[i] = newSummary(q, 3*c.Width, modality.GRU, c.GRULayers)
		total += modality.GRU
	}
	head := p.Sub("head")
	m.norm = nn.NewBatchNorm1d(head.Sub("norm"), total)
	m.hidden = nn.NewLinear(head.Sub("hidden"), total, c.Hidden)
	m.score = nn.NewLinear(head.Sub("score"), c.Hidden, d.OutputWidth())
	m.predict = p.State()
	for i, n := range steps {
		if n > 1 { // the norms of width n would be constants
			q := p.Sub("reconstruct").Sub(zoo.Modality(i).String())
			m.reconstruct[i] = newReconstruction(q, c, n, widths[i])
		}
	}
	m.trained = m.text.Trainable(p)
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters but those of the reconstruction, and the running statistics
// of the batch norm.
func (m *model) PredictParams() []nn.Param { return m.predict }

// Phases returns the only phase. It needs two samples in a batch, for the batch norm.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true, NeedsComplete: true, NeedsKeepMasks: true, MinBatch: 2,
		Passes: []zoo.Pass{{Params: m.trained, Groups: m.text.DecayGroups(), Terms: m.terms}},
	}}
}

// Predict returns ŷ.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	return m.dims.Output(tp, m.head(tp, in, m.enhance(tp, in)))
}

// terms returns the parts of the loss. In epoch 1 it is L_task, then
//
//	L = L_task + Σ_m w_m·L_rec,m,  m = l, a, v
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	h := m.enhance(tp, b.Corrupted)
	task := m.taskLoss(tp, m.head(tp, b.Corrupted, h), b)
	terms := []zoo.Term{{Name: "task", Weight: 1, Loss: task}}
	var complete, missing sequences
	if b.Epoch > 1 {
		complete, missing = m.complete(tp, b.Complete), missingSteps(tp, b)
	}
	for i, r := range m.reconstruct {
		if r == nil {
			continue
		}
		term := zoo.Term{Name: "rec_" + zoo.Modality(i).String(), Loss: tp.Full(0)}
		if b.Epoch > 1 {
			term.Weight = m.config.modalities()[i].Weight
			term.Loss = r.loss(tp, r.Forward(tp, h[i]), complete[i], missing[i])
		}
		terms = append(terms, term)
	}
	return terms, nil
}

// taskLoss returns L_task: mean |ŷ − y|, or the cross-entropy of classes.
func (m *model) taskLoss(tp *ag.Tape, score *ag.Tensor, b *zoo.Batch) *ag.Tensor {
	if m.dims.Classes > 0 {
		return tp.Mean(zoo.TaskErrors(tp, score, b, &m.dims))
	}
	return tp.L1(tp.Reshape(score, -1), b.Label)
}

// enhance returns the sequences h_m [B T_m 3d] of an input.
func (m *model) enhance(tp *ag.Tape, in *zoo.Input) sequences {
	text := tp.Dropout(m.text.Forward(tp, in), m.config.Dropout.Text)
	return m.encode.Forward(tp, sequences{text, in.Audio, in.Vision})
}

// complete returns X_m [B T_m d_m], which the model reconstructs. The features of the complete text
// are not constants: BERT is also trained so that they can be reconstructed.
func (m *model) complete(tp *ag.Tape, in *zoo.Input) sequences {
	return sequences{m.text.Forward(tp, in), in.Audio, in.Vision}
}

// head returns the scores, [B 1] or [B C], for the sequences h_m. With e = [e_l; e_a; e_v],
//
//	ŷ = W₂·Dropout(LeakyReLU(W₁·BatchNorm(e) + b₁)) + b₂
func (m *model) head(tp *ag.Tape, in *zoo.Input, h sequences) *ag.Tensor {
	var e sequences
	for i, lengths := range [zoo.Modalities][]int{in.TextLen(), in.AudioLen, in.VisionLen} {
		e[i] = tp.Dropout(m.summaries[i].Forward(tp, h[i], lengths), m.config.Dropout.Summary)
	}
	z := tp.LeakyReLU(m.hidden.Forward(tp, m.norm.Forward(tp, tp.Concat(1, e[:]...))), 0.01)
	return m.score.Forward(tp, tp.Dropout(z, m.config.Dropout.Head))
}
