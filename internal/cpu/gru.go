package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/simd"
)

// GRU implements device.Device. Row r of h is the output of the step before of sequence r of a
// batch.
func (d *Device[T]) GRU(l device.GRU, y, hidden, gates, weight, bias device.Buffer) {
	ys, us, gs, b, w := d.data(y), d.data(hidden), d.data(gates), d.data(bias), l.Width
	weightT := d.borrow(3 * w * w)
	defer d.recycle(weightT)
	d.loops.transpose(*weightT, d.data(weight), w, 3*w, w)
	d.batches(l.Sequences, 4*w, func(p batch[T], scratch arena[T]) {
		n := len(p.samples)
		h, u := scratch.alloc(n*w), scratch.alloc(n*3*w)
		for step := range l.Lengths[p.samples[0]] {
			for l.Lengths[p.samples[n-1]] <= step {
				n--
			}
			for r := range n {
				copy(u[r*3*w:(r+1)*3*w], b)
			}
			if step > 0 {
				d.gemm(&simd.Gemm[T]{M: n, N: 3 * w, K: w, Alpha: 1, Beta: 1,
					A: simd.Matrix[T]{V: h, LD: w}, B: simd.Matrix[T]{V: *weightT, LD: 3 * w},
					C: u, LDC: 3 * w})
			}
			for r, s := range p.samples[:n] {
				at, _ := p.at(s, step)
				out := ys[at*w : (at+1)*w]
				d.gru(gs[at*3*w:(at+1)*3*w], us[at*w:(at+1)*w], out, u[r*3*w:(r+1)*3*w],
					h[r*w:(r+1)*w])
				copy(h[r*w:], out)
			}
		}
		p.clearAfterEnd(ys, w)
	})
}

// gru computes a step of one sequence, given the input's part of the gates in gates [3n], the part
// u [3n] of the step before, and its output prev [n].
func (d *Device[T]) gru(gates, hidden, out, u, prev []T) {
	n := len(out)
	both, z, candidate := gates[:2*n], gates[n:2*n], gates[2*n:]
	d.loops.add(both, both, u[:2*n])
	d.loops.sigmoid(both, both)
	copy(hidden, u[2*n:])
	d.loops.mul(out, gates[:n], hidden)
	d.loops.add(candidate, candidate, out)
	d.loops.tanh(candidate, candidate)
	for j, c := range candidate {
		out[j] = (1-z[j])*c + z[j]*prev[j]
	}
}

// GRUGrad implements device.Device. It goes backward from a sequence's last step. dh is the
// gradient that the step after passes to its output.
func (d *Device[T]) GRUGrad(l device.GRU, gates, hidden, g, y, weight device.Buffer) {
	gs, us, gy, ys, ws, w := d.data(gates), d.data(hidden), d.data(g), d.data(y), d.data(
		weight,
	), l.Width
	d.batches(l.Sequences, 4*w, func(p batch[T], scratch arena[T]) {
		n := len(p.samples)
		zeros, dh, du := scratch.alloc(w), scratch.alloc(n*w), scratch.alloc(n*3*w)
		n = 0
		for step := l.Lengths[p.samples[0]] - 1; step >= 0; step-- {
			for n < len(p.samples) && l.Lengths[p.samples[n]] > step {
				n++
			}
			for r, s := range p.samples[:n] {
				at, before := p.at(s, step)
				gruGrad(gs[at*3*w:(at+1)*3*w], us[at*w:(at+1)*w], p.prev(ys, zeros, before, step),
					gy[at*w:(at+1)*w], dh[r*w:(r+1)*w], du[r*3*w:(r+1)*3*w])
			}
			if step > 0 {
				d.gemm(&simd.Gemm[T]{M: n, N: w, K: 3 * w, Alpha: 1, Beta: 1,
					A: simd.Matrix[T]{V: du, LD: 3 * w}, B: simd.Matrix[T]{V: ws, LD: w},
					C: dh, LDC: w})
			}
		}
		p.clearAfterEnd(gs, 3*w)
		p.clearAfterEnd(us, w)
	})
}

// gruGrad differentiates a step of one sequence. It replaces gates and hidden by gradients, writes
// that of u to du [3n], and replaces dh by the part of the gradient of prev that does not go
// through u.
func gruGrad[T Float](gates, hidden, prev, gy, dh, du []T) {
	n := len(hidden)
	for j := range n {
		r, z, c := gates[j], gates[n+j], gates[2*n+j]
		h := gy[j] + dh[j]
		gc := h * (1 - z) * (1 - c*c)
		gr, gz := gc*hidden[j]*r*(1-r), h*(prev[j]-c)*z*(1-z)
		gates[j], gates[n+j], gates[2*n+j], hidden[j] = gr, gz, gc, gc*r
		du[j], du[n+j], du[2*n+j], dh[j] = gr, gz, gc*r, h*z
	}
}
