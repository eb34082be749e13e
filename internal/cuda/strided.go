//go:build cuda && cgo && linux

package cuda

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// maxRank is the maximum number of merged axes.
const maxRank = 6

// axes are the merged axes of several operands, in the form that kernels need.
type axes struct {
	length  []int
	strides [][]int // strides of each operand
}

// merged returns the merged axes of a shape for the operands, and the number of elements. It
// panics if a kernel cannot handle them.
func merged(op string, shape []int, operands ...device.Operand) (a axes, n int) {
	a.length, a.strides = device.Merge(shape, operands...)
	n = 1
	for _, l := range a.length {
		n *= l
	}
	if len(a.length) > maxRank || n > math.MaxInt32 {
		panic(fmt.Sprintf(
			"cuda: %s: shape %v has %d elements on %d axes after merging: at most %d elements "+
				"on %d axes are supported", op, shape, n, len(a.length), math.MaxInt32, maxRank,
		))
	}
	return a, n
}

// args returns the rank, the lengths and the strides as arguments of a kernel.
func (a axes) args() []uint64 {
	args := []uint64{argInt(len(a.length))}
	for _, list := range slices.Concat([][]int{a.length}, a.strides) {
		args = append(args, padded(list)...)
	}
	return args
}

// padded returns a list as an array of maxRank words.
func padded(list []int) []uint64 {
	words := make([]uint64, maxRank)
	for i, v := range list {
		words[i] = argInt(v)
	}
	return words
}

// at returns the address of an operand's first element.
func (d *Device) at(o device.Operand) uint64 { return d.data(o.Buf, o.Offset) }

// Binary implements device.Device.
func (d *Device) Binary(op device.Binary, dst device.Buffer, shape []int, x, y device.Operand) {
	d.begin()
	defer d.mu.Unlock()
	a, n := merged("Binary", shape, device.Dense(dst, shape), x, y)
	a.strides = a.strides[1:] // the position in dst is the number of the element
	d.launch("binary",
		n, append([]uint64{d.data(dst, 0), d.at(x), d.at(y), argInt(n), argInt(int(op))},
			a.args()...)...)
}

// Copy implements device.Device.
func (d *Device) Copy(dst device.Operand, shape []int, src device.Operand) {
	d.begin()
	defer d.mu.Unlock()
	a, n := merged("Copy", shape, dst, src)
	d.launch("copy", n, append([]uint64{d.at(dst), d.at(src), argInt(n)}, a.args()...)...)
}

// Accumulate implements device.Device.
func (d *Device) Accumulate(dst device.Operand, shape []int, src device.Operand) {
	d.begin()
	defer d.mu.Unlock()
	a, n := merged("Accumulate", shape, dst, src)
	if n == 0 {
		return
	}
	a = a.descending()
	reach := make([]int, len(a.length))
	extent := 0
	for axis := len(a.length) - 1; axis >= 0; axis-- {
		reach[axis] = extent
		extent += (a.length[axis] - 1) * a.strides[0][axis]
	}
	args := append([]uint64{d.at(dst), d.at(src), argInt(extent + 1)}, a.args()...)
	d.launch("accumulate", extent+1, append(args, padded(reach)...)...)
}

// descending returns the axes sorted by the first operand's strides, the largest first.
func (a axes) descending() axes {
	order := make([]int, len(a.length))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return a.strides[0][j] - a.strides[0][i] })
	sorted := axes{make([]int, len(order)),
		[][]int{make([]int, len(order)), make([]int, len(order))}}
	for to, from := range order {
		sorted.length[to] = a.length[from]
		for k := range sorted.strides {
			sorted.strides[k][to] = a.strides[k][from]
		}
	}
	return sorted
}
