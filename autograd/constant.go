package autograd

import "slices"

// StopGradient returns x as a constant.
//
//	x̄ = 0
func (t *Tape) StopGradient(x *Tensor) *Tensor {
	t.use("StopGradient", x)
	if t.Constants != nil {
		return t.Constants.next(t, x)
	}
	return t.alias(x, x.shape)
}

// ReverseGrad returns x and reverses the gradient, for adversarial training by one loss (Ganin and
// Lempitsky 2015).
//
//	x̄ = −lambda·ȳ
func (t *Tape) ReverseGrad(x *Tensor, lambda float64) *Tensor {
	t.use("ReverseGrad", x)
	y := t.alias(x, x.shape)
	if t.Constants != nil {
		t.unrecorded(func() { y = t.Sub(t.Scale(t.Constants.next(t, x), 1+lambda), t.Scale(x, lambda)) })
	}
	return t.Record("ReverseGrad", y, Wrt(x, func(g *Tensor) *Tensor { return t.Scale(g, -lambda) }))
}

// Constants makes a computation with StopGradient, Frozen, NoGrad or ReverseGrad in it one whose
// derivative Backward gives, so that differences can check it. The first time it notes what is
// constant; from Replay on, when parameters have been moved, the computation meets the same:
//
//	StopGradient(x)    the value that x had
//	Frozen, NoGrad     the values that the parameters had
//	ReverseGrad(x, λ)  (1+λ)·x₀ − λ·x for the value x₀ that x had
//
// Set Tape.Constants to it for each forward computation, and to nil for Backward.
type Constants struct {
	params []*Tensor
	values [][]float64 // of params
	noted  [][]float64 // in the order of the computation
	used   int
	replay bool
}

// NewConstants returns the constants of a computation of which these parameters will be moved.
func NewConstants(params []*Tensor) *Constants {
	c := &Constants{params: params}
	for _, p := range params {
		c.values = append(c.values, p.Values())
	}
	return c
}

// Replay begins another computation, with what the first noted.
func (c *Constants) Replay() { c.replay, c.used = true, 0 }

// next returns a constant that was x the first time.
func (c *Constants) next(t *Tape, x *Tensor) *Tensor {
	if !c.replay {
		c.noted = append(c.noted, x.Values())
	}
	c.used++
	y := t.alloc(x.shape)
	t.dev.Upload(y.buf, c.noted[c.used-1])
	return y
}

// all returns the parameters that will be moved.
func (c *Constants) all() []*Tensor {
	if c == nil {
		return nil
	}
	return c.params
}

// still runs f with the values that some parameters had the first time.
func (c *Constants) still(held []*Tensor, f func()) {
	if c == nil || !c.replay {
		f()
		return
	}
	moved := make([][]float64, len(c.params))
	for i, p := range c.params {
		if slices.Contains(held, p) {
			moved[i] = p.Values()
			p.Assign(c.values[i])
		}
	}
	f()
	for i, p := range c.params {
		if moved[i] != nil {
			p.Assign(moved[i])
		}
	}
}
