package optable

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/device"
)

var attentions = []Case{
	attend("", [][]int{{2, 3, 6}, {2, 5, 6}, {2, 5, 6}}, false, false, 0),
	attend("mask", [][]int{{2, 3, 6}, {2, 5, 6}, {2, 5, 6}}, true, false, 0),
	attend("causal", [][]int{{2, 5, 6}, {2, 5, 6}, {2, 5, 6}}, false, true, 0),
	attend("causal, more keys", [][]int{{2, 3, 6}, {2, 5, 6}, {2, 5, 6}}, true, true, 0),
	attend("dropout", [][]int{{2, 3, 6}, {2, 5, 6}, {2, 5, 6}}, false, false, 0.4),
}

// attend returns the case of two heads of width 3 on two samples.
func attend(kind string, shapes [][]int, mask, causal bool, dropout float64) Case {
	keys := []float64{1, 1, 0, 1, 1, 1, 0, 1, 1, 0}
	tq, tk := shapes[0][1], shapes[1][1]
	weight := func(x [][]float64, s, h, i int) []float64 { // of the keys, for one query
		score := each(tk, func(j int) float64 {
			if mask && keys[s*5+j] == 0 || causal && j > i+tk-tq {
				return math.Inf(-1)
			}
			return dot(x[0][(s*tq+i)*6+h*3:][:3], x[1][(s*tk+j)*6+h*3:][:3]) / math.Sqrt(3)
		})
		p := softmax(score)
		for j := range p {
			if dropout > 0 {
				p[j] /= 1 - dropout
				if !device.Keep(device.Hash(5, 1), ((s*2+h)*tq+i)*tk+j, dropout) {
					p[j] = 0
				}
			}
		}
		return p
	}
	return Case{Op: "Attention", Kind: kind, Shapes: shapes,
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			tp.Seed(5)
			c := ag.AttentionConfig{Heads: 2, Causal: causal, Dropout: dropout}
			if mask {
				c.Mask = ag.NewTensor(tp.Device(), keys, 2, 5)
			}
			return tp.Attention(x[0], x[1], x[2], c)
		},
		Want: func(x [][]float64) []float64 {
			return each(2*tq*6, func(e int) float64 {
				s, i, h, c := e/(tq*6), e/6%tq, e%6/3, e%3
				p := weight(x, s, h, i)
				return sum(each(tk, func(j int) float64 { return p[j] * x[2][(s*tk+j)*6+h*3+c] }))
			})
		}}
}

var indexing = []Case{
	{Op: "Gather", Shapes: [][]int{{4, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.Gather(x[0], []int{2, 0, 2, 3, 2})
		},
		Want: func(x [][]float64) []float64 {
			return each(15, func(i int) float64 { return x[0][[]int{2, 0, 2, 3, 2}[i/3]*3+i%3] })
		}},
	{Op: "Lookup", Shapes: [][]int{{4, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.Lookup(x[0], []int{2, 0, 2, 3, 2})
		},
		Want: func(x [][]float64) []float64 {
			return each(15, func(i int) float64 { return x[0][[]int{2, 0, 2, 3, 2}[i/3]*3+i%3] })
		}},
	{Op: "Lookup", Kind: "twice", Shapes: [][]int{{5, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.Mul(tp.Lookup(x[0], []int{2, 0, 2}), tp.Lookup(x[0], []int{4, 0, 1}))
		},
		Want: func(x [][]float64) []float64 {
			return each(9, func(i int) float64 {
				return x[0][[]int{2, 0, 2}[i/3]*3+i%3] * x[0][[]int{4, 0, 1}[i/3]*3+i%3]
			})
		}},
	{Op: "Lookup", Kind: "tied", Shapes: [][]int{{4, 3}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.MatMul(tp.Lookup(x[0], []int{2, 0}), x[0], ag.NT)
		},
		Want: func(x [][]float64) []float64 {
			return each(8, func(i int) float64 {
				return sum(each(3, func(j int) float64 {
					return x[0][[]int{2, 0}[i/4]*3+j] * x[0][i%4*3+j]
				}))
			})
		}},
	{Op: "Pick", Shapes: [][]int{{3, 4}},
		F:    func(tp *ag.Tape, x tensors) *ag.Tensor { return tp.Pick(x[0], []int{1, 3, 0}) },
		Want: func(x [][]float64) []float64 { return []float64{x[0][1], x[0][7], x[0][8]} }},
}

// loss returns the case of a loss that is the mean of want over predictions and targets.
func loss(
	op, kind string, d Domain, f func(tp *ag.Tape, p, y *ag.Tensor) *ag.Tensor,
	want func(p, y float64) float64,
) Case {
	return Case{Op: op, Kind: kind, Shapes: [][]int{{4, 3}, {4, 3}}, Domain: d,
		F: func(tp *ag.Tape, x tensors) *ag.Tensor { return f(tp, x[0], x[1]) },
		Want: func(x [][]float64) []float64 {
			return []float64{mean(each(12, func(i int) float64 { return want(x[0][i], x[1][i]) }))}
		}}
}

var losses = []Case{
	loss("MSE", "", Normal, (*ag.Tape).MSE, func(p, y float64) float64 {
		return (p - y) * (p - y)
	}),
	loss("L1", "", Normal, (*ag.Tape).L1, func(p, y float64) float64 { return math.Abs(p - y) }),
	loss("SmoothL1", "", Normal, func(tp *ag.Tape, p, y *ag.Tensor) *ag.Tensor {
		return tp.SmoothL1(p, y, 0.8)
	}, func(p, y float64) float64 {
		if d := math.Abs(p - y); d >= 0.8 {
			return d - 0.4
		}
		return (p - y) * (p - y) / 1.6
	}),
	loss("BCE", "", Unit, (*ag.Tape).BCE, func(p, y float64) float64 {
		return -y*math.Log(p) - (1-y)*math.Log(1-p)
	}),
	loss("BCEWithLogits", "", Normal, (*ag.Tape).BCEWithLogits, func(x, y float64) float64 {
		return -y*math.Log(sigmoid(x)) - (1-y)*math.Log(1-sigmoid(x))
	}),
	{Op: "CrossEntropy", Shapes: [][]int{{3, 4}},
		F: func(tp *ag.Tape, x tensors) *ag.Tensor {
			return tp.CrossEntropy(x[0], []int{1, 3, 0})
		},
		Want: func(x [][]float64) []float64 {
			return []float64{mean(each(3, func(r int) float64 {
				row := x[0][r*4 : r*4+4]
				return logSumExp(row) - row[[]int{1, 3, 0}[r]]
			}))}
		}},
}
