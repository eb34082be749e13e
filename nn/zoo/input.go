package zoo

import (
	"fmt"
	"slices"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// Modality is an index into arrays that have one element for each modality, in the order l, a, v
// of the formulas.
type Modality int

// The three modalities, and their number.
const (
	Language Modality = iota
	Audio
	Vision
	Modalities = 3
)

// String returns "l", "a" or "v", as in formulas and in names of parameters.
func (m Modality) String() string { return "lav"[m : m+1] }

// Dims holds the sizes of a data set that a model depends on. It is saved as JSON in every
// checkpoint.
type Dims struct {
	Vocab            int        // number of token ids
	TextT            int        // T_l, tokens of a sample, padding included
	AudioT, AudioD   int        // T_a frames of d_a features
	VisionT, VisionD int        // T_v frames of d_v features
	Classes          int        // number of classes; 0 for regression of the label
	Range            [2]float64 // smallest and largest label

	// of a pretrained text encoder; nil: TextConfig gives the sizes
	BERT *nn.BERTConfig `json:",omitempty"`
}

// Check returns an error if no data set has these sizes.
func (d *Dims) Check() error {
	for _, x := range []struct {
		name  string
		value int
		limit int
	}{
		{"Vocab", d.Vocab, 1 << 20}, {"TextT", d.TextT, 1 << 16}, {"AudioT", d.AudioT, 1 << 20},
		{"AudioD", d.AudioD, 1 << 20}, {"VisionT", d.VisionT, 1 << 20},
		{"VisionD", d.VisionD, 1 << 20}, {"numbers of an utterance's audio", d.AudioT * d.AudioD,
			1 << 26}, {"numbers of an utterance's vision", d.VisionT * d.VisionD, 1 << 26},
	} {
		if x.value < 1 || x.value > x.limit {
			return fmt.Errorf("%s: expected 1 to %d, found %d", x.name, x.limit, x.value)
		}
	}
	if !slices.Contains([]int{0, 2, 3, 5, 7}, d.Classes) {
		return fmt.Errorf("number of classes: expected 0, 2, 3, 5 or 7, found %d", d.Classes)
	}
	if r := d.Range; !(-1e6 <= r[0] && r[0] < r[1] && r[1] <= 1e6) {
		return fmt.Errorf("range of labels: expected a smaller and a larger number, found %v", r)
	}
	return nil
}

// WarnOneFrame returns a warning that names those of audio and vision that have one frame in each
// utterance, and says what follows from it; "" if both have more.
func (d *Dims) WarnOneFrame(consequence string) string {
	var names []string
	if d.AudioT == 1 {
		names = append(names, "audio")
	}
	if d.VisionT == 1 {
		names = append(names, "vision")
	}
	if names == nil {
		return ""
	}
	return strings.Join(names, " and ") + ": one frame in each utterance, " + consequence
}

// An Input holds the features of B samples, either complete or corrupted. In the corrupted version
// missing tokens are [UNK] and missing frames are zeros.
type Input struct {
	IDs, Segments []int      // [B T_l] token ids and token types
	HostMask      []float32  // [B T_l] attention mask: 1 for tokens, 0 for padding
	Mask          *ag.Tensor // [B T_l] HostMask on the device
	Audio         *ag.Tensor // [B T_a d_a]
	Vision        *ag.Tensor // [B T_v d_v]
	// [B] frames of the recording, 1 … T_a; missing frames count, padding does not
	AudioLen  []int
	VisionLen []int // [B] frames of the recording, 1 … T_v

	// Cacheable says that the same token sequences will come again, so that a frozen text encoder
	// should cache their features.
	Cacheable bool
}

// Batch returns the number of samples, B.
func (in *Input) Batch() int { return in.Audio.Shape()[0] }

// TextLen returns the number of tokens of each sample, [B], each 1 … T_l. It is the sum of the
// attention mask; a sample without any token counts as one of length 1.
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

// A Batch holds B samples for one training step. Tensors live until the tape is reset.
type Batch struct {
	Corrupted *Input
	Complete  *Input // nil unless the phase says NeedsComplete

	// KeepMasks has a mask [B T_m] for each modality: 1 where the corrupted input has the token or
	// frame as recorded, 0 where it is missing and at padding. Nil unless the phase says
	// NeedsKeepMasks.
	KeepMasks [Modalities]*ag.Tensor

	MissingRates *ag.Tensor // [B 3] the rates with which the keep masks of l, a and v were drawn
	Label        *ag.Tensor // [B]; nil for classification
	Class        []int      // [B]; nil for regression
	Index        []int      // [B] position of each sample among the N samples of the phase
	Epoch        int        // epoch of the phase, from 1
	// number of the batch in its pass of the epoch, from 0, and their total number
	Step, Steps int
	Previous    []int // Index of the batch before it in the pass; nil for the first
}

// An Output is the prediction for B samples.
type Output struct {
	Score  *ag.Tensor // [B] predicted labels, or [B C] logits
	Weight *ag.Tensor // [B 3] attention weights of l, a and v; nil for a model that has none
}
