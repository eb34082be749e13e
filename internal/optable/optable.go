// Package optable lists every operation of the engine with the shapes of its inputs and a
// reference implementation of its result by naive loops. Start with [Case] and [Cases].
//
// One table drives the tests of values, gradients, precision and devices, the benchmarks, and
// `recap gradcheck`.
package optable

import (
	"math"
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// A Case applies one operation to inputs of given shapes.
type Case struct {
	Op     string // the method of Tape
	Kind   string // variant of the operands, "" for the basic one
	Shapes [][]int
	Domain Domain
	F      func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor
	Want   func(x [][]float64) []float64 // the result by naive loops
	// Alter says that the gradient is, by design, Factor times the derivative (ReverseGrad).
	Alter  bool
	Factor float64
}

// Name returns the case's name in tests and tables.
func (c Case) Name() string {
	if c.Kind == "" {
		return c.Op
	}
	return c.Op + "/" + c.Kind
}

// Inputs returns deterministic random parameters for the case on a device, the same numbers on
// every device.
func (c Case) Inputs(dev ag.Device) []*ag.Tensor {
	r := rand.New(rand.NewPCG(7, uint64(len(c.Name()))))
	x := make([]*ag.Tensor, len(c.Shapes))
	for i, s := range c.Shapes {
		n := 1
		for _, d := range s {
			n *= d
		}
		v := make([]float64, n)
		for j := range v {
			v[j] = float64(float32(c.Domain.draw(r)))
		}
		x[i] = ag.NewParam(dev, v, s...)
	}
	return x
}

// Domain is the set from which the inputs of a case are drawn.
type Domain int

const (
	Normal   Domain = iota // N(0,1), at least 0.05 from 0, where many functions have a kink
	Positive               // 0.2 to 2.2
	Unit                   // 0.05 to 0.95
)

func (d Domain) draw(r *rand.Rand) float64 {
	switch d {
	case Positive:
		return 0.2 + 2*r.Float64()
	case Unit:
		return 0.05 + 0.9*r.Float64()
	}
	v := r.NormFloat64()
	return v + math.Copysign(0.05, v)
}

// Cases returns all cases in the order of the engine's files.
func Cases() []Case {
	var all []Case
	for _, family := range [][]Case{arith, activations, products, shapes, reductions, rowwise,
		attentions, recurrent, indexing, constants, losses} {
		all = append(all, family...)
	}
	return all
}

// each returns f(0), …, f(n−1).
func each(n int, f func(i int) float64) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = f(i)
	}
	return y
}

func sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}
