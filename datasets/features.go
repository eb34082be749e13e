package datasets

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// OpenFeatures reads utterances to predict. Labels are optional; if no utterance has a label,
// Split.Label is nil. The file is one of
//
//   - a file that [Open] reads, from which the split of the given name is returned;
//
//   - a pickle of a single split: a dict with the keys that Open expects in each split;
//
//   - a JSON array of utterances, where text_bert has three rows of equal length (token ids from
//     [CLS] to [SEP], mask, segments), audio and vision have a row of features for each frame, and
//     label and raw_text are optional:
//
//     [{"id": "a", "text_bert": [[101, 2307, 102], [1, 1, 1], [0, 0, 0]],
//     "audio": [[0.5], [0.1]], "vision": [[2], [3]], "label": 1.5}]
//
// Sequences from JSON are padded to the longest of their modality. [Split.Fit] pads them further
// to the lengths that a model expects. An error says where in the file what was expected.
func OpenFeatures(path, split string) (*Split, error) {
	if isPacked(path) {
		return openPackedSplit(path, split)
	}
	var s *Split
	err := withFile(path, func(f io.ReaderAt, size int64) (err error) {
		s, err = readFeatures(path, split, f, size)
		return err
	})
	return s, err
}

func openPackedSplit(path, name string) (*Split, error) {
	set, err := openPacked(path, "")
	if err != nil {
		return nil, err
	}
	i := slices.Index(splitNames, name)
	if i < 0 {
		return nil, fmt.Errorf(
			"datasets: %s: expected one of the splits %v, found %q; give the name of one of them",
			path, splitNames, name,
		)
	}
	return set.splits()[i], nil
}

func readFeatures(path, split string, file io.ReaderAt, size int64) (*Split, error) {
	head := make([]byte, min(size, 256))
	if _, err := file.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("datasets: %s: %w", path, err)
	}
	// not the first byte of a pickle
	if head = bytes.TrimSpace(head); len(head) > 0 && (head[0] == '[' || head[0] == '{') {
		return readJSON(path, io.NewSectionReader(file, 0, size), unpickle.BaseMemory+16*size)
	}
	l, root, err := newLayout(path, file, size, Options{})
	if err != nil {
		return nil, err
	}
	if _, single := root.get("text_bert"); single {
		return l.inspected("features", root)
	}
	d, err := l.find(root, split)
	if err != nil {
		return nil, err
	}
	return l.inspected(split, d)
}

// An utterance is an element of the JSON array that OpenFeatures reads.
type utterance struct {
	ID       string      `json:"id"`
	RawText  string      `json:"raw_text"`
	TextBERT [][]int     `json:"text_bert"`
	Audio    [][]float32 `json:"audio"`
	Vision   [][]float32 `json:"vision"`
	Label    *float32    `json:"label"`
}

func readJSON(path string, file io.Reader, limit int64) (*Split, error) {
	d := json.NewDecoder(bufio.NewReader(file))
	d.DisallowUnknownFields()
	var all []utterance
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf(
			"datasets: %s: byte %d: expected an array of utterances, found %w; see the "+
				"documentation of OpenFeatures", path, d.InputOffset(), err,
		)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf(
			"datasets: %s: expected utterances, found an empty array; give at least one", path,
		)
	}
	s := &Split{}
	labels := 0
	for i, u := range all {
		if err := u.check(&all[0]); err != nil {
			return nil, fmt.Errorf("datasets: %s: utterance %d (%.60q): %w", path, i, u.ID, err)
		}
		s.Language.T = max(s.Language.T, len(u.TextBERT[0]))
		s.Audio.T, s.Audio.D = max(s.Audio.T, len(u.Audio)), len(u.Audio[0])
		s.Vision.T, s.Vision.D = max(s.Vision.T, len(u.Vision)), len(u.Vision[0])
		if u.Label != nil {
			labels++
		}
	}
	if labels != 0 && labels != len(all) {
		return nil, fmt.Errorf(
			"datasets: %s: expected a label in each utterance or in none, found %d of %d",
			path, labels, len(all),
		)
	}
	if need := int64(len(all)) *
		int64(20*s.Language.T+4*s.Audio.T*s.Audio.D+4*s.Vision.T*s.Vision.D); need > limit {
		return nil, fmt.Errorf(
			"datasets: %s: expected sequences of similar length, found some so long that "+
				"padding needs %d MB; split the file by length", path, need>>20,
		)
	}
	s.fill(all)
	return s, nil
}

// check verifies the shapes of an utterance; frames must have as many features as in the first
// one.
func (u *utterance) check(first *utterance) error {
	if len(u.TextBERT) != 3 || len(u.TextBERT[0]) == 0 ||
		len(u.TextBERT[1]) != len(u.TextBERT[0]) || len(u.TextBERT[2]) != len(u.TextBERT[0]) {
		return errors.New(
			"text_bert: expected three rows of equal length, found something else; give ids, mask and segments",
		)
	}
	if slices.Min(u.TextBERT[0]) < 0 || slices.Min(u.TextBERT[2]) < 0 {
		return errors.New(
			"text_bert: expected ids and segments from 0, found a negative one; save the tokenizer's output",
		)
	}
	for _, m := range []struct {
		key        string
		own, first [][]float32
	}{{"audio", u.Audio, first.Audio}, {"vision", u.Vision, first.Vision}} {
		if len(m.own) == 0 || len(m.own[0]) == 0 {
			return fmt.Errorf(
				"%s: expected frames, found none; give at least one frame, of zeros if the modality is missing", m.key,
			)
		}
		for t, frame := range m.own {
			if len(frame) != len(m.first[0]) {
				return fmt.Errorf(
					"%s: frame %d: expected %d features as in the first utterance, found %d; "+
						"give all frames the same features", m.key, t, len(m.first[0]), len(frame),
				)
			}
		}
	}
	return nil
}

// fill allocates the arrays, whose T and D have been set, and copies the utterances to them.
func (s *Split) fill(all []utterance) {
	n := len(all)
	t, a, v := &s.Language, &s.Audio, &s.Vision
	t.ID, t.Mask, t.Segment = make([]int, n*t.T), make([]float32, n*t.T), make([]int, n*t.T)
	a.X, v.X = make([]float32, n*a.T*a.D), make([]float32, n*v.T*v.D)
	for i, u := range all {
		s.ID = append(s.ID, u.ID)
		s.RawText = append(s.RawText, u.RawText)
		if u.Label != nil {
			s.Label = append(s.Label, *u.Label)
		}
		copy(t.ID[i*t.T:], u.TextBERT[0])
		copy(t.Segment[i*t.T:], u.TextBERT[2])
		for j, m := range u.TextBERT[1] {
			t.Mask[i*t.T+j] = float32(m)
		}
		a.add(i, u.Audio)
		v.add(i, u.Vision)
	}
}

func (f *Frames) add(i int, x [][]float32) {
	for t, frame := range x {
		copy(f.X[(i*f.T+t)*f.D:], frame)
	}
	f.Len = append(f.Len, len(x))
}

// Fit returns the split with every sequence padded at the end to the lengths in want, or s itself
// if it has that shape. A sequence that is longer, or another number of features, is an error.
func (s *Split) Fit(want Shape) (*Split, error) {
	have := s.Shape()
	if have == want {
		return s, nil
	}
	if have.AudioD != want.AudioD || have.VisionD != want.VisionD ||
		have.LanguageSteps > want.LanguageSteps ||
		have.AudioSteps > want.AudioSteps || have.VisionSteps > want.VisionSteps {
		return nil, fmt.Errorf(
			"datasets: expected at most %v and the same features, found %v; extract the "+
				"features as for the training data", want, have,
		)
	}
	out := *s
	n, from, to := s.Len(), have.LanguageSteps, want.LanguageSteps
	out.Language = Tokens{to, padded(s.Language.ID, n, from, to),
		padded(s.Language.Mask, n, from, to), padded(s.Language.Segment, n, from, to)}
	out.Audio, out.Vision = s.Audio.padded(want.AudioSteps), s.Vision.padded(want.VisionSteps)
	return &out, nil
}

// padded returns a copy of the frames in memory, padded at the end to the given number of steps.
func (f *Frames) padded(steps int) Frames {
	return Frames{T: steps, D: f.D, X: padded(f.load(), len(f.Len), f.T*f.D, steps*f.D),
		Len: f.Len}
}

// padded returns a copy of x [n from] as [n to], with zeros at the end of each row.
func padded[E any](x []E, n, from, to int) []E {
	out := make([]E, n*to)
	for i := range n {
		copy(out[i*to:], x[i*from:][:from])
	}
	return out
}
