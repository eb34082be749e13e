package zoo

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// MISA: Modality-Invariant and -Specific Representations (Hazarika, Zimmermann, Poria; ACM
// Multimedia 2020). Each modality m is summarised in one vector u_m, projected to p_m, and seen in
// two ways: s_m, private to the modality, and c_m, by an encoder that all share.
//
//	words  ─► BERT ─► mean ─────────────► u_l ─┐       ┌─► private_m ─► s_m ─┐
//	vision ─► BiLSTM ─► norm ─► BiLSTM ─► u_v ─┼─► p_m ┤                     ├─► six tokens ─► Transformer ─► head ─► ŷ
//	audio  ─► BiLSTM ─► norm ─► BiLSTM ─► u_a ─┘       └─► shared ────► c_m ─┘
//
// Three terms beside the task's give the views their meaning: the c_m of the modalities are to be
// distributed alike (L_sim), views that should tell different things to be orthogonal (L_diff),
// and s_m + c_m to tell all of p_m (L_recon). What is attributed to nothing else is as in the
// authors' code and in MMSA's port of it, whose numbers are those of the "paper" preset.
//
// The code makes modules that no loss reaches, and they are left out: BERT's pooler, a classifier
// of views (d → 4) and a norm of width 1536, for d = 128 together 3588 numbers besides the
// pooler's. So is the adversarial form of L_sim, which is off in every configuration.

// MISAConfig fixes everything about MISA that the data do not. YAML names are the keys of `recap
// train --set`.
type MISAConfig struct {
	Text               TextConfig `yaml:"text"`
	Width              int        `yaml:"width"`               // d, of every view
	Heads              int        `yaml:"heads"`               // of the Transformer that fuses
	FeedForward        int        `yaml:"feed_forward"`        // its hidden width
	TransformerDropout float64    `yaml:"transformer_dropout"` // its dropout, everywhere in it
	Dropout            float64    `yaml:"dropout"`             // of the head
	Lengths            string     `yaml:"lengths"`             // frames read of audio and vision: "text", as many as tokens (MMSA); "own", the recording's
	Loss               MISALoss   `yaml:"loss"`
}

// MISALoss holds the weights of the loss; the task's is 1.
type MISALoss struct {
	Diff  float64 `yaml:"diff"`
	Sim   float64 `yaml:"sim"`
	Recon float64 `yaml:"recon"`
}

// Words returns the configuration of the encoder of words.
func (c *MISAConfig) Words() *TextConfig { return &c.Text }

// Check returns an error that names the first field whose value cannot be used.
func (c *MISAConfig) Check() error {
	switch {
	case c.Width < 1:
		return fmt.Errorf("misa: width is %d, want at least 1", c.Width)
	case c.Heads < 1 || c.Width%c.Heads != 0:
		return fmt.Errorf("misa: heads is %d, want a divisor of width %d", c.Heads, c.Width)
	case c.FeedForward < 1:
		return fmt.Errorf("misa: feed_forward is %d, want at least 1", c.FeedForward)
	case !(c.TransformerDropout >= 0 && c.TransformerDropout < 1):
		return fmt.Errorf("misa: transformer_dropout is %g, want 0 ≤ transformer_dropout < 1", c.TransformerDropout)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("misa: dropout is %g, want 0 ≤ dropout < 1", c.Dropout)
	case c.Lengths != "text" && c.Lengths != "own":
		return fmt.Errorf("misa: lengths is %q, want text or own", c.Lengths)
	}
	if err := c.Text.Check(); err != nil {
		return fmt.Errorf("misa: %w", err)
	}
	return nil
}

// misaPreset has the numbers of MMSA. Its trainer passes no weight decay to the optimizer,
// whatever is configured, and has no last epoch: 200 is ours.
func misaPreset(preset, dataset string) (Config, Training) {
	c := &MISAConfig{Text: PaperText(), Width: 128, Heads: 2, FeedForward: 2048, TransformerDropout: 0.1, Dropout: 0.2, Lengths: "text",
		Loss: MISALoss{Diff: 0.1, Sim: 0.3, Recon: 1}}
	t := Training{Batch: 16, Accumulate: 2, Optimizer: "adam", Schedule: "constant", LR: 1e-4, Groups: map[string]GroupTraining{"text": {LR: 1e-4}},
		ClipValue: 0.8, Patience: 8, Epochs: map[string]int{"train": 200}}
	switch {
	case preset == "quick":
		c.Text, c.Width, c.FeedForward, c.Lengths = QuickText(), 64, 256, "own"
		t.Batch, t.LR, t.Groups["text"], t.Patience, t.Epochs["train"] = 32, 1e-3, GroupTraining{LR: 5e-5}, 0, 30
	case dataset == "mosei":
		c.Dropout, c.Loss, t.Batch = 0.5, MISALoss{Diff: 0.3, Sim: 0.8, Recon: 1}, 64
	case dataset == "sims":
		c.Dropout, c.Loss, t.Batch, t.ClipValue = 0, MISALoss{Diff: 0.3, Sim: 1, Recon: 0.8}, 64, 1
	}
	return c, t
}

// misaOrder is the order of the modalities in all stacks of this file.
var misaOrder = [Modalities]Modality{Language, Vision, Audio}

// misa is the model.
type misa struct {
	config *MISAConfig
	dims   Dims

	text          *Text
	vision, audio *misaEncoder
	project       [Modalities]misaProjection // in misaOrder, as private and reconstruct
	private       [Modalities]*nn.Linear
	shared        *nn.Linear
	mix           *nn.PostNormLayer
	hidden, score *nn.Linear // of the head
	reconstruct   [Modalities]*nn.Linear

	trained, predict []nn.Param
}

func newMISA(p *nn.Params, config Config, d Dims) Model {
	c := config.(*MISAConfig)
	m := &misa{config: c, dims: d, text: NewText(p.Sub("text"), c.Text, d)}
	m.vision, m.audio = newMISAEncoder(p.Sub("encode.v"), d.VisionD), newMISAEncoder(p.Sub("encode.a"), d.AudioD)
	for i, in := range []int{m.text.Width, 4 * d.VisionD, 4 * d.AudioD} {
		name := misaOrder[i].String()
		m.project[i] = newMISAProjection(p.Sub("project").Sub(name), in, c.Width)
		m.private[i] = nn.NewLinear(p.Sub("private").Sub(name), c.Width, c.Width)
	}
	m.shared = nn.NewLinear(p.Sub("shared"), c.Width, c.Width)
	m.mix = nn.NewPostNormLayer(p.Sub("mix"),
		nn.PostNormConfig{Width: c.Width, Heads: c.Heads, FeedForward: c.FeedForward, Dropout: c.TransformerDropout})
	m.hidden = nn.NewLinear(p.Sub("head.hidden"), 2*Modalities*c.Width, Modalities*c.Width)
	m.score = nn.NewLinear(p.Sub("head.score"), Modalities*c.Width, d.Width())
	m.predict = p.All()
	for i, modality := range misaOrder {
		m.reconstruct[i] = nn.NewLinear(p.Sub("reconstruct").Sub(modality.String()), c.Width, c.Width)
	}
	m.trained = m.text.trainable(p)
	return m
}

// Text returns the encoder of words.
func (m *misa) Text() *Text { return m.text }

// PredictParams returns all parameters but those of the reconstruction.
func (m *misa) PredictParams() []nn.Param { return m.predict }

// Phases returns the only one. A batch of one utterance would tell nothing about distributions:
// its central moments are 0, and so is what is centred over it.
func (m *misa) Phases() []Phase {
	return []Phase{{Name: "train", Params: m.trained, Groups: m.text.Groups(), Least: 2, Labels: true, Terms: m.terms}}
}

// Predict returns ŷ for an input with holes.
func (m *misa) Predict(tp *ag.Tape, in *Input) Output {
	return m.dims.Output(tp, m.fuse(tp, m.views(tp, in)))
}

// terms returns the parts of the loss,
//
//	L = L_task + w_diff·L_diff + w_sim·L_sim + w_recon·L_recon
func (m *misa) terms(tp *ag.Tape, b *Batch) []Term {
	v, w := m.views(tp, b.Corrupted), m.config.Loss
	return []Term{
		{Name: "task", Weight: 1, Loss: tp.Mean(TaskErrors(tp, m.fuse(tp, v), b, &m.dims))},
		{Name: "diff", Weight: w.Diff, Loss: misaDifference(tp, v.all)},
		{Name: "sim", Weight: w.Sim, Loss: misaSimilarity(tp, v.shared)},
		{Name: "recon", Weight: w.Recon, Loss: m.reconstruction(tp, v)},
	}
}

var misaTerms = []TermTitle{
	{Name: "task", Title: "L_task"}, {Name: "diff", Title: "L_diff, orthogonality"}, {Name: "sim", Title: "L_sim, moments"}, {Name: "recon", Title: "L_recon"},
}

// misaEncoder summarises a sequence of frames in one vector, by two bidirectional LSTMs with a
// norm between them: the paper's sLSTM.
type misaEncoder struct {
	first, second *nn.LSTM
	norm          *nn.LayerNorm
}

func newMISAEncoder(p *nn.Params, width int) *misaEncoder {
	return &misaEncoder{
		first:  nn.NewLSTM(p.Sub("first"), nn.LSTMConfig{In: width, Hidden: width, Layers: 1, Bidirectional: true}),
		norm:   nn.NewLayerNorm(p.Sub("norm"), 2*width),
		second: nn.NewLSTM(p.Sub("second"), nn.LSTMConfig{In: 2 * width, Hidden: width, Layers: 1, Bidirectional: true}),
	}
}

// Forward returns u_m [B 4d_m] for x [B T d_m], of whose sample b the first lengths[b] frames
// count. h are final states, forward and backward:
//
//	u_m = [h1→; h2→; h1←; h2←]
func (e *misaEncoder) Forward(tp *ag.Tape, x *ag.Tensor, lengths []int) *ag.Tensor {
	y, h1 := e.first.Forward(tp, x, lengths)
	_, h2 := e.second.Forward(tp, e.norm.Forward(tp, y), lengths)
	return tp.Concat(1, h1[0], h2[0], h1[1], h2[1])
}

// frames returns the frames of a modality that are read, x [B T d_m], and how many of each sample:
// as many as the recording has, or as many as the sentence has tokens. The latter suits frames
// that are aligned to words, as the authors' are. MMSA keeps it with frames that are not: of those
// only the first 50 are ever seen, 39 of SIMS. No step is computed that no sentence is long enough
// for.
func (m *misa) frames(tp *ag.Tape, in *Input, x *ag.Tensor, own []int) (*ag.Tensor, []int) {
	if m.config.Lengths == "own" {
		return x, own
	}
	steps := min(x.Shape()[1], in.Mask.Shape()[1])
	lengths := in.TextLen()
	for i, n := range lengths {
		lengths[i] = min(n, steps)
	}
	return tp.Slice(x, 1, 0, steps), lengths
}

// tokenMean returns u_l [B W], the mean of the tokens' features [B T W], [CLS] and [SEP] among
// them.
func tokenMean(tp *ag.Tape, in *Input, words *ag.Tensor) *ag.Tensor {
	b := in.Batch()
	counts := make([]float32, b)
	for i, n := range in.TextLen() {
		counts[i] = float32(n)
	}
	sum := tp.MatMul(tp.Reshape(in.Mask, b, 1, -1), words, ag.NN) // [B 1 W]
	return tp.Div(tp.Reshape(sum, b, -1), tp.Input(counts, b, 1))
}

// misaProjection is p_m = LN(ReLU(W_m u_m + b_m)).
type misaProjection struct {
	linear *nn.Linear
	norm   *nn.LayerNorm
}

func newMISAProjection(p *nn.Params, in, out int) misaProjection {
	return misaProjection{nn.NewLinear(p.Sub("linear"), in, out), nn.NewLayerNorm(p.Sub("norm"), out)}
}

func (p misaProjection) Forward(tp *ag.Tape, u *ag.Tensor) *ag.Tensor {
	return p.norm.Forward(tp, tp.ReLU(p.linear.Forward(tp, u)))
}

// misaViews is what the model makes of B utterances.
type misaViews struct {
	projected *ag.Tensor // p, [3 B d]
	private   *ag.Tensor // s = σ(P_m p_m + b), [3 B d]
	shared    *ag.Tensor // c = σ(C p_m + b), [3 B d]
	all       *ag.Tensor // s, then c, [6 B d]
}

func (m *misa) views(tp *ag.Tape, in *Input) misaViews {
	vision, visionLen := m.frames(tp, in, in.Vision, in.VisionLen)
	audio, audioLen := m.frames(tp, in, in.Audio, in.AudioLen)
	u := [Modalities]*ag.Tensor{
		tokenMean(tp, in, m.text.Forward(tp, in)), m.vision.Forward(tp, vision, visionLen), m.audio.Forward(tp, audio, audioLen)}
	var p, s [Modalities]*ag.Tensor
	for i := range u {
		p[i] = m.project[i].Forward(tp, u[i])
		s[i] = m.private[i].Forward(tp, p[i])
	}
	v := misaViews{projected: tp.Stack(0, p[:]...), private: tp.Sigmoid(tp.Stack(0, s[:]...))}
	v.shared = tp.Sigmoid(m.shared.Forward(tp, v.projected))
	v.all = tp.Concat(0, v.private, v.shared)
	return v
}

// fuse returns the prediction, [B 1] or [B C]: the six views are tokens of a sequence, which one
// layer of a Transformer lets look at each other, and
//
//	ŷ = W_2·ReLU(Dropout(W_1 g + b_1)) + b_2,  g [B 6d] its results side by side
func (m *misa) fuse(tp *ag.Tape, v misaViews) *ag.Tensor {
	z := m.mix.Forward(tp, tp.Permute(v.all, 1, 0, 2)) // [B 6 d]
	g := tp.Reshape(z, z.Shape()[0], -1)
	return m.score.Forward(tp, tp.ReLU(tp.Dropout(m.hidden.Forward(tp, g), m.config.Dropout)))
}

// misaMoments is K, the highest moment that L_sim compares.
const misaMoments = 5

// misaSimilarity returns L_sim for the shared views c [3 B d]: the mean over the three pairs of
// modalities of their central moment discrepancy (Zellinger et al. 2017), whose factors 1/|b−a|^k
// are 1, since σ is between 0 and 1,
//
//	CMD(X, Y) = ‖X̄ − Ȳ‖ + Σ_{k=2…K} ‖mean (X − X̄)^k − mean (Y − Ȳ)^k‖
//
// with means over the batch. The slope of a root is infinite where moments agree; the 1e-12
// against it is ours.
func misaSimilarity(tp *ag.Tape, c *ag.Tensor) *ag.Tensor {
	mean := tp.Mean(c, 1) // [3 d]
	centred := tp.Sub(c, tp.Reshape(mean, Modalities, 1, -1))
	moments, power := []*ag.Tensor{mean}, centred
	for range misaMoments - 1 {
		power = tp.Mul(power, centred)
		moments = append(moments, tp.Mean(power, 1))
	}
	each := tp.Stack(1, moments...)                      // [3 K d]
	gap := tp.Sub(each, tp.Gather(each, []int{1, 2, 0})) // of the pairs l v, v a, a l
	square := tp.Sum(tp.Mul(gap, gap), 2)                // [3 K]
	return tp.Scale(tp.Sum(tp.Sqrt(tp.AddScalar(square, 1e-12))), 1./Modalities)
}

// misaApart pairs the six views that should tell different things: each modality's private view
// and its shared one, and the private views of every two modalities. Numbers are places in
// misaViews.all.
var misaApart = [2][]int{{0, 1, 2, 2, 2, 0}, {3, 4, 5, 0, 1, 1}}

// misaDifference returns L_diff for the views [6 B d], the sum of D over the pairs of misaApart.
// For two views X and Y [B d], centred over the batch and each row divided by its norm, which is a
// constant,
//
//	D(X, Y) = mean over d² elements of (XᵀY)²
//
// The paper has the squared Frobenius norm, which is the sum; its authors' code, for which the
// weights are, takes the mean.
func misaDifference(tp *ag.Tape, views *ag.Tensor) *ag.Tensor {
	n := len(misaApart[0])
	centred := tp.Sub(views, tp.Reshape(tp.Mean(views, 1), 2*Modalities, 1, -1))
	still := tp.StopGradient(centred)
	norm := tp.AddScalar(tp.Sqrt(tp.Sum(tp.Mul(still, still), 2)), 1e-6) // [6 B]
	unit := tp.Div(centred, tp.Reshape(norm, 2*Modalities, -1, 1))
	product := tp.MatMul(tp.Gather(unit, misaApart[0]), tp.Gather(unit, misaApart[1]), ag.TN) // [6 d d]
	return tp.Scale(tp.Mean(tp.Mul(product, product)), float64(n))
}

// reconstruction returns L_recon, the mean squared error over modalities, samples and features of
//
//	r_m = R_m (s_m + c_m) + b
//
// against p_m. That is no constant, so it may move to be easier to tell.
func (m *misa) reconstruction(tp *ag.Tape, v misaViews) *ag.Tensor {
	sum := tp.Add(v.private, v.shared)
	var r [Modalities]*ag.Tensor
	for i := range r {
		r[i] = m.reconstruct[i].Forward(tp, tp.Slice(sum, 0, i, i+1))
	}
	return tp.MSE(tp.Concat(0, r[:]...), v.projected)
}
