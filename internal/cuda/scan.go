//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// scanThreads is the number of threads in a block of the kernels scan and scan_grad, which computes
// scanChannels channels.
const (
	scanThreads  = 128
	scanChannels = 32
)

// scanInputs returns the arguments that both kernels have.
func (d *Device) scanInputs(x device.ScanOperands) []uint64 {
	return []uint64{d.data(x.U, 0), d.data(x.Step, 0), d.data(x.Z, 0), d.data(x.B, 0),
		d.data(x.C, 0), d.data(x.StepBias, 0), d.data(x.Skip, 0), d.data(x.ALog, 0)}
}

// SelectiveScan implements device.Device.
func (d *Device) SelectiveScan(s device.Scan, out, saved device.Buffer, x device.ScanOperands) {
	d.begin()
	defer d.mu.Unlock()
	args := append([]uint64{d.data(out, 0), d.data(saved, 0)}, d.scanInputs(x)...)
	args = append(args, argInt(s.Steps), argInt(s.Width), argInt(s.States), argBool(s.Reverse))
	tiles := (s.Width + scanChannels - 1) / scanChannels
	d.launchBlocks("scan", s.Samples*tiles, scanThreads, args...)
}

// SelectiveScanGrad implements device.Device.
func (d *Device) SelectiveScanGrad(
	s device.Scan, dx device.ScanOperands, g, saved device.Buffer, x device.ScanOperands,
) {
	d.begin()
	defer d.mu.Unlock()
	tiles := (s.Width + scanChannels - 1) / scanChannels
	steps, states := s.Samples*s.Steps*s.States, s.Samples*s.States*s.Width
	var parts []uint64 // db, dc, da, carry, dbias, dskip
	base := d.scratchFor(2 * (tiles*steps + states + s.Samples*s.Width))
	for _, n := range []int{tiles * steps, tiles * steps, states, states, s.Samples * s.Width,
		s.Samples * s.Width} {
		parts = append(parts, base)
		base += uint64(4 * n)
	}
	args := append([]uint64{d.data(dx.U, 0), d.data(dx.Step, 0), d.data(dx.Z, 0)}, parts...)
	args = append(args, d.data(g, 0), d.data(saved, 0))
	args = append(append(args, d.scanInputs(x)...), argInt(s.Samples), argInt(s.Steps),
		argInt(s.Width), argInt(s.States), argBool(s.Reverse))
	d.launchBlocks("scan_grad", s.Samples*tiles, scanThreads, args...)
	d.launch("scan_log", s.Width*s.States, d.data(dx.ALog, 0), parts[2], d.data(x.ALog, 0),
		argInt(s.Samples), argInt(s.Width), argInt(s.States))
	d.foldColumns(foldSum, d.data(dx.B, 0), parts[0], 0, 1, tiles, steps, 1)
	d.foldColumns(foldSum, d.data(dx.C, 0), parts[1], 0, 1, tiles, steps, 1)
	d.foldColumns(foldSum, d.data(dx.StepBias, 0), parts[4], 0, 1, s.Samples, s.Width, 1)
	d.foldColumns(foldSum, d.data(dx.Skip, 0), parts[5], 0, 1, s.Samples, s.Width, 1)
}
