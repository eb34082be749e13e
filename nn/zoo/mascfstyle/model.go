// Package mascfstyle implements a model in the style of MASCF, Mamba-assisted modality subspace
// complementary fusion (Chen, Tang, Liu; Pattern Recognition Letters 2025). It is designed from the
// title of that paper alone, which was not available, and from the models that it is likely to
// resemble, MISA and TF-Mamba. It is no reproduction of MASCF.
//
// A Mamba layer encodes the steps of each modality, and attention with learned queries pools them
// to n tokens U_m. As in MISA, two views are made of them: the private view by a layer of the
// modality's own, the shared view by one layer for all modalities. Mamba layers read the tokens of
// each view across modalities, gates let each view be completed by the other, and a last Mamba
// layer reads both.
//
//	text   ─► BERT ─► Mamba ─► U_l ─┐   ┌─► shared ────► C_l; C_a; C_v ─► Mamba ─┐
//	audio  ─────────► Mamba ─► U_a ─┼─►─┤                                gates  ├─► Mamba ─► ŷ
//	vision ─────────► Mamba ─► U_v ─┘   └─► private_m ─► P_l; P_a; P_v ─► Mamba ─┘
//
//	config.go   settings and presets
//	model.go    the model and its loss
//	encoder.go  from features to U_m
//	fusion.go   from C and P to the vector that the head reads
//
// The loss is MISA's (zoo.Views) for the means of the tokens.
package mascfstyle

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// model is the model. Arrays are in the order l, a, v.
type model struct {
	config *Config
	dims   zoo.Dims

	text          *zoo.TextEncoder
	encode        [zoo.Modalities]*encoder
	shared        *nn.Linear
	private       [zoo.Modalities]*nn.Linear
	fuse          *fusion
	hidden, score *nn.Linear // of the head
	reconstruct   [zoo.Modalities]*nn.Linear

	trained, predict []nn.Param
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{config: c, dims: d, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d)}
	linear := func(name string, in, out int) *nn.Linear {
		return nn.NewLinear(p.Sub(name), in, out)
	}
	for i, width := range []int{m.text.Width, d.AudioD, d.VisionD} {
		name := zoo.Modality(i).String()
		m.encode[i] = newEncoder(p.Sub("encode."+name), width, c)
		m.private[i] = linear("private."+name, c.Width, c.Width)
	}
	m.shared, m.fuse = linear("shared", c.Width, c.Width), newFusion(p.Sub("fuse"), c)
	m.hidden = linear("head.hidden", 2*c.Width, c.Width)
	m.score = linear("head.score", c.Width, d.OutputWidth())
	m.predict = p.All()
	for i := range m.reconstruct {
		m.reconstruct[i] = linear("reconstruct."+zoo.Modality(i).String(), c.Width, c.Width)
	}
	m.trained = m.text.Trainable(p)
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters but those of the reconstruction.
func (m *model) PredictParams() []nn.Param { return m.predict }

// Phases returns the only phase.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true,
		Passes: []zoo.Pass{{Params: m.trained, Groups: m.text.Groups(), Terms: m.terms}},
	}}
}

// Predict returns ŷ.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	_, c, p := m.tokens(tp, in)
	return m.dims.Output(tp, m.predicted(tp, c, p))
}

// terms returns the parts of the loss
//
//	L = L_task + w_diff·L_diff + w_sim·L_sim + w_recon·L_recon
//
// The views of the last three are the means of the tokens of each modality.
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	u, c, p := m.tokens(tp, b.Corrupted)
	v := zoo.Views{Target: m.means(tp, u), Private: m.means(tp, p), Shared: m.means(tp, c)}
	v.All = tp.Concat(0, v.Private, v.Shared)
	task := zoo.Term{Name: "task", Weight: 1,
		Loss: tp.Mean(zoo.TaskErrors(tp, m.predicted(tp, c, p), b, &m.dims))}
	return append([]zoo.Term{task}, v.Terms(tp, m.reconstruct, m.config.Loss)...), nil
}

// tokens returns the tokens U of the modalities and their shared and private views, each [B 3n d]:
//
//	C_m = σ(W U_m + b),  P_m = σ(W_m U_m + b_m)
func (m *model) tokens(tp *ag.Tape, in *zoo.Input) (u, c, p *ag.Tensor) {
	var all, own [zoo.Modalities]*ag.Tensor
	for i, x := range []struct {
		steps   *ag.Tensor
		lengths []int
	}{{m.text.Forward(tp, in), in.TextLen()}, {in.Audio, in.AudioLen}, {in.Vision, in.VisionLen}} {
		all[i] = m.encode[i].Forward(tp, x.steps, x.lengths)
		own[i] = m.private[i].Forward(tp, all[i])
	}
	u = tp.Concat(1, all[:]...)
	return u, tp.Sigmoid(m.shared.Forward(tp, u)), tp.Sigmoid(tp.Concat(1, own[:]...))
}

// means returns the mean token of each modality, [3 B d].
func (m *model) means(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	b := x.Shape()[0]
	each := tp.Reshape(x, b, zoo.Modalities, m.config.Tokens, m.config.Width)
	return tp.Permute(tp.Mean(each, 2), 1, 0, 2)
}

// predicted returns the scores, [B 1] or [B C]:
//
//	ŷ = W_2·Dropout(ReLU(W_1 f + b_1)) + b_2
//
// where f is what the fusion returns for the views.
func (m *model) predicted(tp *ag.Tape, c, p *ag.Tensor) *ag.Tensor {
	h := tp.ReLU(m.hidden.Forward(tp, m.fuse.Forward(tp, c, p)))
	return m.score.Forward(tp, tp.Dropout(h, m.config.Dropout))
}
