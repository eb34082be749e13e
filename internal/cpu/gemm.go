package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
	"gonum.org/v1/gonum/blas"
)

// gemmWork is how many multiplications make a chunk of a product.
const gemmWork = 1 << 19

// Gemm implements device.Device. A batch is split between its products, a large product into blocks of rows or of columns; the sums over
// K are never split.
func (d *Device[T]) Gemm(g device.Gemm) {
	if g.M == 0 || g.N == 0 || g.Count == 0 {
		return
	}
	a, b, c := d.data(g.A.Buf)[g.A.Offset:], d.data(g.B.Buf)[g.B.Offset:], d.data(g.C.Buf)[g.C.Offset:]
	work := g.M * g.N * max(g.K, 1)
	if g.Count > 1 {
		parallel.For(g.Count, max(1, gemmWork/work), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				d.gemm(g.TransA, g.TransB, g.M, g.N, g.K, T(g.Alpha), a[i*g.A.Batch:], g.A.Stride, b[i*g.B.Batch:], g.B.Stride, T(g.Beta), c[i*g.C.Batch:], g.C.Stride)
			}
		})
		return
	}
	nextRow, nextColumn := g.A.Stride, 1 // from one row of op(A), and from one column of op(B), to the next
	if g.TransA {
		nextRow = 1
	}
	if g.TransB {
		nextColumn = g.B.Stride
	}
	if g.M >= g.N {
		parallel.For(g.M, blockLength(g.M, work), func(lo, hi int) {
			d.gemm(g.TransA, g.TransB, hi-lo, g.N, g.K, T(g.Alpha), a[lo*nextRow:], g.A.Stride, b, g.B.Stride, T(g.Beta), c[lo*g.C.Stride:], g.C.Stride)
		})
		return
	}
	parallel.For(g.N, blockLength(g.N, work), func(lo, hi int) {
		d.gemm(g.TransA, g.TransB, g.M, hi-lo, g.K, T(g.Alpha), a, g.A.Stride, b[lo*nextColumn:], g.B.Stride, T(g.Beta), c[lo:], g.C.Stride)
	})
}

// blockLength cuts a side of length n of a product into blocks of a multiple of 32.
func blockLength(n, work int) int {
	length := (gemmWork + work/n - 1) / (work / n)
	return (length + 31) / 32 * 32
}

// gemm computes C ← alpha·op(A)·op(B) + beta·C on one core, through BLAS.
func (d *Device[T]) gemm(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	tA, tB := blas.NoTrans, blas.NoTrans
	if transA {
		tA = blas.Trans
	}
	if transB {
		tB = blas.Trans
	}
	d.loops.gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}
