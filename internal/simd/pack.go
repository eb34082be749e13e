package simd

import "sync"

// A workspace holds the packed operands of one call, or the transpose of C.
type workspace struct {
	a, b []float32
	c    []float32
	rows [16]int // the argument rows of a transposer
}

// workspaces is the free list of workspaces. The garbage collector removes one that was unused
// since the collection before.
var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// grown returns a slice of n numbers in *buf, which it reallocates if it is too short.
func grown(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		const page = 1 << 14
		*buf = make([]float32, ceil(n, page)*page)
	}
	return (*buf)[:n]
}

// A block is a range of rows of A. Element (i, p) of a tile is at i·rs + p·cs from the tile's
// first element.
type block struct {
	v      []float32
	rs, cs int
	row    int // first row of A in v
	tile   int // distance between tiles; 0 if rs determines it
}

// set makes a the whole of x, unpacked. It sets the fields one by one, because the copy of a struct
// that has just been written waits until its fields have reached the cache.
func (a *block) set(x *matrix) {
	a.v, a.rs, a.cs = x.V, x.LD, 1
	if x.Trans {
		a.rs, a.cs = 1, x.LD
	}
}

// set makes b the whole of x, unpacked.
func (b *panel) set(x *matrix) { b.v, b.ld = x.V, x.LD }

// The minimum sizes at which packing makes a product faster; see also product.packFromRows.
const (
	packFromStride = 128 // of an operand
	packLateStride = 256 // of B, from which product.packLateRows applies
	packFromCols   = 256 // of C
	packFromK      = 256 // length of a sum
)

// packRows is the maximum number of rows of one call of a packer, some tens of microseconds, since
// the scheduler cannot preempt assembly.
const packRows = 256

// A panel is B in strips of two vectors of columns.
type panel struct {
	v      []float32
	ld     int // distance between rows, unless packed
	strip  int // distance between strips
	packed bool
}

// packsA reports whether to pack A, because many strips read it and the numbers of a column are far
// apart or share sets of the cache.
func (p *product) packsA(g *gemm) bool {
	if g.N <= packFromCols {
		return false
	}
	if g.A.Trans {
		return g.K > packFromK || g.A.LD > packFromStride
	}
	return g.K > packFromK && g.A.LD&(p.packStride-1) == 0
}

// packsB reports whether to pack B: if it is transposed, since kernels read vectors of columns; if
// its rows end within a vector and the kernels have no masks; or if its stride is large and many
// tiles read it.
func (p *product) packsB(g *gemm) bool {
	from := p.packFromRows
	if g.B.LD > packLateStride && g.B.LD&(p.packStride-1) > 0 {
		from = p.packLateRows
	}
	return g.B.Trans || !p.masked && g.N&(p.lanes-1) > 0 || g.M >= from && g.B.LD > packFromStride
}

// packA packs the rows of tiles first to last. It copies a matrix that is not transposed row by
// row, with a stride a little larger than k, so that a column does not map to a single cache set.
// In a transposed matrix, a tile becomes k rows of one vector; tiles of the same height are packed
// together, since the rows of the matrix are far apart.
func (p *product) packA(w *workspace, g *gemm, a *block, tiles tiles, first, last int) {
	row, end := tiles.start(first), tiles.start(last)
	if !g.A.Trans {
		ld := g.K + 16
		v := grown(&w.a, (end-row)*ld)
		for i := row; i < end; i++ {
			copy(v[(i-row)*ld:], g.A.V[i*g.A.LD:][:g.K])
		}
		a.v, a.rs, a.row = v, ld, row
		return
	}
	size := g.K * p.lanes
	v := grown(&w.a, (last-first)*size)
	for t, strips := first, 0; t < last; t += strips {
		rows, end := tiles.alike(t, last)
		strips = min(end-t, p.packStrips)
		p.pack[0](g.K, strips, &g.A.V[tiles.start(t)], g.A.LD, rows, &v[(t-first)*size], size,
			rows)
	}
	a.v, a.cs, a.tile = v, p.lanes, size
}

// packB packs the panel strip by strip.
func (p *product) packB(w *workspace, g *gemm, b *panel) {
	wide := 2 * p.lanes
	b.strip, b.packed = g.K*wide, true
	b.v = grown(&w.b, ceil(g.N, wide)*b.strip)
	for j, strips := 0, 0; j < g.N; j += strips * wide {
		strips = 1
		if dst := b.v[j/wide*b.strip:]; g.B.Trans {
			p.packTransposed(w, g, j, dst)
		} else {
			strips = max(1, min((g.N-j)/wide, p.packStrips))
			p.packStored(g, j, strips, dst)
		}
	}
}

// packStored packs strips from column j of B, which is not transposed.
func (p *product) packStored(g *gemm, j, strips int, dst []float32) {
	cols := min(g.N-j, 2*p.lanes)
	width := ceil(cols, p.lanes)
	ld := width * p.lanes
	for k := 0; k < g.K; k += packRows {
		p.pack[width-1](min(g.K-k, packRows), strips, &g.B.V[k*g.B.LD+j], g.B.LD, ld, &dst[k*ld],
			g.K*ld, cols-ld+p.lanes)
	}
}

// packTransposed packs the strip from column j of Bᵀ. Lanes after the last column repeat it.
func (p *product) packTransposed(w *workspace, g *gemm, j int, dst []float32) {
	cols := min(g.N-j, 2*p.lanes)
	ld := ceil(cols, p.lanes) * p.lanes
	for x := 0; x < cols; x += p.lanes {
		for i := range p.lanes {
			w.rows[i] = min(i, cols-x-1) * g.B.LD
		}
		p.transpose(g.K, &g.B.V[(j+x)*g.B.LD], &w.rows[0], &dst[x], ld)
	}
}

// Transpose writes the transpose of src [rows n], whose rows are stride apart, to dst [n rows].
// The two must not overlap. It panics if a slice is too short.
func Transpose(dst, src []float32, stride, rows, n int) {
	if rows == 0 || n == 0 {
		return
	}
	_, _ = dst[n*rows-1], src[(rows-1)*stride+n-1]
	p := active.product
	if p == nil || rows < p.lanes {
		for i := range rows {
			for j, v := range src[i*stride:][:n] {
				dst[j*rows+i] = v
			}
		}
		return
	}
	w := workspaces.Get().(*workspace)
	for i := range p.lanes {
		w.rows[i] = i * stride
	}
	for next := 0; next < rows; next += p.lanes {
		first := min(next, rows-p.lanes) // the last block may repeat rows of the one before
		for j := 0; j < n; j += packRows {
			p.transpose(min(packRows, n-j), &src[first*stride+j], &w.rows[0],
				&dst[j*rows+first], rows)
		}
	}
	workspaces.Put(w)
}
