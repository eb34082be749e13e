//go:build cuda && cgo && linux

package cuda

import (
	"slices"
	"unsafe"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// An adamTensor has the memory layout of struct adam_tensor in adam.cu.
type adamTensor struct {
	p, g, m, v                                                uint64
	n, first                                                  int
	beta1, rest1, beta2, rest2, eps, keep, decay, step, scale float64
}

// adamBlock is the number of elements that a block of the kernel updates.
const adamBlock = 2048

// newAdam returns the arguments of one step.
func (d *Device) newAdam(a device.Adam, p, g, m, v device.Buffer) adamTensor {
	t := adamTensor{p: d.data(p, 0), g: d.data(g, 0), m: d.data(m, 0), v: d.data(v, 0), n: p.Len(),
		beta1: a.Beta1, rest1: 1 - a.Beta1, beta2: a.Beta2, rest2: 1 - a.Beta2, eps: a.Eps,
		keep: 1, decay: a.WeightDecay,
		step: a.LR / a.Correction1, scale: 1 / a.Correction2}
	if a.Decoupled {
		t.keep, t.decay = 1-a.LR*a.WeightDecay, 0
	}
	return t
}

// Adam implements device.Device. It collects the steps of consecutive calls, which one kernel
// computes together. Two steps of one tensor are never in the same kernel.
func (d *Device) Adam(a device.Adam, p, g, m, v device.Buffer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.Len() == 0 {
		return
	}
	t := d.newAdam(a, p, g, m, v)
	if slices.ContainsFunc(d.pendingAdam, func(other adamTensor) bool { return other.p == t.p }) {
		d.flushAdam()
	}
	d.pendingAdam = append(d.pendingAdam, t)
}

// flushAdam launches one kernel for the pending steps.
func (d *Device) flushAdam() {
	if len(d.pendingAdam) == 0 {
		return
	}
	blocks := 0
	for i := range d.pendingAdam {
		d.pendingAdam[i].first = blocks
		blocks += (d.pendingAdam[i].n + adamBlock - 1) / adamBlock
	}
	at := stageSlice(d, d.pendingAdam)
	d.launchBlocks("adam", blocks, blockThreads, at, argInt(len(d.pendingAdam)))
	d.pendingAdam = d.pendingAdam[:0]
}

// AdamRows implements device.Device.
func (d *Device) AdamRows(a device.Adam, p, g, m, v device.Buffer, index []int, width int) {
	d.begin()
	defer d.mu.Unlock()
	if n := len(index) * width; n > 0 {
		t, rows := d.stageAdam(d.newAdam(a, p, g, m, v), index)
		d.launch("adam_rows", n, t, rows, argInt(n), argInt(width))
	}
}

// AdamCompact implements device.Device.
func (d *Device) AdamCompact(a device.Adam, p, g, m, row, column device.Buffer, index []int) {
	d.begin()
	defer d.mu.Unlock()
	n, width := row.Len(), column.Len()
	if index != nil {
		n = len(index)
	}
	if n*width == 0 {
		return
	}
	t, rows := d.stageAdam(d.newAdam(a, p, g, m, row), index)
	tiles := (width + 31) / 32
	chunks := max(1, min((n+63)/64, 512/tiles))
	partial := d.scratchFor((chunks+1)*width + 1)
	sums := partial + uint64(4*chunks*width)
	mean := sums + uint64(4*width)
	c := d.data(column, 0)
	d.launchBlocks("adam_columns", chunks*tiles, blockThreads, t, rows, partial, argInt(n),
		argInt(width), argInt(chunks))
	d.foldColumns(foldSum, sums, partial, 0, 1, chunks, width, 1)
	d.launchBlocks("adam_mean", 1, blockThreads, t, c, mean, sums, argInt(n), argInt(width))
	d.launchRows("adam_compact", n, width, t, rows, c, mean, argInt(width))
}

// stageAdam copies the arguments of a step and row numbers to the arena and returns their
// addresses; that of no row numbers is 0.
func (d *Device) stageAdam(t adamTensor, index []int) (tensor, rows uint64) {
	size := unsafe.Sizeof(t)
	host, at := d.stage(int(size) + 4*len(index))
	*(*adamTensor)(host) = t
	if index == nil {
		return at, 0
	}
	writeIndex(unsafe.Add(host, size), index)
	return at, at + uint64(size)
}
