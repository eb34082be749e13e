package zoo

import (
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// A Model is trained phase by phase and predicts from a corrupted input.
type Model interface {
	// Phases returns the phases of the training, in order.
	Phases() []Phase
	// Predict returns the prediction for an input. On an inference tape it is without dropout.
	Predict(tp *ag.Tape, in *Input) Output
	// TextEncoder returns the module that encodes the tokens. Its parameters may be loaded from a
	// pretrained BERT.
	TextEncoder() *TextEncoder
	// PredictParams returns the parameters and buffers that Predict reads. A checkpoint contains
	// these.
	PredictParams() []nn.Param
}

// A Phase is a part of the training: a number of epochs, each of which makes the same passes over
// the training samples. A two-stage method has two phases, one after the other; a method that
// alternates between two losses has one phase of two passes.
type Phase struct {
	Name   string // key of the number of epochs in Training.Epochs
	Passes []Pass // of each epoch, in order; most phases have one

	// the phase needs labels: it uses labelled samples only, and is validated after each epoch
	Supervised     bool
	NeedsComplete  bool // Terms reads Batch.Complete
	NeedsKeepMasks bool // Terms reads Batch.KeepMasks
	// a last batch of fewer samples is merged into the one before it; 0 merges none
	MinBatch int

	// NewMemory allocates what the phase stores for each of its samples from epoch to epoch, for
	// example pseudo labels. It is called once, before the first step, with the labels of the
	// phase's N samples. The tensors are saved and restored with the parameters; only the
	// [MemoryUpdate] values that Terms returns change them. Nil: the phase stores nothing.
	NewMemory func(labels []float32) []nn.Param

	// Warn compares the mean terms of the phase's first epoch with those of the last, and returns
	// a warning for the user, or "". Nil never warns.
	Warn func(first, last map[string]float64) string

	// Snapshot lists parameters that are saved when the phase ends, because later phases change
	// them or do not need them.
	Snapshot []nn.Param
}

// A Pass goes once through the training samples, newly shuffled, and minimises one loss. Each
// pass of a phase has an optimiser of its own, with moments and step counts of its own. Its
// learning rate and weight decay are those of Training or, for parameters in a group,
// Training.Groups. A pass that uses only a part of its batches returns terms of weight 0 for the
// others, by [Batch].Step; then no step is made.
type Pass struct {
	Name string // unique in the phase; "" for the only pass
	// the parameters that the optimiser updates; others do not change even if they have gradients
	Params []nn.Param
	Groups []Group // of Params, with optimiser settings of their own
	// ClipParams are the parameters over whose gradients Training.Clip takes the norm, if they are
	// others than Params: PyTorch's clip_grad_norm_(model.parameters()) also counts gradients of
	// parameters that the optimiser does not update.
	ClipParams []nn.Param

	// Terms computes the loss of a batch in parts. It returns terms of the same names and number
	// for every batch, and no two passes of a phase share a name. Terms has no side effects: it
	// returns the changes of the phase's memory as updates, which the caller applies with [Apply]
	// before it computes gradients. A second call with the same arguments, on a tape with the same
	// seed, returns the same values.
	Terms func(tp *ag.Tape, b *Batch) ([]Term, []MemoryUpdate)
}

// A Group is a set of parameters with a learning rate and weight decay of their own,
// Training.Groups[Name]. Without an entry of this name it has those of the other parameters.
type Group struct {
	Name    string // "text"
	Params  []nn.Param
	NoDecay bool // weight decay 0 in any case
}

// A Term is one part of a loss, logged under its name. The loss is Σ Weight·Loss; a term of
// weight 0 is only logged.
type Term struct {
	Name   string
	Weight float64
	Loss   *ag.Tensor // scalar
}

// A MemoryUpdate says that row Index[i] of Memory becomes row i of Rows. Indices are distinct.
type MemoryUpdate struct {
	Memory *ag.Tensor // [N …], a tensor that NewMemory returned, or a buffer (nn.Params.NewBuffer)
	Index  []int      // [B]
	Rows   *ag.Tensor // [B …], on the tape
}

// Params returns the parameters that the phase updates in any of its passes, each once.
func (ph *Phase) Params() []nn.Param {
	if len(ph.Passes) == 1 {
		return ph.Passes[0].Params
	}
	var all []nn.Param
	for _, pass := range ph.Passes {
		for _, p := range pass.Params {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// PassName returns a name of pass k that no pass of another phase has: "train" for the only pass
// of the phase train, otherwise "train/NAME".
func (ph *Phase) PassName(k int) string {
	if name := ph.Passes[k].Name; name != "" {
		return ph.Name + "/" + name
	}
	return ph.Name
}

// Total returns the loss Σ Weight·Loss, a scalar; nil if every term has weight 0.
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

// Apply writes the updates into the memory. Call it before [ag.Tape.Backward], which recycles the
// tensors of the tape.
func Apply(tp *ag.Tape, updates []MemoryUpdate) {
	for _, u := range updates {
		tp.SetRows(u.Memory, u.Index, u.Rows)
	}
}
