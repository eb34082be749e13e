package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Trans says which operands of a [Tape.MatMul] are transposed: the first letter stands for a, the
// second for b, as in BLAS.
type Trans uint8

const (
	NN Trans = iota // a·b
	NT              // a·bᵀ
	TN              // aᵀ·b
	TT              // aᵀ·bᵀ
)

func (tr Trans) a() bool { return tr&2 != 0 }
func (tr Trans) b() bool { return tr&1 != 0 }

// MatMul returns the matrix product of the last two axes: for a [… m k] and b [… k n], after the
// transpositions of tr, it returns [… m n]. The leading axes of a and b are equal, or one of the
// two is a single matrix that multiplies every matrix of the other. It panics if shapes do not fit.
//
//	NN: ā = ȳ·bᵀ, b̄ = aᵀ·ȳ     NT: ā = ȳ·b,  b̄ = ȳᵀ·a
//	TN: ā = b·ȳᵀ, b̄ = a·ȳ      TT: ā = bᵀ·ȳᵀ, b̄ = ȳᵀ·aᵀ
func (t *Tape) MatMul(a, b *Tensor, tr Trans) *Tensor {
	t.CheckOperands("MatMul", a, b)
	// the rows of all matrices of a are rows of one product
	if a.rank() > 2 && b.rank() == 2 && !tr.a() {
		k := a.shape[a.rank()-1]
		y := t.MatMul(t.Reshape(a, -1, k), b, tr)
		return t.Reshape(y, append(slices.Clone(a.shape[:a.rank()-1]), y.shape[1])...)
	}
	y := t.product(a, b, tr)
	var wrtA, wrtB func(g *Tensor) *Tensor
	switch tr {
	case NN:
		wrtA = func(g *Tensor) *Tensor { return t.MatMul(g, b, NT) }
		wrtB = func(g *Tensor) *Tensor { return t.MatMul(a, g, TN) }
	case NT:
		wrtA = func(g *Tensor) *Tensor { return t.MatMul(g, b, NN) }
		wrtB = func(g *Tensor) *Tensor { return t.MatMul(g, a, TN) }
	case TN:
		wrtA = func(g *Tensor) *Tensor { return t.MatMul(b, g, NT) }
		wrtB = func(g *Tensor) *Tensor { return t.MatMul(a, g, NN) }
	case TT:
		wrtA = func(g *Tensor) *Tensor { return t.MatMul(b, g, TT) }
		wrtB = func(g *Tensor) *Tensor { return t.MatMul(g, a, TT) }
	}
	return t.Record("MatMul", y, Wrt(a, wrtA), Wrt(b, wrtB))
}

// product computes a MatMul whose leading axes are equal, or absent in one operand.
func (t *Tape) product(a, b *Tensor, tr Trans) *Tensor {
	if a.rank() < 2 || b.rank() < 2 {
		panic(fmt.Sprintf("autograd: MatMul: shapes %v and %v: want at least two axes each",
			a.shape, b.shape))
	}
	ra, rb := a.rank()-2, b.rank()-2
	m, ka := a.shape[ra], a.shape[ra+1]
	if tr.a() {
		m, ka = ka, m
	}
	kb, n := b.shape[rb], b.shape[rb+1]
	if tr.b() {
		kb, n = n, kb
	}
	if ka != kb {
		panic(fmt.Sprintf("autograd: MatMul: shapes %v and %v: inner lengths %d and %d differ",
			a.shape, b.shape, ka, kb))
	}
	batch := a.shape[:ra]
	if ra == 0 {
		batch = b.shape[:rb]
	}
	if ra > 0 && rb > 0 && !slices.Equal(a.shape[:ra], b.shape[:rb]) {
		panic(fmt.Sprintf("autograd: MatMul: shapes %v and %v: batches %v and %v differ",
			a.shape, b.shape, a.shape[:ra], b.shape[:rb]))
	}
	y := t.alloc(append(slices.Clone(batch), m, n))
	t.dev.Gemm(device.Gemm{TransA: tr.a(), TransB: tr.b(), M: m, N: n, K: ka, Alpha: 1,
		A: matrices(a), B: matrices(b), C: matrices(y), Count: size(batch)})
	return y
}

// matrices returns x as a batch of matrices. A single matrix is repeated.
func matrices(x *Tensor) device.Matrix {
	r, c := x.shape[x.rank()-2], x.shape[x.rank()-1]
	m := device.Matrix{Buf: x.buf, Stride: c, Batch: r * c}
	if x.rank() == 2 {
		m.Batch = 0
	}
	return m
}

// Linear returns x·wᵀ + b, [… out], for x [… in], w [out in] and b [out] or nil. It panics if
// shapes do not fit.
//
//	x̄ = ȳ·w,  w̄ = ȳᵀ·x,  b̄ = Σ ȳ over all axes but the last
func (t *Tape) Linear(x, w, b *Tensor) *Tensor {
	t.CheckOperands("Linear", x, w)
	if w.rank() != 2 || x.rank() < 1 || x.shape[x.rank()-1] != w.shape[1] {
		panic(fmt.Sprintf("autograd: Linear: x %v and w %v: want x [… in] and w [out in]",
			x.shape, w.shape))
	}
	if x.rank() != 2 {
		y := t.Linear(t.Reshape(x, -1, w.shape[1]), w, b)
		return t.Reshape(y, append(slices.Clone(x.shape[:x.rank()-1]), w.shape[0])...)
	}
	y := t.alloc([]int{x.shape[0], w.shape[0]})
	g := device.Gemm{TransB: true, M: y.shape[0], N: y.shape[1], K: x.shape[1], Alpha: 1,
		A: matrices(x), B: matrices(w), C: matrices(y), Count: 1}
	edges := []Edge{
		Wrt(x, func(g *Tensor) *Tensor { return t.MatMul(g, w, NN) }),
		Wrt(w, func(g *Tensor) *Tensor { return t.MatMul(g, x, TN) }),
	}
	if b != nil {
		t.CheckOperands("Linear", b)
		if b.rank() != 1 || b.shape[0] != w.shape[0] {
			panic(fmt.Sprintf("autograd: Linear: w %v and b %v: want w [out in] and b [out]",
				w.shape, b.shape))
		}
		t.dev.Copy(dense(y), y.shape, broadcastTo(b, y.shape))
		g.Beta = 1
		edges = append(edges, Wrt(b, func(g *Tensor) *Tensor { return g }))
	}
	t.dev.Gemm(g)
	return t.Record("Linear", y, edges...)
}

// GELULinear returns GELU(x)·wᵀ + b, the second half of a Transformer's feed-forward network,
// for x [… in], w [out in], b [out]; it returns [… out]. GELU(x) is not saved for the backward
// pass but computed again there, for about a hundredth of the time of the matrix products. It
// panics if shapes do not fit.
//
//	x̄ = ȳ·w ⊙ GELU′(x),  w̄ = ȳᵀ·GELU(x),  b̄ = Σ ȳ over all axes but the last
func (t *Tape) GELULinear(x, w, b *Tensor) *Tensor {
	var y *Tensor
	t.Unrecorded(func() {
		y = t.Scope(func() *Tensor { return t.Linear(t.GELU(x), w, b) })
	})
	t.RecordJoint("GELULinear", []*Tensor{y}, []*Tensor{x, w, b}, func(g []*Tensor) []*Tensor {
		a := t.Reshape(t.GELU(x), -1, w.shape[1])
		gy := t.Reshape(g[0], -1, w.shape[0])
		gx := t.MatMul(gy, w, NN)
		t.dev.UnaryGrad(device.GELU, gx.buf, x.buf, a.buf, gx.buf, 0, 0)
		return []*Tensor{t.Reshape(gx, x.shape...), t.MatMul(gy, a, TN), gy}
	})
	return y
}
