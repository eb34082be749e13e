package simd

// A product multiplies matrices with the kernels of one instruction set, by the method of Goto and
// van de Geijn (Anatomy of high-performance matrix multiplication, ACM TOMS 34(3), 2008): a tile
// of C stays in registers while a panel of B and a block of A stay in the caches. The operands are
// packed where that makes the product faster.
type product struct {
	lanes int // numbers in a vector
	shift int // lanes is 1<<shift
	rows  int // maximum number of rows of a tile
	short int // the same if sums are short
	// The same if sums are shorter still; 0 if that makes no difference. Such tiles are as wide as
	// there are kernels for, others at most two vectors, unless C is one tile high.
	shortest int
	masked   bool // kernels read B's last columns through a mask, so they need no packing
	// Rows of A are packed if their stride is a multiple of packStride. B is packed from
	// packFromRows rows of C, or from packLateRows if its stride is large and no such multiple.
	// Found by measurement.
	packStride, packFromRows, packLateRows int
	packStrips                             int // of one call of a packer

	kernels   [][]kernel // kernels[r−1][w−1] computes a tile of r rows and w vectors
	narrow    []narrow   // narrow[n−1] computes n columns
	pack      [2]packer  // pack[w−1] copies strips of w vectors
	transpose transposer
}

// A kernel computes C ← alpha·A·B + beta·C for tiles: A [rows k] with element (i, p) at a[i·rs +
// p·cs], B [k w·lanes] with rows ldb apart, C with rows ldc apart. In the last vector of
// columns, only the first tail lanes belong to C. The operands of the next tile are nextA, nextB
// and nextC numbers after those of a tile. Each number of C is one chain of fused multiply-adds. If
// ahead is not 0, a kernel loads the tile at that distance from C into the cache. k ≥ 1, tiles ≥ 1.
type kernel = func(k int, a *float32, rs, cs int, b *float32, ldb int, c *float32, ldc, tail,
	tiles, nextA, nextB, nextC, ahead int, alpha, beta float32)

// A narrow kernel computes C ← alpha·A·B + beta·C for few columns and two groups of lanes rows: A
// [lanes k] with rows rs apart, B [k columns] with rows ldb apart, C with rows ldc apart. The
// second group begins second rows after the first; it may overlap it. The first skip1 and skip2
// rows of the groups are not written. Each number of C is one chain of fused multiply-adds. k ≥ 1.
type narrow = func(k int, a *float32, rs int, b *float32, ldb int, c *float32, ldc, second, skip1,
	skip2 int, alpha, beta float32)

// A packer copies k rows of strips that are one or two vectors wide. In src the rows are ld apart
// and the strips are side by side, step apart; in dst each strip is contiguous and the strips are
// size apart. It reads only tail lanes of a strip's last vector and sets the others to 0.
type packer = func(k, strips int, src *float32, ld, step int, dst *float32, size, tail int)

// A transposer transposes lanes rows of k numbers, at the offsets rows from src, to k rows of one
// vector, ld apart.
type transposer = func(k int, src *float32, rows *int, dst *float32, ld int)

// Block sizes, found by measurement.
const (
	blockK    = 1024 // maximum length of the parts of a sum
	blockN    = 2048 // columns of a panel of B
	blockRows = 84   // rows of a block of A
)

// A tile of C is loaded blockRows ahead if its sums are short, so that stores wait for the memory,
// and C is too large for the first cache. Rows that are a multiple of 1 KiB apart share so few sets
// of the cache that it only helps if C comes from the main memory. Found by measurement.
const (
	aheadK      = 32
	aheadC      = 1 << 15
	aheadShared = 1 << 22
	sharedRows  = 256
)

// The lengths of sums whose tiles have product.short or product.shortest rows. The latter are only
// used up to a size of C, since a kernel of more than two vectors does not load its tile of C while
// it computes. Found by measurement.
const (
	shortFrom  = 6
	shortTo    = 64
	shortestTo = 16
	shortestC  = 1 << 17
)

// callSteps is the maximum number of steps of one call of a kernel, some tens of microseconds,
// since the scheduler cannot preempt assembly. The tiles of a block of A take no longer.
const callSteps = 8192

// From returns op(x) without the first row rows and col columns.
func (x Matrix[T]) From(row, col int) Matrix[T] {
	if x.Trans {
		row, col = col, row
	}
	x.V = x.V[row*x.LD+col:]
	return x
}

// flipped returns op(v)ᵀ.
func (x Matrix[T]) flipped() Matrix[T] { return Matrix[T]{x.V, x.LD, !x.Trans} }

// gemm computes a product.
func (p *product) gemm(g *gemm) {
	switch {
	case p.flips(g, g.N):
		p.flipped(g)
	case g.M <= p.rows && g.K <= blockK && g.N <= packFromCols && !p.packsB(g):
		var a block
		var b panel
		a.set(&g.A)
		b.set(&g.B)
		p.across(g, &a, &b)
	default:
		p.panels(g)
	}
}

// panels computes a product panel by panel.
func (p *product) panels(g *gemm) {
	if g.K <= blockK && g.N <= blockN {
		p.panel(g)
		return
	}
	h, parts := *g, ceil(g.K, blockK)
	for part := range parts {
		k0, k1 := cut(g.K, parts, part)
		for j := 0; j < g.N; j += blockN {
			h.N, h.K = min(g.N-j, blockN), k1-k0
			h.A, h.B, h.C = g.A.From(0, k0), g.B.From(k0, j), g.C[j:]
			p.panel(&h)
		}
		h.Beta = 1
	}
}

// panel computes a product in which B is one panel, which fits in the cache.
func (p *product) panel(g *gemm) {
	last := g.N & (p.lanes - 1)
	switch {
	case p.narrows(g, last):
		p.vectors(g, g.N-last)
	case p.flips(g, last):
		h := *g
		h.N -= last
		p.vectors(&h, h.N)
		h.N, h.B, h.C = last, g.B.From(0, h.N), g.C[h.N:]
		p.flipped(&h)
	default:
		p.vectors(g, g.N)
	}
}

// vectors computes a product in which B is one panel: the first cols columns by vectors, and the
// others, if there are some, by a narrow kernel.
func (p *product) vectors(g *gemm, cols int) {
	var w *workspace
	packA, packB := p.packsA(g), p.packsB(g)
	if packA || packB {
		w = workspaces.Get().(*workspace)
		defer workspaces.Put(w)
	}
	var a block
	var b panel
	a.set(&g.A)
	b.set(&g.B)
	if packB {
		p.packB(w, g, &b)
	}
	if g.M <= p.rows {
		if packA {
			p.packA(w, g, &a, tiles{1, g.M, 0}, 0, 1)
		}
		p.across(g, &a, &b)
		return
	}
	rows, widest := p.tile(g, &b)
	tiles := tilesOf(g.M, rows)
	if !packA && !packB && cols == g.N && p.fewTiles(g, tiles) {
		p.overStrips(g, &a, &b, tiles)
		return
	}
	step := blockRows / rows
	if g.M*max(g.K, g.N) <= blockRows*blockK { // A and C are as small as a block
		step = tiles.count
	}
	for first := 0; first < tiles.count; first += step {
		last := min(first+step, tiles.count)
		if packA {
			p.packA(w, g, &a, tiles, first, last)
		}
		for j := 0; j < cols; {
			width, _ := p.share(cols-j, widest)
			p.down(g, &a, &b, tiles, first, last, j, width, cols)
			j += width * p.lanes
		}
		if cols < g.N {
			p.few(g, &a, &b, tiles, first, last, cols)
		}
	}
}

// Tiles are a division of the rows of C. The first tall tiles have one row more than the others.
type tiles struct{ count, low, tall int }

// tile returns the maximum size of a tile, in rows and vectors of columns.
func (p *product) tile(g *gemm, b *panel) (rows, vectors int) {
	switch {
	case g.K <= shortestTo && p.shortest > 0 && !b.packed && g.N > 3*p.lanes &&
		g.M*g.N <= shortestC:
		return p.shortest, len(p.kernels[p.shortest-1])
	case shortFrom <= g.K && g.K <= shortTo:
		return p.short, 2
	}
	return p.rows, 2
}

// tilesOf divides m rows into as few tiles as possible.
func tilesOf(m, rows int) tiles {
	n := ceil(m, rows)
	return tiles{n, m / n, m % n}
}

// start returns the first row of tile t.
func (s tiles) start(t int) int { return t*s.low + min(t, s.tall) }

// alike returns the number of rows of tile t, and the end of the tiles before last that have as
// many.
func (s tiles) alike(t, last int) (rows, end int) {
	if t < s.tall {
		return s.low + 1, min(s.tall, last)
	}
	return s.low, last
}

// place returns the position of column j in b, and the distance between the rows there.
func (p *product) place(g *gemm, b *panel, j int) (at, ld int) {
	if !b.packed {
		return j, b.ld
	}
	first := j &^ (2*p.lanes - 1) // of the strip
	width, _ := p.share(g.N-first, 2)
	return first/(2*p.lanes)*b.strip + j - first, width * p.lanes
}

// across computes a product of one tile of rows, with as few calls as possible. The block a is all
// of A.
func (p *product) across(g *gemm, a *block, b *panel) {
	kernels := p.kernels[g.M-1]
	widest := len(kernels)
	if b.packed {
		widest = 2
	}
	for j := 0; j < g.N; {
		width, count := p.share(g.N-j, widest)
		if count*g.K > callSteps {
			count = callSteps / g.K // not 0, since K is at most blockK
		}
		cols := width * p.lanes
		tail, next := min(g.N-j-cols+p.lanes, p.lanes), cols
		if b.packed {
			next = b.strip
		}
		at, ldb := p.place(g, b, j)
		kernels[width-1](g.K, &a.v[0], a.rs, a.cs, &b.v[at], ldb, &g.C[j], g.LDC, tail, count,
			0, next, cols, 0, g.Alpha, g.Beta)
		j += count * cols
	}
}

// fewTiles reports whether a product of short sums has so few tiles in a column, and so many
// strips, that the strips are better the inner loop. Found by measurement.
func (p *product) fewTiles(g *gemm, tiles tiles) bool {
	return tiles.count <= 4 && g.K <= shortTo && g.N > 4*p.lanes*tiles.count
}

// overStrips computes a product tile by tile, each in all strips of B.
func (p *product) overStrips(g *gemm, a *block, b *panel, tiles tiles) {
	h, at := *g, *a
	for t := range tiles.count {
		i := tiles.start(t)
		h.M = tiles.start(t+1) - i
		h.C, at.v = g.C[i*g.LDC:], a.v[i*a.rs:]
		p.across(&h, &at, b)
	}
}

// share returns the number of vectors of columns in a tile at the left end of cols columns, and the
// number of such tiles side by side. Tiles of more than two vectors are not followed by a much
// narrower one, which would take as long.
func (p *product) share(cols, widest int) (width, count int) {
	full := widest * p.lanes
	switch {
	case widest == 2 && cols >= full:
		return 2, cols >> (p.shift + 1)
	case cols >= 2*full:
		if count = cols / full; count*full < cols {
			count--
		}
		return widest, count
	}
	width = (cols + p.lanes - 1) >> p.shift
	if width > widest {
		width = (width + 1) / 2
	}
	return width, 1
}

// down computes the tiles first to last, which are the block a of A, in width vectors of columns
// from column j on, but no columns from end on.
func (p *product) down(
	g *gemm, a *block, b *panel, tiles tiles, first, last, j, width, end int,
) {
	tail := min(p.lanes, end-j-(width-1)*p.lanes)
	at, ldb := p.place(g, b, j)
	ahead := 0
	if g.K <= aheadK && g.M*g.N >= aheadC && (g.LDC%sharedRows > 0 || g.M*g.N >= aheadShared) {
		ahead = blockRows * g.LDC
	}
	for t := first; t < last; {
		rows, other := tiles.alike(t, last)
		i, next := tiles.start(t), rows*a.rs
		from := (i - a.row) * a.rs
		if a.tile > 0 {
			from, next = (t-first)*a.tile, a.tile
		}
		p.kernels[rows-1][width-1](g.K, &a.v[from], a.rs, a.cs, &b.v[at], ldb,
			&g.C[i*g.LDC+j], g.LDC, tail, other-t, next, 0, rows*g.LDC, ahead, g.Alpha, g.Beta)
		t = other
	}
}

// cut returns the bounds of part number part, when n elements are divided into parts of sizes that
// differ by at most 1.
func cut(n, parts, part int) (from, to int) { return part * n / parts, (part + 1) * n / parts }

func ceil(n, d int) int { return (n + d - 1) / d }
