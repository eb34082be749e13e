// Package optest has the tests that the operations of a table (package optable) must pass: of
// values, of gradients and of precision.
package optest

import (
	"fmt"
	"math"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/internal/optable"
)

// Values compares the results on a device with those of naive loops. An element may differ by tol,
// relative to it and to 1.
func Values(t *testing.T, dev ag.Device, tol float64, cases []optable.Case) {
	for _, c := range cases {
		t.Run(dev.Name()+"/"+c.Name(), func(t *testing.T) {
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

func values(x []*ag.Tensor) [][]float64 {
	v := make([][]float64, len(x))
	for i := range x {
		v[i] = x[i].Values()
	}
	return v
}

// Gradients compares Backward on a float64 device with central differences.
func Gradients(t *testing.T, double ag.Device, cases []optable.Case) {
	for _, c := range cases {
		t.Run(c.Name(), func(t *testing.T) {
			for _, d := range gradcheck.Compare(c.F, c.Inputs(double)) {
				err := d.Err
				if c.Alter {
					err = math.Abs(d.Analytic - c.Factor*d.Numeric)
				}
				if !(err <= 1e-6) {
					t.Fatalf("input %d, element %d: backward gives %.12g, differences %.12g: "+
						"error %.3g", d.Input, d.Element, d.Analytic, d.Numeric, err)
				}
			}
		})
	}
}

// Precision compares the gradients on a float32 device with those on a float64 device. An element
// may differ by 1e-4 of the largest.
func Precision(t *testing.T, single, double ag.Device, cases []optable.Case) {
	for _, c := range cases {
		t.Run(single.Name()+"/"+c.Name(), func(t *testing.T) {
			compare(t, gradients(single, c), gradients(double, c))
		})
	}
}

// gradients returns the gradients of Σ f(x)³. (For normalised rows, Σ f(x)² would be constant.)
func gradients(dev ag.Device, c optable.Case) [][]float64 {
	x := c.Inputs(dev)
	tp := ag.NewTape(dev)
	tp.Poison = true
	y := c.F(tp, x)
	grads := tp.Backward(tp.Sum(tp.Mul(tp.Mul(y, y), y)))
	g := make([][]float64, len(x))
	for i := range x {
		g[i] = make([]float64, x[i].Len())
		if grads[x[i]] != nil {
			g[i] = grads[x[i]].Values()
		}
	}
	return g
}

func compare(t *testing.T, single, double [][]float64) {
	for i := range double {
		scale := 0.0
		for _, v := range double[i] {
			scale = max(scale, math.Abs(v))
		}
		for j := range double[i] {
			if !(math.Abs(single[i][j]-double[i][j]) <= 1e-4*scale) {
				t.Fatalf("gradient of input %d, element %d: float32 gives %g, float64 %g",
					i, j, single[i][j], double[i][j])
			}
		}
	}
}

// PanicOf returns the text of f's panic, "<nil>" without one.
func PanicOf(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}
