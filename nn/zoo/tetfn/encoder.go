package tetfn

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// An encoder maps the frames of audio or of vision to P_m.
type encoder struct {
	lstm    *nn.LSTM
	project *nn.Conv1d
}

func newEncoder(p *nn.Params, in, hidden int, c *Config) *encoder {
	return &encoder{
		lstm: nn.NewLSTM(p.Sub("lstm"), nn.LSTMConfig{In: in, Hidden: hidden, Layers: 1}),
		project: nn.NewConv1d(p.Sub("project"),
			nn.Conv1dConfig{In: hidden, Out: c.Width, Kernel: c.FrameKernel}),
	}
}

// Forward returns P_m = Conv(LSTM(x)), [B T′ d], for x [B T d_m]. The convolution has no bias. The
// LSTM reads all T steps, missing frames and padding too.
func (e *encoder) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	all := make([]int, x.Shape()[0])
	for i := range all {
		all[i] = x.Shape()[1]
	}
	y, _ := e.lstm.Forward(tp, x, all)
	return e.project.Forward(tp, y)
}

// A fusion is the eleven encoders that let the modalities attend to each other.
type fusion struct {
	textAudio, textVision *nn.CrossmodalTransformer // text attends to audio, to vision
	audioText, visionText *nn.CrossmodalTransformer // audio, vision attend to text
	audio, vision         *textEnhanced             // of audio and of vision, by the other
	memory                [zoo.Modalities]*nn.CrossmodalTransformer
}

// newFusion creates the encoders of sequences of up to the given number of steps.
func newFusion(p *nn.Params, steps int, c *Config) *fusion {
	attend := func(name string, dropout float64) *nn.CrossmodalTransformer {
		return nn.NewCrossmodalTransformer(p.Sub(name), c.transformer(c.Width, c.Layers, dropout))
	}
	positions := nn.NewSinusoidalPositions(p, steps, c.Width)
	f := &fusion{
		textAudio:  attend("text_audio", c.Dropout.Audio),
		textVision: attend("text_vision", c.Dropout.Vision),
		audioText:  attend("audio_text", c.Dropout.Attention),
		visionText: attend("vision_text", c.Dropout.Attention),
		audio:      newTextEnhanced(p.Sub("audio"), positions, c),
		vision:     newTextEnhanced(p.Sub("vision"), positions, c),
	}
	for m := range f.memory {
		f.memory[m] = nn.NewCrossmodalTransformer(p.Sub("memory").Sub(zoo.Modality(m).String()),
			c.transformer(2*c.Width, c.Layers, c.Dropout.Attention))
	}
	return f
}

// Forward returns z [B 6d] = [h_t; h_a; h_v] at their last steps, for P_m [B T′_m d]:
//
//	h_t = M_t[t←a; t←v],  h_a = M_a[a←t; TE(a←v)],  h_v = M_v[v←t; TE(v←a)]
//
// The encoders M_m are self-attention. The last steps are often padding; by the causal mask they
// are the only ones that attend to all steps.
func (f *fusion) Forward(tp *ag.Tape, p sequences) *ag.Tensor {
	t, a, v := p[zoo.Language], p[zoo.Audio], p[zoo.Vision]
	pairs := [zoo.Modalities][2]*ag.Tensor{
		zoo.Language: {f.textAudio.Forward(tp, t, a), f.textVision.Forward(tp, t, v)},
		zoo.Audio:    {f.audioText.Forward(tp, a, t), f.audio.Forward(tp, a, v, t)},
		zoo.Vision:   {f.visionText.Forward(tp, v, t), f.vision.Forward(tp, v, a, t)},
	}
	var last sequences
	for m, pair := range pairs {
		h := f.memory[m].Forward(tp, tp.Concat(2, pair[0], pair[1]), nil)
		steps := h.Shape()[1]
		last[m] = tp.Reshape(tp.Slice(h, 1, steps-1, steps), h.Shape()[0], -1)
	}
	return tp.Concat(1, last[:]...)
}

// textEnhanced is TE: a modality attends to what another one has read of the text. These encoders
// alone have position codes.
type textEnhanced struct{ lower, upper *nn.CrossmodalTransformer }

func newTextEnhanced(
	p *nn.Params, positions *nn.SinusoidalPositions, c *Config,
) *textEnhanced {
	attend := func(name string, layers int) *nn.CrossmodalTransformer {
		t := c.transformer(c.Width, layers, c.Dropout.Attention)
		t.Positions = positions
		return nn.NewCrossmodalTransformer(p.Sub(name), t)
	}
	return &textEnhanced{lower: attend("lower", 1), upper: attend("upper", c.Layers)}
}

// Forward returns TE(x←other) [B T′_x d]: other attends to the text, x to the result.
func (e *textEnhanced) Forward(tp *ag.Tape, x, other, text *ag.Tensor) *ag.Tensor {
	return e.upper.Forward(tp, x, e.lower.Forward(tp, other, text))
}
