// Package mmim implements MMIM: MultiModal InfoMax (Han, Chen, Poria: Improving Multimodal Fusion
// with Hierarchical Mutual Information Maximization for Multimodal Sentiment Analysis; EMNLP 2021).
//
// Each modality m is encoded as one vector x_m, and the label is predicted from F, the fusion of
// the three. Two kinds of loss terms keep information in these vectors: they maximise lower bounds
// of the mutual information I of text with audio and with vision, and of each x_m with F.
//
//	text   ─► BERT ─► [CLS] ────► x_l ─┬─► q(x_a|x_l), q(x_v|x_l)   bounds of I(x_l; x_m)
//	audio  ─► BiLSTM ─► Linear ─► x_a ─┤
//	vision ─► BiLSTM ─► Linear ─► x_v ─┴─► fusion ─► F ─► ŷ
//	                               ▲                 │
//	                               └─── contrast ────┘   bounds of I(x_m; F)
//
// An epoch goes through the samples twice. The first pass fits the predictors q of audio and vision
// from text. The second, in which they are fixed, trains everything else.
//
//	config.go       settings and presets
//	model.go        the model and its losses
//	information.go  the bounds of mutual information
//
// In shapes, B is the number of samples of a batch, d_m the width of x_m. Formulas without a source
// are those of the authors' code and of its port in MMSA, which the "paper" preset follows.
package mmim

import (
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// model is MMIM.
type model struct {
	config        *Config
	text          *zoo.TextEncoder
	audio, vision *encoder
	first, second *nn.Linear // of the fusion
	score         *nn.Linear

	predictors [2]*predictor              // of audio, of vision
	contrast   [zoo.Modalities]*nn.Linear // G_m, from F to x_m
	labels     *ag.Tensor                 // [N], of all samples

	trained, predict, predictorParams []nn.Param
}

func newModel(p *nn.Params, config zoo.Config, d zoo.Dims) zoo.Model {
	c := config.(*Config)
	m := &model{config: c, text: zoo.NewTextEncoder(p.Sub("text"), c.Text, d),
		audio:  newEncoder(p.Sub("audio"), d.AudioD, c.AudioWidth, c.AudioOut),
		vision: newEncoder(p.Sub("vision"), d.VisionD, c.VisionWidth, c.VisionOut),
	}
	widths := [zoo.Modalities]int{m.text.Width, c.AudioOut, c.VisionOut}
	m.first = nn.NewLinear(p.Sub("fusion.first"), widths[0]+widths[1]+widths[2], c.Fusion)
	m.second = nn.NewLinear(p.Sub("fusion.second"), c.Fusion, c.Fusion)
	m.score = nn.NewLinear(p.Sub("fusion.score"), c.Fusion, 1)
	m.predict = p.All()
	for i, width := range widths {
		name := zoo.Modality(i).String()
		m.contrast[i] = nn.NewLinear(p.Sub("contrast").Sub(name), c.Fusion, width)
		if i > 0 {
			m.predictors[i-1] = newPredictor(p.Sub("predictors").Sub(name), widths[0], width)
		}
	}
	for _, part := range []string{"audio", "vision", "fusion", "contrast", "predictors"} {
		p.Sub(part).InitMatrices(nn.XavierNormal)
	}
	m.trained, m.predictorParams = m.text.Trainable(p), p.Sub("predictors").All()
	return m
}

// TextEncoder returns the text encoder.
func (m *model) TextEncoder() *zoo.TextEncoder { return m.text }

// PredictParams returns the parameters of the encoders and the fusion.
func (m *model) PredictParams() []nn.Param { return m.predict }

// Phases returns the only phase, of two passes in each epoch. Their optimisers update different
// parameters, but both clip the norm of the gradients of all parameters, as the authors' code.
// One sample in a batch would have no contrast.
func (m *model) Phases() []zoo.Phase {
	var others []nn.Param
	for _, x := range m.trained {
		if !slices.Contains(m.predictorParams, x) {
			others = append(others, x)
		}
	}
	return []zoo.Phase{{
		Name: "train", Supervised: true, MinBatch: 2, NewMemory: m.newMemory,
		Passes: []zoo.Pass{
			{Name: "predictors", Params: m.predictorParams, ClipParams: m.trained,
				Groups: []zoo.Group{{Name: "predictors", Params: m.predictorParams}},
				Terms:  m.predictorTerms},
			{Name: "task", Params: others, ClipParams: m.trained, Groups: m.text.Groups(),
				Terms: m.taskTerms},
		},
	}}
}

// encode returns x_l [B W], BERT's last hidden state at [CLS], x_a [B d_a] and x_v [B d_v].
func (m *model) encode(tp *ag.Tape, in *zoo.Input) [zoo.Modalities]*ag.Tensor {
	tokens := m.text.Forward(tp, in)
	return [zoo.Modalities]*ag.Tensor{
		tp.Reshape(tp.Slice(tokens, 1, 0, 1), in.Batch(), m.text.Width),
		m.audio.Forward(tp, in.Audio, in.AudioLen),
		m.vision.Forward(tp, in.Vision, in.VisionLen),
	}
}

// fuse returns the fusion and the scores [B],
//
//	F = tanh(W_2·tanh(W_1·Dropout([x_l; x_a; x_v]) + b_1) + b_2),  [B d_F]
//	ŷ = W_3 F + b_3
func (m *model) fuse(tp *ag.Tape, x [zoo.Modalities]*ag.Tensor) (f, score *ag.Tensor) {
	f = tp.Dropout(tp.Concat(1, x[:]...), m.config.Dropout)
	f = tp.Tanh(m.second.Forward(tp, tp.Tanh(m.first.Forward(tp, f))))
	return f, tp.Reshape(m.score.Forward(tp, f), -1)
}

// Predict returns ŷ.
func (m *model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	_, score := m.fuse(tp, m.encode(tp, in))
	return zoo.Output{Score: score}
}

// predictorTerms returns the loss of the first pass,
//
//	L_1 = −(lld_a + lld_v)
//
// Batches after the part predictor_share are not used.
func (m *model) predictorTerms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	weight := -1.0
	if float64(b.Step) >= m.config.PredictorShare*float64(b.Steps) {
		weight = 0
	}
	x := m.encode(tp, b.Corrupted)
	var terms []zoo.Term
	for i, q := range m.predictors {
		terms = append(terms, zoo.Term{Name: "fit_" + zoo.Modality(i+1).String(), Weight: weight,
			Loss: q.logLikelihood(tp, x[0], x[i+1])})
	}
	return terms, nil
}

// taskTerms returns the parts of the loss of the second pass,
//
//	L_2 = mean |ŷ − y| + α·Σ_m nce_m − β·Σ_m (lld_m + H_m)
//
// where the sum over nce has m = l, a, v, and that over the bounds of mutual information m = a, v.
func (m *model) taskTerms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	alpha, beta := m.config.Loss.Contrast, m.config.Loss.Information
	x := m.encode(tp, b.Corrupted)
	f, score := m.fuse(tp, x)
	terms := []zoo.Term{{Name: "task", Weight: 1, Loss: tp.L1(score, b.Label)}}
	for i, g := range m.contrast {
		terms = append(terms, zoo.Term{Name: "nce_" + zoo.Modality(i).String(), Weight: alpha,
			Loss: contrast(tp, x[i], g.Forward(tp, f))})
	}
	var updates []zoo.MemoryUpdate
	for i, q := range m.predictors {
		name, z := zoo.Modality(i+1).String(), q.sample(tp, x[i+1])
		terms = append(terms,
			zoo.Term{Name: "lld_" + name, Weight: -beta,
				Loss: q.logLikelihood(tp, x[0], x[i+1])},
			zoo.Term{Name: "entropy_" + name, Weight: -beta, Loss: m.entropy(tp, q, z, b)})
		updates = append(updates, zoo.MemoryUpdate{Memory: q.memory, Index: b.Index, Rows: z})
	}
	return terms, updates
}

// An encoder maps a sequence of frames to a vector, by the final states of a bidirectional LSTM.
type encoder struct {
	lstm    *nn.LSTM
	project *nn.Linear
}

func newEncoder(p *nn.Params, in, width, out int) *encoder {
	return &encoder{
		lstm: nn.NewLSTM(p.Sub("lstm"),
			nn.LSTMConfig{In: in, Hidden: width, Layers: 1, Bidirectional: true}),
		project: nn.NewLinear(p.Sub("project"), 2*width, out),
	}
}

// Forward returns x_m = W·[h→; h←] + b, [B d_m], for frames [B T n]; h→ is the state after the last
// frame of each recording, h← that after its first.
func (e *encoder) Forward(tp *ag.Tape, frames *ag.Tensor, lengths []int) *ag.Tensor {
	_, final := e.lstm.Forward(tp, frames, lengths)
	return e.project.Forward(tp, tp.Concat(1, final...))
}
