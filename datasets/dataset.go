// Package datasets reads and generates multimodal sentiment data: utterances with a language, an
// audio and a vision sequence and a sentiment label. It does not depend on tensors or devices:
// what it returns are Go slices in row-major order.
//
// [Open] reads a data set from a file, [Synthetic] generates one, [OpenFeatures] reads utterances
// to predict. [Split.KeepMasks] and [Split.RandomMasks] draw what is missing, [Order] divides a
// split into batches and [Batch] collects one of them.
package datasets

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// A Set is a data set, divided into splits for training, validation and test.
type Set struct {
	Name               string // "mosi", "mosei", "sims", "synthetic" or the name of the file
	Train, Valid, Test *Split
	Range              [2]float64 // smallest and largest possible label: [-3, 3] or [-1, 1]

	Warnings []string // what is unusual in the file and may be an error, one sentence each

	hash string // of Hash; "" before it is computed
}

// A Split is one part of a data set: N utterances, with each modality padded at the end to a
// common length.
type Split struct {
	ID       []string // [N]
	RawText  []string // [N], or nil
	Language Tokens
	Audio    Frames
	Vision   Frames
	Label    []float32 // [N]; nil if a file for prediction has no labels
}

// Len returns the number of utterances.
func (s *Split) Len() int { return len(s.ID) }

// Tokens holds the WordPiece tokens of N utterances, padded at the end to T.
type Tokens struct {
	T       int
	ID      []int     // [N T], token ids: [CLS] … [SEP] [PAD] …
	Mask    []float32 // [N T], attention mask: 1 at a token, 0 at padding
	Segment []int     // [N T], token types
}

// Frames holds a sequence of feature vectors (frames) for each of N utterances, padded with zeros
// at the end to T. The features are in memory, or in a file of [Pack].
type Frames struct {
	T, D int
	X    []float32 // [N T D]; nil if the features are in a file
	Len  []int     // [N], valid frames, 1 ≤ Len ≤ T; 0 where the modality is missing

	file      numbers // [N' T' D], T' ≤ T
	fileSteps int     // T'
	at        []int   // [N], row in the file of each utterance; nil if N = N' in the same order
}

// numbers is an array that is read part by part.
type numbers interface {
	// Read fills dst with the elements first, first+1, …, converted to float32.
	Read(dst []float32, first int) error
}

// Row copies the frames of utterance i to dst [T D]. It panics if the features are in a file that
// can no longer be read.
func (f *Frames) Row(dst []float32, i int) {
	f.stored(dst, i)
	if f.X == nil {
		clear(dst[f.Len[i]*f.D : f.T*f.D])
	}
}

// stored is Row with the values that are stored in the place of padding.
func (f *Frames) stored(dst []float32, i int) {
	n := f.T * f.D
	if f.X != nil {
		copy(dst, f.X[i*n:][:n])
		return
	}
	if f.at != nil {
		i = f.at[i]
	}
	m := f.fileSteps * f.D
	if err := f.file.Read(dst[:m], i*m); err != nil {
		panic(fmt.Sprintf("datasets: Row: the data set's file has changed since it was opened: %v",
			err))
	}
	clear(dst[m:n])
}

// clearPadding sets what follows the length of each sequence in memory to zero.
func (f *Frames) clearPadding() {
	if f.X == nil {
		return // Row does it
	}
	for i, n := range f.Len {
		clear(f.X[(i*f.T+n)*f.D : (i+1)*f.T*f.D])
	}
}

// load returns the features of all utterances [N T D].
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

// Ids of the special tokens [PAD], [UNK], [CLS] and [SEP] in the vocabularies of bert-base-uncased
// and bert-base-chinese.
const (
	PadID = 0
	UnkID = 100
	ClsID = 101
	SepID = 102
)

// length returns the number of tokens of utterance i: those before the first 0 of its mask.
func (t *Tokens) length(i int) int {
	row := t.Mask[i*t.T:][:t.T]
	if n := slices.Index(row, 0); n >= 0 {
		return n
	}
	return t.T
}

// A Shape holds the sizes of an utterance's sequences: number of steps T of each modality and
// number of features D of a frame. All splits of a set, and the input of a model, have one shape.
type Shape struct {
	LanguageSteps        int
	AudioSteps, AudioD   int
	VisionSteps, VisionD int
}

// String formats the shape as "text 50, audio 375x5, vision 500x20".
func (s Shape) String() string {
	return fmt.Sprintf("text %d, audio %dx%d, vision %dx%d", s.LanguageSteps, s.AudioSteps,
		s.AudioD, s.VisionSteps, s.VisionD)
}

// atLeast returns the larger number of steps of each modality, with the features of s, or of o if s
// is empty.
func (s Shape) atLeast(o Shape) Shape {
	return Shape{max(s.LanguageSteps, o.LanguageSteps), max(s.AudioSteps, o.AudioSteps),
		cmp.Or(s.AudioD, o.AudioD), max(s.VisionSteps, o.VisionSteps),
		cmp.Or(s.VisionD, o.VisionD)}
}

// Shape returns the sizes of the split's sequences.
func (s *Split) Shape() Shape {
	return Shape{s.Language.T, s.Audio.T, s.Audio.D, s.Vision.T, s.Vision.D}
}

// Shape returns the sizes of the sequences of the set's splits, which are equal.
func (s *Set) Shape() Shape { return s.Train.Shape() }

func (s *Set) splits() []*Split { return []*Split{s.Train, s.Valid, s.Test} }

// Vocab returns the size of the smallest vocabulary that has every token of the set: the largest
// token id plus 1.
func (s *Set) Vocab() int {
	largest := SepID
	for _, p := range s.splits() {
		for _, id := range p.Language.ID {
			largest = max(largest, id)
		}
	}
	return largest + 1
}

// LargestSegment returns the largest token type of the set: 0 or 1.
func (s *Set) LargestSegment() (largest int) {
	for _, p := range s.splits() {
		largest = max(largest, slices.Max(p.Language.Segment))
	}
	return largest
}

// Subset returns a split of the utterances at the positions in index, in that order. Features that
// are in a file stay there.
func (s *Split) Subset(index []int) *Split {
	return &Split{
		ID:      rows(s.ID, index, 1),
		RawText: rows(s.RawText, index, 1),
		Language: Tokens{s.Language.T, rows(s.Language.ID, index, s.Language.T),
			rows(s.Language.Mask, index, s.Language.T),
			rows(s.Language.Segment, index, s.Language.T)},
		Audio:  s.Audio.subset(index),
		Vision: s.Vision.subset(index),
		Label:  rows(s.Label, index, 1),
	}
}

func (f *Frames) subset(index []int) Frames {
	out := Frames{T: f.T, D: f.D, X: rows(f.X, index, f.T*f.D), Len: rows(f.Len, index, 1),
		file: f.file, fileSteps: f.fileSteps}
	if f.file != nil {
		out.at = index
		if f.at != nil {
			out.at = rows(f.at, index, 1)
		}
	}
	return out
}

// rows returns a copy of the rows in index of an array [N width], or nil if x is nil.
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

// Fraction returns a random subset of round(f·N) utterances, at least one, in their original
// order; for f = 1 it returns s itself. The same seed selects the same utterances, and a smaller
// fraction is a subset of a larger one. It panics unless 0 < f ≤ 1.
func (s *Split) Fraction(f float64, seed uint64) *Split {
	if !(f > 0 && f <= 1) {
		panic(fmt.Sprintf("datasets: Fraction: %v: want a fraction in (0, 1]", f))
	}
	if f == 1 {
		return s
	}
	n := max(1, int(math.Round(f*float64(s.Len()))))
	index := rand.New(rand.NewPCG(seed, 0)).Perm(s.Len())[:n]
	slices.Sort(index)
	return s.Subset(index)
}
