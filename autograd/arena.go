package autograd

import (
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// This file owns the memory of a tape's tensors. A memory is taken from a free list when a tensor
// is created and returns to it, recycled, at Reset, at the end of a Scope, or at its last use in
// Backward. So a training step whose shapes are those of the step before allocates nothing.

// A memory is a buffer that one tensor of the tape uses after another.
type memory struct {
	device.Buffer
	id         int // in order of allocation
	generation int // how often it was recycled; a tensor of an earlier generation is stale
	refs       int // in Backward: how many owners still need it
}

// alloc returns a new tensor of the tape with undefined elements. It retains shape.
func (t *Tape) alloc(shape []int) *Tensor {
	n := size(shape)
	var m *memory
	if free := t.free[n]; len(free) > 0 {
		m, t.free[n] = free[len(free)-1], free[:len(free)-1]
	} else {
		m = &memory{Buffer: t.dev.Alloc(n), id: t.memories}
		t.memories++
		if t.Poison {
			t.dev.Fill(m.Buffer, math.NaN())
		}
	}
	m.refs = 0
	if t.inBackward {
		m.refs = 1 // of the operation whose gradients are being computed
	}
	t.inUse = append(t.inUse, m)
	return &Tensor{shape: shape, buf: m.Buffer, mem: m, generation: m.generation, dev: t.dev,
		tape: t}
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
	return &Tensor{shape: shape, buf: x.buf, mem: x.mem, generation: x.generation, dev: t.dev,
		tape: t}
}

// Empty returns a new tensor of the tape, whose elements are undefined: the result of an operation
// that is implemented by kernels of the device (see [Tape.Record]).
func (t *Tape) Empty(shape ...int) *Tensor { return t.alloc(slices.Clone(shape)) }

// Full returns a new tensor of the tape, whose elements are all v. It is a constant.
func (t *Tape) Full(v float64, shape ...int) *Tensor { return t.full(slices.Clone(shape), v) }

// recycle returns memory to the free list and makes the tensors in it stale.
func (t *Tape) recycle(m *memory) {
	if t.Poison {
		t.dev.Fill(m.Buffer, math.NaN())
	}
	m.generation++
	m.refs = 0 // a Scope during Backward recycles memory that is still referenced
	t.free[m.Len()] = append(t.free[m.Len()], m)
}

// recycleAll recycles every memory in use. It sorts the free lists, so that each tensor of the next
// step gets the memory that the same tensor had in this step.
func (t *Tape) recycleAll() {
	for _, m := range t.inUse {
		t.recycle(m)
	}
	t.inUse = t.inUse[:0]
	for _, free := range t.free {
		slices.SortFunc(free, func(a, b *memory) int { return b.id - a.id })
	}
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
	c := &refCounter{t: t, forward: slices.Clone(t.inUse), start: len(t.inUse)}
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
	c.t.inBackward = false
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
