//go:build cuda && cgo && linux

package zootest

import (
	"math"
	"sync"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// gpuChecks compare float32 on a GPU, or on its emulator where there is none, with float64 on the
// CPU.
var gpuChecks = []check{{"GPUGradients", GPUGradients}, {"GPUTraining", GPUTraining}}

const gpu = "cuda:0"

var setup = sync.OnceValue(cudatest.Setup)

// GPUGradients compares the gradients of the whole loss of each pass, computed by the GPU, with
// those in float64: element by element, within 1e-3 of the largest of each parameter; and along a
// random direction with central differences of the loss in float64. Both start from the same
// float32 values.
func GPUGradients(t testing.TB, s *zoo.Spec, c zoo.Config) {
	if err := setup(); err != nil {
		t.Fatal(err)
	}
	single, p32 := New(t, s, c, gpu, TinyDims)
	double, p64 := New(t, s, c, "cpu64", TinyDims)
	perturb(p32)
	for i, p := range p64.All() {
		p.Assign(p32.All()[i].Values())
	}
	phases := double.Phases()
	for i, ph := range single.Phases() {
		losses32 := ph.CheckableLosses(zoo.RandomBatch(p32.Device(), &TinyDims, 8, 1))
		losses64 := phases[i].CheckableLosses(zoo.RandomBatch(p64.Device(), &TinyDims, 8, 1))
		for k := range losses32 {
			got, want := gradientsOf(p32, losses32[k]), gradientsOf(p64, losses64[k])
			for j, p := range p64.All() {
				compareGradient(t, ph.Name+": "+p.Name, got[j], want[j])
			}
			alongDirection(t, p64, phases[i].Passes[k], losses64[k], got)
		}
	}
}

// gradientsOf returns the gradients of a loss for all parameters.
func gradientsOf(p *nn.Params, loss func(tp *ag.Tape) *ag.Tensor) [][]float64 {
	tp := ag.NewTape(p.Device())
	tp.Poison = true
	tp.Seed(1)
	grads := tp.Backward(loss(tp))
	all := make([][]float64, len(p.All()))
	for i, x := range p.All() {
		all[i] = make([]float64, x.Len())
		if g := grads[x.Tensor]; g != nil {
			all[i] = g.Values()
		}
	}
	return all
}

func compareGradient(t testing.TB, name string, got, want []float64) {
	t.Helper()
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= 1e-3*largest+1e-7) {
			t.Errorf("%s: gradient %d is %g on the GPU, %g in float64, the largest is %g",
				name, i, got[i], v, largest)
			return
		}
	}
}

// alongDirection compares ⟨gradient, u⟩ with the difference quotient of a pass's loss along u.
func alongDirection(
	t testing.TB, p *nn.Params, pass zoo.Pass, loss func(tp *ag.Tape) *ag.Tensor, got [][]float64,
) {
	t.Helper()
	gradient := map[*ag.Tensor][]float64{}
	for i, x := range p.All() {
		gradient[x.Tensor] = got[i]
	}
	params := Tensors(pass.Params)
	_, numeric := gradcheck.Direction(params, loss)
	analytic := 0.0
	for i, along := range gradcheck.UnitDirection(params) {
		for e, u := range along {
			analytic += gradient[params[i]][e] * u
		}
	}
	if err := gradcheck.RelativeError(analytic, numeric); !(err <= 1e-3) {
		t.Errorf("the GPU's gradient along a direction is %.9g, differences in float64 give %.9g",
			analytic, numeric)
	}
}

// GPUTraining makes 20 steps, each of two batches, on the GPU, and on the CPU in float64: the
// losses agree to 1e-3, and so does the phase's memory. The first steps on the GPU are captured,
// the others replayed; so
// are those with activation checkpointing, the last ten.
func GPUTraining(t testing.TB, s *zoo.Spec, c zoo.Config) {
	if err := setup(); err != nil {
		t.Fatal(err)
	}
	got, memory32 := trained(t, s, c, gpu)
	want, memory64 := trained(t, s, c, "cpu64")
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= 1e-3) {
			t.Errorf("losses\n%v on the GPU,\n%v on the CPU", got, want)
			break
		}
	}
	for i, x := range memory64 {
		for j, v := range x.Values() {
			if y := memory32[i].Values()[j]; !(math.Abs(y-v) <= 2e-3*max(1, math.Abs(v))) {
				t.Errorf("%s[%d] is %g on the GPU, %g on the CPU", x.Name, j, y, v)
				break
			}
		}
	}
}

func trained(
	t testing.TB, s *zoo.Spec, c zoo.Config, device string,
) (losses []float64, memory []nn.Param) {
	m, p := New(t, s, c, device, TinyDims)
	for _, ph := range m.Phases() {
		batches := []*zoo.Batch{zoo.RandomBatch(p.Device(), &TinyDims, 6, 1),
			zoo.RandomBatch(p.Device(), &TinyDims, 6, 2)}
		for i := range batches[1].Index {
			batches[1].Index[i] += 6
		}
		if ph.NewMemory != nil {
			memory = append(memory,
				ph.NewMemory(append(labels(batches[0]), labels(batches[1])...))...)
		}
		tp := ag.NewTape(p.Device())
		for _, pass := range ph.Passes {
			opt := optim.NewAdam(1e-3, 1e-4, pass.Params)
			for i := range 20 {
				tp.Reset()
				tp.ActivationCheckpointing = i >= 10
				grads := ag.Grads{}
				for k, b := range batches {
					b.Epoch = 1 + i/4
					tp.Seed(uint64(2*i + k))
					terms, updates := pass.Terms(tp, b)
					zoo.Apply(tp, updates)
					loss := zoo.Total(tp, terms)
					tp.Accumulate(grads, loss, loss)
					optim.ClipValue(tp, grads, pass.Params, 0.8)
					losses = append(losses, loss.Item())
				}
				opt.Step(grads)
			}
		}
	}
	return losses, memory
}
