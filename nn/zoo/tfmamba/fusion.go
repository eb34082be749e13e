package tfmamba

import (
	"strconv"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// fusion relates the three sequences, [B T d] each.
type fusion struct {
	context []*contextLayer
	attend  *nn.MultiHead
	norm    *nn.LayerNorm // of the attention
	query   []*nn.MambaBlock
}

func newFusion(p *nn.Params, c *Config) *fusion {
	f := &fusion{}
	for i := range c.ContextLayers {
		q := p.Sub("context").Sub(strconv.Itoa(i))
		f.context = append(f.context, &contextLayer{newPair(q.Sub("audio"), c),
			newPair(q.Sub("vision"), c)})
	}
	f.attend = nn.NewMultiHead(p.Sub("attention"), nn.MultiHeadConfig{Width: c.Width,
		Heads: c.Heads, HeadWidth: c.HeadWidth})
	f.norm = newNorm(p.Sub("norm"), c.Width)
	for i := range c.QueryLayers {
		f.query = append(f.query, nn.NewMambaBlock(p.Sub("query").Sub(strconv.Itoa(i)), c.mamba()))
	}
	return f
}

// Forward returns z [B T d]:
//
//	t, a, v ← context layers,  z = t + LN(attention of t to [a; v]),  z ← z + LN(BiMamba(z))
//
// [a; v] are the 2T rows of both. Neither the attention nor a Mamba layer has position codes.
func (f *fusion) Forward(tp *ag.Tape, text, audio, vision *ag.Tensor) *ag.Tensor {
	for _, l := range f.context {
		text, audio, vision = l.Forward(tp, text, audio, vision)
	}
	both := tp.Concat(1, audio, vision)
	z := tp.Add(text, f.norm.Forward(tp, f.attend.Forward(tp, text, both, both, nil)))
	for _, l := range f.query {
		z = l.Forward(tp, z)
	}
	return z
}

// A contextLayer is a layer of TC-Mamba. It relates audio and vision to the same text, and returns
// the mean of the two texts.
type contextLayer struct{ audio, vision *pair }

// Forward maps the three sequences [B T d] to the next ones.
func (l *contextLayer) Forward(tp *ag.Tape, text, audio, vision *ag.Tensor) (t, a, v *ag.Tensor) {
	a, ta := l.audio.Forward(tp, audio, text)
	v, tv := l.vision.Forward(tp, vision, text)
	return tp.Scale(tp.Add(ta, tv), 0.5), a, v
}

// A pair relates a modality x to the text t: x + LN₁(x′), t + LN₂(t′) with (x′, t′) = PairMamba(x,
// t).
type pair struct {
	mamba          *nn.PairMamba
	norm, textNorm *nn.LayerNorm
}

func newPair(p *nn.Params, c *Config) *pair {
	return &pair{nn.NewPairMamba(p.Sub("mamba"), c.mamba()), newNorm(p.Sub("norm"), c.Width),
		newNorm(p.Sub("text_norm"), c.Width)}
}

// Forward maps x and t [B T d] to the next ones.
func (l *pair) Forward(tp *ag.Tape, x, t *ag.Tensor) (nextX, nextT *ag.Tensor) {
	dx, dt := l.mamba.Forward(tp, x, t)
	return tp.Add(x, l.norm.Forward(tp, dx)), tp.Add(t, l.textNorm.Forward(tp, dt))
}
