// Package agtest makes tests of the checks of package gradcheck, and has the numbers of which tests
// make parameters and inputs.
package agtest

import (
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
)

// CheckGrad fails the test where [gradcheck.Check] returns an error: if an element of a gradient
// of f at x is off by more than tol.
func CheckGrad(t testing.TB, tol float64, f gradcheck.Func, x ...*ag.Tensor) {
	t.Helper()
	if err := gradcheck.Check(tol, f, x...); err != nil {
		t.Error(err)
	}
}

// CheckDirection fails the test where [gradcheck.CheckDirection] returns an error: if the
// derivative of a scalar loss along a random direction in the space of all parameters is off by
// more than tol.
func CheckDirection(
	t testing.TB, tol float64, params []*ag.Tensor, loss func(tp *ag.Tape) *ag.Tensor,
) {
	t.Helper()
	if err := gradcheck.CheckDirection(tol, params, loss); err != nil {
		t.Error(err)
	}
}

// Noise returns n numbers in [-1/2, 1/2): hashes of the tensor's number and the element's. As
// matrices they have full rank, so that no factor or direction can stand for another.
func Noise(number, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		h := uint32(number)*0x9E3779B1 + uint32(i)*0x85EBCA77
		h = (h ^ h>>16) * 0x21F0AAAD
		h = (h ^ h>>15) * 0x735A2D97
		v[i] = float64(h^h>>15)/(1<<32) - 0.5
	}
	return v
}
