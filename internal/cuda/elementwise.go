//go:build cuda && cgo && linux

package cuda

import (
	"github.com/seed-6655bf3b/recap/internal/device"
)

// Fill implements device.Device.
func (d *Device) Fill(dst device.Buffer, v float64) {
	d.begin()
	defer d.mu.Unlock()
	d.launch("fill", dst.Len(), d.data(dst, 0), argInt(dst.Len()), argFloat(v))
}

// Axpy implements device.Device.
func (d *Device) Axpy(alpha float64, x, y device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	d.launch("axpy", x.Len(), d.data(y, 0), d.data(x, 0), argInt(x.Len()), argFloat(alpha))
}

// Unary implements device.Device.
func (d *Device) Unary(op device.Unary, dst, x device.Buffer, a, b float64) {
	d.begin()
	defer d.mu.Unlock()
	d.launch("unary", x.Len(), d.data(dst, 0), d.data(x, 0), argInt(x.Len()), argInt(int(op)),
		argFloat(a), argFloat(b))
}

// UnaryGrad implements device.Device.
func (d *Device) UnaryGrad(op device.Unary, dx, x, y, g device.Buffer, a, b float64) {
	d.begin()
	defer d.mu.Unlock()
	d.launch("unary_grad", x.Len(), d.data(dx, 0), d.data(x, 0), d.data(y, 0), d.data(g, 0),
		argInt(x.Len()), argInt(int(op)), argFloat(a), argFloat(b))
}

// Dropout implements device.Device.
func (d *Device) Dropout(dst, x device.Buffer, p float64, seed uint64) {
	d.begin()
	defer d.mu.Unlock()
	at := stageSlice(d, []uint64{seed})
	d.launch("dropout", x.Len(), d.data(dst, 0), d.data(x, 0), at, argInt(x.Len()),
		device.KeepLimit(p), argFloat(1/(1-p)))
}

// PackSigns implements device.Device.
func (d *Device) PackSigns(dst, x device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	d.launch("pack_signs", dst.Len(), d.data(dst, 0), d.data(x, 0), argInt(dst.Len()),
		argInt(x.Len()))
}

// ApplySignMask implements device.Device.
func (d *Device) ApplySignMask(dst, x, signs device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	d.launch("apply_sign_mask", x.Len(), d.data(dst, 0), d.data(x, 0), d.data(signs, 0),
		argInt(x.Len()))
}
