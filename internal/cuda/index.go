//go:build cuda && cgo && linux

package cuda

import (
	"unsafe"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// stageIndex copies row numbers to the arena, as 32-bit integers, and returns their address.
func (d *Device) stageIndex(index []int) uint64 {
	host, address := d.stage(4 * len(index))
	writeIndex(host, index)
	return address
}

// writeIndex writes row numbers as 32-bit integers.
func writeIndex(to unsafe.Pointer, index []int) {
	for i, r := range index {
		unsafe.Slice((*int32)(to), len(index))[i] = int32(r)
	}
}

// Gather implements device.Device.
func (d *Device) Gather(dst, table device.Buffer, index []int, width int) {
	d.begin()
	defer d.mu.Unlock()
	if n := len(index) * width; n > 0 {
		at := d.stageIndex(index)
		d.launch("gather", n, d.data(dst, 0), d.data(table, 0), at, argInt(n), argInt(width))
	}
}

// ScatterAdd implements device.Device.
func (d *Device) ScatterAdd(dst device.Buffer, index []int, src device.Buffer, width int) {
	d.begin()
	defer d.mu.Unlock()
	if len(index)*width > 0 {
		at := d.stageIndex(index)
		d.launchBlocks("scatter_add", len(index), blockThreads, d.data(dst, 0), d.data(src, 0),
			at, argInt(len(index)), argInt(width))
	}
}
