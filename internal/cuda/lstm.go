//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// lstmState is where the kernels of an LSTM keep what goes from step to step: of each sample its
// numbers of the parts, one after the other.
type lstmState struct {
	lengths       uint64
	parts         [3]uint64
	offsets       [3]int // of the parts in scratch
	samples, size int    // units
}

// lstmState takes scratch memory for parts of so many widths a sample, and puts the lengths beside
// it, so that the commands do not depend on them.
func (d *Device) lstmState(l device.LSTM, widths ...int) lstmState {
	s := lstmState{samples: l.Samples, size: l.Samples * l.Width}
	n := 0
	for i, w := range widths {
		s.offsets[i] = n
		n += w * s.size
	}
	base := d.scratchOf(n + l.Samples)
	for i := range widths {
		s.parts[i] = base + uint64(4*s.offsets[i])
	}
	s.lengths = base + uint64(4*n)
	lengths := make([]float32, l.Samples)
	for i, n := range l.Lengths {
		lengths[i] = float32(n)
	}
	d.launch("move", l.Samples, s.lengths, stageSlice(d, lengths), whole(l.Samples))
	return s
}

// matrix returns part i as a matrix of n columns.
func (d *Device) matrix(s lstmState, i, n int) device.Matrix {
	return device.Matrix{Buf: d.scratch, Offset: s.offsets[i], Stride: n}
}

// LSTM implements device.Device: for each step a product and a kernel.
func (d *Device) LSTM(l device.LSTM, y, cell, gates, weight device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	w := l.Width
	s := d.lstmState(l, 1, 4)
	h, z := d.matrix(s, 0, w), d.matrix(s, 1, 4*w)
	for step := range l.Steps {
		if step > 0 {
			d.product(device.Gemm{TransB: true, M: l.Samples, N: 4 * w, K: w, Alpha: 1, A: h, B: device.Matrix{Buf: weight, Stride: w}, C: z, Count: 1})
		}
		d.launch("lstm", s.size, d.data(y, 0), d.data(cell, 0), d.data(gates, 0), s.parts[0], s.parts[1], s.lengths,
			whole(l.Samples), whole(l.Steps), whole(w), whole(step), flag(l.Reverse))
	}
}

// LSTMGrad implements device.Device.
func (d *Device) LSTMGrad(l device.LSTM, gates, g, cell, weight device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	w := l.Width
	s := d.lstmState(l, 4, 1, 1)
	dz, dh := d.matrix(s, 0, 4*w), d.matrix(s, 1, w)
	for step := l.Steps - 1; step >= 0; step-- {
		d.launch("lstm_grad", s.size, d.data(gates, 0), s.parts[0], s.parts[2], d.data(g, 0), d.data(cell, 0), s.parts[1], s.lengths,
			whole(l.Samples), whole(l.Steps), whole(w), whole(step), flag(l.Reverse))
		if step > 0 {
			d.product(device.Gemm{M: l.Samples, N: w, K: 4 * w, Alpha: 1, A: dz, B: device.Matrix{Buf: weight, Stride: w}, C: dh, Count: 1})
		}
	}
}
