// Package bimamba implements an adaptation of BI-Mamba (Yang, Zhang, Wang, Kalra, Yan:
// Cardiovascular Disease Detection from Multi-View Chest X-rays with BI-Mamba; MICCAI 2024) to
// text, audio and vision.
//
// The paper's model puts the patches of two X-ray images in one sequence, with a class token
// between the images, and classifies by what bidirectional Mamba blocks make of the class token.
// Here the modalities take the place of the images. Each is represented by n tokens, or is there as
// a whole.
//
//	vision ──────────► embed ─► v_1 … v_T′ ─┐
//	                        t_1 … t_⌊T′/2⌋ ─┤
//	                           class token ─┼─► + positions ─► blocks ─► its row ─► ŷ
//	text ──► BERT ──► embed ─► … … … t_T′ ──┤
//	audio ───────────► embed ─► a_1 … a_T′ ─┘
//
//	config.go  settings and presets
//	model.go   the model and its loss
//
// In shapes, B is the number of samples, T_m that of a modality's steps, T′_m that of its steps in
// the sequence, which is n or T_m, d the width. The paper's code is a variant of Vision Mamba
// (Vim), from which the blocks, their initial values and the rule of weight decay come.
package bimamba

import (
	"slices"
	"strconv"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/almt"
)

// model is BI-Mamba.
type model struct {
	config *Config
	dims   zoo.Dims
	all    *nn.Params

	text      *zoo.TextEncoder
	embed     [zoo.Modalities]embedder
	class     *ag.Tensor // [1 d]
	positions *ag.Tensor // [M+1 d], M = ΣT′_m
	at        int        // row of the class token
	blocks    []*block
	norm      *nn.RMSNorm
	score     *nn.Linear
}

// An embedder maps features [B T_m d_m] of a modality to [B T′_m d].
type embedder interface {
	Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{config: c, dims: d, all: p, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d)}
	steps := [zoo.Modalities]int{d.TextT, d.AudioT, d.VisionT}
	for i, width := range [zoo.Modalities]int{m.text.Width, d.AudioD, d.VisionD} {
		q := p.Sub("embed").Sub(zoo.Modality(i).String())
		if c.Tokens == 0 {
			m.embed[i] = newLinear(q, nn.FanIn(width), width, c.Width)
			continue
		}
		m.embed[i] = almt.NewEmbedding(q, c.embedding(), c.Tokens, steps[i], width)
		steps[i] = c.Tokens
	}
	m.at = steps[zoo.Vision] + steps[zoo.Language]/2
	m.class = p.New("class_token", nn.Normal(0.02), 1, c.Width)
	m.positions = p.New("positions", nn.Normal(0.02), 1+steps[0]+steps[1]+steps[2], c.Width)
	for i := range c.Blocks {
		m.blocks = append(m.blocks, newBlock(p.Sub("blocks").Sub(strconv.Itoa(i)), c))
	}
	m.norm = nn.NewRMSNorm(p.Sub("norm"), c.Width)
	m.score = newLinear(p.Sub("score"), nn.Normal(0.02), c.Width, d.OutputWidth())
	return m
}

// newLinear creates a layer with bias 0, as all linear layers of Vim.
func newLinear(p *nn.Params, weight nn.Init, in, out int) *nn.Linear {
	return &nn.Linear{W: p.New("weight", weight, out, in), B: p.New("bias", nn.Zeros, out)}
}

// A block is a pre-norm residual block, x + BiMamba(RMSNorm(x)).
type block struct {
	norm  *nn.RMSNorm
	mixer *nn.Mamba
}

func newBlock(p *nn.Params, c *Config) *block {
	return &block{nn.NewRMSNorm(p.Sub("norm"), c.Width), nn.NewMamba(p.Sub("mixer"), c.mixer())}
}

// Forward maps x [B T d] to [B T d].
func (b *block) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		return tp.Add(x, b.mixer.Forward(tp, b.norm.Forward(tp, x)))
	})
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns all parameters.
func (m *model) PredictParams() []nn.Param { return m.all.All() }

// Phases returns the only phase.
func (m *model) Phases() []zoo.Phase {
	return []zoo.Phase{{
		Name: "train", Supervised: true,
		Passes: []zoo.Pass{{Params: m.text.Trainable(m.all), Groups: m.groups(), Terms: m.terms}},
	}}
}

// groups returns the parameter groups: that of a pretrained text encoder and, by Vim's rule, one
// without weight decay.
func (m *model) groups() []zoo.Group {
	if !m.config.VimDecay {
		return m.text.Groups()
	}
	groups := m.text.DecayGroups()
	undecayed := slices.DeleteFunc(m.text.Trainable(m.all), func(x nn.Param) bool {
		return vimDecays(x.Name) || slices.ContainsFunc(groups, func(g zoo.Group) bool {
			return slices.Contains(g.Params, x)
		})
	})
	return append(groups, zoo.Group{Name: "undecayed", NoDecay: true, Params: undecayed})
}

// vimDecays says whether Vim's rule applies weight decay to a parameter: not to vectors, which are
// biases, scales of norms and D of the mixers, and not to the class token and its sequence's
// positions. It applies to A_log and to the positions and tokens of the embeddings.
func vimDecays(name string) bool {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "bias", "D", "D_b":
		return false
	case "weight":
		return !strings.Contains(strings.ToLower(name), "norm")
	}
	return name != "class_token" && name != "positions"
}

// Predict returns ŷ.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	return m.dims.Output(tp, m.forward(tp, in))
}

// forward returns the scores W·RMSNorm(x) + b, [B 1] or [B C], for the row x [B d] of the class
// token after the last block.
func (m *model) forward(tp *ag.Tape, in *zoo.Input) *ag.Tensor {
	x := m.sequence(tp, in)
	for _, b := range m.blocks {
		x = b.Forward(tp, x)
	}
	x = tp.Reshape(tp.Slice(x, 1, m.at, m.at+1), -1, m.config.Width)
	return m.score.Forward(tp, m.norm.Forward(tp, x))
}

// sequence returns the blocks' input [B M+1 d]: vision, text and audio, with the class token in the
// middle of the text, plus positions. Nothing is masked: padding is a part of the sequence.
func (m *model) sequence(tp *ag.Tape, in *zoo.Input) *ag.Tensor {
	x := tp.Concat(1, m.embed[zoo.Vision].Forward(tp, in.Vision),
		m.embed[zoo.Language].Forward(tp, m.text.Forward(tp, in)),
		m.embed[zoo.Audio].Forward(tp, in.Audio))
	n, steps := x.Shape()[0], x.Shape()[1]
	class := tp.Expand(m.class, n, 1, m.config.Width)
	x = tp.Concat(1, tp.Slice(x, 1, 0, m.at), class, tp.Slice(x, 1, m.at, steps))
	return tp.Add(x, m.positions)
}

// terms returns the only term of the loss, mean (ŷ − y)², or the cross-entropy of classes.
func (m *model) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	return []zoo.Term{{Name: "task", Weight: 1,
		Loss: tp.Mean(zoo.TaskErrors(tp, m.forward(tp, b.Corrupted), b, &m.dims))}}, nil
}
