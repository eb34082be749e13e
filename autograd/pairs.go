package autograd

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// PairScores scores all pairs of the rows of u [N H] and v [M H] by a two-layer perceptron whose first layer has been applied to
// either side: element (i, j) of the result [M N] is Σ_h w_h·max(0, u_jh + v_ih), w [H]. The M×N×H hidden layer is never in memory.
//
//	ū_j = Σ_i ȳ_ij·w ⊙ [u_j + v_i > 0],  v̄_i = Σ_j ȳ_ij·w ⊙ [u_j + v_i > 0],  w̄ = Σ_ij ȳ_ij·max(0, u_j + v_i)
func (t *Tape) PairScores(u, v, w *Tensor) *Tensor {
	t.use("PairScores", w)
	m, n := t.pairs("PairScores", u, v, w.Len())
	width := w.Len()
	y := t.alloc([]int{m, n})
	t.dev.PairScores(y.buf, u.buf, v.buf, w.buf, m, n, width)
	t.RecordJoint("PairScores", []*Tensor{y}, []*Tensor{u, v, w}, func(g []*Tensor) []*Tensor {
		gu, gv, gw := t.alloc(u.shape), t.alloc(v.shape), t.alloc(w.shape)
		t.dev.PairScoresGrad(gu.buf, gv.buf, gw.buf, g[0].buf, u.buf, v.buf, w.buf, m, n, width)
		return []*Tensor{gu, gv, gw}
	})
	return y
}

// PairScoresDeep is PairScores with another hidden layer, w2 [K H], b2 [K], w [K]: with h_ij = max(0, u_j + v_i) and
// z_ij = w2·h_ij + b2,
//
//	y_ij = w · max(0, z_ij)
//	ū_j = Σ_i r_ij,  v̄_i = Σ_j r_ij,  r_ij = ȳ_ij·w2ᵀ(w ⊙ s_ij) ⊙ [h_ij > 0],  s_ij = [z_ij > 0]
//	w̄2 = diag(w)·Q,  b̄2 = w ⊙ q,  w̄ = rowsum(w2 ⊙ Q) + b2 ⊙ q,  Q = Σ_ij ȳ_ij·s_ij h_ijᵀ,  q = Σ_ij ȳ_ij·s_ij
//
// It goes through the pairs in blocks of some thousand and keeps of a pair nothing but s, one bit a unit: w̄ needs no z, because
// max(0, z) = s ⊙ z is linear in w2 and b2 where s is given. The hidden layer is computed again in the backward pass.
func (t *Tape) PairScoresDeep(u, v, w2, b2, w *Tensor) *Tensor {
	t.use("PairScoresDeep", w2, b2, w)
	if w2.rank() != 2 || w2.shape[0] != w.Len() || b2.Len() != w.Len() {
		panic(fmt.Sprintf("autograd: PairScoresDeep: w2 %v, b2 %v, w %v: want [K H], [K], [K]", w2.shape, b2.shape, w.shape))
	}
	m, n := t.pairs("PairScoresDeep", u, v, w2.shape[1])
	y := t.alloc([]int{m, n})
	var blocks []pairBlock
	t.NoGrad(func() {
		for from := 0; from < m; {
			b := pairBlock{t: t, u: u, v: v, from: from, rows: min(max(1, pairsAtOnce/n), m-from)}
			b.signs = t.alloc([]int{(b.rows*n*w.Len() + 15) / 16})
			t.Scope(func() *Tensor {
				_, h := b.hidden()
				z := t.Linear(h, w2, b2)
				t.dev.Signs(b.signs.buf, z.buf)
				scores := t.Reshape(t.MatMul(t.ReLU(z), t.Reshape(w, -1, 1), NN), b.rows, n)
				t.dev.Copy(b.rowsOf(y), []int{b.rows, n}, dense(scores))
				return y
			})
			blocks = append(blocks, b)
			from += b.rows
		}
	})
	in := []*Tensor{u, v, w2, b2, w}
	t.RecordJoint("PairScoresDeep", []*Tensor{y}, in, func(g []*Tensor) []*Tensor {
		gu, gv := t.full(u.shape, 0), t.alloc(v.shape)
		q, sums := t.full(w2.shape, 0), t.full(b2.shape, 0)
		learns := in[2] != nil || in[3] != nil || in[4] != nil
		for _, b := range blocks {
			t.Scope(func() *Tensor {
				pre, h := b.hidden()
				gy := t.Reshape(t.Slice(g[0], 0, b.from, b.from+b.rows), -1, 1)
				b.gradients(gu, gv, pre, h, t.Mul(t.MatMul(b.gate(t.Expand(t.Reshape(w, 1, -1), b.rows*n, w.Len())), w2, NN), gy))
				if learns {
					gated := b.gate(t.Expand(gy, b.rows*n, w.Len())) // ȳ·s
					t.dev.Gemm(device.Gemm{TransA: true, M: q.shape[0], N: q.shape[1], K: gy.Len(), Alpha: 1, Beta: 1,
						A: matrices(gated), B: matrices(h), C: matrices(q), Count: 1})
					t.dev.Axpy(1, t.Sum(gated, 0).buf, sums.buf)
				}
				return gu
			})
		}
		if !learns {
			return []*Tensor{gu, gv, nil, nil, nil}
		}
		column := t.Reshape(w, -1, 1)
		gw := t.Add(t.Sum(t.Mul(w2, q), 1), t.Mul(b2, sums))
		return []*Tensor{gu, gv, t.Mul(q, column), t.Mul(t.Reshape(w, b2.shape...), sums), t.Reshape(gw, w.shape...)}
	})
	return y
}

// pairsAtOnce is how many pairs PairScoresDeep takes at once: enough for the products to run at full speed.
const pairsAtOnce = 1024

// A pairBlock is the pairs of some rows of v with all rows of u.
type pairBlock struct {
	t          *Tape
	u, v       *Tensor
	from, rows int     // of v
	signs      *Tensor // of the second hidden layer
}

// hidden returns u_j + v_i and max(0, u_j + v_i), [rows·N H].
func (b *pairBlock) hidden() (pre, h *Tensor) {
	n, width := b.u.shape[0], b.u.shape[1]
	v := b.t.Reshape(b.t.Slice(b.v, 0, b.from, b.from+b.rows), b.rows, 1, width)
	pre = b.t.Reshape(b.t.Add(v, b.t.Reshape(b.u, 1, n, width)), -1, width)
	return pre, b.t.ReLU(pre)
}

// gate sets to 0, in place, what belongs to units of the second hidden layer that are off.
func (b *pairBlock) gate(x *Tensor) *Tensor {
	b.t.dev.Gate(x.buf, x.buf, b.signs.buf)
	return x
}

// gradients adds to gu and writes to gv's rows what the gradient gh of the first hidden layer gives; it overwrites gh.
func (b *pairBlock) gradients(gu, gv, pre, h, gh *Tensor) {
	n, width := b.u.shape[0], b.u.shape[1]
	b.t.dev.UnaryGrad(device.ReLU, gh.buf, pre.buf, h.buf, gh.buf, 0, 0)
	r := b.t.Reshape(gh, b.rows, n, width)
	b.t.dev.Axpy(1, b.t.Sum(r, 0).buf, gu.buf)
	b.t.dev.Copy(b.rowsOf(gv), []int{b.rows, width}, dense(b.t.Sum(r, 1)))
}

// rowsOf returns the block's rows of x [M …] as the target of a copy.
func (b *pairBlock) rowsOf(x *Tensor) device.Operand {
	return device.Operand{Buf: x.buf, Offset: b.from * x.shape[1], Strides: []int{x.shape[1], 1}}
}

// pairs returns M and N after checking that u is [N H] and v [M H].
func (t *Tape) pairs(op string, u, v *Tensor, width int) (m, n int) {
	t.use(op, u, v)
	if u.rank() != 2 || v.rank() != 2 || u.shape[1] != v.shape[1] || u.shape[1] != width {
		panic(fmt.Sprintf("autograd: %s: u %v, v %v: want [N H] and [M H] with H = %d", op, u.shape, v.shape, width))
	}
	return v.shape[0], u.shape[0]
}
