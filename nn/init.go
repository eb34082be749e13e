package nn

import (
	"math"
	"math/rand/v2"
)

// An Init returns the initial value of one element of a parameter.
type Init func(rng *rand.Rand) float64

// Zeros returns 0.
func Zeros(*rand.Rand) float64 { return 0 }

// Ones returns 1.
func Ones(*rand.Rand) float64 { return 1 }

// Normal returns an [Init] that draws from N(0, sd²).
func Normal(sd float64) Init {
	return func(rng *rand.Rand) float64 { return sd * rng.NormFloat64() }
}

// FanIn returns an [Init] that draws from U(−1/√n, 1/√n): PyTorch's default for the weight and the
// bias of a layer with n inputs.
func FanIn(n int) Init {
	bound := 1 / math.Sqrt(float64(n))
	return func(rng *rand.Rand) float64 { return bound * (2*rng.Float64() - 1) }
}

// XavierNormal returns an [Init] that draws from N(0, 2/(in+out)), for the weight of a layer with
// in inputs and out outputs (Glorot and Bengio 2010, PyTorch's xavier_normal_).
func XavierNormal(in, out int) Init { return Normal(math.Sqrt(2 / float64(in+out))) }

// Xavier returns an [Init] that draws from U(−√(6/(in+out)), √(6/(in+out))), for the weight of a
// layer with in inputs and out outputs (Glorot and Bengio 2010, PyTorch's xavier_uniform_).
func Xavier(in, out int) Init {
	bound := math.Sqrt(6 / float64(in+out))
	return func(rng *rand.Rand) float64 { return bound * (2*rng.Float64() - 1) }
}
