package autograd

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// PairScores scores all pairs of the rows of u [N H] and v [M H] by a two-layer perceptron whose
// first layer has been applied to either side: element (i, j) of the result [M N] is Σ_h
// w_h·max(0, u_jh + v_ih), w [H]. The M×N×H hidden layer is never in memory.
//
//	ū_j = Σ_i ȳ_ij·w ⊙ [u_j + v_i > 0],  v̄_i = Σ_j ȳ_ij·w ⊙ [u_j + v_i > 0],  w̄ = Σ_ij ȳ_ij·max(0, u_j + v_i)
func (t *Tape) PairScores(u, v, w *Tensor) *Tensor {
	t.CheckOperands("PairScores", w)
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

// PairScoresDeep is PairScores with another hidden layer, w2 [K H], b2 [K], w [K]: with h_ij =
// max(0, u_j + v_i) and z_ij = w2·h_ij + b2,
//
//	y_ij = w · max(0, z_ij)
//	ū_j = Σ_i ȳ_ij·r_ij,  v̄_i = Σ_j ȳ_ij·r_ij,  r_ij = w2ᵀ(w ⊙ s_ij) ⊙ [h_ij > 0],  s_ij = [z_ij > 0]
//	w̄2 = diag(w)·Q,  b̄2 = w ⊙ q,  w̄ = rowsum(w2 ⊙ Q) + b2 ⊙ q,  Q = Σ_ij ȳ_ij·s_ij h_ijᵀ,  q = Σ_ij ȳ_ij·s_ij
//
// It goes through the pairs in blocks of some thousand and keeps of a pair nothing but s, one bit
// a unit: w̄ needs no z, because max(0, z) = s ⊙ z is linear in w2 and b2 where s is given. The
// hidden layer is computed again in the backward pass.
func (t *Tape) PairScoresDeep(u, v, w2, b2, w *Tensor) *Tensor {
	p := t.newPairNet("PairScoresDeep", u, v, w2, b2, w)
	y := p.forward()
	in := []*Tensor{u, v, w2, b2, w}
	t.RecordJoint("PairScoresDeep", []*Tensor{y}, in, func(g []*Tensor) []*Tensor { return p.backward(g, in) })
	return y
}

// PairScoresTwice returns PairScoresDeep's y, and a second result of the same numbers whose
// gradient goes to cu and cv alone, as if it had been computed from them with the weights held
// constant. cu and cv have the values of u and v, but come another way: so a critic is trained on
// features that it moves by another loss, for one forward pass and one product less in the
// backward pass.
func (t *Tape) PairScoresTwice(u, v, cu, cv, w2, b2, w *Tensor) (y, constant *Tensor) {
	p := t.newPairNet("PairScoresTwice", u, v, w2, b2, w)
	if t.pairs("PairScoresTwice", cu, cv, w2.shape[1]); cu.Len() != u.Len() || cv.Len() != v.Len() {
		panic(fmt.Sprintf("autograd: PairScoresTwice: u %v and v %v, but cu %v and cv %v: want the same", u.shape, v.shape, cu.shape, cv.shape))
	}
	if t.FrozenReplay != nil {
		t.Frozen([]*Tensor{w2, b2, w}, func() { constant = t.PairScoresDeep(cu, cv, w2, b2, w) })
		return t.PairScoresDeep(u, v, w2, b2, w), constant
	}
	y = p.forward()
	constant = t.alias(y, y.shape)
	in := []*Tensor{u, v, w2, b2, w, cu, cv}
	t.RecordJoint("PairScoresTwice", []*Tensor{y, constant}, in, func(g []*Tensor) []*Tensor { return p.backward(g, in) })
	return y, constant
}

// A pairNet is what PairScoresDeep computes.
type pairNet struct {
	t               *Tape
	u, v, w2, b2, w *Tensor
	blocks          []pairBlock
}

// A pairBlock is the pairs of some rows of v with all rows of u.
type pairBlock struct {
	*pairNet
	from, rows int     // of v
	signs      *Tensor // s, packed
}

// pairsAtOnce is how many pairs make a block: enough for the products to run at full speed.
const pairsAtOnce = 1024

func (t *Tape) newPairNet(op string, u, v, w2, b2, w *Tensor) *pairNet {
	t.CheckOperands(op, w2, b2, w)
	if w2.rank() != 2 || w2.shape[0] != w.Len() || b2.Len() != w.Len() {
		panic(fmt.Sprintf("autograd: %s: w2 %v, b2 %v, w %v: want [K H], [K], [K]", op, w2.shape, b2.shape, w.shape))
	}
	m, n := t.pairs(op, u, v, w2.shape[1])
	p := &pairNet{t: t, u: u, v: v, w2: w2, b2: b2, w: w}
	for from := 0; from < m; from += max(1, pairsAtOnce/n) {
		b := pairBlock{p, from, min(max(1, pairsAtOnce/n), m-from), nil}
		b.signs = t.alloc([]int{(b.pairs()*w.Len() + 15) / 16})
		p.blocks = append(p.blocks, b)
	}
	return p
}

// forward returns y and fills in the blocks' signs.
func (p *pairNet) forward() *Tensor {
	t, n := p.t, p.u.shape[0]
	y := t.alloc([]int{p.v.shape[0], n})
	t.Unrecorded(func() {
		for _, b := range p.blocks {
			t.Scope(func() *Tensor {
				_, h := b.hidden()
				z := t.Linear(h, p.w2, p.b2)
				t.dev.PackSigns(b.signs.buf, z.buf)
				scores := t.Reshape(t.MatMul(t.ReLU(z), t.Reshape(p.w, -1, 1), NN), b.rows, n)
				t.dev.Copy(b.rowsOf(y), scores.shape, dense(scores))
				return y
			})
		}
	})
	return y
}

// backward returns the gradients of u, v, w2, b2, w for g[0], and those of cu, cv for g[1] if
// there is one. Those of the weights are nil where in has none of them.
func (p *pairNet) backward(g, in []*Tensor) []*Tensor {
	t := p.t
	grads := make([]*Tensor, len(in))
	sides := [][2]int{{0, 1}, {5, 6}}[:len(g)] // positions of u and v in in
	for _, s := range sides {
		grads[s[0]], grads[s[1]] = t.full(p.u.shape, 0), t.alloc(p.v.shape)
	}
	q, sums := t.full(p.w2.shape, 0), t.full(p.b2.shape, 0)
	learns := in[2] != nil || in[3] != nil || in[4] != nil
	for _, b := range p.blocks {
		t.Scope(func() *Tensor {
			pre, h := b.hidden()
			r := t.MatMul(b.gate(t.Expand(t.Reshape(p.w, 1, -1), b.pairs(), p.w.Len())), p.w2, NN)
			t.dev.UnaryGrad(device.ReLU, r.buf, pre.buf, h.buf, r.buf, 0, 0)
			for i, s := range sides {
				b.addSides(grads[s[0]], grads[s[1]], t.Mul(r, b.column(g[i])))
			}
			if learns {
				b.addWeights(q, sums, b.gate(t.Expand(b.column(g[0]), b.pairs(), p.w.Len())), h)
			}
			return q
		})
	}
	if learns {
		w := t.Reshape(p.w, -1, 1)
		grads[2], grads[3] = t.Mul(q, w), t.Mul(t.Reshape(p.w, p.b2.shape...), sums)
		grads[4] = t.Reshape(t.Add(t.Sum(t.Mul(p.w2, q), 1), t.Mul(p.b2, sums)), p.w.shape...)
	}
	return grads
}

func (b *pairBlock) pairs() int { return b.rows * b.u.shape[0] }

// hidden returns u_j + v_i and h_ij, [pairs H].
func (b *pairBlock) hidden() (pre, h *Tensor) {
	n, width := b.u.shape[0], b.u.shape[1]
	v := b.t.Reshape(b.t.Slice(b.v, 0, b.from, b.from+b.rows), b.rows, 1, width)
	pre = b.t.Reshape(b.t.Add(v, b.t.Reshape(b.u, 1, n, width)), -1, width)
	return pre, b.t.ReLU(pre)
}

// gate multiplies x [pairs K] by s in place.
func (b *pairBlock) gate(x *Tensor) *Tensor {
	b.t.dev.ApplySignMask(x.buf, x.buf, b.signs.buf)
	return x
}

// column returns the block's part of g [M N] as [pairs 1].
func (b *pairBlock) column(g *Tensor) *Tensor {
	return b.t.Reshape(b.t.Slice(g, 0, b.from, b.from+b.rows), -1, 1)
}

// addSides adds Σ_i ȳ_ij·r_ij to gu and writes Σ_j ȳ_ij·r_ij to the block's rows of gv, given the
// ȳ_ij·r_ij [pairs H].
func (b *pairBlock) addSides(gu, gv, gh *Tensor) {
	r := b.t.Reshape(gh, b.rows, b.u.shape[0], -1)
	b.t.dev.Axpy(1, b.t.Sum(r, 0).buf, gu.buf)
	rows := b.t.Sum(r, 1)
	b.t.dev.Copy(b.rowsOf(gv), rows.shape, dense(rows))
}

// addWeights adds the block's part of Q and q, given ȳ_ij·s_ij [pairs K].
func (b *pairBlock) addWeights(q, sums, gated, h *Tensor) {
	b.t.dev.Gemm(device.Gemm{TransA: true, M: q.shape[0], N: q.shape[1], K: b.pairs(), Alpha: 1, Beta: 1,
		A: matrices(gated), B: matrices(h), C: matrices(q), Count: 1})
	b.t.dev.Axpy(1, b.t.Sum(gated, 0).buf, sums.buf)
}

// rowsOf returns the block's rows of x [M …] as the target of a copy.
func (b *pairBlock) rowsOf(x *Tensor) device.Operand {
	return device.Operand{Buf: x.buf, Offset: b.from * x.shape[1], Strides: []int{x.shape[1], 1}}
}

// pairs returns M and N after checking that u is [N H] and v [M H].
func (t *Tape) pairs(op string, u, v *Tensor, width int) (m, n int) {
	t.CheckOperands(op, u, v)
	if u.rank() != 2 || v.rank() != 2 || u.shape[1] != v.shape[1] || u.shape[1] != width {
		panic(fmt.Sprintf("autograd: %s: u %v, v %v: want [N H] and [M H] with H = %d", op, u.shape, v.shape, width))
	}
	return v.shape[0], u.shape[0]
}
