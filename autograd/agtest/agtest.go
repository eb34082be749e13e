// Package agtest makes tests of the checks of package gradcheck.
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
