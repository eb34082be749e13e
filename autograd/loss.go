package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Losses compare a prediction with a target of the same shape and return the mean over all
// elements.

func (t *Tape) sameShape(op string, p, y *Tensor) {
	if !slices.Equal(p.shape, y.shape) {
		panic(fmt.Sprintf("autograd: %s: prediction %v and target %v: want equal shapes",
			op, p.shape, y.shape))
	}
}

// MSE returns the mean squared error of a prediction p and a target y of one shape, mean (p −
// y)², a scalar. It panics if shapes differ.
func (t *Tape) MSE(p, y *Tensor) *Tensor {
	t.sameShape("MSE", p, y)
	d := t.Sub(p, y)
	return t.Mean(t.Mul(d, d))
}

// L1 returns the mean absolute error of p and y of one shape, mean |p − y|, a scalar. It panics if
// shapes differ.
func (t *Tape) L1(p, y *Tensor) *Tensor {
	t.sameShape("L1", p, y)
	return t.Mean(t.Abs(t.Sub(p, y)))
}

// SmoothL1 returns, for p and y of one shape and d = p − y, the mean of d²/(2·beta) where |d| <
// beta and |d| − beta/2 elsewhere, a scalar (Girshick 2015, Fast R-CNN, with beta 1). It panics if
// shapes differ or beta is not positive.
func (t *Tape) SmoothL1(p, y *Tensor, beta float64) *Tensor {
	t.sameShape("SmoothL1", p, y)
	if !(beta > 0) {
		panic(fmt.Sprintf("autograd: SmoothL1: beta %g for %v: want beta > 0", beta, p.shape))
	}
	return t.Mean(t.unary("SmoothL1", device.Huber, t.Sub(p, y), beta, 0))
}

// BCE returns the binary cross-entropy of probabilities, mean −[y ln p + (1−y) ln(1−p)], each
// logarithm at least −100, so that the loss of a wrong prediction with probability 1 is finite
// (as in PyTorch). p and y have one shape; the result is a scalar. It panics if shapes differ.
// [Tape.BCEWithLogits] is more precise.
func (t *Tape) BCE(p, y *Tensor) *Tensor {
	t.sameShape("BCE", p, y)
	log := func(x *Tensor) *Tensor { return t.Log(t.Clamp(x, 3.720075976020836e-44, 1)) } // e⁻¹⁰⁰
	q, z := t.AddScalar(t.Neg(p), 1), t.AddScalar(t.Neg(y), 1)
	return t.Neg(t.Mean(t.Add(t.Mul(y, log(p)), t.Mul(z, log(q)))))
}

// BCEWithLogits returns the binary cross-entropy of σ(x) and y of one shape, mean softplus(x) −
// x·y, a scalar, computed without overflow or cancellation. It panics if shapes differ.
//
//	x̄ = L̄ (σ(x) − y) / n
func (t *Tape) BCEWithLogits(x, y *Tensor) *Tensor {
	t.sameShape("BCEWithLogits", x, y)
	return t.Mean(t.Sub(t.Softplus(x), t.Mul(x, y)))
}

// CrossEntropy returns mean −ln softmax(x)[class], a scalar, for logits x [B C] and the B true
// classes. It panics if there are not B classes or one is out of range.
//
//	x̄ = L̄ (softmax(x) − onehot(class)) / B
func (t *Tape) CrossEntropy(x *Tensor, class []int) *Tensor {
	return t.Neg(t.Mean(t.Pick(t.LogSoftmax(x, nil), class)))
}
