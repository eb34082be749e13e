//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// CausalConv implements device.Device.
func (d *Device) CausalConv(c device.CausalConv, y, x, weight, bias device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	d.launch("causal_conv", c.Samples*c.Steps*c.Width, append([]uint64{d.data(y, 0), d.data(x, 0),
		d.data(weight, 0), d.data(bias, 0)}, convArgs(c)...)...)
}

// convArgs are the last members of the arguments of all kernels of the convolution.
func convArgs(c device.CausalConv) []uint64 {
	return []uint64{argInt(c.Samples), argInt(c.Steps), argInt(c.Width), argInt(c.Kernel),
		argBool(c.Reverse)}
}

// CausalConvGrad implements device.Device.
func (d *Device) CausalConvGrad(
	c device.CausalConv, dx, dweight, dbias, g, x, weight device.Buffer,
) {
	d.begin()
	defer d.mu.Unlock()
	tiles, n := (c.Width+31)/32*(c.Kernel+1), c.Width*(c.Kernel+1)
	chunks := max(1, min((c.Samples*c.Steps+63)/64, 512/tiles))
	weights := d.scratchFor(chunks * n)
	biases := weights + uint64(4*chunks*c.Width*c.Kernel)
	d.launchBlocks("causal_conv_columns", chunks*tiles, blockThreads, append([]uint64{weights,
		biases, d.data(g, 0), d.data(x, 0), argInt(chunks)}, convArgs(c)...)...)
	d.foldColumns(foldSum, d.data(dweight, 0), weights, 0, 1, chunks, c.Width*c.Kernel, 1)
	d.foldColumns(foldSum, d.data(dbias, 0), biases, 0, 1, chunks, c.Width, 1)
	d.launch("causal_conv_grad", c.Samples*c.Steps*c.Width, append([]uint64{d.data(dx, 0),
		d.data(g, 0), d.data(weight, 0)}, convArgs(c)...)...)
}
