package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// rows runs f on each row of length n, as slices of the given buffers.
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
	d.rows(rows, n, func(_ int, v [3][]T) { softmax(v[0], v[1]) }, dst, x)
}

// softmax writes eˣ/Σeˣ to y, which may be x, and returns ln Σeˣ; a row of −Inf gives zeros and −Inf.
func softmax[T Float](y, x []T) (logSum T) {
	m := largest(x)
	if m == inf[T](-1) {
		clear(y)
		return m
	}
	s := T(0)
	for i, v := range x {
		e := exp(v - m)
		y[i] = e
		s += e
	}
	scale := 1 / s
	for i := range y {
		y[i] *= scale
	}
	return m + log(s)
}

// SoftmaxGrad implements device.Device.
func (d *Device[T]) SoftmaxGrad(dx, y, g device.Buffer, rows, n int) {
	d.rows(rows, n, func(_ int, v [3][]T) {
		dx, y, g := v[0], v[1], v[2]
		s := dot(y, g)
		for i := range dx {
			dx[i] = y[i] * (g[i] - s)
		}
	}, dx, y, g)
}

func dot[T Float](x, y []T) T {
	y = y[:len(x)]
	s := T(0)
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// LogSoftmax implements device.Device.
func (d *Device[T]) LogSoftmax(dst, x device.Buffer, rows, n int) {
	d.rows(rows, n, func(_ int, v [3][]T) {
		lse := reduceRow(device.LogSumExp, v[1])
		for i, x := range v[1] {
			v[0][i] = choose(x == inf[T](-1), x, x-lse)
		}
	}, dst, x)
}

// LogSoftmaxGrad implements device.Device.
func (d *Device[T]) LogSoftmaxGrad(dx, y, g device.Buffer, rows, n int) {
	d.rows(rows, n, func(_ int, v [3][]T) {
		dx, y, g := v[0], v[1], v[2]
		s := sum(g)
		for i := range dx {
			dx[i] = g[i] - exp(y[i])*s
		}
	}, dx, y, g)
}

// LayerNorm implements device.Device.
func (d *Device[T]) LayerNorm(y, stats, x, gamma, beta device.Buffer, rows, n int, eps float64) {
	st, ga, be := d.data(stats), d.data(gamma), d.data(beta)
	d.rows(rows, n, func(r int, v [3][]T) {
		y, x := v[0], v[1]
		mean := sum(x) / T(n)
		variance := T(0)
		for _, v := range x {
			variance += (v - mean) * (v - mean)
		}
		rstd := 1 / sqrt(variance/T(n)+T(eps))
		st[2*r], st[2*r+1] = mean, rstd
		for i, v := range x {
			y[i] = ga[i]*((v-mean)*rstd) + be[i]
		}
	}, y, x)
}

// normRows is how many rows share one partial sum of the gradients of gamma and beta.
const normRows = 128

// LayerNormGrad implements device.Device.
func (d *Device[T]) LayerNormGrad(dx, dgamma, dbeta, g, x, stats, gamma device.Buffer, rows, n int) {
	dxs, gs, xs, st, ga := d.data(dx), d.data(g), d.data(x), d.data(stats), d.data(gamma)
	chunks := (rows + normRows - 1) / normRows
	partial := d.borrow(chunks * 2 * n)
	defer d.giveBack(partial)
	parallel.For(rows, normRows, func(lo, hi int) {
		sums := (*partial)[lo/normRows*2*n:][:2*n]
		clear(sums)
		for r := lo; r < hi; r++ {
			layerNormGrad(dxs[r*n:(r+1)*n], sums[:n], sums[n:], gs[r*n:(r+1)*n], xs[r*n:(r+1)*n], ga, st[2*r], st[2*r+1])
		}
	})
	reduceBlock(device.Sum, d.data(dgamma), *partial, chunks, 2*n)
	reduceBlock(device.Sum, d.data(dbeta), (*partial)[n:], chunks, 2*n)
}

// layerNormGrad differentiates one row; it adds to dgamma and dbeta.
func layerNormGrad[T Float](dx, dgamma, dbeta, g, x, gamma []T, mean, rstd T) {
	n := len(x)
	g, gamma, dgamma, dbeta, dx = g[:n], gamma[:n], dgamma[:n], dbeta[:n], dx[:n]
	var sumH, sumHX T
	for i, v := range x {
		normed, h := (v-mean)*rstd, g[i]*gamma[i]
		sumH += h
		sumHX += h * normed
		dgamma[i] += g[i] * normed
		dbeta[i] += g[i]
	}
	sumH /= T(n)
	sumHX /= T(n)
	for i, v := range x {
		dx[i] = (g[i]*gamma[i] - sumH - (v-mean)*rstd*sumHX) * rstd
	}
}
