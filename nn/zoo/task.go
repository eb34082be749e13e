package zoo

import (
	"fmt"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// TaskErrors returns the loss of each sample's prediction, [B]. For regression, with scores [B
// 1], it is the squared error (ŷ − y)² of RECAP (eq 18), LNLN and MISA; for classification, with
// logits [B C], the cross-entropy. It panics if shapes do not fit.
func TaskErrors(tp *ag.Tape, score *ag.Tensor, b *Batch, d *Dims) *ag.Tensor {
	if d.Classes > 0 {
		return tp.Neg(tp.Pick(tp.LogSoftmax(score, nil), b.Class))
	}
	if n := b.Label.Len(); !slices.Equal(b.Label.Shape(), []int{n}) ||
		!slices.Equal(score.Shape(), []int{n, 1}) {
		panic(fmt.Sprintf("zoo: TaskErrors: scores %v and labels %v: want [B 1] and [B]",
			score.Shape(), b.Label.Shape()))
	}
	e := tp.Sub(tp.Reshape(score, -1), b.Label)
	return tp.Mul(e, e)
}

// ConstantError returns the mean of the TaskErrors of the constant prediction that is best for the
// batch, a scalar: the variance of the labels, or the entropy of the classes in nats.
func ConstantError(tp *ag.Tape, b *Batch, d *Dims) *ag.Tensor {
	if d.Classes > 0 {
		counts := make([]float32, d.Classes)
		for _, c := range b.Class {
			counts[c]++
		}
		p := tp.Scale(tp.Input(counts, d.Classes), 1/float64(len(b.Class)))
		return tp.Neg(tp.Sum(tp.Mul(p, tp.Log(tp.Clamp(p, 1e-30, 1))))) // 0·ln 0 = 0
	}
	e := tp.Sub(b.Label, tp.Mean(b.Label))
	return tp.Mean(tp.Mul(e, e))
}

// OutputWidth returns the width of a model's last layer: 1 for regression, the number of classes
// for classification.
func (d *Dims) OutputWidth() int { return max(d.Classes, 1) }

// Output returns the prediction for the scores of the last layer, [B 1] or [B C].
func (d *Dims) Output(tp *ag.Tape, score *ag.Tensor) Output {
	if d.Classes == 0 {
		score = tp.Reshape(score, -1)
	}
	return Output{Score: score}
}

// CentralMoments returns the mean and the central moments 2 to k of each column, [P k d], of P sets
// x [P N d] of N rows: mean x and mean (x − mean x)^j, j = 2 … k.
func CentralMoments(tp *ag.Tape, x *ag.Tensor, k int) *ag.Tensor {
	mean := tp.Mean(x, 1) // [P d]
	centred := tp.Sub(x, tp.Reshape(mean, x.Shape()[0], 1, -1))
	moments, power := []*ag.Tensor{mean}, centred
	for range k - 1 {
		power = tp.Mul(power, centred)
		moments = append(moments, tp.Mean(power, 1))
	}
	return tp.Stack(1, moments...)
}
