package autograd

import (
	"maps"
	"slices"
)

// Scope runs f, a part of a computation such as a layer, and returns its result, the only tensor of
// f that may be used afterwards. If f recorded no operation, because it computes without gradients,
// Scope recycles at once the memory of every other tensor that f created; otherwise [Tape.Backward]
// does so later.
//
// With [Tape.ActivationCheckpointing] Scope always recycles that memory, and Backward runs f again
// when it needs the gradients. So f must compute the same twice: before Backward, the variables
// that it reads must not be assigned, nor the elements of tensors change that it reads. In the
// second run the masks of dropout are the same, and [Tape.SetRows] does nothing.
func (t *Tape) Scope(f func() *Tensor) *Tensor {
	first, start, state := len(t.nodes), len(t.inUse), t.state()
	y := f()
	if len(t.nodes) > first {
		if !t.ActivationCheckpointing {
			return y
		}
		t.forgetPart(first, node{op: "Scope", out: []*Tensor{y}, memories: start,
			again: &part{f: f, state: state}})
	}
	created := t.inUse[start:]
	t.inUse = t.inUse[:start]
	for _, m := range created {
		if m == y.mem {
			t.inUse = append(t.inUse, m)
		} else {
			t.recycle(m)
		}
	}
	return y
}

// A part of a computation is recorded again in Backward: see Scope.
type part struct {
	f      func() *Tensor
	inputs []*Tensor // of the operations, in order
	state  state     // of the tape before f
}

// A state of a tape is what determines the results of operations besides their operands.
type state struct {
	seed, draws uint64
	frozen      map[*Tensor]int
	replay      *FrozenReplay
	position    int // of replay
}

func (t *Tape) state() state {
	s := state{t.seed, t.draws, t.frozen, t.FrozenReplay, 0}
	if t.ActivationCheckpointing {
		s.frozen = maps.Clone(t.frozen)
	}
	if s.replay != nil {
		s.position = s.replay.position
	}
	return s
}

// forgetPart replaces the operations from the given position on by n, if its result is one of
// theirs; otherwise it is a constant, or was recorded before, and they are not needed.
func (t *Tape) forgetPart(first int, n node) {
	operations := t.nodes[first:]
	computed := slices.ContainsFunc(operations, func(o node) bool {
		return slices.Contains(o.out, n.out[0])
	})
	n.again.inputs = outerInputs(operations)
	clear(operations)
	if t.nodes = t.nodes[:first]; computed {
		t.nodes = append(t.nodes, n)
	}
}

// outerInputs returns the inputs of operations that are not results of earlier ones of them.
func outerInputs(operations []node) []*Tensor {
	var inputs []*Tensor
	inner := map[*Tensor]bool{nil: true} // a constant
	for _, n := range operations {
		for _, x := range n.in {
			if !inner[x] {
				inputs = append(inputs, x)
			}
		}
		for _, y := range n.out {
			inner[y] = true
		}
	}
	return inputs
}

// recordAgain runs the part that n stands for again and records its operations in the place of n.
// The gradient of n's result becomes that of theirs, so that the operations add the gradients of
// their inputs in the order in which they would have done without n.
func (t *Tape) recordAgain(n node, grads Grads, refs *refCounter) {
	first, start, p := len(t.nodes), len(t.inUse), n.again
	now := t.state()
	t.seed, t.draws, t.frozen, t.FrozenReplay = p.state.seed, p.state.draws, p.state.frozen,
		p.state.replay.at(p.state.position)
	t.recording, t.again = true, true
	y := p.f()
	t.recording, t.again = false, false
	t.seed, t.draws, t.frozen, t.FrozenReplay = now.seed, now.draws, now.frozen, now.replay
	if !slices.Equal(outerInputs(t.nodes[first:]), p.inputs) {
		panic("autograd: Backward: a Scope reads other tensors when it runs again; let its " +
			"function read no variable that is assigned after it")
	}
	grads[y] = grads[n.out[0]]
	delete(grads, n.out[0])
	refs.addForward(t.nodes[first:], start)
}
