//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// A Device is one GPU. All calls of the three libraries run on the device's OS thread, in the
// order in which they were requested.
type Device struct {
	name  string
	gpu   *C.struct_gpu
	info  C.struct_device_info
	arch  int          // 90 for compute capability 9.0
	tasks chan func()  // functions for the thread to run
	fault atomic.Value // the first failure, of type failure; it is permanent

	mu          sync.Mutex       // guards the fields below, except graphs
	next        *submission      // being written
	free        chan *submission // neither written nor run
	graphs      graphs           // belongs to the thread
	kernels     kernels
	memory      memory
	scratch     *buffer      // for kernels that need memory between two passes
	pendingAdam []adamTensor // steps of Adam that are not yet a command
}

var _ device.Device = (*Device)(nil)

type failure struct{ error }

// Open opens GPU number ordinal, in the order of the driver (CUDA_VISIBLE_DEVICES hides GPUs). The
// device's name is "cuda:0" for number 0. With tf32 the name is "cuda:0,tf32", and matrix products
// round their inputs to the ten bits of mantissa of TF32, which is faster. Open returns an error
// if a library is missing, the GPU does not exist, or the driver fails.
func Open(ordinal int, tf32 bool) (device.Device, error) {
	if _, err := openLibraries(); err != nil {
		return nil, err
	}
	d := &Device{name: fmt.Sprintf("cuda:%d", ordinal), tasks: make(chan func(), 4)}
	mode := C.int(0)
	if tf32 {
		d.name, mode = d.name+",tf32", 1
	}
	go d.work()
	var err error
	d.do(func() { err = d.open(ordinal, mode) })
	if err != nil {
		close(d.tasks)
		return nil, err
	}
	return d, nil
}

// open initialises the GPU. It runs on the device's thread.
func (d *Device) open(ordinal int, tf32 C.int) error {
	var count, version C.int
	if err := check("the driver cannot be initialised",
		C.device_count(&count, &version)); err != nil {
		return err
	}
	if ordinal < 0 || ordinal >= int(count) {
		return fmt.Errorf(
			"cuda: device cuda:%d: expected a number below %d, the number of GPUs that the "+
				"driver sees", ordinal, int(count),
		)
	}
	if err := check(d.name, C.device_open(C.int(ordinal), tf32, &d.gpu, &d.info)); err != nil {
		return err
	}
	d.arch = int(10*d.info.major + d.info.minor)
	if err := d.kernels.open(d); err != nil {
		return err
	}
	d.memory.device = d
	d.free = make(chan *submission, arenas)
	for p := range arenas {
		s, err := d.newSubmission(p)
		if err != nil {
			return err
		}
		d.free <- s
	}
	return nil
}

// work runs the tasks on one OS thread, since the driver's context belongs to a thread.
func (d *Device) work() {
	runtime.LockOSThread()
	for f := range d.tasks {
		f()
	}
}

// do runs f on the device's thread and waits until it returns.
func (d *Device) do(f func()) {
	done := make(chan struct{})
	d.tasks <- func() { defer close(done); f() }
	<-done
}

// fail records the device's first failure.
func (d *Device) fail(err error) { d.fault.CompareAndSwap(nil, failure{err}) }

// failed returns the device's failure, or nil.
func (d *Device) failed() error {
	if f, ok := d.fault.Load().(failure); ok {
		return f.error
	}
	return nil
}

// Name returns "cuda:0" or "cuda:0,tf32".
func (d *Device) Name() string { return d.name }

// Bits returns 32.
func (d *Device) Bits() int { return 32 }

// Submit implements device.Device.
func (d *Device) Submit() {
	d.begin()
	defer d.mu.Unlock()
	d.submit()
}

// Sync implements device.Device. A failure is permanent: after it, Sync always returns the error,
// and Download returns NaN.
func (d *Device) Sync() error {
	d.Submit()
	d.do(func() {
		if d.failed() == nil {
			if err := check(d.name, C.stream_wait(d.gpu)); err != nil {
				d.fail(fmt.Errorf("%w, in a step that ran before without an error", err))
			}
		}
	})
	return d.failed()
}

// A buffer is an array of float32 numbers on the device.
type buffer struct {
	device  *Device
	address uint64
	n       int
	whole   device.Buffer // nil, or the buffer of which this is a part
}

// Len returns the number of elements.
func (b *buffer) Len() int { return b.n }

// data returns the address of element i of a buffer. It panics if the buffer belongs to another
// device.
func (d *Device) data(b device.Buffer, i int) uint64 {
	v, ok := b.(*buffer)
	if !ok || v.device != d {
		panic(fmt.Sprintf("cuda: a buffer of type %T on device %s", b, d.name))
	}
	return v.address + uint64(4*i)
}

// Part implements device.Device.
func (d *Device) Part(b device.Buffer, at, n int) device.Buffer {
	return &buffer{device: d, address: d.data(b, at), n: n, whole: b}
}

// Upload implements device.Device.
func (d *Device) Upload(dst device.Buffer, src []float64) {
	upload(d, dst, src)
}

// Upload32 implements device.Device.
func (d *Device) Upload32(dst device.Buffer, src []float32) {
	upload(d, dst, src)
}

// upload copies numbers through the arena, in several parts if they are larger than the arena.
func upload[T float32 | float64](d *Device, dst device.Buffer, src []T) {
	d.begin()
	defer d.mu.Unlock()
	for at := 0; at < len(src); {
		part := src[at:min(len(src), at+arenaBytes/8)]
		host, address := d.stage(4 * len(part))
		to := unsafe.Slice((*float32)(host), len(part))
		for i, v := range part {
			to[i] = float32(v)
		}
		d.launch("move", len(part), d.data(dst, at), address, argInt(len(part)))
		at += len(part)
	}
}

// Download implements device.Device.
func (d *Device) Download(dst []float64, src device.Buffer) {
	d.Submit()
	host := make([]float32, len(dst))
	address := d.data(src, 0)
	if len(dst) > 0 {
		d.do(func() { d.download(host, address) })
		runtime.KeepAlive(src) // the allocator must not recycle its memory before
	}
	for i, v := range host {
		dst[i] = float64(v)
	}
}

// download copies numbers to the host. It runs on the device's thread.
func (d *Device) download(host []float32, address uint64) {
	if d.failed() == nil {
		if err := check(d.name,
			C.memory_download(d.gpu, unsafe.Pointer(&host[0]), C.uint64_t(address),
				C.size_t(4*len(host)))); err != nil {
			d.fail(err)
		}
	}
	if d.failed() != nil {
		for i := range host {
			host[i] = float32(math.NaN())
		}
	}
}

// Report describes the libraries and the GPUs, or what is missing, one line each.
func Report() []string {
	var lines []string
	missing := false
	for _, l := range libraries {
		path, err := l.open(folders())
		if err != nil {
			missing, path = true, err.Error()
		}
		lines = append(lines, l.what+": "+path)
	}
	if missing {
		return lines
	}
	var count, version, major, minor C.int
	if err := check("the driver cannot be initialised",
		C.device_count(&count, &version)); err != nil {
		return append(lines, err.Error())
	}
	C.compiler_version(&major, &minor)
	lines[C.DRIVER] += fmt.Sprintf(", for CUDA %d.%d", version/1000, version%1000/10)
	lines[C.COMPILER] += fmt.Sprintf(", version %d.%d", major, minor)
	if count == 0 {
		lines = append(lines, "the driver finds no GPU")
	}
	for i := range int(count) {
		dev, err := Open(i, false)
		if err != nil {
			lines = append(lines, err.Error())
			continue
		}
		d := dev.(*Device)
		if i == 0 {
			v := d.info.blas
			lines[C.BLAS] += fmt.Sprintf(", version %d.%d.%d", v/10000, v/100%100, v%100)
		}
		lines = append(lines, d.describe())
	}
	return lines
}

// describe returns a line about a GPU.
func (d *Device) describe() string {
	f := &d.info
	_, total, available := d.memory.counts()
	return fmt.Sprintf("%s: %s, compute capability %d.%d, %d multiprocessors, %s of memory, %s "+
		"free", d.name, C.GoString(&f.name[0]), f.major, f.minor,
		f.processors, mebibytes(total), mebibytes(available))
}
