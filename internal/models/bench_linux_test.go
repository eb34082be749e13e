package models

import (
	"cmp"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
	"github.com/seed-6655bf3b/recap/recap"
)

var batchSize = flag.Int("batch", 0, "samples of a batch; 0: the preset's")

// mosi has the shapes of MOSI.
var mosi = zoo.Dims{Vocab: 1000, TextT: 50, AudioT: 375, AudioD: 5, VisionT: 500, VisionD: 20,
	Range: [2]float64{-3, 3}}

// BenchmarkModels measures a training step of each phase and an evaluation of each model, at the
// paper's sizes and batch, or that of the flag -batch. There is no dropout, and BERT has no layers,
// except that CENET, whose own parts are before BERT's second layer, has two. The stages are
// RECAP as benchmarks/peer_step.py has it. It reports seconds of the processor, which other
// processes do not change as much as the time, and the largest resident memory. Run one at a time,
// for example
//
//	go test ./internal/models -run xxx -bench 'Models/misa/train$' -benchtime 1x -cpu 1
//
// benchmarks/peer_zoo.py compares the models with PyTorch.
func BenchmarkModels(b *testing.B) {
	for _, s := range slices.Concat(All, stages) {
		b.Run(s.Name, func(b *testing.B) {
			dev, err := ag.Open("cpu")
			if err != nil {
				b.Fatal(err)
			}
			m, p, batch := paper(&s, dev)
			for _, ph := range m.Phases() {
				b.Run(ph.Name, func(b *testing.B) { measure(b, training(p, ph, batch)) })
			}
			b.Run("evaluation", func(b *testing.B) {
				tp := ag.NewInferenceTape(p.Device())
				measure(b, func() {
					tp.Reset()
					m.Predict(tp, batch.Corrupted).Score.Values()
				})
			})
		})
	}
}

// stages lists RECAP with simple discriminators, the second without what only stage 1 trains.
var stages = []zoo.Spec{
	changed("recap-stage1", func(c *recap.Config) { c.Discriminator = "mlp" }),
	changed("recap-stage2", func(c *recap.Config) { c.Discriminator, c.Without.FID = "mlp", true }),
}

// changed returns RECAP by another name, with another configuration.
func changed(name string, change func(c *recap.Config)) zoo.Spec {
	s := recap.Spec
	s.Name = name
	s.Preset = func(name, dataset string) (zoo.Config, zoo.Training) {
		c, t := recap.Spec.Preset(name, dataset)
		change(c.(*recap.Config))
		return c, t
	}
	return s
}

// training returns a training step: one of each pass of the phase.
func training(p *nn.Params, ph zoo.Phase, batch *zoo.Batch) func() {
	if ph.NewMemory != nil {
		ph.NewMemory(make([]float32, len(batch.Index)))
	}
	tp := ag.NewTape(p.Device())
	var optimizers []*optim.Adam
	for _, pass := range ph.Passes {
		optimizers = append(optimizers, optim.NewAdamW(1e-4, 1e-4, pass.Params))
	}
	return func() {
		for i, pass := range ph.Passes {
			tp.Reset()
			terms, updates := pass.Terms(tp, batch)
			zoo.Apply(tp, updates)
			optimizers[i].Step(tp.Backward(zoo.Total(tp, terms)))
		}
	}
}

// paper returns a model on a device, its parameters and a batch.
func paper(s *zoo.Spec, dev ag.Device) (zoo.Model, *nn.Params, *zoo.Batch) {
	c, t := s.Preset("paper", "mosi")
	for _, x := range zoo.Settings(c) {
		dropout := strings.Contains(x.Key, "dropout") || strings.Contains(x.Help, "dropout")
		if dropout && x.Value.CanFloat() {
			x.Value.SetFloat(0)
			x.Store()
		}
	}
	c.TextEncoder().Layers = 0
	if s.Name == "cenet" {
		c.TextEncoder().Layers = 2
	}
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	m := s.New(p, c, mosi)
	return m, p, zoo.RandomBatch(dev, &mosi, cmp.Or(*batchSize, t.Batch), 1)
}

// measure runs the step to warm up, and then the benchmark.
func measure(b *testing.B, step func()) {
	step()
	before := usage(b)
	n := 0
	for b.Loop() {
		step()
		n++
	}
	after := usage(b)
	b.ReportMetric((seconds(after)-seconds(before))/float64(n), "cpu-s/op")
	b.ReportMetric(float64(after.Maxrss)/1024, "MiB")
}

func usage(b *testing.B) (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

// seconds returns the processor time of the process.
func seconds(u syscall.Rusage) float64 {
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
