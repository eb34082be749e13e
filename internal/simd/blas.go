package simd

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// A Gemm is a product C ← Alpha·op(A)·op(B) + Beta·C, where op(A) is [M K], op(B) is [K N], and the
// rows of C [M N] are LDC apart. If Beta is 0, C is not read.
type Gemm[T float32 | float64] struct {
	M, N, K     int
	Alpha, Beta T
	A, B        Matrix[T]
	C           []T
	LDC         int
}

// A Matrix is op(V): V with rows LD apart, or its transpose.
type Matrix[T float32 | float64] struct {
	V     []T
	LD    int
	Trans bool
}

type (
	gemm   = Gemm[float32]
	matrix = Matrix[float32]
)

// BLAS is gonum's BLAS with a faster Sgemm. Register it with blas32.Use(simd.BLAS{}).
type BLAS struct{ gonum.Implementation }

// Sgemm computes C ← alpha·op(A)·op(B) + beta·C, where op(A) is [m k], op(B) is [k n], C is [m n]
// and op transposes as tA and tB say. It panics on wrong arguments, with the same messages as
// gonum. If beta is 0, it does not read C; if alpha is 0, it calls gonum's Sgemm.
//
// It runs on the calling goroutine, and several goroutines may call it. On the AVX paths each
// number of C is one sum in an order that depends only on k, so a product that is divided by rows
// or columns, in any way, has the same bits; and both AVX paths give the same bits. The generic
// path is gonum's Sgemm.
func (b BLAS) Sgemm(
	tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, bb []float32,
	ldb int, beta float32, c []float32, ldc int,
) {
	if !isTranspose(tA) || !isTranspose(tB) {
		b.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, bb, ldb, beta, c, ldc) // panics
		return
	}
	var g gemm // see block.set
	g.M, g.N, g.K, g.Alpha, g.Beta, g.C, g.LDC = m, n, k, alpha, beta, c, ldc
	g.A.V, g.A.LD, g.A.Trans = a, lda, tA != blas.NoTrans
	g.B.V, g.B.LD, g.B.Trans = bb, ldb, tB != blas.NoTrans
	b.Gemm(&g)
}

// Gemm is Sgemm with the operands in one argument, which makes small products faster.
func (b BLAS) Gemm(g *Gemm[float32]) {
	if active.product == nil || !g.valid() {
		b.Implementation.Sgemm(g.A.Op(), g.B.Op(), g.M, g.N, g.K, g.Alpha, g.A.V, g.A.LD, g.B.V,
			g.B.LD, g.Beta, g.C, g.LDC)
		return
	}
	active.product.gemm(g)
}

// Op returns the argument of a BLAS function for a matrix.
func (x *Matrix[T]) Op() blas.Transpose {
	if x.Trans {
		return blas.Trans
	}
	return blas.NoTrans
}

func isTranspose(t blas.Transpose) bool {
	return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

// valid reports whether the product is not empty and the operands are as long as their shapes
// need.
func (g *Gemm[T]) valid() bool {
	return g.M > 0 && g.N > 0 && g.K > 0 && g.Alpha != 0 &&
		g.A.holds(g.M, g.K) && g.B.holds(g.K, g.N) &&
		g.LDC >= g.N && len(g.C) >= (g.M-1)*g.LDC+g.N
}

// holds reports whether op(v) has at least rows rows and cols columns.
func (x *Matrix[T]) holds(rows, cols int) bool {
	if x.Trans {
		rows, cols = cols, rows
	}
	return x.LD >= cols && len(x.V) >= (rows-1)*x.LD+cols
}
