package datasets

import (
	"fmt"
	"os"
	"slices"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// Features are files whose features take the place of a data set's, as MMSA's -Ft, -Fa and -Fv do:
// pickles of train, valid and test, each a dict with text_bert, or audio and audio_lengths, or
// vision and vision_lengths. Sizes come from them. Where they have id, it must be the data set's,
// in its order. Empty names replace nothing.
type Features struct{ Language, Audio, Vision string }

// A replacement is an open file of Features.
type replacement struct {
	path string
	keys []string
	file *os.File
	root dict
}

// replace opens the files.
func (l *layout) replace(own Features) error {
	for _, r := range []replacement{
		{path: own.Language, keys: []string{"text_bert"}},
		{path: own.Audio, keys: []string{"audio", "audio_lengths"}},
		{path: own.Vision, keys: []string{"vision", "vision_lengths"}},
	} {
		if r.path == "" {
			continue
		}
		if err := r.open(); err != nil {
			l.close()
			return err
		}
		l.own = append(l.own, r)
		info, err := r.file.Stat()
		if err != nil {
			l.close()
			return fmt.Errorf("datasets: %w", err)
		}
		l.convert.left += 4 * info.Size()
	}
	return nil
}

func (r *replacement) open() error {
	f, err := os.Open(r.path)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	r.file = f
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: expected a file, found something else; give the .pkl file itself", r.path)
	}
	if err == nil {
		var root any
		loader := unpickle.Loader{Name: r.path, Class: findClass}
		if root, _, err = loader.Load(f, 0, info.Size()); err == nil {
			var ok bool
			if r.root, ok = asDict(root); !ok {
				err = fmt.Errorf("%s: expected a dict of train, valid and test, found %s; give features in MMSA's layout", r.path, describe(root))
			}
		}
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("datasets: %w", err)
	}
	return nil
}

// close gives the files of replace back.
func (l *layout) close() {
	for _, r := range l.own {
		r.file.Close()
	}
	l.own = nil
}

// replaced returns a split's dict with what the files of replace have in its place.
func (l *layout) replaced(name string, d dict) (dict, error) {
	for _, r := range l.own {
		file := &layout{path: r.path, convert: l.convert}
		own, err := file.find(r.root, name)
		if err != nil {
			return nil, err
		}
		if _, ok := own.get(r.keys[0]); !ok {
			return nil, file.mismatch(name, r.keys[0], own.keys(), "give features in MMSA's layout")
		}
		if err := file.sameIDs(name, own, d); err != nil {
			return nil, err
		}
		d = slices.DeleteFunc(slices.Clone(d), func(e types.DictEntry) bool { return slices.Contains(r.keys, fmt.Sprint(e.Key)) })
		for _, key := range r.keys {
			if v, ok := own.get(key); ok {
				d = append(d, types.DictEntry{Key: key, Value: v})
			}
		}
	}
	return d, nil
}

// sameIDs compares the ids of own features, where there are any, with the data set's.
func (l *layout) sameIDs(name string, own, d dict) error {
	found, ok1 := own.get("id")
	want, ok2 := d.get("id")
	if !ok1 || !ok2 {
		return nil
	}
	x, err1 := l.convert.texts(found)
	y, err2 := l.convert.texts(want)
	if err1 != nil || err2 != nil {
		return nil // the data set's are checked where they are used
	}
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return l.mismatch(fmt.Sprintf("%s: id: utterance %d", name, i), fmt.Sprintf("%.60q as in the data set", y[i]), fmt.Sprintf("%.60q", x[i]), "bring the features into its order")
		}
	}
	return nil
}
