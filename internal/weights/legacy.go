package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/big"

	"github.com/nlpodyssey/gopickle/types"
)

// legacyMagic begins a file of torch.save before version 1.6, as a pickled integer
// (torch/serialization.py).
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// readLegacy reads five pickles: a magic number, the version 1001, the properties of the machine,
// the state dict and the keys of its storages. After them follows each storage: its number of
// elements in 8 bytes, then the elements.
func (f *File) readLegacy(file io.ReaderAt, size int64) error {
	f.Format = "PyTorch, legacy"
	raw := map[string]*io.SectionReader{}
	t := newTorch(f, func(key string) *io.SectionReader { return raw[key] })
	var part [5]any
	var end int64
	for i := range part {
		var err error
		if part[i], end, err = t.load(f.Path, file, end, size); err != nil {
			return err
		}
		if magic, ok := part[0].(*big.Int); !ok || magic.Cmp(legacyMagic) != 0 {
			return fmt.Errorf(
				"%s: expected a file of torch.save, found another pickle; a feature file goes with --data", f.Path,
			)
		}
	}
	if machine, ok := part[2].(*types.Dict); ok {
		for _, e := range *machine {
			if e.Key == "little_endian" && e.Value != true {
				return fmt.Errorf(
					"%s: expected little-endian numbers, found others; save it on another machine",
					f.Path,
				)
			}
		}
	}
	keys, ok := part[4].(*types.List)
	if !ok {
		return fmt.Errorf(
			"%s: byte %d: expected the keys of storages, found something else; the file is "+
				"damaged, download it again", f.Path, end,
		)
	}
	for _, k := range *keys {
		key, _ := k.(string) // "" is not in t.types
		head := make([]byte, 8)
		if n, _ := file.ReadAt(head, end); n < 8 || t.types[key] == "" {
			return fmt.Errorf(
				"%s: byte %d: expected a storage of the state dict, found %.40q; the file is "+
					"damaged, download it again", f.Path, end, key,
			)
		}
		count, left := binary.LittleEndian.Uint64(head), size-end-8
		width := int64(t.types[key].Size())
		if count > uint64(left/width) {
			return fmt.Errorf(
				"%s: byte %d: storage %.40q: expected %d elements of %d bytes, found the end "+
					"of the file after %d bytes; download it again", f.Path, end, key, count,
				width, left,
			)
		}
		raw[key] = io.NewSectionReader(file, end+8, int64(count)*width)
		end += 8 + int64(count)*width
	}
	return t.collect(part[3], "", 0)
}
