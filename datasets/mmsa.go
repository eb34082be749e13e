package datasets

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// Open reads a data set in the pickle layout of MMSA (thuiar/MMSA, data_loader.py), in which MOSI,
// MOSEI and CH-SIMS are published: a dict of train, valid and test, each a dict of
//
//	text_bert                        [N 3 T_l]  token ids, attention mask, segments
//	audio, vision                    [N T D]    features, padded at the end
//	audio_lengths, vision_lengths    [N]        number of valid frames
//	regression_labels                [N]        labels
//	id, raw_text                     [N]        strings; optional
//
// Other keys are ignored. Lengths may be absent in a file that is aligned to the words, where the
// number of tokens is used. The sizes are those of the arrays. The set's name is taken from the
// path; its range of labels follows from the name, or for an unknown name from the labels.
//
// If audio or vision is absent from all splits, it is read as one frame of zero and a warning says
// so. A split with fewer steps than another is padded. As in MMSA, -Inf in audio is read as 0, and
// lengths are clamped to [1, T]; what follows a sequence's length is read as zeros. Arrays may have
// any numeric type or be lists, and the file any pickle protocol. Audio and vision may be lists of
// arrays [T D] with different T, which are padded; their lengths may then be absent. Nothing in the
// file is executed, and memory is limited to a small multiple of the file's size. An error says
// where in the file what was expected and found. Values that no model should be trained on are
// errors too: NaN, labels out of range, padding at the front, masks with gaps, segments other than
// 0 and 1.
//
// Open also opens a file that [Pack] wrote.
func Open(path string) (*Set, error) { return OpenWith(path, Options{}) }

// Options say how [OpenWith], [Check] and [Pack] read a data set. The zero value reads the file as
// it is.
type Options struct {
	Name string // of the data set; "" for the name in the path. The range of labels follows from it
	Features
	Repad bool // move padding from the front to the end, and rows of text_bert into their order
}

// OpenWith is [Open] with options. Features of a packed data set cannot be replaced, and its
// padding was moved by Pack; both options are an error with one.
func OpenWith(path string, o Options) (*Set, error) {
	if isPacked(path) {
		if o.Features != (Features{}) || o.Repad {
			return nil, fmt.Errorf(
				"datasets: %s: expected a pickle when features are replaced or moved, found a "+
					"packed data set; give the features to recap data pack", path,
			)
		}
		return openPacked(path, o.Name)
	}
	var set *Set
	err := withFile(path, func(f io.ReaderAt, size int64) (err error) {
		set, err = read(path, f, size, o)
		return err
	})
	return set, err
}

func withFile(path string, use func(io.ReaderAt, int64) error) error {
	f, err := files.Open(path)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	return use(f, info.Size())
}

var splitNames = []string{"train", "valid", "test"}

// read reads the data set of a pickle into memory.
func read(path string, file io.ReaderAt, size int64, o Options) (*Set, error) {
	l, root, err := newLayout(path, file, size, o)
	if err != nil {
		return nil, err
	}
	defer l.close()
	return l.set(root)
}

// set reads and inspects the three splits.
func (l *layout) set(root dict) (*Set, error) {
	parts, errs := l.parts(root)
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w%s", errs[0], more(len(errs)-1, l.path))
	}
	set := &Set{Name: cmp.Or(l.options.Name, setName(l.path)), Train: parts[0].split,
		Valid: parts[1].split, Test: parts[2].split}
	set.Range = labelRange(set.Name, set.splits()...)
	found := set.inspect(true)
	if err := found.refuse(l.path); err != nil {
		return nil, err
	}
	set.Warnings = append(l.warnings(), found.warnings...)
	for _, p := range set.splits() {
		p.Audio.clearPadding()
		p.Vision.clearPadding()
	}
	return set, nil
}

// A part is a split of the file. split is nil if it could not be read.
type part struct {
	name  string
	dict  dict
	split *Split
}

// parts reads the three splits, padded to equal lengths. It reads all that it can.
func (l *layout) parts(root dict) (parts []part, errs []error) {
	parts = make([]part, len(splitNames))
	var longest Shape
	for i, name := range splitNames {
		d, err := l.find(root, name)
		parts[i] = part{name: name, dict: d}
		if err == nil {
			parts[i].split, err = l.labelledSplit(name, d)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		longest = longest.atLeast(parts[i].split.Shape())
	}
	for _, p := range parts {
		if p.split == nil {
			continue
		}
		if found := p.split.Shape(); found.AudioD != longest.AudioD ||
			found.VisionD != longest.VisionD {
			errs = append(errs, l.mismatch(p.name, fmt.Sprintf("audio frames of %d and vision "+
				"frames of %d features as in other splits", longest.AudioD, longest.VisionD),
				found.String(), "save all splits with the same features"))
		} else {
			p.split.pad(longest)
		}
	}
	return parts, errs
}

func (l *layout) labelledSplit(name string, d dict) (*Split, error) {
	s, err := l.split(name, d)
	if err == nil && s.Label == nil {
		return nil, l.mismatch(name, "regression_labels", d.keys(),
			"training and evaluation need a number for each utterance under this key")
	}
	return s, err
}

// pad pads the sequences at the end to the lengths in want, which are not smaller.
func (s *Split) pad(want Shape) {
	t := &s.Language
	if n, from, to := s.Len(), t.T, want.LanguageSteps; from < to {
		*t = Tokens{to, padded(t.ID, n, from, to), padded(t.Mask, n, from, to),
			padded(t.Segment, n, from, to)}
	}
	s.Audio.pad(want.AudioSteps)
	s.Vision.pad(want.VisionSteps)
}

func (f *Frames) pad(steps int) {
	if f.X != nil && f.T < steps {
		f.X = padded(f.X, len(f.Len), f.T*f.D, steps*f.D)
	}
	f.T = steps
}

// inspect inspects the splits. With frames false it does not read the frames.
func (s *Set) inspect(frames bool) *findings {
	f := &findings{}
	for i, p := range s.splits() {
		f.inspect(splitNames[i], p, s.Range, frames)
	}
	return f
}

// refuse returns the first problem as an error, nil if there is none.
func (f *findings) refuse(path string) error {
	if len(f.problems) == 0 {
		return nil
	}
	return fmt.Errorf("datasets: %s: %s%s", path, f.problems[0], more(len(f.problems)-1, path))
}

// more says how the other problems of a file are found.
func more(problems int, path string) string {
	if problems == 0 {
		return ""
	}
	return fmt.Sprintf("; %d more: recap data check %s", problems, path)
}

// setName returns mosi, mosei or sims if that is a word of the name of the file or of one of the
// two folders above it, else the file's name without extension. Words are separated by other
// characters than letters and digits.
func setName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	file := abs
	for range 3 {
		words := strings.FieldsFunc(strings.ToLower(filepath.Base(abs)), func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
		for _, name := range []string{"mosei", "mosi", "sims"} {
			if slices.Contains(words, name) {
				return name
			}
		}
		abs = filepath.Dir(abs)
	}
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

func labelRange(name string, splits ...*Split) [2]float64 {
	limit := 1.0
	for _, s := range splits {
		for _, y := range s.Label {
			if math.Abs(float64(y)) > 1 {
				limit = 3
			}
		}
	}
	switch name {
	case "sims":
		limit = 1
	case "mosi", "mosei":
		limit = 3
	}
	return [2]float64{-limit, limit}
}
