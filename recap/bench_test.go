package recap

import (
	"cmp"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

var batchSize = flag.Int("batch", 64, "samples of a benchmark's batch")

// BenchmarkStep times a training step (forward, backward, AdamW) at the paper's sizes on
// MOSI's shapes with 64 samples (flag -batch), text given as embedded words (no BERT). Run one at a
// time, for example
//
//	go test ./recap -run xxx -bench 'Step/stage1/hidden=0$' -benchtime 3x
//
// stage1/compact and stage1/hidden=1,compact have compact moments of the optimizer.
//
// RECAP_DEVICE names another device than the processor: RECAP_DEVICE=cuda:0, with -tags cuda.
// RECAP_CHECKPOINTING=1 switches activation checkpointing on.
func BenchmarkStep(b *testing.B) {
	d := zoo.Dims{Vocab: 1000, TextT: 50, AudioT: 375, AudioD: 5, VisionT: 500, VisionD: 20,
		Range: [2]float64{-3, 3}}
	full, compact := optim.NewAdam, optim.NewCompactAdam
	for _, s := range []struct {
		name    string
		phase   int
		hidden  int
		newAdam func(lr, decay float64, ps []nn.Param) *optim.Adam
	}{{"stage1/hidden=0", 0, 0, full}, {"stage1/hidden=1", 0, 1, full}, {"stage2", 1, 0, full},
		{"stage1/compact", 0, 0, compact}, {"stage1/hidden=1,compact", 0, 1, compact}} {
		b.Run(s.name, func(b *testing.B) {
			c := Paper()
			c.Text.Layers, c.Text.Dropout, c.Discriminator, c.Critic.Hidden = 0, 0, "mlp", s.hidden
			if s.phase == 1 { // stage 2 has no use for what only stage 1 trains
				c.Without.Shared, c.Without.Unique = true, true
			}
			dev := newCounter(b)
			m := New(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))), c, d)
			batch := sample(dev, d, *batchSize)
			ph := m.Phases()[s.phase]
			steps(b, dev, s.newAdam(1e-4, 1e-4, ph.Params()), func(tp *ag.Tape) *ag.Tensor {
				return zoo.Total(tp, termsOf(tp, ph, batch))
			})
		})
	}
}

// BenchmarkBERT times a training step of BERT-base on 64 sequences (-batch) of 50 tokens, without
// dropout and, as far as the vocabulary of 1000 goes, without the embeddings.
func BenchmarkBERT(b *testing.B) {
	dev := newCounter(b)
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	bert := nn.NewBERT(p,
		nn.BERTConfig{Vocab: 1000, Width: 768, Layers: 12, Heads: 12, FeedForward: 3072,
			Positions: 50, Types: 2, Eps: 1e-12})
	n := *batchSize * 50
	ids, segments, ones := make([]int, n), make([]int, n), make([]float64, n)
	for i := range ids {
		ids[i], ones[i] = i%1000, 1
	}
	mask := ag.NewTensor(dev, ones, *batchSize, 50)
	steps(b, dev, optim.NewAdam(1e-4, 1e-4, p.All()), func(tp *ag.Tape) *ag.Tensor {
		y := bert.Forward(tp, ids, segments, mask)
		return tp.Mean(tp.Mul(y, y))
	})
}

// A counter counts the floating-point operations of matrix products.
type counter struct {
	ag.Device
	flops int
}

func newCounter(b *testing.B) *counter {
	dev, err := ag.Open(cmp.Or(os.Getenv("RECAP_DEVICE"), "cpu"))
	if err != nil {
		b.Fatal(err)
	}
	return &counter{Device: dev}
}

func (c *counter) Gemm(g device.Gemm) {
	c.flops += 2 * g.M * g.N * g.K * g.Count
	c.Device.Gemm(g)
}

func (c *counter) Attention(a device.Attention, out, lse, q, k, v device.Buffer) {
	c.flops += 2 * 2 * a.Samples * a.Heads * a.Queries * a.Keys * a.Width
	c.Device.Attention(a, out, lse, q, k, v)
}

func (c *counter) AttentionGrad(
	a device.Attention, dq, dk, dv, g, out, lse, q, k, v device.Buffer,
) {
	c.flops += 5 * 2 * a.Samples * a.Heads * a.Queries * a.Keys * a.Width
	c.Device.AttentionGrad(a, dq, dk, dv, g, out, lse, q, k, v)
}

// steps runs a step to warm up, and then the benchmark. Beside the time it reports the operations
// of the step's matrix products.
func steps(b *testing.B, dev *counter, opt *optim.Adam, loss func(tp *ag.Tape) *ag.Tensor) {
	opt.Decoupled = true
	tp := ag.NewTape(dev)
	tp.ActivationCheckpointing = os.Getenv("RECAP_CHECKPOINTING") == "1"
	step := func() {
		tp.Reset()
		tp.Seed(1)
		opt.Step(tp.Backward(loss(tp)))
	}
	warm := 1
	if strings.HasPrefix(dev.Name(), "cuda") {
		// tensors find their places; then the device captures the step when it sees it again, once
		// for each of its two arenas
		warm = 8
	}
	for range warm {
		step()
	}
	wait(b, dev)
	dev.flops = 0
	for b.Loop() {
		step()
	}
	b.StartTimer() // Loop has stopped it, but the device may have work left
	wait(b, dev)
	b.StopTimer()
	b.ReportMetric(float64(dev.flops)/1e9/float64(b.N), "GF/op")
	b.ReportMetric(float64(dev.flops)/float64(b.Elapsed().Nanoseconds()), "GF/s")
}

func wait(b *testing.B, dev ag.Device) {
	b.Helper()
	if err := dev.Sync(); err != nil {
		b.Fatal(err)
	}
}
