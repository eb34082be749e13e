package recap

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// This file holds MIR, the Mutual-Information-guided Ranking fusion. Attention weighs the
// modalities. It is trained to give a larger weight to a modality that alone predicts the label
// better.

// A fusion predicts from the sum of the modalities, weighted by attention.
type fusion struct {
	body    *sequence  // a Transformer on the L positions, shared by the modalities; or nil
	qkv     *nn.Linear // d → 3d, shared by the modalities
	head    *nn.Linear // d → 1, or d → C
	uniform bool       // without MIR: every weight is 1/3
}

// fusionSD is the standard deviation of the initial query, key and value weights. It is small, so
// that every α is near 1/3 at the start. With a larger one the attention weight of the modality
// that learns slowest collapses within an epoch, and with it its gradient (docs/guide.md).
const fusionSD = 0.02

func newFusion(p *nn.Params, c *Config, scores int) *fusion {
	qkv := p.Sub("qkv")
	f := &fusion{
		qkv: &nn.Linear{W: qkv.New("weight", nn.Normal(fusionSD), 3*c.Width, c.Width),
			B: qkv.New("bias", nn.Zeros, 3*c.Width)},
		head:    nn.NewLinear(p.Sub("head"), c.Width, scores),
		uniform: c.Without.MIR,
	}
	if c.FusionDepth > 0 {
		f.body = newSequence(p.Sub("body"), c, c.Heads, c.Tokens, c.FusionDepth)
	}
	return f
}

// Forward returns the prediction, [B 1] or [B C], and the weights α [B 3], for X'_m [B L d]. μ_q,
// μ_k and μ_v are the temporal means of queries, keys and values of the body's output, or of X'_m
// without a body. They are computed from its mean, because a linear map commutes with a mean.
//
//	logit_m = ⟨μ_q, μ_k⟩/√d,  α = softmax over m    eq 16
//	f = Σ_m α_m·μ_v                                 eq 17
func (f *fusion) Forward(tp *ag.Tape, x features) (score, alpha *ag.Tensor) {
	if f.body != nil {
		n := x[0].Shape()[0]
		for i, y := range tp.Split(f.body.Forward(tp, tp.Concat(0, x[:]...)), 0, n, n, n) {
			x[i] = y
		}
	}
	var means features
	for i := range x {
		means[i] = tp.Mean(x[i], 1)
	}
	mu := f.qkv.Forward(tp, tp.Stack(1, means[:]...)) // [B 3 3d]
	b, d := mu.Shape()[0], mu.Shape()[2]/3
	qkv := tp.Split(mu, 2, d, d, d)
	q, k, v := qkv[0], qkv[1], qkv[2]
	logits := tp.Scale(tp.Sum(tp.Mul(q, k), 2), 1/math.Sqrt(float64(d)))
	if f.uniform {
		logits = tp.Scale(tp.StopGradient(logits), 0)
	}
	alpha = tp.Softmax(logits, nil)
	fused := tp.Sum(tp.Mul(tp.Reshape(alpha, b, zoo.Modalities, 1), v), 1)
	return f.head.Forward(tp, fused), alpha
}

const predictorHeads = 4

// A predictor is g_m. It predicts the label from one modality; its error measures how informative
// the modality is.
type predictor struct {
	body          *sequence
	hidden, score *nn.Linear
}

func newPredictor(p *nn.Params, c *Config, scores int) *predictor {
	return &predictor{
		body:   newSequence(p, c, predictorHeads, c.Tokens, c.Depth),
		hidden: nn.NewLinear(p.Sub("hidden"), c.Width, 64),
		score:  nn.NewLinear(p.Sub("score"), 64, scores),
	}
}

// Forward returns [B 1] or [B C] for X'_m [B L d].
func (g *predictor) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	h := tp.Mean(g.body.Forward(tp, x), 1)
	return g.score.Forward(tp, tp.Dropout(tp.ReLU(g.hidden.Forward(tp, h)), 0.1))
}

// rankingLoss returns eq 15, the mean over the batch, a scalar. α [B 3] are the attention weights.
// The errors L_MI [B 3] of the predictors are constants here: only α gets a gradient.
//
//	½ Σ_{i≠j} [L_MI^i < L_MI^j]·max(0, α_j − α_i + ε)
func rankingLoss(tp *ag.Tape, alpha, errors *ag.Tensor, margin float64) *ag.Tensor {
	b := alpha.Shape()[0]
	atI := func(x *ag.Tensor) *ag.Tensor { return tp.Reshape(x, b, zoo.Modalities, 1) }
	atJ := func(x *ag.Tensor) *ag.Tensor { return tp.Reshape(x, b, 1, zoo.Modalities) }
	better := tp.Less(atI(errors), atJ(errors)) // [B 3 3]; 0 where i = j
	hinge := tp.ReLU(tp.AddScalar(tp.Sub(atJ(alpha), atI(alpha)), margin))
	return tp.Scale(tp.Sum(tp.Mul(better, hinge)), 0.5/float64(b))
}
