package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// Adam implements device.Device.
func (d *Device[T]) Adam(a device.Adam, p, g, m, v device.Buffer) {
	ps, gs, ms, vs := d.data(p), d.data(g), d.data(m), d.data(v)
	each(len(ps), func(lo, hi int) { d.loops.adam(a, ps[lo:hi], gs[lo:hi], ms[lo:hi], vs[lo:hi]) })
}

// AdamRows implements device.Device.
func (d *Device[T]) AdamRows(a device.Adam, p, g, m, v device.Buffer, index []int, width int) {
	ps, gs, ms, vs := d.data(p), d.data(g), d.data(m), d.data(v)
	parallel.For(len(index), rowGrain(width), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			at, end := index[i]*width, (index[i]+1)*width
			d.loops.adam(a, ps[at:end], gs[i*width:(i+1)*width], ms[at:end], vs[at:end])
		}
	})
}

// AdamCompact implements device.Device.
func (d *Device[T]) AdamCompact(a device.Adam, p, g, m, row, column device.Buffer, index []int) {
	ps, gs, ms, r, c := d.data(p), d.data(g), d.data(m), d.data(row), d.data(column)
	n, width, half := len(r), len(c), (len(c)+1)/2
	at := func(i int) int { return i }
	if index != nil {
		n, at = len(index), func(i int) int { return index[i] }
	}
	if n*width == 0 {
		return
	}
	k := adamOf[T](a)
	d.squareMeans(k, ps, gs, r, c, n, at)
	mean := d.loops.sum(c) / T(width)
	parallel.For(n, rowGrain(width), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to, own := at(i), k
			if own.scale *= r[to] / mean; mean == 0 {
				own.scale = 0
			}
			d.loops.adamCompact(own, ps[to*width:(to+1)*width], gs[i*width:(i+1)*width],
				ms[to*half:(to+1)*half], c)
		}
	})
}

// squareMeans updates the running means r and c of the rows and columns of g², for the n rows at(i)
// of a matrix. The sums of the columns are those of up to 16 parts of the rows, added in order.
func (d *Device[T]) squareMeans(
	k adamConstants[T], p, g, r, c []T, n int, at func(i int) int,
) {
	width := len(c)
	size := max(rowGrain(width), (n+15)/16)
	parts := (n + size - 1) / size
	scratch := d.borrow(2 * parts * width)
	defer d.recycle(scratch)
	parallel.For(n, size, func(lo, hi int) {
		part := lo / size
		sums, square := (*scratch)[part*width:][:width], (*scratch)[(parts+part)*width:][:width]
		clear(sums)
		for i := lo; i < hi; i++ {
			to, x := at(i), g[i*width:(i+1)*width]
			if k.decay != 0 {
				copy(square, x)
				d.loops.axpy(square, k.decay, p[to*width:(to+1)*width])
				x = square
			}
			d.loops.mul(square, x, x)
			d.loops.add(sums, sums, square)
			r[to] = k.b2*r[to] + k.n2*d.loops.sum(square)/T(width)
		}
	})
	sums := (*scratch)[:width]
	for part := 1; part < parts; part++ {
		d.loops.add(sums, sums, (*scratch)[part*width:][:width])
	}
	for j, s := range sums {
		c[j] = k.b2*c[j] + k.n2*s/T(n)
	}
}
