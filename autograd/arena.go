package autograd

import (
	"cmp"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// This file owns the memory of a tape's tensors. Memory is taken from an arena when a tensor is
// created and returns to it, recycled, at Reset, at the end of a Scope, or at its last use in
// Backward. So a training step whose shapes are those of the step before allocates nothing.

// A memory is a part of the arena that holds the elements of one tensor and its aliases.
type memory struct {
	block
	refs     int32 // in Backward: how many owners still need it
	recycled bool  // the tensors are stale
}

// An arena divides segments, buffers of the device, into blocks. The block of a new tensor is the
// first free one that is long enough, in order of allocation of the segments and of position. All
// of the memory is free after a Reset. So each tensor of a step gets the memory that it had in the
// step before: a segment that has been allocated since comes after all blocks that were free.
type arena struct {
	segments []device.Buffer
	free     []block // in order; no two are adjacent
}

// A block is n numbers of a segment from the given position on.
type block struct{ segment, at, n int }

// blockUnit is what positions and lengths of blocks are multiples of: 256 bytes of float32, so that
// vectors and lines of a cache do not lie in two blocks.
const blockUnit = 64

// A new segment is at least as long as a sixty-fourth of all others, up to maxGrowth. With one for
// each tensor of a step, thousands of free blocks would be searched; with longer ones than
// maxGrowth, large tensors leave gaps.
const maxGrowth = 1 << 20

// wholeUnits returns n, rounded up to a multiple of blockUnit.
func wholeUnits(n int) int { return (n + blockUnit - 1) / blockUnit * blockUnit }

// total returns the length of all segments.
func (a *arena) total() (n int) {
	for _, s := range a.segments {
		n += s.Len()
	}
	return n
}

// take returns a block of at least n numbers. It allocates a segment if none is free.
func (a *arena) take(dev Device, n int) block {
	n = wholeUnits(max(n, 1))
	i := slices.IndexFunc(a.free, func(b block) bool { return b.n >= n })
	if i < 0 {
		i = len(a.free)
		size := max(n, wholeUnits(min(a.total()/64, maxGrowth)))
		a.free = append(a.free, block{len(a.segments), 0, size})
		a.segments = append(a.segments, dev.Alloc(size))
	}
	b := &a.free[i]
	taken := block{b.segment, b.at, n}
	if b.at, b.n = b.at+n, b.n-n; b.n == 0 {
		a.free = slices.Delete(a.free, i, i+1)
	}
	return taken
}

// put returns a block to the free ones.
func (a *arena) put(b block) {
	i, _ := slices.BinarySearchFunc(a.free, b, func(x, y block) int {
		return cmp.Or(x.segment-y.segment, x.at-y.at)
	})
	a.free = slices.Insert(a.free, i, b)
	a.join(i)
	a.join(i - 1)
}

// join makes one block of the i-th free one and the next if they are adjacent.
func (a *arena) join(i int) {
	if i < 0 || i+1 == len(a.free) {
		return
	}
	b, next := &a.free[i], a.free[i+1]
	if b.segment == next.segment && b.at+b.n == next.at {
		b.n += next.n
		a.free = slices.Delete(a.free, i+1, i+2)
	}
}

// freeAll makes each segment one free block.
func (a *arena) freeAll() {
	a.free = a.free[:0]
	for i, s := range a.segments {
		a.free = append(a.free, block{i, 0, s.Len()})
	}
}

// alloc returns a new tensor of the tape with undefined elements. It retains shape.
func (t *Tape) alloc(shape []int) *Tensor {
	n := size(shape)
	m := &memory{block: t.arena.take(t.dev, n)}
	buf := t.dev.Part(t.arena.segments[m.segment], m.at, n)
	if t.Poison {
		t.dev.Fill(buf, math.NaN())
	}
	if t.inBackward {
		m.refs = 1 // of the operation whose gradients are being computed
	}
	t.inUse = append(t.inUse, m)
	return &Tensor{shape: shape, buf: buf, mem: m, dev: t.dev, tape: t}
}

// full returns a new tensor whose elements are all v. It retains shape.
func (t *Tape) full(shape []int, v float64) *Tensor {
	x := t.alloc(shape)
	t.dev.Fill(x.buf, v)
	return x
}

// alias returns x's elements under another shape, as a new tensor. Both share the memory, which is
// safe because tensors of a tape do not change.
func (t *Tape) alias(x *Tensor, shape []int) *Tensor {
	return &Tensor{shape: shape, buf: x.buf, mem: x.mem, dev: t.dev, tape: t}
}

// Empty returns a new tensor of the tape, whose elements are undefined: the result of an operation
// that is implemented by kernels of the device (see [Tape.Record]).
func (t *Tape) Empty(shape ...int) *Tensor { return t.alloc(slices.Clone(shape)) }

// Full returns a new tensor of the tape, whose elements are all v. It is a constant.
func (t *Tape) Full(v float64, shape ...int) *Tensor { return t.full(slices.Clone(shape), v) }

// recycle returns memory to the arena and makes the tensors in it stale.
func (t *Tape) recycle(m *memory) {
	t.invalidate(m)
	t.arena.put(m.block)
}

// invalidate makes the tensors in a memory stale.
func (t *Tape) invalidate(m *memory) {
	if t.Poison {
		t.dev.Fill(t.dev.Part(t.arena.segments[m.segment], m.at, m.n), math.NaN())
	}
	m.recycled = true
	m.refs = 0 // a Scope during Backward recycles memory that is still referenced
}

// recycleAll recycles every memory in use.
func (t *Tape) recycleAll() {
	for _, m := range t.inUse {
		t.invalidate(m)
	}
	t.arena.freeAll()
	clear(t.inUse)
	t.inUse = t.inUse[:0]
}

// A refCounter counts references to memory during Backward, which recycles a memory that has no
// reference left. These hold references:
//   - The forward computation holds one to each of its memories, until Backward has passed the
//     first operation that was recorded after the memory was created. Earlier operations cannot
//     use it.
//   - The operation whose gradients are being computed holds one to each memory that is created
//     meanwhile.
//   - Grads holds one to each gradient.
//   - The caller holds one to each tensor that Backward keeps for it, and to each gradient that
//     it passed to Accumulate.
type refCounter struct {
	t       *Tape
	forward []*memory
	start   int // in t.inUse, of the memories created for the current operation
}

// countRefs starts counting. The gradients in grads get a second reference, the caller's, so that
// they are never changed in place.
func (t *Tape) countRefs(grads Grads, keep []*Tensor) *refCounter {
	c := &refCounter{t: t, forward: append(t.forward, t.inUse...), start: len(t.inUse)}
	for _, m := range c.forward {
		m.refs = 1
	}
	for _, x := range keep {
		retain(x)
	}
	for _, g := range grads {
		retain(retain(g))
	}
	t.inBackward = true
	return c
}

// dropForward drops the references of the forward computation to the memories that only
// operations recorded after n use.
func (c *refCounter) dropForward(n node) {
	c.t.drop(c.forward[n.memories:])
	c.forward = c.forward[:n.memories]
}

// addForward adds the memories in use from start on, which the operations in nodes have just been
// recorded with, to those of the forward computation.
func (c *refCounter) addForward(nodes []node, start int) {
	for i := range nodes {
		nodes[i].memories += len(c.forward) - start
	}
	c.forward = append(c.forward, c.t.inUse[start:]...)
	c.start = len(c.t.inUse)
}

// dropBackward drops the references of an operation whose gradients have been computed from g, the
// gradients of its results.
func (c *refCounter) dropBackward(g []*Tensor) {
	c.t.drop(c.t.inUse[c.start:])
	c.start = len(c.t.inUse)
	for _, x := range g {
		c.t.release(x)
	}
}

// end stops counting. The memories that are still referenced stay in use, once each.
func (c *refCounter) end() {
	c.dropForward(node{})
	c.dropBackward(nil)
	c.t.inBackward, c.t.forward = false, c.forward
	c.t.inUse = slices.DeleteFunc(c.t.inUse, func(m *memory) bool {
		referenced := m.refs > 0
		m.refs = 0
		return !referenced
	})
}

// retain adds a reference to x's memory and returns x. The memory of a caller's tensor is not
// counted.
func retain(x *Tensor) *Tensor {
	if x.mem != nil {
		x.mem.refs++
	}
	return x
}

// release undoes retain.
func (t *Tape) release(x *Tensor) {
	if x.mem != nil {
		t.drop([]*memory{x.mem})
	}
}

// drop takes a reference from each memory and recycles those that have none left.
func (t *Tape) drop(memories []*memory) {
	for _, m := range memories {
		if m.refs--; m.refs == 0 {
			t.recycle(m)
		}
	}
}
