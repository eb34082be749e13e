package autograd

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/backend"
	"github.com/seed-6655bf3b/recap/internal/device"
)

// A Device is a place where tensors live: it fixes their precision and runs their kernels.
type Device = device.Device

// Open returns a device by name: "cpu" computes in float32, "cpu64" in float64, "cuda:0" and so on
// in float32 on a GPU, in a build with -tags cuda. "cuda:0,tf32" rounds the inputs of products to
// ten bits of mantissa.
func Open(name string) (Device, error) { return backend.Open(name) }

// A Tensor is an immutable dense array, row-major, resident on one device. A tensor of rank 0
// (shape []) holds one number.
type Tensor struct {
	shape     []int
	buf       device.Buffer
	dev       Device
	needsGrad bool
	tape      *Tape   // that made it; nil if the caller did
	mem       *memory // the tape's, around buf; nil if the caller's
	use       int     // mem.uses when it was made
	recorded  bool
	rows      []int // of a row-sparse gradient, in rising order; nil if dense, see Lookup
}

// NewTensor returns a constant that belongs to no tape. It panics if data does not fill the shape.
func NewTensor(dev Device, data []float64, shape ...int) *Tensor {
	if len(data) != size(shape) {
		panic(fmt.Sprintf("autograd: NewTensor: %d numbers for shape %v, which holds %d", len(data), shape, size(shape)))
	}
	x := &Tensor{shape: append([]int{}, shape...), buf: dev.Alloc(len(data)), dev: dev}
	dev.Upload(x.buf, data)
	return x
}

// NewParam returns a tensor like NewTensor's of which gradients are wanted.
func NewParam(dev Device, data []float64, shape ...int) *Tensor {
	x := NewTensor(dev, data, shape...)
	x.needsGrad = true
	return x
}

// Shape returns the lengths of the axes. The caller must not change it.
func (x *Tensor) Shape() []int { return x.shape }

// Len returns the number of elements.
func (x *Tensor) Len() int { return size(x.shape) }

// Device returns the device that holds x.
func (x *Tensor) Device() Device { return x.dev }

// Values copies x to the host. It waits for the device.
func (x *Tensor) Values() []float64 {
	x.mustLive("Values")
	v := make([]float64, x.buf.Len())
	x.dev.Download(v, x.buf)
	if x.rows != nil {
		return x.expand(v)
	}
	return v
}

// Item returns the value of a tensor of one element.
func (x *Tensor) Item() float64 {
	if x.Len() != 1 {
		panic(fmt.Sprintf("autograd: Item: shape %v holds %d numbers, want 1", x.shape, x.Len()))
	}
	return x.Values()[0]
}

// Clone returns a copy of x that belongs to no tape, hence outlives Reset. The copy is a constant.
func (x *Tensor) Clone() *Tensor {
	x.mustLive("Clone")
	x.mustBeDense("Clone")
	c := &Tensor{shape: x.shape, buf: x.dev.Alloc(x.Len()), dev: x.dev}
	x.dev.Copy(dense(c), x.shape, dense(x))
	return c
}

// String describes x by shape and device.
func (x *Tensor) String() string { return fmt.Sprintf("Tensor%v on %s", x.shape, x.dev.Name()) }

func (x *Tensor) rank() int { return len(x.shape) }

// mustLive panics if the memory of x was taken back.
func (x *Tensor) mustLive(op string) {
	if x.mem != nil && x.use != x.mem.uses {
		panic("autograd: " + op + ": the operand's memory was taken back by Reset, Backward or Scope; Clone what must outlive a step, name to Backward what to keep")
	}
}

// size returns the number of elements of a shape.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// dense returns the operand that reads all of x in order.
func dense(x *Tensor) device.Operand {
	return device.Dense(x.buf, x.shape)
}
