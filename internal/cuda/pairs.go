//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// PairScores implements device.Device. It divides the width into parts, so that even few pairs use
// all of the GPU.
func (d *Device) PairScores(dst, u, v, w device.Buffer, m, n, width int) {
	d.begin()
	defer d.mu.Unlock()
	tiles := (m + 15) / 16 * ((n + 15) / 16)
	parts := max(1, min(256/tiles, width/128))
	y := d.data(dst, 0)
	if parts > 1 {
		y = d.scratchFor(parts * m * n)
	}
	d.launchBlocks("pair_scores", tiles*parts, blockThreads, y, d.data(u, 0), d.data(v, 0),
		d.data(w, 0), argInt(m), argInt(n), argInt(width), argInt(parts))
	if parts > 1 {
		d.foldColumns(foldSum, d.data(dst, 0), y, 0, 1, parts, m*n, 1)
	}
}

// PairScoresGrad implements device.Device.
func (d *Device) PairScoresGrad(du, dv, dw, g, u, v, w device.Buffer, m, n, width int) {
	d.begin()
	defer d.mu.Unlock()
	rows := d.scratchFor(m * width)
	in := []uint64{d.data(g, 0), d.data(u, 0), d.data(v, 0), d.data(w, 0), argInt(m), argInt(n),
		argInt(width)}
	d.launch("pair_grad_u", n*width, append([]uint64{d.data(du, 0)}, in...)...)
	d.launch("pair_grad_v", m*width, append([]uint64{d.data(dv, 0), rows}, in...)...)
	d.foldColumns(foldSum, d.data(dw, 0), rows, 0, 1, m, width, 1)
}
