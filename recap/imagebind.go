package recap

import (
	"math"
	"slices"
	"strconv"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// This file holds the deeper generator for MOSEI. The paper only says that it is initialised with
// ImageBind's weights. Here G_m consists of the first blocks of an encoder ("trunk") of ImageBind
// (Girdhar et al., CVPR 2023), of the trunk's width D, between projections d → D and D → d.

// A trunk describes an encoder of ImageBind as it is in imagebind_huge.pth.
type trunk struct {
	name         string // part of the keys in the file
	width, heads int    // of imagebind_huge
	causal       bool   // attention is causal: no position attends to a later one
	// attention has a learned key and value after those of the positions (PyTorch's add_bias_kv);
	// false if causal
	bias     bool
	stem     string  // key of the norm before the first block; empty for embedded tokens
	stemEps  float64 // of that norm
	stemLast bool    // the norm comes after the positions are added
	head     string  // key of the norm after the last block
}

// trunks holds the trunk of each modality's generator.
var trunks = [zoo.Modalities]trunk{
	zoo.Language: {name: "text", width: 1024, heads: 16, causal: true,
		head: "modality_heads.text.proj.0"},
	zoo.Audio: {name: "audio", width: 768, heads: 12, bias: true, head: "modality_heads.audio.0",
		stem: "modality_preprocessors.audio.rgbt_stem.norm_layer", stemEps: 1e-5},
	zoo.Vision: {name: "vision", width: 1280, heads: 16, head: "modality_heads.vision.0",
		stem: "modality_trunks.vision.pre_transformer_layer.0", stemEps: 1e-6, stemLast: true},
}

// trunkEps is the eps of the norms in and after the blocks.
const trunkEps = 1e-6

// headWidth is the width of an attention head in trunks whose width differs from imagebind_huge.
const headWidth = 16

// headsAt returns the number of heads of a trunk of the given width, a multiple of headWidth.
func (t *trunk) headsAt(width int) int {
	if width == t.width {
		return t.heads
	}
	return width / headWidth
}

// An imageBind is G_m with blocks of a trunk. LN is the norm of the trunk's stem, P [L D] are
// learned positions, γ is a learned scalar, and x̂ is x normalised to mean 0 and variance 1:
//
//	e = x·W_inᵀ + b_in
//	e ← γ·x̂(e) + P (language), LN(e) + P (audio), LN(e + P) (vision)
//	y = LN_f(blocks(e))·W_outᵀ + b_out
type imageBind struct {
	trunk     *trunk
	project   *nn.Linear
	gain      *ag.Tensor    // γ, of language
	stem      *nn.LayerNorm // of audio and vision
	positions *ag.Tensor
	blocks    []imageBindBlock
	norm      *nn.LayerNorm
	output    *nn.Linear
	frozen    []*ag.Tensor // parameters that generator.freeze holds constant
}

// newImageBind creates the generator of a modality. A block's parameters are named as in the file,
// from "blocks." on. Parameters that are not loaded are initialised as in ImageBind: weights by
// nn.Xavier, biases as 0.
func newImageBind(p *nn.Params, c *Config, m zoo.Modality) *imageBind {
	t, d := &trunks[m], c.generatorWidth(m)
	g := &imageBind{trunk: t, project: xavierLinear(p.Sub("project"), c.Width, d)}
	g.positions = p.New("positions", nn.Normal(1/math.Sqrt(float64(d))), c.Tokens, d)
	if t.stem != "" {
		g.stem = newNorm(p.Sub("stem"), d, t.stemEps)
	} else {
		g.gain = p.New("gain", nn.Ones, 1)
	}
	blocks := p.Sub("blocks")
	if c.Generator.File != "" {
		blocks = blocks.ToLoad()
	}
	for i := range c.Generator.Blocks {
		g.blocks = append(g.blocks, newImageBindBlock(blocks.Sub(strconv.Itoa(i)), t, d))
	}
	g.norm = newNorm(p.Sub("norm"), d, trunkEps)
	q := p.Sub("output")
	g.output = &nn.Linear{W: q.New("weight", nn.Normal(0.02), c.Width, d),
		B: q.New("bias", nn.Zeros, c.Width)}
	if c.Generator.Freeze {
		g.frozen = slices.Concat(p.Sub("stem").Tensors(), p.Sub("blocks").Tensors())
		if g.gain != nil {
			g.frozen = append(g.frozen, g.gain, g.positions)
		}
	}
	return g
}

// generatorWidth returns the width D of a modality's trunk. It panics if generator.file is set and
// generator.widths is not.
func (c *Config) generatorWidth(m zoo.Modality) int {
	switch {
	case c.Generator.File == "":
		return c.Generator.Width
	case len(c.Generator.Widths) != zoo.Modalities:
		panic("recap: New: generator.widths is empty; call Config.Resolve first")
	}
	return c.Generator.Widths[m]
}

// Forward maps x [B T d] to [B T d]; T is at most L.
func (g *imageBind) Forward(tp *ag.Tape, x *ag.Tensor) (y *ag.Tensor) {
	tp.Frozen(g.frozen, func() {
		y = g.addPositions(tp, g.project.Forward(tp, x))
		for i := range g.blocks {
			y = g.blocks[i].Forward(tp, y)
		}
		y = g.output.Forward(tp, g.norm.Forward(tp, y))
	})
	return y
}

// addPositions normalises e [B T D] to the scale that the first block expects, and adds the
// positions.
func (g *imageBind) addPositions(tp *ag.Tape, e *ag.Tensor) *ag.Tensor {
	at := tp.Slice(g.positions, 0, 0, e.Shape()[1])
	switch {
	case g.stem == nil:
		return tp.Add(tp.Mul(tp.Normalize(e, trunkEps), g.gain), at)
	case g.trunk.stemLast:
		return g.stem.Forward(tp, tp.Add(e, at))
	default:
		return tp.Add(g.stem.Forward(tp, e), at)
	}
}

// An imageBindBlock is a pre-norm Transformer layer: x ← x + MultiHead(LN₁ x), x ← x +
// W₂·GELU(W₁·LN₂ x).
type imageBindBlock struct {
	norm1, norm2 *nn.LayerNorm
	// of the attention: queries, keys and values together [3D D], and [D D]
	in, out *nn.Linear
	// [1 1 D], learned, after those of the positions; nil without add_bias_kv
	key, value *ag.Tensor
	fc1, fc2   *nn.Linear // [4D D], [D 4D]
	heads      int
	causal     bool
}

func newImageBindBlock(p *nn.Params, t *trunk, d int) imageBindBlock {
	attn, mlp := p.Sub("attn"), p.Sub("mlp")
	b := imageBindBlock{heads: t.headsAt(d), causal: t.causal,
		norm1: newNorm(p.Sub("norm_1"), d, trunkEps)}
	b.in = &nn.Linear{W: attn.New("in_proj_weight", nn.Xavier(d, 3*d), 3*d, d),
		B: attn.New("in_proj_bias", nn.Zeros, 3*d)}
	if t.bias {
		normal := nn.Normal(1 / math.Sqrt(float64(d)))
		b.key, b.value = attn.New("bias_k", normal, 1, 1, d), attn.New("bias_v", normal, 1, 1, d)
	}
	b.out = xavierLinear(attn.Sub("out_proj"), d, d)
	b.norm2 = newNorm(p.Sub("norm_2"), d, trunkEps)
	b.fc1, b.fc2 = xavierLinear(mlp.Sub("fc1"), d, 4*d), xavierLinear(mlp.Sub("fc2"), 4*d, d)
	return b
}

// Forward maps x [B T D] to [B T D].
func (b *imageBindBlock) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		y := tp.Add(x, b.attend(tp, b.norm1.Forward(tp, x)))
		hidden := b.fc1.Forward(tp, b.norm2.Forward(tp, y))
		return tp.Add(y, tp.GELULinear(hidden, b.fc2.W, b.fc2.B))
	})
}

func (b *imageBindBlock) attend(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	n, d := x.Shape()[0], x.Shape()[2]
	qkv := tp.Split(b.in.Forward(tp, x), 2, d, d, d)
	q, k, v := qkv[0], qkv[1], qkv[2]
	if b.key != nil {
		k = tp.Concat(1, k, tp.Expand(b.key, n, 1, d))
		v = tp.Concat(1, v, tp.Expand(b.value, n, 1, d))
	}
	return b.out.Forward(tp,
		tp.Attention(q, k, v, ag.AttentionConfig{Heads: b.heads, Causal: b.causal}))
}

func newNorm(p *nn.Params, width int, eps float64) *nn.LayerNorm {
	n := nn.NewLayerNorm(p, width)
	n.Eps = eps
	return n
}

func xavierLinear(p *nn.Params, in, out int) *nn.Linear {
	return &nn.Linear{W: p.New("weight", nn.Xavier(in, out), out, in),
		B: p.New("bias", nn.Zeros, out)}
}
