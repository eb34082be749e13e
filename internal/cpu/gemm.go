package cpu

import (
	"runtime"

	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
	"gonum.org/v1/gonum/blas"
)

// gemmWork is the smallest number of multiplications in a block of a product, some tens of
// microseconds of work.
const gemmWork = 1 << 20

// Gemm implements device.Device. It runs the products of a batch in parallel, divides a large
// product into blocks, and divides the sums over K only where they are long, always at the same
// positions.
func (d *Device[T]) Gemm(g device.Gemm) {
	if g.M == 0 || g.N == 0 || g.Count == 0 {
		return
	}
	a, b := d.data(g.A.Buf)[g.A.Offset:], d.data(g.B.Buf)[g.B.Offset:]
	c := d.data(g.C.Buf)[g.C.Offset:]
	work := g.M * g.N * max(g.K, 1)
	if g.Count > 1 {
		parallel.For(g.Count, max(1, gemmWork/work), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				d.gemm(g.TransA, g.TransB, g.M, g.N, g.K, T(g.Alpha), a[i*g.A.Batch:], g.A.Stride,
					b[i*g.B.Batch:], g.B.Stride, T(g.Beta), c[i*g.C.Batch:], g.C.Stride)
			}
		})
		return
	}
	if g.TransA && !g.TransB && g.K >= longParts*max(g.M, g.N) {
		d.longGemm(g, a, b, c)
		return
	}
	nextRow, nextColumn := g.A.Stride, 1 // distances between rows of op(A) and columns of op(B)
	if g.TransA {
		nextRow = 1
	}
	if g.TransB {
		nextColumn = g.B.Stride
	}
	down, across := blocks(g.M, g.N, work, d.loops.minSquares)
	parallel.For(down*across, 1, func(lo, hi int) {
		for block := lo; block < hi; block++ {
			i, m := part(g.M, down, block/across)
			j, n := part(g.N, across, block%across)
			d.gemm(g.TransA, g.TransB, m, n, g.K, T(g.Alpha), a[i*nextRow:], g.A.Stride,
				b[j*nextColumn:], g.B.Stride, T(g.Beta), c[i*g.C.Stride+j:], g.C.Stride)
		}
	})
}

// longParts is the number of parts of a long sum.
const longParts = 16

// longGemm computes Aᵀ·B for matrices with many rows and few columns, as in the gradient of a
// weight. It computes a product for each part of the rows, and adds the products in order. If A
// has more columns than B, it swaps them and writes the transpose, since a column of A is read
// with a stride.
func (d *Device[T]) longGemm(g device.Gemm, a, b, c []T) {
	m, n, lda, ldb := g.M, g.N, g.A.Stride, g.B.Stride
	swapped := m > n
	if swapped {
		a, b, m, n, lda, ldb = b, a, n, m, ldb, lda
	}
	scratch := d.borrow(longParts * m * n)
	defer d.recycle(scratch)
	parts := *scratch
	parallel.For(longParts, 1, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			k0, k1 := p*g.K/longParts, (p+1)*g.K/longParts
			d.gemm(true, false, m, n, k1-k0, T(g.Alpha), a[k0*lda:], lda, b[k0*ldb:], ldb,
				0, parts[p*m*n:], n)
		}
	})
	parallel.For(m, rowGrain(longParts*n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sum := parts[i*n : (i+1)*n]
			for p := 1; p < longParts; p++ {
				d.loops.add(sum, sum, parts[(p*m+i)*n:][:n])
			}
			row, next := i*g.C.Stride, 1
			if swapped {
				row, next = i, g.C.Stride
			}
			for j, v := range sum {
				at := row + j*next
				if g.Beta == 0 {
					c[at] = v
				} else {
					c[at] = v + T(g.Beta)*c[at]
				}
			}
		}
	})
}

// blocks returns the numbers of blocks of C in a column and in a row: two blocks for each thread,
// but no division on one thread. Blocks do not share the operands that they pack, so large blocks
// pack less. The results do not depend on the blocks, which have minSquares squares of 64 by 64
// numbers or more.
func blocks(m, n, work, minSquares int) (down, across int) {
	squares := func(n, parts int) int { // in the smallest part
		_, first := part(n, parts, 0)
		_, last := part(n, parts, parts-1)
		return (min(first, last) + 63) / 64
	}
	threads := runtime.GOMAXPROCS(0)
	down, across = 1, 1
	for threads > 1 && down*across < 2*threads && work/(down*across) > gemmWork {
		more, wider := 2*down, across
		if m*across < n*down {
			more, wider = down, 2*across
		}
		if squares(m, more)*squares(n, wider) < minSquares {
			break
		}
		down, across = more, wider
	}
	return down, across
}

// part returns the first row and the number of rows of a part of n rows. Parts consist of units of
// 32 rows, which fill the vectors of a product's kernel, and differ by at most one of them.
func part(n, parts, i int) (first, size int) {
	const unit = 32
	units := (n + unit - 1) / unit
	first = i * units / parts * unit
	return first, min(n, (i+1)*units/parts*unit) - first
}

// gemm computes C ← alpha·op(A)·op(B) + beta·C on one core, through BLAS.
func (d *Device[T]) gemm(
	transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T,
	ldc int,
) {
	tA, tB := blas.NoTrans, blas.NoTrans
	if transA {
		tA = blas.Trans
	}
	if transB {
		tB = blas.Trans
	}
	d.loops.gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}
