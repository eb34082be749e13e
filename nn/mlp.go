package nn

import (
	"strconv"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// MLP is a multilayer perceptron: linear layers with ReLU between them, none after the last.
type MLP struct{ Layers []*Linear }

// NewMLP creates an MLP with the given widths of its input, hidden layers and output. The linear
// layers are named "0", "2", "4", …, as in PyTorch's Sequential, in which the others are the
// ReLUs.
func NewMLP(p *Params, widths ...int) *MLP {
	m := &MLP{}
	for i := range len(widths) - 1 {
		m.Layers = append(m.Layers, NewLinear(p.Sub(strconv.Itoa(2*i)), widths[i], widths[i+1]))
	}
	return m
}

// Forward maps x [… in] to [… out].
func (m *MLP) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	for i, l := range m.Layers {
		if i > 0 {
			x = tp.ReLU(x)
		}
		x = l.Forward(tp, x)
	}
	return x
}
