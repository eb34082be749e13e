package simd

// The functions of this file compute one step of a long short-term memory network for one
// sequence. The network has n units. Slices of 4n numbers hold the gates of all units: first the
// input gates, then the forget gates, the candidates and the output gates.

// LSTM computes a step, given the input's part of the gates in gates [4n], the hidden state's part
// z [4n], and the cell prev [n] of the step before. It writes cell [n] and out [n],
//
//	i, f, o = σ(gates + z),  g = tanh(gates + z),  cell = f ⊙ prev + i ⊙ g,  out = o ⊙ tanh(cell)
//
// and replaces gates by i, f, g, o. It panics if the lengths do not match.
func LSTM(gates, z, prev, cell, out []float32) {
	n := len(cell)
	equal("LSTM", n, len(prev), len(out))
	equal("LSTM", 4*n, len(gates), len(z))
	active.vector.lstm(gates, z, prev, cell, out)
}

// LSTMGrad differentiates a step of LSTM, given i, f, g, o in gates, the gradient g of out and,
// from the step after, the gradients dh of out and dc of cell. It replaces gates by the gradient
// of gates + z, and dc by the gradient of prev. With h = g + dh and c = dc + h ⊙ o ⊙ (1 −
// tanh²(cell)),
//
//	ī = c ⊙ g ⊙ i(1−i),  f̄ = c ⊙ prev ⊙ f(1−f),  ḡ = c ⊙ i ⊙ (1−g²)
//	ō = h ⊙ tanh(cell) ⊙ o(1−o),  dc = c ⊙ f
//
// It panics if the lengths do not match.
func LSTMGrad(gates, prev, cell, g, dh, dc []float32) {
	n := len(cell)
	equal("LSTMGrad", n, len(prev), len(g), len(dh), len(dc))
	equal("LSTMGrad", 4*n, len(gates))
	active.vector.lstmGrad(gates, prev, cell, g, dh, dc)
}

func sigmoid32(x float32) float32 { return 1 / (1 + exp32(-x)) }

func plainLSTM(gates, z, prev, cell, out []float32) {
	n := len(cell)
	for j := range n {
		i, f, g, o := &gates[j], &gates[n+j], &gates[2*n+j], &gates[3*n+j]
		*i, *f = sigmoid32(*i+z[j]), sigmoid32(*f+z[n+j])
		*g, *o = tanh32(*g+z[2*n+j]), sigmoid32(*o+z[3*n+j])
		cell[j] = *f*prev[j] + *i**g
		out[j] = *o * tanh32(cell[j])
	}
}

func plainLSTMGrad(gates, prev, cell, gy, dh, dc []float32) {
	n := len(cell)
	for j := range n {
		i, f, g, o := gates[j], gates[n+j], gates[2*n+j], gates[3*n+j]
		h, tanh := gy[j]+dh[j], tanh32(cell[j])
		c := dc[j] + h*o*(1-tanh*tanh)
		gates[j], gates[n+j] = c*g*(i-i*i), c*prev[j]*(f-f*f)
		gates[2*n+j], gates[3*n+j] = c*i*(1-g*g), h*tanh*(o-o*o)
		dc[j] = c * f
	}
}
