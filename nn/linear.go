package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// Linear is the layer y = x·Wᵀ + b on the last axis of x.
type Linear struct {
	W *ag.Tensor // [out in]
	B *ag.Tensor // [out]; nil for none
}

// NewLinear creates "weight" [out in] and "bias" [out], both from U(−1/√in, 1/√in).
func NewLinear(p *Params, in, out int) *Linear {
	return &Linear{W: p.New("weight", FanIn(in), out, in), B: p.New("bias", FanIn(in), out)}
}

// Forward maps x [… in] to [… out].
func (l *Linear) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor { return tp.Linear(x, l.W, l.B) }
