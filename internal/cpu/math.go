package cpu

import "math"

// The elementary functions in the precision of T. In double precision they are the standard library's; in single precision they are
// polynomials on a reduced range, several times faster, with errors of a few units in the last place.

// single tells whether T is float32; the compiler folds it to a constant.
func single[T Float]() bool { return T(1)+T(1e-10) == T(1) }

func exp[T Float](x T) T {
	if single[T]() {
		return T(exp32(float32(x)))
	}
	return T(math.Exp(float64(x)))
}

// exp32 returns eˣ = 2ⁿ·eʳ with n = round(x/ln 2) and |r| ≤ ln 2 / 2; eʳ is its Taylor polynomial of degree 7, whose
// remainder is under 6e-9. Results under the smallest normal number are 0.
func exp32(x float32) float32 {
	const (
		log2e  = 1.4426950408889634
		ln2Hi  = 0.693145751953125 // the leading bits of ln 2, so that n·ln2Hi is exact
		ln2Lo  = 1.4286068203094173e-06
		rounds = 12582912 // 1.5·2²³: adding it rounds to an integer
	)
	if x != x {
		return x
	}
	if x > 88.7228 {
		return float32(math.Inf(1))
	}
	if x < -87.3365 {
		return 0
	}
	n := float32(float32(x*log2e)+rounds) - rounds
	r := x - n*ln2Hi - n*ln2Lo
	p := 1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720+r*(1./5040)))))))
	if n > 127 { // 2¹²⁸ is not a number; 2¹²⁷·2 is
		return p * math.Float32frombits(254<<23) * 2
	}
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}

func log[T Float](x T) T { return T(math.Log(float64(x))) }

func sqrt[T Float](x T) T { return T(math.Sqrt(float64(x))) }

func tanh[T Float](x T) T {
	if !single[T]() {
		return T(math.Tanh(float64(x)))
	}
	if x > -0.3 && x < 0.3 { // the Taylor series, since the formula below cancels near 0
		s := x * x
		return x * (1 - s*(1./3-s*(2./15-s*(17./315-s*(62./2835)))))
	}
	if x < 0 {
		return -tanhPositive(-x)
	}
	return tanhPositive(x)
}

func tanhPositive[T Float](x T) T { return 1 - 2/(exp(2*x)+1) }

func sigmoid[T Float](x T) T { return 1 / (1 + exp(-x)) }

func softplus[T Float](x T) T {
	if x < 0 {
		return T(math.Log1p(float64(exp(x))))
	}
	return x + T(math.Log1p(float64(exp(-x))))
}

// gauss returns Φ(x) and φ(x), the standard normal distribution function and its density.
func gauss[T Float](x T) (cdf, pdf T) {
	const invSqrt2Pi = 0.3989422804014327
	if !single[T]() {
		return T(0.5 * math.Erfc(-float64(x)/math.Sqrt2)), T(invSqrt2Pi * math.Exp(-float64(x)*float64(x)/2))
	}
	// Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 7.1.26: |error of erf| ≤ 1.5e-7.
	e := exp(-x * x / 2)
	a := x
	if a < 0 {
		a = -a
	}
	t := 1 / (1 + 0.3275911/math.Sqrt2*a)
	tail := 0.5 * e * t * (0.254829592 + t*(-0.284496736+t*(1.421413741+t*(-1.453152027+t*1.061405429))))
	if x > 0 {
		return 1 - tail, invSqrt2Pi * e
	}
	return tail, invSqrt2Pi * e
}

func inf[T Float](sign int) T { return T(math.Inf(sign)) }
