package tfrnet

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// A summary maps an enhanced sequence to one vector: a bidirectional GRU, whose outputs a gate
// weights step by step, and the maximum over time.
type summary struct {
	gru  *nn.GRU
	gate *nn.Conv1d
	out  *nn.Linear
}

// newSummary creates the summary of sequences of width in as vectors of width g.
func newSummary(p *nn.Params, in, g, layers int) *summary {
	return &summary{
		gru: nn.NewGRU(p.Sub("gru"),
			nn.GRUConfig{In: in, Hidden: g, Layers: layers, Bidirectional: true}),
		gate: nn.NewConv1d(p.Sub("gate"),
			nn.Conv1dConfig{In: 2 * g, Out: 1, Kernel: 3, Padding: 1, Bias: true}),
		out: nn.NewLinear(p.Sub("out"), in+2*g, g),
	}
}

// Forward returns e_m [B g] for h [B T in]:
//
//	G = BiGRU(h),  q = tanh(G) ⊙ σ(Conv(G)),  e_m = max over time of tanh(W·[h; q] + b)
//
// The GRU reads the first lengths[b] steps of sample b; its outputs after them are 0. The maximum
// is over all T steps, those of padding too.
func (s *summary) Forward(tp *ag.Tape, h *ag.Tensor, lengths []int) *ag.Tensor {
	g, _ := s.gru.Forward(tp, h, lengths)
	q := tp.Mul(tp.Tanh(g), tp.Sigmoid(s.gate.Forward(tp, g)))
	return tp.MaxPool(tp.Tanh(s.out.Forward(tp, tp.Concat(2, h, q))), nil)
}
