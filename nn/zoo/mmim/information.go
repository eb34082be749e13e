package mmim

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A predictor gives a lower bound of the mutual information of the text vector x_l and the vector
// x_m of audio or vision, up to constants (Barber and Agakov 2003, The IM algorithm):
//
//	I(x_l; x_m) ≥ E ln q(x_m|x_l) + H(x_m)
type predictor struct {
	mean, logVariance *nn.MLP    // of q, a Gaussian: W → d_m → d_m
	project           *nn.Linear // E, a random projection d_m → d_m/4 that is never trained
	memory            *ag.Tensor // [N d_m/4] z of each sample when it was last in a batch
}

// newPredictor creates q for vectors of width out from texts of width in. In the authors' code E is
// a parameter too, of an optimiser that never gets its gradient.
func newPredictor(p *nn.Params, in, out int) *predictor {
	e := p.Sub("project")
	return &predictor{
		mean:        nn.NewMLP(p.Sub("mean"), in, out, out),
		logVariance: nn.NewMLP(p.Sub("log_variance"), in, out, out),
		project: &nn.Linear{W: e.NewBuffer("weight", nn.XavierNormal(out, out/4), out/4, out),
			B: e.NewBuffer("bias", nn.FanIn(out), out/4)},
	}
}

// logLikelihood returns lld, the mean of ln q(x_m|x_l) over the samples, for x_l [B W] and x_m
// [B d_m]. With the mean μ and the logarithm s of the variance, both [B d_m],
//
//	lld = mean_i Σ_k −(μ_ik − x_ik)² / (2·exp(s_ik))
//
// As in the authors' code, −s_ik/2 and the constant of a Gaussian's logarithm are left out. So lld
// is largest, 0, not only where μ is exact, but also where s is infinite.
func (q *predictor) logLikelihood(tp *ag.Tape, text, x *ag.Tensor) *ag.Tensor {
	e := tp.Sub(q.mean.Forward(tp, text), x)
	variance := tp.Exp(q.logVariance.Forward(tp, text))
	return tp.Scale(tp.Mean(tp.Sum(tp.Div(tp.Mul(e, e), variance), 1)), -0.5)
}

// sample returns z = tanh(E x_m + e), [B d_m/4], from which the entropy of x_m is estimated.
func (q *predictor) sample(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.Tanh(q.project.Forward(tp, x))
}

// newMemory allocates the z of N samples and returns them. Labels do not change in training.
func (m *model) newMemory(labels []float32) []nn.Param {
	dev, n := m.score.W.Device(), len(labels)
	m.labels = ag.NewTensor(dev, labels, n)
	var state []nn.Param
	for i, q := range m.predictors {
		width := q.project.W.Shape()[0]
		q.memory = ag.NewTensor(dev, make([]float64, n*width), n, width)
		state = append(state,
			nn.Param{Name: "memory." + zoo.Modality(i+1).String(), Tensor: q.memory})
	}
	return state
}

// entropy returns H, the entropy of x_m up to constants, for z [B d_m/4] of a batch and that which
// the memory has of the batch before. The distributions of positive and of negative samples are
// taken to be Gaussians with covariances Σ⁺ and Σ⁻,
//
//	H = ¼·(ln det Σ⁺ + ln det Σ⁻)
//
// As in the authors' code, the first two batches of a pass have no entropy, 0.
func (m *model) entropy(tp *ag.Tape, q *predictor, z *ag.Tensor, b *zoo.Batch) *ag.Tensor {
	if b.Step < 2 {
		return tp.Full(0)
	}
	z = tp.Concat(0, tp.Gather(q.memory, b.Previous), z)
	y := tp.Concat(0, tp.Gather(m.labels, b.Previous), b.Label)
	return tp.Scale(tp.Sum(tp.LogDet(covariances(tp, z, y))), 0.25)
}

// covariances returns Σ⁺ and Σ⁻, [2 d d], of the rows of z [n d] with labels y > 0 and y < 0.
// Samples of label 0 count in neither. 1e-6 on the diagonals makes their determinants positive
// where a class has d rows or less, or where rows are equal because a modality is absent.
func covariances(tp *ag.Tape, z, y *ag.Tensor) *ag.Tensor {
	n, d := z.Shape()[0], z.Shape()[1]
	minus := tp.Neg(y)
	class := tp.Stack(0, tp.Less(minus, y), tp.Less(y, minus)) // [2 n]
	count := tp.Reshape(tp.Clamp(tp.Sum(class, 1), 1, math.Inf(1)), 2, 1, 1)
	class = tp.Reshape(class, 2, n, 1)
	mean := tp.Div(tp.Sum(tp.Mul(class, z), 1), tp.Reshape(count, 2, 1)) // [2 d]
	centred := tp.Mul(class, tp.Sub(z, tp.Reshape(mean, 2, 1, d)))       // [2 n d]
	covariance := tp.Div(tp.MatMul(centred, centred, ag.TN), count)      // [2 d d]
	diagonal := make([]float32, d*d)
	for i := range d {
		diagonal[i*d+i] = 1e-6
	}
	return tp.Add(covariance, tp.Input(diagonal, d, d))
}

// contrast returns nce_m for x_m [B d_m] and x̂_m [B d_m], predictions of x_m from F. With S_ij the
// cosine of x_m of sample i and x̂_m from sample j,
//
//	nce_m = mean_i (ln Σ_j exp S_ij − S_ii)
//
// the mean cross-entropy of finding the own prediction among those from the whole batch. ln B −
// nce_m is a lower bound of I(x_m; F) (van den Oord et al. 2018, Representation learning with
// contrastive predictive coding).
func contrast(tp *ag.Tape, x, predicted *ag.Tensor) *ag.Tensor {
	const eps = 1e-12
	s := tp.MatMul(tp.L2Normalize(x, eps), tp.L2Normalize(predicted, eps), ag.NT) // [B B]
	own := make([]int, x.Shape()[0])
	for i := range own {
		own[i] = i
	}
	return tp.CrossEntropy(s, own)
}
