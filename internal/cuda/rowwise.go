//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// launchRows appends a kernel with a block for each row of n numbers. A block has one warp for 128
// numbers, at most eight warps.
func (d *Device) launchRows(name string, rows, n int, args ...uint64) {
	threads := 32
	for threads < blockThreads && 4*threads < n {
		threads *= 2
	}
	d.launchBlocks(name, rows, threads, args...)
}

// Softmax implements device.Device.
func (d *Device) Softmax(dst, x device.Buffer, rows, n int) {
	d.begin()
	defer d.mu.Unlock()
	d.launchRows("softmax", rows, n, d.data(dst, 0), d.data(x, 0), argInt(n), 0)
}

// SoftmaxGrad implements device.Device.
func (d *Device) SoftmaxGrad(dx, y, g device.Buffer, rows, n int) {
	d.begin()
	defer d.mu.Unlock()
	d.launchRows("softmax_grad", rows, n, d.data(dx, 0), d.data(y, 0), d.data(g, 0), argInt(n))
}

// LogSoftmax implements device.Device.
func (d *Device) LogSoftmax(dst, x device.Buffer, rows, n int) {
	d.begin()
	defer d.mu.Unlock()
	d.launchRows("softmax", rows, n, d.data(dst, 0), d.data(x, 0), argInt(n), 1)
}

// LogSoftmaxGrad implements device.Device.
func (d *Device) LogSoftmaxGrad(dx, y, g device.Buffer, rows, n int) {
	d.begin()
	defer d.mu.Unlock()
	d.launchRows("log_softmax_grad", rows, n, d.data(dx, 0), d.data(y, 0), d.data(g, 0), argInt(n))
}

// LayerNorm implements device.Device.
func (d *Device) LayerNorm(y, stats, x, gamma, beta device.Buffer, rows, n int, eps float64) {
	d.begin()
	defer d.mu.Unlock()
	d.launchRows("layer_norm", rows, n, d.data(y, 0), d.data(stats, 0), d.data(x, 0),
		d.data(gamma, 0), d.data(beta, 0), argInt(n), argFloat(eps))
}

// LayerNormGrad implements device.Device. It computes dgamma and dbeta first, since dx may be g or
// x.
func (d *Device) LayerNormGrad(dx, dgamma, dbeta, g, x, stats, gamma device.Buffer, rows, n int) {
	d.begin()
	defer d.mu.Unlock()
	tiles := (n + 31) / 32
	chunks := max(1, min((rows+63)/64, 512/tiles))
	gammas := d.scratchFor(2 * chunks * n)
	betas := gammas + uint64(4*chunks*n)
	d.launchBlocks("layer_norm_columns", chunks*tiles, blockThreads, gammas, betas, d.data(g, 0),
		d.data(x, 0), d.data(stats, 0), argInt(rows), argInt(n), argInt(chunks))
	d.foldColumns(foldSum, d.data(dgamma, 0), gammas, 0, 1, chunks, n, 1)
	d.foldColumns(foldSum, d.data(dbeta, 0), betas, 0, 1, chunks, n, 1)
	d.launchRows("layer_norm_grad", rows, n, d.data(dx, 0), d.data(g, 0), d.data(x, 0),
		d.data(stats, 0), d.data(gamma, 0), argInt(n))
}
