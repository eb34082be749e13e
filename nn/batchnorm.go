package nn

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// BatchNorm1d normalises each column of x [N C], then scales and shifts it (Ioffe and Szegedy 2015,
// Batch normalization): y = γ ⊙ (x − mean)/√(var + Eps) + β. In training, mean and biased variance
// are those of the batch; in inference they are running statistics, to which each batch in training
// contributes, with the unbiased variance:
//
//	running ← (1 − Momentum)·running + Momentum·batch
//
// The statistics move in each Forward on a training tape, also in one without a step of the
// optimizer. They are buffers: a model that is saved or loaded without them predicts something
// else. PyTorch's num_batches_tracked, which nothing reads, does not exist here.
type BatchNorm1d struct {
	Gamma, Beta   *ag.Tensor // [C]
	Mean, Var     *ag.Tensor // [C], the running statistics
	Eps, Momentum float64
}

// NewBatchNorm1d creates "weight" γ = 1 and "bias" β = 0, and the buffers "running_mean" 0 and
// "running_var" 1, of the given width. Eps is 1e-5 and Momentum 0.1.
func NewBatchNorm1d(p *Params, width int) *BatchNorm1d {
	return &BatchNorm1d{
		Gamma: p.New("weight", Ones, width), Beta: p.New("bias", Zeros, width),
		Mean: p.NewBuffer("running_mean", Zeros, width),
		Var:  p.NewBuffer("running_var", Ones, width),
		Eps:  1e-5, Momentum: 0.1,
	}
}

// Forward maps x [N C] to [N C]. It panics if x has another width, or in training if N is 1: one
// row has no variance.
func (l *BatchNorm1d) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	s := x.Shape()
	if len(s) != 2 || s[1] != l.Gamma.Len() {
		panic(fmt.Sprintf("nn: BatchNorm1d: x %v: want [N %d]", s, l.Gamma.Len()))
	}
	if !tp.Training() {
		return l.normalize(tp, tp.Sub(x, l.Mean), l.Var)
	}
	if s[0] < 2 {
		panic(fmt.Sprintf("nn: BatchNorm1d: a batch of %d in training has no variance: want at "+
			"least 2 rows; leave out the last batch of an epoch if it has one row", s[0]))
	}
	mean := tp.Mean(x, 0)
	centred := tp.Sub(x, mean)
	variance := tp.Mean(tp.Mul(centred, centred), 0)
	tp.Unrecorded(func() {
		l.track(tp, l.Mean, mean, l.Momentum)
		n := float64(s[0])
		l.track(tp, l.Var, variance, l.Momentum*n/(n-1))
	})
	return l.normalize(tp, centred, variance)
}

func (l *BatchNorm1d) normalize(tp *ag.Tape, centred, variance *ag.Tensor) *ag.Tensor {
	normed := tp.Div(centred, tp.Sqrt(tp.AddScalar(variance, l.Eps)))
	return tp.Add(tp.Mul(normed, l.Gamma), l.Beta)
}

// track replaces running by (1 − Momentum)·running + weight·batch.
func (l *BatchNorm1d) track(tp *ag.Tape, running, batch *ag.Tensor, weight float64) {
	every := make([]int, running.Len())
	for i := range every {
		every[i] = i
	}
	tp.SetRows(running, every, tp.Add(tp.Scale(running, 1-l.Momentum), tp.Scale(batch, weight)))
}
