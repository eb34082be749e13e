// Package tetfn implements TETFN: a text enhanced Transformer fusion network (Wang, Guo, Tian, Liu,
// He, Luo; Pattern Recognition 2023).
//
// The modalities attend to each other in pairs. Text has the leading part: audio and vision do not
// attend to each other directly, but to what the other has read of the text. The regressions of
// single modalities with generated labels are those of Self-MM.
//
//	text   ─► BERT ─► conv ─► P_t ─┬─► h_t = mem[t←a; t←v]         ─┐
//	audio  ─► LSTM ─► conv ─► P_a ─┼─► h_a = mem[a←t; a←(v read t)] ─┼─► last steps ─► F_m ─► ŷ_m
//	vision ─► LSTM ─► conv ─► P_v ─┼─► h_v = mem[v←t; v←(a read t)] ─┘
//	                               └─► maximum over time ─► F_t, F_a, F_v ─► ŷ_t, ŷ_a, ŷ_v
//
//	config.go   settings and presets
//	model.go    the model
//	encoder.go  from features to P_m, and from P_m to h_m
//
// The regressions and their loss are selfmm.Tasks. In shapes, T is the number of tokens, T′_m that
// of steps after the convolution. Formulas without a source are those of the code in MMSA, the only
// public one.
package tetfn

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/selfmm"
)

// sequences holds a tensor [B T′_m …] for each modality.
type sequences = [zoo.Modalities]*ag.Tensor

// model is TETFN.
type model struct {
	*selfmm.Tasks
	all           *nn.Params
	text          *zoo.TextEncoder
	project       *nn.Conv1d // of text
	audio, vision *encoder
	fusion        *fusion
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{all: p, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d),
		audio:  newEncoder(p.Sub("audio"), d.AudioD, c.AudioWidth, c),
		vision: newEncoder(p.Sub("vision"), d.VisionD, c.VisionWidth, c),
		fusion: newFusion(p.Sub("fusion"), d.TextT, c),
	}
	m.project = nn.NewConv1d(p.Sub("project"),
		nn.Conv1dConfig{In: m.text.Width, Out: c.Width, Kernel: c.TextKernel})
	m.Tasks = selfmm.NewTasks(p.Sub("heads"), [4]int{6 * c.Width, c.Width, c.Width, c.Width},
		c.Tasks, c.Bound)
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters but those of the regressions from one modality.
func (m *model) PredictParams() []nn.Param {
	var ps []nn.Param
	for _, name := range []string{"text", "audio", "vision", "fusion", "project", "heads.fusion"} {
		ps = append(ps, m.all.Sub(name).All()...)
	}
	return ps
}

// Phases returns the only phase. Audio and vision have groups, which hold the LSTM and the
// convolution of each; the convolution of text is in none.
func (m *model) Phases() []zoo.Phase {
	groups := append([]zoo.Group{{Name: "audio", Params: m.all.Sub("audio").All()},
		{Name: "vision", Params: m.all.Sub("vision").All()}}, m.text.DecayGroups()...)
	return []zoo.Phase{{
		Name: "train", Supervised: true, NewMemory: m.NewMemory,
		Passes: []zoo.Pass{{Params: m.text.Trainable(m.all), Groups: groups, Terms: m.terms}},
	}}
}

// Predict returns ŷ_m.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	return m.Score(tp, m.fusion.Forward(tp, m.encode(tp, in)))
}

// terms returns the losses of the four regressions and the updates of their memory. The inputs of
// those from one modality are the maxima of P_m over all steps, those of padding too.
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	p := m.encode(tp, b.Corrupted)
	inputs := []*ag.Tensor{m.fusion.Forward(tp, p)}
	for _, x := range p {
		inputs = append(inputs, tp.MaxPool(x, nil))
	}
	return m.Terms(tp, b, inputs)
}

// encode returns P_m [B T′_m d]. Audio and vision first become as long as the text.
func (m *model) encode(tp *ag.Tape, in *zoo.Input) sequences {
	tokens := m.text.Forward(tp, in)
	steps := tokens.Shape()[1]
	return sequences{m.project.Forward(tp, tokens),
		m.audio.Forward(tp, tp.AlignPool(in.Audio, steps)),
		m.vision.Forward(tp, tp.AlignPool(in.Vision, steps))}
}
