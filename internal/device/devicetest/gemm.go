package devicetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// products are the sizes of matrix products and the numbers of products in a batch. Devices split
// the largest by rows, by columns or by products.
var products = []struct{ m, n, k, count int }{
	{1, 1, 1, 1}, {1, 5, 3, 1}, {5, 1, 3, 1}, {3, 4, 0, 1}, {7, 9, 11, 1}, {17, 33, 19, 3},
	{64, 32, 48, 2},
	{150, 90, 91, 1}, {90, 151, 90, 1}, {3, 2000, 120, 1}, {2001, 2, 150, 1}, {40, 40, 33, 23},
	{9, 5, 400, 1}, {4, 13, 333, 1},
}

func (s *suite) gemm() {
	for _, c := range products {
		for _, trans := range [][2]bool{{false, false}, {false, true}, {true, false},
			{true, true}} {
			g := device.Gemm{TransA: trans[0], TransB: trans[1], M: c.m, N: c.n, K: c.k,
				Count: c.count}
			for _, v := range []struct {
				alpha, beta float64
				gap         int // between rows, between matrices and before the first
				repeat      byte
			}{{1, 0, 0, 0}, {-0.75, 1, 3, 0}, {0.5, 0.25, 1, 'A'}, {2, 0, 2, 'B'}} {
				g.Alpha, g.Beta = v.alpha, v.beta
				s.gemmOne(g, v.gap, v.repeat)
			}
		}
	}
}

// A block is a batch of matrices with the contents of its buffer.
type block struct {
	device.Matrix
	values []float64
}

// block returns count random matrices of the given size, with gaps of NaN.
func (s *suite) block(rows, columns, count, gap int, repeat bool) block {
	b := block{Matrix: device.Matrix{Offset: gap, Stride: max(1, columns+gap)}}
	size := rows*b.Stride + gap
	if !repeat {
		b.Batch = size
	}
	b.values = filled(b.Offset+(count-1)*b.Batch+size+1, math.NaN())
	for i := range count {
		for r := range rows {
			copy(b.values[b.Offset+i*b.Batch+r*b.Stride:], s.numbers(columns))
		}
	}
	return b
}

// rows returns the rows of matrix i, which has the given size; transposed returns its columns.
func (b *block) rows(i, rows, columns int, transposed bool) [][]float64 {
	nextRow, nextColumn := b.Stride, 1
	if transposed {
		rows, columns, nextRow, nextColumn = columns, rows, 1, b.Stride
	}
	v := make([][]float64, rows)
	for r := range v {
		v[r] = make([]float64, columns)
		for c := range columns {
			v[r][c] = b.values[b.Offset+i*b.Batch+r*nextRow+c*nextColumn]
		}
	}
	return v
}

// gemmOne creates the matrices of the product g and checks it. Gaps are NaN, and so is all of C if
// beta is 0; the gaps must be NaN afterwards too.
func (s *suite) gemmOne(g device.Gemm, gap int, repeat byte) {
	rowsA, columnsA, rowsB, columnsB := g.M, g.K, g.K, g.N
	if g.TransA {
		rowsA, columnsA = g.K, g.M
	}
	if g.TransB {
		rowsB, columnsB = g.N, g.K
	}
	a := s.block(rowsA, columnsA, g.Count, gap, repeat == 'A')
	b := s.block(rowsB, columnsB, g.Count, gap, repeat == 'B')
	c := s.block(g.M, g.N, g.Count, gap, false)
	want, tolerances := slices.Clone(c.values), make([]float64, len(c.values))
	for i := range g.Count {
		left, right := a.rows(i, rowsA, columnsA, g.TransA), b.rows(i, rowsB, columnsB, !g.TransB)
		for r := range g.M {
			for col := range g.N {
				at := c.Offset + i*c.Batch + r*c.Stride + col
				want[at], tolerances[at] = s.element(&g, left[r], right[col], c.values[at])
				if g.Beta == 0 {
					c.values[at] = math.NaN()
				}
			}
		}
	}
	a.Buf, b.Buf, c.Buf = s.put(a.values), s.put(b.values), s.put(c.values)
	g.A, g.B, g.C = a.Matrix, b.Matrix, c.Matrix
	s.dev.Gemm(g)
	name := fmt.Sprintf("Gemm [%d %d]×[%d %d], count %d, transposes %t %t, "+
		"alpha %g, beta %g, gap %d, repeated %q", g.M, g.K, g.K, g.N, g.Count, g.TransA, g.TransB,
		g.Alpha, g.Beta, gap, repeat)
	s.expectWithin(name, c.Buf, want, tolerances)
}

// element returns what a product makes of the element c of C, from a row of op(A) and a column of
// op(B), and how far off a device may be. The numbers have so few bits that want is exact. In
// whatever order a device adds, none of the terms is rounded more than n = K + 2 times, so that
//
//	tolerance = γ_n (|α| Σ|a||b| + |β||c|),  γ_n = n u / (1 − n u)
//
// where u is half the unit in the last place of 1 (Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd edition, 2002, section 3.1).
func (s *suite) element(
	g *device.Gemm, row, column []float64, c float64,
) (want, tolerance float64) {
	want, size := g.Beta*c, math.Abs(g.Beta*c)
	for i, a := range row {
		term := g.Alpha * a * column[i]
		want, size = want+term, size+math.Abs(term)
	}
	nu := float64(g.K+2) * s.unit() / 2
	return want, nu / (1 - nu) * size
}
