package recap

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// An embedding is E_m: it represents a sequence of any length by L tokens.
type embedding struct {
	project *nn.Linear
	tokens  *ag.Tensor // [L d], learned
	encode  *sequence
}

func newEmbedding(p *nn.Params, c *Config, steps, width int) *embedding {
	return &embedding{
		project: nn.NewLinear(p.Sub("project"), width, c.Width),
		tokens:  p.New("tokens", nn.Normal(c.positionSD()), c.Tokens, c.Width),
		encode:  newSequence(p.Sub("encode"), c, c.Heads, c.Tokens+steps, c.Depth),
	}
}

// Forward returns h_m [B L d] for x [B T d_m]: the tokens are prepended to the projected input,
// and the Transformer's first L positions are read. Its last layer is computed for these alone.
func (e *embedding) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	l, d := e.tokens.Shape()[0], e.tokens.Shape()[1]
	tokens := tp.Expand(e.tokens, x.Shape()[0], l, d)
	return e.encode.Head(tp, tp.Concat(1, tokens, e.project.Forward(tp, x)), l)
}

// A sequence is a Transformer with learned positions: the body of E_m, G_m, D_m, E_rec, g_m and
// of the fusion.
type sequence struct {
	positions   *ag.Tensor // [T d]
	transformer *nn.Transformer
}

func newSequence(p *nn.Params, c *Config, heads, steps, depth int) *sequence {
	return &sequence{
		positions: p.New("positions", nn.Normal(c.positionSD()), steps, c.Width),
		transformer: nn.NewTransformer(p, nn.TransformerConfig{
			Width: c.Width, Heads: heads, HeadWidth: c.HeadWidth, FeedForward: c.FeedForward,
			Depth: depth}),
	}
}

// Forward maps x [B T d] to [B T d]; T may be less than the number of positions, which start at 0.
func (s *sequence) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return s.Head(tp, x, x.Shape()[1])
}

// Head returns the first n positions of Forward.
func (s *sequence) Head(tp *ag.Tape, x *ag.Tensor, n int) *ag.Tensor {
	return s.transformer.Head(tp, tp.Add(x, tp.Slice(s.positions, 0, 0, x.Shape()[1])), n)
}

// positionSD returns the standard deviation of the initial positions and learned tokens. It is
// small, so that the input dominates the sum of input and positions.
func (c *Config) positionSD() float64 {
	if c.Literal {
		return 1
	}
	return 0.02
}

// An embedder maps the three modalities of an input to h_l, h_a, h_v, each [B L d].
type embedder struct {
	text *zoo.TextEncoder
	each [zoo.Modalities]*embedding
}

func newEmbedder(p *nn.Params, c *Config, d zoo.Dims, text *zoo.TextEncoder) *embedder {
	return &embedder{
		text: text,
		each: [zoo.Modalities]*embedding{
			newEmbedding(p.Sub("l"), c, d.TextT, text.Width),
			newEmbedding(p.Sub("a"), c, d.AudioT, d.AudioD),
			newEmbedding(p.Sub("v"), c, d.VisionT, d.VisionD),
		},
	}
}

// features holds one tensor a modality, [B L d], in the order l, a, v.
type features [zoo.Modalities]*ag.Tensor

func (e *embedder) Forward(tp *ag.Tape, in *zoo.Input) features {
	text := e.text.Forward(tp, in)
	return features{
		e.each[zoo.Language].Forward(tp, text),
		e.each[zoo.Audio].Forward(tp, in.Audio),
		e.each[zoo.Vision].Forward(tp, in.Vision),
	}
}
