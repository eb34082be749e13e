package autograd_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
)

// scanInputs names the inputs of a selective scan in the order of the tests.
var scanInputs = []string{"u", "step", "b", "c", "z", "stepBias", "aLog", "skip"}

func selectiveScan(tp *ag.Tape, x []*ag.Tensor, reverse bool) *ag.Tensor {
	return tp.SelectiveScan(x[0], x[1], x[2], x[3], x[4],
		ag.ScanWeights{StepBias: x[5], ALog: x[6], Skip: x[7]}, reverse)
}

// scanOf scans inputs of the given shapes: of u, step and z, of b and c, of StepBias and Skip, and
// of ALog.
func scanOf(dev ag.Device, tp *ag.Tape, row, state, channel, aLog []int) *ag.Tensor {
	x := make([]*ag.Tensor, 8)
	for k, shape := range [][]int{row, row, state, state, row, channel, aLog, channel} {
		x[k] = noise(dev, k, 1, shape)
	}
	return selectiveScan(tp, x, false)
}

// TestScanAgreesWithPyTorch compares results and all gradients with a loop over time in PyTorch
// (testdata/make_scan.py).
func TestScanAgreesWithPyTorch(t *testing.T) {
	var cases []struct {
		Name    string
		Shapes  [][]int
		Scales  []float64
		Reverse bool
		O       []float64
		Grads   map[string][]float64
	}
	file, err := os.ReadFile("testdata/scan.json")
	if err == nil {
		err = json.Unmarshal(file, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name := range devices {
		dev, tol := open(t, name), 1e-5
		if dev.Bits() == 64 {
			tol = 1e-13
		}
		for _, c := range cases {
			x := make([]*ag.Tensor, len(c.Shapes))
			for k, shape := range c.Shapes {
				x[k] = noise(dev, k, c.Scales[k], shape)
			}
			tp := ag.NewTape(dev)
			tp.Poison = true
			o := selectiveScan(tp, x, c.Reverse)
			grads := tp.Backward(tp.Sum(tp.Mul(noise(dev, 100, 1, c.Shapes[0]), o)), o)
			mustAgree(t, c.Name+" on "+name+": o", tol, o.Values(), c.O)
			for k, input := range scanInputs {
				mustAgree(t, c.Name+" on "+name+": gradient of "+input, tol, grads[x[k]].Values(),
					c.Grads[input])
			}
		}
	}
}

func noise(dev ag.Device, number int, scale float64, shape []int) *ag.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := agtest.Noise(number, n)
	for i := range v {
		v[i] *= scale
	}
	return ag.NewParam(dev, v, shape...)
}

// mustAgree compares each element, relative to the largest of want and to 1.
func mustAgree(t *testing.T, what string, tol float64, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	scale := 1.0
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*scale) {
			t.Fatalf("%s: element %d is %.15g, want %.15g", what, i, got[i], want[i])
		}
	}
}

// TestScanByHand compares a scan of one channel with numbers computed by another program from the
// formulas, to the last printed digit.
func TestScanByHand(t *testing.T) {
	dev := open(t, "cpu64")
	x := []*ag.Tensor{
		ag.NewParam(dev, []float64{1, 2, -1}, 1, 3, 1),
		ag.NewParam(dev, []float64{0, 1, -1}, 1, 3, 1),
		ag.NewParam(dev, []float64{1, -1, 0.5, 1, 2, 0.5}, 1, 3, 2),
		ag.NewParam(dev, []float64{1, 0.5, 1, -2, -1, 1}, 1, 3, 2),
		ag.NewParam(dev, []float64{0.3, -0.2, 1}, 1, 3, 1),
		ag.NewParam(dev, []float64{0.25}, 1),
		ag.NewParam(dev, []float64{0, math.Ln2}, 1, 2),
		ag.NewParam(dev, []float64{0.5}, 1),
	}
	tp := ag.NewTape(dev)
	o := selectiveScan(tp, x, false)
	back := selectiveScan(tp, x, true)
	mustAgree(t, "o in reverse", 5.1e-13, back.Values(),
		[]float64{0.307112744322, 0.32942362032, 0.0587087624503})
	grads := tp.Backward(tp.Sum(o), o)
	mustAgree(t, "o", 5.1e-9, o.Values(), []float64{0.15733459, 0.29170081, 0.22080723})
	for k, want := range [][]float64{
		{0.02825626, 0.2914388, -0.05870876},
		{-0.03941658, 0.46505775, -0.02074887},
		{0.03444779, 0.09235791, -1.76192086, 1.55387123, 0.28282537, -0.28282537},
		{0.14233642, -0.14233642, -0.1517839, -0.26675896, 0.27141442, 0.85775093},
		{0.59140353, -1.29811702, 0.28019144},
		{0.40489231},
		{0.4858773, -0.70944402},
		{-0.73879222},
	} {
		mustAgree(t, "gradient of "+scanInputs[k], 5.1e-9, grads[x[k]].Values(), want)
	}
}

// TestScanSharesTransitions checks that the gradient of an ALog that two scans share is the sum of
// the gradients that each gives alone.
func TestScanSharesTransitions(t *testing.T) {
	dev := open(t, "cpu64")
	log := noise(dev, 7, 2, []int{3, 2})
	gradient := func(scans ...int) []float64 {
		tp := ag.NewTape(dev)
		loss := tp.Full(0)
		for _, k := range scans {
			x := []*ag.Tensor{noise(dev, k, 2, []int{2, 5, 3}), noise(dev, k+1, 2, []int{2, 5, 3}),
				noise(dev, k+2, 2, []int{2, 5, 2}), noise(dev, k+3, 2, []int{2, 5, 2}),
				noise(dev, k+4, 2, []int{2, 5, 3}), noise(dev, k+5, 2, []int{3}), log,
				noise(dev, k+6, 2, []int{3})}
			loss = tp.Add(loss, tp.Sum(selectiveScan(tp, x, k > 10)))
		}
		return tp.Backward(loss)[log].Values()
	}
	first, second := gradient(10), gradient(20)
	for i := range first {
		first[i] += second[i]
	}
	mustAgree(t, "gradient of the shared ALog", 1e-15, gradient(10, 20), first)
}

// TestLongScan compares float32 with float64 over a long sequence.
func TestLongScan(t *testing.T) {
	results := map[string][][]float64{}
	for _, name := range []string{"cpu", "cpu64"} {
		dev, row, state := open(t, name), []int{1, 1500, 5}, []int{1, 1500, 3}
		var x []*ag.Tensor
		for k, shape := range [][]int{row, row, state, state, row, {5}, {5, 3}, {5}} {
			x = append(x, noise(dev, k, 2, shape))
		}
		tp := ag.NewTape(dev)
		y := selectiveScan(tp, x, false)
		grads := tp.Backward(tp.Sum(tp.Mul(noise(dev, 100, 1, row), y)), y)
		results[name] = append(results[name], y.Values())
		for _, v := range x {
			results[name] = append(results[name], grads[v].Values())
		}
	}
	for k, what := range append([]string{"o"}, scanInputs...) {
		mustAgree(t, what, 2e-5, results["cpu"][k], results["cpu64"][k])
	}
}

// TestScanMemory checks that a scan and its gradients never have the states of all steps in memory.
func TestScanMemory(t *testing.T) {
	const steps, width, states = 1024, 32, 64
	dev, row, state := open(t, "cpu"), []int{1, steps, width}, []int{1, steps, states}
	var x []*ag.Tensor
	for k, shape := range [][]int{row, row, state, state, row, {width}, {width, states}, {width}} {
		x = append(x, noise(dev, k, 2, shape))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tp := ag.NewTape(dev)
	tp.Backward(tp.Sum(selectiveScan(tp, x, false)))
	runtime.ReadMemStats(&after)
	all := uint64(4 * steps * width * states)
	if got := after.TotalAlloc - before.TotalAlloc; got > all*2/3 {
		t.Errorf("%d bytes, the states of all steps have %d", got, all)
	}
}

// TestScanGradients compares the gradients with central differences, closer than for the other
// operations.
func TestScanGradients(t *testing.T) {
	dev := open(t, "cpu64")
	for _, reverse := range []bool{false, true} {
		x := []*ag.Tensor{
			noise(dev, 1, 2, []int{2, 18, 3}), noise(dev, 2, 4, []int{2, 18, 3}),
			noise(dev, 3, 2, []int{2, 18, 2}), noise(dev, 4, 2, []int{2, 18, 2}),
			noise(dev, 5, 2, []int{2, 18, 3}), noise(dev, 6, 2, []int{3}),
			noise(dev, 7, 2, []int{3, 2}), noise(dev, 8, 2, []int{3})}
		agtest.CheckGrad(t, 1e-8, func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			return selectiveScan(tp, x, reverse)
		}, x...)
	}
}

// BenchmarkSelectiveScan measures a scan and its gradients, as benchmarks/peer_scan.py does in
// PyTorch.
func BenchmarkSelectiveScan(b *testing.B) {
	const width, states = 256, 16
	for _, size := range []struct{ samples, steps int }{
		{64, 25}, {64, 50}, {32, 100}, {8, 400}, {3, 1024}, {1, 4096},
	} {
		dev, row := open(b, "cpu"), []int{size.samples, size.steps, width}
		state := []int{size.samples, size.steps, states}
		var x []*ag.Tensor
		for k, s := range [][]int{row, row, state, state, row, {width}, {width, states}, {width}} {
			x = append(x, noise(dev, k, 2, s))
		}
		g := noise(dev, 100, 1, row)
		tp := ag.NewTape(dev)
		for _, part := range []string{"forward", "both"} {
			b.Run(fmt.Sprintf("T=%d/%s", size.steps, part), func(b *testing.B) {
				for b.Loop() {
					tp.Reset()
					y := selectiveScan(tp, x, false)
					if part == "both" {
						tp.Backward(tp.Sum(tp.Mul(g, y)))
					}
				}
			})
		}
	}
}
