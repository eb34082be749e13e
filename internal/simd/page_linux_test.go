package simd

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"unsafe"
)

// An edge is memory that ends where a page starts that nobody may read or write.
type edge []byte

func newEdge(t *testing.T) edge {
	t.Helper()
	const size = 1 << 16 // a multiple of all sizes of pages
	m, err := syscall.Mmap(-1, 0, 2*size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	if err := syscall.Mprotect(m[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return m[:size]
}

// last returns the last n numbers before the edge, all random integers, whose sums are exact.
func (e edge) last(r *rand.Rand, n int) []float32 {
	v := unsafe.Slice((*float32)(unsafe.Pointer(&e[0])), len(e)/4)
	v = v[len(v)-n:]
	for i := range v {
		v[i] = float32(r.IntN(17) - 8)
	}
	return v
}

// inside calls f, which must not read or write beyond an edge.
func inside(t *testing.T, what string, f func()) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e := recover(); e != nil {
			t.Fatalf("%s: outside the operands: %v", what, e)
		}
	}()
	f()
}

// onEachProduct calls f with the kernels of products of each path.
func onEachProduct(t *testing.T, f func(t *testing.T, p *product)) {
	for _, s := range supported() {
		if s.product != nil {
			t.Run(s.path+s.class, func(t *testing.T) { f(t, s.product) })
		}
	}
}

// TestTilesAtPageEnd compares the kernels of all tiles with their references, for all tails, in
// operands that end with a page. Two tiles are one below the other.
func TestTilesAtPageEnd(t *testing.T) {
	onA, onB, onC := newEdge(t), newEdge(t), newEdge(t)
	r := rand.New(rand.NewPCG(31, 32))
	compare := func(t *testing.T, p *product, rows, width, tail, k int, alpha, beta float32) {
		cols, ldb := (width-1)*p.lanes+tail, width*p.lanes
		if p.masked {
			ldb = cols
		}
		rs, cs := k, 1
		if beta != 0 {
			rs, cs = 1, 2*rows
		}
		a, b, c := onA.last(r, 2*rows*k), onB.last(r, k*ldb), onC.last(r, 2*rows*cols)
		want, what := slices.Clone(c), fmt.Sprintf("%d rows, %d vectors, tail %d, k %d, beta %g",
			rows, width, tail, k, beta)
		plainKernel(rows, width*p.lanes, p.lanes)(k, &a[0], rs, cs, &b[0], ldb, &want[0], cols,
			tail, 2, rows*rs, 0, rows*cols, 0, alpha, beta)
		inside(t, what, func() {
			p.kernels[rows-1][width-1](k, &a[0], rs, cs, &b[0], ldb, &c[0], cols, tail, 2,
				rows*rs, 0, rows*cols, 1<<20, alpha, beta)
		})
		if !slices.Equal(c, want) {
			t.Fatalf("%s: %g, want %g", what, c, want)
		}
	}
	onEachProduct(t, func(t *testing.T, p *product) {
		for i, kernels := range p.kernels {
			for j := range kernels {
				for tail := 1; tail <= p.lanes; tail++ {
					compare(t, p, i+1, j+1, tail, 1, 1, 0)
					compare(t, p, i+1, j+1, tail, 17, 0.5, 2)
				}
			}
		}
	})
}

// TestNarrowAtPageEnd compares the narrow kernels with their references in operands that end with a
// page. The groups of rows overlap, and the first rows are not written.
func TestNarrowAtPageEnd(t *testing.T) {
	const second, skip = 5, 2
	onA, onB, onC := newEdge(t), newEdge(t), newEdge(t)
	r := rand.New(rand.NewPCG(33, 34))
	onEachProduct(t, func(t *testing.T, p *product) {
		for i, f := range p.narrow {
			for k := 1; k <= 17; k++ {
				rows, cols, beta := p.lanes+second, i+1, float32(2*(k%2))
				a, b, c := onA.last(r, rows*k), onB.last(r, k*cols), onC.last(r, rows*cols)
				want, what := slices.Clone(c), fmt.Sprintf("%d columns, k %d", cols, k)
				plainNarrow(cols, p.lanes)(k, &a[0], k, &b[0], cols, &want[0], cols, second, skip,
					p.lanes-second, 0.5, beta)
				inside(t, what, func() {
					f(k, &a[0], k, &b[0], cols, &c[0], cols, second, skip, p.lanes-second, 0.5,
						beta)
				})
				if !slices.Equal(c, want) {
					t.Fatalf("%s: %g, want %g", what, c, want)
				}
			}
		}
	})
}

// TestPackAtPageEnd compares the packers and the transposer with their references in operands that
// end with a page.
func TestPackAtPageEnd(t *testing.T) {
	from, to := newEdge(t), newEdge(t)
	r := rand.New(rand.NewPCG(35, 36))
	compare := func(t *testing.T, what string, dst []float32, f, plain func(dst *float32)) {
		want := slices.Clone(dst)
		plain(&want[0])
		inside(t, what, func() { f(&dst[0]) })
		if !slices.Equal(dst, want) {
			t.Fatalf("%s: %g, want %g", what, dst, want)
		}
	}
	onEachProduct(t, func(t *testing.T, p *product) {
		for k := 1; k <= 33; k++ {
			for i, f := range p.pack {
				const strips = 3
				step, tail := (i+1)*p.lanes, 1+k%p.lanes
				ld, size := strips*step-p.lanes+tail, k*step
				src, dst := from.last(r, k*ld), to.last(r, strips*size)
				compare(t, fmt.Sprintf("%d rows of %d vectors, tail %d", k, i+1, tail), dst,
					func(dst *float32) { f(k, strips, &src[0], ld, step, dst, size, tail) },
					func(dst *float32) {
						plainPack(step, p.lanes)(k, strips, &src[0], ld, step, dst, size, tail)
					})
			}
			rows := make([]int, p.lanes)
			for i := range rows {
				rows[i] = i * k
			}
			src, dst := from.last(r, p.lanes*k), to.last(r, k*p.lanes)
			compare(t, fmt.Sprintf("transpose of %d columns", k), dst,
				func(dst *float32) { p.transpose(k, &src[0], &rows[0], dst, p.lanes) },
				func(dst *float32) {
					plainTranspose(p.lanes)(k, &src[0], &rows[0], dst, p.lanes)
				})
		}
	})
}

// TestProductsAtPageEnd compares whole products with gonum's, in operands that end with a page.
func TestProductsAtPageEnd(t *testing.T) {
	onA, onB, onC := newEdge(t), newEdge(t), newEdge(t)
	r := rand.New(rand.NewPCG(37, 38))
	compare := func(t *testing.T, p *product, m, n, k int, tA, tB bool) {
		g := gemm{M: m, N: n, K: k, Alpha: 1, Beta: float32(k % 2), C: onC.last(r, m*n), LDC: n}
		g.A, g.B = matrix{onA.last(r, m*k), k, tA}, matrix{onB.last(r, k*n), n, tB}
		if tA {
			g.A.LD = m
		}
		if tB {
			g.B.LD = k
		}
		want, what := slices.Clone(g.C), fmt.Sprintf("%c%c [%d %d %d]", g.A.Op(), g.B.Op(), m, n, k)
		BLAS{}.Implementation.Sgemm(g.A.Op(), g.B.Op(), m, n, k, 1, g.A.V, g.A.LD, g.B.V, g.B.LD,
			g.Beta, want, n)
		inside(t, what, func() { p.gemm(&g) })
		if !slices.Equal(g.C, want) {
			t.Fatalf("%s: %g, want %g", what, g.C, want)
		}
	}
	onEachProduct(t, func(t *testing.T, p *product) {
		for m := 1; m <= 34; m++ {
			for n := 1; n <= 280; n += 1 + n/20 {
				for i, k := range []int{1, 9, 16, 40} {
					compare(t, p, m, n, k, (i+n)%2 > 0, (i+n/2)/2%2 > 0)
				}
			}
		}
	})
}

// TestRowsAtPageEnd runs the kernels of rows, for all tails, on slices that end with a page.
func TestRowsAtPageEnd(t *testing.T) {
	var edges []edge
	for range 6 {
		edges = append(edges, newEdge(t))
	}
	r := rand.New(rand.NewPCG(39, 40))
	for _, s := range supported() {
		t.Run(s.path+s.class, func(t *testing.T) {
			v := s.vector
			last := func(lengths ...int) (x [][]float32) {
				for i, n := range lengths {
					x = append(x, edges[i].last(r, n))
				}
				return x
			}
			for n := range 150 {
				for _, k := range routines {
					if n == 0 && k.name == "LayerNorm" {
						continue // 0/0
					}
					x := last(n, n, n, n, n, n)
					inside(t, fmt.Sprintf("%s of %d", k.name, n), func() {
						k.call(v, x[:k.outs], x[k.outs:])
					})
				}
				x := last(n, n, ceil(n, 16), n, 4*n, 4*n)
				inside(t, fmt.Sprintf("signs of %d", n), func() {
					v.packSigns(x[2], x[0])
					v.maskSigns(x[1], x[0], x[2])
				})
				inside(t, fmt.Sprintf("drop of %d", n), func() { v.drop(x[1], x[0], 1, 2, 1<<52) })
				inside(t, fmt.Sprintf("LSTM of %d", n), func() {
					v.lstm(x[4], x[5], x[0], x[1], x[3])
					v.lstmGrad(x[4], x[0], x[1], x[3], x[0], x[1])
				})
			}
		})
	}
}

// TestScanAtPageEnd runs the kernels of a selective scan, for all tails, on slices that end with a
// page.
func TestScanAtPageEnd(t *testing.T) {
	const states = 3
	var edges [15]edge
	for i := range edges {
		edges[i] = newEdge(t)
	}
	r := rand.New(rand.NewPCG(45, 46))
	for _, s := range supported() {
		t.Run(s.path+s.class, func(t *testing.T) {
			v := s.vector
			for n := 1; n < 70; n++ {
				var x [15][]float32
				for i := range x {
					x[i] = edges[i].last(r, []int{states * n, n, states}[i/5])
				}
				x[14] = edges[14].last(r, 2*ScanPartials*states)
				inside(t, fmt.Sprintf("scan of %d channels", n), func() {
					v.scanStep(x[5], x[6], x[7])
					v.scanState(x[0], x[1], x[2], x[3], x[5], x[6], x[7], x[10], x[11])
					v.scanStateGrad(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9],
						x[10], x[11], x[12], x[13], x[14])
				})
			}
		})
	}
}
