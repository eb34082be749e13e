package datasets

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// A Batch holds B utterances of a split in host memory. [Batch.Fill] fills it with complete
// utterances and the masks that say what is missing of them, [Batch.FillCorrupted] with corrupted
// utterances. Both reuse the batch's slices, so that a second batch of the same size allocates
// nothing.
type Batch struct {
	Index         []int // [B], positions of the utterances in the split
	Language      TokenBatch
	Audio, Vision FrameBatch
	Label         []float32 // [B]; empty where the split has no labels
}

// A TokenBatch holds the tokens of a batch. Attention mask and segments are those of the complete
// text, for a missing token is replaced by [UNK] and not removed.
type TokenBatch struct {
	T         int
	ID        []int     // [B T], complete
	Corrupted []int     // [B T], id' = K·id + [UNK]·(V - K), V the valid positions
	Keep      []float32 // [B T], K: 1 kept, 0 missing or padding
	Mask      []float32 // [B T], attention mask V: 1 at a token, 0 at padding
	Segment   []int     // [B T], token types
}

// A FrameBatch holds the frames of one modality of a batch.
type FrameBatch struct {
	T, D int
	X    []float32 // [B T D]; complete frames x after Fill, x' = K·x after FillCorrupted
	Keep []float32 // [B T], K: 1 kept, 0 missing or padding
	Len  []int     // [B], number of valid frames, 1 if the modality is missing
}

// Fill copies the utterances of s at the positions in index to the batch: complete frames,
// complete and corrupted tokens, and the keep masks. Each frame is copied once; a trainer that
// needs the corrupted frames as well computes K·x from X and Keep. With k nil nothing is missing,
// and each Keep is 1 everywhere, padding included. It panics if a packed file has changed since it
// was opened.
func (b *Batch) Fill(s *Split, index []int, k *KeepMasks) { b.fill(s, index, k, false) }

// FillCorrupted is [Batch.Fill] with corrupted frames in X: a frame that is missing is +0 in every
// feature, whatever the complete frame holds. It is for those who do not need the complete frames,
// as in evaluation.
func (b *Batch) FillCorrupted(s *Split, index []int, k *KeepMasks) { b.fill(s, index, k, true) }

func (b *Batch) fill(s *Split, index []int, k *KeepMasks, corrupt bool) {
	b.Index = append(b.Index[:0], index...)
	b.Label = b.Label[:0]
	if s.Label != nil {
		for _, i := range index {
			b.Label = append(b.Label, s.Label[i])
		}
	}
	if k == nil {
		k = &KeepMasks{}
	}
	b.Language.fill(&s.Language, index, k.Language)
	b.Audio.fill(&s.Audio, index, k.Audio, corrupt)
	b.Vision.fill(&s.Vision, index, k.Vision, corrupt)
}

func (b *TokenBatch) fill(s *Tokens, index []int, keep []bool) {
	n := len(index) * s.T
	b.T = s.T
	b.ID, b.Mask, b.Segment = resize(b.ID, n), resize(b.Mask, n), resize(b.Segment, n)
	for row, i := range index {
		copy(b.ID[row*s.T:], s.ID[i*s.T:][:s.T])
		copy(b.Mask[row*s.T:], s.Mask[i*s.T:][:s.T])
		copy(b.Segment[row*s.T:], s.Segment[i*s.T:][:s.T])
	}
	b.Keep = fillKeep(b.Keep, index, keep, s.T)
	b.Corrupted = resize(b.Corrupted, n)
	copy(b.Corrupted, b.ID)
	for row, i := range index {
		valid := s.length(i)
		for t, k := range b.Keep[row*s.T:][:s.T] {
			switch {
			case k == 1:
			case t < valid:
				b.Corrupted[row*s.T+t] = UnkID
			default:
				b.Corrupted[row*s.T+t] = PadID
			}
		}
	}
}

func (b *FrameBatch) fill(s *Frames, index []int, keep []bool, corrupt bool) {
	row := s.T * s.D
	b.T, b.D = s.T, s.D
	b.X, b.Len = resize(b.X, len(index)*row), resize(b.Len, len(index))
	b.Keep = fillKeep(b.Keep, index, keep, s.T)
	for r, i := range index {
		b.Len[r] = max(s.Len[i], 1)
		x := b.X[r*row:][:row]
		s.Row(x, i)
		if !corrupt {
			continue
		}
		for t, k := range b.Keep[r*s.T:][:s.T] {
			if k == 0 {
				clear(x[t*s.D:][:s.D])
			}
		}
	}
}

// fillKeep writes the rows of keep [N T] at the positions in index to dst [B T] as numbers; ones
// where keep is nil.
func fillKeep(dst []float32, index []int, keep []bool, steps int) []float32 {
	dst = resize(dst, len(index)*steps)
	for row, i := range index {
		for t := range steps {
			k := float32(0)
			if keep == nil || keep[i*steps+t] {
				k = 1
			}
			dst[row*steps+t] = k
		}
	}
	return dst
}

// resize returns a slice of n elements in x's memory if it has room. Their values are undefined.
func resize[E any](x []E, n int) []E { return slices.Grow(x[:0], n)[:n] }

// Order returns the positions 0 … n-1 of n utterances in batches of the given size, shuffled
// unless rng is nil. The last batch may be smaller; one of fewer than minBatch utterances is
// merged into the batch before it. It panics if batch is less than 1.
func Order(n, batch, minBatch int, rng *rand.Rand) [][]int {
	if batch < 1 {
		panic(fmt.Sprintf("datasets: Order: batch of %d: want 1 or more", batch))
	}
	index := make([]int, n)
	for i := range index {
		index[i] = i
	}
	if rng != nil {
		rng.Shuffle(n, func(i, j int) { index[i], index[j] = index[j], index[i] })
	}
	batches := slices.Collect(slices.Chunk(index, batch))
	if last := len(batches) - 1; last > 0 && len(batches[last]) < minBatch {
		batches[last-1] = index[(last-1)*batch:]
		batches = batches[:last]
	}
	return batches
}
