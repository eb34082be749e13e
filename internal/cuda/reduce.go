//go:build cuda && cgo && linux

package cuda

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// The operations of the fold kernels.
const (
	foldSum = iota
	foldMax
	foldExp // Σ e^(x−m)
	numFolds
)

// Reduce implements device.Device. It computes LogSumExp as m + ln Σ e^(x−m), where m is the
// maximum.
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
		m, s := f.extra, f.extra+uint64(4*outer*inner)
		f.run(foldMax, m, from, 0)
		f.run(foldExp, s, from, m)
		d.launch("log_sum", outer*inner, y, m, s, argInt(outer*inner))
	default:
		panic(fmt.Sprintf("cuda: reduction %d is unknown", op))
	}
}

// A fold reduces x [outer n inner] to [outer inner].
type fold struct {
	device          *Device
	outer, n, inner int
	chunks          int
	partial         uint64 // [chunks outer inner]
	extra           uint64 // memory for the caller
}

// newFold divides the middle axis into chunks that use all of the GPU; the number of chunks
// depends only on the shape. It allocates scratch memory for the chunks' results and for extra
// numbers.
func (d *Device) newFold(outer, n, inner, extra int) fold {
	f := fold{device: d, outer: outer, n: n, inner: inner}
	if inner == 1 {
		f.chunks = min((n+2047)/2048, 1024)
	} else {
		f.chunks = min((n+63)/64, max(1, 512/(outer*(inner+31)/32)))
	}
	f.chunks = max(f.chunks, 1)
	f.partial = d.scratchFor(f.chunks*outer*inner + extra)
	f.extra = f.partial + uint64(4*f.chunks*outer*inner)
	return f
}

// run launches the kernels of one fold of x to y; m is the argument of foldExp.
func (f *fold) run(op int, y, x, m uint64) {
	d, first := f.device, f.partial
	if f.chunks == 1 {
		first = y
	}
	if f.inner == 1 {
		d.launch("fold_rows", 32*f.outer*f.chunks, first, x, m, argInt(op), argInt(f.outer),
			argInt(f.n), argInt(f.chunks))
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

// foldColumns launches the kernel fold_columns.
func (d *Device) foldColumns(op int, y, x, m uint64, outer, n, inner, chunks int) {
	d.launchBlocks("fold_columns", chunks*outer*((inner+31)/32), blockThreads, y, x, m, argInt(op),
		argInt(outer), argInt(n), argInt(inner), argInt(chunks))
}

// Dot implements device.Device.
func (d *Device) Dot(dst device.Buffer, at int, x, y device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	chunks := max(1, min((x.Len()+4095)/4096, 1024))
	partial := d.scratchFor(2 * chunks) // partial sums in double precision
	d.launchBlocks("dot", chunks, blockThreads, partial, d.data(x, 0), d.data(y, 0),
		argInt(x.Len()), argInt(chunks))
	d.launchBlocks("dot_finish", 1, blockThreads, d.data(dst, at), partial, argInt(chunks))
}
