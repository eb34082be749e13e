package simd

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// BLAS is gonum's BLAS with a faster Sgemm. Register it with blas32.Use(simd.BLAS{}).
type BLAS struct{ gonum.Implementation }

// Sgemm computes C ← alpha·op(A)·op(B) + beta·C, where op(A) is [m k], op(B) is [k n], C is [m n]
// and op transposes as tA and tB say. It panics on wrong arguments, with the same messages as
// gonum. If beta is 0, it does not read C; if alpha is 0, it reads neither A nor B.
//
// It runs on the calling goroutine, and several goroutines may call it. On the AVX paths each
// number of C is one sum in an order that depends only on k, so a product that is divided by rows
// or columns, in any way, has the same bits; and both AVX paths give the same bits. The generic
// path is gonum's Sgemm.
func (b BLAS) Sgemm(
	tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, bb []float32,
	ldb int, beta float32, c []float32, ldc int,
) {
	var g gemm // see block.set
	g.m, g.n, g.k, g.alpha, g.beta, g.c, g.ldc = m, n, k, alpha, beta, c, ldc
	g.a.v, g.a.ld, g.a.trans = a, lda, tA != blas.NoTrans
	g.b.v, g.b.ld, g.b.trans = bb, ldb, tB != blas.NoTrans
	if active.product == nil || !isTranspose(tA) || !isTranspose(tB) || !g.valid() {
		b.Implementation.Sgemm(tA, tB, g.m, g.n, g.k, g.alpha, g.a.v, g.a.ld, g.b.v, g.b.ld,
			g.beta, g.c, g.ldc)
		return
	}
	active.product.gemm(&g)
}

func isTranspose(t blas.Transpose) bool {
	return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

// valid reports whether the product is not empty and the operands are as long as their shapes
// need.
func (g *gemm) valid() bool {
	return g.m > 0 && g.n > 0 && g.k > 0 && g.alpha != 0 &&
		g.a.holds(g.m, g.k) && g.b.holds(g.k, g.n) &&
		g.ldc >= g.n && len(g.c) >= (g.m-1)*g.ldc+g.n
}

// holds reports whether op(v) has at least rows rows and cols columns.
func (x *matrix) holds(rows, cols int) bool {
	if x.trans {
		rows, cols = cols, rows
	}
	return x.ld >= cols && len(x.v) >= (rows-1)*x.ld+cols
}
