package autograd

import "slices"

// StopGradient returns x as a constant.
//
//	x̄ = 0
func (t *Tape) StopGradient(x *Tensor) *Tensor {
	t.CheckOperands("StopGradient", x)
	if t.FrozenReplay != nil {
		return t.FrozenReplay.next(t, x)
	}
	return t.alias(x, x.shape)
}

// ReverseGrad returns x and reverses its gradient: the gradient reversal layer of adversarial
// training (Ganin and Lempitsky 2015, Unsupervised domain adaptation by backpropagation).
//
//	x̄ = −lambda·ȳ
func (t *Tape) ReverseGrad(x *Tensor, lambda float64) *Tensor {
	t.CheckOperands("ReverseGrad", x)
	y := t.alias(x, x.shape)
	if t.FrozenReplay != nil {
		t.Unrecorded(func() {
			y = t.Sub(t.Scale(t.FrozenReplay.next(t, x), 1+lambda), t.Scale(x, lambda))
		})
	}
	return t.Record("ReverseGrad", y, Wrt(x, func(g *Tensor) *Tensor {
		return t.Scale(g, -lambda)
	}))
}

// A FrozenReplay makes it possible to check the gradient of a computation that contains
// StopGradient, Frozen, NoGrad or ReverseGrad by differences. Such a gradient is not the derivative
// of the computation, but of one whose constants keep their values while the parameters change. The
// first computation saves these values; each later one, after [FrozenReplay.Replay], uses them
// again:
//
//	StopGradient(x)    the value x₀ that x had
//	Frozen, NoGrad     the values that the parameters had
//	ReverseGrad(x, λ)  (1+λ)·x₀ − λ·x
//
// Set [Tape.FrozenReplay] to it for each forward computation, and to nil for Backward.
type FrozenReplay struct {
	params    []*Tensor
	values    [][]float64 // of params
	saved     [][]float64 // values of x in StopGradient and ReverseGrad, in order of computation
	position  int         // in saved
	replaying bool
}

// NewFrozenReplay returns a FrozenReplay for a computation with the given parameters, which the
// caller will change. It saves their present values.
func NewFrozenReplay(params []*Tensor) *FrozenReplay {
	r := &FrozenReplay{params: params}
	for _, p := range params {
		r.values = append(r.values, p.Values())
	}
	return r
}

// Replay prepares for another computation with the values that the first one saved.
func (r *FrozenReplay) Replay() { r.replaying, r.position = true, 0 }

// next returns a constant: the value that x had in the first computation.
func (r *FrozenReplay) next(t *Tape, x *Tensor) *Tensor {
	if !r.replaying {
		r.saved = append(r.saved, x.Values())
	}
	r.position++
	y := t.alloc(x.shape)
	t.dev.Upload(y.buf, r.saved[r.position-1])
	return y
}

// at returns a FrozenReplay that uses the saved values from the given position on, nil if r is.
func (r *FrozenReplay) at(position int) *FrozenReplay {
	if r == nil {
		return nil
	}
	return &FrozenReplay{r.params, r.values, r.saved, position, true}
}

// all returns the parameters that the caller will change.
func (r *FrozenReplay) all() []*Tensor {
	if r == nil {
		return nil
	}
	return r.params
}

// withSavedValues runs f while the given parameters have their saved values.
func (r *FrozenReplay) withSavedValues(params []*Tensor, f func()) {
	if r == nil || !r.replaying {
		f()
		return
	}
	changed := make([][]float64, len(r.params))
	for i, p := range r.params {
		if slices.Contains(params, p) {
			changed[i] = p.Values()
			p.Assign(r.values[i])
		}
	}
	f()
	for i, p := range r.params {
		if changed[i] != nil {
			p.Assign(changed[i])
		}
	}
}
