package autograd

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// LSTMWeights holds the parameters of one layer and direction of an LSTM, of H units. The gates
// lie one after the other along the first axis, in PyTorch's order: input, forget, candidate,
// output.
type LSTMWeights struct {
	Input, Hidden         *Tensor // [4·H in], [4·H H]
	InputBias, HiddenBias *Tensor // [4·H]
}

// LSTM is a long short-term memory network (Hochreiter and Schmidhuber 1997; with forget gates,
// Gers, Schmidhuber and Cummins 2000) over sequences of different lengths, as one fused operation:
// for x [B T in] it returns y [B T H], with y and c of 0 before the first step, and
//
//	z_t = W_x x_t + b_x + W_h y_{t−1} + b_h,  i, f, o = σ(z_t),  g = tanh(z_t)
//	c_t = f ⊙ c_{t−1} + i ⊙ g,  y_t = o ⊙ tanh c_t
//
// Sample b has lengths[b] steps, from 1 to T. Its y is 0 at later steps; y at its last step is the
// final state. With reverse the network runs from a sample's last step to its first: t+1 stands for
// t−1, and the final state is y_0. The tape retains lengths until Reset. LSTM panics if shapes do
// not fit or a length is out of range.
//
//	h = ȳ_t + W_hᵀ z̄_{t+1},  c̄_t = h ⊙ o ⊙ (1 − tanh² c_t) + c̄_{t+1} ⊙ f_{t+1}
//	z̄_t = (c̄_t ⊙ g ⊙ i(1−i), c̄_t ⊙ c_{t−1} ⊙ f(1−f), c̄_t ⊙ i ⊙ (1−g²), h ⊙ tanh c_t ⊙ o(1−o))
//	x̄_t = W_xᵀ z̄_t,  W̄_x = Σ z̄_t x_tᵀ,  W̄_h = Σ z̄_t y_{t−1}ᵀ,  b̄_x = b̄_h = Σ z̄_t
//
// The products with x_t of all steps are computed as one matrix product, and so are the sums
// over t.
func (t *Tape) LSTM(x *Tensor, w LSTMWeights, lengths []int, reverse bool) *Tensor {
	l := device.LSTM{Sequences: t.newSequences("LSTM", 4, x, w, lengths, reverse)}
	in, shape := x.shape[2], []int{l.Samples, l.Steps, l.Width}
	y, cell := t.alloc(shape), t.alloc(shape)
	var gates *Tensor
	t.Unrecorded(func() {
		gates = t.Scope(func() *Tensor {
			return t.Linear(t.Reshape(x, -1, in), w.Input, t.Add(w.InputBias, w.HiddenBias))
		})
	})
	t.dev.LSTM(l, y.buf, cell.buf, gates.buf, w.Hidden.buf)
	inputs := []*Tensor{x, w.Input, w.Hidden, w.InputBias, w.HiddenBias}
	t.RecordJoint("LSTM", []*Tensor{y}, inputs, func(g []*Tensor) []*Tensor {
		t.dev.LSTMGrad(l, gates.buf, g[0].buf, cell.buf, w.Hidden.buf)
		z, bias := gates, t.Sum(gates, 0) // LSTMGrad turns the gates into the gradient of z
		grads := []*Tensor{nil, nil, nil, bias, bias}
		if inputs[0] != nil {
			grads[0] = t.Reshape(t.MatMul(z, w.Input, NN), x.shape...)
		}
		if inputs[1] != nil {
			grads[1] = t.MatMul(z, t.Reshape(x, -1, in), TN)
		}
		if inputs[2] != nil {
			grads[2] = t.MatMul(z, t.previousStep(y, reverse), TN)
		}
		return grads
	})
	return y
}

// newSequences checks the operands of a recurrent network with the given number of gates, and
// returns its description for the device.
func (t *Tape) newSequences(
	op string, gates int, x *Tensor, w LSTMWeights, lengths []int, reverse bool,
) device.Sequences {
	t.CheckOperands(op, x, w.Input, w.Hidden, w.InputBias, w.HiddenBias)
	if x.rank() != 3 || w.Input.rank() != 2 || w.Hidden.rank() != 2 ||
		x.shape[2] != w.Input.shape[1] || w.Hidden.shape[0] != gates*w.Hidden.shape[1] ||
		w.Input.shape[0] != w.Hidden.shape[0] || w.InputBias.Len() != w.Hidden.shape[0] ||
		w.HiddenBias.Len() != w.Hidden.shape[0] {
		panic(fmt.Sprintf("autograd: %s: x %v, weights %v and %v, biases %v and %v: want [B "+
			"T in], [%[7]dH in], [%[7]dH H], [%[7]dH], [%[7]dH]", op,
			x.shape, w.Input.shape, w.Hidden.shape, w.InputBias.shape, w.HiddenBias.shape, gates))
	}
	mustBeLengths(op, x, lengths)
	return device.Sequences{Samples: x.shape[0], Steps: x.shape[1], Width: w.Hidden.shape[1],
		Lengths: lengths, Reverse: reverse}
}

// previousStep returns, for each step, y [B T H] of the step before, 0 for the first, as [B·T H].
func (t *Tape) previousStep(y *Tensor, reverse bool) *Tensor {
	b, steps, width := y.shape[0], y.shape[1], y.shape[2]
	before := t.full([]int{b * steps, width}, 0)
	from, to := dense(y), device.Dense(before.buf, y.shape)
	if reverse {
		from.Offset = width
	} else {
		to.Offset = width
	}
	if steps > 1 {
		t.dev.Copy(to, []int{b, steps - 1, width}, from)
	}
	return before
}
