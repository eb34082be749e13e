//go:build cuda && cgo && linux

package recap

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
	"github.com/seed-6655bf3b/recap/internal/optable/optest"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

const gpu = "cuda:0"

func TestMain(m *testing.M) { cudatest.Main(m) }

// onDevice returns a tiny model and a batch.
func onDevice(t *testing.T, device, critic string) (*Model, *zoo.Batch) {
	c := tiny()
	c.Critic.Kind, c.Critic.Hidden = critic, 1
	m, dev := newTiny(t, device, c, tinyDims)
	return m, sample(dev, tinyDims, 8)
}

// TestPairOpsOnGPU compares values with naive loops, and gradients with those in float64.
func TestPairOpsOnGPU(t *testing.T) {
	optest.Values(t, open(t, gpu), 2e-5, OpCases())
	optest.Precision(t, open(t, gpu), open(t, "cpu64"), OpCases())
}

// TestGradientsOnGPU compares the gradients of both stages' whole losses, computed by the GPU in
// float32, along a random direction with central differences of the loss in float64, and element
// by element with the gradients in float64: within 1e-3 of the largest of each parameter's.
func TestGradientsOnGPU(t *testing.T) {
	for _, critic := range []string{"separable", "concat"} {
		single, batch32 := onDevice(t, gpu, critic)
		double, batch64 := onDevice(t, "cpu64", critic)
		for i, p := range double.all.All() { // the float32 values, exactly
			p.Assign(single.all.All()[i].Values())
		}
		for stage, ph := range single.Phases() {
			t.Run(critic+"/"+ph.Name, func(t *testing.T) {
				g32, g64 := gradientsOf(single, single.Phases()[stage], batch32), gradientsOf(double, double.Phases()[stage], batch64)
				for i, p := range ph.Params {
					compareParam(t, p.Name, g32[i], g64[i])
				}
				alongDirection(t, double.Phases()[stage], batch64, g32)
			})
		}
	}
}

func gradientsOf(m *Model, ph zoo.Phase, b *zoo.Batch) [][]float64 {
	tp := ag.NewTape(m.all.Device())
	tp.Poison = true
	tp.Seed(1)
	grads := tp.Backward(zoo.Total(tp, ph.Terms(tp, b)))
	var all [][]float64
	for _, p := range ph.Params {
		all = append(all, grads[p.Tensor].Values())
	}
	return all
}

func compareParam(t *testing.T, name string, got, want []float64) {
	t.Helper()
	scale := 0.0
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= 1e-3*scale+1e-7) {
			t.Errorf("%s: gradient %d is %g on the GPU, %g in float64, the largest is %g", name, i, got[i], v, scale)
			return
		}
	}
}

// alongDirection compares ⟨gradient, u⟩ with the difference quotient of a phase's loss along u.
func alongDirection(t *testing.T, ph zoo.Phase, b *zoo.Batch, got [][]float64) {
	t.Helper()
	params := tensorsOf(ph.Params)
	_, numeric := gradcheck.Direction(params, ph.Rehearse(b))
	analytic := 0.0
	for i, along := range gradcheck.UnitDirection(params) {
		for e, u := range along {
			analytic += got[i][e] * u
		}
	}
	if err := gradcheck.RelativeError(analytic, numeric); !(err <= 1e-3) {
		t.Errorf("the GPU's gradient along a direction is %.9g, differences in float64 %.9g", analytic, numeric)
	}
}

// curve returns the losses of steps of training, and the parameters after them.
func curve(t *testing.T, device, critic string, stage, steps int) (losses []float64, params [][]float64) {
	m, b := onDevice(t, device, critic)
	ph := m.Phases()[stage]
	tp, opt := ag.NewTape(m.all.Device()), optim.NewAdamW(1e-3, 1e-4, ph.Params)
	for i := range steps {
		tp.Reset()
		tp.Seed(uint64(i))
		loss := zoo.Total(tp, ph.Terms(tp, b))
		opt.Step(tp.Backward(loss))
		losses = append(losses, loss.Item())
	}
	for _, p := range ph.Params {
		params = append(params, p.Values())
	}
	return losses, params
}

// TestLossCurvesOnGPU trains both stages for 20 steps on the GPU and on the CPU, there in float64:
// each loss agrees to 1e-3. (In float32 the CPU's own curve of the concat critics leaves the
// float64 one by 2e-3 when a unit of a critic rounds to the other side of its kink.)
func TestLossCurvesOnGPU(t *testing.T) {
	for _, c := range []struct {
		critic string
		stage  int
	}{{"separable", 0}, {"concat", 0}, {"concat", 1}} {
		single, _ := curve(t, gpu, c.critic, c.stage, 20)
		double, _ := curve(t, "cpu64", c.critic, c.stage, 20)
		worst := 0.0
		for i, v := range double {
			worst = max(worst, math.Abs(single[i]-v))
		}
		if !(worst <= 1e-3) {
			t.Errorf("%s, stage %d: losses\n%v on the GPU,\n%v on the CPU", c.critic, c.stage+1, single, double)
		}
		t.Logf("%s, stage %d: losses from %.3g to %.3g differ by at most %.2g", c.critic, c.stage+1, double[0], double[19], worst)
	}
}

// TestSameBitsOnGPU trains twice from one seed: the steps of the first run are new to the device,
// captured and replayed, those of the second may all be replayed, and the parameters are the same.
func TestSameBitsOnGPU(t *testing.T) {
	for stage := range 2 {
		first, params := curve(t, gpu, "concat", stage, 6)
		again, same := curve(t, gpu, "concat", stage, 6)
		if !slices.Equal(first, again) || !slices.EqualFunc(params, same, func(a, b []float64) bool { return slices.Equal(a, b) }) {
			t.Errorf("stage %d: two runs of one seed differ: losses %v and %v", stage+1, first, again)
		}
	}
}
