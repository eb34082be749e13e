// Package datasets reads and makes multimodal sentiment data: utterances with a language, an audio
// and a visual sequence and a sentiment label. It knows nothing of tensors: it yields plain
// arrays.
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
	ID       []string // [N]
	RawText  []string // [N], or nil
	Language Tokens
	Audio    Frames
	Vision   Frames
	Label    []float32 // [N]; nil where a file for prediction has none
}

// Len returns the number of utterances.
func (s *Split) Len() int { return len(s.ID) }

// Tokens holds the WordPiece ids of N utterances, padded at the end to T.
type Tokens struct {
	T       int
	ID      []int     // [N T]; [CLS] … [SEP] [PAD] …
	Mask    []float32 // [N T], 1 at a token, 0 at padding
	Segment []int     // [N T], token types
}

// Frames holds a sequence of feature vectors for each of N utterances, padded with zeros at the
// end to T. They are in memory, or in a file of [Pack].
type Frames struct {
	T, D int
	X    []float32 // [N T D]; nil where they are in a file
	Len  []int     // [N], valid frames, 1 ≤ Len ≤ T

	file numbers // [N' T D]
	at   []int   // [N], each utterance's row of the file; nil for those of the file, in order
}

// numbers are an array in a file.
type numbers interface {
	// Read converts the elements from the first-th on to float32 and fills dst.
	Read(dst []float32, first int) error
}

// Row copies the frames of utterance i to dst [T D]. It panics if a file that was opened cannot be
// read any more.
func (f *Frames) Row(dst []float32, i int) {
	n := f.T * f.D
	if f.X != nil {
		copy(dst, f.X[i*n:][:n])
		return
	}
	if f.at != nil {
		i = f.at[i]
	}
	if err := f.file.Read(dst[:n], i*n); err != nil {
		panic(fmt.Sprintf("datasets: the file of a data set in use has changed: %v", err))
	}
}

// load returns all frames [N T D].
func (f *Frames) load() []float32 {
	if f.X != nil {
		return f.X
	}
	n := f.T * f.D
	x := make([]float32, len(f.Len)*n)
	for i := range f.Len {
		f.Row(x[i*n:], i)
	}
	return x
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
	LanguageSteps        int
	AudioSteps, AudioD   int
	VisionSteps, VisionD int
}

// String renders the shape as "text 50, audio 375x5, vision 500x20".
func (s Shape) String() string {
	return fmt.Sprintf("text %d, audio %dx%d, vision %dx%d", s.LanguageSteps, s.AudioSteps, s.AudioD, s.VisionSteps, s.VisionD)
}

// Shape returns the sizes of the split's sequences.
func (s *Split) Shape() Shape {
	return Shape{s.Language.T, s.Audio.T, s.Audio.D, s.Vision.T, s.Vision.D}
}

// Shape returns the sizes of the set's sequences, which its splits share.
func (s *Set) Shape() Shape { return s.Train.Shape() }

func (s *Set) splits() []*Split { return []*Split{s.Train, s.Valid, s.Test} }

// Vocab returns the smallest vocabulary that holds every token: the largest id and 1.
func (s *Set) Vocab() int {
	largest := SepID
	for _, p := range s.splits() {
		for _, id := range p.Language.ID {
			largest = max(largest, id)
		}
	}
	return largest + 1
}

// Subset returns a copy of some utterances, in the order of the index.
func (s *Split) Subset(index []int) *Split {
	return &Split{
		ID:       rows(s.ID, index, 1),
		RawText:  rows(s.RawText, index, 1),
		Language: Tokens{s.Language.T, rows(s.Language.ID, index, s.Language.T), rows(s.Language.Mask, index, s.Language.T), rows(s.Language.Segment, index, s.Language.T)},
		Audio:    s.Audio.subset(index),
		Vision:   s.Vision.subset(index),
		Label:    rows(s.Label, index, 1),
	}
}

func (f *Frames) subset(index []int) Frames {
	out := Frames{T: f.T, D: f.D, X: rows(f.X, index, f.T*f.D), Len: rows(f.Len, index, 1), file: f.file}
	if f.file != nil {
		out.at = index
		if f.at != nil {
			out.at = rows(f.at, index, 1)
		}
	}
	return out
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

// Fraction returns a random share of the utterances, 0 < f ≤ 1, at least one, in their old order;
// all of them are s itself. The same seed gives the same choice, and a smaller share is part of a
// larger one.
func (s *Split) Fraction(f float64, seed uint64) *Split {
	if !(f > 0 && f <= 1) {
		panic(fmt.Sprintf("datasets: Fraction: share %v not in (0, 1]", f))
	}
	if f == 1 {
		return s
	}
	n := max(1, int(math.Round(f*float64(s.Len()))))
	index := rand.New(rand.NewPCG(seed, 0)).Perm(s.Len())[:n]
	slices.Sort(index)
	return s.Subset(index)
}
