package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// OpenIndex opens a model that Hugging Face's libraries saved in several files of tensors (shards).
// path is its index, a JSON object whose weight_map has the name of the file in the same folder for
// each tensor. Every tensor of the index must be in its file.
func OpenIndex(path string) (*File, error) {
	index, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	all := &File{Path: path, Meta: map[string]string{}, tensors: map[string]*Tensor{}}
	var shards []*File
	all.close = func() (err error) {
		for _, f := range shards {
			err = errors.Join(err, f.Close())
		}
		return err
	}
	opened := map[string]*File{}
	for _, tensor := range slices.Sorted(maps.Keys(index)) {
		name := index[tensor]
		f := opened[name]
		if f == nil {
			if f, err = Open(filepath.Join(filepath.Dir(path), name)); err != nil {
				all.close()
				return nil, fmt.Errorf("%s: weight_map: %w", path, err)
			}
			shards, opened[name] = append(shards, f), f
			all.Format = f.Format
		}
		t := f.Tensor(tensor)
		if t == nil {
			all.close()
			return nil, fmt.Errorf(
				"%s: weight_map: expected the tensor %.60q in %s, found %d tensors without it; "+
					"download both again", path, tensor, name, len(f.Names()),
			)
		}
		all.tensors[tensor], all.names = t, append(all.names, tensor)
	}
	return all, nil
}

// readIndex returns the name of the file of each tensor.
func readIndex(path string) (map[string]string, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	defer f.Close()
	var index struct {
		Files map[string]string `json:"weight_map"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxHeader)).Decode(&index); err != nil {
		return nil, fmt.Errorf("%s: expected an index of tensors, found %w; download it again",
			path, err)
	}
	for tensor, name := range index.Files {
		if name != filepath.Base(name) || !filepath.IsLocal(name) {
			return nil, fmt.Errorf(
				"%s: weight_map: %.60q: expected a file in the same folder, found %.60q; "+
					"download the index again", path, tensor, name,
			)
		}
	}
	return index.Files, nil
}
