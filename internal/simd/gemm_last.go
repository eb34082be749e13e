package simd

// The last columns of C, fewer than lanes, take as long as a whole vector. They are computed apart
// if that takes less time: the rows of a matrix A that is stored transposed are vectors of the
// transposed product, and otherwise there are kernels for few columns.

// transposeC is the cost of transposing a number of C and callC that of a second product, in
// multiply-adds of one lane, and cachedA is the size of A up to which it is read again from the
// cache; found by measurement.
const (
	transposeC = 77
	callC      = 1 << 14
	cachedA    = 1 << 19
)

// flips reports whether the last columns, or all, take less time transposed.
func (p *product) flips(g *gemm, last int) bool {
	if !g.A.Trans {
		return false
	}
	idle := func(n int) int { return -n & (p.lanes - 1) }
	gain := (g.M*idle(last)-last*idle(g.M))*g.K - g.M*last*transposeC
	if last == g.N {
		return gain > 0
	}
	return gain > callC && last <= p.lanes/2 && g.M*g.K <= cachedA
}

// narrows reports whether the last columns are computed by a narrow kernel. By measurement, a step
// takes a narrow kernel as long as 2·last+7 rows take a kernel of one vector, and writing C as long
// as 300 rows.
func (p *product) narrows(g *gemm, last int) bool {
	return last > 0 && last <= len(p.narrow) && !g.A.Trans && g.M >= p.lanes &&
		g.M*g.K > ceil(g.M, 2*p.lanes)*((2*last+7)*g.K+300)+100
}

// flipped computes Cᵀ and transposes it. Each number of C is the same sum.
func (p *product) flipped(g *gemm) {
	w := workspaces.Get().(*workspace)
	c := grown(&w.c, g.M*g.N)
	if g.Beta != 0 {
		for i := range g.M {
			for j, v := range g.C[i*g.LDC:][:g.N] {
				c[j*g.M+i] = v
			}
		}
	}
	p.panels(&gemm{M: g.N, N: g.M, K: g.K, Alpha: g.Alpha, Beta: g.Beta, A: g.B.flipped(),
		B: g.A.flipped(), C: c, LDC: g.M})
	for i := range g.M {
		row := g.C[i*g.LDC:][:g.N]
		for j := range row {
			row[j] = c[j*g.M+i]
		}
	}
	workspaces.Put(w)
}

// few computes the tiles first to last, which are the block a of A, in the columns from j on.
func (p *product) few(g *gemm, a *block, b *panel, tiles tiles, first, last, j int) {
	from, to := tiles.start(first), tiles.start(last)
	end := to - p.lanes // the first row of the last group
	if end < from {
		p.down(g, a, b, tiles, first, last, j, 1, g.N)
		return
	}
	at, ldb := p.place(g, b, j)
	for i := from; i < to; i += 2 * p.lanes {
		next := i + p.lanes
		one, two := min(i, end), min(next, end)
		p.narrow[g.N-j-1](g.K, &a.v[(one-a.row)*a.rs], a.rs, &b.v[at], ldb, &g.C[one*g.LDC+j],
			g.LDC, two-one, i-one, min(next-two, p.lanes), g.Alpha, g.Beta)
	}
}
