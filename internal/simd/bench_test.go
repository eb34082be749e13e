package simd

import (
	"fmt"
	"testing"

	"gonum.org/v1/gonum/blas"
)

// BenchmarkSgemm measures the shapes that occur in RECAP and BERT, on one goroutine. One operation
// is count independent products.
func BenchmarkSgemm(b *testing.B) {
	const no, tr = blas.NoTrans, blas.Trans
	shapes := []struct {
		m, n, k, count int
		tA, tB         blas.Transpose
	}{
		{1024, 1024, 1024, 1, no, no}, {3200, 128, 128, 1, no, no}, {3200, 128, 128, 1, no, tr},
		{128, 128, 3200, 1, tr, no},
		{3200, 512, 128, 1, no, no}, {64, 1024, 1024, 1, no, no}, {64, 1024, 1024, 1, no, tr},
		{1024, 1024, 64, 1, tr, no},
		{4096, 2048, 2048, 1, no, tr}, {3200, 768, 768, 1, no, tr}, {3200, 3072, 768, 1, no, tr},
		{768, 3072, 3200, 1, tr, no},
		{50, 50, 64, 1, no, tr}, {50, 64, 50, 1, no, no}, {50, 64, 50, 1, tr, no},
		{8, 8, 64, 1, no, tr}, {8, 64, 8, 1, no, no}, {50, 50, 64, 512, no, tr},
		{50, 64, 50, 512, no, no}, {50, 64, 50, 512, tr, no}, {8, 8, 64, 512, no, tr},
		{8, 64, 8, 512, no, no}, {383, 383, 64, 16, no, tr}, {383, 64, 383, 16, no, no},
	}
	for _, s := range shapes {
		b.Run(fmt.Sprintf("%c%c/%dx%dx%dx%d", s.tA, s.tB, s.count, s.m, s.n, s.k),
			func(b *testing.B) {
				x, y, z := make([]float32, s.count*s.m*s.k), make([]float32,
					s.count*s.k*s.n), make([]float32, s.count*s.m*s.n)
				for _, v := range [][]float32{x, y} {
					for i := range v {
						v[i] = float32(i%7) - 3
					}
				}
				lda, ldb := s.k, s.n
				if s.tA == tr {
					lda = s.m
				}
				if s.tB == tr {
					ldb = s.k
				}
				for b.Loop() {
					for i := range s.count {
						BLAS{}.Sgemm(s.tA, s.tB, s.m, s.n, s.k, 1, x[i*s.m*s.k:],
							lda, y[i*s.k*s.n:], ldb, 0, z[i*s.m*s.n:], s.n)
					}
				}
				b.ReportMetric(
					2e-9*float64(s.m*s.n*s.k*s.count)*float64(b.N)/b.Elapsed().Seconds(), "GF/s",
				)
			})
	}
}

// BenchmarkKernel measures the largest tile on operands in the first-level cache, which is the
// upper bound for all products.
func BenchmarkKernel(b *testing.B) {
	p := active.product
	if p == nil {
		b.Skip("no kernels on this path")
	}
	const k = 128
	rows, cols := p.rows, 2*p.lanes
	x, y, z := make([]float32, rows*k), make([]float32, k*cols), make([]float32, rows*cols)
	for b.Loop() {
		p.kernels[rows-1][1](k, &x[0], k, 1, &y[0], cols, &z[0], cols, p.lanes, 100, 0, 0, 0,
			0, 1, 0)
	}
	b.ReportMetric(2e-7*float64(rows*cols*k)*float64(b.N)/b.Elapsed().Seconds(), "GF/s")
}

// BenchmarkVector measures each vector kernel on rows as long as those of RECAP, and on a long
// row.
func BenchmarkVector(b *testing.B) {
	for _, k := range routines {
		for _, n := range []int{50, 128, 383, 1 << 15} {
			b.Run(fmt.Sprintf("%s/%d", k.name, n), func(b *testing.B) {
				row := func(count int) (all [][]float32) {
					for range count {
						x := make([]float32, n)
						for i := range x {
							x[i] = float32(i%13)/4 - 1.4
						}
						all = append(all, x)
					}
					return all
				}
				outs, ins := row(k.outs), row(k.ins)
				for b.Loop() {
					k.call(active.vector, outs, ins)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n),
					"ns/number")
			})
		}
	}
}
