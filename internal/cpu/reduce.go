package cpu

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// Reduce implements device.Device.
func (d *Device[T]) Reduce(op device.Reduction, dst, x device.Buffer, outer, n, inner int) {
	y, v := d.data(dst), d.data(x)
	if inner > 1 {
		d.reduceColumns(op, y, v, outer, n, inner)
		return
	}
	if outer == 1 && n > grain {
		d.reduceLong(op, y, v)
		return
	}
	parallel.For(outer, rowGrain(n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			y[i] = d.reduceRow(op, v[i*n:(i+1)*n])
		}
	})
}

// reduceLong reduces one long row: first each chunk, then the results of the chunks in order.
func (d *Device[T]) reduceLong(op device.Reduction, y, x []T) {
	partial := d.borrow((len(x) + grain - 1) / grain)
	defer d.recycle(partial)
	each(len(x), func(lo, hi int) { (*partial)[lo/grain] = d.reduceRow(op, x[lo:hi]) })
	y[0] = d.reduceRow(op, *partial)
}

// reduceRow returns the reduction of x.
func (d *Device[T]) reduceRow(op device.Reduction, x []T) T {
	switch op {
	case device.Sum:
		return d.loops.sum(x)
	case device.Max:
		return largest(x)
	case device.LogSumExp:
		m, rest := logSumExp(x)
		return m + rest
	}
	panic(fmt.Sprintf("cpu: reduction %d is unknown", op))
}

// logSumExp returns ln Σ eˣ as the sum of m = max x and a rest. Separately, the rest keeps the
// digits that it would lose by the addition to a large m.
func logSumExp[T Float](x []T) (m, rest T) {
	m = largest(x)
	if m == inf[T](-1) {
		return m, 0
	}
	s := T(0)
	for _, v := range x {
		s += exp(v - m)
	}
	return m, log(s)
}

// reduceColumns reduces x [outer n inner] over the middle axis, a block of columns at a time. It
// reads along the rows, of which the block has 64 numbers or more: a call for 16 takes as long.
func (d *Device[T]) reduceColumns(op device.Reduction, y, x []T, outer, n, inner int) {
	block := min(inner, max(64, grain/n))
	blocks := (inner + block - 1) / block
	parallel.For(outer*blocks, max(1, grain/(n*block)), func(lo, hi int) {
		for task := lo; task < hi; task++ {
			i, from := task/blocks, task%blocks*block
			to := min(from+block, inner)
			d.reduceBlock(op, y[i*inner+from:i*inner+to], x[i*n*inner+from:], n, inner)
		}
	})
}

// reduceBlock reduces n rows of x, which are stride apart and as long as y, to y.
func (d *Device[T]) reduceBlock(op device.Reduction, y, x []T, n, stride int) {
	row := func(k int) []T { return x[k*stride : k*stride+len(y)] }
	switch op {
	case device.Sum:
		clear(y)
		for k := range n {
			d.loops.add(y, y, row(k))
		}
	case device.Max:
		copy(y, row(0))
		for k := 1; k < n; k++ {
			for j, v := range row(k) {
				y[j] = max(y[j], v)
			}
		}
	case device.LogSumExp:
		for j := range y {
			m := inf[T](-1)
			for k := range n {
				m = max(m, x[k*stride+j])
			}
			if y[j] = m; m == inf[T](-1) {
				continue
			}
			s := T(0)
			for k := range n {
				s += exp(x[k*stride+j] - m)
			}
			y[j] += log(s)
		}
	default:
		panic(fmt.Sprintf("cpu: reduction %d is unknown", op))
	}
}

// Dot implements device.Device.
func (d *Device[T]) Dot(dst device.Buffer, at int, x, y device.Buffer) {
	xs, ys := d.data(x), d.data(y)
	partial := make([]float64, (len(xs)+grain-1)/grain)
	each(len(xs), func(lo, hi int) { partial[lo/grain] = d.loops.dot64(xs[lo:hi], ys[lo:hi]) })
	d.data(dst)[at] = T(sum(partial))
}
