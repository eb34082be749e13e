//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Gemm implements device.Device, by cuBLAS.
func (d *Device) Gemm(g device.Gemm) {
	d.begin()
	defer d.mu.Unlock()
	d.product(g)
}

// product appends a matrix product. The caller has locked d.mu.
func (d *Device) product(g device.Gemm) {
	if g.M*g.N*g.Count == 0 {
		return
	}
	s := d.current()
	s.words = append(s.words, C.GEMM|(C.sizeof_struct_gemm/8)<<8,
		argBool(g.TransA)|argBool(g.TransB)<<1, argInt(g.M), argInt(g.N), argInt(g.K),
		stride(g.A, g.TransA, g.M, g.K), stride(g.B, g.TransB, g.K, g.N),
		stride(g.C, false, g.M, g.N),
		argFloat(g.Alpha), argFloat(g.Beta), d.data(g.A.Buf, g.A.Offset),
		d.data(g.B.Buf, g.B.Offset), d.data(g.C.Buf, g.C.Offset),
		argInt(g.A.Batch), argInt(g.B.Batch), argInt(g.C.Batch), argInt(g.Count))
}

// stride returns the distance between the rows of a matrix a with op(a) [m n]. cuBLAS requires at
// least 1 and at least the length of a row, even if the matrix has only one row.
func stride(a device.Matrix, transposed bool, m, n int) uint64 {
	if transposed {
		m, n = n, m
	}
	if max(m, n, a.Stride) > math.MaxInt32 {
		panic(fmt.Sprintf(
			"cuda: Gemm: a matrix with %d rows, %d columns and stride %d is too large for cuBLAS",
			m, n, a.Stride,
		))
	}
	if m <= 1 {
		return argInt(max(1, n, a.Stride))
	}
	return argInt(max(1, a.Stride))
}
