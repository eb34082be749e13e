package simd

// The functions of this file reduce a row in a fixed order: they keep 32 interleaved partial sums
// and combine them in pairs at a distance of 16, then 8, 4, 2 and 1. A row is one call of a
// kernel; a long row takes about a microsecond for a few thousand numbers. The functions panic if
// the lengths of their slices differ.

// Sum returns Σ x.
func Sum(x []float32) float32 { return active.vector.sum(x) }

// Dot returns Σ x·y.
func Dot(x, y []float32) float32 {
	equal("Dot", len(x), len(y))
	return active.vector.dot(x, y)
}

// Dot64 returns Σ x·y, accumulated in double precision; its bits are the same on every path.
func Dot64(x, y []float32) float64 {
	equal("Dot64", len(x), len(y))
	return active.vector.dot64(x, y)
}

// Softmax sets y, which may be x, to eˣ/Σeˣ. It returns max x and sum = Σ e^(x−max), so ln Σeˣ is
// max + ln sum. If every x is −Inf, y and sum are 0.
func Softmax(y, x []float32) (max, sum float32) {
	equal("Softmax", len(y), len(x))
	return active.vector.softmax(y, x)
}

// SoftmaxGrad sets dx, which may be y or g, to y ⊙ (g − Σ y⊙g), the gradient of x for y =
// [Softmax](x).
func SoftmaxGrad(dx, y, g []float32) {
	equal("SoftmaxGrad", len(dx), len(y), len(g))
	active.vector.softmaxGrad(dx, y, g)
}

// ScoreGrad is [SoftmaxGrad] for a row of attention that recomputes the weights. Given scores p,
// lse = ln Σ eᵖ and the gradient ds of the weights, it sets p to the weights e^(p−lse) and then ds
// to p ⊙ (ds − inner). The caller computes inner = Σ p⊙ds.
func ScoreGrad(p, ds []float32, lse, inner float32) {
	equal("ScoreGrad", len(p), len(ds))
	spans(len(p), func(lo, hi int) { active.vector.scoreGrad(p[lo:hi], ds[lo:hi], lse, inner) })
}

// LayerNorm sets y, which may be x, to γ ⊙ (x − mean)·rstd + β, rstd = 1/√(var + eps), and returns
// mean and rstd; var is the biased variance (Ba, Kiros and Hinton, arXiv 1607.06450, eq. 4).
func LayerNorm(y, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	equal("LayerNorm", len(y), len(x), len(gamma), len(beta))
	return active.vector.layerNorm(y, x, gamma, beta, eps)
}

// LayerNormGrad sets dx, which may be g, to the gradient of x in [LayerNorm], and adds this row's
// part to dgamma and dbeta. With x̂ = (x − mean)·rstd and h = g ⊙ γ,
//
//	x̄ = rstd·(h − mean(h) − x̂·mean(h⊙x̂)),  γ̄ += g ⊙ x̂,  β̄ += g
func LayerNormGrad(dx, dgamma, dbeta, g, x, gamma []float32, mean, rstd float32) {
	equal("LayerNormGrad", len(dx), len(dgamma), len(dbeta), len(g), len(x), len(gamma))
	active.vector.layerNormGrad(dx, dgamma, dbeta, g, x, gamma, mean, rstd)
}
