// Package datasets reads and makes multimodal sentiment data: utterances with a language, an audio and
// a visual sequence and a sentiment label. It knows nothing of tensors: it yields plain arrays.
package datasets

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
