package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// plain is the name of a path that exists only in tests and runs the references of the kernels.
const plain = "plain"

var transposes = []blas.Transpose{blas.NoTrans, blas.Trans}

// onEachPath runs a test on every path that this CPU supports, for both classes of cores, and on
// the references.
func onEachPath(t *testing.T, f func(t *testing.T)) {
	before := active
	defer func() { active = before }()
	p := plainProduct(4, 3)
	references := kernelSet{path: plain, product: &p, vector: &plainVector}
	for _, s := range append(supported(), references) {
		active = s
		t.Run(s.path+s.class, f)
	}
}

// A problem is a random product. NaN surrounds the operands, which a kernel must neither read nor
// write.
type problem struct {
	tA, tB        blas.Transpose
	m, n, k       int
	lda, ldb, ldc int
	alpha, beta   float32
	a, b, c       []float32
}

func newProblem(
	r *rand.Rand, tA, tB blas.Transpose, m, n, k, extra int, alpha, beta float32,
) *problem {
	p := &problem{tA: tA, tB: tB, m: m, n: n, k: k, alpha: alpha, beta: beta, ldc: n + extra}
	random := func(rows, cols int, trans blas.Transpose) ([]float32, int) {
		if trans != blas.NoTrans {
			rows, cols = cols, rows
		}
		v := make([]float32, (rows-1)*(cols+extra)+cols)
		for i := range v {
			v[i] = r.Float32()*2 - 1
			if i%(cols+extra) >= cols {
				v[i] = float32(math.NaN())
			}
		}
		return v, cols + extra
	}
	p.a, p.lda = random(m, k, tA)
	p.b, p.ldb = random(k, n, tB)
	p.c, _ = random(m, n, blas.NoTrans)
	if beta == 0 {
		for i := range p.c {
			p.c[i] = float32(math.NaN())
		}
	}
	return p
}

// run computes the product and compares it with sums in double precision; in a large product it
// compares some of the numbers. It returns C.
func (p *problem) run(t *testing.T) []float32 {
	t.Helper()
	c := append([]float32(nil), p.c...)
	BLAS{}.Sgemm(p.tA, p.tB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, c, p.ldc)
	large := p.m*p.n*p.k > 1e5
	for i := range p.c {
		row, col := i/p.ldc, i%p.ldc
		if col >= p.n {
			if math.Float32bits(c[i]) != math.Float32bits(p.c[i]) {
				t.Fatalf("%v: C(%d, %d), beside the matrix, was written", p, row, col)
			}
			continue
		}
		if large && i%7 > 0 && row < p.m-1 && col < p.n-1 {
			continue
		}
		want, size := p.want(row, col)
		if d := math.Abs(float64(c[i]) - want); !(d <= 1e-7*(size+1)*math.Sqrt(float64(p.k)+4)) {
			t.Fatalf("%v: C(%d, %d) = %g, want %g", p, row, col, c[i], want)
		}
	}
	return c
}

// want returns the expected number of C, and the sum of the absolute values of the terms.
func (p *problem) want(row, col int) (sum, size float64) {
	for k := range p.k {
		ia, ib := row*p.lda+k, k*p.ldb+col
		if p.tA != blas.NoTrans {
			ia = k*p.lda + row
		}
		if p.tB != blas.NoTrans {
			ib = col*p.ldb + k
		}
		x := float64(p.alpha) * float64(p.a[ia]) * float64(p.b[ib])
		sum, size = sum+x, size+math.Abs(x)
	}
	if p.beta != 0 {
		x := float64(p.beta) * float64(p.c[row*p.ldc+col])
		sum, size = sum+x, size+math.Abs(x)
	}
	return sum, size
}

func (p *problem) String() string {
	return fmt.Sprintf("%c%c [%d %d %d] ld %d %d %d alpha %g beta %g", p.tA, p.tB, p.m, p.n,
		p.k, p.lda, p.ldb, p.ldc, p.alpha, p.beta)
}

// TestSgemmSmall covers every size of a tile and every tail.
func TestSgemmSmall(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		alphaBeta := [][2]float32{{1, 0}, {1, 1}, {-0.5, 2}, {0, 0}, {0, 3}}
		count := 0
		for m := 1; m <= 33; m++ {
			for n := 1; n <= 33; n++ {
				for k := 1; k <= 33; k += 1 + (m+n)%4*5 {
					ab := alphaBeta[count%len(alphaBeta)]
					newProblem(r, transposes[count/5%2], transposes[count/10%2], m, n, k,
						count%4, ab[0], ab[1]).run(t)
					count++
				}
			}
		}
	})
}

// TestSgemmLarge covers packing, blocks and their edges.
func TestSgemmLarge(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		sizes := []struct{ m, n, k int }{{200, 300, 40}, {3, 2100, 5}, {90, 33, 1025},
			{57, 290, 300}, {1, 70, 2050}, {170, 1, 9}, {61, 257, 1030}, {5, 600, 1000},
			{200, 300, 20}}
		for _, tA := range transposes {
			for _, tB := range transposes {
				for i, s := range sizes {
					newProblem(r, tA, tB, s.m, s.n, s.k, i%3, 1.5, float32(i%2)).run(t)
				}
				for range 4 {
					newProblem(r, tA, tB, 1+r.IntN(150), 1+r.IntN(400), 1+r.IntN(400), r.IntN(70),
						r.Float32(), r.Float32()).run(t)
				}
			}
		}
	})
}

// TestSgemmBlocks covers A in more than one block. The last block has fewer rows than a vector has
// lanes, and the last columns are few. The rows of A are 4 KiB apart, so that each path packs them.
func TestSgemmBlocks(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(41, 42))
		for _, tA := range transposes {
			newProblem(r, tA, blas.NoTrans, 90, 260, 1000, 24, 1, 0).run(t)
		}
	})
}

// TestShare checks how many vectors wide the first tiles of a row of C are, and how many.
func TestShare(t *testing.T) {
	p := plainProduct(16, 14)
	for _, c := range []struct{ cols, widest, width, tiles int }{
		{1, 2, 1, 1}, {17, 2, 2, 1}, {32, 2, 2, 1}, {100, 2, 2, 3}, // 1 or 2 vectors remain
		{1, 8, 1, 1}, {100, 8, 7, 1}, {128, 8, 8, 1}, // one tile
		{129, 8, 5, 1}, {255, 8, 8, 1}, // two tiles of about the same width
		{256, 8, 8, 2}, {260, 8, 8, 1}, {384, 8, 8, 3}, {400, 8, 8, 2}, // less than two remain
	} {
		if width, tiles := p.share(c.cols, c.widest); width != c.width || tiles != c.tiles {
			t.Errorf("%d columns, up to %d vectors: %d tiles of %d, want %d of %d", c.cols,
				c.widest, tiles, width, c.tiles, c.width)
		}
	}
}

// TestTile checks the maximum size of a tile for full-width cores.
func TestTile(t *testing.T) {
	p := plainProduct(16, 14)
	p.short, p.shortest, p.kernels[5] = 10, 6, make([]kernel, 4)
	for _, c := range []struct {
		m, n, k       int
		packed        bool
		rows, vectors int
	}{
		{100, 100, 5, false, 6, 4}, {100, 100, 16, false, 6, 4}, {100, 49, 16, false, 6, 4},
		{100, 48, 16, false, 10, 2}, {100, 100, 16, true, 10, 2}, {1000, 200, 16, false, 10, 2},
		{100, 100, 17, false, 10, 2}, {100, 100, 64, false, 10, 2}, {100, 100, 65, false, 14, 2},
		{100, 20, 5, false, 14, 2},
	} {
		g, b := gemm{M: c.m, N: c.n, K: c.k}, panel{packed: c.packed}
		if rows, vectors := p.tile(&g, &b); rows != c.rows || vectors != c.vectors {
			t.Errorf("m %d, n %d, k %d, B packed %t: %d rows, %d vectors, want %d, %d", c.m, c.n,
				c.k, c.packed, rows, vectors, c.rows, c.vectors)
		}
	}
}

// TestTilesOf checks the rows of the tiles of a block, which may end before or after the last of
// the taller tiles.
func TestTilesOf(t *testing.T) {
	tiles := tilesOf(125, 14) // 8 of 14 rows, then one of 13
	for _, c := range []struct{ first, last, start, rows, end int }{
		{0, 6, 0, 14, 6}, {6, 9, 84, 14, 8}, {8, 9, 112, 13, 9},
	} {
		start := tiles.start(c.first)
		rows, end := tiles.alike(c.first, c.last)
		if start != c.start || rows != c.rows || end != c.end {
			t.Errorf("from tile %d to %d: row %d, tiles of %d rows to %d, want row %d, %d rows, %d",
				c.first, c.last, start, rows, end, c.start, c.rows, c.end)
		}
	}
}

// TestCallsAreShort checks that a product with one tile of rows, however many columns it has, calls
// kernels that return soon.
func TestCallsAreShort(t *testing.T) {
	p, calls := plainProduct(4, 3), 0
	for _, kernels := range p.kernels {
		for w := range kernels {
			kernels[w] = func(k int, a *float32, rs, cs int, b *float32, ldb int, c *float32, ldc,
				tail, tiles, nextA, nextB, nextC, ahead int, alpha, beta float32) {
				if calls++; tiles*k > callSteps {
					t.Errorf("a call has %d tiles of %d steps, more than %d", tiles, k, callSteps)
				}
			}
		}
	}
	const n, k = 2000, 1000
	p.gemm(&gemm{M: 1, N: n, K: k, Alpha: 1, A: matrix{V: make([]float32, k), LD: k},
		B: matrix{V: make([]float32, k*n), LD: n}, C: make([]float32, n), LDC: n})
	if calls == 0 {
		t.Error("no calls")
	}
}

// TestSgemmSplit checks that the bits of C do not depend on how the caller divides the product, on
// other products that run at the same time, on the AVX path, or on the class of cores. It divides a
// product that is computed as its transpose, if A is transposed, into some that are not.
func TestSgemmSplit(t *testing.T) {
	for _, tA := range transposes {
		for _, tB := range transposes {
			for _, n := range []int{300, 17} {
				var undivided []float32
				onEachPath(t, func(t *testing.T) {
					if active.product == nil || active.path == plain {
						t.Skip("not an AVX path")
					}
					p := newProblem(rand.New(rand.NewPCG(5, 6)), tA, tB, 150, n, 1100, 0, 0.7, 1)
					if undivided == nil {
						undivided = p.run(t)
					}
					for _, part := range []int{150, 64, 13} {
						if c := p.split(part, 2*part); !slices.Equal(c, undivided) {
							t.Errorf("%v: different bits in parts of %d rows", p, part)
						}
					}
				})
			}
		}
	}
}

// TestSgemmLast checks how products with 16 lanes compute the last columns, or all.
func TestSgemmLast(t *testing.T) {
	p := plainProduct(16, 14)
	for _, c := range []struct {
		m, n, k              int
		tA                   bool
		narrows, flips, flip bool // flip: all columns
	}{
		{500, 5, 128, true, false, true, true}, {400, 100, 3200, true, false, false, true},
		{100, 100, 200, true, false, true, false}, {400, 96, 200, true, false, false, false},
		{100, 108, 200, true, false, false, false}, {600, 604, 1000, true, false, false, false},
		{50, 20, 50, true, false, false, false}, {5, 500, 128, true, false, false, false},
		{128, 5, 500, false, true, false, false}, {128, 500, 50, false, true, false, false},
		{128, 500, 10, false, false, false, false}, {128, 15, 500, false, false, false, false},
		{128, 96, 50, false, false, false, false}, {20, 500, 50, false, false, false, false},
	} {
		g := gemm{M: c.m, N: c.n, K: c.k, A: matrix{Trans: c.tA}}
		narrows, flips, flip := p.narrows(&g, c.n%16), p.flips(&g, c.n%16), p.flips(&g, c.n)
		if narrows != c.narrows || flips != c.flips || flip != c.flip {
			t.Errorf("m %d, n %d, k %d, A transposed %t: narrows %t, flips %t, %t, want %t, %t, %t",
				c.m, c.n, c.k, c.tA, narrows, flips, flip, c.narrows, c.flips, c.flip)
		}
	}
}

// split computes the product in parts that run in parallel.
func (p *problem) split(rows, cols int) []float32 {
	c := slices.Clone(p.c)
	var wg sync.WaitGroup
	for i := 0; i < p.m; i += rows {
		for j := 0; j < p.n; j += cols {
			a, b := i*p.lda, j
			if p.tA != blas.NoTrans {
				a = i
			}
			if p.tB != blas.NoTrans {
				b = j * p.ldb
			}
			wg.Go(func() {
				BLAS{}.Sgemm(p.tA, p.tB, min(rows, p.m-i), min(cols, p.n-j), p.k, p.alpha,
					p.a[a:], p.lda, p.b[b:], p.ldb,
					p.beta, c[i*p.ldc+j:], p.ldc)
			})
		}
	}
	wg.Wait()
	return c
}

func TestSgemmAllocates(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		if active.product == nil {
			t.Skip("gonum's own Sgemm")
		}
		p := newProblem(rand.New(rand.NewPCG(7, 8)), blas.Trans, blas.Trans, 70, 300, 300, 0, 1, 0)
		smallest := math.Inf(1) // the race detector empties the free list at random
		for i := 0; i < 10 && smallest > 0; i++ {
			smallest = min(smallest, testing.AllocsPerRun(1, func() {
				BLAS{}.Sgemm(p.tA, p.tB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb,
					p.beta, p.c, p.ldc)
			}))
		}
		if smallest > 0 {
			t.Errorf("at least %g allocations per call", smallest)
		}
	})
}

// TestSgemmWithoutTerms checks that sums of no numbers are 0.
func TestSgemmWithoutTerms(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		x, c := []float32{float32(math.NaN())}, []float32{1, 2, 3, 4}
		BLAS{}.Sgemm(blas.NoTrans, blas.NoTrans, 2, 2, 0, 1, x, 1, x, 2, 2, c, 2)
		if want := []float32{2, 4, 6, 8}; !slices.Equal(c, want) {
			t.Errorf("2·C and no terms: %g, want %g", c, want)
		}
	})
}

// TestSgemmConjugate checks that the conjugate transpose of a real matrix is its transpose.
func TestSgemmConjugate(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(43, 44))
		newProblem(r, blas.ConjTrans, blas.ConjTrans, 5, 7, 3, 0, 1, 0).run(t)
	})
}

// TestSgemmPanics checks that wrong arguments cause the same panics as in gonum's Sgemm.
func TestSgemmPanics(t *testing.T) {
	call := func(sgemm func(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32,
		lda int, b []float32, ldb int, beta float32, c []float32, ldc int),
		wrong int) (message any) {
		defer func() { message = recover() }()
		x, no := make([]float32, 6), blas.NoTrans
		switch wrong {
		case 0:
			sgemm('x', no, 2, 2, 3, 1, x, 3, x, 2, 0, x, 2)
		case 1:
			sgemm(no, 'x', 2, 2, 3, 1, x, 3, x, 2, 0, x, 2)
		case 2:
			sgemm(no, no, -1, 2, 3, 1, x, 3, x, 2, 0, x, 2)
		case 3:
			sgemm(no, no, 2, 2, 3, 1, x, 2, x, 2, 0, x, 2)
		case 4:
			sgemm(no, no, 2, 2, 3, 1, x, 3, x, 1, 0, x, 2)
		case 5:
			sgemm(no, no, 2, 2, 3, 1, x, 3, x, 2, 0, x, 1)
		case 6:
			sgemm(no, no, 2, 2, 3, 1, x[1:], 3, x, 2, 0, x, 2)
		case 7:
			sgemm(no, blas.Trans, 2, 2, 3, 1, x, 3, x[1:], 3, 0, x, 2)
		case 8:
			sgemm(no, no, 2, 2, 3, 1, x, 3, x, 2, 0, x[3:], 2)
		case 9:
			sgemm(no, no, 0, 0, 0, 1, nil, 0, x, 2, 0, x, 2)
		}
		return nil
	}
	for wrong := range 10 {
		got, want := call(BLAS{}.Sgemm, wrong), call(gonum.Implementation{}.Sgemm, wrong)
		if got == nil || got != want {
			t.Errorf("case %d: panic %v, want %v", wrong, got, want)
		}
	}
}

// TestTranspose checks every number, and that nothing after the end is written, for sizes around
// the block sizes of the kernels.
func TestTranspose(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		for _, rows := range []int{0, 1, 7, 8, 15, 16, 17, 33, 128} {
			for _, n := range []int{0, 1, 3, 16, 63, 64, 255, 257, 600} {
				const stride = 603
				src, dst := make([]float32, rows*stride), make([]float32, rows*n+1)
				for i := range src {
					src[i] = float32(i)
				}
				dst[rows*n] = -1
				Transpose(dst, src, stride, rows, n)
				for i := range rows {
					for j := range n {
						if got, want := dst[j*rows+i], src[i*stride+j]; got != want {
							t.Fatalf("[%d %d]: element (%d, %d) is %g, want %g", n, rows,
								j, i, got, want)
						}
					}
				}
				if dst[rows*n] != -1 {
					t.Fatalf("[%d %d]: wrote after the end", n, rows)
				}
			}
		}
	})
}

// TestSgemmFewTiles covers products of few rows, many columns and short sums.
func TestSgemmFewTiles(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(29, 30))
		for _, m := range []int{7, 15, 16, 23, 33, 56} {
			for _, n := range []int{100, 131, 272, 515} {
				for _, k := range []int{1, 9, 33, 64} {
					newProblem(r, transposes[(m+n+k)%2], blas.NoTrans, m, n, k, k%3, 1,
						float32(n%2)).run(t)
				}
			}
		}
	})
}
