package autograd

import (
	"fmt"
	"slices"
)

// Backward returns the gradient of the scalar loss with respect to the parameters it depends on.
//
//	x̄ = Σ over uses of x of vjp(ȳ),  L̄ = 1
//
// It consumes the computation: memory is taken back at its last use. The loss and the tensors to
// keep can be read afterwards, as constants; every other tensor made on the tape is stale, as
// after Reset.
func (t *Tape) Backward(loss *Tensor, keep ...*Tensor) Grads {
	grads := Grads{}
	t.Accumulate(grads, loss, keep...)
	return grads
}

// Accumulate is Backward that adds to grads, the gradients of earlier losses since the last Reset
// (clipped, perhaps): so several batches make one step, of their sum, with the memory of one
// batch's computation.
//
//	for i, batch := range batches {
//		if i%k == 0 {
//			tp.Reset()
//			grads = autograd.Grads{}
//		}
//		tp.Accumulate(grads, loss(tp, batch))
//		if i%k == k-1 {
//			opt.Step(grads)
//		}
//	}
func (t *Tape) Accumulate(grads Grads, loss *Tensor, keep ...*Tensor) {
	keep = append(keep, loss)
	t.use("Backward", keep...)
	for _, g := range grads {
		t.use("Accumulate", stored(g))
	}
	if loss.Len() != 1 {
		panic(fmt.Sprintf("autograd: Backward: loss has shape %v, want a scalar; take Mean or Sum first", loss.shape))
	}
	if loss.recorded && !loss.needsGrad {
		panic("autograd: Backward: the loss was kept by an earlier Backward, which consumed its computation; differentiate the sum of both losses")
	}
	t.unrecorded(func() { t.differentiate(grads, loss, keep) })
}

// differentiate walks the nodes back from the last. The tape holds a buffer of the forward
// computation until the walk has passed the first node recorded after it was made: no other knows
// it. A node holds what is made for it, and grads holds its tensors.
func (t *Tape) differentiate(grads Grads, loss *Tensor, keep []*Tensor) {
	defer t.settle()
	forward := t.inUse
	for _, m := range forward {
		m.holders = 1
	}
	hold(keep...)
	for _, g := range grads {
		hold(g)
	}
	if loss.needsGrad {
		t.add(grads, loss, t.full(loss.shape, 1))
	}
	for i, n := range slices.Backward(t.nodes) {
		t.drop(forward[n.made:]...)
		forward = forward[:n.made]
		start := len(t.inUse)
		if g, used := t.take(grads, n.out); used {
			gx := n.vjp(g)
			hold(gx...)
			t.spread(grads, n, gx)
			for _, m := range t.inUse[start:] {
				m.holders++
			}
			t.drop(t.inUse[start:]...)
			t.release(g...)
			t.release(gx...)
		}
		for _, y := range n.out {
			y.needsGrad = false
		}
		t.nodes[i] = node{}
	}
	t.nodes = t.nodes[:0]
	t.drop(forward...)
}

// take moves the gradients of an operation's results from grads to the caller; used tells whether
// the loss depends on any.
func (t *Tape) take(grads Grads, out []*Tensor) (g []*Tensor, used bool) {
	g = make([]*Tensor, len(out))
	for i, y := range out {
		if g[i] = grads[y]; g[i] != nil {
			used = true
			delete(grads, y)
		}
	}
	for i, y := range out {
		if used && g[i] == nil {
			g[i] = t.full(y.shape, 0)
			hold(g[i])
		}
	}
	return g, used
}

// spread adds the gradients gx to those of the operation's inputs.
func (t *Tape) spread(grads Grads, n node, gx []*Tensor) {
	for i, x := range n.in {
		if x == nil || gx[i] == nil {
			continue
		}
		t.add(grads, x, t.sumTo(n.op, gx[i], x.shape))
	}
}

// add adds g to the gradient of x: in place where no other tensor lives in the memory of the sum
// so far, since one tensor may be the gradient of several inputs.
func (t *Tape) add(grads Grads, x, g *Tensor) {
	switch old := grads[x]; {
	case old == nil:
		grads[x] = g
		hold(g)
	case old.mem != nil && old.mem.holders == 1 && old.rows == nil && g.rows == nil:
		t.dev.Axpy(1, g.buf, old.buf)
	default:
		grads[x] = t.sum(old, g)
		hold(grads[x])
		t.release(old)
	}
}

// hold counts one more holder of each tensor's memory, where it is a tape's.
func hold(x ...*Tensor) {
	for _, x := range x {
		if x != nil && x.mem != nil {
			x.mem.holders++
		}
	}
}

// release undoes hold.
func (t *Tape) release(x ...*Tensor) {
	for _, x := range x {
		if x != nil && x.mem != nil {
			t.drop(x.mem)
		}
	}
}

// drop takes one holder from each memory, and back the memories that have none left.
func (t *Tape) drop(memories ...*memory) {
	for _, m := range memories {
		if m.holders--; m.holders == 0 {
			t.recycle(m)
		}
	}
}

// settle leaves in use, once each, the memories that are held.
func (t *Tape) settle() {
	t.inUse = slices.DeleteFunc(t.inUse, func(m *memory) bool {
		held := m.holders > 0
		m.holders = 0
		return !held
	})
}
