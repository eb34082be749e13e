package recap

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/device"
)

// This file holds the operations of the concat critic, which are applied to all pairs of two sets
// of rows. They are implemented by kernels of the device, so that no tensor has the size of all
// pairs times all hidden units.

// pairScores scores all pairs of the rows of u [N H] and v [M H] by a two-layer perceptron whose
// first layer was applied to the rows of either side alone. Element (i, j) of the result [M N],
// for w [H], is
//
//	y_ij = w · h_ij,  h_ij = max(0, u_j + v_i)
//	ū_j = Σ_i ȳ_ij·w ⊙ [h_ij > 0],  v̄_i = Σ_j ȳ_ij·w ⊙ [h_ij > 0],  w̄ = Σ_ij ȳ_ij·h_ij
func pairScores(tp *ag.Tape, u, v, w *ag.Tensor) *ag.Tensor {
	tp.CheckOperands("PairScores", w)
	m, n := checkPairs(tp, "PairScores", u, v, w.Len())
	dev, width := tp.Device(), w.Len()
	y := tp.Empty(m, n)
	dev.PairScores(y.Buffer(), u.Buffer(), v.Buffer(), w.Buffer(), m, n, width)
	tp.RecordJoint("PairScores", []*ag.Tensor{y}, []*ag.Tensor{u, v, w},
		func(g []*ag.Tensor) []*ag.Tensor {
			gu, gv, gw := tp.Empty(u.Shape()...), tp.Empty(v.Shape()...), tp.Empty(w.Shape()...)
			dev.PairScoresGrad(gu.Buffer(), gv.Buffer(), gw.Buffer(), g[0].Buffer(), u.Buffer(),
				v.Buffer(), w.Buffer(), m, n, width)
			return []*ag.Tensor{gu, gv, gw}
		})
	return y
}

// pairScoresDeep is pairScores with another hidden layer, w2 [K H], b2 [K], w [K]: with h_ij =
// max(0, u_j + v_i) and z_ij = w2·h_ij + b2,
//
//	y_ij = w · max(0, z_ij)
//	ū_j = Σ_i ȳ_ij·r_ij,  v̄_i = Σ_j ȳ_ij·r_ij,  r_ij = w2ᵀ(w ⊙ s_ij) ⊙ [h_ij > 0],  s_ij = [z_ij > 0]
//	w̄2 = diag(w)·Q,  b̄2 = w ⊙ q,  w̄ = rowsum(w2 ⊙ Q) + b2 ⊙ q,  Q = Σ_ij ȳ_ij·s_ij h_ijᵀ,  q = Σ_ij ȳ_ij·s_ij
//
// It computes the pairs in blocks of about a thousand. For the backward pass it saves only the
// signs s of each pair, one bit for each unit: w̄ does not need z, because max(0, z) = s ⊙ z is
// linear in w2 and b2 for given s. The backward pass computes the hidden layer again.
func pairScoresDeep(tp *ag.Tape, u, v, w2, b2, w *ag.Tensor) *ag.Tensor {
	p := newPairNet(tp, "PairScoresDeep", u, v, w2, b2, w)
	y := p.forward()
	in := []*ag.Tensor{u, v, w2, b2, w}
	tp.RecordJoint("PairScoresDeep", []*ag.Tensor{y}, in, func(g []*ag.Tensor) []*ag.Tensor {
		return p.backward(g, in)
	})
	return y
}

// pairScoresTwice returns pairScoresDeep's y and a second result, constant, of the same numbers.
// The gradient of constant goes to cu and cv alone, as if it had been computed from them with
// the weights held constant. cu and cv have the values of u and v, but depend on other tensors. So
// one loss trains the critic on detached features, and another trains the features with the critic
// held constant, in one forward pass, and in a backward pass with one matrix product less.
func pairScoresTwice(tp *ag.Tape, u, v, cu, cv, w2, b2, w *ag.Tensor) (y, constant *ag.Tensor) {
	p := newPairNet(tp, "PairScoresTwice", u, v, w2, b2, w)
	if checkPairs(tp, "PairScoresTwice", cu, cv, w2.Shape()[1]); cu.Len() != u.Len() ||
		cv.Len() != v.Len() {
		panic(fmt.Sprintf(
			"recap: PairScoresTwice: u %v and v %v, but cu %v and cv %v: want the same",
			u.Shape(), v.Shape(), cu.Shape(), cv.Shape(),
		))
	}
	if tp.FrozenReplay != nil { // with frozen values the two results differ
		tp.Frozen([]*ag.Tensor{w2, b2, w}, func() {
			constant = pairScoresDeep(tp, cu, cv, w2, b2, w)
		})
		return pairScoresDeep(tp, u, v, w2, b2, w), constant
	}
	y = p.forward()
	tp.Unrecorded(func() { constant = tp.Reshape(y, y.Shape()...) })
	in := []*ag.Tensor{u, v, w2, b2, w, cu, cv}
	tp.RecordJoint("PairScoresTwice", []*ag.Tensor{y, constant},
		in, func(g []*ag.Tensor) []*ag.Tensor { return p.backward(g, in) })
	return y, constant
}

// A pairNet holds the operands of one pairScoresDeep, and its pairs in blocks.
type pairNet struct {
	tape            *ag.Tape
	u, v, w2, b2, w *ag.Tensor
	blocks          []pairBlock
}

// A pairBlock holds the pairs of some rows of v with all rows of u.
type pairBlock struct {
	*pairNet
	from, rows int        // of v
	signs      *ag.Tensor // s, packed
}

// pairsAtOnce is the number of pairs in a block: enough for matrix products at full speed.
const pairsAtOnce = 1024

func newPairNet(t *ag.Tape, op string, u, v, w2, b2, w *ag.Tensor) *pairNet {
	t.CheckOperands(op, w2, b2, w)
	if len(w2.Shape()) != 2 || w2.Shape()[0] != w.Len() || b2.Len() != w.Len() {
		panic(fmt.Sprintf("recap: %s: w2 %v, b2 %v, w %v: want [K H], [K], [K]", op, w2.Shape(),
			b2.Shape(), w.Shape()))
	}
	m, n := checkPairs(t, op, u, v, w2.Shape()[1])
	p := &pairNet{tape: t, u: u, v: v, w2: w2, b2: b2, w: w}
	for from := 0; from < m; from += max(1, pairsAtOnce/n) {
		b := pairBlock{p, from, min(max(1, pairsAtOnce/n), m-from), nil}
		b.signs = t.Empty((b.pairs()*w.Len() + 15) / 16)
		p.blocks = append(p.blocks, b)
	}
	return p
}

// forward returns y and fills in the blocks' signs.
func (p *pairNet) forward() *ag.Tensor {
	t, dev, n := p.tape, p.tape.Device(), p.u.Shape()[0]
	y := t.Empty(p.v.Shape()[0], n)
	t.Unrecorded(func() {
		for _, b := range p.blocks {
			t.Scope(func() *ag.Tensor {
				_, h := b.hidden()
				z := t.Linear(h, p.w2, p.b2)
				dev.PackSigns(b.signs.Buffer(), z.Buffer())
				scores := t.Reshape(t.MatMul(t.ReLU(z), t.Reshape(p.w, -1, 1), ag.NN), b.rows, n)
				dev.Copy(b.rowsOf(y), scores.Shape(),
					device.Dense(scores.Buffer(), scores.Shape()))
				return y
			})
		}
	})
	return y
}

// backward returns the gradients of u, v, w2, b2, w for g[0], and those of cu, cv for g[1] if
// there is one. Those of the weights are nil where in has none of them.
func (p *pairNet) backward(g, in []*ag.Tensor) []*ag.Tensor {
	t, dev := p.tape, p.tape.Device()
	grads := make([]*ag.Tensor, len(in))
	sides := [][2]int{{0, 1}, {5, 6}}[:len(g)] // positions of u and v in in
	for _, s := range sides {
		grads[s[0]], grads[s[1]] = t.Full(0, p.u.Shape()...), t.Empty(p.v.Shape()...)
	}
	q, sums := t.Full(0, p.w2.Shape()...), t.Full(0, p.b2.Shape()...)
	train := in[2] != nil || in[3] != nil || in[4] != nil
	for _, b := range p.blocks {
		t.Scope(func() *ag.Tensor {
			pre, h := b.hidden()
			r := t.MatMul(b.applyMask(t.Expand(t.Reshape(p.w, 1, -1), b.pairs(), p.w.Len())),
				p.w2, ag.NN)
			dev.UnaryGrad(device.ReLU, r.Buffer(), pre.Buffer(), h.Buffer(), r.Buffer(), 0, 0)
			for i, s := range sides {
				b.addSides(grads[s[0]], grads[s[1]], t.Mul(r, b.column(g[i])))
			}
			if train {
				b.addWeights(q, sums, b.applyMask(t.Expand(b.column(g[0]), b.pairs(), p.w.Len())),
					h)
			}
			return q
		})
	}
	if train {
		w := t.Reshape(p.w, -1, 1)
		grads[2], grads[3] = t.Mul(q, w), t.Mul(t.Reshape(p.w, p.b2.Shape()...), sums)
		grads[4] = t.Reshape(t.Add(t.Sum(t.Mul(p.w2, q), 1), t.Mul(p.b2, sums)), p.w.Shape()...)
	}
	return grads
}

func (b *pairBlock) pairs() int { return b.rows * b.u.Shape()[0] }

// hidden returns u_j + v_i and h_ij, [pairs H].
func (b *pairBlock) hidden() (pre, h *ag.Tensor) {
	n, width := b.u.Shape()[0], b.u.Shape()[1]
	v := b.tape.Reshape(b.tape.Slice(b.v, 0, b.from, b.from+b.rows), b.rows, 1, width)
	pre = b.tape.Reshape(b.tape.Add(v, b.tape.Reshape(b.u, 1, n, width)), -1, width)
	return pre, b.tape.ReLU(pre)
}

// applyMask multiplies x [pairs K] by s in place.
func (b *pairBlock) applyMask(x *ag.Tensor) *ag.Tensor {
	b.tape.Device().ApplySignMask(x.Buffer(), x.Buffer(), b.signs.Buffer())
	return x
}

// column returns the block's part of g [M N] as [pairs 1].
func (b *pairBlock) column(g *ag.Tensor) *ag.Tensor {
	return b.tape.Reshape(b.tape.Slice(g, 0, b.from, b.from+b.rows), -1, 1)
}

// addSides adds Σ_i ȳ_ij·r_ij to gu and writes Σ_j ȳ_ij·r_ij to the block's rows of gv, given the
// ȳ_ij·r_ij [pairs H].
func (b *pairBlock) addSides(gu, gv, gh *ag.Tensor) {
	r := b.tape.Reshape(gh, b.rows, b.u.Shape()[0], -1)
	b.tape.Device().Axpy(1, b.tape.Sum(r, 0).Buffer(), gu.Buffer())
	rows := b.tape.Sum(r, 1)
	b.tape.Device().Copy(b.rowsOf(gv), rows.Shape(), device.Dense(rows.Buffer(), rows.Shape()))
}

// addWeights adds the block's part of Q and q, given ȳ_ij·s_ij [pairs K].
func (b *pairBlock) addWeights(q, sums, masked, h *ag.Tensor) {
	b.tape.Device().Gemm(device.Gemm{TransA: true, M: q.Shape()[0], N: q.Shape()[1], K: b.pairs(),
		Alpha: 1, Beta: 1,
		A: matrix(masked), B: matrix(h), C: matrix(q), Count: 1})
	b.tape.Device().Axpy(1, b.tape.Sum(masked, 0).Buffer(), sums.Buffer())
}

// rowsOf returns the block's rows of x [M …] as the target of a copy.
func (b *pairBlock) rowsOf(x *ag.Tensor) device.Operand {
	return device.Operand{Buf: x.Buffer(), Offset: b.from * x.Shape()[1],
		Strides: []int{x.Shape()[1], 1}}
}

// matrix returns x [r c] as a kernel's operand.
func matrix(x *ag.Tensor) device.Matrix {
	return device.Matrix{Buf: x.Buffer(), Stride: x.Shape()[1]}
}

// checkPairs returns M and N after checking that u is [N H] and v [M H], H = width.
func checkPairs(tp *ag.Tape, op string, u, v *ag.Tensor, width int) (m, n int) {
	tp.CheckOperands(op, u, v)
	su, sv := u.Shape(), v.Shape()
	if len(su) != 2 || len(sv) != 2 || su[1] != sv[1] || su[1] != width {
		panic(fmt.Sprintf("recap: %s: u %v, v %v: want [N H] and [M H] with H = %d", op,
			su, sv, width))
	}
	return sv[0], su[0]
}
