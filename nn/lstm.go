package nn

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// LSTM is a stack of long short-term memory networks, each in one direction or in both, on
// sequences of different lengths: what PyTorch's LSTM computes of packed sequences. A layer's
// input is the outputs of the one before, of both directions side by side.
type LSTM struct {
	layers  [][]ag.LSTMWeights // of each layer: forward, and backward if there is one
	dropout float64
}

// LSTMConfig describes an LSTM.
type LSTMConfig struct {
	In            int // width of the input
	Hidden        int // H, of a direction
	Layers        int
	Bidirectional bool
	Dropout       float64 // of the outputs of all layers but the last
}

// NewLSTM makes "weight_ih_l0" [4·H in], "weight_hh_l0" [4·H H], "bias_ih_l0" and "bias_hh_l0"
// [4·H], those of the other direction with "_reverse" behind, and so on for layers 1, 2, …, all
// from U(−1/√H, 1/√H).
func NewLSTM(p *Params, c LSTMConfig) *LSTM {
	l := &LSTM{dropout: c.Dropout}
	directions := []string{"", "_reverse"}
	if !c.Bidirectional {
		directions = directions[:1]
	}
	in, init := c.In, FanIn(c.Hidden)
	for i := range c.Layers {
		var layer []ag.LSTMWeights
		for _, d := range directions {
			end := fmt.Sprintf("_l%d%s", i, d)
			layer = append(layer, ag.LSTMWeights{
				Input: p.New("weight_ih"+end, init, 4*c.Hidden, in), Hidden: p.New("weight_hh"+end, init, 4*c.Hidden, c.Hidden),
				InputBias: p.New("bias_ih"+end, init, 4*c.Hidden), HiddenBias: p.New("bias_hh"+end, init, 4*c.Hidden),
			})
		}
		l.layers = append(l.layers, layer)
		in = len(directions) * c.Hidden
	}
	return l
}

// Forward returns for x [B T in], of whose sample b the first lengths[b] steps count, the last
// layer's outputs, [B T H] or [B T 2·H], 0 after a sample's end, and the final hidden states, [B
// H] each, in PyTorch's order: the first layer's, forward and backward, then the second's, ….
func (l *LSTM) Forward(tp *ag.Tape, x *ag.Tensor, lengths []int) (y *ag.Tensor, final []*ag.Tensor) {
	for i, layer := range l.layers {
		if i > 0 {
			x = tp.Dropout(x, l.dropout)
		}
		var ys []*ag.Tensor
		for k, w := range layer {
			reverse := k == 1
			h := tp.LSTM(x, w, lengths, reverse)
			ys = append(ys, h)
			final = append(final, lastStep(tp, h, lengths, reverse))
		}
		if x = ys[0]; len(ys) == 2 {
			x = tp.Concat(2, ys...)
		}
	}
	return x, final
}

// lastStep returns the state [B H] that each sample's h [B T H] ends with.
func lastStep(tp *ag.Tape, h *ag.Tensor, lengths []int, reverse bool) *ag.Tensor {
	steps, width := h.Shape()[1], h.Shape()[2]
	at := make([]int, len(lengths))
	for b, n := range lengths {
		at[b] = b * steps
		if !reverse {
			at[b] += n - 1
		}
	}
	return tp.Gather(tp.Reshape(h, -1, width), at)
}
