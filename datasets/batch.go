package datasets

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// A Batch holds B utterances as they are and as they look with holes.
type Batch struct {
	Index         []int // [B] in the split
	Text          TokenBatch
	Audio, Vision FrameBatch
	Label         []float32 // [B], empty where the split has none
}

// A TokenBatch holds the tokens of a batch. Dropped tokens become [UNK]; mask and segments stay.
type TokenBatch struct {
	T             int
	ID, Corrupted []int     // [B T]
	Mask          []float32 // [B T]
	Segment       []int     // [B T]
}

// A FrameBatch holds the frames of a batch. Dropped frames become zeros.
type FrameBatch struct {
	T, D         int
	X, Corrupted []float32 // [B T D]
	Len          []int     // [B], valid frames
}

// Fill puts utterances of s into the batch. With h nil nothing is missing. The batch's slices are
// used again.
//
//	text   id' = K·id + [UNK]·(V - K)
//	frames x'  = K·x
func (b *Batch) Fill(s *Split, index []int, h *Holes) {
	b.Index = append(b.Index[:0], index...)
	b.Label = b.Label[:0]
	if s.Label != nil {
		for _, i := range index {
			b.Label = append(b.Label, s.Label[i])
		}
	}
	if h == nil {
		h = &Holes{}
	}
	b.Text.fill(&s.Text, index, h.Text)
	b.Audio.fill(&s.Audio, index, h.Audio)
	b.Vision.fill(&s.Vision, index, h.Vision)
}

func (b *TokenBatch) fill(s *Tokens, index []int, keep []bool) {
	n := len(index) * s.T
	b.T = s.T
	b.ID, b.Corrupted, b.Mask, b.Segment = sized(b.ID, n), sized(b.Corrupted, n), sized(b.Mask, n), sized(b.Segment, n)
	for row, i := range index {
		valid := s.length(i)
		for t := range s.T {
			from, to := i*s.T+t, row*s.T+t
			id := int(s.ID[from])
			b.ID[to], b.Mask[to], b.Segment[to] = id, s.Mask[from], int(s.Segment[from])
			switch {
			case keep == nil || keep[from]:
			case t < valid:
				id = UnkID
			default:
				id = PadID
			}
			b.Corrupted[to] = id
		}
	}
}

func (b *FrameBatch) fill(s *Frames, index []int, keep []bool) {
	row := s.T * s.D
	b.T, b.D = s.T, s.D
	b.X, b.Corrupted, b.Len = sized(b.X, len(index)*row), sized(b.Corrupted, len(index)*row), sized(b.Len, len(index))
	for r, i := range index {
		b.Len[r] = s.Len[i]
		x, corrupted := b.X[r*row:][:row], b.Corrupted[r*row:][:row]
		s.Row(x, i)
		copy(corrupted, x)
		if keep == nil {
			continue
		}
		for t := range s.T {
			if !keep[i*s.T+t] {
				clear(corrupted[t*s.D:][:s.D])
			}
		}
	}
}

func sized[E any](x []E, n int) []E { return slices.Grow(x[:0], n)[:n] }

// Order returns the indices of n utterances in batches, shuffled unless rng is nil. The last batch
// may be smaller; one smaller than least joins the one before.
func Order(n, batch, least int, rng *rand.Rand) [][]int {
	if batch < 1 {
		panic(fmt.Sprintf("datasets: Order: batch of %d", batch))
	}
	index := make([]int, n)
	for i := range index {
		index[i] = i
	}
	if rng != nil {
		rng.Shuffle(n, func(i, j int) { index[i], index[j] = index[j], index[i] })
	}
	batches := slices.Collect(slices.Chunk(index, batch))
	if last := len(batches) - 1; last > 0 && len(batches[last]) < least {
		batches[last-1] = index[(last-1)*batch:]
		batches = batches[:last]
	}
	return batches
}
