package autograd

import (
	"fmt"
	"math"
	"slices"
)

// LayerNorm normalises the last axis of x [… n] to mean 0 and variance 1 and then scales and
// shifts it by gamma and beta [n] (Ba, Kiros, Hinton 2016, Layer normalization):
//
//	y = γ ⊙ x̂ + β,  x̂ = (x − mean) / √(var + eps),  var the biased variance
//	x̄ = (h − mean h − x̂ ⊙ mean(h ⊙ x̂)) / √(var + eps),  h = γ ⊙ ȳ
//	γ̄ = Σ ȳ ⊙ x̂,  β̄ = Σ ȳ  over all rows
//
// It panics if gamma or beta does not have n elements.
func (t *Tape) LayerNorm(x, gamma, beta *Tensor, eps float64) *Tensor {
	t.CheckOperands("LayerNorm", x, gamma, beta)
	rows, n := t.rows("LayerNorm", x)
	if gamma.Len() != n || beta.Len() != n {
		panic(fmt.Sprintf("autograd: LayerNorm: x %v, gamma %v, beta %v: want [… n], [n], [n]",
			x.shape, gamma.shape, beta.shape))
	}
	y, stats := t.alloc(x.shape), t.alloc([]int{rows, 2})
	t.dev.LayerNorm(y.buf, stats.buf, x.buf, gamma.buf, beta.buf, rows, n, eps)
	t.RecordJoint("LayerNorm", []*Tensor{y}, []*Tensor{x, gamma, beta},
		func(g []*Tensor) []*Tensor {
			gx, gg, gb := t.alloc(x.shape), t.alloc(gamma.shape), t.alloc(beta.shape)
			t.dev.LayerNormGrad(gx.buf, gg.buf, gb.buf, g[0].buf, x.buf, stats.buf, gamma.buf,
				rows, n)
			return []*Tensor{gx, gg, gb}
		})
	return y
}

// RMSNorm divides each row of x [… n] by its root mean square and then scales it by gamma [n]
// (Zhang and Sennrich 2019, Root mean square layer normalization): y = γ ⊙ x·r. It panics if gamma
// does not have n elements.
//
//	r = 1/√(mean(x²) + eps),  x̄ = r·h − x·r³·mean(h ⊙ x),  h = γ ⊙ ȳ
//	γ̄ = Σ ȳ ⊙ x·r  over all rows
func (t *Tape) RMSNorm(x, gamma *Tensor, eps float64) *Tensor {
	if _, n := t.rows("RMSNorm", x); gamma.rank() != 1 || gamma.Len() != n {
		panic(fmt.Sprintf("autograd: RMSNorm: x %v, gamma %v: want [… n], [n]", x.shape,
			gamma.shape))
	}
	last := x.rank() - 1
	rms := t.Sqrt(t.AddScalar(t.Mean(t.Mul(x, x), last), eps))
	return t.Mul(t.Div(x, t.Reshape(rms, append(slices.Clone(x.shape[:last]), 1)...)), gamma)
}

// L2Normalize returns x / max(|x|, eps) of each row of x [… n], where |x| is the Euclidean norm of
// the row. A row of zeros stays 0. PyTorch's normalize has eps 1e-12.
//
//	x̄ = (ȳ − y Σ ȳ⊙y) / |x|;  ȳ / eps where |x| < eps
func (t *Tape) L2Normalize(x *Tensor, eps float64) *Tensor {
	t.rows("L2Normalize", x)
	last := x.rank() - 1
	square := t.Clamp(t.Sum(t.Mul(x, x), last), eps*eps, math.Inf(1))
	return t.Div(x, t.Reshape(t.Sqrt(square), append(slices.Clone(x.shape[:last]), 1)...))
}

// Normalize is [Tape.LayerNorm] without scale and shift: it returns x̂, which a model may scale
// and shift in several ways.
func (t *Tape) Normalize(x *Tensor, eps float64) *Tensor {
	_, n := t.rows("Normalize", x)
	return t.LayerNorm(x, t.full([]int{n}, 1), t.full([]int{n}, 0), eps)
}
