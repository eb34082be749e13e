package optable

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

type tensors = []*ag.Tensor

var arith = []Case{
	binary("Add", "", [][]int{{3, 4}, {3, 4}}, (*ag.Tape).Add, func(a, b float64) float64 {
		return a + b
	}, sameIndex),
	binary("Add", "row", [][]int{{3, 4}, {4}}, (*ag.Tape).Add, func(a, b float64) float64 {
		return a + b
	}, func(i int) (int, int) { return i, i % 4 }),
	binary("Sub", "", [][]int{{3, 4}, {3, 4}}, (*ag.Tape).Sub, func(a, b float64) float64 {
		return a - b
	}, sameIndex),
	binary("Sub", "column", [][]int{{3, 1}, {3, 4}}, (*ag.Tape).Sub, func(a, b float64) float64 {
		return a - b
	}, func(i int) (int, int) { return i / 4, i }),
	binary("Mul", "", [][]int{{3, 4}, {3, 4}}, (*ag.Tape).Mul, func(a, b float64) float64 {
		return a * b
	}, sameIndex),
	binary("Mul", "outer", [][]int{{3, 1}, {4}}, (*ag.Tape).Mul, func(a, b float64) float64 {
		return a * b
	}, func(i int) (int, int) { return i / 4, i % 4 }),
	binary("Mul", "middle", [][]int{{2, 3, 4}, {2, 1, 4}}, (*ag.Tape).Mul,
		func(a, b float64) float64 {
			return a * b
		}, func(i int) (int, int) { return i, i/12*4 + i%4 }),
	binary("Div", "", [][]int{{3, 4}, {3, 4}}, (*ag.Tape).Div, func(a, b float64) float64 {
		return a / b
	}, sameIndex),
	binary("Div", "scalar", [][]int{{3, 4}, {}}, (*ag.Tape).Div, func(a, b float64) float64 {
		return a / b
	}, func(i int) (int, int) { return i, 0 }),
	binary("Less", "", [][]int{{3, 4}, {3, 4}}, (*ag.Tape).Less, func(a, b float64) float64 {
		if a < b {
			return 1
		}
		return 0
	}, sameIndex),
	unary("Neg", Normal, (*ag.Tape).Neg, func(x float64) float64 { return -x }),
	unary("Scale", Normal, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.Scale(x, 2.5)
	}, func(x float64) float64 { return 2.5 * x }),
	unary("AddScalar", Normal, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.AddScalar(x, 2.5)
	}, func(x float64) float64 { return x + 2.5 }),
}

var activations = []Case{
	unary("Exp", Normal, (*ag.Tape).Exp, math.Exp),
	unary("Log", Positive, (*ag.Tape).Log, math.Log),
	unary("Sqrt", Positive, (*ag.Tape).Sqrt, math.Sqrt),
	unary("Abs", Normal, (*ag.Tape).Abs, math.Abs),
	unary("Tanh", Normal, (*ag.Tape).Tanh, math.Tanh),
	unary("Sigmoid", Normal, (*ag.Tape).Sigmoid, sigmoid),
	unary("Softplus", Normal, (*ag.Tape).Softplus, func(x float64) float64 {
		return math.Log1p(math.Exp(x))
	}),
	unary("ReLU", Normal, (*ag.Tape).ReLU, func(x float64) float64 { return max(x, 0) }),
	unary("LeakyReLU", Normal, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.LeakyReLU(x, 0.01)
	}, func(x float64) float64 { return max(x, 0.01*x) }),
	unary("GELU", Normal, (*ag.Tape).GELU, func(x float64) float64 {
		return x * 0.5 * math.Erfc(-x/math.Sqrt2)
	}),
	unary("SiLU", Normal, (*ag.Tape).SiLU, func(x float64) float64 { return x * sigmoid(x) }),
	unary("Clamp", Normal, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.Clamp(x, -0.7, 0.9)
	}, func(x float64) float64 { return min(max(x, -0.7), 0.9) }),
}

var constants = []Case{
	altered(unary("StopGradient", Normal, (*ag.Tape).StopGradient, func(x float64) float64 {
		return x
	}), 0),
	altered(Case{Op: "Norm", Shapes: [][]int{{3, 4}, {}, {700}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Norm(x...) },
		Want: func(x [][]float64) []float64 {
			return []float64{math.Sqrt(dot(x[0], x[0]) + dot(x[1], x[1]) + dot(x[2], x[2]))}
		}}, 0),
	altered(unary("ReverseGrad", Normal, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.ReverseGrad(x, 0.5)
	}, func(x float64) float64 { return x }), -0.5),
}

// unary returns the case of a function of one variable.
func unary(
	op string, d Domain, f func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor, want func(float64) float64,
) Case {
	return Case{Op: op, Shapes: [][]int{{3, 37}}, Domain: d,
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return f(tp, x[0]) },
		Want: func(x [][]float64) []float64 {
			return each(len(x[0]), func(i int) float64 { return want(x[0][i]) })
		}}
}

// binary returns the case of a function of two variables. at returns the indices of the elements of
// a and b from which element i of the result is computed.
func binary(
	op, kind string, shapes [][]int, f func(tp *ag.Tape, a, b *ag.Tensor) *ag.Tensor,
	want func(a, b float64) float64, at func(i int) (int, int),
) Case {
	return Case{Op: op, Kind: kind, Shapes: shapes,
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return f(tp, x[0], x[1]) },
		Want: func(x [][]float64) []float64 {
			n := max(len(x[0]), len(x[1]))
			if kind == "outer" {
				n = len(x[0]) * len(x[1])
			}
			return each(n, func(i int) float64 { a, b := at(i); return want(x[0][a], x[1][b]) })
		}}
}

func altered(c Case, factor float64) Case {
	c.Alter, c.Factor = true, factor
	return c
}

func sameIndex(i int) (int, int) { return i, i }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
