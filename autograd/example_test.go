package autograd_test

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

func ExampleTape_Backward() {
	dev, _ := ag.Open("cpu64")
	x := ag.NewParam(dev, []float64{1, 2, 3}, 3)
	tp := ag.NewTape(dev)
	loss := tp.Sum(tp.Mul(x, x))
	fmt.Println(loss.Item(), tp.Backward(loss)[x].Values())
	// Output: 14 [2 4 6]
}

// Gradient descent on one number: the loop that every training has.
func Example_descent() {
	dev, _ := ag.Open("cpu64")
	x := ag.NewParam(dev, []float64{0}, 1)
	target := ag.NewTensor(dev, []float64{4}, 1)
	tp := ag.NewTape(dev)
	for range 50 {
		tp.Reset()
		grads := tp.Backward(tp.MSE(x, target))
		x.AddScaled(-0.2, grads[x])
	}
	fmt.Printf("%.4f\n", x.Item())
	// Output: 4.0000
}

// Cube is an operation made outside the package, through the same door as the built-in ones.
//
//	x̄ = 3x² ⊙ ȳ
func Cube(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	var y *ag.Tensor
	tp.NoGrad(func() { y = tp.Mul(tp.Mul(x, x), x) })
	return tp.Record("Cube", y, ag.Wrt(x, func(g *ag.Tensor) *ag.Tensor {
		return tp.Mul(g, tp.Scale(tp.Mul(x, x), 3))
	}))
}

func Example_newOperation() {
	dev, _ := ag.Open("cpu64")
	x := ag.NewParam(dev, []float64{2}, 1)
	tp := ag.NewTape(dev)
	y := Cube(tp, x)
	fmt.Println(y.Item(), tp.Backward(y)[x].Item())
	// Output: 8 12
}
