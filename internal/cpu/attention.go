package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// A head is the attention of one sample's one head: its matrices are columns of the samples' rows,
// a stride apart. Queries are taken in blocks, so that the scores of a block stay in the cache.
type head[T Float] struct {
	device.Attention
	index  int // sample·Heads + head
	stride int
	q, k   int // where the head's queries (and outputs) and keys (and values) begin
	mask   []T // [Keys], nil excludes none
}

const (
	queryBlock = 128
	keyBlock   = 128 // the longest row of a matrix that products read without packing it
)

// heads runs f for every head of every sample, with scratch memory for n numbers.
func (d *Device[T]) heads(a device.Attention, n int, f func(h head[T], scratch arena[T])) {
	work := a.Queries * a.Keys * (a.Width + 8)
	parallel.For(a.Samples*a.Heads, max(1, gemmWork/4/work), func(lo, hi int) {
		scratch := d.borrow(n)
		defer d.giveBack(scratch)
		for i := lo; i < hi; i++ {
			s, column, stride := i/a.Heads, i%a.Heads*a.Width, a.Heads*a.Width
			h := head[T]{a, i, stride, s*a.Queries*stride + column, s*a.Keys*stride + column, nil}
			if a.Mask != nil {
				h.mask = d.data(a.Mask)[s*a.Keys : (s+1)*a.Keys]
			}
			f(h, *scratch)
		}
	})
}

// An arena is memory not yet taken.
type arena[T Float] []T

func (a *arena[T]) take(n int) []T {
	x := (*a)[:n]
	*a = (*a)[n:]
	return x
}

// gathered copies the head's columns of rows of x, from position at, to a matrix of their own, to
// [rows Width].
func (h *head[T]) gathered(to, x []T, at, rows int) []T {
	for i := range rows {
		copy(to[i*h.Width:(i+1)*h.Width], x[at+i*h.stride:])
	}
	return to
}

// scattered undoes gathered.
func (h *head[T]) scattered(x []T, at int, from []T, rows int) {
	for i := range rows {
		copy(x[at+i*h.stride:][:h.Width], from[i*h.Width:])
	}
}

// across transposes the head's rows of keys or values, by blocks of keyBlock rows: block b is a
// matrix [Width keyBlock], the last narrower.
func (d *Device[T]) across(h *head[T], to, x []T) []T {
	for j := 0; j < h.Keys; j += keyBlock {
		d.loops.transpose(to[j*h.Width:], x[h.k+j*h.stride:], h.stride, min(keyBlock, h.Keys-j), h.Width)
	}
	return to
}

// products writes alpha·x Yᵀ to p [rows Keys], for x [rows Width] and Y as across gives it.
func (d *Device[T]) products(h *head[T], p, x, across []T, rows int, alpha float64) {
	for j := 0; j < h.Keys; j += keyBlock {
		n := min(keyBlock, h.Keys-j)
		d.gemm(false, false, rows, n, h.Width, T(alpha), x, h.Width, across[j*h.Width:], n, 0, p[j:], h.Keys)
	}
}

// exclude writes −Inf to the scores p of queries from first on at the excluded keys.
func (h *head[T]) exclude(p []T, first, rows int) {
	if h.mask == nil && !h.Causal {
		return
	}
	ahead := max(h.Keys-h.Queries, h.Queries-h.Keys)
	for i := range rows {
		row := p[i*h.Keys : (i+1)*h.Keys]
		for j := range row {
			if h.mask != nil && h.mask[j] == 0 || h.Causal && j > first+i+ahead {
				row[j] = inf[T](-1)
			}
		}
	}
}

// drop applies the dropout of query i to a row of weights or of their gradients.
func (h *head[T]) drop(row []T, i int) {
	scale := T(1 / (1 - h.Dropout))
	for j := range row {
		row[j] = choose(device.Keep(h.Seed, (h.index*h.Queries+i)*h.Keys+j, h.Dropout), row[j]*scale, 0)
	}
}

// Attention implements device.Device.
func (d *Device[T]) Attention(a device.Attention, out, lse, q, k, v device.Buffer) {
	o, l, qs, ks, vs := d.data(out), d.data(lse), d.data(q), d.data(k), d.data(v)
	most := min(a.Queries, queryBlock)
	d.heads(a, 2*a.Keys*a.Width+most*(a.Width+a.Keys), func(h head[T], scratch arena[T]) {
		keys := d.across(&h, scratch.take(h.Keys*h.Width), ks)
		values := h.gathered(scratch.take(h.Keys*h.Width), vs, h.k, h.Keys)
		queries, p := scratch.take(most*h.Width), scratch.take(most*h.Keys)
		for first := 0; first < h.Queries; first += queryBlock {
			rows, at := min(queryBlock, h.Queries-first), h.q+first*h.stride
			d.products(&h, p, h.gathered(queries, qs, at, rows), keys, rows, h.Scale)
			h.exclude(p, first, rows)
			for i := range rows {
				row := p[i*h.Keys : (i+1)*h.Keys]
				m, sum := d.loops.softmax(row, row)
				l[h.index*h.Queries+first+i] = m + log(sum)
				if h.Dropout > 0 {
					h.drop(row, first+i)
				}
			}
			d.gemm(false, false, rows, h.Width, h.Keys, 1, p, h.Keys, values, h.Width, 0, o[at:], h.stride)
		}
	})
}

// AttentionGrad implements device.Device. With P recomputed from the log-sum-exp, and D the
// dropout,
//
//	V̄ = D(P)ᵀ Ō,  S̄ = P ⊙ (D(Ō Vᵀ) − Σ Ō⊙O),  Q̄ = Scale·S̄ K,  K̄ = Scale·S̄ᵀ Q
func (d *Device[T]) AttentionGrad(a device.Attention, dq, dk, dv, g, out, lse, q, k, v device.Buffer) {
	dqs, dks, dvs, gs := d.data(dq), d.data(dk), d.data(dv), d.data(g)
	o, l, qs, ks, vs := d.data(out), d.data(lse), d.data(q), d.data(k), d.data(v)
	most := min(a.Queries, queryBlock)
	d.heads(a, 5*a.Keys*a.Width+2*most*(a.Width+a.Keys), func(h head[T], scratch arena[T]) {
		keysAcross, valuesAcross := d.across(&h, scratch.take(h.Keys*h.Width), ks), d.across(&h, scratch.take(h.Keys*h.Width), vs)
		keys := h.gathered(scratch.take(h.Keys*h.Width), ks, h.k, h.Keys)
		keysGrad, valuesGrad := scratch.take(h.Keys*h.Width), scratch.take(h.Keys*h.Width)
		queries, outGrad := scratch.take(most*h.Width), scratch.take(most*h.Width)
		p, ds := scratch.take(most*h.Keys), scratch.take(most*h.Keys)
		for first := 0; first < h.Queries; first += queryBlock {
			rows, at := min(queryBlock, h.Queries-first), h.q+first*h.stride
			d.products(&h, p, h.gathered(queries, qs, at, rows), keysAcross, rows, h.Scale)
			h.exclude(p, first, rows)
			d.products(&h, ds, h.gathered(outGrad, gs, at, rows), valuesAcross, rows, 1)
			for i := range rows {
				inner := d.loops.dot(outGrad[i*h.Width:(i+1)*h.Width], o[at+i*h.stride:][:h.Width])
				d.scoreGrad(&h, p[i*h.Keys:(i+1)*h.Keys], ds[i*h.Keys:(i+1)*h.Keys], first+i, l[h.index*h.Queries+first+i], inner)
			}
			beta := T(1)
			if first == 0 {
				beta = 0
			}
			d.gemm(true, false, h.Keys, h.Width, rows, 1, p, h.Keys, outGrad, h.Width, beta, valuesGrad, h.Width)
			d.gemm(false, false, rows, h.Width, h.Keys, T(h.Scale), ds, h.Keys, keys, h.Width, 0, dqs[at:], h.stride)
			d.gemm(true, false, h.Keys, h.Width, rows, T(h.Scale), ds, h.Keys, queries, h.Width, beta, keysGrad, h.Width)
		}
		h.scattered(dks, h.k, keysGrad, h.Keys)
		h.scattered(dvs, h.k, valuesGrad, h.Keys)
	})
}

// scoreGrad turns a row of scores into D(P), and of Ō Vᵀ into S̄; inner is Σ Ō⊙O.
func (d *Device[T]) scoreGrad(h *head[T], p, ds []T, i int, lse, inner T) {
	if lse == inf[T](-1) {
		clear(p)
		clear(ds)
		return
	}
	if h.Dropout > 0 {
		h.drop(ds, i)
	}
	d.loops.scoreGrad(p, ds, lse, inner)
	if h.Dropout > 0 {
		h.drop(p, i)
	}
}
