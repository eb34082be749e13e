package autograd_test

import (
	"reflect"
	"slices"
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
