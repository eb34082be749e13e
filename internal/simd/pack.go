package simd

import "sync"

// A workspace holds what is packed during one call.
type workspace struct {
	a, b []float32
	rows [16]int // offsets of the rows that are transposed together
}

// workspaces is the free list of workspaces. One that is used between two garbage collections stays in it.
var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// grown returns a slice of n numbers in place of *buf, which keeps it.
func grown(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		const page = 1 << 14
		*buf = make([]float32, ceil(n, page)*page)
	}
	return (*buf)[:n]
}

// A block is some rows of A: element (i, p) of a tile lies at i·rs + p·cs from the tile's first.
type block struct {
	v      []float32
	rs, cs int
	row    int // first row of A in v
	tile   int // distance of tiles; 0 where it follows from rs
}

// A panel is B in strips of two vectors of columns.
type panel struct {
	v      []float32
	ld     int // distance of rows, unless packed
	strip  int // distance of strips
	packed bool
}

// packs tells which operands are packed. Of B: a transposed one, as kernels read vectors of columns; one
// that ends within a vector, where kernels have no masks; and one that is read by many tiles. Of A: one that is read
// by many strips.
func (p *product) packs(g *gemm) (a, b bool) {
	b = g.b.trans || !p.masked && g.n%p.lanes > 0 || g.m >= packBRows && g.b.ld > packLd
	a = g.n > packACols && (g.k > packAK || g.a.trans && g.a.ld > packLd)
	return a, b
}

var packBRows, packLd, packACols, packAK = 56, 128, 256, 256

// packA copies the rows of some tiles. As stored, rows are copied as they are, a little more than k apart so
// that a column does not fall into one cache set; of a transposed matrix, tiles become rows of a vector.
func (p *product) packA(w *workspace, g *gemm, tiles, first, last int) block {
	row, _ := cut(g.m, tiles, first)
	_, end := cut(g.m, tiles, last-1)
	if !g.a.trans {
		ld := g.k + 16
		v := grown(&w.a, (end-row)*ld)
		for i := row; i < end; i++ {
			copy(v[(i-row)*ld:], g.a.v[i*g.a.ld:][:g.k])
		}
		return block{v: v, rs: ld, cs: 1, row: row}
	}
	size := g.k * p.lanes
	v := grown(&w.a, (last-first)*size)
	for t := first; t < last; t++ {
		i, end := cut(g.m, tiles, t)
		p.pack[0](g.k, 1, &g.a.v[i], g.a.ld, 0, &v[(t-first)*size], size, end-i)
	}
	return block{v: v, rs: 1, cs: p.lanes, tile: size}
}

// packB copies the panel strip by strip, full strips packGroup at a time.
func (p *product) packB(w *workspace, g *gemm) panel {
	nr := 2 * p.lanes
	size := g.k * nr
	v := grown(&w.b, ceil(g.n, nr)*size)
	for j := 0; j < g.n; {
		cols := min(g.n-j, nr)
		width := ceil(cols, p.lanes)
		dst := v[j/nr*size:]
		if g.b.trans {
			for x := 0; x < cols; x += p.lanes {
				p.transposeRows(w, g.b, j+x, min(cols-x, p.lanes), g.k, dst[x:], width*p.lanes)
			}
			j += nr
			continue
		}
		strips := max(1, min((g.n-j)/nr, packGroup))
		for k := 0; k < g.k; k += packRows {
			p.pack[width-1](min(g.k-k, packRows), strips, &g.b.v[k*g.b.ld+j], g.b.ld, nr, &dst[k*width*p.lanes], size, cols-(width-1)*p.lanes)
		}
		j += strips * nr
	}
	return panel{v: v, strip: size, packed: true}
}

// Bounds of one call, which cannot be preempted: some tens of microseconds.
const packGroup, packRows = 4, 256

// transposeRows copies n rows of x, k numbers of each, to columns. Lanes from n on repeat the last row.
func (p *product) transposeRows(w *workspace, x matrix, row, n, k int, dst []float32, ld int) {
	for i := range p.lanes {
		w.rows[i] = min(i, n-1) * x.ld
	}
	p.transpose(k, &x.v[row*x.ld], &w.rows[0], &dst[0], ld)
}
