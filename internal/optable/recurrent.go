package optable

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

var recurrent = []Case{
	lstm("", []int{4, 2, 3}, 4, false),
	lstm("reverse", []int{4, 2, 3}, 4, true),
	lstm("none as long as x", []int{3, 1, 3}, 5, true),
	lstm("one step", []int{1, 1, 1}, 1, false),
	gru("", []int{4, 2, 3}, 4, false),
	gru("reverse", []int{4, 2, 3}, 4, true),
	gru("none as long as x", []int{3, 1, 3}, 5, true),
	gru("one step", []int{1, 1, 1}, 1, false),
	scan("", 2, 5, 3, 4, false),
	scan("reverse", 2, 5, 3, 4, true),
	scan("longer than an interval", 1, 19, 2, 3, false),
	scan("reverse, longer than two intervals", 1, 35, 1, 2, true),
	scan("several vectors", 1, 2, 67, 2, false),
	scan("one step", 2, 1, 1, 1, false),
	causalConv("", 5, false), causalConv("reverse", 5, true),
	causalConv("fewer steps than weights", 2, false),
	causalConv("fewer steps than weights, reverse", 2, true),
}

// causalConv is the case of two sequences with three channels and four weights of each.
func causalConv(kind string, steps int, reverse bool) Case {
	const width, kernel = 3, 4
	return Case{Op: "CausalConv", Kind: kind,
		Shapes: [][]int{{2, steps, width}, {width, kernel}, {width}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.CausalConv(x[0], x[1], x[2], reverse)
		},
		Want: func(x [][]float64) []float64 {
			return each(2*steps*width, func(i int) float64 {
				b, t, j := i/(steps*width), i/width%steps, i%width
				y := x[2][j]
				for back := range kernel {
					from := t - back
					if reverse {
						from = t + back
					}
					if from >= 0 && from < steps {
						y += x[1][j*kernel+kernel-1-back] * x[0][(b*steps+from)*width+j]
					}
				}
				return y
			})
		}}
}

// lstm returns the case of an LSTM with inputs of width 2 and three units.
func lstm(kind string, lengths []int, steps int, reverse bool) Case {
	const in, width = 2, 3
	return Case{Op: "LSTM", Kind: kind,
		Shapes: [][]int{{len(lengths), steps, in}, {4 * width, in}, {4 * width, width},
			{4 * width}, {4 * width}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.LSTM(x[0],
				ag.LSTMWeights{Input: x[1], Hidden: x[2], InputBias: x[3], HiddenBias: x[4]},
				lengths, reverse)
		},
		Want: func(x [][]float64) []float64 {
			y := make([]float64, len(lengths)*steps*width)
			for s, n := range lengths {
				h, c := make([]float64, width), make([]float64, width)
				for k := range n {
					t := s*steps + k
					if reverse {
						t = s*steps + n - 1 - k
					}
					z := each(4*width, func(j int) float64 {
						return dot(x[1][j*in:][:in],
							x[0][t*in:]) + x[3][j] + dot(x[2][j*width:][:width], h) + x[4][j]
					})
					for j := range width {
						c[j] = sigmoid(z[width+j])*c[j] + sigmoid(z[j])*math.Tanh(z[2*width+j])
						h[j] = sigmoid(z[3*width+j]) * math.Tanh(c[j])
					}
					copy(y[t*width:], h)
				}
			}
			return y
		}}
}

// gru is the case of inputs of width 2 and three units.
func gru(kind string, lengths []int, steps int, reverse bool) Case {
	const in, width = 2, 3
	return Case{Op: "GRU", Kind: kind,
		Shapes: [][]int{{len(lengths), steps, in}, {3 * width, in}, {3 * width, width},
			{3 * width}, {3 * width}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.GRU(x[0],
				ag.GRUWeights{Input: x[1], Hidden: x[2], InputBias: x[3], HiddenBias: x[4]},
				lengths, reverse)
		},
		Want: func(x [][]float64) []float64 {
			y := make([]float64, len(lengths)*steps*width)
			for s, length := range lengths {
				h := make([]float64, width)
				for k := range length {
					t := s*steps + k
					if reverse {
						t = s*steps + length - 1 - k
					}
					a := each(3*width, func(j int) float64 {
						return dot(x[1][j*in:][:in], x[0][t*in:]) + x[3][j]
					})
					u := each(3*width, func(j int) float64 {
						return dot(x[2][j*width:][:width], h) + x[4][j]
					})
					for j := range width {
						r, z := sigmoid(a[j]+u[j]), sigmoid(a[width+j]+u[width+j])
						h[j] = (1-z)*math.Tanh(a[2*width+j]+r*u[2*width+j]) + z*h[j]
					}
					copy(y[t*width:], h)
				}
			}
			return y
		}}
}

// scan is the case of a selective scan with its gate.
func scan(kind string, samples, steps, width, states int, reverse bool) Case {
	row, state := []int{samples, steps, width}, []int{samples, steps, states}
	return Case{Op: "SelectiveScan", Kind: kind,
		Shapes: [][]int{row, row, state, state, row, {width}, {width, states}, {width}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.SelectiveScan(x[0], x[1], x[2], x[3], x[4],
				ag.ScanWeights{StepBias: x[5], ALog: x[6], Skip: x[7]}, reverse)
		},
		Want: func(x [][]float64) []float64 {
			return each(samples*steps*width, func(i int) float64 {
				// y is the sum over the steps s before t of c_t·b_s·Δ_s·u_s times the decay
				// between them.
				j, t, first := i%width, i/width, i/width/steps*steps
				y, decay, back := 0.0, each(states, func(int) float64 { return 1 }), -1
				if reverse {
					back = 1
				}
				for s := t; s >= first && s < first+steps; s += back {
					delta := math.Log1p(math.Exp(x[1][s*width+j] + x[5][j]))
					for n := range states {
						y += x[3][t*states+n] * x[2][s*states+n] * delta * x[0][s*width+j] *
							decay[n]
						decay[n] *= math.Exp(-delta * math.Exp(x[6][j*states+n]))
					}
				}
				return (y + x[7][j]*x[0][i]) * x[4][i] * sigmoid(x[4][i])
			})
		}}
}
