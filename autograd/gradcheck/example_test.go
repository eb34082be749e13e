package gradcheck_test

import (
	"fmt"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
)

// Check finds a wrong derivative: this square forgets the factor 2.
func ExampleCheck() {
	dev, _ := ag.Open("cpu64")
	square := func(factor float64) gradcheck.Func {
		return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			var y *ag.Tensor
			tp.Unrecorded(func() { y = tp.Mul(x[0], x[0]) })
			return tp.Record("Square", y, ag.Wrt(x[0], func(g *ag.Tensor) *ag.Tensor {
				return tp.Scale(tp.Mul(g, x[0]), factor)
			}))
		}
	}
	x := ag.NewParam(dev, []float64{1, -2, 3}, 3)
	fmt.Println(gradcheck.Check(1e-8, square(2), x))
	err := gradcheck.Check(1e-8, square(1), x)
	fmt.Println(strings.HasSuffix(err.Error(), "relative error 0.5, want ≤ 1e-08"))
	// Output:
	// <nil>
	// true
}
