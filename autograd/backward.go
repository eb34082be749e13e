package autograd

import (
	"fmt"
	"slices"
)

// Grads maps each parameter (see [NewParam]) that a loss depends on to the gradient of the loss,
// a tensor of the parameter's shape.
type Grads map[*Tensor]*Tensor

// Backward returns the gradient of the scalar loss with respect to the parameters it depends on,
// by the chain rule: with z̄ for ∂loss/∂z,
//
//	x̄ = Σ vjp(ȳ) over the operations y = f(x) that read x,  and ∂loss/∂loss = 1
//
// Backward consumes the recorded computation and recycles each memory at its last use. Afterwards
// the loss, the tensors in keep and the gradients can be read, as constants; every other tensor of
// the tape is stale, as after [Tape.Reset].
//
// It panics if loss has more than one element, if an operand is stale or belongs to another tape,
// and if an earlier Backward consumed the computation of loss.
func (t *Tape) Backward(loss *Tensor, keep ...*Tensor) Grads {
	grads := Grads{}
	t.Accumulate(grads, loss, keep...)
	return grads
}

// Accumulate is [Tape.Backward], but adds the gradients to grads, which holds those of earlier
// losses since the last Reset; the caller may have clipped them. With it one optimizer step can
// use the sum of several batches' gradients, in the memory of one batch's computation and two sets
// of gradients.
//
// The tensors that grads held before are not changed: Accumulate puts the sums in their places.
// The caller can still read them until the next Backward or Accumulate.
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
	keep = append(slices.Clone(keep), loss)
	t.CheckOperands("Backward", keep...)
	for _, g := range grads {
		t.CheckOperands("Accumulate", stored(g))
	}
	if loss.Len() != 1 {
		panic(fmt.Sprintf(
			"autograd: Backward: loss has shape %v, want a scalar; take Mean or Sum first",
			loss.shape,
		))
	}
	if loss.recorded && !loss.needsGrad {
		panic("autograd: Backward: an earlier Backward kept the loss and consumed its " +
			"computation; differentiate the sum of both losses")
	}
	t.Unrecorded(func() {
		refs := t.countRefs(grads, keep)
		defer refs.end()
		t.chainRule(grads, loss, refs)
	})
}

// chainRule walks the recorded operations from the last to the first: when it meets y = f(x), ȳ is
// complete, because every operation that reads y was recorded later.
func (t *Tape) chainRule(grads Grads, loss *Tensor, refs *refCounter) {
	if loss.needsGrad {
		t.add(grads, loss, t.full(loss.shape, 1))
	}
	for len(t.nodes) > 0 {
		n := t.pop()
		refs.dropForward(n)
		switch {
		case !slices.ContainsFunc(n.out, func(y *Tensor) bool { return grads[y] != nil }):
		case n.again != nil:
			t.recordAgain(n, grads, refs)
		default:
			t.addGradients(n, grads, refs)
		}
	}
}

// addGradients adds the gradients of an operation's inputs to grads.
func (t *Tape) addGradients(n node, grads Grads, refs *refCounter) {
	gy := t.take(grads, n.out)
	gx := n.vjp(gy)
	for i, x := range n.in {
		if x != nil && gx[i] != nil {
			t.add(grads, x, t.sumTo(n.op, gx[i], x.shape))
		}
	}
	refs.dropBackward(gy)
}

// add adds g to the gradient of x, in place if the memory of the sum so far has no other owner:
// one tensor may be the gradient of several inputs.
func (t *Tape) add(grads Grads, x, g *Tensor) {
	sum := grads[x]
	switch {
	case sum == nil:
		grads[x] = retain(g)
	case sum.mem != nil && sum.mem.refs == 1 && sum.rows == nil && g.rows == nil:
		t.dev.Axpy(1, g.buf, sum.buf)
	default:
		grads[x] = retain(t.sum(sum, g))
		t.release(sum)
	}
}

// take removes the gradients of an operation's results from grads and returns them. The gradient
// of a result that the loss does not depend on is zero.
func (t *Tape) take(grads Grads, out []*Tensor) []*Tensor {
	g := make([]*Tensor, len(out))
	for i, y := range out {
		if g[i] = grads[y]; g[i] == nil {
			g[i] = retain(t.full(y.shape, 0))
		}
		delete(grads, y)
	}
	return g
}
