package autograd

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// A Tape records one forward computation and owns the memory of its results. A tape is for one
// goroutine; any number of tapes may share parameters.
type Tape struct {
	// Poison fills memory with NaN when it is new and when it is taken back, so that a kernel that
	// leaves a hole or reads what is gone shows. For tests.
	Poison bool
	// Constants, if set, is asked for what the computation holds constant: see there. For checks
	// by differences.
	Constants *Constants

	dev       Device
	nodes     []node
	recording bool
	inference bool
	frozen    map[*Tensor]int // how many Frozen calls hold the parameter

	inUse []*memory         // by tensors made since the last Reset, in that order
	spare map[int][]*memory // by length; the last is taken first
	made  int               // memories

	seed, draws uint64 // of dropout
}

// A memory is a buffer of the tape's.
type memory struct {
	device.Buffer
	id      int // how many of the tape's are older
	uses    int // how often it was taken back: a tensor made before is stale
	holders int // in Backward: how many still need it
}

// A node is one recorded operation: its vjp turns the gradients of out into those of in.
type node struct {
	op      string
	out, in []*Tensor
	vjp     func(g []*Tensor) []*Tensor
	made    int // memories in use when it was recorded: operations before it know none of the later ones
}

// Grads holds the gradient of a loss with respect to each tensor it depends on that was made by
// NewParam.
type Grads map[*Tensor]*Tensor

// NewTape returns a tape that records for Backward.
func NewTape(dev Device) *Tape {
	return &Tape{dev: dev, recording: true, frozen: map[*Tensor]int{}, spare: map[int][]*memory{}}
}

// NewInferenceTape returns a tape that computes and never records; Dropout is the identity on it.
func NewInferenceTape(dev Device) *Tape {
	t := NewTape(dev)
	t.recording, t.inference = false, true
	return t
}

// Device returns the device whose kernels the tape runs.
func (t *Tape) Device() Device { return t.dev }

// Seed restarts the random numbers of the dropout operations that follow.
func (t *Tape) Seed(seed uint64) { t.seed, t.draws = seed, 0 }

// Reset forgets the recorded computation and takes back the memory of all tensors: the next step,
// having the same shapes, allocates none and finds each tensor where the last step had it. Tensors
// made before are stale and panic when used.
func (t *Tape) Reset() {
	clear(t.nodes)
	t.nodes = t.nodes[:0]
	for _, m := range t.inUse {
		t.recycle(m)
	}
	t.inUse = t.inUse[:0]
	for _, spare := range t.spare {
		slices.SortFunc(spare, func(a, b *memory) int { return b.id - a.id })
	}
	t.dev.Submit()
}

// recycle takes back memory that no live tensor is in.
func (t *Tape) recycle(m *memory) {
	if t.Poison {
		t.dev.Fill(m.Buffer, math.NaN())
	}
	m.uses++
	t.spare[m.Len()] = append(t.spare[m.Len()], m)
}

// Input copies data to a tensor of the tape: a constant that lives for one step.
func (t *Tape) Input(data []float32, shape ...int) *Tensor {
	if len(data) != size(shape) {
		panic(fmt.Sprintf("autograd: Input: %d numbers for shape %v, which holds %d", len(data), shape, size(shape)))
	}
	x := t.alloc(slices.Clone(shape))
	t.dev.Upload32(x.buf, data)
	return x
}

// An Edge leads from an operation's result to one of its inputs.
type Edge struct {
	x   *Tensor
	vjp func(g *Tensor) *Tensor
}

// Wrt returns the edge to input x, whose gradient is vjp of the result's. A gradient larger than x
// by broadcasting is summed to x's shape by Backward.
func Wrt(x *Tensor, vjp func(g *Tensor) *Tensor) Edge { return Edge{x, vjp} }

// Record is the door through which every operation is made, built in or not: it notes that y was
// computed from the inputs the edges lead to, and returns y. Edges to constants are dropped, so an
// operation never asks whether a gradient is wanted. y must be new: made by other operations
// inside NoGrad, or by the package's own kernels.
func (t *Tape) Record(op string, y *Tensor, edges ...Edge) *Tensor {
	live := make([]Edge, 0, len(edges))
	in := make([]*Tensor, 0, len(edges))
	for _, e := range edges {
		if t.differentiable(e.x) {
			live, in = append(live, e), append(in, e.x)
		}
	}
	t.record(op, []*Tensor{y}, in, func(g []*Tensor) []*Tensor {
		gx := make([]*Tensor, len(live))
		for i, e := range live {
			gx[i] = e.vjp(g[0])
		}
		return gx
	})
	return y
}

// RecordJoint is Record for operations whose vjp yields the gradients of all inputs at once, or
// which have several results. g has an entry for each of out (zeros where the loss does not depend
// on it); vjp returns one for each of in, nil where the input is a constant by nature. Record
// replaces the constants in the slice in by nil, so that vjp can spare itself their gradients.
func (t *Tape) RecordJoint(op string, out, in []*Tensor, vjp func(g []*Tensor) []*Tensor) {
	t.record(op, out, in, vjp)
}

func (t *Tape) record(op string, out, in []*Tensor, vjp func(g []*Tensor) []*Tensor) {
	for _, y := range out {
		if y.recorded || y.tape != t {
			panic("autograd: " + op + ": the result is not a new tensor of this tape")
		}
	}
	if !t.recording || !slices.ContainsFunc(in, t.differentiable) {
		return
	}
	for i, x := range in {
		if !t.differentiable(x) {
			in[i] = nil
		}
	}
	for _, y := range out {
		y.needsGrad, y.recorded = true, true
	}
	t.nodes = append(t.nodes, node{op, out, in, vjp, len(t.inUse)})
}

func (t *Tape) differentiable(x *Tensor) bool { return x.needsGrad && t.frozen[x] == 0 }

// NoGrad runs f without recording: what it computes is constant to Backward.
func (t *Tape) NoGrad(f func()) {
	t.unrecorded(func() { t.Constants.still(t.Constants.all(), f) })
}

func (t *Tape) unrecorded(f func()) {
	was := t.recording
	t.recording = false
	defer func() { t.recording = was }()
	f()
}

// Scope runs f and returns its result, taking back at once the memory of all else made in f. It
// does so where no operation was recorded in f, that is without gradients; else Backward does.
func (t *Tape) Scope(f func() *Tensor) *Tensor {
	nodes, made := len(t.nodes), len(t.inUse)
	y := f()
	if len(t.nodes) > nodes {
		return y
	}
	inner := t.inUse[made:]
	t.inUse = t.inUse[:made]
	for _, m := range inner {
		if m == y.mem {
			t.inUse = append(t.inUse, m)
		} else {
			t.recycle(m)
		}
	}
	return y
}

// Frozen runs f with the given parameters held constant: a frozen view of a module. Operations
// recorded in f use the parameters' values and pass gradients to their other inputs, but none to
// the parameters.
func (t *Tape) Frozen(params []*Tensor, f func()) {
	for _, p := range params {
		t.frozen[p]++
	}
	defer func() {
		for _, p := range params {
			if t.frozen[p]--; t.frozen[p] == 0 {
				delete(t.frozen, p)
			}
		}
	}()
	t.Constants.still(params, f)
}

// alloc returns an undefined tensor of the tape. It keeps shape.
func (t *Tape) alloc(shape []int) *Tensor {
	n := size(shape)
	var m *memory
	if s := t.spare[n]; len(s) > 0 {
		m, t.spare[n] = s[len(s)-1], s[:len(s)-1]
	} else {
		m = &memory{Buffer: t.dev.Alloc(n), id: t.made}
		t.made++
		if t.Poison {
			t.dev.Fill(m.Buffer, math.NaN())
		}
	}
	t.inUse = append(t.inUse, m)
	return &Tensor{shape: shape, buf: m.Buffer, mem: m, use: m.uses, dev: t.dev, tape: t}
}

// full returns a tensor of equal elements.
func (t *Tape) full(shape []int, v float64) *Tensor {
	x := t.alloc(shape)
	t.dev.Fill(x.buf, v)
	return x
}

// alias returns x's elements under another shape, as a new tensor: memory is shared, since tensors
// do not change.
func (t *Tape) alias(x *Tensor, shape []int) *Tensor {
	return &Tensor{shape: shape, buf: x.buf, mem: x.mem, use: x.use, dev: t.dev, tape: t}
}

// use panics if an operand cannot be used on this tape.
func (t *Tape) use(op string, operands ...*Tensor) {
	for _, x := range operands {
		x.mustLive(op)
		x.mustBeDense(op)
		if x.tape != nil && x.tape != t {
			panic("autograd: " + op + ": operand belongs to another tape; Clone it")
		}
		if x.dev != t.dev {
			panic(fmt.Sprintf("autograd: %s: operand is on device %s, the tape on %s", op, x.dev.Name(), t.dev.Name()))
		}
	}
}
