package datasets

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/nlpodyssey/gopickle/types"
)

// OpenFeatures reads utterances to predict or to test on. Labels are optional; if no utterance has
// a label, Split.Label is nil. The file is one of
//
//   - a file that [Open] reads, from which the split of the given name is returned;
//
//   - a pickle of a single split: a dict with the keys that Open expects in each split;
//
//   - a pickle of one utterance: the same keys without the axis of utterances. If there is one
//     utterance, lengths may be absent, and all frames count;
//
//   - JSON: an array of utterances, or utterances one after the other, such as JSON lines.
//     text_bert has three rows of equal length (token ids from [CLS] to [SEP], mask, segments),
//     audio and vision have a row of features for each frame, and label and raw_text are optional:
//
//     [{"id": "a", "text_bert": [[101, 2307, 102], [1, 1, 1], [0, 0, 0]],
//     "audio": [[0.5], [0.1]], "vision": [[2], [3]], "label": 1.5}]
//
// A modality whose key is absent from an utterance in JSON, or is null or [], is missing: its Len
// is 0, so that its keep mask is 0 everywhere; missing text has the tokens [CLS] and [SEP]. So are
// audio and vision whose key is absent from a pickle.
//
// Sequences from JSON are padded to the longest of their modality. [Split.Fit] pads them further
// to the lengths that a model expects. Values that no model expects are an error, as in [Open].
// An error says where in the file what was expected.
func OpenFeatures(path, split string, o Options) (*Split, error) {
	if isPacked(path) {
		return openPackedSplit(path, split, o)
	}
	var s *Split
	err := withFile(path, func(f io.ReaderAt, size int64) (err error) {
		s, err = readFeatures(path, split, f, size, o)
		return err
	})
	return s, err
}

func openPackedSplit(path, name string, o Options) (*Split, error) {
	set, err := OpenWith(path, o)
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

func readFeatures(
	path, split string, file io.ReaderAt, size int64, o Options,
) (*Split, error) {
	head := make([]byte, min(size, 256))
	if _, err := file.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("datasets: %s: %w", path, err)
	}
	head = bytes.TrimSpace(bytes.TrimPrefix(head, byteOrderMark))
	if bytes.IndexAny(head, "[{") == 0 { // not the first byte of a pickle
		if o.Features != (Features{}) {
			return nil, fmt.Errorf("datasets: %s: expected a pickle when features are replaced, "+
				"found JSON; put the features into it", path)
		}
		return readJSON(path, file, size)
	}
	l, root, err := newLayout(path, file, size, o)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if _, single := root.get("text_bert"); single {
		if root, err = l.replaced(split, root); err != nil {
			return nil, err
		}
		return l.features("features", root.withUtterances())
	}
	d, err := l.find(root, split)
	if err != nil {
		return nil, err
	}
	return l.features(split, d)
}

// features reads a split whose labels may be absent or of any range. Audio or vision that is absent
// is missing.
func (l *layout) features(name string, d dict) (*Split, error) {
	l.absent = missing
	s, err := l.split(name, d)
	if err != nil {
		return nil, err
	}
	found := &findings{}
	found.inspect(name, s, [2]float64{math.Inf(-1), math.Inf(1)}, true)
	s.Audio.clearPadding()
	s.Vision.clearPadding()
	return s, found.refuse(l.path)
}

// withUtterances adds what a dict of one utterance may lack: the axis of utterances, and lengths,
// which are those of the arrays.
func (d dict) withUtterances() dict {
	text, _ := d.get("text_bert")
	tokens, ok := text.(*ndarray)
	if !ok {
		return d
	}
	out := dict{}
	for _, e := range d {
		switch v := e.Value.(type) {
		case *ndarray:
			if len(tokens.shape) == 2 && len(v.shape) == 2 {
				one := *v
				one.shape = slices.Concat([]int{1}, v.shape)
				if v.strides != nil {
					one.strides = slices.Concat([]int{v.len()}, v.strides)
				}
				e.Value = &one
			}
		case string:
			e.Value = &types.List{v}
		}
		out = append(out, e)
	}
	for _, key := range []string{"audio", "vision"} {
		v, _ := out.get(key)
		a, ok := v.(*ndarray)
		if _, given := out.get(key + "_lengths"); ok && !given && len(a.shape) == 3 &&
			a.shape[0] == 1 {
			out = append(out, types.DictEntry{Key: key + "_lengths",
				Value: &types.List{a.shape[1]}})
		}
	}
	return out
}

// Fit returns the split with every sequence padded at the end to the lengths in want, or s itself
// if it has that shape. A sequence that is longer, or another number of features, is an error.
func (s *Split) Fit(want Shape) (*Split, error) {
	have := s.Shape()
	if have == want {
		return s, nil
	}
	if have.AudioD == 0 {
		have.AudioD = want.AudioD
	}
	if have.VisionD == 0 {
		have.VisionD = want.VisionD
	}
	if have.AudioD != want.AudioD || have.VisionD != want.VisionD ||
		have.LanguageSteps > want.LanguageSteps ||
		have.AudioSteps > want.AudioSteps || have.VisionSteps > want.VisionSteps {
		return nil, fmt.Errorf(
			"datasets: %sexpected at most %v and the same features, found %v; extract the "+
				"features as for the training data", s.misfit(have, want), want, have,
		)
	}
	out := *s
	n, from, to := s.Len(), have.LanguageSteps, want.LanguageSteps
	out.Language = Tokens{to, padded(s.Language.ID, n, from, to),
		padded(s.Language.Mask, n, from, to), padded(s.Language.Segment, n, from, to)}
	out.Audio, out.Vision = s.Audio.padded(want.AudioSteps, want.AudioD),
		s.Vision.padded(want.VisionSteps, want.VisionD)
	return &out, nil
}

// misfit names the first utterance and modality that do not fit the shape of a model, for a
// message.
func (s *Split) misfit(have, want Shape) string {
	for _, m := range []struct {
		key         string
		steps, most int
		wrongWidth  bool
		length      func(int) int
	}{
		{"text_bert", have.LanguageSteps, want.LanguageSteps, false, s.Language.length},
		{"audio", have.AudioSteps, want.AudioSteps, have.AudioD != want.AudioD, s.Audio.length},
		{"vision", have.VisionSteps, want.VisionSteps, have.VisionD != want.VisionD,
			s.Vision.length},
	} {
		for i := range s.Len() {
			if n := m.length(i); n > m.most || m.wrongWidth && n > 0 {
				return fmt.Sprintf("%s: %s: ", utteranceName(i, s.ID[i]), m.key)
			}
		}
		if m.steps > m.most {
			return m.key + ": "
		}
	}
	return ""
}

// padded returns a copy of the frames in memory, padded at the end to the given number of steps.
// Frames that are missing in all utterances get d features.
func (f *Frames) padded(steps, d int) Frames {
	return Frames{T: steps, D: d, X: padded(f.load(), len(f.Len), f.T*f.D, steps*d), Len: f.Len}
}

// padded returns a copy of x [n from] as [n to], with zeros at the end of each row.
func padded[E any](x []E, n, from, to int) []E {
	out := make([]E, n*to)
	for i := range n {
		copy(out[i*to:], x[i*from:][:from])
	}
	return out
}
