package cpu

import "math"

// The elementary functions compute in double precision and round the result.

func exp[T Float](x T) T { return T(math.Exp(float64(x))) }

func log[T Float](x T) T { return T(math.Log(float64(x))) }

func sqrt[T Float](x T) T { return T(math.Sqrt(float64(x))) }

func abs[T Float](x T) T { return T(math.Abs(float64(x))) }

func tanh[T Float](x T) T { return T(math.Tanh(float64(x))) }

func sigmoid[T Float](x T) T { return 1 / (1 + exp(-x)) }

func softplus[T Float](x T) T {
	return max(x, 0) + T(math.Log1p(math.Exp(-math.Abs(float64(x)))))
}

// gauss returns Φ(x) and φ(x), the standard normal distribution function and its density.
func gauss(x float64) (cdf, pdf float64) {
	return 0.5 * math.Erfc(-x/math.Sqrt2), math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
}

func inf[T Float](sign int) T { return T(math.Inf(sign)) }

// where returns a if condition is true, else b, as torch.where does for each element.
func where[T Float](condition bool, a, b T) T {
	if condition {
		return a
	}
	return b
}
