package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// LayerNorm normalises the last axis, then scales and shifts it: y = γ ⊙ (x − mean)/√(var + Eps) +
// β (Ba, Kiros, Hinton 2016).
type LayerNorm struct {
	Gamma, Beta *ag.Tensor // [n]
	Eps         float64
}

// NewLayerNorm makes "weight" γ = 1 and "bias" β = 0; Eps is 1e-5.
func NewLayerNorm(p *Params, width int) *LayerNorm {
	return &LayerNorm{Gamma: p.New("weight", Ones, width), Beta: p.New("bias", Zeros, width), Eps: 1e-5}
}

// Forward maps x [… n] to [… n].
func (l *LayerNorm) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.LayerNorm(x, l.Gamma, l.Beta, l.Eps)
}

// foldInto returns the weight and the bias by which a projection w [out n] of the norm's result is
// one of x̂: w·(γ ⊙ x̂ + β) = (w diag γ)·x̂ + w·β.
func (l *LayerNorm) foldInto(tp *ag.Tape, w *ag.Tensor) (weight, bias *ag.Tensor) {
	return tp.Mul(w, l.Gamma), tp.Reshape(tp.MatMul(w, tp.Reshape(l.Beta, -1, 1), ag.NN), -1)
}
