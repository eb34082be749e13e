package nn

import (
	"fmt"
	"strconv"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// A feedForward is the position-wise part of a Transformer's layer: y = GELU(x·W₁ᵀ + b₁)·W₂ᵀ + b₂.
type feedForward struct{ in, out *Linear }

func (f feedForward) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return f.out.Forward(tp, tp.GELU(f.in.Forward(tp, x)))
}

// Transformer is a pre-norm Transformer encoder (Xiong et al. 2020) without a norm at its end. Each layer is
//
//	x ← x + MultiHead(LN_q x, LN_k x, LN_v x)
//	x ← x + FFN(LN x),  FFN = Linear, GELU, Linear
type Transformer struct{ layers []transformerLayer }

type transformerLayer struct {
	normQ, normK, normV, norm *LayerNorm
	attention                 *MultiHead
	feedForward               feedForward
}

// TransformerConfig describes a Transformer.
type TransformerConfig struct {
	Width       int // d, of input and output
	Heads       int
	HeadWidth   int // Heads·HeadWidth need not be Width
	FeedForward int // hidden width of the FFN
	Depth       int // layers
}

// NewTransformer makes the layers "layers.0", "layers.1", …. Query, key and value projections have no bias.
func NewTransformer(p *Params, c TransformerConfig) *Transformer {
	t := &Transformer{}
	for i := range c.Depth {
		q := p.Sub("layers").Sub(strconv.Itoa(i))
		t.layers = append(t.layers, transformerLayer{
			normQ: NewLayerNorm(q.Sub("norm_q"), c.Width), normK: NewLayerNorm(q.Sub("norm_k"), c.Width),
			normV: NewLayerNorm(q.Sub("norm_v"), c.Width), norm: NewLayerNorm(q.Sub("norm"), c.Width),
			attention: NewMultiHead(q.Sub("attention"), MultiHeadConfig{Width: c.Width, Heads: c.Heads, HeadWidth: c.HeadWidth}),
			feedForward: feedForward{NewLinear(q.Sub("feed_forward.in"), c.Width, c.FeedForward),
				NewLinear(q.Sub("feed_forward.out"), c.FeedForward, c.Width)},
		})
	}
	return t
}

// Forward maps x [B T d] to [B T d].
func (t *Transformer) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return t.Head(tp, x, x.Shape()[1])
}

// Head returns the first n positions of Forward, [B n d], and saves what they do not depend on: in the last layer the others
// are needed as keys and values only.
func (t *Transformer) Head(tp *ag.Tape, x *ag.Tensor, n int) *ag.Tensor {
	if s := x.Shape(); len(s) != 3 || n < 1 || n > s[1] {
		panic(fmt.Sprintf("nn: Transformer: the first %d positions of %v: want x [B T d] and 1 ≤ n ≤ T", n, s))
	}
	last := len(t.layers) - 1
	for i := range t.layers {
		positions := x.Shape()[1]
		if i == last {
			positions = n
		}
		x = t.layers[i].head(tp, x, positions)
	}
	return x
}

// head returns the layer's first n positions.
func (l *transformerLayer) head(tp *ag.Tape, x *ag.Tensor, n int) *ag.Tensor {
	y := x
	if n < x.Shape()[1] {
		y = tp.Slice(x, 1, 0, n)
	}
	y = tp.Add(y, l.attention.Forward(tp, l.normQ.Forward(tp, y), l.normK.Forward(tp, x), l.normV.Forward(tp, x), nil))
	return tp.Add(y, l.feedForward.Forward(tp, l.norm.Forward(tp, y)))
}
