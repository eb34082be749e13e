// Package settingstest has a small model, called toy, and its configuration, for tests of what trains
// and compares models.
package settingstest

import (
	"maps"
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/recap"
)

// A toy predicts the label from the mean frames. Its first phase, without labels, learns to tell
// the complete frames from the corrupted.
type toy struct {
	p           *nn.Params
	audio, head *nn.Linear
	poison      int // the step of stage2, counted over its epochs, from which on the loss is NaN; 0: never
	steps       int
}

// Toy has RECAP's settings and variants, which mean nothing to it but one.
var Toy = zoo.Spec{Name: "toy", Label: "toy", Preset: recap.Spec.Preset, Variants: recap.Spec.Variants, Terms: recap.Spec.Terms, New: newToy}

func newToy(p *nn.Params, c zoo.Config, d zoo.Dims) zoo.Model {
	m := &toy{p: p, audio: nn.NewLinear(p.Sub("audio"), d.AudioD, d.AudioD), head: nn.NewLinear(p.Sub("head"), d.AudioD, 1)}
	if d.Classes > 0 {
		m.head = nn.NewLinear(p.Sub("classes"), d.AudioD, d.Classes)
	}
	if r := c.(*recap.Config); r.Discriminator == "mlp" {
		m.poison = r.Critic.Width
	}
	return m
}

func (m *toy) Phases() []zoo.Phase {
	return []zoo.Phase{
		{Name: "stage1", NeedsComplete: true, MinBatch: 8, Snapshot: m.p.Sub("audio").All(),
			Passes: []zoo.Pass{{Params: m.p.Sub("audio").All(), Terms: m.complete}},
			Warn:   func(first, last map[string]float64) string { return "warned" }},
		{Name: "stage2", Supervised: true, Passes: []zoo.Pass{{Params: m.p.All(), Terms: m.predict}}},
	}
}

func (m *toy) PredictParams() []nn.Param     { return m.p.All() }
func (m *toy) TextEncoder() *zoo.TextEncoder { return nil }

func (m *toy) complete(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	x := tp.Dropout(tp.Mean(b.Corrupted.Audio, 1), 0.1)
	return []zoo.Term{
		{Name: "rec", Weight: 0.5, Loss: tp.MSE(m.audio.Forward(tp, x), tp.Mean(b.Complete.Audio, 1))},
		{Name: "size", Loss: tp.Mean(tp.Mul(x, x))},
	}, nil
}

func (m *toy) predict(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	m.steps++
	y := m.Predict(tp, b.Corrupted).Score
	var loss *ag.Tensor
	if b.Class != nil {
		loss = tp.CrossEntropy(y, b.Class)
	} else {
		loss = tp.MSE(y, b.Label)
	}
	if m.poison > 0 && m.steps >= m.poison {
		loss = tp.Scale(loss, math.NaN())
	}
	return []zoo.Term{{Name: "task", Weight: 1, Loss: loss}}, nil
}

func (m *toy) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	x := m.audio.Forward(tp, tp.Mean(in.Audio, 1))
	y := m.head.Forward(tp, x)
	if y.Shape()[1] == 1 {
		y = tp.Reshape(y, -1)
	}
	return zoo.Output{Score: y, Weight: tp.Softmax(tp.Slice(x, 1, 0, zoo.Modalities), nil)}
}

// Baselines are the models of the zoo.
var Baselines = slices.Clone(models.All[1:])

func init() { models.All = append(models.All, Toy) }

// Resolved returns a small configuration of the toy with settings changed.
func Resolved(t *testing.T, set map[string]string) settings.Config {
	t.Helper()
	all := map[string]string{"model": "toy", "data.limit": "40", "train.batch": "16", "train.lr": "0.05", "eval.rates": "0,0.5"}
	if model := set["model"]; model == "" || model == "toy" || model == "recap" {
		all["train.epochs.stage1"], all["train.epochs.stage2"] = "2", "3"
	}
	maps.Copy(all, set)
	c, err := settings.Resolve(settings.Sources{Env: func(string) (string, bool) { return "", false }, Set: all})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
