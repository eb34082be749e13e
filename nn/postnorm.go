package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// PostNormLayer is a layer of the Transformer encoder as published (Vaswani et al. 2017,
// Attention is all you need, section 3.1), in which the norm follows the residual sum, as in
// PyTorch's TransformerEncoderLayer by default. It has no positions and no mask, so it is
// equivariant to permutations of its inputs.
//
//	y = LN(x + Dropout(MultiHead(x, x, x)))
//	z = LN(y + Dropout(FFN(y))),  FFN(y) = Dropout(ReLU(y·W₁ᵀ + b₁))·W₂ᵀ + b₂
type PostNormLayer struct {
	attention     *MultiHead
	attentionNorm *LayerNorm
	in, out       *Linear // of the FFN
	norm          *LayerNorm
	dropout       float64
}

// PostNormConfig holds the sizes of a [PostNormLayer].
type PostNormConfig struct {
	Width       int // d, of input and output
	Heads       int // H, which divides d
	FeedForward int // hidden width of the FFN
	// of the attention weights, the FFN's hidden layer, and both parts' results
	Dropout float64
}

// NewPostNormLayer creates "attention", "attention_norm", "feed_forward.in", "feed_forward.out"
// and "norm", initialised as PyTorch does: the projections to queries, keys and values as one
// matrix [3d d] by [Xavier], and the biases of all projections as 0.
func NewPostNormLayer(p *Params, c PostNormConfig) *PostNormLayer {
	d := c.Width
	attention := newPackedMultiHead(p.Sub("attention"), d, FanIn(d))
	attention.Heads, attention.Dropout = c.Heads, c.Dropout
	return &PostNormLayer{
		attention:     attention,
		attentionNorm: NewLayerNorm(p.Sub("attention_norm"), d),
		in:            NewLinear(p.Sub("feed_forward.in"), d, c.FeedForward),
		out:           NewLinear(p.Sub("feed_forward.out"), c.FeedForward, d),
		norm:          NewLayerNorm(p.Sub("norm"), d),
		dropout:       c.Dropout,
	}
}

// Forward maps x [B T d] to [B T d].
func (l *PostNormLayer) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		a := l.attention.Forward(tp, x, x, x, nil)
		y := l.attentionNorm.Forward(tp, tp.Add(x, tp.Dropout(a, l.dropout)))
		hidden := tp.Dropout(tp.ReLU(l.in.Forward(tp, y)), l.dropout)
		return l.norm.Forward(tp, tp.Add(y, tp.Dropout(l.out.Forward(tp, hidden), l.dropout)))
	})
}
