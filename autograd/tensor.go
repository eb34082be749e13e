package autograd

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/backend"
	"github.com/seed-6655bf3b/recap/internal/device"
)

// A Device holds the memory of tensors, fixes their precision and runs the kernels of which
// operations consist.
type Device = device.Device

// Open returns a device by name: "cpu" computes in float32, "cpu64" in float64, and "cuda:0",
// "cuda:1" and so on in float32 on a GPU, in a build with -tags cuda. "cuda:0,tf32" rounds the
// inputs of matrix products to ten bits of mantissa. It returns an error if the name is unknown
// or the device cannot be used.
func Open(name string) (Device, error) { return backend.Open(name) }

// A Buffer is a tensor's memory on its device, the operand of the device's kernels.
type Buffer = device.Buffer

// A Tensor is an immutable dense array of numbers, row-major, on one device. A tensor of rank 0
// (shape []) holds one number. Shapes are written in brackets, such as [B T d].
type Tensor struct {
	shape     []int
	buf       device.Buffer
	dev       Device
	needsGrad bool
	tape      *Tape   // the one that created it; nil if the caller did
	mem       *memory // the one that contains buf; nil if the tensor belongs to no tape
	recorded  bool    // as the result of an operation
	rows      []int   // of a row-sparse gradient, in rising order; nil if dense, see Lookup
}

// NewTensor copies data, in row-major order, from the host to a new tensor that belongs to no
// tape. It is a constant. It panics if data does not fill the shape. float32 data are not
// widened on their way to the device.
func NewTensor[F float32 | float64](dev Device, data []F, shape ...int) *Tensor {
	if len(data) != size(shape) {
		panic(fmt.Sprintf("autograd: NewTensor: %d numbers for shape %v, which holds %d",
			len(data), shape, size(shape)))
	}
	x := &Tensor{shape: append([]int{}, shape...), buf: dev.Alloc(len(data)), dev: dev}
	upload(x, data)
	return x
}

// NewParam is [NewTensor] for a parameter: [Tape.Backward] computes its gradient.
func NewParam[F float32 | float64](dev Device, data []F, shape ...int) *Tensor {
	x := NewTensor(dev, data, shape...)
	x.needsGrad = true
	return x
}

// upload copies data to x.
func upload[F float32 | float64](x *Tensor, data []F) {
	switch data := any(data).(type) {
	case []float32:
		x.dev.Upload32(x.buf, data)
	case []float64:
		x.dev.Upload(x.buf, data)
	}
}

// Shape returns the lengths of the axes. The caller must not change it.
func (x *Tensor) Shape() []int { return x.shape }

// Len returns the number of elements.
func (x *Tensor) Len() int { return size(x.shape) }

// Device returns the device that holds x.
func (x *Tensor) Device() Device { return x.dev }

// Buffer returns x's memory, for an operation that is implemented by kernels of the device (see
// [Tape.Record]): the elements in row-major order. A kernel may write to the buffer of a new
// tensor of [Tape.Empty] only. It panics if x is stale or a row-sparse gradient.
func (x *Tensor) Buffer() Buffer {
	x.mustLive("Buffer")
	x.mustBeDense("Buffer")
	return x.buf
}

// Values copies the elements of x to the host, in row-major order. It waits for the device. It
// panics if x is stale.
func (x *Tensor) Values() []float64 {
	x.mustLive("Values")
	v := make([]float64, x.buf.Len())
	x.dev.Download(v, x.buf)
	if x.rows != nil {
		return x.expand(v)
	}
	return v
}

// Item returns the element of a tensor that has one element. It panics if x has more, or is stale.
func (x *Tensor) Item() float64 {
	if x.Len() != 1 {
		panic(fmt.Sprintf("autograd: Item: shape %v holds %d numbers, want 1", x.shape, x.Len()))
	}
	return x.Values()[0]
}

// Clone returns a copy of x that belongs to no tape and therefore outlives [Tape.Reset]. The copy
// is a constant. It panics if x is stale or a row-sparse gradient.
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

// mustLive panics if the memory of x was recycled.
func (x *Tensor) mustLive(op string) {
	if x.mem != nil && x.mem.recycled {
		panic("autograd: " +
			op + ": the operand's memory was recycled by Reset, Backward or Scope; Clone a " +
			"tensor that must outlive the step, or let Backward keep it")
	}
}

// size returns the number of elements of a shape. It panics if a length is negative.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			panic(fmt.Sprintf("autograd: shape %v: want lengths of 0 or more", shape))
		}
		n *= d
	}
	return n
}

// dense returns the operand that reads the elements of x in row-major order.
func dense(x *Tensor) device.Operand {
	return device.Dense(x.buf, x.shape)
}
