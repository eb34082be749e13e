//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// sequenceState is scratch memory for the values that the kernels of a recurrent network pass from
// step to step. It has up to three arrays, which are called parts, and the lengths of the
// sequences.
type sequenceState struct {
	lengths uint64    // address of the lengths [samples], as float32
	parts   [3]uint64 // addresses
	offsets [3]int    // positions of the parts in scratch
	size    int       // samples · width
}

// sequenceState allocates scratch memory, with part i of size [samples widths[i]·width], and copies
// the lengths of the sequences to it, so that the commands do not depend on the lengths.
func (d *Device) sequenceState(l device.Sequences, widths ...int) sequenceState {
	s := sequenceState{size: l.Samples * l.Width}
	n := 0
	for i, w := range widths {
		s.offsets[i] = n
		n += w * s.size
	}
	base := d.scratchFor(n + l.Samples)
	for i := range widths {
		s.parts[i] = base + uint64(4*s.offsets[i])
	}
	s.lengths = base + uint64(4*n)
	lengths := make([]float32, l.Samples)
	for i, n := range l.Lengths {
		lengths[i] = float32(n)
	}
	d.launch("move", l.Samples, s.lengths, stageSlice(d, lengths), argInt(l.Samples))
	return s
}

// matrix returns part i as a matrix with n columns.
func (d *Device) matrix(s sequenceState, i, n int) device.Matrix {
	return device.Matrix{Buf: d.scratch, Offset: s.offsets[i], Stride: n}
}

// LSTM implements device.Device, by a product and a kernel for each step.
func (d *Device) LSTM(l device.LSTM, y, cell, gates, weight device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	w := l.Width
	s := d.sequenceState(l.Sequences, 1, 4)
	h, z := d.matrix(s, 0, w), d.matrix(s, 1, 4*w)
	for step := range l.Steps {
		if step > 0 {
			d.product(device.Gemm{TransB: true, M: l.Samples, N: 4 * w, K: w, Alpha: 1, A: h,
				B: device.Matrix{Buf: weight, Stride: w}, C: z, Count: 1})
		}
		d.launch("lstm", s.size, d.data(y, 0), d.data(cell, 0), d.data(gates, 0), s.parts[0],
			s.parts[1], s.lengths,
			argInt(l.Samples), argInt(l.Steps), argInt(w), argInt(step), argBool(l.Reverse))
	}
}

// LSTMGrad implements device.Device.
func (d *Device) LSTMGrad(l device.LSTM, gates, g, cell, weight device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	w := l.Width
	s := d.sequenceState(l.Sequences, 4, 1, 1)
	dz, dh := d.matrix(s, 0, 4*w), d.matrix(s, 1, w)
	for step := l.Steps - 1; step >= 0; step-- {
		d.launch("lstm_grad", s.size, d.data(gates, 0), s.parts[0], s.parts[2], d.data(g, 0),
			d.data(cell, 0), s.parts[1], s.lengths,
			argInt(l.Samples), argInt(l.Steps), argInt(w), argInt(step), argBool(l.Reverse))
		if step > 0 {
			d.product(device.Gemm{M: l.Samples, N: w, K: 4 * w, Alpha: 1, A: dz,
				B: device.Matrix{Buf: weight, Stride: w}, C: dh, Count: 1})
		}
	}
}
