package recap

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/optable"
)

// OpCases returns the cases of this package's own operations, the scores of pairs, as
// optable.Cases does for the engine's: for their tests and for `recap gradcheck`.
func OpCases() []optable.Case {
	cases := []optable.Case{
		{Op: "PairScores", Shapes: [][]int{{3, 5}, {4, 5}, {5}},
			F: func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
				return pairScores(tp, x[0], x[1], x[2])
			},
			Want: func(x [][]float64) []float64 {
				return each(12, func(e int) float64 {
					i, j := e/3, e%3
					return dot(x[2], each(5, func(h int) float64 {
						return max(0, x[0][j*5+h]+x[1][i*5+h])
					}))
				})
			}},
		pairDeepCase("", 3, 4, 5, 6),
		pairDeepCase("in blocks", 400, 5, 2, 3), // of two rows, the last of one
	}
	return append(cases, pairTwiceCases()...)
}

// pairDeepCase is the case of pairScoresDeep of n rows of u and m of v, with hidden layers of
// width and deep units.
func pairDeepCase(kind string, n, m, width, deep int) optable.Case {
	return optable.Case{Op: "PairScoresDeep", Kind: kind,
		Shapes: [][]int{{n, width}, {m, width}, {deep, width}, {deep}, {deep}},
		F: func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			return pairScoresDeep(tp, x[0], x[1], x[2], x[3], x[4])
		},
		Want: func(x [][]float64) []float64 {
			return each(m*n, func(e int) float64 {
				i, j := e/n, e%n
				h := each(width, func(c int) float64 {
					return max(0, x[0][j*width+c]+x[1][i*width+c])
				})
				return dot(x[4], each(deep, func(k int) float64 {
					return max(0, x[3][k]+dot(x[2][k*width:(k+1)*width], h))
				}))
			})
		}}
}

// pairTwiceCases returns the cases of pairScoresTwice: of the first result alone, and of both as
// functions of the sides, with given weights.
func pairTwiceCases() []optable.Case {
	weights := pairDeepCase("", 3, 4, 5, 6)
	weights.Op = "PairScoresTwice"
	weights.F = func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
		y, _ := pairScoresTwice(tp, x[0], x[1], tp.StopGradient(x[0]), tp.StopGradient(x[1]),
			x[2], x[3], x[4])
		return y
	}
	sides := pairDeepCase("", 3, 4, 5, 6)
	want := sides.Want
	wave := func(n int) []float64 {
		return each(n, func(i int) float64 { return math.Sin(float64(3*i + n)) })
	}
	w2, b2, w := wave(6*5), wave(6), wave(7)[1:]
	sides.Op, sides.Kind, sides.Shapes = "PairScoresTwice", "both results", sides.Shapes[:2]
	sides.F = func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
		dev := tp.Device()
		y, constant := pairScoresTwice(tp, x[0], x[1], x[0], x[1], ag.NewTensor(dev, w2, 6, 5),
			ag.NewTensor(dev, b2, 6), ag.NewTensor(dev, w, 6))
		return tp.Concat(0, y, tp.Scale(constant, 2))
	}
	sides.Want = func(x [][]float64) []float64 {
		y := want([][]float64{x[0], x[1], w2, b2, w})
		return append(y, each(len(y), func(i int) float64 { return 2 * y[i] })...)
	}
	return []optable.Case{weights, sides}
}

// each returns f(0), …, f(n−1).
func each(n int, f func(i int) float64) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = f(i)
	}
	return y
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
