package nn

import (
	"math"
	"strconv"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// CrossmodalTransformer is the pre-norm encoder of MulT (Tsai et al. 2019, Multimodal Transformer
// for unaligned multimodal language sequences) in the form of its authors' code: a sequence x
// attends to itself or to another sequence, the source s. With the codes PE of
// [SinusoidalPositions] and dropout D, which has a mask of its own each time,
//
//	x ← D(√d·x + PE(x)),  k = D(√d·s + PE(s)),  v = D(√d·s + PE(s))
//	x ← x + D(MultiHead(LN x, LN k, LN v)),  then x ← x + D(FFN(LN′ x))   in each layer
//	y = LN″(x),  FFN(x) = W₂·D(ReLU(W₁·x + b₁)) + b₂ of hidden width 4d
//
// All layers read the same k and v; without a source k and v are x itself, as it is in each layer.
// The norm LN of a layer is one for x, k and v. Step i of x attends to step j of the source only if
// j ≤ i + |T_s − T|; steps of padding take part. [Transformer] is another pre-norm encoder, with
// GELU and separate norms, without positions, dropout and that causal mask.
type CrossmodalTransformer struct {
	config CrossmodalConfig
	layers []crossmodalLayer
	norm   *LayerNorm
}

type crossmodalLayer struct {
	attention       *MultiHead
	attentionNorm   *LayerNorm
	in, out         *Linear // of the FFN
	norm            *LayerNorm
	relu, residuals float64 // probabilities of dropout
}

// CrossmodalConfig holds the sizes and dropouts of a [CrossmodalTransformer].
type CrossmodalConfig struct {
	Width  int // d, of x, the source and the result
	Heads  int // which divides d
	Layers int
	// added to x and to the source; nil for none
	Positions *SinusoidalPositions

	// probabilities of dropout: of the attention weights, the hidden layer of the FFN, the results
	// that are added to x, and the embedded sequences x, k and v
	AttentionDropout, ReLUDropout, ResidualDropout, EmbedDropout float64
}

// NewCrossmodalTransformer creates the layers "layers.0", "layers.1", … and the final "norm". As
// in the authors' code, weights are drawn by [Xavier], those of queries, keys and values as one
// matrix [3d d], and biases are 0.
func NewCrossmodalTransformer(p *Params, c CrossmodalConfig) *CrossmodalTransformer {
	t := &CrossmodalTransformer{config: c}
	for i := range c.Layers {
		q := p.Sub("layers").Sub(strconv.Itoa(i))
		linear := func(name string, in, out int) *Linear {
			l := q.Sub(name)
			w := l.New("weight", Xavier(in, out), out, in)
			return &Linear{W: w, B: l.New("bias", Zeros, out)}
		}
		attention := newPackedMultiHead(q.Sub("attention"), c.Width, Xavier(c.Width, c.Width))
		attention.Heads, attention.Dropout, attention.Causal = c.Heads, c.AttentionDropout, true
		t.layers = append(t.layers, crossmodalLayer{
			attention:     attention,
			attentionNorm: NewLayerNorm(q.Sub("attention_norm"), c.Width),
			in:            linear("feed_forward.in", c.Width, 4*c.Width),
			out:           linear("feed_forward.out", 4*c.Width, c.Width),
			norm:          NewLayerNorm(q.Sub("norm"), c.Width),
			relu:          c.ReLUDropout, residuals: c.ResidualDropout,
		})
	}
	t.norm = NewLayerNorm(p.Sub("norm"), c.Width)
	return t
}

// Forward maps x [B T d] to [B T d]. It attends to the source [B T_s d], or to x itself if source
// is nil. It panics if shapes do not fit.
func (t *CrossmodalTransformer) Forward(tp *ag.Tape, x, source *ag.Tensor) *ag.Tensor {
	var k, v *ag.Tensor // nil: x
	if source != nil {
		s := t.embed(tp, source)
		k, v = tp.Dropout(s, t.config.EmbedDropout), tp.Dropout(s, t.config.EmbedDropout)
	}
	x = tp.Dropout(t.embed(tp, x), t.config.EmbedDropout)
	for i := range t.layers {
		x = t.layers[i].forward(tp, x, k, v)
	}
	return t.norm.Forward(tp, x)
}

// embed returns √d·x + PE(x).
func (t *CrossmodalTransformer) embed(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	scaled := tp.Scale(x, math.Sqrt(float64(t.config.Width)))
	if t.config.Positions == nil {
		return scaled
	}
	return tp.Add(scaled, t.config.Positions.Forward(tp, x))
}

func (l *crossmodalLayer) forward(tp *ag.Tape, x, k, v *ag.Tensor) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		normed := l.attentionNorm.Forward(tp, x)
		keys, values := normed, normed
		if k != nil {
			keys, values = l.attentionNorm.Forward(tp, k), l.attentionNorm.Forward(tp, v)
		}
		a := l.attention.Forward(tp, normed, keys, values, nil)
		y := tp.Add(x, tp.Dropout(a, l.residuals))
		hidden := tp.Dropout(tp.ReLU(l.in.Forward(tp, l.norm.Forward(tp, y))), l.relu)
		return tp.Add(y, tp.Dropout(l.out.Forward(tp, hidden), l.residuals))
	})
}
