package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// rows calls f for each row r, with the row of length n of each of the buffers, at most three.
func (d *Device[T]) rows(rows, n int, f func(r int, v [3][]T), buffers ...device.Buffer) {
	var data [3][]T
	for k, b := range buffers {
		data[k] = d.data(b)
	}
	parallel.For(rows, rowGrain(n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			var v [3][]T
			for k := range buffers {
				v[k] = data[k][r*n : (r+1)*n]
			}
			f(r, v)
		}
	})
}

// Softmax implements device.Device.
func (d *Device[T]) Softmax(dst, x device.Buffer, rows, n int) {
	d.rows(rows, n, func(_ int, v [3][]T) { d.loops.softmax(v[0], v[1]) }, dst, x)
}

// SoftmaxGrad implements device.Device.
func (d *Device[T]) SoftmaxGrad(dx, y, g device.Buffer, rows, n int) {
	d.rows(rows, n, func(_ int, v [3][]T) { d.loops.softmaxGrad(v[0], v[1], v[2]) }, dx, y, g)
}

// LogSoftmax implements device.Device.
func (d *Device[T]) LogSoftmax(dst, x device.Buffer, rows, n int) {
	d.rows(rows, n, func(_ int, v [3][]T) {
		m, rest := logSumExp(v[1])
		for i, x := range v[1] {
			v[0][i] = where(x == inf[T](-1), x, x-m-rest)
		}
	}, dst, x)
}

// LogSoftmaxGrad implements device.Device.
func (d *Device[T]) LogSoftmaxGrad(dx, y, g device.Buffer, rows, n int) {
	d.rows(rows, n, func(_ int, v [3][]T) {
		dx, y, g := v[0], v[1], v[2]
		s := d.loops.sum(g)
		for i := range dx {
			dx[i] = g[i] - exp(y[i])*s
		}
	}, dx, y, g)
}

// LayerNorm implements device.Device.
func (d *Device[T]) LayerNorm(y, stats, x, gamma, beta device.Buffer, rows, n int, eps float64) {
	st, ga, be := d.data(stats), d.data(gamma), d.data(beta)
	d.rows(rows, n, func(r int, v [3][]T) {
		st[2*r], st[2*r+1] = d.loops.layerNorm(v[0], v[1], ga, be, T(eps))
	}, y, x)
}

// normRows is the number of rows in one partial sum of the gradients of gamma and beta.
const normRows = 128

// LayerNormGrad implements device.Device.
func (d *Device[T]) LayerNormGrad(
	dx, dgamma, dbeta, g, x, stats, gamma device.Buffer, rows, n int,
) {
	dxs, gs, xs, st, ga := d.data(dx), d.data(g), d.data(x), d.data(stats), d.data(gamma)
	chunks := (rows + normRows - 1) / normRows
	partial := d.borrow(chunks * 2 * n)
	defer d.recycle(partial)
	parallel.For(rows, normRows, func(lo, hi int) {
		sums := (*partial)[lo/normRows*2*n:][:2*n]
		clear(sums)
		for r := lo; r < hi; r++ {
			d.loops.layerNormGrad(dxs[r*n:(r+1)*n], sums[:n], sums[n:], gs[r*n:(r+1)*n],
				xs[r*n:(r+1)*n], ga, st[2*r], st[2*r+1])
		}
	})
	d.reduceBlock(device.Sum, d.data(dgamma), *partial, chunks, 2*n)
	d.reduceBlock(device.Sum, d.data(dbeta), (*partial)[n:], chunks, 2*n)
}
