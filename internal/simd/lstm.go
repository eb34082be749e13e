package simd

// The functions of this file are one step of a long short-term memory network for one sequence: n
// units, whose four gates lie one after the other in slices of 4n numbers, input, forget,
// candidate, output.

// LSTM makes a step. To the parts of the gates that come from the input, in gates, it adds those
// that come from the hidden state, z, and sets
//
//	i, f, o = σ(gates + z),  g = tanh(gates + z),  cell = f ⊙ prev + i ⊙ g,  out = o ⊙ tanh(cell)
//
// and gates to i, f, g, o. prev is the cell of the step before.
func LSTM(gates, z, prev, cell, out []float32) {
	n := len(cell)
	equal("LSTM", n, len(prev), len(out))
	equal("LSTM", 4*n, len(gates), len(z))
	active.vector.lstm(gates, z, prev, cell, out)
}

// LSTMGrad is the derivative of LSTM's step: given i, f, g, o in gates, the gradient g of out and,
// from the step after, the gradients dh of out and dc of cell, it sets gates to the gradient of
// gates + z, and dc to that of prev. With h = g + dh and c = dc + h ⊙ o ⊙ (1 − tanh²(cell)),
//
//	ī = c ⊙ g ⊙ i(1−i),  f̄ = c ⊙ prev ⊙ f(1−f),  ḡ = c ⊙ i ⊙ (1−g²),  ō = h ⊙ tanh(cell) ⊙ o(1−o),  dc = c ⊙ f
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
