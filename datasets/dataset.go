// Package datasets reads and makes multimodal sentiment data: utterances with a language, an audio and
// a visual sequence and a sentiment label. It knows nothing of tensors: it yields plain arrays.
package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// A Set is a data set in three parts.
type Set struct {
	Name               string // "mosi", "mosei", "sims", "synthetic" or the file's name
	Train, Valid, Test *Split
	Range              [2]float64 // of the labels: [-3, 3] or [-1, 1]
}

// A Split is one part of a data set: N utterances, each modality padded to a common length.
type Split struct {
	ID      []string // [N]
	RawText []string // [N], or nil
	Text    Tokens
	Audio   Frames
	Vision  Frames
	Label   []float32 // [N]; nil where a file for prediction has none
}

// Len returns the number of utterances.
func (s *Split) Len() int { return len(s.ID) }

// Tokens holds the WordPiece ids of N utterances, padded at the end to T.
type Tokens struct {
	T       int
	ID      []int32   // [N T]; [CLS] … [SEP] [PAD] …
	Mask    []float32 // [N T], 1 at a token, 0 at padding
	Segment []int32   // [N T], token types
}

// Frames holds a sequence of feature vectors for each of N utterances, padded with zeros at the end to T.
type Frames struct {
	T, D int
	X    []float32 // [N T D]
	Len  []int     // [N], valid frames, 1 ≤ Len ≤ T
}

// Special token ids, common to bert-base-uncased and bert-base-chinese.
const (
	PadID = 0
	UnkID = 100
	ClsID = 101
	SepID = 102
)

// length returns the number of tokens of utterance i: the mask up to its first 0.
func (t *Tokens) length(i int) int {
	row := t.Mask[i*t.T:][:t.T]
	if n := slices.Index(row, 0); n >= 0 {
		return n
	}
	return t.T
}

// A Shape holds the sizes that all splits of a set and a model's input share.
type Shape struct {
	TextSteps            int
	AudioSteps, AudioD   int
	VisionSteps, VisionD int
}

// String renders the shape as "text 50, audio 375x5, vision 500x20".
func (s Shape) String() string {
	return fmt.Sprintf("text %d, audio %dx%d, vision %dx%d", s.TextSteps, s.AudioSteps, s.AudioD, s.VisionSteps, s.VisionD)
}

// Shape returns the sizes of the split's sequences.
func (s *Split) Shape() Shape { return Shape{s.Text.T, s.Audio.T, s.Audio.D, s.Vision.T, s.Vision.D} }

// Shape returns the sizes of the set's sequences, which its splits share.
func (s *Set) Shape() Shape { return s.Train.Shape() }

// Vocab returns the smallest vocabulary that holds every token: the largest id and 1.
func (s *Set) Vocab() int {
	largest := int32(SepID)
	for _, p := range []*Split{s.Train, s.Valid, s.Test} {
		for _, id := range p.Text.ID {
			largest = max(largest, id)
		}
	}
	return int(largest) + 1
}

// Subset returns a copy of some utterances, in the order of the index.
func (s *Split) Subset(index []int) *Split {
	return &Split{
		ID:      rows(s.ID, index, 1),
		RawText: rows(s.RawText, index, 1),
		Text:    Tokens{s.Text.T, rows(s.Text.ID, index, s.Text.T), rows(s.Text.Mask, index, s.Text.T), rows(s.Text.Segment, index, s.Text.T)},
		Audio:   s.Audio.subset(index),
		Vision:  s.Vision.subset(index),
		Label:   rows(s.Label, index, 1),
	}
}

func (f *Frames) subset(index []int) Frames {
	return Frames{f.T, f.D, rows(f.X, index, f.T*f.D), rows(f.Len, index, 1)}
}

// rows copies rows of a width; nil stays nil.
func rows[E any](x []E, index []int, width int) []E {
	if x == nil {
		return nil
	}
	out := make([]E, 0, len(index)*width)
	for _, i := range index {
		out = append(out, x[i*width:][:width]...)
	}
	return out
}

// Fraction returns a random share of the utterances, 0 < f ≤ 1, at least one, in their old order. The same seed
// gives the same choice, and a smaller share is part of a larger one.
func (s *Split) Fraction(f float64, seed uint64) *Split {
	if !(f > 0 && f <= 1) {
		panic(fmt.Sprintf("datasets: Fraction: share %v not in (0, 1]", f))
	}
	n := max(1, int(math.Round(f*float64(s.Len()))))
	index := rand.New(rand.NewPCG(seed, 0)).Perm(s.Len())[:n]
	slices.Sort(index)
	return s.Subset(index)
}
