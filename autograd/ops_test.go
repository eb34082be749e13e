package autograd_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/internal/optable"
)

func open(t testing.TB, name string) ag.Device {
	t.Helper()
	dev, err := ag.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func values(x []*ag.Tensor) [][]float64 {
	v := make([][]float64, len(x))
	for i := range x {
		v[i] = x[i].Values()
	}
	return v
}

// devices are all devices of this build, with the tolerance of one operation's result, relative to
// it and to 1.
var devices = map[string]float64{"cpu": 2e-5, "cpu64": 1e-12}

func TestValues(t *testing.T) {
	for name, tol := range devices {
		dev := open(t, name)
		for _, c := range optable.Cases() {
			t.Run(name+"/"+c.Name(), func(t *testing.T) {
				x := c.Inputs(dev)
				tp := ag.NewTape(dev)
				tp.Poison = true
				got, want := c.F(tp, x).Values(), c.Want(values(x))
				if len(got) != len(want) {
					t.Fatalf("%d elements, want %d", len(got), len(want))
				}
				for i := range got {
					if !(math.Abs(got[i]-want[i]) <= tol*max(1, math.Abs(want[i]))) {
						t.Fatalf("element %d is %.9g, want %.9g", i, got[i], want[i])
					}
				}
			})
		}
	}
}

func TestGradients(t *testing.T) {
	dev := open(t, "cpu64")
	for _, c := range optable.Cases() {
		t.Run(c.Name(), func(t *testing.T) {
			ds := agtest.Compare(c.F, c.Inputs(dev))
			for _, d := range ds {
				err := d.Err
				if c.Alter {
					err = math.Abs(d.Analytic - c.Factor*d.Numeric)
				}
				if !(err <= 1e-6) {
					t.Fatalf("input %d, element %d: backward gives %.12g, differences %.12g: error %.3g", d.Input, d.Element, d.Analytic, d.Numeric, err)
				}
			}
		})
	}
}

// TestPrecision compares the gradients of every float32 device with those of float64: an element
// may differ by 1e-4 of the largest.
func TestPrecision(t *testing.T) {
	gradients := func(dev ag.Device, c optable.Case) [][]float64 {
		x := c.Inputs(dev)
		tp := ag.NewTape(dev)
		tp.Poison = true
		y := c.F(tp, x)
		grads := tp.Backward(tp.Sum(tp.Mul(tp.Mul(y, y), y))) // a sum of squares of normalised rows would be constant
		g := make([][]float64, len(x))
		for i := range x {
			g[i] = make([]float64, x[i].Len())
			if grads[x[i]] != nil {
				g[i] = grads[x[i]].Values()
			}
		}
		return g
	}
	for name := range devices {
		if dev := open(t, name); dev.Bits() == 32 {
			for _, c := range optable.Cases() {
				t.Run(name+"/"+c.Name(), func(t *testing.T) { compareGradients(t, gradients(dev, c), gradients(open(t, "cpu64"), c)) })
			}
		}
	}
}

func compareGradients(t *testing.T, single, double [][]float64) {
	for i := range double {
		scale := 0.0
		for _, v := range double[i] {
			scale = max(scale, math.Abs(v))
		}
		for j := range double[i] {
			if !(math.Abs(single[i][j]-double[i][j]) <= 1e-4*scale) {
				t.Fatalf("gradient of input %d, element %d: float32 gives %g, float64 %g", i, j, single[i][j], double[i][j])
			}
		}
	}
}

// notOperations are the methods of Tape that compute nothing differentiable.
var notOperations = []string{"Accumulate", "Backward", "Device", "Frozen", "Input", "NoGrad", "Record", "RecordJoint", "Reset", "Scope", "Seed", "SetRows"}

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
