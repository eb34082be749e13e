package cpu

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// An iterator visits the elements of a shape in several strided arrays at once, as rows of equal
// length. Axes that are contiguous in every array are merged, so most iterators have one or two
// axes.
type iterator struct {
	outer   []int   // lengths of all axes except the last
	n       int     // length of a row
	strides [][]int // for each array, the strides of outer and of the row
	offset  []int   // for each array, the position of the first element
}

// newIterator returns the iterator over the operands of a shape.
func newIterator(shape []int, operands ...device.Operand) *iterator {
	lengths, strides := device.Merge(shape, operands...)
	it := &iterator{strides: strides, offset: make([]int, len(operands))}
	for k, o := range operands {
		it.offset[k] = o.Offset
	}
	it.outer, it.n = lengths[:len(lengths)-1], lengths[len(lengths)-1]
	return it
}

// rows returns the number of rows.
func (it *iterator) rows() int {
	n := 1
	for _, d := range it.outer {
		n *= d
	}
	return n
}

// step returns the distance between the elements of a row in array k.
func (it *iterator) step(k int) int { return it.strides[k][len(it.outer)] }

// visit calls f for rows lo to hi, with the position of the row's first element in each array.
func (it *iterator) visit(lo, hi int, f func(row int, at []int)) {
	index, at := make([]int, len(it.outer)), make([]int, len(it.strides))
	copy(at, it.offset)
	for axis, rest := len(it.outer)-1, lo; axis >= 0; axis-- {
		index[axis] = rest % it.outer[axis]
		rest /= it.outer[axis]
		for k := range at {
			at[k] += index[axis] * it.strides[k][axis]
		}
	}
	for row := lo; row < hi; row++ {
		f(row, at)
		for axis := len(it.outer) - 1; axis >= 0; axis-- {
			index[axis]++
			for k := range at {
				at[k] += it.strides[k][axis]
			}
			if index[axis] < it.outer[axis] {
				break
			}
			for k := range at {
				at[k] -= index[axis] * it.strides[k][axis]
			}
			index[axis] = 0
		}
	}
}

// Copy implements device.Device.
func (d *Device[T]) Copy(dst device.Operand, shape []int, src device.Operand) {
	y, x := d.data(dst.Buf), d.data(src.Buf)
	it := newIterator(shape, dst, src)
	sy, sx := it.step(0), it.step(1)
	parallel.For(it.rows(), rowGrain(it.n), func(lo, hi int) {
		if it.repeats() {
			repeat(y[it.offset[0]+lo*it.n:it.offset[0]+hi*it.n], x[it.offset[1]:][:it.n])
			return
		}
		it.visit(lo, hi, func(_ int, at []int) {
			to, from := y[at[0]:], x[at[1]:]
			if sy == 1 && sx == 1 {
				copy(to[:it.n], from[:it.n])
				return
			}
			for i := range it.n {
				to[i*sy] = from[i*sx]
			}
		})
	})
}

// repeats reports whether all rows of array 0, which is dense, are the same row of array 1.
func (it *iterator) repeats() bool {
	return len(it.outer) == 1 && it.strides[0][0] == it.n && it.strides[1][0] == 0 &&
		it.step(0) == 1 && it.step(1) == 1
}

// repeat fills to with copies of row, of several rows at once: a call for each takes four times as
// long.
func repeat[T Float](to, row []T) {
	n := copy(to, row)
	for from := to[:n]; n < len(to); n += copy(to[n:], from) {
		if n < 1<<10 {
			from = to[:n]
		}
	}
}

// Accumulate implements device.Device. It runs in order on one core, since an element of dst may
// occur more than once.
func (d *Device[T]) Accumulate(dst device.Operand, shape []int, src device.Operand) {
	y, x := d.data(dst.Buf), d.data(src.Buf)
	it := newIterator(shape, dst, src)
	sy, sx := it.step(0), it.step(1)
	it.visit(0, it.rows(), func(_ int, at []int) {
		to, from := y[at[0]:], x[at[1]:]
		for i := range it.n {
			to[i*sy] += from[i*sx]
		}
	})
}

// Binary implements device.Device.
func (d *Device[T]) Binary(op device.Binary, dst device.Buffer, shape []int, x, y device.Operand) {
	z, xs, ys := d.data(dst), d.data(x.Buf), d.data(y.Buf)
	it := newIterator(shape, device.Dense(dst, shape), x, y)
	sx, sy := it.step(1), it.step(2)
	rows, n, split := it.rows(), it.n, 1
	if rows == 1 { // divide one long row into chunks
		split = (n + grain - 1) / grain
	}
	parallel.For(rows*split, max(1, rowGrain(n)), func(lo, hi int) {
		if split > 1 {
			for p := lo; p < hi; p++ {
				a, b := p*grain, min((p+1)*grain, n)
				d.binary(op, z[a:b], xs[x.Offset+a*sx:], ys[y.Offset+a*sy:], sx, sy)
			}
			return
		}
		it.visit(lo, hi, func(row int, at []int) {
			d.binary(op, z[row*n:(row+1)*n], xs[at[1]:], ys[at[2]:], sx, sy)
		})
	})
}

// binary computes one row; sx and sy are the strides of x and y.
func (d *Device[T]) binary(op device.Binary, z, x, y []T, sx, sy int) {
	dense := sx == 1 && sy == 1
	switch {
	case dense && op == device.Add:
		d.loops.add(z, x[:len(z)], y[:len(z)])
		return
	case dense && op == device.Mul:
		d.loops.mul(z, x[:len(z)], y[:len(z)])
		return
	case op == device.Mul && sx == 1 && sy == 0:
		d.loops.scale(z, y[0], x[:len(z)])
		return
	}
	switch op {
	case device.Add:
		for i := range z {
			z[i] = x[i*sx] + y[i*sy]
		}
	case device.Sub:
		for i := range z {
			z[i] = x[i*sx] - y[i*sy]
		}
	case device.Mul:
		for i := range z {
			z[i] = x[i*sx] * y[i*sy]
		}
	case device.Div:
		for i := range z {
			z[i] = x[i*sx] / y[i*sy]
		}
	case device.Equal:
		for i := range z {
			z[i] = where[T](x[i*sx] == y[i*sy], 1, 0)
		}
	case device.Less:
		for i := range z {
			z[i] = where[T](x[i*sx] < y[i*sy], 1, 0)
		}
	case device.Mask:
		for i := range z {
			z[i] = where(y[i*sy] != 0, x[i*sx], inf[T](-1))
		}
	default:
		panic(fmt.Sprintf("cpu: binary operation %d is unknown", op))
	}
}
