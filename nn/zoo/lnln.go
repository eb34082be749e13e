package zoo

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// LNLN: Language-dominated Noise-resistant Learning Network (Zhang, Wang, Yu: Towards Robust
// Multimodal Sentiment Analysis with Incomplete Data; NeurIPS 2024). Language leads, as in ALMT
// (Zhang et al., EMNLP 2023), whose blocks these are. Before it leads it is mended: w tells how
// complete the words are, and what they lack comes from a proxy P that is generated from audio and
// vision.
//
//	words  ─► U_l ─┬─► completeness w ─┐
//	               └───────────────────┼─► D = (1−w)·P + w·U_l ─► L_0, L_1, L_2 ─┬─► fusion ─► ŷ
//	audio  ─► U_a ─┬─► G ─► P ─────────┘                              │          │
//	vision ─► U_v ─┤                                                  ▼          │
//	               └───────────────────────────────────────────► hyper-modality ─┘
//
// In training the complete input passes through the same embeddings too, and gives C_l, C_a, C_v:
// for a discriminator that tells D from C_l, and for a reconstruction. Sizes are B utterances, n
// tokens, width d. What is attributed to nothing else is as in the authors' code.
//
// Their code has 128 numbers more for each of 20 blocks of attention (22 for MOSEI and SIMS): the
// shift of LN_k, without effect (nn.Transformer).

// LNLNConfig fixes everything about LNLN that the data do not. YAML names are the keys of `recap
// train --set`.
type LNLNConfig struct {
	Width          int `yaml:"width"`            // d, of every representation
	Tokens         int `yaml:"tokens"`           // n, learned tokens that summarise a modality
	Heads          int `yaml:"heads"`            // of every attention
	HeadWidth      int `yaml:"head_width"`       // of one head of the Transformers
	HyperHeadWidth int `yaml:"hyper_head_width"` // of one head of the hyper-modality's layers
	FeedForward    int `yaml:"feed_forward"`     // hidden width of the Transformers' feed-forward part
	Depth          int `yaml:"depth"`            // layers of embeddings, completeness, generator and reconstructors
	HyperDepth     int `yaml:"hyper_depth"`      // layers of the hyper-modality; the dominant language has one less
	FusionDepth    int `yaml:"fusion_depth"`     // layers of the cross attention

	Text TextConfig `yaml:"text"`
	Loss LNLNLoss   `yaml:"loss"`
}

// LNLNLoss holds the weights α, β, γ and σ of the loss.
type LNLNLoss struct {
	Completeness   float64 `yaml:"cc"`  // α
	Adversarial    float64 `yaml:"adv"` // β
	Reconstruction float64 `yaml:"rec"` // γ
	Sentiment      float64 `yaml:"sp"`  // σ
}

// Words returns the part that describes the encoder of words.
func (c *LNLNConfig) Words() *TextConfig { return &c.Text }

// Check returns an error that names the first field whose value cannot be used.
func (c *LNLNConfig) Check() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"width", c.Width}, {"tokens", c.Tokens}, {"heads", c.Heads}, {"head_width", c.HeadWidth}, {"hyper_head_width", c.HyperHeadWidth},
		{"feed_forward", c.FeedForward}, {"depth", c.Depth}, {"hyper_depth", c.HyperDepth}, {"fusion_depth", c.FusionDepth},
	} {
		if f.value < 1 {
			return fmt.Errorf("lnln: %s is %d, want at least 1", f.name, f.value)
		}
	}
	if c.Width%2 != 0 {
		return fmt.Errorf("lnln: width is %d, want an even number: hidden layers have half of it", c.Width)
	}
	if err := c.Text.Check(); err != nil {
		return fmt.Errorf("lnln: %w", err)
	}
	return nil
}

// lnlnPreset returns the numbers of the paper's code, or small ones.
func lnlnPreset(preset, dataset string) (Config, Training) {
	c := &LNLNConfig{Width: 128, Tokens: 8, Heads: 8, HeadWidth: 64, HyperHeadWidth: 16, FeedForward: 128, Depth: 2, HyperDepth: 3, FusionDepth: 2,
		Text: PaperText(), Loss: LNLNLoss{Completeness: 0.9, Adversarial: 0.8, Reconstruction: 0.1, Sentiment: 1}}
	t := Training{Batch: 64, Accumulate: 1, Optimizer: "adamw", Schedule: "cosine", LR: 1e-4, WeightDecay: 1e-4,
		Groups: map[string]GroupTraining{"text": {LR: 1e-4, WeightDecay: 1e-4}}, Epochs: map[string]int{"train": 200}}
	switch {
	case preset == "quick":
		c.Width, c.Heads, c.HeadWidth, c.FeedForward, c.Text = 64, 4, 16, 64, QuickText()
		t.LR, t.Groups["text"], t.Epochs["train"] = 1e-3, GroupTraining{LR: 5e-5, WeightDecay: 1e-4}, 30
	case dataset == "mosei":
		c.FusionDepth = 4
	case dataset == "sims":
		c.FusionDepth, c.Loss.Adversarial = 4, 0.6
	}
	return c, t
}

// lnln is the model.
type lnln struct {
	config *LNLNConfig
	dims   Dims

	text         *Text
	embed        [Modalities]*lnlnEmbedding
	completeness *lnlnCompleteness
	proxy        *lnlnProxy
	language     *lnlnEncoder // of D
	hyper        *lnlnHyper
	fusion       *lnlnFusion
	score        *nn.Linear // d → 1, or d → C

	discriminator  *lnlnTwoLayer
	reconstructors [Modalities]*lnlnEncoder

	trained, predict []nn.Param
}

// newLNLN makes the model under p. What prediction needs comes first.
func newLNLN(p *nn.Params, config Config, d Dims) Model {
	c := config.(*LNLNConfig)
	m := &lnln{config: c, dims: d, text: NewText(p.Sub("text"), c.Text, d)}
	for i, from := range [Modalities]struct{ steps, width int }{{d.TextT, m.text.Width}, {d.AudioT, d.AudioD}, {d.VisionT, d.VisionD}} {
		m.embed[i] = newLNLNEmbedding(p.Sub("embed").Sub(Modality(i).String()), c, from.steps, from.width)
	}
	m.completeness = newLNLNCompleteness(p.Sub("completeness"), c)
	m.proxy = newLNLNProxy(p.Sub("proxy"), c)
	m.language = newLNLNEncoder(p.Sub("language"), c, 0, c.Tokens, c.HyperDepth-1)
	m.hyper = newLNLNHyper(p.Sub("hyper"), c)
	m.fusion = newLNLNFusion(p.Sub("fusion"), c)
	m.score = nn.NewLinear(p.Sub("score"), c.Width, d.Width())
	m.predict = p.All()

	m.discriminator = newLNLNTwoLayer(p.Sub("discriminator"), c.Width, 2)
	for i := range m.reconstructors {
		m.reconstructors[i] = newLNLNEncoder(p.Sub("reconstruct").Sub(Modality(i).String()), c, 0, c.Tokens, c.Depth)
	}
	m.trained = m.text.trainable(p)
	return m
}

// Text returns the encoder of words.
func (m *lnln) Text() *Text { return m.text }

// PredictParams returns all parameters but those of the discriminator and the reconstructors.
func (m *lnln) PredictParams() []nn.Param { return m.predict }

// Phases returns the only one.
func (m *lnln) Phases() []Phase {
	return []Phase{{Name: "train", Params: m.trained, Groups: m.text.Groups(), Labels: true, Terms: m.terms}}
}

// Predict returns ŷ for an input with holes.
func (m *lnln) Predict(tp *ag.Tape, in *Input) Output {
	u := m.features(tp, in)
	dominant, _ := m.dominant(tp, u)
	return m.dims.Output(tp, m.sentiment(tp, dominant, u))
}

// terms returns the parts of L = α·L_cc + β·L_adv + γ·L_rec + σ·L_sp. The rate r_l is that at
// which words were to be missing, not the share that is. The targets C_m are no constants:
// embeddings and the encoder of words learn from both of their passes.
//
//	L_cc  = MSE(w, 1 − r_l)
//	L_rec = MSE([R_l R_a R_v], [C_l C_a C_v]),  R_m = Encoder_m(U_m)
//	L_sp  = MSE(ŷ, y), or the cross-entropy of classes
func (m *lnln) terms(tp *ag.Tape, b *Batch) []Term {
	u, clean := m.features(tp, b.Corrupted), m.features(tp, b.Complete)
	dominant, w := m.dominant(tp, u)
	rate := tp.Slice(b.Rate, 1, 0, 1) // r_l, [B 1]
	var made [Modalities]*ag.Tensor
	for i, r := range m.reconstructors {
		made[i] = r.Forward(tp, u[i])
	}
	rec := tp.MSE(tp.Concat(1, made[:]...), tp.Concat(1, clean[:]...))
	score := m.sentiment(tp, dominant, u)
	weight := m.config.Loss
	return []Term{
		{Name: "cc", Weight: weight.Completeness, Loss: tp.MSE(w, tp.AddScalar(tp.Neg(rate), 1))},
		{Name: "adv", Weight: weight.Adversarial, Loss: m.adversarial(tp, dominant, clean[Language])},
		{Name: "rec", Weight: weight.Reconstruction, Loss: rec},
		{Name: "sp", Weight: weight.Sentiment, Loss: tp.Mean(TaskErrors(tp, score, b, &m.dims))},
		{Name: "completeness", Loss: tp.Mean(w)},
	}
}

// lnlnTerms says how the terms are shown.
var lnlnTerms = []TermTitle{
	{Name: "sp", Title: "L_sp, sentiment"}, {Name: "cc", Title: "L_cc, completeness"}, {Name: "adv", Title: "L_adv", Unit: "nats"},
	{Name: "rec", Title: "L_rec"}, {Name: "completeness", Title: "mean w"},
}

// features returns U_m [B n d] of each modality.
func (m *lnln) features(tp *ag.Tape, in *Input) (u [Modalities]*ag.Tensor) {
	for i, x := range [Modalities]*ag.Tensor{m.text.Forward(tp, in), in.Audio, in.Vision} {
		u[i] = m.embed[i].Forward(tp, x)
	}
	return u
}

// dominant returns D [B n d], the words' features as far as they are complete and the proxy for
// the rest, and their completeness w [B 1]:
//
//	D = (1−w)·P + w·U_l,  P = G(U_a, U_v)
//
// The gradient is reversed where P leaves the generator, so that the generator, and through it
// audio and vision, go uphill in every loss that sees D: L_adv and L_sp. The paper speaks of
// reversal on the way to the discriminator only. w and U_l get the gradient as it is.
func (m *lnln) dominant(tp *ag.Tape, u [Modalities]*ag.Tensor) (dominant, w *ag.Tensor) {
	w = m.completeness.Forward(tp, u[Language])
	p := tp.ReverseGrad(m.proxy.Forward(tp, u[Audio], u[Vision]), 1)
	at := tp.Reshape(w, -1, 1, 1)
	return tp.Add(tp.Mul(tp.AddScalar(tp.Neg(at), 1), p), tp.Mul(at, u[Language])), w
}

// sentiment returns the scores, [B 1] or [B C]. L_0, L_1, … are the states of the dominant
// language; each leads a layer of the hyper-modality, and the last is fused with it to T. The
// scores are a linear map of T's mean without its first row, the class token's. That row, which
// ALMT reads, reaches nothing here.
func (m *lnln) sentiment(tp *ag.Tape, dominant *ag.Tensor, u [Modalities]*ag.Tensor) *ag.Tensor {
	l := m.language.Stream(tp, dominant)
	h := m.hyper.Forward(tp, l, u[Audio], u[Vision])
	t := m.fusion.Forward(tp, l[len(l)-1], h) // [B 1+n d]
	return m.score.Forward(tp, tp.Mean(tp.Slice(t, 1, 1, t.Shape()[1]), 1))
}

// adversarial returns L_adv, the mean cross-entropy of the discriminator over 2·B·n tokens: those
// of D are of class 1, those of C_l of class 0.
func (m *lnln) adversarial(tp *ag.Tape, dominant, clean *ag.Tensor) *ag.Tensor {
	logits := m.discriminator.Forward(tp, tp.Concat(0, dominant, clean))
	class := make([]int, logits.Len()/2)
	for i := range len(class) / 2 {
		class[i] = 1
	}
	return tp.CrossEntropy(tp.Reshape(logits, -1, 2), class)
}

// An lnlnEncoder is a Transformer over t learned tokens and a sequence after them, with learned
// positions. Tokens start at 0, positions at N(0, 1).
type lnlnEncoder struct {
	tokens      *ag.Tensor // [t d]; nil for none
	positions   *ag.Tensor // [t+T d]
	transformer *nn.Transformer
}

func newLNLNEncoder(p *nn.Params, c *LNLNConfig, tokens, steps, depth int) *lnlnEncoder {
	e := &lnlnEncoder{positions: p.New("positions", nn.Normal(1), tokens+steps, c.Width), transformer: newLNLNTransformer(p, c, depth)}
	if tokens > 0 {
		e.tokens = p.New("tokens", nn.Zeros, tokens, c.Width)
	}
	return e
}

func newLNLNTransformer(p *nn.Params, c *LNLNConfig, depth int) *nn.Transformer {
	return nn.NewTransformer(p, nn.TransformerConfig{Width: c.Width, Heads: c.Heads, HeadWidth: c.HeadWidth, FeedForward: c.FeedForward, Depth: depth})
}

// Forward maps x [B T d] to what becomes of the tokens, [B t d]; where there are none, of x, [B T
// d].
func (e *lnlnEncoder) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	n := x.Shape()[1]
	if e.tokens != nil {
		n = e.tokens.Shape()[0]
		x = before(tp, e.tokens, x)
	}
	return e.transformer.Head(tp, tp.Add(x, e.positions), n)
}

// Stream returns x [B T d] with positions, and what each layer makes of it. There are no tokens.
func (e *lnlnEncoder) Stream(tp *ag.Tape, x *ag.Tensor) []*ag.Tensor {
	return e.transformer.Stream(tp, tp.Add(x, e.positions))
}

// before puts the same rows [t d] before each sequence of x [B T d].
func before(tp *ag.Tape, rows, x *ag.Tensor) *ag.Tensor {
	return tp.Concat(1, tp.Expand(rows, x.Shape()[0], rows.Shape()[0], rows.Shape()[1]), x)
}

// An lnlnEmbedding summarises a modality in n tokens.
type lnlnEmbedding struct {
	project *nn.Linear
	encode  *lnlnEncoder
}

func newLNLNEmbedding(p *nn.Params, c *LNLNConfig, steps, width int) *lnlnEmbedding {
	return &lnlnEmbedding{nn.NewLinear(p.Sub("project"), width, c.Width), newLNLNEncoder(p.Sub("encode"), c, c.Tokens, steps, c.Depth)}
}

// Forward returns U_m [B n d] for features [B T d_m], padding included.
func (e *lnlnEmbedding) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return e.encode.Forward(tp, e.project.Forward(tp, x))
}

// An lnlnTwoLayer is Linear d → d/2, LeakyReLU of slope 0.1, Linear.
type lnlnTwoLayer struct{ hidden, out *nn.Linear }

func newLNLNTwoLayer(p *nn.Params, width, out int) *lnlnTwoLayer {
	return &lnlnTwoLayer{nn.NewLinear(p.Sub("hidden"), width, width/2), nn.NewLinear(p.Sub("out"), width/2, out)}
}

// Forward maps x [… d] to [… out].
func (l *lnlnTwoLayer) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return l.out.Forward(tp, tp.LeakyReLU(l.hidden.Forward(tp, x), 0.1))
}

// An lnlnCompleteness judges how much of the words is there.
type lnlnCompleteness struct {
	encode *lnlnEncoder // with one token
	score  *lnlnTwoLayer
}

func newLNLNCompleteness(p *nn.Params, c *LNLNConfig) *lnlnCompleteness {
	return &lnlnCompleteness{newLNLNEncoder(p.Sub("encode"), c, 1, c.Tokens, c.Depth), newLNLNTwoLayer(p.Sub("score"), c.Width, 1)}
}

// Forward returns w [B 1] in (0, 1) for U_l [B n d].
func (e *lnlnCompleteness) Forward(tp *ag.Tape, words *ag.Tensor) *ag.Tensor {
	return tp.Reshape(tp.Sigmoid(e.score.Forward(tp, e.encode.Forward(tp, words))), -1, 1)
}

// An lnlnProxy is G, which generates what stands in for words.
type lnlnProxy struct {
	start    *ag.Tensor // p, [n d], at first ones
	generate *lnlnEncoder
}

func newLNLNProxy(p *nn.Params, c *LNLNConfig) *lnlnProxy {
	return &lnlnProxy{p.New("start", nn.Ones, c.Tokens, c.Width), newLNLNEncoder(p.Sub("generate"), c, c.Tokens, 3*c.Tokens, c.Depth)}
}

// Forward returns P [B n d] for U_a and U_v. It is what becomes of the encoder's own tokens before
// [p U_a U_v], not of p.
func (g *lnlnProxy) Forward(tp *ag.Tape, audio, vision *ag.Tensor) *ag.Tensor {
	return g.generate.Forward(tp, before(tp, g.start, tp.Concat(1, audio, vision)))
}

// An lnlnHyper gathers in the hyper-modality h what language asks of audio and vision (ALMT). Ones
// have no spread: the first norm's scale gets a gradient when h⁰ has moved.
type lnlnHyper struct {
	start  *ag.Tensor // h⁰, [n d], at first ones
	layers []*lnlnHyperLayer
}

func newLNLNHyper(p *nn.Params, c *LNLNConfig) *lnlnHyper {
	h := &lnlnHyper{start: p.New("start", nn.Ones, c.Tokens, c.Width)}
	for i := range c.HyperDepth {
		h.layers = append(h.layers, newLNLNHyperLayer(p.Sub("layers").Sub(fmt.Sprint(i)), c))
	}
	return h
}

// Forward returns the last h [B n d]; layer j is led by L_j. Audio and vision are the same for all
// layers.
func (h *lnlnHyper) Forward(tp *ag.Tape, language []*ag.Tensor, audio, vision *ag.Tensor) *ag.Tensor {
	x := h.start // broadcast over B
	for j, l := range h.layers {
		x = l.Forward(tp, x, language[j], audio, vision)
	}
	return x
}

// An lnlnHyperLayer has two attentions with one query.
type lnlnHyperLayer struct {
	normL, normA, normV, normH        *nn.LayerNorm
	query, keyA, valueA, keyV, valueV *ag.Tensor // [H·w d], without bias
	output                            *nn.Linear // H·w → d
	heads                             int
}

func newLNLNHyperLayer(p *nn.Params, c *LNLNConfig) *lnlnHyperLayer {
	norm := func(name string) *nn.LayerNorm { return nn.NewLayerNorm(p.Sub(name), c.Width) }
	inner := c.Heads * c.HyperHeadWidth
	project := func(name string) *ag.Tensor { return p.Sub(name).New("weight", nn.FanIn(c.Width), inner, c.Width) }
	return &lnlnHyperLayer{
		normL: norm("norm_l"), normA: norm("norm_a"), normV: norm("norm_v"), normH: norm("norm_h"), query: project("query"),
		keyA: project("key_a"), valueA: project("value_a"), keyV: project("key_v"), valueV: project("value_v"),
		output: nn.NewLinear(p.Sub("output"), inner, c.Width), heads: c.Heads,
	}
}

// Forward returns the next h, with A of H heads, each norm, key and value map its own:
//
//	h ← LN(h) + W_o·(A(L_j, U_a) + A(L_j, U_v)) + b_o,  A(x, y) = softmax(W_q·LN(x) (W_k·LN(y))ᵀ/√w) W_v·LN(y)
//
// The paper of ALMT adds to h itself, not to its norm. No norm's shift is without effect: those of
// audio and vision reach the values too.
func (l *lnlnHyperLayer) Forward(tp *ag.Tape, h, language, audio, vision *ag.Tensor) *ag.Tensor {
	q := tp.Linear(l.normL.Forward(tp, language), l.query, nil)
	attend := func(x, key, value *ag.Tensor) *ag.Tensor {
		return tp.Attention(q, tp.Linear(x, key, nil), tp.Linear(x, value, nil), ag.AttentionConfig{Heads: l.heads})
	}
	a := attend(l.normA.Forward(tp, audio), l.keyA, l.valueA)
	v := attend(l.normV.Forward(tp, vision), l.keyV, l.valueV)
	return tp.Add(l.normH.Forward(tp, h), l.output.Forward(tp, tp.Add(a, v)))
}

// An lnlnFusion is cross attention from language to the hyper-modality.
type lnlnFusion struct {
	class          *ag.Tensor // [1 d], before both sequences; at first 0
	target, source *ag.Tensor // positions, [1+n d]
	transformer    *nn.Transformer
}

func newLNLNFusion(p *nn.Params, c *LNLNConfig) *lnlnFusion {
	positions := func(name string) *ag.Tensor { return p.New(name, nn.Normal(1), 1+c.Tokens, c.Width) }
	return &lnlnFusion{p.New("class", nn.Zeros, 1, c.Width), positions("target"), positions("source"), newLNLNTransformer(p, c, c.FusionDepth)}
}

// Forward returns T [B 1+n d], first the class token, for the last L and h [B n d].
func (f *lnlnFusion) Forward(tp *ag.Tape, language, hyper *ag.Tensor) *ag.Tensor {
	target := tp.Add(before(tp, f.class, language), f.target)
	source := tp.Add(before(tp, f.class, hyper), f.source)
	return f.transformer.Cross(tp, target, source)
}
