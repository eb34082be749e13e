package datasets

import "slices"

// repad moves tokens that are padded at the front to the front, and puts rows in the order ids,
// segments, mask into the order ids, mask, segments. It returns the number of changed utterances.
func (t *Tokens) repad() (changed int) {
	for i := range len(t.ID) / t.T {
		row := t.row(i)
		switch {
		case row.reordered():
			for k := range t.T {
				row.mask[k], row.segments[k] = float32(row.segments[k]), 0
			}
		case row.atFront():
			n := slices.Index(row.mask, 1)
			rotate(row.ids, n)
			rotate(row.mask, n)
			rotate(row.segments, n)
		default:
			continue
		}
		changed++
	}
	return changed
}

// rotate moves the first n elements of x to the end.
func rotate[E any](x []E, n int) {
	slices.Reverse(x[:n])
	slices.Reverse(x[n:])
	slices.Reverse(x)
}

// repad moves frames that are padded at the front to the front. It returns the number of changed
// utterances.
func (f *Frames) repad() (changed int) {
	row := make([]float32, f.T*f.D)
	for i := range f.Len {
		f.stored(row, i)
		if f.toFront(row, i) {
			changed++
			if f.X != nil {
				copy(f.X[i*len(row):], row)
			}
		}
	}
	if f.file != nil {
		f.file = moved{f.file, *f}
	}
	return changed
}

// toFront moves the frames of utterance i to the front of its row [T D] if the row begins with a
// frame of zeros, does not end with one and is longer than the utterance. It reports whether it
// did.
func (f *Frames) toFront(row []float32, i int) bool {
	if f.Len[i] == f.T || !zero(row[:f.D]) || zero(row[(f.T-1)*f.D:]) {
		return false
	}
	rotate(row, (f.T-f.Len[i])*f.D)
	return true
}

// moved reads rows of frames in a file and moves each to the front.
type moved struct {
	numbers
	frames Frames
}

// Read implements numbers for one row.
func (m moved) Read(dst []float32, first int) error {
	if err := m.numbers.Read(dst, first); err != nil {
		return err
	}
	m.frames.toFront(dst, first/len(dst))
	return nil
}
