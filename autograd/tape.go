package autograd

import (
	"fmt"
	"slices"
)

// A Tape records one forward computation and owns the memory of its results. A tape is for one
// goroutine; any number of tapes may share parameters.
type Tape struct {
	// Poison fills memory with NaN when it is allocated and when it is recycled, so that a test
	// notices a kernel that leaves elements unwritten, or reads memory after its last use.
	Poison bool
	// FrozenReplay, if not nil, repeats the values that the computation holds constant. Checks of
	// gradients by differences set it: see [FrozenReplay].
	FrozenReplay *FrozenReplay
	// ActivationCheckpointing makes training need less memory and more time (Chen et al. 2016,
	// Training deep nets with sublinear memory cost): of the parts of the computation that
	// [Tape.Scope] runs, only the results are kept for Backward, which runs them again. The
	// gradients have the same bits.
	ActivationCheckpointing bool

	dev        Device
	nodes      []node
	recording  bool
	inference  bool
	inBackward bool
	again      bool            // a part of the computation runs for the second time
	frozen     map[*Tensor]int // how many Frozen calls hold the parameter

	arena arena
	inUse []*memory // since the last Reset, in order of use

	forward []*memory // empty, for the next refCounter

	seed, draws uint64 // of dropout
}

// A node is one recorded operation. Its vjp maps the gradients of out to those of in, where a
// constant is nil.
type node struct {
	op       string
	out, in  []*Tensor
	vjp      func(g []*Tensor) []*Tensor
	memories int   // in use when it was recorded; it and earlier operations use no later ones
	again    *part // instead of in and vjp, the operations that the node stands for
}

// NewTape returns a tape on a device that records operations for [Tape.Backward], for training.
func NewTape(dev Device) *Tape {
	return &Tape{dev: dev, recording: true, frozen: map[*Tensor]int{}}
}

// NewInferenceTape returns a tape on a device that computes and never records, for inference.
// [Tape.Dropout] is the identity on it.
func NewInferenceTape(dev Device) *Tape {
	t := NewTape(dev)
	t.recording, t.inference = false, true
	return t
}

// Training reports whether the tape is for training: false for one of [NewInferenceTape]. Layers
// that compute something else in inference ask it.
func (t *Tape) Training() bool { return !t.inference }

// Device returns the device whose kernels the tape runs.
func (t *Tape) Device() Device { return t.dev }

// Seed restarts the random numbers of the dropout operations that follow: the same seed gives the
// same masks.
func (t *Tape) Seed(seed uint64) { t.seed, t.draws = seed, 0 }

// Reset forgets the recorded computation and recycles the memory of all tensors of the tape. These
// tensors are stale: the next use of one panics. A next step with the same shapes allocates no
// memory, and each of its tensors gets the memory that it had in this step.
func (t *Tape) Reset() {
	for len(t.nodes) > 0 {
		t.pop()
	}
	t.recycleAll()
	t.dev.Submit()
}

// pop removes the last recorded operation and returns it. Its results are constants from now on.
func (t *Tape) pop() node {
	last := len(t.nodes) - 1
	n := t.nodes[last]
	t.nodes[last] = node{}
	t.nodes = t.nodes[:last]
	for _, y := range n.out {
		y.needsGrad = false
	}
	return n
}

// Input copies data, in row-major order, from the host to a new tensor of the tape: a constant
// that lives until [Tape.Reset] or the next [Tape.Backward]. It panics if data does not fill the
// shape.
func (t *Tape) Input(data []float32, shape ...int) *Tensor {
	if len(data) != size(shape) {
		panic(fmt.Sprintf("autograd: Input: %d numbers for shape %v, which holds %d", len(data),
			shape, size(shape)))
	}
	x := t.alloc(slices.Clone(shape))
	t.dev.Upload32(x.buf, data)
	return x
}

// An Edge leads from an operation's result to one of its inputs: see [Wrt].
type Edge struct {
	x   *Tensor
	vjp func(g *Tensor) *Tensor
}

// Wrt returns the edge to input x: vjp maps the gradient of the result, which has the result's
// shape, to the gradient of x. If x was broadcast, vjp may return a gradient of the larger shape:
// [Tape.Backward] sums it to x's shape.
func Wrt(x *Tensor, vjp func(g *Tensor) *Tensor) Edge { return Edge{x, vjp} }

// Record notes that operation op computed y from the inputs of the edges, and returns y. Every
// operation, built in or not, is made with it or with [Tape.RecordJoint]. Edges to constants are
// dropped, so an operation does not ask which of its inputs need a gradient.
//
// y must be a new tensor of the tape; otherwise Record panics. It is computed by other operations
// inside [Tape.Unrecorded], or by kernels of the device: [Tape.CheckOperands] checks the inputs,
// [Tape.Empty] returns the result, and [Tensor.Buffer] is what a kernel reads and writes. A vjp is
// computed in the same two ways; Backward records nothing.
func (t *Tape) Record(op string, y *Tensor, edges ...Edge) *Tensor {
	kept := make([]Edge, 0, len(edges)) // those to tensors that are not constant
	in := make([]*Tensor, 0, len(edges))
	for _, e := range edges {
		if t.differentiable(e.x) {
			kept, in = append(kept, e), append(in, e.x)
		}
	}
	t.record(op, []*Tensor{y}, in, func(g []*Tensor) []*Tensor {
		gx := make([]*Tensor, len(kept))
		for i, e := range kept {
			gx[i] = e.vjp(g[0])
		}
		return gx
	})
	return y
}

// RecordJoint is [Tape.Record] for an operation whose vjp computes the gradients of all inputs at
// once, or which has several results. g has an entry for each tensor in out, a tensor of zeros if
// the loss does not depend on it. vjp returns an entry for each tensor in in, nil for an input
// without gradient. RecordJoint replaces the constants in the slice in by nil, so that vjp can omit
// their gradients.
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
	t.nodes = append(t.nodes, node{op, out, in, vjp, len(t.inUse), nil})
}

func (t *Tape) differentiable(x *Tensor) bool { return x.needsGrad && t.frozen[x] == 0 }

// NoGrad runs f without recording: the tensors that f computes are constants.
func (t *Tape) NoGrad(f func()) {
	t.Unrecorded(func() { t.FrozenReplay.withSavedValues(t.FrozenReplay.all(), f) })
}

// Unrecorded runs f without recording, to compute the result of one operation from others before
// [Tape.Record] notes it. Unlike [Tape.NoGrad] it does not declare the result constant.
func (t *Tape) Unrecorded(f func()) {
	was := t.recording
	t.recording = false
	defer func() { t.recording = was }()
	f()
}

// Frozen runs f with the given parameters held constant. The operations recorded in f use the
// parameters' values and pass gradients to their other inputs, but none to the parameters. Outside
// of f the parameters have gradients as before.
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
	t.FrozenReplay.withSavedValues(params, f)
}

// CheckOperands panics, in the name of operation op, if an operand cannot be used on this tape: if
// its memory was recycled, if it belongs to another tape or is on another device, or if it is a
// row-sparse gradient of [Tape.Lookup].
func (t *Tape) CheckOperands(op string, operands ...*Tensor) {
	for _, x := range operands {
		x.mustLive(op)
		x.mustBeDense(op)
		if x.tape != nil && x.tape != t {
			panic("autograd: " + op + ": operand belongs to another tape; Clone it")
		}
		if x.dev != t.dev {
			panic(fmt.Sprintf("autograd: %s: operand is on device %s, the tape on %s", op,
				x.dev.Name(), t.dev.Name()))
		}
	}
}
