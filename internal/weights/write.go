package weights

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// An Entry is a tensor to be written. Its function Write writes the elements, little-endian and
// row-major.
type Entry struct {
	Name  string
	Type  DType
	Shape []int
	Write func(w io.Writer) error
}

// bytes returns the number of bytes of the entry's elements.
func (e *Entry) bytes() int64 {
	n := int64(e.Type.Size())
	for _, d := range e.Shape {
		n *= int64(d)
	}
	return n
}

// Write writes tensors and metadata as a safetensors file. Tensors are ordered by decreasing size
// of their elements, so that each is aligned, then by name; equal contents give equal bytes. It is
// an error if an entry writes another number of bytes than its type and shape say. It panics if
// two tensors have the same name.
func Write(w io.Writer, meta map[string]string, entries []Entry) error {
	entries = slices.SortedFunc(slices.Values(entries), func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Type.Size(), a.Type.Size()), cmp.Compare(a.Name, b.Name))
	})
	type info struct {
		Type    DType    `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header := map[string]any{}
	if len(meta) > 0 {
		header["__metadata__"] = meta
	}
	end := int64(0)
	for _, e := range entries {
		if _, ok := header[e.Name]; ok {
			panic(fmt.Sprintf("weights: Write: two tensors are named %q", e.Name))
		}
		header[e.Name] = info{e.Type, append([]int{}, e.Shape...), [2]int64{end, end + e.bytes()}}
		end += e.bytes()
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("weights: header: %w", err)
	}
	for len(text)%8 > 0 {
		text = append(text, ' ')
	}
	if len(text) > maxHeader {
		return fmt.Errorf(
			"weights: expected a header of at most %d bytes, found %d: write fewer tensors or "+
				"less metadata", maxHeader, len(text),
		)
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))),
		text...)); err != nil {
		return err
	}
	for _, e := range entries {
		c := &counter{Writer: w}
		if err := e.Write(c); err != nil {
			return err
		}
		if c.n != e.bytes() {
			return errors.New("weights: " + e.Name +
				": " + fmt.Sprintf("expected %d bytes, %d were written", e.bytes(), c.n))
		}
	}
	return nil
}

// A counter counts the bytes that are written.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}
