package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// A head is the attention of one sample's one head: its matrices are columns of the samples' rows, a stride apart.
type head[T Float] struct {
	device.Attention
	index  int // sample·Heads + head
	stride int
	q, k   int // where the head's queries (and outputs) and keys (and values) begin
	mask   []T // [Keys], nil excludes none
}

// heads runs f for every head of every sample, with scratch memory for n score matrices [Queries Keys].
func (d *Device[T]) heads(a device.Attention, n int, f func(h head[T], scratch []T)) {
	work := a.Queries * a.Keys * (a.Width + 8)
	parallel.For(a.Samples*a.Heads, max(1, gemmWork/4/work), func(lo, hi int) {
		scratch := d.borrow(n * a.Queries * a.Keys)
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

// scores writes Scale·Q Kᵀ to p [Queries Keys], −Inf at the excluded keys.
func (d *Device[T]) scores(h *head[T], p, q, k []T) {
	d.gemm(false, true, h.Queries, h.Keys, h.Width, T(h.Scale), q[h.q:], h.stride, k[h.k:], h.stride, 0, p, h.Keys)
	if h.mask == nil && !h.Causal {
		return
	}
	ahead := max(h.Keys-h.Queries, h.Queries-h.Keys)
	for i := range h.Queries {
		row := p[i*h.Keys : (i+1)*h.Keys]
		for j := range row {
			if h.mask != nil && h.mask[j] == 0 || h.Causal && j > i+ahead {
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
	d.heads(a, 1, func(h head[T], p []T) {
		d.scores(&h, p, qs, ks)
		for i := range h.Queries {
			row := p[i*h.Keys : (i+1)*h.Keys]
			m, sum := d.loops.softmax(row, row)
			l[h.index*h.Queries+i] = m + log(sum)
			if h.Dropout > 0 {
				h.drop(row, i)
			}
		}
		d.gemm(false, false, h.Queries, h.Width, h.Keys, 1, p, h.Keys, vs[h.k:], h.stride, 0, o[h.q:], h.stride)
	})
}

// AttentionGrad implements device.Device. With P recomputed from the log-sum-exp, and D the dropout,
//
//	V̄ = D(P)ᵀ Ō,  S̄ = P ⊙ (D(Ō Vᵀ) − Σ Ō⊙O),  Q̄ = Scale·S̄ K,  K̄ = Scale·S̄ᵀ Q
func (d *Device[T]) AttentionGrad(a device.Attention, dq, dk, dv, g, out, lse, q, k, v device.Buffer) {
	dqs, dks, dvs, gs := d.data(dq), d.data(dk), d.data(dv), d.data(g)
	o, l, qs, ks, vs := d.data(out), d.data(lse), d.data(q), d.data(k), d.data(v)
	d.heads(a, 2, func(h head[T], scratch []T) {
		n := h.Queries * h.Keys
		p, ds := scratch[:n], scratch[n:]
		d.scores(&h, p, qs, ks)
		d.gemm(false, true, h.Queries, h.Keys, h.Width, 1, gs[h.q:], h.stride, vs[h.k:], h.stride, 0, ds, h.Keys)
		for i := range h.Queries {
			at := h.q + i*h.stride
			d.scoreGrad(&h, p[i*h.Keys:(i+1)*h.Keys], ds[i*h.Keys:(i+1)*h.Keys], i, l[h.index*h.Queries+i], d.loops.dot(gs[at:at+h.Width], o[at:at+h.Width]))
		}
		d.gemm(true, false, h.Keys, h.Width, h.Queries, 1, p, h.Keys, gs[h.q:], h.stride, 0, dvs[h.k:], h.stride)
		d.gemm(false, false, h.Queries, h.Width, h.Keys, T(h.Scale), ds, h.Keys, ks[h.k:], h.stride, 0, dqs[h.q:], h.stride)
		d.gemm(true, false, h.Keys, h.Width, h.Queries, T(h.Scale), ds, h.Keys, qs[h.q:], h.stride, 0, dks[h.k:], h.stride)
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
