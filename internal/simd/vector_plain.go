package simd

import "math"

// plainVector holds the references of the vector kernels in plain Go. It is the generic path.
var plainVector = vector{
	exp:     func(dst, x []float32) { plainMap(dst, x, exp32) },
	log:     func(dst, x []float32) { plainMap(dst, x, log32) },
	tanh:    func(dst, x []float32) { plainMap(dst, x, tanh32) },
	sigmoid: func(dst, x []float32) { plainMap(dst, x, sigmoid32) },
	gelu:    plainGELU,
	relu: func(dst, x []float32) {
		plainMap(dst, x, func(x float32) float32 { return max(x, 0) })
	},
	geluGrad: plainGELUGrad,
	reluGrad: plainReLUGrad,
	add:      plainAdd,
	mul:      plainMul,
	scale:    plainScale,
	axpy:     plainAxpy,
	drop:     plainDrop,

	packSigns: PlainPackSigns[float32],
	maskSigns: PlainMaskSigns[float32],

	adam: plainAdam,

	adamCompact: PlainAdamCompact[float32],

	sum:           plainSum,
	dot:           plainDot,
	dot64:         plainDot64,
	softmax:       plainSoftmax,
	softmaxGrad:   plainSoftmaxGrad,
	scoreGrad:     plainScoreGrad,
	layerNorm:     plainLayerNorm,
	layerNormGrad: plainLayerNormGrad,

	lstm:     plainLSTM,
	lstmGrad: plainLSTMGrad,

	scanStep:      plainScanStep,
	scanState:     PlainScanState(exp32),
	scanStateGrad: PlainScanStateGrad[float32],
}

func plainMap(dst, x []float32, f func(float32) float32) {
	for i, v := range x {
		dst[i] = f(v)
	}
}

const (
	log2e   = math.Log2E
	ln2Hi   = 355. / 512 // so that n·ln2Hi is exact
	ln2Lo   = -2.1219444005469057e-4
	rounder = 3 << 22 // x + rounder − rounder is x rounded to an integer
)

// reduce32 returns n = round(x/ln 2), r = x − n·ln 2, and q(r) = (eʳ − 1)/r. q is the polynomial
// of degree 5 with q(0) = 1 for which the largest relative error of 1 + r·q, for |r| ≤ ½ ln 2, is
// smallest: 3.2e-9 (Remez).
func reduce32(x float32) (n, r, q float32) {
	n = float32(float32(x*log2e)+rounder) - rounder
	r = float32(x-n*ln2Hi) - n*ln2Lo
	q = 1 + r*(0.4999999403953552+
		r*(0.1666652113199234+
			r*(0.04166826605796814+r*(0.008368677459657192+r*0.0013820731546729803))))
	return n, r, q
}

// exp32 returns eˣ = 2ⁿ·(1 + r·q(r)). e⁸⁹ rounds to infinity and e⁻¹⁰⁵ to 0.
func exp32(x float32) float32 {
	switch {
	case x != x:
		return x
	case x < -105:
		return 0
	case x > 89:
		return float32(math.Inf(1))
	}
	n, r, q := reduce32(x)
	half := float32(int32(n) >> 1) // two steps, since 2ⁿ may be out of range
	return (1 + r*q) * power2(half) * power2(n-half)
}

// power2 returns 2ⁿ, which must be a normal number.
func power2(n float32) float32 { return math.Float32frombits(uint32(int32(n)+127) << 23) }

// log32 returns ln x = e·ln 2 + ln m for x = m·2ᵉ, ¾ ≤ m < 3/2. The series of ln m, with s =
// (m−1)/(m+1) and |s| ≤ 1/5, is 2(s + s³/3 + s⁵/5 + s⁷/7 + s⁹/9 + …): Abramowitz and Stegun,
// Handbook of Mathematical Functions (1964), 4.1.27. The rest is less than 1e-8 of it.
func log32(x float32) float32 {
	switch {
	case x == 0:
		return float32(math.Inf(-1))
	case !(x > 0 && x <= math.MaxFloat32):
		return float32(math.Log(float64(x)))
	}
	e := float32(0)
	if x < 0x1p-126 {
		x, e = x*(1<<23), -23
	}
	bits := int32(math.Float32bits(x))
	n := (bits - int32(math.Float32bits(0.75))) >> 23
	m := math.Float32frombits(uint32(bits - n<<23))
	s := (m - 1) / (m + 1)
	q := s * s
	return (e+float32(n))*math.Ln2 + s*(2+q*(2./3+q*(2./5+q*(2./7+q*(2./9)))))
}

// tanh32 returns tanh x = t/(t + 2), where t = e²ˣ − 1 = 2ⁿ·r·q + (2ⁿ − 1). This form is as exact
// near 0 as elsewhere.
func tanh32(x float32) float32 {
	n, r, q := reduce32(min(2*abs32(x), 18.2)) // tanh 9.1 rounds to 1
	p := power2(n)
	t := p*(r*q) + (p - 1)
	return float32(math.Copysign(float64(t/(t+2)), float64(x)))
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// gauss32 returns a = min(|x|, 13), e = exp(−a²/2) and tail = Φ(−a). The error of tail is at most
// 7.5e-8 (Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 7.1.26).
func gauss32(x float32) (a, e, tail float32) {
	a = min(abs32(x), 13)
	e = exp32(-0.5 * a * a)
	t := 1 / (1 + 0.3275911/math.Sqrt2*a)
	return a, e, 0.5 * e * t *
		(0.254829592 + t*(-0.284496736+t*(1.421413741+t*(-1.453152027+t*1.061405429))))
}

func plainGELU(dst, x []float32) {
	for i, v := range x {
		a, _, tail := gauss32(v)
		dst[i] = max(v, 0) - a*tail
	}
}

func plainGELUGrad(dx, x, g []float32) {
	const peak = 0.3989422804014327 // φ(0) = 1/√2π
	for i, v := range x {
		a, e, tail := gauss32(v)
		half := 0.5 - tail + a*peak*e
		if v < 0 {
			half = -half
		}
		dx[i] = g[i] * (0.5 + half)
	}
}

func plainReLUGrad(dx, x, g []float32) {
	for i, v := range x {
		d := float32(0)
		if v > 0 {
			d = g[i]
		}
		dx[i] = d
	}
}

func plainAdd(dst, x, y []float32) {
	for i, v := range x {
		dst[i] = v + y[i]
	}
}

func plainMul(dst, x, y []float32) {
	for i, v := range x {
		dst[i] = v * y[i]
	}
}

func plainScale(dst []float32, alpha float32, x []float32) {
	for i, v := range x {
		dst[i] = alpha * v
	}
}

func plainAxpy(y []float32, alpha float32, x []float32) {
	for i, v := range x {
		y[i] += alpha * v
	}
}

func plainAdam(
	p, g, m, v []float32, keep, decay, beta1, rest1, beta2, rest2, step, scale, eps float32,
) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i, x := range p {
		d := g[i] + decay*x
		m[i] = beta1*m[i] + rest1*d
		v[i] = beta2*v[i] + rest2*(d*d)
		p[i] = keep*x - step*m[i]/(float32(math.Sqrt(float64(scale*v[i])))+eps)
	}
}

// PlainAdamCompact is [AdamStep.UpdateCompact] in plain Go, for both precisions.
func PlainAdamCompact[F float32 | float64](
	p, g, m, c []F, keep, decay, beta1, rest1, step, scale, eps F,
) {
	update := func(i int, bits uint32) float32 {
		x, mean := p[i], F(math.Float32frombits(bits))
		mean = beta1*mean + rest1*(g[i]+decay*x)
		p[i] = keep*x - step*mean/(F(math.Sqrt(float64(scale*c[i])))+eps)
		return float32(mean)
	}
	half := len(p) / 2
	for k, pair := range m[:half] {
		bits := math.Float32bits(float32(pair))
		low, high := bfloat16(update(k, bits<<16)), bfloat16(update(half+k, bits&^0xffff))
		m[k] = F(math.Float32frombits(high | low>>16))
	}
	if last := 2 * half; last < len(p) {
		bits := math.Float32bits(float32(m[half]))
		m[half] = F(math.Float32frombits(bfloat16(update(last, bits<<16)) >> 16))
	}
}

// bfloat16 returns the bits of a finite x rounded to its first 16 bits, to even if it is halfway.
func bfloat16(x float32) uint32 {
	bits := math.Float32bits(x)
	return (bits + 0x7fff + bits>>16&1) &^ 0xffff
}

func plainDrop(dst, x []float32, scale float32, state, limit uint64) {
	for i, v := range x {
		z := state + uint64(i)*gamma
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		// all ones if the number is kept; a branch would often be mispredicted
		keep := uint32((int64(limit) - 1 - int64((z^z>>31)>>11)) >> 63)
		dst[i] = math.Float32frombits(math.Float32bits(v*scale) & keep)
	}
}

// PlainPackSigns is PackSigns in plain Go.
func PlainPackSigns[T float32 | float64](signs, x []T) {
	for i := range signs[:ceil(len(x), 16)] {
		word := 0
		for b, v := range x[16*i : min(16*i+16, len(x))] {
			bit := 0
			if v > 0 {
				bit = 1
			}
			word |= bit << b
		}
		signs[i] = T(word)
	}
}

// PlainMaskSigns is MaskSigns in plain Go.
func PlainMaskSigns[T float32 | float64](dst, x, signs []T) {
	for i, s := range signs[:ceil(len(x), 16)] {
		word, at := int(s), 16*i
		to := dst[at:min(at+16, len(x))]
		for b, v := range x[at : at+len(to)] {
			to[b] = 0
			if word>>b&1 == 1 {
				to[b] = v
			}
		}
	}
}
