// Package cpu computes the kernels of package device on the host, in float32 and in float64. Start
// with loops.go, which has the inner loops in plain Go and so shows what a kernel computes. The
// kernels divide their work into chunks and call an inner loop for each.
//
// It is the only package whose code has the type of a number as a parameter. Packages that use it
// do not depend on the precision.
package cpu

import (
	"fmt"
	"sync"

	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// Float is the type of a number: a buffer of "cpu" has float32, one of "cpu64" float64.
type Float interface{ float32 | float64 }

// Device computes in the precision of T. The two precisions share all code except the inner loops.
// A Device has no state except reusable scratch memory, so several goroutines may use it.
type Device[T Float] struct {
	name    string
	bits    int
	loops   *loops[T]
	scratch sync.Pool // of *[]T
}

// New32 returns the device "cpu", which computes in float32.
func New32() *Device[float32] { return &Device[float32]{name: "cpu", bits: 32, loops: &single} }

// New64 returns the device "cpu64", which computes in float64.
func New64() *Device[float64] { return &Device[float64]{name: "cpu64", bits: 64, loops: &double} }

var (
	_ device.Device = (*Device[float32])(nil)
	_ device.Device = (*Device[float64])(nil)
)

type buffer[T Float] []T

func (b buffer[T]) Len() int { return len(b) }

// data returns the numbers of a buffer of this device.
func (d *Device[T]) data(b device.Buffer) []T {
	v, ok := b.(buffer[T])
	if !ok {
		panic(fmt.Sprintf("cpu: a buffer of type %T on device %s", b, d.name))
	}
	return v
}

// Name returns "cpu" or "cpu64".
func (d *Device[T]) Name() string { return d.name }

// Bits returns 32 or 64.
func (d *Device[T]) Bits() int { return d.bits }

// Sync returns nil: a kernel is complete when its method returns.
func (d *Device[T]) Sync() error { return nil }

// Submit does nothing: a kernel runs when its method is called.
func (d *Device[T]) Submit() {}

// Alloc implements device.Device.
func (d *Device[T]) Alloc(n int) device.Buffer { return buffer[T](make([]T, n)) }

// Part implements device.Device.
func (d *Device[T]) Part(b device.Buffer, at, n int) device.Buffer {
	return buffer[T](d.data(b)[at : at+n : at+n])
}

// Upload implements device.Device.
func (d *Device[T]) Upload(dst device.Buffer, src []float64) { convert(d.data(dst), src) }

// Upload32 implements device.Device.
func (d *Device[T]) Upload32(dst device.Buffer, src []float32) { convert(d.data(dst), src) }

// Download implements device.Device.
func (d *Device[T]) Download(dst []float64, src device.Buffer) { convert(dst, d.data(src)) }

func convert[A, B Float](dst []A, src []B) {
	for i, v := range src {
		dst[i] = A(v)
	}
}

// grain is the number of elements in a chunk of an elementwise loop, about 10 µs of work.
const grain = 16384

// rowGrain returns the number of rows of length n in such a chunk.
func rowGrain(n int) int { return max(1, grain/max(n, 1)) }

// borrow returns scratch memory for n numbers, with undefined contents. The caller returns it to
// the pool with recycle.
func (d *Device[T]) borrow(n int) *[]T {
	s, _ := d.scratch.Get().(*[]T)
	if s == nil || cap(*s) < n {
		v := make([]T, n)
		s = &v
	}
	*s = (*s)[:n]
	return s
}

// recycle returns scratch memory to the pool.
func (d *Device[T]) recycle(s *[]T) { d.scratch.Put(s) }

// each calls f for the chunks of n numbers.
func each(n int, f func(lo, hi int)) { parallel.For(n, grain, f) }
