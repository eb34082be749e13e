package autograd_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/optable"
	"github.com/seed-6655bf3b/recap/internal/optable/optest"
)

func open(t testing.TB, name string) ag.Device {
	t.Helper()
	dev, err := ag.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// devices are all devices of this build, with the tolerance of one operation's result, relative to
// it and to 1.
var devices = map[string]float64{"cpu": 2e-5, "cpu64": 1e-12}

func TestValues(t *testing.T) {
	for name, tol := range devices {
		optest.Values(t, open(t, name), tol, optable.Cases())
	}
}

func TestGradients(t *testing.T) { optest.Gradients(t, open(t, "cpu64"), optable.Cases()) }

// TestPrecision compares the gradients of every float32 device with those of float64.
func TestPrecision(t *testing.T) {
	for name := range devices {
		if dev := open(t, name); dev.Bits() == 32 {
			optest.Precision(t, dev, open(t, "cpu64"), optable.Cases())
		}
	}
}

// notOperations are the methods of Tape that compute nothing differentiable.
var notOperations = []string{"Accumulate", "Backward", "CheckOperands", "ClampGradient",
	"Device", "Empty", "Frozen", "Full", "Input", "NoGrad",
	"Record", "RecordJoint", "Reset", "ScaleGradient", "Scope", "Seed", "SetRows", "Training",
	"Unrecorded", "UntilEnd"}

func TestEveryOpIsTested(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range optable.Cases() {
		tested[c.Op] = true
	}
	typ := reflect.TypeFor[*ag.Tape]()
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		if !tested[name] && !slices.Contains(notOperations, name) {
			t.Errorf("operation %s has no line in internal/optable", name)
		}
		delete(tested, name)
	}
	for name := range tested {
		t.Errorf("internal/optable has a line for %s, which is not an operation", name)
	}
}

// TestStaleOperands gives each operand of each operation in turn memory that was recycled.
func TestStaleOperands(t *testing.T) {
	dev := open(t, "cpu64")
	for _, c := range optable.Cases() {
		if c.Op == "Lookup" {
			continue // no tensor of a tape can be its operand
		}
		for i := range c.Shapes {
			tp := ag.NewTape(dev)
			x := c.Inputs(dev)
			x[i] = tp.Input(make([]float32, x[i].Len()), x[i].Shape()...)
			tp.Reset()
			if got := optest.PanicOf(func() { c.F(tp, x) }); !strings.Contains(got,
				"the operand's memory was recycled") {
				t.Errorf("%s, operand %d: panic %q", c.Name(), i, got)
			}
		}
	}
}

// TestConstantOperands differentiates each operation by one operand, the others being constants:
// the gradient has the same bits as beside those of the others.
func TestConstantOperands(t *testing.T) {
	dev := open(t, "cpu64")
	for _, c := range optable.Cases() {
		gradients := func(x []*ag.Tensor) ag.Grads {
			tp := ag.NewTape(dev)
			tp.Seed(1)
			y := c.F(tp, x)
			weight := tp.StopGradient(waves(dev, 1, y.Shape()...))
			return tp.Backward(tp.Sum(tp.Mul(y, weight)))
		}
		params := c.Inputs(dev)
		want := gradients(params)
		for i, p := range params {
			x := slices.Clone(params)
			for j, other := range params {
				if j != i {
					x[j] = ag.NewTensor(dev, other.Values(), other.Shape()...)
				}
			}
			got := gradients(x)
			if (got[p] == nil) != (want[p] == nil) || len(got) > 1 || got[p] != nil &&
				!slices.Equal(got[p].Values(), want[p].Values()) {
				t.Errorf("%s: the gradient of operand %d depends on those of others", c.Name(), i)
			}
		}
	}
}

func BenchmarkOps(b *testing.B) {
	dev := open(b, "cpu")
	for _, c := range optable.Cases() {
		b.Run(c.Name(), func(b *testing.B) {
			x := c.Inputs(dev)
			tp := ag.NewTape(dev)
			for b.Loop() {
				tp.Reset()
				tp.Backward(tp.Sum(c.F(tp, x)))
			}
		})
	}
}

// TestLongProducts sums many products for each element of a small matrix, which devices do in
// parts.
func TestLongProducts(t *testing.T) {
	const m, n, k = 2, 3, 100
	for name, tol := range devices {
		dev := open(t, name)
		for mode, shapes := range map[ag.Trans][2][]int{ag.NN: {{m, k}, {k, n}},
			ag.NT: {{m, k}, {n, k}}, ag.TN: {{k, m}, {k, n}}, ag.TT: {{k, m}, {n, k}}} {
			a, b := waves(dev, 1, shapes[0]...), waves(dev, 2, shapes[1]...)
			got := ag.NewTape(dev).MatMul(a, b, mode).Values()
			x, y := a.Values(), b.Values()
			for i := range m {
				for j := range n {
					want := 0.0
					for l := range k {
						xi, yj := i*k+l, l*n+j
						if mode == ag.TN || mode == ag.TT {
							xi = l*m + i
						}
						if mode == ag.NT || mode == ag.TT {
							yj = j*k + l
						}
						want += x[xi] * y[yj]
					}
					if d := got[i*n+j] - want; !(d <= 10*tol && d >= -10*tol) {
						t.Errorf("%s, mode %v: element %d, %d is %g, want %g", name, mode, i, j,
							got[i*n+j], want)
					}
				}
			}
		}
	}
}

// TestLogSumExpOfNothing has a row whose exponentials are all 0, such as one that is masked.
func TestLogSumExpOfNothing(t *testing.T) {
	for name := range devices {
		dev := open(t, name)
		x := ag.NewTensor(dev, []float64{math.Inf(-1), math.Inf(-1), math.Inf(-1), 5}, 2, 2)
		got := ag.NewTape(dev).LogSumExp(x, 1).Values()
		if got[0] != math.Inf(-1) || got[1] != 5 {
			t.Errorf("%s: %v, want -Inf and 5", name, got)
		}
	}
}
