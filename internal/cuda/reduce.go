//go:build cuda && cgo && linux

package cuda

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// What kernels fold.
const (
	foldSum = iota
	foldMax
	foldExp // Σ e^(x − m)
	numFolds
)

// Reduce implements device.Device. The logarithm of a sum of exponentials is the maximum m, and ln
// Σ e^(x−m).
func (d *Device) Reduce(op device.Reduction, dst, x device.Buffer, outer, n, inner int) {
	d.begin()
	defer d.mu.Unlock()
	f := d.newFold(outer, n, inner, 2*outer*inner)
	y, from := d.data(dst, 0), d.data(x, 0)
	switch op {
	case device.Sum:
		f.run(foldSum, y, from, 0)
	case device.Max:
		f.run(foldMax, y, from, 0)
	case device.LogSumExp:
		m, s := f.rest, f.rest+uint64(4*outer*inner)
		f.run(foldMax, m, from, 0)
		f.run(foldExp, s, from, m)
		d.launch("log_sum", outer*inner, y, m, s, whole(outer*inner))
	default:
		panic(fmt.Sprintf("cuda: reduction %d is not known", op))
	}
}

// A fold reduces x [outer n inner] to [outer inner].
type fold struct {
	device          *Device
	outer, n, inner int
	chunks          int
	partial         uint64 // [chunks outer inner]
	rest            uint64 // what the caller asked for beside it
}

// newFold cuts the work so that it fills a GPU, by the shape alone, and takes scratch memory, with
// room for more numbers.
func (d *Device) newFold(outer, n, inner, more int) fold {
	f := fold{device: d, outer: outer, n: n, inner: inner}
	if inner == 1 {
		f.chunks = min((n+2047)/2048, 1024)
	} else {
		f.chunks = min((n+63)/64, max(1, 512/(outer*(inner+31)/32)))
	}
	f.chunks = max(f.chunks, 1)
	f.partial = d.scratchOf(f.chunks*outer*inner + more)
	f.rest = f.partial + uint64(4*f.chunks*outer*inner)
	return f
}

// run launches the kernels of one fold.
func (f *fold) run(op int, y, x, m uint64) {
	d, first := f.device, f.partial
	if f.chunks == 1 {
		first = y
	}
	if f.inner == 1 {
		d.launch("fold_rows", 32*f.outer*f.chunks, first, x, m, whole(op), whole(f.outer), whole(f.n), whole(f.chunks))
	} else {
		d.foldColumns(op, first, x, m, f.outer, f.n, f.inner, f.chunks)
	}
	if f.chunks > 1 {
		if op == foldExp {
			op = foldSum
		}
		d.foldColumns(op, y, f.partial, 0, 1, f.chunks, f.outer*f.inner, 1)
	}
}

func (d *Device) foldColumns(op int, y, x, m uint64, outer, n, inner, chunks int) {
	d.launchBlocks("fold_columns", chunks*outer*((inner+31)/32), blockThreads, y, x, m, whole(op), whole(outer), whole(n), whole(inner), whole(chunks))
}

// Dot implements device.Device.
func (d *Device) Dot(dst device.Buffer, at int, x, y device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	chunks := max(1, min((x.Len()+4095)/4096, 1024))
	partial := d.scratchOf(2 * chunks) // in double precision
	d.launchBlocks("dot", chunks, blockThreads, partial, d.data(x, 0), d.data(y, 0), whole(x.Len()), whole(chunks))
	d.launchBlocks("dot_end", 1, blockThreads, d.data(dst, at), partial, whole(chunks))
}
