package autograd

import "fmt"

// CosineSimilarity returns Σ a⊙b / (max(|a|, eps)·max(|b|, eps)) over the last axis of a and b
// [… n], as […], with eps 1e-8 as in PyTorch. The leading axes broadcast as in [Tape.Add]. It
// panics if ranks or last lengths differ.
func (t *Tape) CosineSimilarity(a, b *Tensor) *Tensor {
	_, n := t.rows("CosineSimilarity", a)
	last := a.rank() - 1
	if b.rank() != a.rank() || b.shape[last] != n {
		panic(fmt.Sprintf("autograd: CosineSimilarity: shapes %v and %v: want [… n] and [… n]",
			a.shape, b.shape))
	}
	norm := func(x *Tensor) *Tensor {
		return t.Sqrt(t.Clamp(t.Sum(t.Mul(x, x), last), 1e-16, 1e300))
	}
	return t.Div(t.Sum(t.Mul(a, b), last), t.Mul(norm(a), norm(b)))
}
