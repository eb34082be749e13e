package cpu

import (
	"runtime"

	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
	"github.com/seed-6655bf3b/recap/internal/simd"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
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
	p := simd.Gemm[T]{M: g.M, N: g.N, K: g.K, Alpha: T(g.Alpha), Beta: T(g.Beta),
		A: simd.Matrix[T]{V: d.data(g.A.Buf)[g.A.Offset:], LD: g.A.Stride, Trans: g.TransA},
		B: simd.Matrix[T]{V: d.data(g.B.Buf)[g.B.Offset:], LD: g.B.Stride, Trans: g.TransB},
		C: d.data(g.C.Buf)[g.C.Offset:], LDC: g.C.Stride}
	work := g.M * g.N * max(g.K, 1)
	if g.Count > 1 {
		d.batchGemm(p, g.Count, max(1, gemmWork/work), g.A.Batch, g.B.Batch, g.C.Batch)
		return
	}
	down, across := blocks(g.M, g.N, work, d.loops.minSquares)
	switch {
	case g.TransA && !g.TransB && g.K >= longParts*max(g.M, g.N):
		d.longGemm(p)
	case down*across > 1:
		d.dividedGemm(p, down, across)
	default:
		d.gemm(&p)
	}
}

// batchGemm computes count products, whose operands are a, b and c numbers apart.
func (d *Device[T]) batchGemm(first simd.Gemm[T], count, grain, a, b, c int) {
	parallel.For(count, grain, func(lo, hi int) {
		p := first
		for i := lo; i < hi; i++ {
			p.A.V, p.B.V, p.C = first.A.V[i*a:], first.B.V[i*b:], first.C[i*c:]
			d.gemm(&p)
		}
	})
}

// dividedGemm computes a product in blocks of C: down in a column and across in a row.
func (d *Device[T]) dividedGemm(g simd.Gemm[T], down, across int) {
	parallel.For(down*across, 1, func(lo, hi int) {
		for block := lo; block < hi; block++ {
			p := g
			var i, j int
			i, p.M = part(g.M, down, block/across)
			j, p.N = part(g.N, across, block%across)
			p.A, p.B, p.C = g.A.From(i, 0), g.B.From(0, j), g.C[i*g.LDC+j:]
			d.gemm(&p)
		}
	})
}

// longParts is the number of parts of a long sum.
const longParts = 16

// longGemm computes Aᵀ·B for matrices with many rows and few columns, as in the gradient of a
// weight. It computes a product for each part of the rows, and adds the products in order. If A has
// more columns than B, it swaps them and writes the transpose, since a column of A is read with a
// stride.
func (d *Device[T]) longGemm(g simd.Gemm[T]) {
	a, b, m, n := g.A.V, g.B.V, g.M, g.N
	lda, ldb := g.A.LD, g.B.LD
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
			d.gemm(&simd.Gemm[T]{M: m, N: n, K: k1 - k0, Alpha: g.Alpha,
				A: simd.Matrix[T]{V: a[k0*lda:], LD: lda, Trans: true},
				B: simd.Matrix[T]{V: b[k0*ldb:], LD: ldb}, C: parts[p*m*n:], LDC: n})
		}
	})
	parallel.For(m, rowGrain(longParts*n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sum := parts[i*n : (i+1)*n]
			for p := 1; p < longParts; p++ {
				d.loops.add(sum, sum, parts[(p*m+i)*n:][:n])
			}
			row, next := i*g.LDC, 1
			if swapped {
				row, next = i, g.LDC
			}
			for j, v := range sum {
				at := row + j*next
				if g.Beta == 0 {
					g.C[at] = v
				} else {
					g.C[at] = v + g.Beta*g.C[at]
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
	down, across = 1, 1
	if work <= gemmWork { // GOMAXPROCS takes a lock
		return down, across
	}
	threads := runtime.GOMAXPROCS(0)
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

// gemm computes a product on one core, through the BLAS that is registered. That of package simd
// takes the operands in one argument.
func (d *Device[T]) gemm(g *simd.Gemm[T]) {
	switch g := any(g).(type) {
	case *simd.Gemm[float32]:
		if b, ok := blas32.Implementation().(simd.BLAS); ok {
			b.Gemm(g)
			return
		}
		blas32.Implementation().Sgemm(g.A.Op(), g.B.Op(), g.M, g.N, g.K, g.Alpha, g.A.V, g.A.LD,
			g.B.V, g.B.LD, g.Beta, g.C, g.LDC)
	case *simd.Gemm[float64]:
		blas64.Implementation().Dgemm(g.A.Op(), g.B.Op(), g.M, g.N, g.K, g.Alpha, g.A.V, g.A.LD,
			g.B.V, g.B.LD, g.Beta, g.C, g.LDC)
	}
}
