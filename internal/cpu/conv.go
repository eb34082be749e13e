package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// CausalConv implements device.Device.
func (d *Device[T]) CausalConv(c device.CausalConv, y, x, weight, bias device.Buffer) {
	ys, xs, b := d.data(y), d.data(x), d.data(bias)
	w := d.byTap(c, weight)
	defer d.recycle(w)
	n := c.Width
	parallel.For(c.Samples*c.Steps, rowGrain(n*c.Kernel), func(lo, hi int) {
		product := d.borrow(n)
		defer d.recycle(product)
		for row := lo; row < hi; row++ {
			out := ys[row*n : (row+1)*n]
			copy(out, b)
			for k := range c.Kernel {
				if from, ok := tap(c, row, k); ok {
					d.loops.mul(*product, (*w)[k*n:(k+1)*n], xs[from*n:(from+1)*n])
					d.loops.add(out, out, *product)
				}
			}
		}
	})
}

// byTap returns the weights [Width Kernel] as [Kernel Width], in scratch memory.
func (d *Device[T]) byTap(c device.CausalConv, weight device.Buffer) *[]T {
	w := d.borrow(c.Width * c.Kernel)
	d.loops.transpose(*w, d.data(weight), c.Kernel, c.Width, c.Kernel)
	return w
}

// tap returns the row of x [Samples·Steps Width] that weight k multiplies for a row of y, and
// whether there is such a step.
func tap(c device.CausalConv, row, k int) (from int, ok bool) {
	t, distance := row%c.Steps, k-(c.Kernel-1)
	if c.Reverse {
		distance = -distance
	}
	return row + distance, t+distance >= 0 && t+distance < c.Steps
}

// convRows is the number of rows in one partial sum of the gradients of weight and bias, if a
// sample has fewer steps.
const convRows = 128

// CausalConvGrad implements device.Device. Chunks are samples.
func (d *Device[T]) CausalConvGrad(
	c device.CausalConv, dx, dweight, dbias, g, x, weight device.Buffer,
) {
	dxs, gs, xs, n := d.data(dx), d.data(g), d.data(x), c.Width
	w := d.byTap(c, weight)
	defer d.recycle(w)
	grain := max(1, convRows/c.Steps)
	chunks, size := (c.Samples+grain-1)/grain, (c.Kernel+1)*n
	partial := d.borrow((chunks + 1) * size) // [chunks Kernel+1 Width]: dweight, dbias; their sum
	defer d.recycle(partial)
	parallel.For(c.Samples, grain, func(lo, hi int) {
		product := d.borrow(n)
		defer d.recycle(product)
		sums := (*partial)[lo/grain*size:][:size]
		clear(sums)
		clear(dxs[lo*c.Steps*n : hi*c.Steps*n])
		for row := lo * c.Steps; row < hi*c.Steps; row++ {
			gr := gs[row*n : (row+1)*n]
			d.loops.add(sums[c.Kernel*n:], sums[c.Kernel*n:], gr)
			for k := range c.Kernel {
				from, ok := tap(c, row, k)
				if !ok {
					continue
				}
				at, of := dxs[from*n:(from+1)*n], sums[k*n:(k+1)*n]
				d.loops.mul(*product, (*w)[k*n:(k+1)*n], gr)
				d.loops.add(at, at, *product)
				d.loops.mul(*product, xs[from*n:(from+1)*n], gr)
				d.loops.add(of, of, *product)
			}
		}
	})
	total := (*partial)[chunks*size:]
	d.reduceBlock(device.Sum, total, *partial, chunks, size)
	d.loops.transpose(d.data(dweight), total, n, c.Kernel, n)
	copy(d.data(dbias), total[c.Kernel*n:])
}
