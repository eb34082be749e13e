package datasets

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// A layout reads the splits of one file.
type layout struct {
	path         string
	options      Options
	convert      converter
	repaired     map[string]int     // number of repairs of each kind
	absent       func(n int) Frames // frames of a modality that a split of n does not have
	absences     []string           // a warning for each such modality
	lazily       bool               // leave frames in the file if possible
	moved        int                // number of sequences that Repad moved
	replacements []replacement
}

// newLayout unpickles a file, whose arrays stay in the file, and opens the files of replaced
// features. It returns the file's top-level dict. The caller closes the layout.
func newLayout(
	path string, file io.ReaderAt, size int64, o Options,
) (*layout, dict, error) {
	loader := unpickle.Loader{Name: path, Class: findClass}
	v, _, err := loader.Load(file, 0, size)
	if err != nil {
		return nil, nil, fmt.Errorf("datasets: %w", err)
	}
	l := &layout{path: path, options: o, absent: oneZero, repaired: map[string]int{},
		convert: converter{left: unpickle.BaseMemory + 4*size}}
	root, ok := asDict(v)
	if !ok {
		return nil, nil, l.mismatch("", "a dict of train, valid and test", describe(v),
			"give a data set in MMSA's layout")
	}
	return l, root, l.replace(o.Features)
}

// warnings lists the repairs and what is absent.
func (l *layout) warnings() (all []string) {
	all = append(all, l.absences...)
	for _, what := range slices.Sorted(maps.Keys(l.repaired)) {
		all = append(all, fmt.Sprintf("%s: %d times", what, l.repaired[what]))
	}
	return all
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
		advice := "give a data set in MMSA's layout, with train, valid and test"
		for _, other := range []string{"val", "dev", "validation"} {
			if _, found := root.get(other); found && name == "valid" {
				advice = "save " + other + " under this name"
			}
		}
		return nil, l.mismatch("", "split "+name, root.keys(), advice)
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
	if l.options.Repad {
		l.moved += s.Language.repad()
	}
	for _, m := range []struct {
		key string
		to  *Frames
	}{{"audio", &s.Audio}, {"vision", &s.Vision}} {
		if _, ok := d.get(m.key); !ok {
			*m.to = l.absent(n)
			l.absences = append(l.absences, fmt.Sprintf(
				"%s: %s: absent, read as a frame of zero; found %s", name, m.key, d.keys()))
			continue
		}
		if err := l.frames(name, d, m.key, n, m.to); err != nil {
			return nil, err
		}
		if err := l.lengths(name, d, m.key, n, &s.Language, m.to); err != nil {
			return nil, err
		}
		if l.options.Repad {
			l.moved += m.to.repad()
		}
	}
	for i, x := range s.Audio.X {
		if math.IsInf(float64(x), -1) {
			s.Audio.X[i] = 0
			l.zeroInAudio(name)
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
