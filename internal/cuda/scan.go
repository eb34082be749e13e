//go:build cuda && cgo && linux

package cuda

import "github.com/seed-6655bf3b/recap/internal/device"

// SelectiveScan implements device.Device.
func (d *Device) SelectiveScan(s device.Scan, out, saved device.Buffer, x device.ScanOperands) {
	panic("cuda: SelectiveScan is not implemented yet")
}

// SelectiveScanGrad implements device.Device.
func (d *Device) SelectiveScanGrad(
	s device.Scan, dx device.ScanOperands, g, saved device.Buffer, x device.ScanOperands,
) {
	panic("cuda: SelectiveScanGrad is not implemented yet")
}
