//go:build cuda && cgo && linux

package zoo

import (
	"math"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/optim"
)

const gpu = "cuda:0"

func TestMain(m *testing.M) { cudatest.Main(m) }

// TestModelsGradientsOnGPU compares the gradients of every model's whole loss, computed by the GPU
// in float32, with those of the CPU in float64: within 1e-3 of the largest of each parameter's.
// They start from the same float32 values.
func TestModelsGradientsOnGPU(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		single, p32 := newModel(t, s, c, gpu, tinyDims)
		double, p64 := newModel(t, s, c, "cpu64", tinyDims)
		for i, p := range p64.All() {
			p.Assign(p32.All()[i].Values())
		}
		got, want := gradientsOf(single, p32), gradientsOf(double, p64)
		for i, p := range p64.All() {
			largest := 0.0
			for _, v := range want[i] {
				largest = max(largest, math.Abs(v))
			}
			for j, v := range want[i] {
				if !(math.Abs(got[i][j]-v) <= 1e-3*largest+1e-7) {
					t.Errorf("%s: gradient %d is %g on the GPU, %g in float64, the largest is %g", p.Name, j, got[i][j], v, largest)
					break
				}
			}
		}
	})
}

// gradientsOf returns the gradients of the last phase's whole loss for all parameters.
func gradientsOf(m Model, p *nn.Params) [][]float64 {
	phases := m.Phases()
	ph := phases[len(phases)-1]
	loss := ph.Rehearse(Sample(p.Device(), &tinyDims, 8, 1))
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

// TestModelsTrainOnGPU makes 20 steps, each of two batches, on the GPU and on the CPU, there in
// float64: the losses agree to 1e-3, and what a phase remembers too. Of the steps on the GPU the
// first are new to it, the others replayed.
func TestModelsTrainOnGPU(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		got, remembered32 := trained(t, s, c, gpu)
		want, remembered64 := trained(t, s, c, "cpu64")
		for i, v := range want {
			if !(math.Abs(got[i]-v) <= 1e-3) {
				t.Errorf("losses\n%v on the GPU,\n%v on the CPU", got, want)
				break
			}
		}
		for i, x := range remembered64 {
			for j, v := range x.Values() {
				if y := remembered32[i].Values()[j]; !(math.Abs(y-v) <= 2e-3*max(1, math.Abs(v))) {
					t.Errorf("%s[%d] is %g on the GPU, %g on the CPU", x.Name, j, y, v)
					break
				}
			}
		}
	})
}

func trained(t *testing.T, s *Spec, c Config, device string) (losses []float64, memory []nn.Param) {
	m, p := newModel(t, s, c, device, tinyDims)
	for _, ph := range m.Phases() {
		batches := []*Batch{Sample(p.Device(), &tinyDims, 6, 1), Sample(p.Device(), &tinyDims, 6, 2)}
		for i := range batches[1].Index {
			batches[1].Index[i] += 6
		}
		if ph.Remember != nil {
			memory = ph.Remember(append(float32s(batches[0].Label.Values()), float32s(batches[1].Label.Values())...))
		}
		tp, opt := ag.NewTape(p.Device()), optim.NewAdam(1e-3, 1e-4, ph.Params)
		for i := range 20 {
			tp.Reset()
			grads := ag.Grads{}
			for k, b := range batches {
				b.Epoch = 1 + i/4
				tp.Seed(uint64(2*i + k))
				loss := Total(tp, ph.Terms(tp, b))
				tp.Accumulate(grads, loss, loss)
				optim.ClipValue(tp, grads, ph.Params, 0.8)
				losses = append(losses, loss.Item())
			}
			opt.Step(grads)
		}
	}
	return losses, memory
}
