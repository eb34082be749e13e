package cenet

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// scale multiplies the scores of attention. There is no 1/√W.
const scale = 8

// An enhancement computes the shift of the tokens' hidden states from audio and vision.
type enhancement struct {
	audio, vision *attention
	merge         *nn.Linear // W_c, 2·W → W
}

func newEnhancement(p *nn.Params, audio, vision, width int) *enhancement {
	return &enhancement{newAttention(p.Sub("audio"), audio, width),
		newAttention(p.Sub("vision"), vision, width),
		newLinear(p.Sub("merge"), 2*width, width)}
}

// Forward returns W_c [c_v; c_a] + b_c, [B T W], for hidden states h [B T W] and the frames of
// audio and vision.
func (e *enhancement) Forward(tp *ag.Tape, h, audio, vision *ag.Tensor) *ag.Tensor {
	c := tp.Concat(2, e.vision.Forward(tp, h, vision), e.audio.Forward(tp, h, audio))
	return e.merge.Forward(tp, c)
}

// An attention lets tokens attend to the frames of one modality, with one head. Nothing is masked:
// the padding and the missing frames of a sample, which are all zeros, have equal keys and values.
type attention struct {
	frames            *nn.MLP // from features to width W
	query, key, value *nn.Linear
}

func newAttention(p *nn.Params, features, width int) *attention {
	mlp := p.Sub("frames")
	return &attention{
		frames: &nn.MLP{Layers: []*nn.Linear{newLinear(mlp.Sub("0"), features, width),
			newLinear(mlp.Sub("2"), width, width)}},
		query: newLinear(p.Sub("query"), width, width),
		key:   newLinear(p.Sub("key"), width, width),
		value: newLinear(p.Sub("value"), width, width),
	}
}

// Forward returns c_m [B T W] for the hidden states h [B T W] of tokens and frames x [B T_m d_m],
//
//	M = W_2·ReLU(W_1 x + b_1) + b_2
//	c_m,i = Σ_j α_ij v(M_j),  α_ij = softmax_j(8·q(h_i)·k(M_j))
func (a *attention) Forward(tp *ag.Tape, h, x *ag.Tensor) *ag.Tensor {
	m := a.frames.Forward(tp, x)
	width := float64(h.Shape()[2])
	q := tp.Scale(a.query.Forward(tp, h), scale*math.Sqrt(width)) // Attention divides by √W
	return tp.Attention(q, a.key.Forward(tp, m), a.value.Forward(tp, m),
		ag.AttentionConfig{Heads: 1})
}
