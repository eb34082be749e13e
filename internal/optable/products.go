package optable

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

var products = []Case{
	matmul("", [][]int{{3, 5}, {5, 4}}, ag.NN),
	matmul("NT", [][]int{{3, 5}, {4, 5}}, ag.NT),
	matmul("TN", [][]int{{5, 3}, {5, 4}}, ag.TN),
	matmul("TT", [][]int{{5, 3}, {4, 5}}, ag.TT),
	matmul("batch", [][]int{{2, 3, 5}, {2, 5, 4}}, ag.NN),
	matmul("batch NT", [][]int{{2, 3, 5}, {2, 4, 5}}, ag.NT),
	matmul("batch TN", [][]int{{2, 5, 3}, {2, 5, 4}}, ag.TN),
	matmul("batch TT", [][]int{{2, 5, 3}, {2, 4, 5}}, ag.TT),
	matmul("batch by one", [][]int{{2, 3, 5}, {5, 4}}, ag.NN),
	matmul("one by batch", [][]int{{3, 5}, {2, 5, 4}}, ag.NN),
	matmul("batch TN by one", [][]int{{2, 5, 3}, {5, 4}}, ag.TN),
	{Op: "Linear", Shapes: [][]int{{2, 3, 5}, {4, 5}, {4}},
		F:    func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Linear(x[0], x[1], x[2]) },
		Want: func(x [][]float64) []float64 { return linear(x[0], x[1], x[2], 5, 4) }},
	{Op: "GELULinear", Shapes: [][]int{{2, 3, 5}, {4, 5}, {4}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.GELULinear(x[0], x[1], x[2]) },
		Want: func(x [][]float64) []float64 {
			a := each(len(x[0]), func(i int) float64 {
				return x[0][i] * 0.5 * math.Erfc(-x[0][i]/math.Sqrt2)
			})
			return linear(a, x[1], x[2], 5, 4)
		}},
	{Op: "Linear", Kind: "no bias", Shapes: [][]int{{6, 5}, {4, 5}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Linear(x[0], x[1], nil) },
		Want: func(x [][]float64) []float64 {
			return linear(x[0], x[1], make([]float64, 4), 5, 4)
		}},
	// of the covariance of five rows and of a matrix that is not symmetric
	{Op: "LogDet", Shapes: [][]int{{2, 5, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.LogDet(tp.MatMul(x[0], x[0], ag.TN))
		},
		Want: func(x [][]float64) []float64 {
			return each(2, func(s int) float64 {
				rows := x[0][s*15 : s*15+15]
				return math.Log(determinant(each(9, func(i int) float64 {
					return sum(each(5, func(r int) float64 {
						return rows[r*3+i/3] * rows[r*3+i%3]
					}))
				})))
			})
		}},
	{Op: "LogDet", Kind: "not symmetric", Shapes: [][]int{{3, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			one := ag.NewTensor(tp.Device(), identity(3), 3, 3)
			return tp.LogDet(tp.Add(tp.Scale(x[0], 0.2), one))
		},
		Want: func(x [][]float64) []float64 {
			return []float64{math.Log(determinant(each(9, func(i int) float64 {
				return identity(3)[i] + 0.1*(x[0][i]+x[0][i%3*3+i/3])
			})))}
		}},
}

func identity(n int) []float64 {
	return each(n*n, func(i int) float64 {
		if i/n == i%n {
			return 1
		}
		return 0
	})
}

// determinant returns that of a 3×3 matrix, by Sarrus' rule.
func determinant(a []float64) float64 {
	return sum(each(3, func(i int) float64 {
		j, k := (i+1)%3, (i+2)%3
		return a[i]*a[3+j]*a[6+k] - a[k]*a[3+j]*a[6+i]
	}))
}

func linear(x, w, b []float64, in, out int) []float64 {
	return each(len(x)/in*out, func(i int) float64 {
		r, c := i/out, i%out
		s := b[c]
		for k := range in {
			s += x[r*in+k] * w[c*in+k]
		}
		return s
	})
}

// matmul returns the case of a product of a 3×5 and a 5×4 matrix, stored transposed as tr says.
func matmul(kind string, shapes [][]int, tr ag.Trans) Case {
	batch := max(len(shapes[0]), len(shapes[1])) - 1 // 1 for single matrices, 2 for a batch of two
	return Case{Op: "MatMul", Kind: kind, Shapes: shapes,
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.MatMul(x[0], x[1], tr) },
		Want: func(x [][]float64) []float64 {
			return each(batch*12, func(i int) float64 {
				s, m, n := i/12, i%12/4, i%4
				a, b := x[0][s*15%len(x[0]):], x[1][s*20%len(x[1]):]
				y := 0.0
				for k := range 5 {
					ia, ib := m*5+k, k*4+n
					if tr == ag.TN || tr == ag.TT {
						ia = k*3 + m
					}
					if tr == ag.NT || tr == ag.TT {
						ib = n*5 + k
					}
					y += a[ia] * b[ib]
				}
				return y
			})
		}}
}
