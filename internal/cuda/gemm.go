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

// product appends a product, for a caller that holds the lock.
func (d *Device) product(g device.Gemm) {
	if g.M*g.N*g.Count == 0 {
		return
	}
	s := d.take()
	s.words = append(s.words, C.GEMM|(C.sizeof_struct_gemm/8)<<8, flag(g.TransA)|flag(g.TransB)<<1, whole(g.M), whole(g.N), whole(g.K),
		stride(g.A, g.TransA, g.M, g.K), stride(g.B, g.TransB, g.K, g.N), stride(g.C, false, g.M, g.N),
		number(g.Alpha), number(g.Beta), d.data(g.A.Buf, g.A.Offset), d.data(g.B.Buf, g.B.Offset), d.data(g.C.Buf, g.C.Offset),
		whole(g.A.Batch), whole(g.B.Batch), whole(g.C.Batch), whole(g.Count))
}

// stride returns the distance between the rows of a matrix that op makes [m n]; cuBLAS wants to
// hear at least the length of a row, and 1, even where no other row follows.
func stride(a device.Matrix, transposed bool, m, n int) uint64 {
	if transposed {
		m, n = n, m
	}
	if max(m, n, a.Stride) > math.MaxInt32 {
		panic(fmt.Sprintf("cuda: Gemm: a matrix of %d rows, %d columns, %d apart is too large for cuBLAS", m, n, a.Stride))
	}
	if m <= 1 {
		return whole(max(1, n, a.Stride))
	}
	return whole(max(1, a.Stride))
}
