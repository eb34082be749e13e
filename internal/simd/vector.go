package simd

import "fmt"

// A vector holds the kernels of one path that work on rows of numbers. The arguments are those of
// the exported functions, which have checked the lengths.
type vector struct {
	exp, log, tanh, sigmoid, gelu, relu func(dst, x []float32)
	geluGrad, reluGrad                  func(dx, x, g []float32)
	add, mul                            func(dst, x, y []float32)
	scale                               func(dst []float32, alpha float32, x []float32)
	axpy                                func(y []float32, alpha float32, x []float32)
	drop                                func(dst, x []float32, scale float32, state, limit uint64)
	packSigns                           func(signs, x []float32)
	maskSigns                           func(dst, x, signs []float32)
	adam                                func(p, g, m, v []float32, keep, decay, beta1, rest1,
		beta2, rest2, step, scale, eps float32)
	// the length of p is even
	adamCompact func(p, g, m, c []float32, keep, decay, beta1, rest1, step, scale, eps float32)

	sum           func(x []float32) float32
	dot           func(x, y []float32) float32
	dot64         func(x, y []float32) float64
	softmax       func(y, x []float32) (max, sum float32)
	softmaxGrad   func(dx, y, g []float32)
	scoreGrad     func(p, ds []float32, lse, inner float32)
	layerNorm     func(y, x, gamma, beta []float32, eps float32) (mean, rstd float32)
	layerNormGrad func(dx, dgamma, dbeta, g, x, gamma []float32, mean, rstd float32)

	lstm     func(gates, z, prev, cell, out []float32)
	lstmGrad func(gates, prev, cell, g, dh, dc []float32)

	scanStep      func(delta, slope, step []float32)
	scanState     func(next, decay, prev, a, delta, x, y, b, c []float32)
	scanStateGrad func(carry, da, decay, prev, a, delta, x, r, kappa, ddelta, b, c, db, dc,
		sums []float32)
}

// span is the maximum length for one call of an elementwise kernel, some tens of microseconds,
// since the scheduler cannot preempt assembly.
const span = 1 << 15

// spans calls f for consecutive parts of n numbers.
func spans(n int, f func(lo, hi int)) {
	for lo := 0; lo < n; lo += span {
		f(lo, min(lo+span, n))
	}
}

// equal panics if a length differs from n.
func equal(op string, n int, lengths ...int) {
	for _, m := range lengths {
		if m != n {
			panic(fmt.Sprintf("simd: %s: lengths %d and %d differ", op, n, m))
		}
	}
}

// Exp sets dst, which may be x, to eˣ. The relative error is at most 1e-7; a result below the
// smallest normal number has the error of its rounding.
//
// In all functions of this file, slices have equal lengths, or the function panics, and the result
// may be one of the inputs.
func Exp(dst, x []float32) {
	equal("Exp", len(dst), len(x))
	spans(len(dst), func(lo, hi int) { active.vector.exp(dst[lo:hi], x[lo:hi]) })
}

// Log sets dst to ln x, with a relative error of at most 2e-7: −Inf for 0, NaN for negative
// numbers.
func Log(dst, x []float32) {
	equal("Log", len(dst), len(x))
	spans(len(dst), func(lo, hi int) { active.vector.log(dst[lo:hi], x[lo:hi]) })
}

// Tanh sets dst to tanh x, with a relative error of at most 3e-7.
func Tanh(dst, x []float32) {
	equal("Tanh", len(dst), len(x))
	spans(len(dst), func(lo, hi int) { active.vector.tanh(dst[lo:hi], x[lo:hi]) })
}

// Sigmoid sets dst to 1/(1 + e⁻ˣ), with a relative error of at most 3e-7 where x > −87.
func Sigmoid(dst, x []float32) {
	equal("Sigmoid", len(dst), len(x))
	spans(len(dst), func(lo, hi int) { active.vector.sigmoid(dst[lo:hi], x[lo:hi]) })
}

// GELU sets dst to x·Φ(x) = x/2·(1 + erf(x/√2)), with an error of at most 1e-6 or of one unit in
// the last place, whichever is larger.
func GELU(dst, x []float32) {
	equal("GELU", len(dst), len(x))
	spans(len(dst), func(lo, hi int) { active.vector.gelu(dst[lo:hi], x[lo:hi]) })
}

// GELUGrad sets dx to g·(Φ(x) + x·φ(x)); the error of the factor is at most 1e-6.
func GELUGrad(dx, x, g []float32) {
	equal("GELUGrad", len(dx), len(x), len(g))
	spans(len(dx), func(lo, hi int) { active.vector.geluGrad(dx[lo:hi], x[lo:hi], g[lo:hi]) })
}

// ReLU sets dst to max(x, 0).
func ReLU(dst, x []float32) {
	equal("ReLU", len(dst), len(x))
	spans(len(dst), func(lo, hi int) { active.vector.relu(dst[lo:hi], x[lo:hi]) })
}

// ReLUGrad sets dx to g where x > 0 and to 0 elsewhere.
func ReLUGrad(dx, x, g []float32) {
	equal("ReLUGrad", len(dx), len(x), len(g))
	spans(len(dx), func(lo, hi int) { active.vector.reluGrad(dx[lo:hi], x[lo:hi], g[lo:hi]) })
}

// Add sets dst to x + y.
func Add(dst, x, y []float32) {
	equal("Add", len(dst), len(x), len(y))
	spans(len(dst), func(lo, hi int) { active.vector.add(dst[lo:hi], x[lo:hi], y[lo:hi]) })
}

// Mul sets dst to x ⊙ y.
func Mul(dst, x, y []float32) {
	equal("Mul", len(dst), len(x), len(y))
	spans(len(dst), func(lo, hi int) { active.vector.mul(dst[lo:hi], x[lo:hi], y[lo:hi]) })
}

// Scale sets dst to alpha·x.
func Scale(dst []float32, alpha float32, x []float32) {
	equal("Scale", len(dst), len(x))
	spans(len(dst), func(lo, hi int) { active.vector.scale(dst[lo:hi], alpha, x[lo:hi]) })
}

// Axpy adds alpha·x to y.
func Axpy(y []float32, alpha float32, x []float32) {
	equal("Axpy", len(y), len(x))
	spans(len(y), func(lo, hi int) { active.vector.axpy(y[lo:hi], alpha, x[lo:hi]) })
}

// gamma is the step between the states of SplitMix64.
const gamma = 0x9e3779b97f4a7c15

// Drop sets dst[i] to scale·x[i] if the first 53 bits of the output of SplitMix64 (Steele, Lea,
// Flood 2014) for state + i·gamma are at least limit, and else to 0.
func Drop(dst, x []float32, scale float32, state, limit uint64) {
	equal("Drop", len(dst), len(x))
	spans(len(dst), func(lo, hi int) {
		active.vector.drop(dst[lo:hi], x[lo:hi], scale, state+uint64(lo)*gamma, limit)
	})
}

// PackSigns packs 16 signs of x into each number of signs [⌈n/16⌉]: bit b of the integer signs[i]
// is 1 where x[16i+b] > 0.
func PackSigns(signs, x []float32) {
	equal("PackSigns", len(signs), ceil(len(x), 16))
	spans(len(x), func(lo, hi int) { active.vector.packSigns(signs[lo/16:], x[lo:hi]) })
}

// MaskSigns sets dst to x where its bit in signs, as packed by PackSigns, is 1, and to 0 elsewhere.
func MaskSigns(dst, x, signs []float32) {
	equal("MaskSigns", len(dst), len(x))
	equal("MaskSigns", len(signs), ceil(len(x), 16))
	spans(len(x), func(lo, hi int) {
		active.vector.maskSigns(dst[lo:hi], x[lo:hi], signs[lo/16:])
	})
}

// An AdamStep holds the constants of one step of Adam (Kingma and Ba, ICLR 2015) or AdamW
// (Loshchilov and Hutter, ICLR 2019):
//
//	g ← g + Decay·p,  m ← Beta1·m + Rest1·g,  v ← Beta2·v + Rest2·g²
//	p ← Keep·p − Step·m/(√(Scale·v) + Eps)
//
// Rest1 is 1 − β₁ and Rest2 is 1 − β₂, each rounded once. Step is the learning rate divided by 1 −
// β₁ᵗ, and Scale is 1/(1 − β₂ᵗ). For Adam, Keep is 1 and Decay is the weight decay. For AdamW,
// Decay is 0 and Keep is 1 − learning rate · weight decay.
type AdamStep struct {
	Keep, Decay, Beta1, Rest1, Beta2, Rest2, Step, Scale, Eps float32
}

// Update updates p, m and v in place with the gradient g.
func (a AdamStep) Update(p, g, m, v []float32) {
	equal("AdamStep.Update", len(p), len(g), len(m), len(v))
	spans(len(p), func(lo, hi int) {
		active.vector.adam(p[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi], a.Keep, a.Decay, a.Beta1,
			a.Rest1, a.Beta2, a.Rest2, a.Step, a.Scale, a.Eps)
	})
}

// UpdateCompact updates a row p of a matrix and its first moment in place, where v = c is that of
// this step already. m [⌈n/2⌉] has the first moment in bfloat16, two numbers in one float32: m_k
// has the bits of number h+k, h = ⌊n/2⌋, and below them those of number k; the last number of an
// odd row is in the low bits of the last. The row is one call of a kernel.
func (a AdamStep) UpdateCompact(p, g, m, c []float32) {
	equal("AdamStep.UpdateCompact", len(p), len(g), len(c), 2*len(m)-len(p)%2)
	even := len(p) &^ 1
	active.vector.adamCompact(p[:even], g[:even], m[:even/2], c[:even], a.Keep, a.Decay, a.Beta1,
		a.Rest1, a.Step, a.Scale, a.Eps)
	PlainAdamCompact(p[even:], g[even:], m[even/2:], c[even:], a.Keep, a.Decay, a.Beta1, a.Rest1,
		a.Step, a.Scale, a.Eps)
}
