package optable

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// rearranged returns the case of an operation that only rearranges elements: element i of its
// result is element from(i) of x.
func rearranged(
	op, kind string, shape []int, n int, f func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor,
	from func(i int) int,
) Case {
	return Case{Op: op, Kind: kind, Shapes: [][]int{shape},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return f(tp, x[0]) },
		Want: func(x [][]float64) []float64 {
			return each(n, func(i int) float64 { return x[0][from(i)] })
		}}
}

var shapes = []Case{
	rearranged("Reshape", "", []int{3, 4}, 12, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.Reshape(x, 2, -1)
	}, func(i int) int { return i }),
	rearranged("Permute", "", []int{2, 3, 4}, 24, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.Permute(x, 2, 0, 1)
	},
		func(i int) int { return i%6/3*12 + i%3*4 + i/6 }),
	rearranged("Slice", "", []int{2, 5, 3}, 12, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.Slice(x, 1, 2, 4)
	},
		func(i int) int { return i/6*15 + (i%6/3+2)*3 + i%3 }),
	rearranged("Slice", "first axis", []int{5, 3}, 6, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.Slice(x, 0, 1, 3)
	},
		func(i int) int { return i + 3 }),
	rearranged("Unfold", "overlapping", []int{7, 2},
		30, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor { return tp.Unfold(x, 0, 3, 1) },
		func(i int) int { return (i/6+i%6/2)*2 + i%2 }),
	rearranged("Unfold", "step 2 of the last axis", []int{2, 7},
		12, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor { return tp.Unfold(x, 1, 2, 2) },
		func(i int) int { return i/6*7 + i%6/2*2 + i%2 }),
	rearranged("Unfold", "steps of sequences", []int{2, 5, 3},
		54, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor { return tp.Unfold(x, 1, 3, 1) },
		func(i int) int { return i/27*15 + (i%27/9+i%9/3)*3 + i%3 }),
	padded("", 1, 2, []int{2, 4, 3}),
	padded("none", 0, 0, []int{2, 4, 3}),
	rearranged("Diagonal", "", []int{2, 3, 3}, 6, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.Diagonal(x)
	},
		func(i int) int { return i/3*9 + i%3*4 }),
	rearranged("Diagonal", "of one matrix", []int{3, 3}, 3,
		func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor { return tp.Diagonal(x) },
		func(i int) int { return i * 4 }),
	rearranged("Expand", "", []int{3, 1}, 24, func(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
		return tp.Expand(x, 2, 3, 4)
	},
		func(i int) int { return i % 12 / 4 }),
	{Op: "Concat", Shapes: [][]int{{2, 3, 2}, {2, 1, 2}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Concat(1, x[0], x[1]) },
		Want: func(x [][]float64) []float64 {
			return each(16, func(i int) float64 {
				if b, j := i/8, i%8; j < 6 {
					return x[0][b*6+j]
				} else {
					return x[1][b*2+j-6]
				}
			})
		}},
	// of the parts, the second is used twice and the third not at all
	{Op: "Split", Shapes: [][]int{{2, 5, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			parts := tp.Split(x[0], 1, 1, 2, 1, 1)
			return tp.Concat(1, parts[1], tp.Mul(parts[3], parts[0]), parts[1])
		},
		Want: func(x [][]float64) []float64 {
			return each(30, func(i int) float64 {
				v, t, c := x[0][i/15*15:], i%15/3, i%3
				if t == 2 {
					return v[4*3+c] * v[c]
				}
				return v[[]int{1, 2, 0, 1, 2}[t]*3+c]
			})
		}},
	{Op: "Split", Kind: "last axis", Shapes: [][]int{{2, 5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			parts := tp.Split(x[0], 1, 3, 2)
			return tp.Concat(1, parts[1], parts[0])
		},
		Want: func(x [][]float64) []float64 {
			return each(10, func(i int) float64 { return x[0][i/5*5+(i%5+3)%5] })
		}},
	{Op: "Stack", Shapes: [][]int{{2, 3}, {2, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Stack(1, x[0], x[1]) },
		Want: func(x [][]float64) []float64 {
			return each(12, func(i int) float64 { return x[i%6/3][i/6*3+i%3] })
		}},
}

// padded returns the case of adding steps of 0 before and after those of x [B T C].
func padded(kind string, before, after int, shape []int) Case {
	steps, width := before+shape[1]+after, shape[2]
	return Case{Op: "Pad", Kind: kind, Shapes: [][]int{shape},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Pad(x[0], 1, before, after) },
		Want: func(x [][]float64) []float64 {
			return each(shape[0]*steps*width, func(i int) float64 {
				b, t, c := i/(steps*width), i/width%steps-before, i%width
				if t < 0 || t >= shape[1] {
					return 0
				}
				return x[0][(b*shape[1]+t)*width+c]
			})
		}}
}

// reduced returns the case of a reduction of x [2 3 4]. want computes an element of the result from
// the numbers that are reduced to it.
func reduced(
	op, kind string, axes []int, f func(tp *ag.Tape, x *ag.Tensor, axes ...int) *ag.Tensor,
	want func(v []float64) float64,
) Case {
	drop := map[int]bool{}
	for _, a := range axes {
		drop[a] = true
	}
	return Case{Op: op, Kind: kind, Shapes: [][]int{{2, 3, 4}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return f(tp, x[0], axes...) },
		Want: func(x [][]float64) []float64 {
			var order []int
			groups := map[int][]float64{}
			for i, v := range x[0] {
				key := 0
				for a, at := range []int{i / 12, i % 12 / 4, i % 4} {
					if len(axes) > 0 && !drop[a] {
						key = key*10 + at + 1
					}
				}
				if groups[key] == nil {
					order = append(order, key)
				}
				groups[key] = append(groups[key], v)
			}
			return each(len(order), func(i int) float64 { return want(groups[order[i]]) })
		}}
}

var reductions = []Case{
	reduced("Sum", "", nil, (*ag.Tape).Sum, sum),
	reduced("Sum", "last", []int{2}, (*ag.Tape).Sum, sum),
	reduced("Sum", "first", []int{0}, (*ag.Tape).Sum, sum),
	reduced("Sum", "middle", []int{1}, (*ag.Tape).Sum, sum),
	reduced("Sum", "outer two", []int{2, 0}, (*ag.Tape).Sum, sum),
	reduced("Mean", "", nil, (*ag.Tape).Mean, mean),
	reduced("Mean", "middle", []int{1}, (*ag.Tape).Mean, mean),
	reduced("Max", "", nil, (*ag.Tape).Max, largest),
	reduced("Max", "first two", []int{0, 1}, (*ag.Tape).Max, largest),
	reduced("LogSumExp", "", nil, (*ag.Tape).LogSumExp, logSumExp),
	reduced("LogSumExp", "outer two", []int{0, 2}, (*ag.Tape).LogSumExp, logSumExp),
	pooled("MeanPool", "", nil, (*ag.Tape).MeanPool, mean),
	pooled("MeanPool", "lengths", []int{3, 1, 4}, (*ag.Tape).MeanPool, mean),
	pooled("MaxPool", "", nil, (*ag.Tape).MaxPool, largest),
	pooled("MaxPool", "lengths", []int{3, 1, 4}, (*ag.Tape).MaxPool, largest),
	alignPool("", 6, 3), alignPool("filled", 7, 3), alignPool("longer", 2, 5),
	alignPool("same", 4, 4),
}

// alignPool is the case of sequences x [2 length 3] that become means of windows.
func alignPool(kind string, length, steps int) Case {
	window := (length + steps - 1) / steps
	return Case{Op: "AlignPool", Kind: kind, Shapes: [][]int{{2, length, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.AlignPool(x[0], steps) },
		Want: func(x [][]float64) []float64 {
			return each(2*steps*3, func(i int) float64 {
				b, s, c := i/3/steps, i/3%steps, i%3
				return mean(each(window, func(k int) float64 {
					return x[0][(b*length+min(s*window+k, length-1))*3+c]
				}))
			})
		}}
}

// pooled is the case of a pooling over time: f of the steps of each sequence in x [3 4 2].
func pooled(
	op, kind string, lengths []int, f func(tp *ag.Tape, x *ag.Tensor, lengths []int) *ag.Tensor,
	want func(v []float64) float64,
) Case {
	return Case{Op: op, Kind: kind, Shapes: [][]int{{3, 4, 2}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return f(tp, x[0], lengths) },
		Want: func(x [][]float64) []float64 {
			return each(6, func(i int) float64 {
				n := 4
				if lengths != nil {
					n = lengths[i/2]
				}
				return want(each(n, func(t int) float64 { return x[0][(i/2*4+t)*2+i%2] }))
			})
		}}
}

func mean(v []float64) float64 { return sum(v) / float64(len(v)) }

func largest(v []float64) float64 {
	m := math.Inf(-1)
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

func logSumExp(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += math.Exp(x)
	}
	return math.Log(s)
}
