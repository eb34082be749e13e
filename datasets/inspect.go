package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
)

// findings are the results of inspecting a data set. [Open] refuses a set with problems. Warnings
// describe what is unusual and may be an error.
type findings struct{ problems, warnings []string }

func (f *findings) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

func (f *findings) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
}

// A tally counts the utterances with one fault.
type tally struct {
	count int
	first string // id of the first
}

func (c *tally) add(id string) {
	if c.count++; c.count == 1 {
		c.first = id
	}
}

// of formats the tally: 3 of 229 utterances, the first "a".
func (c *tally) of(n int) string {
	return fmt.Sprintf("%d of %d utterances, the first %.60q", c.count, n, c.first)
}

// inspect looks for values that no good file has. With frames false it does not read the frames.
// The values of padding are not inspected, because they are read as zeros.
func (f *findings) inspect(name string, s *Split, labels [2]float64, frames bool) {
	f.tokens(name, s)
	for _, m := range []struct {
		key string
		*Frames
	}{{"audio", &s.Audio}, {"vision", &s.Vision}} {
		if frames {
			f.frames(name, m.key, s, m.Frames)
		}
		ones := 0
		for _, n := range m.Len {
			if n == 1 {
				ones++
			}
		}
		if m.T > 1 && 2*ones > len(m.Len) {
			f.warn("%s: %s: expected padding at the end, found %d of %d lengths that are 1; "+
				"perhaps the padding is at the front", name, m.key, ones, len(m.Len))
		}
	}
	if s.Label != nil {
		f.labels(name, s, labels)
	}
	f.duplicateIDs(name, s.ID)
}

// labels reports labels that are not numbers or out of range, and labels that are all equal.
func (f *findings) labels(name string, s *Split, allowed [2]float64) {
	var notFinite, outside tally
	equal := true
	for i, y := range s.Label {
		switch y := float64(y); {
		case math.IsNaN(y) || math.IsInf(y, 0):
			notFinite.add(s.ID[i])
		case y < allowed[0] || y > allowed[1]:
			outside.add(s.ID[i])
		}
		equal = equal && y == s.Label[0]
	}
	if notFinite.count > 0 {
		f.problem("%s: regression_labels: expected finite numbers, found NaN or Inf in %s; "+
			"remove these utterances", name, notFinite.of(s.Len()))
	}
	if outside.count > 0 {
		f.problem("%s: regression_labels: expected numbers from %g to %g, found others in %s; "+
			"scale the labels, or name the data set they belong to with -d", name, allowed[0],
			allowed[1], outside.of(s.Len()))
	}
	if equal && s.Len() > 1 {
		f.warn("%s: regression_labels: all labels are %g; correlation and accuracy say nothing",
			name, s.Label[0])
	}
}

// duplicateIDs reports ids that occur twice.
func (f *findings) duplicateIDs(name string, ids []string) {
	var twice tally
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			twice.add(id)
		}
		seen[id] = true
	}
	if twice.count > 0 {
		f.warn("%s: id: expected different ids, found a second one in %s", name,
			twice.of(len(ids)))
	}
}

// frames reports valid frames with NaN or Inf, values other than zero after the length of a
// sequence, and padding at the front.
func (f *findings) frames(name, key string, s *Split, m *Frames) {
	var notFinite, after, front tally
	short, first := 0, ""
	row := make([]float32, m.T*m.D)
	for i, n := range m.Len {
		m.stored(row, i)
		if at := notANumber(row[:n*m.D]); at >= 0 {
			if notFinite.add(s.ID[i]); notFinite.count == 1 {
				first = fmt.Sprintf("%v in frame %d", row[at], at/m.D)
			}
		}
		if n == m.T {
			continue
		}
		short++
		if zero(row[n*m.D:]) {
			continue
		}
		after.add(s.ID[i])
		if zero(row[:m.D]) && !zero(row[(m.T-1)*m.D:]) {
			front.add(s.ID[i])
		}
	}
	switch {
	case notFinite.count > 0:
		f.problem("%s: %s: expected finite values, found NaN or Inf in %s: %s; extract these "+
			"again, or save zeros", name, key, notFinite.of(s.Len()), first)
	case 2*front.count > short:
		f.problem("%s: %s: expected padding at the end, found it at the front in %s; move it to "+
			"the end with recap data pack --repad", name, key, front.of(s.Len()))
	case after.count > 0:
		f.warn("%s: %s: expected zeros after the length, found other values in %s; they are "+
			"read as padding: check %s_lengths", name, key, after.of(s.Len()), key)
	}
}

// notANumber returns the position of the first NaN or Inf, -1 if there is none.
func notANumber(x []float32) int {
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

func zero(x []float32) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}

// tokens reports token sequences other than [CLS] … [SEP] [PAD] …, and masks that do not match
// them.
func (f *findings) tokens(name string, s *Split) {
	var values, gaps, front, segments, order tally
	for i, id := range s.ID {
		row := s.Language.row(i)
		switch {
		case row.hasOtherValues():
			values.add(id)
		case row.reordered():
			order.add(id)
		case row.atFront():
			front.add(id)
		case !zero(row.mask[s.Language.length(i):]):
			gaps.add(id)
		}
		if row.largestSegment() > 1 {
			segments.add(id)
		}
	}
	const repad = "mend it with recap data pack --repad"
	for _, p := range []struct {
		tally
		expected, found, advice string
	}{
		{values, "0 and 1 in the mask", "other values", "save the tokenizer's attention_mask"},
		{order, "the rows ids, mask, segments", "ids, segments, mask", repad},
		{front, "padding at the end", "it at the front", repad},
		{gaps, "a mask of ones, then zeros", "gaps", "save the tokenizer's attention_mask"},
		{segments, "segments 0 and 1", "larger ones",
			"the text encoder has two: save the tokenizer's token_type_ids"},
	} {
		if p.count > 0 {
			f.problem("%s: text_bert: expected %s, found %s in %s; %s", name, p.expected, p.found,
				p.of(s.Len()), p.advice)
		}
	}
	if values.count+order.count+front.count+gaps.count == 0 {
		f.sentences(name, s)
	}
}

// sentences reports token sequences that no tokenizer returns for a sentence. The masks must be
// valid.
func (f *findings) sentences(name string, s *Split) {
	var short, first, last, unknown tally
	for i, id := range s.ID {
		row, n := s.Language.row(i), s.Language.length(i)
		if n < 2 {
			short.add(id)
			continue
		}
		if row.ids[0] != ClsID {
			first.add(id)
		}
		if row.ids[n-1] != SepID {
			last.add(id)
		}
		if row.unknown(n) {
			unknown.add(id)
		}
	}
	for _, p := range []struct {
		tally
		expected, found string
	}{
		{short, "2 tokens or more", "fewer"}, {first, "[CLS], 101, as first token", "another"},
		{last, "[SEP], 102, as last token", "another"},
		{unknown, "words of the vocabulary", "only [UNK]"},
	} {
		if p.count > 0 {
			f.warn("%s: text_bert: expected %s, found %s in %s", name, p.expected, p.found,
				p.of(s.Len()))
		}
	}
}

// A tokenRow holds the three rows of an utterance's tokens [T].
type tokenRow struct {
	ids      []int
	mask     []float32
	segments []int
}

func (t *Tokens) row(i int) tokenRow {
	at := i * t.T
	return tokenRow{t.ID[at:][:t.T], t.Mask[at:][:t.T], t.Segment[at:][:t.T]}
}

// hasOtherValues reports whether the mask has a value other than 0 and 1.
func (r *tokenRow) hasOtherValues() bool {
	for _, m := range r.mask {
		if m != 0 && m != 1 {
			return true
		}
	}
	return false
}

// reordered reports whether the second row has the segments and the third the mask: the mask is 0
// everywhere, and the segments are 1 where there are tokens.
func (r *tokenRow) reordered() bool {
	if !zero(r.mask) || r.largestSegment() != 1 {
		return false
	}
	for t, id := range r.ids {
		if (id != PadID) != (r.segments[t] == 1) {
			return false
		}
	}
	return true
}

// atFront reports whether the mask has zeros, then ones.
func (r *tokenRow) atFront() bool {
	n := 0
	for n < len(r.mask) && r.mask[n] == 0 {
		n++
	}
	if n == 0 || n == len(r.mask) {
		return false
	}
	for _, m := range r.mask[n:] {
		if m != 1 {
			return false
		}
	}
	return true
}

func (r *tokenRow) largestSegment() (largest int) {
	for _, s := range r.segments {
		largest = max(largest, s)
	}
	return largest
}

// unknown reports whether there are words between [CLS] and [SEP] and all of them are [UNK].
func (r *tokenRow) unknown(n int) bool {
	for _, id := range r.ids[1 : n-1] {
		if id != UnkID {
			return false
		}
	}
	return n > 2
}

// Hash returns the SHA-256 of everything that models read: ids, tokens, valid frames and labels of
// the three splits, in hexadecimal digits. It is the same for a pickle and for the file packed from
// it.
func (s *Set) Hash() string {
	if s.hash != "" {
		return s.hash
	}
	h := sha256.New()
	for _, p := range s.splits() {
		shape := p.Shape()
		binary.Write(h, binary.LittleEndian, []int64{int64(p.Len()), int64(shape.LanguageSteps),
			int64(shape.AudioSteps), int64(shape.AudioD), int64(shape.VisionSteps),
			int64(shape.VisionD)})
		for _, id := range p.ID {
			io.WriteString(h, id+"\x00")
		}
		for _, write := range []func(io.Writer) error{
			integerArray(p.Language.ID), array(p.Language.Mask), integerArray(p.Language.Segment),
			integerArray(p.Audio.Len), p.Audio.write, integerArray(p.Vision.Len), p.Vision.write,
			array(p.Label),
		} {
			write(h) // a hash returns no error
		}
	}
	s.hash = hex.EncodeToString(h.Sum(nil))
	return s.hash
}
