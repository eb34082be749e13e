package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
	"github.com/seed-6655bf3b/recap/internal/simd"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// All products go through gonum's BLAS interfaces: gonum's own implementation in double precision, and in single precision one
// whose Sgemm uses the vector instructions of the processor where it has them.
var (
	blas32 blas.Float32 = simd.BLAS{}
	blas64 blas.Float64 = gonum.Implementation{}
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
				gemm(g.TransA, g.TransB, g.M, g.N, g.K, T(g.Alpha), a[i*g.A.Batch:], g.A.Stride, b[i*g.B.Batch:], g.B.Stride, T(g.Beta), c[i*g.C.Batch:], g.C.Stride)
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
			gemm(g.TransA, g.TransB, hi-lo, g.N, g.K, T(g.Alpha), a[lo*nextRow:], g.A.Stride, b, g.B.Stride, T(g.Beta), c[lo*g.C.Stride:], g.C.Stride)
		})
		return
	}
	parallel.For(g.N, blockLength(g.N, work), func(lo, hi int) {
		gemm(g.TransA, g.TransB, g.M, hi-lo, g.K, T(g.Alpha), a, g.A.Stride, b[lo*nextColumn:], g.B.Stride, T(g.Beta), c[lo:], g.C.Stride)
	})
}

// blockLength cuts a side of length n of a product into blocks of a multiple of 32.
func blockLength(n, work int) int {
	length := (gemmWork + work/n - 1) / (work / n)
	return (length + 31) / 32 * 32
}

// gemm computes C ← alpha·op(A)·op(B) + beta·C on one core, through BLAS.
func gemm[T Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	tA, tB := blas.NoTrans, blas.NoTrans
	if transA {
		tA = blas.Trans
	}
	if transB {
		tB = blas.Trans
	}
	switch a := any(a).(type) {
	case []float32:
		blas32.Sgemm(tA, tB, m, n, k, float32(alpha), a, lda, any(b).([]float32), ldb, float32(beta), any(c).([]float32), ldc)
	case []float64:
		blas64.Dgemm(tA, tB, m, n, k, float64(alpha), a, lda, any(b).([]float64), ldb, float64(beta), any(c).([]float64), ldc)
	}
}
