package nn

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// LSTM is a stack of long short-term memory layers (see autograd.Tape.LSTM), in one direction or
// in both, on sequences of different lengths, as PyTorch's LSTM on packed sequences. The input
// of a layer is the concatenation of the previous layer's outputs in both directions.
type LSTM struct{ recurrent }

// GRU is a stack of gated recurrent unit layers (see autograd.Tape.GRU), otherwise as [LSTM].
type GRU struct{ recurrent }

// recurrent is what LSTM and GRU have in common.
type recurrent struct {
	layers  [][]ag.LSTMWeights // of each layer: forward, and backward if there is one
	dropout float64
}

// LSTMConfig holds the sizes of an [LSTM].
type LSTMConfig struct {
	In            int // width of the input
	Hidden        int // H, of a direction
	Layers        int
	Bidirectional bool
	Dropout       float64 // of the outputs of all layers but the last
}

// GRUConfig holds the sizes of a [GRU], which are those of an [LSTM].
type GRUConfig LSTMConfig

// NewLSTM creates "weight_ih_l0" [4·H in], "weight_hh_l0" [4·H H], "bias_ih_l0" and "bias_hh_l0"
// [4·H], for the other direction the same names followed by "_reverse", and so on for layers 1, 2,
// …, all from U(−1/√H, 1/√H).
func NewLSTM(p *Params, c LSTMConfig) *LSTM { return &LSTM{newRecurrent(p, c, 4)} }

// NewGRU creates the parameters of [NewLSTM] with 3·H in place of 4·H.
func NewGRU(p *Params, c GRUConfig) *GRU { return &GRU{newRecurrent(p, LSTMConfig(c), 3)} }

func newRecurrent(p *Params, c LSTMConfig, gates int) recurrent {
	l := recurrent{dropout: c.Dropout}
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
				Input:      p.New("weight_ih"+end, init, gates*c.Hidden, in),
				Hidden:     p.New("weight_hh"+end, init, gates*c.Hidden, c.Hidden),
				InputBias:  p.New("bias_ih"+end, init, gates*c.Hidden),
				HiddenBias: p.New("bias_hh"+end, init, gates*c.Hidden),
			})
		}
		l.layers = append(l.layers, layer)
		in = len(directions) * c.Hidden
	}
	return l
}

// Forward returns the outputs of the last layer, [B T H] or [B T 2·H], for x [B T in], and the
// final hidden states, [B H] each. Only the first lengths[b] steps of sample b are read; the
// outputs after them are 0. The final states are in PyTorch's order: those of the first layer,
// forward and backward, then those of the second, and so on. It panics if a length is not in 1
// to T.
func (l *LSTM) Forward(
	tp *ag.Tape, x *ag.Tensor, lengths []int,
) (y *ag.Tensor, final []*ag.Tensor) {
	return l.forward(tp, x, lengths, tp.LSTM)
}

// Forward returns the outputs and final hidden states as [LSTM.Forward] does.
func (l *GRU) Forward(
	tp *ag.Tape, x *ag.Tensor, lengths []int,
) (y *ag.Tensor, final []*ag.Tensor) {
	return l.forward(tp, x, lengths, tp.GRU)
}

// forward runs all layers; one computes a layer in one direction.
func (l *recurrent) forward(
	tp *ag.Tape, x *ag.Tensor, lengths []int,
	one func(x *ag.Tensor, w ag.LSTMWeights, lengths []int, reverse bool) *ag.Tensor,
) (y *ag.Tensor, final []*ag.Tensor) {
	for i, layer := range l.layers {
		if i > 0 {
			x = tp.Dropout(x, l.dropout)
		}
		var ys []*ag.Tensor
		for k, w := range layer {
			reverse := k == 1
			h := one(x, w, lengths, reverse)
			ys = append(ys, h)
			final = append(final, lastStep(tp, h, lengths, reverse))
		}
		if x = ys[0]; len(ys) == 2 {
			x = tp.Concat(2, ys...)
		}
	}
	return x, final
}

// lastStep returns the final state [B H] of each sample in h [B T H].
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
