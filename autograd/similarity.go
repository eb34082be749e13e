package autograd

import "fmt"

// CosineSimilarity returns Σ a⊙b / (max(|a|, eps)·max(|b|, eps)) over the last axis, a and b [… n] giving […], with eps 1e-8.
func (t *Tape) CosineSimilarity(a, b *Tensor) *Tensor {
	t.rows("CosineSimilarity", a)
	last := a.rank() - 1
	norm := func(x *Tensor) *Tensor {
		return t.Sqrt(t.Clamp(t.Sum(t.Mul(x, x), last), 1e-16, 1e300))
	}
	return t.Div(t.Sum(t.Mul(a, b), last), t.Mul(norm(a), norm(b)))
}

// PairScores scores all pairs of the rows of u [N H] and v [M H] by a two-layer perceptron whose first layer has been applied to
// either side: element (i, j) of the result [M N] is Σ_h w_h·max(0, u_jh + v_ih), w [H]. The M×N×H hidden layer is never in memory.
//
//	ū_j = Σ_i ȳ_ij·w ⊙ [u_j + v_i > 0],  v̄_i = Σ_j ȳ_ij·w ⊙ [u_j + v_i > 0],  w̄ = Σ_ij ȳ_ij·max(0, u_j + v_i)
func (t *Tape) PairScores(u, v, w *Tensor) *Tensor {
	t.use("PairScores", u, v, w)
	if u.rank() != 2 || v.rank() != 2 || u.shape[1] != v.shape[1] || w.Len() != u.shape[1] {
		panic(fmt.Sprintf("autograd: PairScores: u %v, v %v, w %v: want [N H], [M H], [H]", u.shape, v.shape, w.shape))
	}
	m, n, width := v.shape[0], u.shape[0], u.shape[1]
	y := t.alloc([]int{m, n})
	t.dev.PairScores(y.buf, u.buf, v.buf, w.buf, m, n, width)
	t.RecordJoint("PairScores", []*Tensor{y}, []*Tensor{u, v, w}, func(g []*Tensor) []*Tensor {
		gu, gv, gw := t.alloc(u.shape), t.alloc(v.shape), t.alloc(w.shape)
		t.dev.PairScoresGrad(gu.buf, gv.buf, gw.buf, g[0].buf, u.buf, v.buf, w.buf, m, n, width)
		return []*Tensor{gu, gv, gw}
	})
	return y
}
