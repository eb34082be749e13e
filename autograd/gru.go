package autograd

import "github.com/seed-6655bf3b/recap/internal/device"

// GRUWeights holds the parameters of one layer and direction of a GRU, of H units, like those of an
// LSTM, but [3·H in], [3·H H] and [3·H]: the gates are reset, update, candidate, PyTorch's order.
type GRUWeights = LSTMWeights

// GRU is a gated recurrent unit network (Cho et al. 2014, Learning phrase representations using RNN
// encoder–decoder), in PyTorch's form, over sequences of different lengths, as one fused operation:
// for x [B T in] it returns y [B T H], with y of 0 before the first step, and
//
//	a_t = W_x x_t + b_x,  u_t = W_h y_{t−1} + b_h,  r, z = σ(a_t + u_t),  n = tanh(a_t + r ⊙ u_t)
//	y_t = (1 − z) ⊙ n + z ⊙ y_{t−1}
//
// The reset gate multiplies u, which has the bias b_h. Lengths, the reversed direction and panics
// are those of [Tape.LSTM]. The tape retains lengths until Reset.
//
//	h = ȳ_t + W_hᵀ ū_{t+1} + h_{t+1} ⊙ z_{t+1},  ā_n = h ⊙ (1 − z) ⊙ (1 − n²)
//	ā_t = (ā_n ⊙ u_n ⊙ r(1−r), h ⊙ (y_{t−1} − n) ⊙ z(1−z), ā_n),  ū_t = (ā_r, ā_z, ā_n ⊙ r)
//	x̄_t = W_xᵀ ā_t,  W̄_x = Σ ā_t x_tᵀ,  b̄_x = Σ ā_t,  W̄_h = Σ ū_t y_{t−1}ᵀ,  b̄_h = Σ ū_t
func (t *Tape) GRU(x *Tensor, w GRUWeights, lengths []int, reverse bool) *Tensor {
	l := device.GRU{Sequences: t.newSequences("GRU", 3, x, w, lengths, reverse)}
	in, shape := x.shape[2], []int{l.Samples, l.Steps, l.Width}
	y, hidden := t.alloc(shape), t.alloc([]int{l.Samples * l.Steps, l.Width})
	var gates *Tensor
	t.Unrecorded(func() {
		gates = t.Scope(func() *Tensor {
			return t.Linear(t.Reshape(x, -1, in), w.Input, w.InputBias)
		})
	})
	t.dev.GRU(l, y.buf, hidden.buf, gates.buf, w.Hidden.buf, w.HiddenBias.buf)
	inputs := []*Tensor{x, w.Input, w.Hidden, w.InputBias, w.HiddenBias}
	t.RecordJoint("GRU", []*Tensor{y}, inputs, func(g []*Tensor) []*Tensor {
		t.dev.GRUGrad(l, gates.buf, hidden.buf, g[0].buf, y.buf, w.Hidden.buf)
		a := gates // GRUGrad turns gates into the gradient of a, and hidden into u's third part
		u := t.Concat(1, t.Slice(a, 1, 0, 2*l.Width), hidden)
		grads := []*Tensor{nil, nil, nil, t.Sum(a, 0), t.Sum(u, 0)}
		if inputs[0] != nil {
			grads[0] = t.Reshape(t.MatMul(a, w.Input, NN), x.shape...)
		}
		if inputs[1] != nil {
			grads[1] = t.MatMul(a, t.Reshape(x, -1, in), TN)
		}
		if inputs[2] != nil {
			grads[2] = t.MatMul(u, t.previousStep(y, reverse), TN)
		}
		return grads
	})
	return y
}
