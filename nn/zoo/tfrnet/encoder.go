package tfrnet

import (
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// An encoder enhances the sequence of each modality by its own and by the two others.
type encoder struct {
	// a convolution over time; nil where the features have width d already
	project [zoo.Modalities]*nn.Conv1d
	// attend[m][s]: m attends to s, to itself if s = m
	attend [zoo.Modalities][zoo.Modalities]*nn.CrossmodalTransformer
}

// newEncoder creates the encoders for sequences of the given numbers of steps and widths.
func newEncoder(p *nn.Params, c *Config, steps, widths [zoo.Modalities]int) *encoder {
	e := &encoder{}
	positions := nn.NewSinusoidalPositions(p, slices.Max(steps[:]), c.Width)
	for m, modality := range c.modalities() {
		q := p.Sub(zoo.Modality(m).String())
		if widths[m] != c.Width {
			e.project[m] = nn.NewConv1d(q.Sub("project"), nn.Conv1dConfig{In: widths[m],
				Out: c.Width, Kernel: modality.Kernel, Padding: (modality.Kernel - 1) / 2})
		}
		for s, source := range c.modalities() {
			t := c.transformer(c.Width, c.Heads)
			t.Positions = positions
			if s != m {
				t.Layers, t.AttentionDropout = c.CrossLayers, source.Attention
			}
			e.attend[m][s] = nn.NewCrossmodalTransformer(
				q.Sub("attend").Sub(zoo.Modality(s).String()), t)
		}
	}
	return e
}

// transformer returns what the encoders of self-attention and of the reconstruction have in common.
// All of them have the attention dropout of language.
func (c *Config) transformer(width, heads int) nn.CrossmodalConfig {
	return nn.CrossmodalConfig{Width: width, Heads: heads, Layers: c.Layers,
		AttentionDropout: c.Language.Attention, ReLUDropout: c.Dropout.ReLU,
		ResidualDropout: c.Dropout.Residual, EmbedDropout: c.Dropout.Embed}
}

// Forward returns h_m [B T_m 3d] for features x_m [B T_m d_m]. With P_m = Conv(x_m) [B T_m d],
//
//	h_l = [I_l(P_l); P_l ← P_a; P_l ← P_v],  and h_a with l, v, h_v with l, a
//
// Where a window of the convolution, which has no bias, reads zeros only, P_m is 0 and gets no
// position code. Missing frames and padding are not masked.
func (e *encoder) Forward(tp *ag.Tape, x sequences) (h sequences) {
	p := x
	for m, conv := range e.project {
		if conv != nil {
			p[m] = conv.Forward(tp, x[m])
		}
	}
	for m := range p {
		parts := []*ag.Tensor{e.attend[m][m].Forward(tp, p[m], nil)}
		for s := range p {
			if s != m {
				parts = append(parts, e.attend[m][s].Forward(tp, p[m], p[s]))
			}
		}
		h[m] = tp.Concat(2, parts...)
	}
	return h
}
