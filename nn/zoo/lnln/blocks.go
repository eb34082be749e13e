package lnln

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// The blocks in this file are those of ALMT (Zhang et al., EMNLP 2023).

// An encoder is a Transformer on t learned tokens followed by a sequence, with learned positions.
// Tokens are initially 0, positions drawn from N(0, 1).
type encoder struct {
	tokens      *ag.Tensor // [t d]; nil for none
	positions   *ag.Tensor // [t+T d]
	transformer *nn.Transformer
}

func newEncoder(p *nn.Params, c *Config, tokens, steps, depth int) *encoder {
	e := &encoder{positions: p.New("positions", nn.Normal(1), tokens+steps, c.Width),
		transformer: newTransformer(p, c, depth)}
	if tokens > 0 {
		e.tokens = p.New("tokens", nn.Zeros, tokens, c.Width)
	}
	return e
}

func newTransformer(p *nn.Params, c *Config, depth int) *nn.Transformer {
	return nn.NewTransformer(p,
		nn.TransformerConfig{Width: c.Width, Heads: c.Heads, HeadWidth: c.HeadWidth,
			FeedForward: c.FeedForward, Depth: depth})
}

// Forward returns the output at the tokens, [B t d], for x [B T d]; without tokens the output at
// x, [B T d].
func (e *encoder) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	n := x.Shape()[1]
	if e.tokens != nil {
		n = e.tokens.Shape()[0]
		x = prepend(tp, e.tokens, x)
	}
	return e.transformer.Head(tp, tp.Add(x, e.positions), n)
}

// Stream returns x [B T d] with positions added, and then the output of each layer, [B T d] each.
// The encoder must have no tokens.
func (e *encoder) Stream(tp *ag.Tape, x *ag.Tensor) []*ag.Tensor {
	return e.transformer.Stream(tp, tp.Add(x, e.positions))
}

// prepend puts the same rows [t d] before each sequence of x [B T d].
func prepend(tp *ag.Tape, rows, x *ag.Tensor) *ag.Tensor {
	return tp.Concat(1, tp.Expand(rows, x.Shape()[0], rows.Shape()[0], rows.Shape()[1]), x)
}

// An embedding represents a modality by n tokens.
type embedding struct {
	project *nn.Linear
	encode  *encoder
}

func newEmbedding(p *nn.Params, c *Config, steps, width int) *embedding {
	return &embedding{nn.NewLinear(p.Sub("project"), width, c.Width),
		newEncoder(p.Sub("encode"), c, c.Tokens, steps, c.Depth)}
}

// Forward returns U_m [B n d] for features [B T d_m]. Padding is not masked.
func (e *embedding) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return e.encode.Forward(tp, e.project.Forward(tp, x))
}

// hyper computes the hyper-modality h, in which language, as the query, attends to audio and
// vision. Rows of ones have no variance, so the scale of the first norm has no gradient before the
// first change of h⁰.
type hyper struct {
	start  *ag.Tensor // h⁰, [n d], initially ones
	layers []*hyperLayer
}

func newHyper(p *nn.Params, c *Config) *hyper {
	h := &hyper{start: p.New("start", nn.Ones, c.Tokens, c.Width)}
	for i := range c.HyperDepth {
		h.layers = append(h.layers, newHyperLayer(p.Sub("layers").Sub(fmt.Sprint(i)), c))
	}
	return h
}

// Forward returns the last h [B n d]. Layer j has the query language[j]; audio and vision are the
// same for all layers.
func (h *hyper) Forward(tp *ag.Tape, language []*ag.Tensor, audio, vision *ag.Tensor) *ag.Tensor {
	x := h.start // broadcast over B
	for j, l := range h.layers {
		x = l.Forward(tp, x, language[j], audio, vision)
	}
	return x
}

// A hyperLayer has two attentions, to audio and to vision, with the same query.
type hyperLayer struct {
	normL, normA, normV, normH        *nn.LayerNorm
	query, keyA, valueA, keyV, valueV *ag.Tensor // [H·w d], without bias
	output                            *nn.Linear // H·w → d
	heads                             int
}

func newHyperLayer(p *nn.Params, c *Config) *hyperLayer {
	norm := func(name string) *nn.LayerNorm { return nn.NewLayerNorm(p.Sub(name), c.Width) }
	inner := c.Heads * c.HyperHeadWidth
	project := func(name string) *ag.Tensor {
		return p.Sub(name).New("weight", nn.FanIn(c.Width), inner, c.Width)
	}
	return &hyperLayer{
		normL: norm("norm_l"), normA: norm("norm_a"), normV: norm("norm_v"), normH: norm("norm_h"),
		query: project("query"),
		keyA:  project("key_a"), valueA: project("value_a"), keyV: project("key_v"),
		valueV: project("value_v"),
		output: nn.NewLinear(p.Sub("output"), inner, c.Width), heads: c.Heads,
	}
}

// Forward returns the next h [B n d], where A is attention of H heads of width w and each norm,
// key and value map has parameters of its own:
//
//	h ← LN(h) + W_o·(A(L_j, U_a) + A(L_j, U_v)) + b_o,  A(x, y) = softmax(W_q·LN(x) (W_k·LN(y))ᵀ/√w) W_v·LN(y)
//
// ALMT's paper adds to h itself, not to LN(h). Unlike nn.Transformer's LN_k, every norm has a shift
// with an effect: W_v·LN(y) contains it too.
func (l *hyperLayer) Forward(tp *ag.Tape, h, language, audio, vision *ag.Tensor) *ag.Tensor {
	q := tp.Linear(l.normL.Forward(tp, language), l.query, nil)
	attend := func(x, key, value *ag.Tensor) *ag.Tensor {
		return tp.Attention(q, tp.Linear(x, key, nil), tp.Linear(x, value, nil),
			ag.AttentionConfig{Heads: l.heads})
	}
	a := attend(l.normA.Forward(tp, audio), l.keyA, l.valueA)
	v := attend(l.normV.Forward(tp, vision), l.keyV, l.valueV)
	return tp.Add(l.normH.Forward(tp, h), l.output.Forward(tp, tp.Add(a, v)))
}

// fusion is cross attention from language to the hyper-modality.
type fusion struct {
	class          *ag.Tensor // [1 d], prepended to both sequences; initially 0
	target, source *ag.Tensor // positions, [1+n d]
	transformer    *nn.Transformer
}

func newFusion(p *nn.Params, c *Config) *fusion {
	positions := func(name string) *ag.Tensor {
		return p.New(name, nn.Normal(1), 1+c.Tokens, c.Width)
	}
	return &fusion{p.New("class", nn.Zeros, 1, c.Width), positions("target"), positions("source"),
		newTransformer(p, c, c.FusionDepth)}
}

// Forward returns T [B 1+n d], with the class token first, for the last L and h [B n d].
func (f *fusion) Forward(tp *ag.Tape, language, hyper *ag.Tensor) *ag.Tensor {
	target := tp.Add(prepend(tp, f.class, language), f.target)
	source := tp.Add(prepend(tp, f.class, hyper), f.source)
	return f.transformer.Cross(tp, target, source)
}
