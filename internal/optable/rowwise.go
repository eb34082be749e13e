package optable

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/device"
)

// perRow applies f to each row of length n.
func perRow(x []float64, n int, f func(row []float64) []float64) []float64 {
	var y []float64
	for i := 0; i < len(x); i += n {
		y = append(y, f(x[i:i+n])...)
	}
	return y
}

// keepMask returns the mask of the masked cases. It excludes the last of five elements in each row,
// and the third in the second row.
func keepMask(tp *ag.Tape) *ag.Tensor {
	return ag.NewTensor(tp.Device(), []float64{1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0}, 3, 5)
}

func kept(i int) bool { return i%5 != 4 && i != 7 }

func softmax(row []float64) []float64 {
	return each(len(row), func(i int) float64 { return math.Exp(row[i] - logSumExp(row)) })
}

func standardised(row []float64, eps float64) []float64 {
	m := mean(row)
	v := mean(each(len(row), func(i int) float64 { return (row[i] - m) * (row[i] - m) }))
	return each(len(row), func(i int) float64 { return (row[i] - m) / math.Sqrt(v+eps) })
}

var rowwise = []Case{
	{Op: "Softmax", Shapes: [][]int{{3, 5}},
		F:    func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Softmax(x[0], nil) },
		Want: func(x [][]float64) []float64 { return perRow(x[0], 5, softmax) }},
	{Op: "Softmax", Kind: "mask", Shapes: [][]int{{3, 5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Softmax(x[0], keepMask(tp)) },
		Want: func(x [][]float64) []float64 {
			return perRow(each(15, func(i int) float64 {
				if kept(i) {
					return x[0][i]
				}
				return math.Inf(-1)
			}), 5, softmax)
		}},
	{Op: "LogSoftmax", Shapes: [][]int{{3, 5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.LogSoftmax(x[0], nil) },
		Want: func(x [][]float64) []float64 {
			return perRow(x[0], 5, func(r []float64) []float64 {
				return each(5, func(i int) float64 { return r[i] - logSumExp(r) })
			})
		}},
	// tests multiply the result by finite numbers, so the last element, −Inf, is left out
	{Op: "LogSoftmax", Kind: "mask", Shapes: [][]int{{3, 5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			mask := ag.NewTensor(tp.Device(), []float64{1, 1, 1, 1, 0}, 5)
			return tp.Slice(tp.LogSoftmax(x[0], mask), 1, 0, 4)
		},
		Want: func(x [][]float64) []float64 {
			return perRow(x[0], 5, func(r []float64) []float64 {
				return each(4, func(i int) float64 { return r[i] - logSumExp(r[:4]) })
			})
		}},
	{Op: "LayerNorm", Shapes: [][]int{{2, 3, 5}, {5}, {5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.LayerNorm(x[0], x[1], x[2], 1e-5) },
		Want: func(x [][]float64) []float64 {
			return perRow(x[0], 5, func(r []float64) []float64 {
				s := standardised(r, 1e-5)
				return each(5, func(i int) float64 { return x[1][i]*s[i] + x[2][i] })
			})
		}},
	{Op: "Normalize", Shapes: [][]int{{2, 3, 5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Normalize(x[0], 1e-5) },
		Want: func(x [][]float64) []float64 {
			return perRow(x[0], 5, func(r []float64) []float64 { return standardised(r, 1e-5) })
		}},
	{Op: "RMSNorm", Shapes: [][]int{{2, 3, 5}, {5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.RMSNorm(x[0], x[1], 1e-5) },
		Want: func(x [][]float64) []float64 {
			return perRow(x[0], 5, func(r []float64) []float64 {
				rms := math.Sqrt(dot(r, r)/5 + 1e-5)
				return each(5, func(i int) float64 { return x[1][i] * r[i] / rms })
			})
		}},
	{Op: "L2Normalize", Shapes: [][]int{{2, 3, 5}},
		F:    func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.L2Normalize(x[0], 1e-12) },
		Want: func(x [][]float64) []float64 { return perRow(x[0], 5, unit(1e-12)) }},
	{Op: "L2Normalize", Kind: "shorter than eps", Shapes: [][]int{{3, 5}},
		F:    func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.L2Normalize(x[0], 40) },
		Want: func(x [][]float64) []float64 { return perRow(x[0], 5, unit(40)) }},
	{Op: "CosineSimilarity", Shapes: [][]int{{3, 5}, {3, 5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.CosineSimilarity(x[0], x[1]) },
		Want: func(x [][]float64) []float64 {
			return each(3, func(r int) float64 {
				a, b := x[0][r*5:r*5+5], x[1][r*5:r*5+5]
				return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b))
			})
		}},
	{Op: "Dropout", Shapes: [][]int{{4, 9}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { tp.Seed(5); return tp.Dropout(x[0], 0.3) },
		Want: func(x [][]float64) []float64 {
			return each(36, func(i int) float64 {
				if device.Keep(device.Hash(5, 1), i, 0.3) {
					return x[0][i] / 0.7
				}
				return 0
			})
		}},
}

// unit returns the function that divides a row by its norm, but at least by eps.
func unit(eps float64) func(row []float64) []float64 {
	return func(row []float64) []float64 {
		return each(len(row), func(i int) float64 {
			return row[i] / max(math.Sqrt(dot(row, row)), eps)
		})
	}
}

func dot(a, b []float64) float64 {
	return sum(each(len(a), func(i int) float64 { return a[i] * b[i] }))
}
