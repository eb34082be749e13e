//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// stageIndex puts row numbers in the arena, as C's int.
func (d *Device) stageIndex(index []int) uint64 {
	short := make([]int32, len(index))
	for i, r := range index {
		short[i] = int32(r)
	}
	return stageSlice(d, short)
}

// Gather implements device.Device.
func (d *Device) Gather(dst, table device.Buffer, index []int, width int) {
	d.begin()
	defer d.mu.Unlock()
	if n := len(index) * width; n > 0 {
		at := d.stageIndex(index)
		d.launch("gather", n, d.data(dst, 0), d.data(table, 0), at, whole(n), whole(width))
	}
}

// ScatterAdd implements device.Device.
func (d *Device) ScatterAdd(dst device.Buffer, index []int, src device.Buffer, width int) {
	d.begin()
	defer d.mu.Unlock()
	if len(index)*width > 0 {
		at := d.stageIndex(index)
		d.launchBlocks("scatter_add", len(index), blockThreads, d.data(dst, 0), d.data(src, 0), at, whole(len(index)), whole(width))
	}
}
