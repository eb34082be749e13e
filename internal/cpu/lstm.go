package cpu

import (
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
	"github.com/seed-6655bf3b/recap/internal/simd"
)

// A batch is a group of sequences that are computed together, sorted by length, the longest first.
// So those that still have a step are the first ones.
type batch[T Float] struct {
	device.Sequences
	samples []int // indices of the sequences
}

// batches calls f for all sequences, in independent batches, with scratch memory for n numbers a
// sequence and Width numbers more, all 0. A core reads the weights once for each step of a batch,
// so where the weights exceed its cache a batch is large.
func (d *Device[T]) batches(l device.Sequences, n int, f func(p batch[T], scratch arena[T])) {
	order := make([]int, l.Samples)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return l.Lengths[b] - l.Lengths[a] })
	size := 8
	if l.Width > 256 {
		size = 32
	}
	parallel.For(l.Samples, size, func(lo, hi int) {
		scratch := d.borrow((hi-lo)*n + l.Width)
		defer d.recycle(scratch)
		clear(*scratch)
		f(batch[T]{l, order[lo:hi]}, *scratch)
	})
}

// at returns the position of a sequence's step in [Samples Steps], and that of the step before.
func (p *batch[T]) at(sample, step int) (at, before int) {
	if p.Reverse {
		at = sample*p.Steps + p.Lengths[sample] - 1 - step
		return at, at + 1
	}
	at = sample*p.Steps + step
	return at, at - 1
}

// prev returns the cell of the step before: zeros at the first step.
func (p *batch[T]) prev(cell, zeros []T, before, step int) []T {
	if step == 0 {
		return zeros
	}
	return cell[before*p.Width : (before+1)*p.Width]
}

// clearAfterEnd sets the rows of x [Samples Steps n] after the sequences' ends to 0.
func (p *batch[T]) clearAfterEnd(x []T, n int) {
	for _, s := range p.samples {
		clear(x[(s*p.Steps+p.Lengths[s])*n : (s+1)*p.Steps*n])
	}
}

// LSTM implements device.Device.
func (d *Device[T]) LSTM(l device.LSTM, y, cell, gates, weight device.Buffer) {
	ys, cs, gs, w := d.data(y), d.data(cell), d.data(gates), l.Width
	weightT := d.borrow(4 * w * w)
	defer d.recycle(weightT)
	d.loops.transpose(*weightT, d.data(weight), w, 4*w, w)
	d.batches(l.Sequences, 5*w, func(p batch[T], scratch arena[T]) {
		n := len(p.samples)
		zeros, h, z := scratch.alloc(w), scratch.alloc(n*w), scratch.alloc(n*4*w)
		for step := range l.Lengths[p.samples[0]] {
			for l.Lengths[p.samples[n-1]] <= step {
				n--
			}
			if step > 0 {
				d.gemm(&simd.Gemm[T]{M: n, N: 4 * w, K: w, Alpha: 1,
					A: simd.Matrix[T]{V: h, LD: w}, B: simd.Matrix[T]{V: *weightT, LD: 4 * w},
					C: z, LDC: 4 * w})
			}
			for r, s := range p.samples[:n] {
				at, before := p.at(s, step)
				out := ys[at*w : (at+1)*w]
				d.loops.lstm(gs[at*4*w:(at+1)*4*w], z[r*4*w:(r+1)*4*w],
					p.prev(cs, zeros, before, step), cs[at*w:(at+1)*w], out)
				copy(h[r*w:], out)
			}
		}
		p.clearAfterEnd(ys, w)
	})
}

// LSTMGrad implements device.Device. It goes backward from a sequence's last step. dh is Wᵀ z̄ of
// the step after, and dc the gradient that the cell of the step after passes back.
func (d *Device[T]) LSTMGrad(l device.LSTM, gates, g, cell, weight device.Buffer) {
	gs, gy, cs, ws, w := d.data(gates), d.data(g), d.data(cell), d.data(weight), l.Width
	d.batches(l.Sequences, 6*w, func(p batch[T], scratch arena[T]) {
		n := len(p.samples)
		zeros, dh := scratch.alloc(w), scratch.alloc(n*w)
		dc, dz := scratch.alloc(n*w), scratch.alloc(n*4*w)
		n = 0
		for step := l.Lengths[p.samples[0]] - 1; step >= 0; step-- {
			for n < len(p.samples) && l.Lengths[p.samples[n]] > step {
				n++
			}
			for r, s := range p.samples[:n] {
				at, before := p.at(s, step)
				row := gs[at*4*w : (at+1)*4*w]
				d.loops.lstmGrad(row, p.prev(cs, zeros, before, step), cs[at*w:(at+1)*w],
					gy[at*w:(at+1)*w], dh[r*w:(r+1)*w], dc[r*w:(r+1)*w])
				copy(dz[r*4*w:], row)
			}
			if step > 0 {
				d.gemm(&simd.Gemm[T]{M: n, N: w, K: 4 * w, Alpha: 1,
					A: simd.Matrix[T]{V: dz, LD: 4 * w}, B: simd.Matrix[T]{V: ws, LD: w},
					C: dh, LDC: w})
			}
		}
		p.clearAfterEnd(gs, 4*w)
	})
}

// lstm is simd.LSTM in plain Go.
func lstm[T Float](gates, z, prev, cell, out []T) {
	n := len(cell)
	for j := range n {
		i, f, g, o := &gates[j], &gates[n+j], &gates[2*n+j], &gates[3*n+j]
		*i, *f = sigmoid(*i+z[j]), sigmoid(*f+z[n+j])
		*g, *o = tanh(*g+z[2*n+j]), sigmoid(*o+z[3*n+j])
		cell[j] = *f*prev[j] + *i**g
		out[j] = *o * tanh(cell[j])
	}
}

// lstmGrad is simd.LSTMGrad in plain Go.
func lstmGrad[T Float](gates, prev, cell, gy, dh, dc []T) {
	n := len(cell)
	for j := range n {
		i, f, g, o := gates[j], gates[n+j], gates[2*n+j], gates[3*n+j]
		h, tanhC := gy[j]+dh[j], tanh(cell[j])
		c := dc[j] + h*o*(1-tanhC*tanhC)
		gates[j], gates[n+j] = c*g*i*(1-i), c*prev[j]*f*(1-f)
		gates[2*n+j], gates[3*n+j] = c*i*(1-g*g), h*tanhC*o*(1-o)
		dc[j] = c * f
	}
}
