package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
	"github.com/seed-6655bf3b/recap/internal/simd"
)

// A head is the attention of one head of one sample. Its matrices are columns of the sample's
// rows, which are stride apart. The kernels process queries in blocks, so that the scores of a
// block stay in the cache.
type head[T Float] struct {
	device.Attention
	index  int // sample·Heads + head
	stride int
	q, k   int // positions of the head's first query (and output) and first key (and value)
	mask   []T // [Keys], nil excludes none
}

const (
	queryBlock = 128 // queries in a block
	keyBlock   = 128 // the longest row of a matrix that products read without packing it
)

// headGrain returns the number of heads in a chunk, some tens of microseconds of work. A head with
// few queries and keys takes as long as 2¹³ multiplications: its rows are copied and its products
// called.
func headGrain(a device.Attention) int {
	return max(1, gemmWork/4/(1<<13+a.Queries*a.Keys*(a.Width+8)))
}

// heads calls f for every head of every sample, with scratch memory for n numbers.
func (d *Device[T]) heads(a device.Attention, n int, f func(h head[T], scratch arena[T])) {
	parallel.For(a.Samples*a.Heads, headGrain(a), func(lo, hi int) {
		scratch := d.borrow(n)
		defer d.recycle(scratch)
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

// An arena is the part of scratch memory that is not yet allocated.
type arena[T Float] []T

// alloc returns the next n numbers of the arena.
func (a *arena[T]) alloc(n int) []T {
	x := (*a)[:n]
	*a = (*a)[n:]
	return x
}

// near reports whether products read and write the head's rows where they are. Rows that are
// further apart are copied.
func (h *head[T]) near() bool { return h.stride <= keyBlock }

// gather returns the head's columns of x, from position at, as a matrix with rows ld apart: a part
// of x, or the copy to [rows Width].
func (h *head[T]) gather(to, x []T, at, rows int) (m []T, ld int) {
	if h.near() {
		return x[at:], h.stride
	}
	for i := range rows {
		copy(to[i*h.Width:(i+1)*h.Width], x[at+i*h.stride:])
	}
	return to, h.Width
}

// result returns the memory for a gradient of the head's keys or values, with rows ld apart: a part
// of x, or to [Keys Width], which scatter copies to x.
func (h *head[T]) result(to, x []T) (m []T, ld int) {
	if h.near() {
		return x[h.k:], h.stride
	}
	return to, h.Width
}

// scatter copies a result to the head's columns of x, unless it is there.
func (h *head[T]) scatter(x, from []T) {
	if h.near() {
		return
	}
	for i := range h.Keys {
		copy(x[h.k+i*h.stride:][:h.Width], from[i*h.Width:])
	}
}

// transpose transposes the head's rows of keys or values in blocks of keyBlock rows. Each block is
// a matrix [Width keyBlock]; the last may be narrower.
func (d *Device[T]) transpose(h *head[T], to, x []T) []T {
	for j := 0; j < h.Keys; j += keyBlock {
		d.loops.transpose(to[j*h.Width:], x[h.k+j*h.stride:], h.stride, min(keyBlock, h.Keys-j),
			h.Width)
	}
	return to
}

// products writes alpha·x Yᵀ to p [rows Keys], for x [rows Width] with rows ld apart and yT, the
// result of transpose for Y.
func (d *Device[T]) products(h *head[T], p, x []T, ld int, yT []T, rows int, alpha float64) {
	for j := 0; j < h.Keys; j += keyBlock {
		n := min(keyBlock, h.Keys-j)
		d.gemm(&simd.Gemm[T]{M: rows, N: n, K: h.Width, Alpha: T(alpha),
			A: simd.Matrix[T]{V: x, LD: ld}, B: simd.Matrix[T]{V: yT[j*h.Width:], LD: n},
			C: p[j:], LDC: h.Keys})
	}
}

// exclude sets the scores of excluded keys to −Inf, in rows of p [rows Keys] for the queries from
// first on.
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

// drop applies dropout to a row of query i: weights, or gradients of weights.
func (d *Device[T]) drop(h *head[T], row []T, i int) {
	d.loops.drop(row, row, T(1/(1-h.Dropout)), h.Seed, (h.index*h.Queries+i)*h.Keys, h.Dropout)
}

// Attention implements device.Device.
func (d *Device[T]) Attention(a device.Attention, out, lse, q, k, v device.Buffer) {
	o, l, qs, ks, vs := d.data(out), d.data(lse), d.data(q), d.data(k), d.data(v)
	maxRows := min(a.Queries, queryBlock)
	d.heads(a, 2*a.Keys*a.Width+maxRows*(a.Width+a.Keys+1), func(h head[T], scratch arena[T]) {
		keys := d.transpose(&h, scratch.alloc(h.Keys*h.Width), ks)
		values, ldv := h.gather(scratch.alloc(h.Keys*h.Width), vs, h.k, h.Keys)
		copied, p := scratch.alloc(maxRows*h.Width), scratch.alloc(maxRows*h.Keys)
		largest := scratch.alloc(maxRows)
		for first := 0; first < h.Queries; first += queryBlock {
			rows, at := min(queryBlock, h.Queries-first), h.q+first*h.stride
			queries, ldq := h.gather(copied, qs, at, rows)
			d.products(&h, p, queries, ldq, keys, rows, h.Scale)
			h.exclude(p, first, rows)
			sums := l[h.index*h.Queries+first:][:rows]
			for i := range rows {
				row := p[i*h.Keys : (i+1)*h.Keys]
				largest[i], sums[i] = d.loops.softmax(row, row)
				if h.Dropout > 0 {
					d.drop(&h, row, first+i)
				}
			}
			d.loops.log(sums, sums)
			d.loops.add(sums, largest[:rows], sums)
			d.gemm(&simd.Gemm[T]{M: rows, N: h.Width, K: h.Keys, Alpha: 1,
				A: simd.Matrix[T]{V: p, LD: h.Keys}, B: simd.Matrix[T]{V: values, LD: ldv},
				C: o[at:], LDC: h.stride})
		}
	})
}

// AttentionGrad implements device.Device. It recomputes P from the log-sum-exp, a block of queries
// at a time, and adds each block's part to the gradients of keys and values.
func (d *Device[T]) AttentionGrad(
	a device.Attention, dq, dk, dv, g, out, lse, q, k, v device.Buffer,
) {
	dqs, dks, dvs, gs := d.data(dq), d.data(dk), d.data(dv), d.data(g)
	o, l, qs, ks, vs := d.data(out), d.data(lse), d.data(q), d.data(k), d.data(v)
	maxRows := min(a.Queries, queryBlock)
	d.heads(a, 5*a.Keys*a.Width+2*maxRows*(a.Width+a.Keys), func(h head[T], scratch arena[T]) {
		keysT := d.transpose(&h, scratch.alloc(h.Keys*h.Width), ks)
		valuesT := d.transpose(&h, scratch.alloc(h.Keys*h.Width), vs)
		keys, ldk := h.gather(scratch.alloc(h.Keys*h.Width), ks, h.k, h.Keys)
		keysGrad, ld := h.result(scratch.alloc(h.Keys*h.Width), dks)
		valuesGrad, _ := h.result(scratch.alloc(h.Keys*h.Width), dvs)
		toQueries, toGrad := scratch.alloc(maxRows*h.Width), scratch.alloc(maxRows*h.Width)
		p, ds := scratch.alloc(maxRows*h.Keys), scratch.alloc(maxRows*h.Keys)
		for first := 0; first < h.Queries; first += queryBlock {
			rows, at := min(queryBlock, h.Queries-first), h.q+first*h.stride
			queries, ldq := h.gather(toQueries, qs, at, rows)
			d.products(&h, p, queries, ldq, keysT, rows, h.Scale)
			h.exclude(p, first, rows)
			outGrad, ldo := h.gather(toGrad, gs, at, rows)
			d.products(&h, ds, outGrad, ldo, valuesT, rows, 1)
			for i := range rows {
				inner := d.loops.dot(outGrad[i*ldo:][:h.Width], o[at+i*h.stride:][:h.Width])
				d.scoreGrad(&h, p[i*h.Keys:(i+1)*h.Keys], ds[i*h.Keys:(i+1)*h.Keys], first+i,
					l[h.index*h.Queries+first+i], inner)
			}
			beta := T(1)
			if first == 0 {
				beta = 0
			}
			d.gemm(&simd.Gemm[T]{M: h.Keys, N: h.Width, K: rows, Alpha: 1, Beta: beta,
				A: simd.Matrix[T]{V: p, LD: h.Keys, Trans: true},
				B: simd.Matrix[T]{V: outGrad, LD: ldo}, C: valuesGrad, LDC: ld})
			d.gemm(&simd.Gemm[T]{M: rows, N: h.Width, K: h.Keys, Alpha: T(h.Scale),
				A: simd.Matrix[T]{V: ds, LD: h.Keys}, B: simd.Matrix[T]{V: keys, LD: ldk},
				C: dqs[at:], LDC: h.stride})
			d.gemm(&simd.Gemm[T]{M: h.Keys, N: h.Width, K: rows, Alpha: T(h.Scale), Beta: beta,
				A: simd.Matrix[T]{V: ds, LD: h.Keys, Trans: true},
				B: simd.Matrix[T]{V: queries, LD: ldq}, C: keysGrad, LDC: ld})
		}
		h.scatter(dks, keysGrad)
		h.scatter(dvs, valuesGrad)
	})
}

// scoreGrad replaces a row p of scores by D(P), and a row ds of Ō Vᵀ by S̄; inner is Σ Ō⊙O.
func (d *Device[T]) scoreGrad(h *head[T], p, ds []T, i int, lse, inner T) {
	if lse == inf[T](-1) {
		clear(p)
		clear(ds)
		return
	}
	if h.Dropout > 0 {
		d.drop(h, ds, i)
	}
	d.loops.scoreGrad(p, ds, lse, inner)
	if h.Dropout > 0 {
		d.drop(h, p, i)
	}
}
