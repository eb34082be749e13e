package datasets

import (
	"fmt"
	"os"
	"slices"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// Features names files whose features replace those of a data set, as the options -Ft, -Fa and -Fv
// of MMSA do. Each file is a pickle of train, valid and test, each a dict with text_bert, or with
// audio and audio_lengths, or with vision and vision_lengths. The sizes are taken from these
// files. If such a file has the key id, the ids must be those of the data set in the same order. A
// modality with an empty name is not replaced.
type Features struct{ Language, Audio, Vision string }

// A replacement is an opened file of Features.
type replacement struct {
	path string
	keys []string
	file *os.File
	size int64
	root dict
}

// replace opens the files of features that replace those of the data set.
func (l *layout) replace(with Features) error {
	for _, r := range []replacement{
		{path: with.Language, keys: []string{"text_bert"}},
		{path: with.Audio, keys: []string{"audio", "audio_lengths"}},
		{path: with.Vision, keys: []string{"vision", "vision_lengths"}},
	} {
		if r.path == "" {
			continue
		}
		if err := r.open(); err != nil {
			l.close()
			return err
		}
		l.replacements = append(l.replacements, r)
		l.convert.left += 4 * r.size
	}
	return nil
}

func (r *replacement) open() error {
	f, err := files.Open(r.path)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	r.file = f
	info, err := f.Stat()
	if err == nil {
		r.size = info.Size()
		var root any
		loader := unpickle.Loader{Name: r.path, Class: findClass}
		if root, _, err = loader.Load(f, 0, r.size); err == nil {
			var ok bool
			if r.root, ok = asDict(root); !ok {
				err = fmt.Errorf(
					"%s: expected a dict of train, valid and test, found %s; give features in "+
						"MMSA's layout", r.path, describe(root),
				)
			}
		}
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("datasets: %w", err)
	}
	return nil
}

// close closes the files that replace opened.
func (l *layout) close() {
	for _, r := range l.replacements {
		r.file.Close()
	}
	l.replacements = nil
}

// replaced returns the dict d of a split with the replaced features in it.
func (l *layout) replaced(name string, d dict) (dict, error) {
	for _, r := range l.replacements {
		file := &layout{path: r.path, convert: l.convert}
		features, err := file.find(r.root, name)
		if err != nil {
			return nil, err
		}
		if _, ok := features.get(r.keys[0]); !ok {
			return nil, file.mismatch(name, r.keys[0], features.keys(),
				"give features in MMSA's layout")
		}
		if err := file.sameIDs(name, features, d); err != nil {
			return nil, err
		}
		d = slices.DeleteFunc(slices.Clone(d), func(e types.DictEntry) bool {
			key, ok := e.Key.(string)
			return ok && slices.Contains(r.keys, key)
		})
		for _, key := range r.keys {
			if v, ok := features.get(key); ok {
				d = append(d, types.DictEntry{Key: key, Value: v})
			}
		}
	}
	return d, nil
}

// sameIDs checks that the ids of replacing features, if the file has ids, are those of the data
// set.
func (l *layout) sameIDs(name string, features, d dict) error {
	found, ok1 := features.get("id")
	want, ok2 := d.get("id")
	if !ok1 || !ok2 {
		return nil
	}
	x, _ := l.convert.texts(found)
	y, _ := l.convert.texts(want) // split reports an error in the data set's ids
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return l.mismatch(fmt.Sprintf("%s: id: utterance %d", name, i),
				fmt.Sprintf("%.60q as in the data set", y[i]), fmt.Sprintf("%.60q", x[i]),
				"save the features in the order of the data set")
		}
	}
	return nil
}
