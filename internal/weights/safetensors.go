package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/nlpodyssey/safetensors"
)

// maxHeader limits the size of a safetensors header in bytes; a thousand tensors need 100 KB.
const maxHeader = 2 << 20

// readSafetensors reads the header: its length in 8 bytes, then a JSON object with the type, shape
// and byte range of each tensor, relative to the end of the header. The tensors must fill the rest
// of the file without gaps.
func (f *File) readSafetensors(file io.ReaderAt, size int64) error {
	f.Format = "safetensors"
	fault := func(off int64, format string, args ...any) error {
		return fmt.Errorf("%s: byte %d: %s; the file is damaged, download it again", f.Path,
			off, fmt.Sprintf(format, args...))
	}
	head := make([]byte, 8)
	if _, err := file.ReadAt(head, 0); err != nil {
		return fault(0, "%v", err)
	}
	n := binary.LittleEndian.Uint64(head)
	if n > maxHeader || int64(n) > size-8 {
		return fault(0, "expected a header of at most %d bytes, found %d", min(maxHeader, size-8),
			n)
	}
	header := make([]byte, n)
	if _, err := file.ReadAt(header, 8); err != nil {
		return fault(8, "%v", err)
	}
	meta, err := parseHeader(header)
	if err != nil {
		return fault(8, "expected a header, found %.300s", err.Error())
	}
	maps.Copy(f.Meta, meta.Metadata())
	infos := meta.Tensors()
	names := slices.SortedFunc(maps.Keys(infos), func(a, b string) int {
		x, y := infos[a].DataOffsets, infos[b].DataOffsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(a, b))
	})
	start, end := 8+int64(n), uint64(0)
	for _, name := range names {
		info := infos[name]
		t := &Tensor{Type: DType(info.DType.String()), Shape: []int{}}
		for _, d := range info.Shape {
			t.Shape = append(t.Shape, int(min(d, 1<<62)))
		}
		if t.Type.Size() == 0 {
			return fault(8, "tensor %.60q: expected a type of %v, found %s",
				name, slices.Sorted(maps.Keys(sizes)), t.Type)
		}
		count, ok := elements(t.Shape, size)
		if from, to := info.DataOffsets[0], info.DataOffsets[1]; !ok || from != end || to < from ||
			to-from != uint64(count)*uint64(t.Type.Size()) {
			return fault(8,
				"tensor %.60q: expected %v from byte %d of the data, found bytes %d to %d",
				name, t, end, from, to)
		}
		t.data = io.NewSectionReader(file, start+int64(end), count*int64(t.Type.Size()))
		end = info.DataOffsets[1]
		if err := f.add(name, t); err != nil {
			return err
		}
	}
	if found := uint64(size - start); end != found {
		return fault(start, "expected %d bytes of data, found %d", end, found)
	}
	return nil
}

func parseHeader(text []byte) (meta safetensors.Metadata, err error) {
	if key := repeatedKey(text); key != "" {
		return meta, fmt.Errorf("the key %.60q twice", key)
	}
	err = json.Unmarshal(text, &meta)
	return meta, err
}

// repeatedKey returns the first key that occurs twice in an object of a JSON text, "" if there is
// none. [json.Unmarshal] would take the last value.
func repeatedKey(text []byte) string {
	type object map[string]bool // nil for an array
	var open []object
	key := false // whether the next string is a key
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if err != nil { // the end, or what Unmarshal reports
			return ""
		}
		switch token {
		case json.Delim('{'):
			open = append(open, object{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if name, ok := token.(string); ok && key {
				inside := open[len(open)-1]
				if inside[name] {
					return name
				}
				inside[name], key = true, false
				continue
			}
		}
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}
