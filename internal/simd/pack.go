package simd

import "sync"

// A workspace holds what is packed during one call.
type workspace struct {
	a, b []float32
	rows [16]int // offsets of the rows that are transposed together
}

// workspaces is the free list of workspaces. One that is used between two garbage collections
// stays in it.
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

// Packing pays from these sizes on: rows of C, stride of an operand, columns of C, length of a
// sum.
const (
	packFromRows   = 56
	packFromStride = 128
	packFromCols   = 256
	packFromK      = 256
)

// Bounds of one call of a packer, which cannot be preempted: some tens of microseconds.
const (
	packStrips = 4
	packRows   = 256
)

// A panel is B in strips of two vectors of columns.
type panel struct {
	v      []float32
	ld     int // distance of rows, unless packed
	strip  int // distance of strips
	packed bool
}

// packs tells which operands are packed. Of B: a transposed one, as kernels read vectors of
// columns; one that ends within a vector, if kernels have no masks; one of distant rows that many
// tiles read. Of A: one of distant numbers that many strips read.
func (p *product) packs(g *gemm) (a, b bool) {
	a = g.n > packFromCols && (g.k > packFromK || g.a.trans && g.a.ld > packFromStride)
	b = g.b.trans || !p.masked && g.n%p.lanes > 0 || g.m >= packFromRows && g.b.ld > packFromStride
	return a, b
}

// packA copies the rows of some tiles. As stored, rows are copied as they are, a little more than
// k apart so that a column does not fall into one cache set; of a transposed matrix, tiles become
// rows of a vector.
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

// packB copies the panel strip by strip.
func (p *product) packB(w *workspace, g *gemm) panel {
	wide := 2 * p.lanes
	b := panel{strip: g.k * wide, packed: true}
	b.v = grown(&w.b, ceil(g.n, wide)*b.strip)
	for j, strips := 0, 0; j < g.n; j += strips * wide {
		strips = 1
		if dst := b.v[j/wide*b.strip:]; g.b.trans {
			p.packTransposed(w, g, j, dst)
		} else {
			strips = max(1, min((g.n-j)/wide, packStrips))
			p.packStored(g, j, strips, dst)
		}
	}
	return b
}

// packStored copies strips from column j of B.
func (p *product) packStored(g *gemm, j, strips int, dst []float32) {
	cols := min(g.n-j, 2*p.lanes)
	width := ceil(cols, p.lanes)
	ld := width * p.lanes
	for k := 0; k < g.k; k += packRows {
		p.pack[width-1](min(g.k-k, packRows), strips, &g.b.v[k*g.b.ld+j], g.b.ld, ld, &dst[k*ld], g.k*ld, cols-ld+p.lanes)
	}
}

// packTransposed copies the strip from column j of Bᵀ. Lanes beyond the last column repeat it.
func (p *product) packTransposed(w *workspace, g *gemm, j int, dst []float32) {
	cols := min(g.n-j, 2*p.lanes)
	ld := ceil(cols, p.lanes) * p.lanes
	for x := 0; x < cols; x += p.lanes {
		for i := range p.lanes {
			w.rows[i] = min(i, cols-x-1) * g.b.ld
		}
		p.transpose(g.k, &g.b.v[(j+x)*g.b.ld], &w.rows[0], &dst[x], ld)
	}
}

// Transpose writes the rows of src, stride apart and n long, to the columns of dst [n rows].
func Transpose(dst, src []float32, stride, rows, n int) {
	if rows == 0 || n == 0 {
		return
	}
	_, _ = dst[n*rows-1], src[(rows-1)*stride+n-1]
	first := 0
	if p := active.product; p != nil {
		w := workspaces.Get().(*workspace)
		for i := range p.lanes {
			w.rows[i] = i * stride
		}
		for ; first+p.lanes <= rows; first += p.lanes {
			for j := 0; j < n; j += packRows {
				p.transpose(min(packRows, n-j), &src[first*stride+j], &w.rows[0], &dst[j*rows+first], rows)
			}
		}
		workspaces.Put(w)
	}
	for i := first; i < rows; i++ {
		for j, v := range src[i*stride:][:n] {
			dst[j*rows+i] = v
		}
	}
}
