package autograd_test

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
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

// Cube is an operation defined outside the package, from other operations.
//
//	x̄ = 3x² ⊙ ȳ
func Cube(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	var y *ag.Tensor
	tp.Unrecorded(func() { y = tp.Mul(tp.Mul(x, x), x) })
	return tp.Record("Cube", y, ag.Wrt(x, func(g *ag.Tensor) *ag.Tensor {
		return tp.Mul(g, tp.Scale(tp.Mul(x, x), 3))
	}))
}

// An operation of its own derivative, from operations of the tape.
func ExampleTape_Record() {
	dev, _ := ag.Open("cpu64")
	x := ag.NewParam(dev, []float64{2}, 1)
	tp := ag.NewTape(dev)
	y := Cube(tp, x)
	fmt.Println(y.Item(), tp.Backward(y, y)[x].Item())
	// Output: 8 12
}

// SegmentSum adds up the rows of x [n d] that belong to the same segment, giving [segments d]: the
// aggregation of a graph network, which is not among the built-in operations. Its forward and its
// backward pass are one kernel of the device each, so it runs on every device.
//
//	y[s] = Σ x[i] over segment[i] = s,  x̄[i] = ȳ[segment[i]]
func SegmentSum(tp *ag.Tape, x *ag.Tensor, segment []int, segments int) *ag.Tensor {
	tp.CheckOperands("SegmentSum", x)
	dev, width := tp.Device(), x.Shape()[1]
	y := tp.Full(0, segments, width)
	dev.ScatterAdd(y.Buffer(), segment, x.Buffer(), width)
	return tp.Record("SegmentSum", y, ag.Wrt(x, func(g *ag.Tensor) *ag.Tensor {
		gx := tp.Empty(x.Shape()...)
		dev.Gather(gx.Buffer(), g.Buffer(), segment, width)
		return gx
	}))
}

// An operation that is implemented by kernels of the device, checked by differences.
func ExampleTape_Empty() {
	dev, _ := ag.Open("cpu64")
	x := ag.NewParam(dev, []float64{1, 2, 3, 4, 5, 6}, 3, 2)
	tp := ag.NewTape(dev)
	fmt.Println(SegmentSum(tp, x, []int{1, 0, 1}, 2).Values())
	err := gradcheck.Check(1e-8, func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
		return SegmentSum(tp, x[0], []int{1, 0, 1}, 2)
	}, x)
	fmt.Println(err)
	// Output:
	// [3 4 6 8]
	// <nil>
}

// A critic scores what a generator makes. The generator's loss must not move the critic.
func ExampleTape_Frozen() {
	dev, _ := ag.Open("cpu64")
	generator := ag.NewParam(dev, []float64{2}, 1)
	critic := ag.NewParam(dev, []float64{5}, 1)
	tp := ag.NewTape(dev)
	var score *ag.Tensor
	tp.Frozen([]*ag.Tensor{critic}, func() { score = tp.Mul(critic, generator) })
	grads := tp.Backward(score)
	fmt.Println("generator", grads[generator].Item())
	fmt.Println("critic", grads[critic])
	// Output:
	// generator 5
	// critic <nil>
}

// One loss trains a domain classifier, and the features against it: the gradient of x is reversed,
// that of w is not. StopGradient would pass none to x.
func ExampleTape_ReverseGrad() {
	dev, _ := ag.Open("cpu64")
	x, w := ag.NewParam(dev, []float64{2}, 1), ag.NewParam(dev, []float64{3}, 1)
	tp := ag.NewTape(dev)
	grads := tp.Backward(tp.Mul(w, tp.ReverseGrad(x, 0.5)))
	fmt.Println(grads[w].Item(), grads[x].Item())
	grads = tp.Backward(tp.Mul(w, tp.StopGradient(x)))
	fmt.Println(grads[w].Item(), grads[x])
	// Output:
	// 2 -1.5
	// 2 <nil>
}

// Two batches make one step. The gradients of the first stay as they are; the sum takes their
// place in the map.
func ExampleTape_Accumulate() {
	dev, _ := ag.Open("cpu64")
	x := ag.NewParam(dev, []float64{3}, 1)
	tp := ag.NewTape(dev)
	grads := ag.Grads{}
	tp.Accumulate(grads, tp.Mul(x, x))
	first := grads[x]
	tp.Accumulate(grads, tp.Scale(x, 10))
	fmt.Println(first.Item(), grads[x].Item())
	// Output: 6 16
}

// A step reads two rows of a table of a million. Its gradient stores these two, and AdamStep
// updates no others.
func ExampleTape_Lookup() {
	dev, _ := ag.Open("cpu")
	table := ag.NewParam(dev, make([]float32, 1e6), 1e6, 1)
	m, v := ag.NewTensor(dev, make([]float32, 1e6), 1e6, 1), ag.NewTensor(dev,
		make([]float32, 1e6), 1e6, 1)
	tp := ag.NewTape(dev)
	grads := tp.Backward(tp.Sum(tp.Lookup(table, []int{7, 99})))
	table.AdamStep(grads[table],
		m, v, ag.Adam{LR: 0.1, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Correction1: 0.1,
			Correction2: 0.001})
	updated := table.Values()
	fmt.Printf("%.1f %.1f %.1f\n", updated[6], updated[7], updated[99])
	// Output: 0.0 -0.1 -0.1
}

// Precision belongs to the device: the same code computes in float32 and in float64.
func ExampleOpen() {
	for _, name := range []string{"cpu", "cpu64"} {
		dev, err := ag.Open(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		x := ag.NewTensor(dev, []float64{0.1}, 1)
		fmt.Println(dev.Bits(), x.Item())
	}
	_, err := ag.Open("gpu")
	fmt.Println(err)
	// Output:
	// 32 0.10000000149011612
	// 64 0.1
	// device "gpu" is unknown: expected cpu, cpu64, or cuda:0 and so on
}

// Reading a sequence step by step.
func ExampleTape_Split() {
	dev, _ := ag.Open("cpu64")
	x := ag.NewTensor(dev, []float64{1, 2, 3, 10, 20, 30}, 2, 3) // [B T]
	tp := ag.NewTape(dev)
	sum := tp.Full(0, 2, 1)
	for _, step := range tp.Split(x, 1, 1, 1, 1) {
		sum = tp.Add(sum, step)
		fmt.Println(sum.Values())
	}
	// Output:
	// [1 10]
	// [3 30]
	// [6 60]
}
