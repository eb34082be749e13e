// Package zoo holds what every model of multimodal sentiment has in common: what goes in, what
// comes out, and how its training is divided into phases. The baselines are here, one file a
// paper; RECAP itself is package recap. What each of them is, and what was decided where its
// sources differ, is told in docs/zoo.md.
//
// A model is a file and a line in Specs. It says what its loss is made of, phase by phase, and
// which parameters move; one loop, that of internal/train, trains them all.
//
//	zoo.go       Input, Output, Term, Phase, Model
//	spec.go      Spec, and the list of models
//	training.go  how a model is trained: optimizer, schedule, groups of parameters
//	text.go      the encoder of words with which every model begins
//	task.go      the error of a prediction
//	misa.go      MISA (2020)
//	self_mm.go   Self-MM (2021)
//	lnln.go      LNLN (2024)
//	sample.go    utterances of noise, to check models on
package zoo

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// Modality indexes the three modalities in the order of the paper's (l, a, v).
type Modality int

const (
	Language Modality = iota
	Audio
	Vision
	Modalities = 3
)

// String returns "l", "a" or "v".
func (m Modality) String() string { return "lav"[m : m+1] }

// Dims says what the inputs of a model look like.
type Dims struct {
	Vocab            int // token ids are below
	TextT            int
	AudioT, AudioD   int
	VisionT, VisionD int
	Classes          int        // 0: regression of the label; otherwise the number of classes
	Range            [2]float64 // of the label

	BERT *nn.BERTConfig `json:",omitempty"` // of a pretrained encoder of words; nil: the model's own sizes
}

// An Input is one version, complete or corrupted, of B utterances.
type Input struct {
	IDs, Segments []int      // [B T_l] tokens and their types
	HostMask      []float32  // [B T_l], 1 at tokens, 0 at padding
	Mask          *ag.Tensor // [B T_l], HostMask on the device
	Audio         *ag.Tensor // [B T_a d_a]
	Vision        *ag.Tensor // [B T_v d_v]
	AudioLen      []int      // [B] frames of the recording, 1 … T_a, holes among them; the rest is padding
	VisionLen     []int      // [B], 1 … T_v
	Recurs        bool       // the same tokens, holes included, come again, so that a frozen encoder should remember them
}

// Batch returns the number of utterances B.
func (in *Input) Batch() int { return in.Audio.Shape()[0] }

// TextLen returns the number of tokens of each utterance, [B], 1 … T_l.
func (in *Input) TextLen() []int {
	lengths := make([]int, in.Batch())
	steps := len(in.HostMask) / len(lengths)
	for i := range lengths {
		n := 0
		for _, v := range in.HostMask[i*steps:][:steps] {
			n += int(v)
		}
		lengths[i] = max(n, 1)
	}
	return lengths
}

// A Batch is what one training step sees.
type Batch struct {
	Complete, Corrupted *Input
	Rate                *ag.Tensor // [B 3] the share of language, audio and vision that was to be missing
	Label               *ag.Tensor // [B]; nil when classes are predicted
	Class               []int      // [B]; nil when labels are predicted
	Index               []int      // [B] of the utterances among the N that the phase sees
	Epoch               int        // of the phase, from 1
}

// An Output is a model's prediction for B utterances.
type Output struct {
	Score  *ag.Tensor // [B] predicted labels, or [B C] logits
	Weight *ag.Tensor // [B 3] weights of language, audio and vision; nil for a model that has none
}

// A Term is one part of a phase's loss, logged under its name. The loss is Σ Weight·Loss; a term
// of weight 0 is only logged.
type Term struct {
	Name   string
	Weight float64
	Loss   *ag.Tensor // scalar
}

// Total returns a phase's loss, Σ Weight·Loss; nil where no term has weight.
func Total(tp *ag.Tape, terms []Term) (loss *ag.Tensor) {
	for _, term := range terms {
		if term.Weight == 0 {
			continue
		}
		weighted := tp.Scale(term.Loss, term.Weight)
		if loss == nil {
			loss = weighted
		} else {
			loss = tp.Add(loss, weighted)
		}
	}
	return loss
}

// A Phase is one part of a model's training.
type Phase struct {
	Name   string     // "stage1"
	Params []nn.Param // that the optimizer moves; others get no update even if they have gradients
	Groups []Group    // of Params, with settings of their own
	Least  int        // a last batch of fewer samples is merged into the one before it; 0 keeps every batch
	Labels bool       // whether the phase learns from labels (then it sees only the labelled samples, and is validated)
	// Remember returns what the phase keeps of each of its utterances from epoch to epoch, and
	// changes itself in Terms; it is saved and restored with the parameters. It is called once,
	// before the first step, with the N labels of the phase's utterances. Nil keeps nothing.
	Remember func(labels []float32) []nn.Param
	// Terms computes the loss of a batch in parts, as many for every batch.
	Terms func(tp *ag.Tape, b *Batch) []Term
	// Warn compares the mean terms of the phase's first epoch with those of the last, and returns
	// what should worry the user; nil never warns.
	Warn func(first, last map[string]float64) string
	// Keep lists parameters that are put on disk when the phase ends, for pictures of what it
	// learned: what follows changes them or does not need them.
	Keep []nn.Param
}

// A Group is a set of parameters for which Training.Groups has settings of their own, if it has
// any of this name.
type Group struct {
	Name    string // "text"
	Params  []nn.Param
	NoDecay bool // whatever the settings say
}

// A Model is trained phase by phase and predicts from a corrupted input.
type Model interface {
	Phases() []Phase
	Predict(tp *ag.Tape, in *Input) Output
	// Text returns the encoder of words, whose parameters may be pretrained.
	Text() *Text
	// PredictParams returns the parameters that Predict reads: what a trained model is.
	PredictParams() []nn.Param
}
