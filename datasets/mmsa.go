package datasets

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
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
// As in MMSA, -Inf in audio is read as 0, and lengths are clamped to [1, T]. Arrays may have any
// numeric type, and the file any pickle protocol. Nothing in the file is executed, and memory is
// limited to a small multiple of the file's size. An error says where in the file what was
// expected and found.
//
// Open also opens a file that [Pack] wrote.
func Open(path string) (*Set, error) { return OpenWith(path, Features{}) }

// OpenWith is [Open] with some features replaced by those of other files. A packed data set cannot
// be combined with replacements, which is an error.
func OpenWith(path string, with Features) (*Set, error) {
	if isPacked(path) {
		if with != (Features{}) {
			return nil, fmt.Errorf(
				"datasets: %s: expected a pickle when features are replaced, found a packed "+
					"data set; give the features to recap data pack", path,
			)
		}
		return openPacked(path)
	}
	var set *Set
	err := withFile(path, func(f io.ReaderAt, size int64) (err error) {
		set, err = read(path, f, size, with)
		return err
	})
	return set, err
}

func withFile(path string, use func(io.ReaderAt, int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	if info.IsDir() {
		return fmt.Errorf(
			"datasets: %s: expected a file, found a directory; give the .pkl file itself", path,
		)
	}
	return use(f, info.Size())
}

var splitNames = []string{"train", "valid", "test"}

// read reads the data set of a pickle into memory.
func read(path string, file io.ReaderAt, size int64, with Features) (*Set, error) {
	l, root, err := newLayout(path, file, size)
	if err != nil {
		return nil, err
	}
	if err := l.replace(with); err != nil {
		return nil, err
	}
	defer l.close()
	return l.set(root)
}

// set reads the three splits.
func (l *layout) set(root dict) (*Set, error) {
	set := &Set{Name: setName(l.path)}
	for i, to := range []**Split{&set.Train, &set.Valid, &set.Test} {
		d, err := l.find(root, splitNames[i])
		if err != nil {
			return nil, err
		}
		if *to, err = l.split(splitNames[i], d); err != nil {
			return nil, err
		}
		if (*to).Label == nil {
			return nil, l.mismatch(splitNames[i], "regression_labels", "none",
				"training and evaluation need labels")
		}
		if found, want := (*to).Shape(), set.Train.Shape(); found != want {
			return nil, l.mismatch(splitNames[i], "as in train "+want.String(), found.String(),
				"save all splits with the same sizes")
		}
	}
	set.Range = labelRange(set.Name, set.Train, set.Valid, set.Test)
	return set, nil
}

// setName returns mosi, mosei or sims if the name of the file or of one of the two folders above
// it contains that, else the file's name without extension.
func setName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	file := abs
	for range 3 {
		base := strings.ToLower(filepath.Base(abs))
		for _, name := range []string{"mosei", "mosi", "sims"} {
			if strings.Contains(base, name) {
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

// A layout reads the splits of one file.
type layout struct {
	path         string
	convert      converter
	repaired     map[string]int // number of repairs of each kind
	lazily       bool           // leave frames in the file if possible
	replacements []replacement
}

// newLayout unpickles a file, whose arrays stay in the file, and returns its top-level dict.
func newLayout(path string, file io.ReaderAt, size int64) (*layout, dict, error) {
	loader := unpickle.Loader{Name: path, Class: findClass}
	v, _, err := loader.Load(file, 0, size)
	if err != nil {
		return nil, nil, fmt.Errorf("datasets: %w", err)
	}
	l := &layout{path: path, convert: converter{left: unpickle.BaseMemory + 4*size},
		repaired: map[string]int{}}
	root, ok := asDict(v)
	if !ok {
		return nil, nil, l.mismatch("", "a dict of train, valid and test", describe(v),
			"give a data set in MMSA's layout")
	}
	return l, root, nil
}

// mismatch returns the error for a part of the file that is not as expected.
func (l *layout) mismatch(where, expected, found, advice string) error {
	if where != "" {
		where = ": " + where
	}
	return fmt.Errorf("datasets: %s%s: expected %s, found %s; %s", l.path, where, expected,
		found, advice)
}

// A dict is a Python dict in insertion order.
type dict []types.DictEntry

func asDict(v any) (dict, bool) {
	switch v := v.(type) {
	case *types.Dict:
		return dict(*v), true
	case *types.OrderedDict:
		var d dict
		for e := v.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			d = append(d, types.DictEntry{Key: entry.Key, Value: entry.Value})
		}
		return d, true
	}
	return nil, false
}

// get returns the value of a key. If the pickle sets the key several times, it is the last value,
// as in Python.
func (d dict) get(key string) (any, bool) {
	for _, e := range slices.Backward(d) {
		if e.Key == key {
			return e.Value, true
		}
	}
	return nil, false
}

// keys lists the keys for a message.
func (d dict) keys() string {
	var names []string
	for _, e := range d {
		if s, ok := e.Key.(string); ok && len(names) < 20 {
			names = append(names, fmt.Sprintf("%.40s", s))
		}
	}
	if len(names) == 0 {
		return "no keys"
	}
	return "keys " + strings.Join(names, ", ")
}

// find returns the dict of a split.
func (l *layout) find(root dict, name string) (dict, error) {
	v, ok := root.get(name)
	if !ok {
		return nil, l.mismatch("", "split "+name, root.keys(),
			"give a data set in MMSA's layout, with train, valid and test")
	}
	d, ok := asDict(v)
	if !ok {
		return nil, l.mismatch(name, "a dict", describe(v), "give a data set in MMSA's layout")
	}
	return l.replaced(name, d)
}

// split reads one split of the data set. Labels may be absent.
func (l *layout) split(name string, d dict) (*Split, error) {
	s := &Split{}
	n, err := l.tokens(name, d, &s.Language)
	if err != nil {
		return nil, err
	}
	for _, m := range []struct {
		key string
		to  *Frames
	}{{"audio", &s.Audio}, {"vision", &s.Vision}} {
		if err := l.frames(name, d, m.key, n, m.to); err != nil {
			return nil, err
		}
		if err := l.lengths(name, d, m.key, n, &s.Language, m.to); err != nil {
			return nil, err
		}
	}
	for i, x := range s.Audio.X {
		if math.IsInf(float64(x), -1) {
			s.Audio.X[i] = 0
			l.repaired[name+": audio: -Inf, read as 0"]++
		}
	}
	if _, ok := d.get("regression_labels"); ok {
		if s.Label, err = l.vector(name, d, "regression_labels", n); err != nil {
			return nil, err
		}
	}
	if s.RawText, err = l.texts(name, d, "raw_text", n); err != nil {
		return nil, err
	}
	if s.ID, err = l.texts(name, d, "id", n); err != nil {
		return nil, err
	}
	if s.ID == nil {
		for i := range n {
			s.ID = append(s.ID, fmt.Sprintf("%s$_$%d", name, i))
		}
	}
	return s, nil
}
