package recap

import (
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// BenchmarkStep times a whole training step (forward, backward, AdamW) at the paper's sizes on MOSI's shapes with 64 samples, text given as
// embedded words (no BERT). Run one at a time, for example
//
//	go test ./recap -run xxx -bench 'Step/stage1/hidden=0' -benchtime 3x
func BenchmarkStep(b *testing.B) {
	d := zoo.Dims{Vocab: 1000, TextT: 50, AudioT: 375, AudioD: 5, VisionT: 500, VisionD: 20, Range: [2]float64{-3, 3}}
	for _, s := range []struct {
		name   string
		phase  int
		hidden int
	}{{"stage1/hidden=0", 0, 0}, {"stage1/hidden=1", 0, 1}, {"stage2", 1, 0}} {
		b.Run(s.name, func(b *testing.B) {
			c := Paper()
			c.Text.Layers, c.Text.Dropout, c.Discriminator, c.Critic.Hidden = 0, 0, "mlp", s.hidden
			m, dev := newUnchecked(b, "cpu", c, d)
			batch := sample(dev, d, 64)
			ph := m.Phases()[s.phase]
			opt := optim.NewAdamW(1e-4, 1e-4, ph.Params)
			tp := ag.NewTape(dev)
			step := func() {
				tp.Reset()
				tp.Seed(1)
				opt.Step(tp.Backward(total(tp, ph.Terms(tp, batch), every)))
			}
			step()
			for b.Loop() {
				step()
			}
		})
	}
}
