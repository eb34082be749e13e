package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// LayerNorm normalises the last axis, then scales and shifts it (Ba, Kiros, Hinton 2016, Layer
// normalization): y = γ ⊙ (x − mean)/√(var + Eps) + β, where var is the biased variance.
type LayerNorm struct {
	Gamma, Beta *ag.Tensor // [n]
	Eps         float64
}

// NewLayerNorm creates "weight" γ = 1 and "bias" β = 0, of the given width. Eps is 1e-5.
func NewLayerNorm(p *Params, width int) *LayerNorm {
	return &LayerNorm{Gamma: p.New("weight", Ones, width), Beta: p.New("bias", Zeros, width),
		Eps: 1e-5}
}

// Forward maps x [… n] to [… n].
func (l *LayerNorm) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.LayerNorm(x, l.Gamma, l.Beta, l.Eps)
}

// RMSNorm divides the last axis by its root mean square, then scales it (Zhang and Sennrich 2019,
// Root mean square layer normalization): y = γ ⊙ x/√(mean(x²) + Eps).
type RMSNorm struct {
	Gamma *ag.Tensor // [n]
	Eps   float64
}

// NewRMSNorm creates "weight" γ = 1 of the given width. Eps is 1e-5.
func NewRMSNorm(p *Params, width int) *RMSNorm {
	return &RMSNorm{Gamma: p.New("weight", Ones, width), Eps: 1e-5}
}

// Forward maps x [… n] to [… n].
func (l *RMSNorm) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.RMSNorm(x, l.Gamma, l.Eps)
}

// foldInto returns a weight and a bias that, applied to x̂, give the projection w [out n] of the
// norm's result: w·(γ ⊙ x̂ + β) = (w diag γ)·x̂ + w·β.
func (l *LayerNorm) foldInto(tp *ag.Tape, w *ag.Tensor) (weight, bias *ag.Tensor) {
	return tp.Mul(w, l.Gamma), tp.Reshape(tp.MatMul(w, tp.Reshape(l.Beta, -1, 1), ag.NN), -1)
}
