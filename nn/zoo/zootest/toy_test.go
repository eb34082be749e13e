package zootest

import (
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// The toy uses all that the contract offers and no model does yet: a phase of two passes, with
// disjoint parameters, and keep masks. Pass "repair" teaches a linear map to reconstruct missing
// audio frames, pass "task" the rest to predict the label; both read a memory of the last score.
type toy struct {
	all                         *nn.Params
	text                        *zoo.TextEncoder
	repair, audio, vision, head *nn.Linear
	last                        *ag.Tensor // [N] the score of each sample in its last batch
}

type toyConfig struct{ Text zoo.TextConfig }

func (c *toyConfig) TextEncoder() *zoo.TextConfig { return &c.Text }
func (c *toyConfig) Check() error                 { return c.Text.Check() }

var toySpec = zoo.Spec{
	Name: "toy", Label: "Toy", Paper: "none", Regression: true,
	Terms: []zoo.TermTitle{{Name: "repair"}, {Name: "task"}, {Name: "drift"}},
	Preset: func(preset, dataset string) (zoo.Config, zoo.Training) {
		return &toyConfig{zoo.QuickText()}, zoo.Training{Batch: 8, Accumulate: 1, LR: 0.01,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-4}, "repair": {LR: 0.1}},
			Epochs: map[string]int{"train": 2}}
	},
	New: func(p *nn.Params, c zoo.Config, d zoo.Dims) zoo.Model {
		m := &toy{all: p, text: zoo.NewTextEncoder(p.Sub("text"), *c.TextEncoder(), d)}
		m.repair = nn.NewLinear(p.Sub("repair"), d.AudioD, d.AudioD)
		m.audio = nn.NewLinear(p.Sub("audio"), d.AudioD, m.text.Width)
		m.vision = nn.NewLinear(p.Sub("vision"), d.VisionD, m.text.Width)
		m.head = nn.NewLinear(p.Sub("head"), 3*m.text.Width, 1)
		return m
	},
}

func (m *toy) TextEncoder() *zoo.TextEncoder { return m.text }
func (m *toy) PredictParams() []nn.Param     { return m.main(m.all.All()) }

// main returns the parameters in ps but those of the pass "repair".
func (m *toy) main(ps []nn.Param) (main []nn.Param) {
	for _, p := range ps {
		if p.Tensor != m.repair.W && p.Tensor != m.repair.B {
			main = append(main, p)
		}
	}
	return main
}

func (m *toy) Phases() []zoo.Phase {
	repair := m.all.Sub("repair").All()
	return []zoo.Phase{{
		Name: "train", Supervised: true, NeedsComplete: true, NeedsKeepMasks: true,
		NewMemory: func(labels []float32) []nn.Param {
			m.last = ag.NewTensor(m.all.Device(), make([]float64, len(labels)), len(labels))
			return []nn.Param{{Name: "memory.last", Tensor: m.last}}
		},
		Passes: []zoo.Pass{
			{Name: "repair", Params: repair, Groups: []zoo.Group{{Name: "repair", Params: repair}},
				Terms: m.repairTerms},
			{Name: "task", Params: m.main(m.text.Trainable(m.all)), Groups: m.text.Groups(),
				Terms: m.taskTerms},
		},
	}}
}

// repairTerms returns the squared error of repaired frames where they are missing.
func (m *toy) repairTerms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	e := tp.Sub(m.repair.Forward(tp, b.Corrupted.Audio), b.Complete.Audio)
	missing := tp.AddScalar(tp.Neg(b.KeepMasks[zoo.Audio]), 1)
	s := missing.Shape()
	kept := tp.Mul(tp.Mul(e, e), tp.AddScalar(tp.Reshape(missing, s[0], s[1], 1), 0.1))
	return []zoo.Term{{Name: "repair", Weight: 1, Loss: tp.Mean(kept)}}, nil
}

// taskTerms returns the error of the score and, a little, how far it is from the last.
func (m *toy) taskTerms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	score := m.Predict(tp, b.Corrupted).Score
	return []zoo.Term{
		{Name: "task", Weight: 1, Loss: tp.MSE(score, b.Label)},
		{Name: "drift", Weight: 1e-3, Loss: tp.MSE(score, tp.Gather(m.last, b.Index))},
	}, []zoo.MemoryUpdate{{Memory: m.last, Index: b.Index, Rows: tp.StopGradient(score)}}
}

func (m *toy) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	x := tp.Concat(1, tp.Mean(m.text.Forward(tp, in), 1),
		tp.Mean(m.audio.Forward(tp, in.Audio), 1), tp.Mean(m.vision.Forward(tp, in.Vision), 1))
	return zoo.Output{Score: tp.Reshape(m.head.Forward(tp, x), -1)}
}

func TestToy(t *testing.T) {
	Run(t, &toySpec, func() zoo.Config { return &toyConfig{TinyText()} })
}
