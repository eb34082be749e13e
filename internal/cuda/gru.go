//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// GRU implements device.Device, by a product and a kernel for each step.
func (d *Device) GRU(l device.GRU, y, hidden, gates, weight, bias device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	w := l.Width
	s := d.sequenceState(l.Sequences, 1, 3)
	h, u := d.matrix(s, 0, w), d.matrix(s, 1, 3*w)
	for step := range l.Steps {
		if step > 0 {
			d.product(device.Gemm{TransB: true, M: l.Samples, N: 3 * w, K: w, Alpha: 1, A: h,
				B: device.Matrix{Buf: weight, Stride: w}, C: u, Count: 1})
		}
		d.launch("gru", s.size, d.data(y, 0), d.data(hidden, 0), d.data(gates, 0), s.parts[0],
			s.parts[1], d.data(bias, 0), s.lengths,
			argInt(l.Samples), argInt(l.Steps), argInt(w), argInt(step), argBool(l.Reverse))
	}
}

// GRUGrad implements device.Device.
func (d *Device) GRUGrad(l device.GRU, gates, hidden, g, y, weight device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	w := l.Width
	s := d.sequenceState(l.Sequences, 3, 1)
	du, dh := d.matrix(s, 0, 3*w), d.matrix(s, 1, w)
	for step := l.Steps - 1; step >= 0; step-- {
		d.launch("gru_grad", s.size, d.data(gates, 0), d.data(hidden, 0), s.parts[0], s.parts[1],
			d.data(g, 0), d.data(y, 0), s.lengths,
			argInt(l.Samples), argInt(l.Steps), argInt(w), argInt(step), argBool(l.Reverse))
		if step > 0 {
			d.product(device.Gemm{M: l.Samples, N: w, K: 3 * w, Alpha: 1, Beta: 1, A: du,
				B: device.Matrix{Buf: weight, Stride: w}, C: dh, Count: 1})
		}
	}
}
