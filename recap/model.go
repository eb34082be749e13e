package recap

import (
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Model holds the modules of both stages of RECAP. The modules of parts that the configuration
// switches off are not created.
type Model struct {
	config Config
	dims   zoo.Dims
	all    *nn.Params
	loaded []nn.Param // of the generators, from generator.file

	embedder        *embedder    // E_m
	completer       *embedder    // E_m of stage 1, which is the same unless Release is set
	generators      []generator  // G_m
	generatorParams []*ag.Tensor // their parameters
	frozen          []*ag.Tensor // those that generator.freeze holds constant
	fusion          *fusion
	predictors      []*predictor // g_m

	adversaries    []*adversary // D_m against G_m
	reconstructors []*sequence  // E_rec
	pairs          []*pair      // (l, a), (l, v), (a, v)
}

// New creates the modules under p, for data of the given sizes. The configuration must have passed
// Check and, if generator.file is set, [Config.Resolve]: without its widths New panics. The
// modules that prediction needs are created first, so that they start from the same weights in
// every variant.
func New(p *nn.Params, c Config, d zoo.Dims) *Model {
	m := &Model{config: c, dims: d, all: p}
	text := zoo.NewTextEncoder(p.Sub("embed.text"), c.Text, d)
	m.embedder = newEmbedder(p.Sub("embed"), &c, d, text)
	m.fusion = newFusion(p.Sub("fuse"), &c, d.OutputWidth())
	for i := range zoo.Modalities {
		name := zoo.Modality(i).String()
		if !c.Without.MIR {
			m.predictors = append(m.predictors,
				newPredictor(p.Sub("predict").Sub(name), &c, d.OutputWidth()))
		}
		if !c.Without.HCAG {
			g, frozen := newGenerator(p.Sub("generate").Sub(name), &c, zoo.Modality(i))
			m.generators, m.frozen = append(m.generators, g), append(m.frozen, frozen...)
		}
	}
	m.generatorParams = p.Sub("generate").Tensors()
	if !c.Without.Stage1 {
		m.addStage1(p)
	}
	return m
}

// addStage1 creates the modules that only stage 1 needs.
func (m *Model) addStage1(p *nn.Params) {
	c := &m.config
	m.completer = m.embedder
	if c.Release {
		m.completer = newEmbedder(p.Sub("embed_stage1"), c, m.dims, m.TextEncoder())
	}
	for i := range zoo.Modalities {
		name := zoo.Modality(i).String()
		if !c.Without.HCAG {
			q := p.Sub("discriminate").Sub(name)
			d := newDiscriminator(q, c)
			a := &adversary{m.generators[i], d, q.Tensors(), c.Granularities}
			if c.Release {
				a.discriminatorParams = nil // L_gen trains them too
			}
			m.adversaries = append(m.adversaries, a)
		}
		if !c.Without.Reconstructor {
			m.reconstructors = append(m.reconstructors,
				newSequence(p.Sub("reconstruct").Sub(name), c, c.Heads, c.Tokens, c.Depth))
		}
	}
	if !c.Without.FID {
		m.pairs = newPairs(p.Sub("fid"), c)
	}
}

// Phases returns stage 1 and stage 2, or stage 2 alone without stage 1.
func (m *Model) Phases() []zoo.Phase {
	if m.config.Without.Stage1 {
		return []zoo.Phase{m.stage2()}
	}
	return []zoo.Phase{m.stage1(), m.stage2()}
}

// PredictParams returns the parameters of E_m, G_m and the fusion.
func (m *Model) PredictParams() []nn.Param { return m.params("embed", "fuse", "generate") }

// TextEncoder returns the text encoder.
func (m *Model) TextEncoder() *zoo.TextEncoder { return m.embedder.text }

// trained returns the parameters of the named groups of modules, without those of a frozen text
// encoder and those that generator.freeze holds constant.
func (m *Model) trained(groups ...string) []nn.Param {
	fixed := m.frozen
	if text := m.TextEncoder(); text.Frozen {
		fixed = slices.Concat(fixed, text.Params.Tensors())
	}
	return slices.DeleteFunc(m.params(groups...), func(p nn.Param) bool {
		return slices.Contains(fixed, p.Tensor)
	})
}

// groups returns the groups of pretrained parameters among a phase's: those of the text encoder,
// and those loaded from generator.file.
func (m *Model) groups(params []nn.Param) []zoo.Group {
	loaded := slices.DeleteFunc(slices.Clone(m.loaded), func(p nn.Param) bool {
		return !slices.Contains(params, p)
	})
	return append(m.TextEncoder().Groups(), zoo.Group{Name: "generator", Params: loaded})
}

// params returns the parameters of the named groups of modules, in the order of creation.
func (m *Model) params(groups ...string) []nn.Param {
	var ps []nn.Param
	for _, g := range groups {
		ps = append(ps, m.all.Sub(g).All()...)
	}
	return ps
}
