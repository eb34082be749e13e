package autograd

// StopGradient returns x as a constant.
//
//	x̄ = 0
func (t *Tape) StopGradient(x *Tensor) *Tensor {
	t.use("StopGradient", x)
	return t.alias(x, x.shape)
}

// ReverseGrad returns x and reverses the gradient, for adversarial training by one loss (Ganin and Lempitsky 2015).
//
//	x̄ = −lambda·ȳ
func (t *Tape) ReverseGrad(x *Tensor, lambda float64) *Tensor {
	t.use("ReverseGrad", x)
	return t.Record("ReverseGrad", t.alias(x, x.shape),
		Wrt(x, func(g *Tensor) *Tensor { return t.Scale(g, -lambda) }))
}
