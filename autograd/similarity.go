package autograd

// CosineSimilarity returns Σ a⊙b / (max(|a|, eps)·max(|b|, eps)) over the last axis of a and b
// [… n], as […], with eps 1e-8 as in PyTorch.
func (t *Tape) CosineSimilarity(a, b *Tensor) *Tensor {
	t.rows("CosineSimilarity", a)
	last := a.rank() - 1
	norm := func(x *Tensor) *Tensor {
		return t.Sqrt(t.Clamp(t.Sum(t.Mul(x, x), last), 1e-16, 1e300))
	}
	return t.Div(t.Sum(t.Mul(a, b), last), t.Mul(norm(a), norm(b)))
}
