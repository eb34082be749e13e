package almt

import (
	"strconv"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// An Encoder is a Transformer on t learned tokens followed by a sequence, with learned positions.
// Tokens are initially 0, positions drawn from N(0, 1).
type Encoder struct {
	tokens      *ag.Tensor // [t d]; nil for none
	positions   *ag.Tensor // [t+T d]
	transformer *nn.Transformer
}

// NewEncoder creates "positions", "layers" and, if there are tokens, "tokens", for sequences of T =
// steps. Its width is that of the Transformer.
func NewEncoder(p *nn.Params, c nn.TransformerConfig, tokens, steps int) *Encoder {
	e := &Encoder{positions: p.New("positions", nn.Normal(1), tokens+steps, c.Width),
		transformer: nn.NewTransformer(p, c)}
	if tokens > 0 {
		e.tokens = p.New("tokens", nn.Zeros, tokens, c.Width)
	}
	return e
}

// Forward returns the output at the tokens, [B t d], for x [B T d]; without tokens the output at
// x, [B T d].
func (e *Encoder) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	n := x.Shape()[1]
	if e.tokens != nil {
		n = e.tokens.Shape()[0]
		x = Prepend(tp, e.tokens, x)
	}
	return e.transformer.Head(tp, tp.Add(x, e.positions), n)
}

// Stream returns x [B T d] with positions added, and then the output of each layer, [B T d] each.
// The encoder must have no tokens.
func (e *Encoder) Stream(tp *ag.Tape, x *ag.Tensor) []*ag.Tensor {
	return e.transformer.Stream(tp, tp.Add(x, e.positions))
}

// Prepend puts the same rows [t d] before each sequence of x [B T d].
func Prepend(tp *ag.Tape, rows, x *ag.Tensor) *ag.Tensor {
	return tp.Concat(1, repeat(tp, rows, x.Shape()[0]), x)
}

// repeat returns the same rows [t d] for each of n samples, [n t d].
func repeat(tp *ag.Tape, rows *ag.Tensor, n int) *ag.Tensor {
	return tp.Expand(rows, n, rows.Shape()[0], rows.Shape()[1])
}

// An Embedding represents a modality by n tokens.
type Embedding struct {
	project *nn.Linear
	encode  *Encoder
}

// NewEmbedding creates "project" and "encode", for n = tokens and sequences of T = steps of the
// given width d_m. The tokens have the width of the Transformer.
func NewEmbedding(
	p *nn.Params, c nn.TransformerConfig, tokens, steps, width int,
) *Embedding {
	return &Embedding{nn.NewLinear(p.Sub("project"), width, c.Width),
		NewEncoder(p.Sub("encode"), c, tokens, steps)}
}

// Forward returns U_m [B n d] for features [B T d_m]. Padding is not masked.
func (e *Embedding) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return e.encode.Forward(tp, e.project.Forward(tp, x))
}

// Embeddings are those of the three modalities.
type Embeddings [zoo.Modalities]*Embedding

// NewEmbeddings creates "l", "a" and "v", for text features of the given width.
func NewEmbeddings(
	p *nn.Params, c nn.TransformerConfig, tokens, textWidth int, d zoo.Dims,
) *Embeddings {
	e := &Embeddings{}
	for i, from := range [zoo.Modalities]struct{ steps, width int }{{d.TextT, textWidth},
		{d.AudioT, d.AudioD}, {d.VisionT, d.VisionD}} {
		e[i] = NewEmbedding(p.Sub(zoo.Modality(i).String()), c, tokens, from.steps, from.width)
	}
	return e
}

// Forward returns U_m [B n d] of each modality, for features of the text [B T d_l] and the frames
// of an input.
func (e *Embeddings) Forward(
	tp *ag.Tape, text *ag.Tensor, in *zoo.Input,
) (u [zoo.Modalities]*ag.Tensor) {
	for i, x := range [zoo.Modalities]*ag.Tensor{text, in.Audio, in.Vision} {
		u[i] = e[i].Forward(tp, x)
	}
	return u
}

// Hyper computes the hyper-modality h, in which language, as the query, attends to audio and
// vision. Rows of ones have no variance, so the scale of the first norm has no gradient before the
// first change of h⁰.
type Hyper struct {
	start  *ag.Tensor // h⁰, [n d], initially ones
	layers []*hyperLayer
}

// HyperConfig holds the sizes of a [Hyper].
type HyperConfig struct {
	Width     int // d, of all modalities
	Tokens    int // n, of all modalities
	Heads     int
	HeadWidth int // Heads·HeadWidth need not be Width
	Depth     int // layers
}

// NewHyper creates "start" and the layers "layers.0", "layers.1", ….
func NewHyper(p *nn.Params, c HyperConfig) *Hyper {
	h := &Hyper{start: p.New("start", nn.Ones, c.Tokens, c.Width)}
	for i := range c.Depth {
		h.layers = append(h.layers, newHyperLayer(p.Sub("layers").Sub(strconv.Itoa(i)), &c))
	}
	return h
}

// Forward returns the last h [B n d]. Layer j has the query language[j]; audio and vision are the
// same for all layers.
func (h *Hyper) Forward(tp *ag.Tape, language []*ag.Tensor, audio, vision *ag.Tensor) *ag.Tensor {
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

func newHyperLayer(p *nn.Params, c *HyperConfig) *hyperLayer {
	norm := func(name string) *nn.LayerNorm { return nn.NewLayerNorm(p.Sub(name), c.Width) }
	inner := c.Heads * c.HeadWidth
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

// Fusion is cross attention from a class token, and from language, to the hyper-modality.
type Fusion struct {
	class          *ag.Tensor // [1 d], first in both sequences; initially 0
	target, source *ag.Tensor // positions, [1+m d] and [1+n d]
	transformer    *nn.Transformer
}

// NewFusion creates "class", "target", "source" and "layers", for m = words rows of language, which
// may be 0, and n = tokens rows of the hyper-modality.
func NewFusion(p *nn.Params, c nn.TransformerConfig, words, tokens int) *Fusion {
	positions := func(name string, rows int) *ag.Tensor {
		return p.New(name, nn.Normal(1), 1+rows, c.Width)
	}
	return &Fusion{p.New("class", nn.Zeros, 1, c.Width), positions("target", words),
		positions("source", tokens), nn.NewTransformer(p, c)}
}

// Forward returns T [B 1+m d], with the class token first, for language [B m d], nil if m is 0, and
// h [B n d]. Rows of T do not attend to each other.
func (f *Fusion) Forward(tp *ag.Tape, language, hyper *ag.Tensor) *ag.Tensor {
	target := repeat(tp, f.class, hyper.Shape()[0])
	if language != nil {
		target = tp.Concat(1, target, language)
	}
	target = tp.Add(target, f.target)
	source := tp.Add(Prepend(tp, f.class, hyper), f.source)
	return f.transformer.Cross(tp, target, source)
}
