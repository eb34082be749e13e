package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of eˣ = 2ⁿ·eʳ, n = round(x/ln 2), eʳ = 1 + r·q(r); see exp32 in vector_plain.go.
const (
	log2e  = math.Log2E
	ln2Hi  = 355. / 512 // so that n·ln2Hi is exact
	ln2Lo  = -2.1219444005469057e-4
	q1     = 0.4999999403953552
	q2     = 0.1666652113199234
	q3     = 0.04166826605796814
	q4     = 0.008368677459657192
	q5     = 0.0013820731546729803
	expMin = -105 // e⁻¹⁰⁵ rounds to 0
	expMax = 89   // e⁸⁹ to infinity
)

var expConstants = []float64{1, log2e, ln2Hi, ln2Lo, q1, q2, q3, q4, q5, expMin, expMax}

// clamp returns min(max(x, lo), hi), and NaN for NaN.
func (v *isa) clamp(x reg.Register, lo, hi float64) reg.VecVirtual {
	y, bound := v.copyOf(v.c(hi)), v.copyOf(v.c(lo))
	VMINPS(x, y, y)
	VMAXPS(y, bound, y)
	return y
}

// reduced returns n, r and q(r) of x; see reduce32 in vector_plain.go.
func (v *isa) reduced(x reg.Register) (n, r, q reg.VecVirtual) {
	n, r = v.vec(), v.copyOf(x)
	VMULPS(v.c(log2e), x, n)
	if v.wide() {
		VRNDSCALEPS(U8(8), n, n)
	} else {
		VROUNDPS(U8(8), n, n)
	}
	VFNMADD231PS(v.c(ln2Hi), n, r)
	VFNMADD231PS(v.c(ln2Lo), n, r)
	q = v.copyOf(v.c(q5))
	for _, c := range []float64{q4, q3, q2, q1, 1} {
		VFMADD213PS(v.c(c), r, q)
	}
	return n, r, q
}

// exp returns eˣ for x within expMin and expMax.
func (v *isa) exp(x reg.Register) reg.VecVirtual {
	n, r, p := v.reduced(x)
	VFMADD213PS(v.c(1), r, p)
	if v.wide() {
		VSCALEFPS(n, p, p)
		return p
	}
	// Two steps, since 2ⁿ may be out of range; the second multiplication rounds.
	rest, half := YMM(), YMM()
	VCVTPS2DQ(n, rest)
	VPSRAD(U8(1), rest, half)
	VPSUBD(half, rest, rest)
	for _, e := range []reg.Register{half, rest} {
		VPSLLD(U8(23), e, e)
		VPADDD(constant(1), e, e)
		VMULPS(e, p, p)
	}
	return p
}

// tanh returns t/(t+2) with t = e²ˣ − 1 = 2ⁿ·r·q + (2ⁿ − 1), on |x|, with the sign of x.
func (v *isa) tanh(x reg.Register) reg.VecVirtual {
	sign, y := v.vec(), v.vec()
	VANDPS(v.c(negativeZero), x, sign)
	VXORPS(sign, x, y)
	VADDPS(y, y, y)
	bound := v.copyOf(v.c(tanhMax))
	VMINPS(y, bound, y)
	n, r, t := v.reduced(y)
	VMULPS(r, t, t)
	scale := v.power(n)
	less := v.vec()
	VSUBPS(v.c(1), scale, less)
	VFMADD213PS(less, scale, t)
	denominator := v.vec()
	VADDPS(v.c(2), t, denominator)
	VDIVPS(denominator, t, t)
	VXORPS(sign, t, t)
	return t
}

// power returns 2ⁿ, which must be a normal number.
func (v *isa) power(n reg.Register) reg.VecVirtual {
	p := v.vec()
	if v.wide() {
		VSCALEFPS(n, v.c(1), p)
		return p
	}
	VCVTPS2DQ(n, p)
	VPSLLD(U8(23), p, p)
	VPADDD(constant(1), p, p)
	return p
}

// tanhMax bounds 2|x|: tanh 9.1 rounds to 1.
const tanhMax = 18.2

var negativeZero = math.Copysign(0, -1)

// The constants of ln x = e·ln 2 + ln m for x = m·2ᵉ, ¾ ≤ m < 3/2, and of the series
// ln m = 2(s + s³/3 + s⁵/5 + …), s = (m−1)/(m+1); see log32 in vector_plain.go.
var logConstants = []float64{1, math.Ln2, 2, 2. / 3, 2. / 5, 2. / 7, 2. / 9}

// log returns ln x.
func (v *isa) log(x reg.Register) reg.VecVirtual {
	m, e := v.mantissa(x)
	s, denominator := v.vec(), v.vec()
	VADDPS(v.c(1), m, denominator)
	VSUBPS(v.c(1), m, s)
	VDIVPS(denominator, s, s)
	square := v.vec()
	VMULPS(s, s, square)
	y := v.copyOf(v.c(2. / 9))
	for _, c := range []float64{2. / 7, 2. / 5, 2. / 3, 2} {
		VFMADD213PS(v.c(c), square, y)
	}
	VMULPS(s, y, y)
	VFMADD231PS(v.c(math.Ln2), e, y)
	if !v.wide() {
		y = logOutside(x, y)
	}
	return y
}

// mantissa returns m and e with x = m·2ᵉ, ¾ ≤ m < 3/2. In 512 bits it is right for every x: e is
// ±Inf for 0 and Inf, and m NaN for negative numbers. In 256 bits x must be positive and finite.
func (v *isa) mantissa(x reg.Register) (m, e reg.VecVirtual) {
	m, e = v.vec(), v.vec()
	if v.wide() {
		const threeQuarters, noNegative = 3, 0b1100
		shift := v.vec()
		VGETMANTPS(U8(threeQuarters|noNegative), x, m)
		VGETEXPPS(x, e)
		VGETEXPPS(m, shift)
		VSUBPS(shift, e, e)
		return m, e
	}
	// A number below 2⁻¹²⁶ is multiplied by 2²³ first.
	const less = 17
	small, scaled, bits, shift := YMM(), YMM(), YMM(), YMM()
	VCMPPS(U8(less), constant(0x1p-126), x, small)
	VMULPS(constant(1<<23), x, scaled)
	VBLENDVPS(small, scaled, x, m)
	VPSUBD(constant(0.75), m, bits)
	VPSRAD(U8(23), bits, bits)
	VCVTDQ2PS(bits, e)
	VPSLLD(U8(23), bits, bits)
	VPSUBD(bits, m, m)
	VANDPS(constant(23), small, shift)
	VSUBPS(shift, e, e)
	return m, e
}

// logOutside returns y with ln x where x is not positive and finite: −Inf for 0, Inf for Inf, NaN
// for the rest.
func logOutside(x reg.Register, y reg.VecVirtual) reg.VecVirtual {
	const equal, notGreaterOrEqual = 0, 25
	where, infinite := YMM(), YMM()
	VMOVUPS(constant(math.Inf(1)), infinite)
	VCMPPS(U8(equal), infinite, x, where)
	VBLENDVPS(where, infinite, y, y)
	VXORPS(where, where, where)
	VCMPPS(U8(notGreaterOrEqual), where, x, where)
	VORPS(where, y, y)
	VXORPS(where, where, where)
	VCMPPS(U8(equal), where, x, where)
	VBLENDVPS(where, constant(math.Inf(-1)), y, y)
	return y
}

// sigmoid returns 1/(1 + e⁻ˣ).
func (v *isa) sigmoid(x reg.Register) reg.VecVirtual {
	y := v.vec()
	VXORPS(v.c(negativeZero), x, y)
	e := v.exp(v.clamp(y, expMin, expMax))
	VADDPS(v.c(1), e, e)
	s := v.copyOf(v.c(1))
	VDIVPS(e, s, s)
	return s
}

// The constants of Φ: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 7.1.26,
// multiplied by the constants √2 and ½ of Φ.
const (
	gaussMax  = 13 // Φ(−13) is less than 1e-37
	gaussP    = 0.3275911 / math.Sqrt2
	gaussA1   = 0.254829592 / 2
	gaussA2   = -0.284496736 / 2
	gaussA3   = 1.421413741 / 2
	gaussA4   = -1.453152027 / 2
	gaussA5   = 1.061405429 / 2
	gaussPeak = 0.3989422804014327 // 1/√2π
)

var gaussConstants = append(expConstants, negativeZero, gaussMax, gaussP, gaussA1, gaussA2,
	gaussA3, gaussA4, gaussA5, gaussPeak, 0.5, -0.5)

// gauss returns a = min(|x|, gaussMax), e = exp(−a²/2), and the tail Φ(−a).
func (v *isa) gauss(x reg.Register) (a, e, tail reg.VecVirtual) {
	a = v.vec()
	sign := v.copyOf(v.c(negativeZero))
	VANDNPS(x, sign, a)
	bound := v.copyOf(v.c(gaussMax))
	VMINPS(a, bound, a)
	square := v.vec()
	VMULPS(v.c(-0.5), a, square)
	VMULPS(a, square, square)
	e = v.exp(square)
	denominator, t := v.copyOf(v.c(1)), v.copyOf(v.c(1))
	VFMADD231PS(v.c(gaussP), a, denominator)
	VDIVPS(denominator, t, t)
	tail = v.copyOf(v.c(gaussA5))
	for _, c := range []float64{gaussA4, gaussA3, gaussA2, gaussA1} {
		VFMADD213PS(v.c(c), t, tail)
	}
	VMULPS(t, tail, tail)
	VMULPS(e, tail, tail)
	return a, e, tail
}

// gelu returns x·Φ(x) = max(x, 0) − |x|·Φ(−|x|).
func (v *isa) gelu(x reg.Register) reg.VecVirtual {
	a, _, tail := v.gauss(x)
	y := v.relu(x)
	VFNMADD231PS(tail, a, y)
	return y
}

// geluGrad returns Φ(x) + x·φ(x) = ½ ± (½ − Φ(−|x|) + |x|·φ(x)), with the sign of x.
func (v *isa) geluGrad(x reg.Register) reg.VecVirtual {
	a, e, tail := v.gauss(x)
	y, sign := v.copyOf(v.c(0.5)), v.vec()
	VSUBPS(tail, y, y)
	VMULPS(v.c(gaussPeak), e, e)
	VFMADD231PS(e, a, y)
	VANDPS(v.c(negativeZero), x, sign)
	VXORPS(sign, y, y)
	VADDPS(v.c(0.5), y, y)
	return y
}

func (v *isa) relu(x reg.Register) reg.VecVirtual {
	y := v.zeros(1)[0]
	VMAXPS(x, y, y)
	return y
}
