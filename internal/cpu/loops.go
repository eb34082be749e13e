package cpu

import (
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/simd"
	"gonum.org/v1/gonum/blas/blas32"
)

// loops are the inner loops in which training spends its time. Slices have equal lengths unless a
// comment says otherwise, and a result may overwrite an input. In single precision the loops are
// those of package simd, which uses the vector instructions of the processor. In double precision
// they are the plain loops below, which also define what the others compute.
type loops[T Float] struct {
	minSquares int // see blocks; it keeps the order of a product's sums

	// transpose writes the transpose of src [rows n], whose rows are stride apart, to dst [n
	// rows].
	transpose func(dst, src []T, stride, rows, n int)

	add, mul                            func(z, x, y []T)
	scale                               func(y []T, a T, x []T)
	axpy                                func(y []T, a T, x []T)
	exp, log, tanh, sigmoid, gelu, relu func(y, x []T)
	geluGrad, reluGrad                  func(dx, x, g []T)
	adam                                func(a device.Adam, p, g, m, v []T)
	// a row of device.Adam's compact form: v_j is k.scale·c_j
	adamCompact func(k adamConstants[T], p, g, m, c []T)
	// y[i] ← scale·x[i] if device.Keep(seed, first+i, p), else 0
	drop func(y, x []T, scale T, seed uint64, first int, p float64)

	packSigns func(signs, x []T)
	maskSigns func(y, x, signs []T)

	sum         func(x []T) T
	dot         func(x, y []T) T
	dot64       func(x, y []T) float64      // accumulated in double precision
	softmax     func(y, x []T) (max, sum T) // max x and Σ e^(x−max); of −Inf: zeros and sum 0
	softmaxGrad func(dx, y, g []T)
	scoreGrad   func(p, ds []T, lse, inner T) // p ← e^(p−lse), then ds ← p ⊙ (ds − inner)
	layerNorm   func(y, x, gamma, beta []T, eps T) (mean, rstd T)
	// adds to dgamma and dbeta
	layerNormGrad func(dx, dgamma, dbeta, g, x, gamma []T, mean, rstd T)

	lstm     func(gates, z, prev, cell, out []T) // one step of one sequence: simd.LSTM
	lstmGrad func(gates, prev, cell, g, dh, dc []T)

	// one step of a selective scan, of a block of channels: simd.ScanState
	scanStep      func(delta, slope, step []T)
	scanState     func(next, decay, prev, a, delta, x, y, b, c []T)
	scanStateGrad func(carry, da, decay, prev, a, delta, x, r, kappa, ddelta, b, c, db, dc,
		sums []T)
}

// All products go through gonum's extension points, blas32 and blas64, so a program can register
// another BLAS with blas32.Use. The default for single precision is the Sgemm of package simd with
// gonum's other routines.
func init() {
	blas32.Use(simd.BLAS{})
	if simd.Path() != "generic" { // the order does not depend on the size
		single.minSquares = 1
	}
}

// gonumSquares is the smallest number of squares of 64 by 64 numbers in a product whose sums gonum
// computes in the same order as those of a larger one.
const gonumSquares = 4

var single = loops[float32]{
	minSquares: gonumSquares,
	transpose:  simd.Transpose,
	add:        simd.Add, mul: simd.Mul, scale: simd.Scale, axpy: simd.Axpy,
	exp: simd.Exp, log: simd.Log, tanh: simd.Tanh, sigmoid: simd.Sigmoid, gelu: simd.GELU,
	relu:     simd.ReLU,
	geluGrad: simd.GELUGrad, reluGrad: simd.ReLUGrad,
	adam: func(a device.Adam, p, g, m, v []float32) {
		c := adamOf[float32](a)
		simd.AdamStep{Beta1: c.b1, Rest1: c.n1, Beta2: c.b2, Rest2: c.n2, Eps: c.eps,
			Decay: c.decay, Keep: c.keep, Step: c.step, Scale: c.scale}.Update(p, g, m, v)
	},
	adamCompact: func(k adamConstants[float32], p, g, m, c []float32) {
		simd.AdamStep{Beta1: k.b1, Rest1: k.n1, Eps: k.eps, Decay: k.decay, Keep: k.keep,
			Step: k.step, Scale: k.scale}.UpdateCompact(p, g, m, c)
	},
	packSigns: simd.PackSigns, maskSigns: simd.MaskSigns,
	drop: func(y, x []float32, scale float32, seed uint64, first int, p float64) {
		simd.Drop(y, x, scale, device.HashState(seed, uint64(first)), device.KeepLimit(p))
	},
	sum: simd.Sum, dot: simd.Dot, dot64: simd.Dot64, softmax: simd.Softmax,
	softmaxGrad: simd.SoftmaxGrad, scoreGrad: simd.ScoreGrad,
	layerNorm: simd.LayerNorm, layerNormGrad: simd.LayerNormGrad,
	lstm: simd.LSTM, lstmGrad: simd.LSTMGrad,
	scanStep: simd.ScanStep, scanState: simd.ScanState, scanStateGrad: simd.ScanStateGrad,
}

var double = loops[float64]{
	minSquares: gonumSquares,
	transpose: func(dst, src []float64, stride, rows, n int) {
		for i := range rows {
			for j, v := range src[i*stride:][:n] {
				dst[j*rows+i] = v
			}
		}
	},
	add: func(z, x, y []float64) {
		for i := range z {
			z[i] = x[i] + y[i]
		}
	},
	mul: func(z, x, y []float64) {
		for i := range z {
			z[i] = x[i] * y[i]
		}
	},
	scale: func(y []float64, a float64, x []float64) {
		for i, v := range x {
			y[i] = a * v
		}
	},
	axpy: func(y []float64, a float64, x []float64) {
		for i, v := range x {
			y[i] += a * v
		}
	},
	exp:     mapped(math.Exp),
	log:     mapped(math.Log),
	tanh:    mapped(math.Tanh),
	sigmoid: mapped(sigmoid[float64]),
	gelu:    mapped(func(x float64) float64 { cdf, _ := gauss(x); return x * cdf }),
	relu:    mapped(func(x float64) float64 { return max(x, 0) }),
	geluGrad: mappedGrad(func(x, g float64) float64 {
		cdf, pdf := gauss(x)
		return g * (cdf + x*pdf)
	}),
	reluGrad: mappedGrad(func(x, g float64) float64 { return where(x > 0, g, 0) }),
	adam:     adam[float64],
	adamCompact: func(k adamConstants[float64], p, g, m, c []float64) {
		simd.PlainAdamCompact(p, g, m, c, k.keep, k.decay, k.b1, k.n1, k.step, k.scale, k.eps)
	},
	packSigns: simd.PlainPackSigns[float64], maskSigns: simd.PlainMaskSigns[float64],
	drop: func(y, x []float64, scale float64, seed uint64, first int, p float64) {
		for i, v := range x {
			y[i] = where(device.Keep(seed, first+i, p), v*scale, 0)
		}
	},
	sum: sum[float64], dot: dot[float64], dot64: dot[float64],
	softmax: softmax[float64], softmaxGrad: softmaxGrad[float64], scoreGrad: scoreGrad[float64],
	layerNorm: layerNorm[float64], layerNormGrad: layerNormGrad[float64],
	lstm: lstm[float64], lstmGrad: lstmGrad[float64],
	scanStep: scanStep[float64], scanState: simd.PlainScanState(math.Exp),
	scanStateGrad: simd.PlainScanStateGrad[float64],
}

// mapped returns a loop that applies f to each element.
func mapped(f func(float64) float64) func(y, x []float64) {
	return func(y, x []float64) {
		for i, v := range x {
			y[i] = f(v)
		}
	}
}

// mappedGrad returns a loop that applies f to each element and its gradient.
func mappedGrad(f func(x, g float64) float64) func(dx, x, g []float64) {
	return func(dx, x, g []float64) {
		for i, v := range x {
			dx[i] = f(v, g[i])
		}
	}
}

func sum[T Float](x []T) T {
	s := T(0)
	for _, v := range x {
		s += v
	}
	return s
}

func dot[T Float](x, y []T) T {
	s := T(0)
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

func largest[T Float](x []T) T {
	m := inf[T](-1)
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func softmax[T Float](y, x []T) (m, s T) {
	m = largest(x)
	if m == inf[T](-1) {
		clear(y)
		return m, 0
	}
	for i, v := range x {
		y[i] = exp(v - m)
		s += y[i]
	}
	for i := range y {
		y[i] /= s
	}
	return m, s
}

func softmaxGrad[T Float](dx, y, g []T) {
	s := dot(y, g)
	for i := range dx {
		dx[i] = y[i] * (g[i] - s)
	}
}

func scoreGrad[T Float](p, ds []T, lse, inner T) {
	for j, s := range p {
		p[j] = exp(s - lse)
		ds[j] = p[j] * (ds[j] - inner)
	}
}

func layerNorm[T Float](y, x, gamma, beta []T, eps T) (mean, rstd T) {
	n := T(len(x))
	mean = sum(x) / n
	variance := T(0)
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	rstd = 1 / sqrt(variance/n+eps)
	for i, v := range x {
		y[i] = gamma[i]*((v-mean)*rstd) + beta[i]
	}
	return mean, rstd
}

func layerNormGrad[T Float](dx, dgamma, dbeta, g, x, gamma []T, mean, rstd T) {
	n := T(len(x))
	var sumH, sumHX T
	for i, v := range x {
		normed, h := (v-mean)*rstd, g[i]*gamma[i]
		sumH += h
		sumHX += h * normed
		dgamma[i] += g[i] * normed
		dbeta[i] += g[i]
	}
	for i, v := range x {
		dx[i] = rstd * (g[i]*gamma[i] - sumH/n - (v-mean)*rstd*sumHX/n)
	}
}

// adamConstants are the constants of device.Adam, each rounded once. In single precision, 1−β₂
// would lose four digits.
type adamConstants[T Float] struct{ b1, n1, b2, n2, eps, keep, decay, step, scale T }

func adamOf[T Float](a device.Adam) adamConstants[T] {
	c := adamConstants[T]{T(a.Beta1), T(1 - a.Beta1), T(a.Beta2), T(1 - a.Beta2), T(a.Eps),
		1, T(a.WeightDecay),
		T(a.LR / a.Correction1), T(1 / a.Correction2)}
	if a.Decoupled {
		c.keep, c.decay = T(1-a.LR*a.WeightDecay), 0
	}
	return c
}

func adam[T Float](a device.Adam, p, g, m, v []T) {
	c := adamOf[T](a)
	for i, x := range p {
		gi := g[i] + c.decay*x
		m[i] = c.b1*m[i] + c.n1*gi
		v[i] = c.b2*v[i] + c.n2*gi*gi
		p[i] = c.keep*x - c.step*m[i]/(sqrt(v[i]*c.scale)+c.eps)
	}
}
