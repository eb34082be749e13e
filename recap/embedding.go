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
	study   Study
}

func newEmbedding(p *nn.Params, c *Config, steps, width int) *embedding {
	sd := c.positionSD()
	if !c.Literal {
		sd = c.Study.TokenSD
	}
	return &embedding{
		project: nn.NewLinear(p.Sub("project"), width, c.Width),
		tokens:  p.New("tokens", nn.Normal(sd), c.Tokens, c.Width),
		encode:  newSequence(p.Sub("encode"), c, c.Heads, c.Tokens+steps),
		study:   c.Study,
	}
}

// Forward returns h_m [B L d] for x [B T d_m] of which the first lengths[b] steps are valid.
func (e *embedding) Forward(tp *ag.Tape, x *ag.Tensor, lengths []int) *ag.Tensor {
	l, d := e.tokens.Shape()[0], e.tokens.Shape()[1]
	b, steps := x.Shape()[0], x.Shape()[1]
	h := e.project.Forward(tp, x)
	tokens := tp.Expand(e.tokens, b, l, d)
	var mask *ag.Tensor
	if e.study.Tokens == "pool" {
		if e.study.Mask {
			mask = lengthMask(tp, lengths, 0, steps)
		}
		pos := tp.Slice(e.encode.positions, 0, 0, steps)
		h = e.encode.transformer.MaskedHead(tp, tp.Add(h, pos), steps, mask)
		return tp.Add(tokens, tp.MatMul(spans(tp, lengths, l, steps), h, ag.NN))
	}
	if e.study.Tokens == "start" {
		tokens = tp.Add(tokens, tp.MatMul(spans(tp, lengths, l, steps), h, ag.NN))
	}
	if e.study.Mask {
		mask = lengthMask(tp, lengths, l, steps)
	}
	h = tp.Concat(1, tokens, h)
	return e.encode.transformer.MaskedHead(tp, tp.Add(h, tp.Slice(e.encode.positions, 0, 0, l+steps)), l, mask)
}

// lengthMask returns [B before+T]: 1 in the first before positions and the lengths[b] after them.
func lengthMask(tp *ag.Tape, lengths []int, before, steps int) *ag.Tensor {
	m := make([]float32, len(lengths)*(before+steps))
	for i, n := range lengths {
		for k := range before + n {
			m[i*(before+steps)+k] = 1
		}
	}
	return tp.Input(m, len(lengths), before+steps)
}

// spans returns [B L T], the weights of means over l equal spans of the valid steps. A step at the
// border of two spans belongs to both in part.
func spans(tp *ag.Tape, lengths []int, l, steps int) *ag.Tensor {
	w := make([]float32, len(lengths)*l*steps)
	for b, n := range lengths {
		size := float64(n) / float64(l)
		for i := range l {
			from, to := float64(i)*size, float64(i+1)*size
			for t := int(from); t < n && float64(t) < to; t++ {
				w[(b*l+i)*steps+t] = float32((min(to, float64(t+1)) - max(from, float64(t))) / size)
			}
		}
	}
	return tp.Input(w, len(lengths), l, steps)
}

// A sequence is a Transformer with learned positions: the body of E_m, G_m, D_m, E_rec and g_m.
type sequence struct {
	positions   *ag.Tensor // [T d]
	transformer *nn.Transformer
}

func newSequence(p *nn.Params, c *Config, heads, steps int) *sequence {
	return &sequence{
		positions: p.New("positions", nn.Normal(c.positionSD()), steps, c.Width),
		transformer: nn.NewTransformer(p, nn.TransformerConfig{
			Width: c.Width, Heads: heads, HeadWidth: c.HeadWidth, FeedForward: c.FeedForward,
			Depth: c.Depth, Dropout: c.Study.Dropout}),
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

func newEmbedder(p *nn.Params, c *Config, d zoo.Dims) *embedder {
	text := zoo.NewTextEncoder(p.Sub("text"), c.Text, d)
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
		e.each[zoo.Language].Forward(tp, text, in.TextLen()),
		e.each[zoo.Audio].Forward(tp, in.Audio, in.AudioLen),
		e.each[zoo.Vision].Forward(tp, in.Vision, in.VisionLen),
	}
}
