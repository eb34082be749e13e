package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// Gather implements device.Device.
func (d *Device[T]) Gather(dst, table device.Buffer, index []int, width int) {
	y, x := d.data(dst), d.data(table)
	parallel.For(len(index), rowGrain(width), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(y[i*width:(i+1)*width], x[index[i]*width:])
		}
	})
}

// ScatterAdd implements device.Device. It runs in order on one core, since a row of dst may occur
// more than once.
func (d *Device[T]) ScatterAdd(dst device.Buffer, index []int, src device.Buffer, width int) {
	y, x := d.data(dst), d.data(src)
	for i, r := range index {
		to := y[r*width : (r+1)*width]
		for j, v := range x[i*width : (i+1)*width] {
			to[j] += v
		}
	}
}

// Dropout implements device.Device.
func (d *Device[T]) Dropout(dst, x device.Buffer, p float64, seed uint64) {
	y, v := d.data(dst), d.data(x)
	scale := T(1 / (1 - p))
	each(len(v), func(lo, hi int) {
		d.loops.drop(y[lo:hi], v[lo:hi], scale, seed, lo, p)
	})
}
