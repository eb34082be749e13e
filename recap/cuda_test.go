//go:build cuda && cgo && linux

package recap

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
	"github.com/seed-6655bf3b/recap/internal/optable/optest"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
	"github.com/seed-6655bf3b/recap/optim"
)

func TestMain(m *testing.M) { cudatest.Main(m) }

// TestPairOpsOnGPU compares values with naive loops, and gradients with those in float64.
func TestPairOpsOnGPU(t *testing.T) {
	optest.Values(t, open(t, "cuda:0"), 2e-5, OpCases())
	optest.Precision(t, open(t, "cuda:0"), open(t, "cpu64"), OpCases())
}

// TestConcatCriticsOnGPU compares the gradients and the losses of 20 steps of both stages with
// those in float64, for the critics that tiny does not have.
func TestConcatCriticsOnGPU(t *testing.T) {
	t.Run("Gradients", func(t *testing.T) { zootest.GPUGradients(t, &Spec, concat(1)) })
	t.Run("Training", func(t *testing.T) { zootest.GPUTraining(t, &Spec, concat(1)) })
}

// curve returns the losses of steps of AdamW on one batch, and the parameters after them.
func curve(
	t *testing.T, device string, c *Config, stage, steps int,
) (losses []float64, params [][]float64) {
	m, dev := newTiny(t, device, *c, tinyDims)
	b, ph := sample(dev, tinyDims, 8), m.Phases()[stage]
	tp, opt := ag.NewTape(dev), optim.NewAdamW(1e-3, 1e-4, ph.Params())
	for i := range steps {
		tp.Reset()
		tp.Seed(uint64(i))
		loss := zoo.Total(tp, termsOf(tp, ph, b))
		opt.Step(tp.Backward(loss))
		losses = append(losses, loss.Item())
	}
	for _, p := range ph.Params() {
		params = append(params, p.Values())
	}
	return losses, params
}

// TestLossCurvesOnGPU trains for 20 steps on the GPU and, in float64, on the CPU: each loss
// agrees to 1e-3. In float32 the CPU's own curve of the concat critics differs from the float64
// one by 2e-3 when a unit of a critic rounds to the other side of its kink.
func TestLossCurvesOnGPU(t *testing.T) {
	separable := tiny()
	separable.Critic.Hidden = 1
	for _, c := range []struct {
		config *Config
		stage  int
	}{{&separable, 0}, {concat(1), 0}, {concat(1), 1}} {
		single, _ := curve(t, "cuda:0", c.config, c.stage, 20)
		double, _ := curve(t, "cpu64", c.config, c.stage, 20)
		worst := 0.0
		for i, v := range double {
			worst = max(worst, math.Abs(single[i]-v))
		}
		critic := c.config.Critic.Kind
		if !(worst <= 1e-3) {
			t.Errorf("%s, stage %d: losses\n%v on the GPU,\n%v on the CPU", critic, c.stage+1,
				single, double)
		}
		t.Logf("%s, stage %d: losses from %.3g to %.3g differ by at most %.2g", critic, c.stage+1,
			double[0], double[19], worst)
	}
}

// TestSameBitsOnGPU trains twice from one seed: the steps of the first run are new to the device,
// captured and replayed, those of the second may all be replayed, and the parameters are the same.
func TestSameBitsOnGPU(t *testing.T) {
	for stage := range 2 {
		first, params := curve(t, "cuda:0", concat(1), stage, 6)
		again, same := curve(t, "cuda:0", concat(1), stage, 6)
		if !slices.Equal(first, again) ||
			!slices.EqualFunc(params, same, func(a, b []float64) bool {
				return slices.Equal(a, b)
			}) {
			t.Errorf("stage %d: two runs of one seed differ: losses %v and %v", stage+1,
				first, again)
		}
	}
}
