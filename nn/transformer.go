package nn

import (
	"fmt"
	"math"
	"strconv"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// A feedForward is the position-wise network (FFN) of a Transformer layer: y = GELU(x·W₁ᵀ +
// b₁)·W₂ᵀ + b₂.
type feedForward struct{ in, out *Linear }

func (f feedForward) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.GELULinear(f.in.Forward(tp, x), f.out.W, f.out.B)
}

// Transformer is a pre-norm Transformer encoder (Xiong et al. 2020, On layer normalization in the
// Transformer architecture) without a final norm. Each layer is
//
//	x ← x + MultiHead(LN_q x, LN_k x, LN_v x)
//	x ← x + FFN(LN x),  FFN = Linear, GELU, Linear
//
// The norms of queries, keys and values scale and shift the same x̂; their scales and shifts are
// folded into the projections. LN_k has no shift: it would add the same number to all scores of a
// query, which does not change the softmax.
type Transformer struct{ layers []transformerLayer }

type transformerLayer struct {
	normQ, normV *LayerNorm
	scaleK       *ag.Tensor // γ of LN_k, [d]
	attention    *MultiHead
	norm         *LayerNorm
	feedForward  feedForward
}

// TransformerConfig holds the sizes of a [Transformer].
type TransformerConfig struct {
	Width       int // d, of input and output
	Heads       int
	HeadWidth   int // Heads·HeadWidth need not be Width
	FeedForward int // hidden width of the FFN
	Depth       int // layers
}

// NewTransformer creates the layers "layers.0", "layers.1", …. Query, key and value projections
// have no bias.
func NewTransformer(p *Params, c TransformerConfig) *Transformer {
	t := &Transformer{}
	for i := range c.Depth {
		q := p.Sub("layers").Sub(strconv.Itoa(i))
		t.layers = append(t.layers, transformerLayer{
			normQ:  NewLayerNorm(q.Sub("norm_q"), c.Width),
			scaleK: q.Sub("norm_k").New("weight", Ones, c.Width),
			normV:  NewLayerNorm(q.Sub("norm_v"), c.Width),
			norm:   NewLayerNorm(q.Sub("norm"), c.Width),
			attention: NewMultiHead(q.Sub("attention"),
				MultiHeadConfig{Width: c.Width, Heads: c.Heads, HeadWidth: c.HeadWidth}),
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

// Head returns the first n positions of [Transformer.Forward], [B n d]. It omits what they do not
// depend on: in the last layer the other positions serve as keys and values only. It panics unless
// 1 ≤ n ≤ T.
func (t *Transformer) Head(tp *ag.Tape, x *ag.Tensor, n int) *ag.Tensor {
	if s := x.Shape(); len(s) != 3 || n < 1 || n > s[1] {
		panic(fmt.Sprintf(
			"nn: Transformer: the first %d positions of %v: want x [B T d] and 1 ≤ n ≤ T", n, s,
		))
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

// Cross is the crossmodal Transformer (Tsai et al. 2019, Multimodal Transformer for unaligned
// multimodal language sequences): in each layer x [B n d] attends to the same source [B T d],
//
//	x ← x + MultiHead(LN_q x, LN_k source, LN_v source)
//	x ← x + FFN(LN x)
//
// Positions of x do not attend to each other. It returns [B n d], and panics if shapes do not fit.
func (t *Transformer) Cross(tp *ag.Tape, x, source *ag.Tensor) *ag.Tensor {
	if s, from := x.Shape(), source.Shape(); len(s) != 3 || len(from) != 3 || s[0] != from[0] ||
		s[2] != from[2] {
		panic(fmt.Sprintf("nn: Transformer: x %v attends to a source %v: want [B n d] and [B T d]",
			s, from))
	}
	for i := range t.layers {
		x = t.layers[i].cross(tp, x, source)
	}
	return x
}

// Stream returns the residual stream: x [B T d] and then the output of each layer, [B T d] each.
// The last one is the result of [Transformer.Forward].
func (t *Transformer) Stream(tp *ag.Tape, x *ag.Tensor) []*ag.Tensor {
	stream := []*ag.Tensor{x}
	for i := range t.layers {
		x = t.layers[i].head(tp, x, x.Shape()[1])
		stream = append(stream, x)
	}
	return stream
}

// head returns the first n positions of the layer's result, [B n d], for x [B T d].
func (l *transformerLayer) head(tp *ag.Tape, x *ag.Tensor, n int) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		y, hat := x, tp.Normalize(x, l.normQ.Eps)
		hatY := hat
		if n < x.Shape()[1] {
			y, hatY = tp.Slice(x, 1, 0, n), tp.Slice(hat, 1, 0, n)
		}
		return l.update(tp, y, l.attend(tp, hatY, hat))
	})
}

// cross returns the layer's result [B n d] for x [B n d], with keys and values from the source [B
// T d].
func (l *transformerLayer) cross(tp *ag.Tape, x, source *ag.Tensor) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		return l.update(tp,
			x, l.attend(tp, tp.Normalize(x, l.normQ.Eps), tp.Normalize(source, l.normV.Eps)))
	})
}

// update adds the result of attention to x, and then the FFN's.
func (l *transformerLayer) update(tp *ag.Tape, x, attended *ag.Tensor) *ag.Tensor {
	x = tp.Add(x, attended)
	return tp.Add(x, l.feedForward.Forward(tp, l.norm.Forward(tp, x)))
}

// attend returns MultiHead, [B n d], of the queries at hatY [B n d] for the keys and values at hat
// [B T d]. LN_v adds the bias b_v to every value, so every weighted mean of values contains it, and
// it can be added after the heads: W_o (o + b_v) + b_o = W_o o + (W_o b_v + b_o).
func (l *transformerLayer) attend(tp *ag.Tape, hatY, hat *ag.Tensor) *ag.Tensor {
	wq, bq := l.normQ.foldInto(tp, l.attention.Query.W)
	wk := tp.Mul(l.attention.Key.W, l.scaleK)
	wv, bv := l.normV.foldInto(tp, l.attention.Value.W)
	out := l.attention.Output
	bias := tp.Add(out.B, tp.Reshape(tp.MatMul(out.W, tp.Reshape(bv, -1, 1), ag.NN), -1))
	return tp.Linear(l.attendHeads(tp, hatY, hat, wq, bq, wk, wv), out.W, bias)
}

// attendHeads returns the heads, [B n H·w], for projections of x̂.
func (l *transformerLayer) attendHeads(
	tp *ag.Tape, hatY, hat, wq, bq, wk, wv *ag.Tensor,
) *ag.Tensor {
	q, heads := tp.Linear(hatY, wq, bq), l.attention.Heads
	n, t, d, w := hatY.Shape()[1], hat.Shape()[1], hat.Shape()[2], wq.Shape()[0]/heads
	if n*(w*d+t*(d-w)) < t*w*d { // multiplications with and without absorption, over 2·B·H
		return absorbedAttention(tp, q, hat, wk, wv, heads)
	}
	return tp.Attention(q, tp.Linear(hat, wk, nil), tp.Linear(hat, wv, nil),
		ag.AttentionConfig{Heads: heads})
}

// absorbedAttention is attention for a few queries q [B n H·w]. It does not project every position
// x̂ [B T d] to a key and a value, but absorbs these projections into the queries and the result:
//
//	Q_h (x̂ W_k,hᵀ)ᵀ = (Q_h W_k,h) x̂ᵀ,  P_h (x̂ W_v,hᵀ) = (P_h x̂) W_v,hᵀ
//
// So the queries of all heads attend to x̂ itself, as one head of width d.
func absorbedAttention(tp *ag.Tape, q, hat, wk, wv *ag.Tensor, heads int) *ag.Tensor {
	b, n, d, w := q.Shape()[0], q.Shape()[1], hat.Shape()[2], q.Shape()[2]/heads
	q = tp.Reshape(tp.Permute(tp.Reshape(q, b, n, heads, w), 2, 0, 1, 3), heads, b*n, w)
	q = tp.MatMul(q, tp.Reshape(wk, heads, w, d), ag.NN) // [H B·n d]
	q = tp.Scale(q, math.Sqrt(float64(d)/float64(w)))    // Attention divides by √d instead of √w
	q = tp.Reshape(tp.Permute(tp.Reshape(q, heads, b, n, d), 1, 0, 2, 3), b, heads*n, d)
	o := tp.Attention(q, hat, hat, ag.AttentionConfig{Heads: 1})
	o = tp.Reshape(tp.Permute(tp.Reshape(o, b, heads, n, d), 1, 0, 2, 3), heads, b*n, d)
	o = tp.MatMul(o, tp.Reshape(wv, heads, w, d), ag.NT) // [H B·n w]
	return tp.Reshape(tp.Permute(tp.Reshape(o, heads, b, n, w), 1, 2, 0, 3), b, n, heads*w)
}
