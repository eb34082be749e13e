package weights

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"golang.org/x/exp/mmap"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// A File is an open file of named tensors.
type File struct {
	Path   string
	Format string            // "safetensors", "PyTorch" or "PyTorch, legacy"
	Meta   map[string]string // metadata; for PyTorch the numbers and strings in the state dict

	tensors map[string]*Tensor
	names   []string
	close   func() error
}

// A Tensor is an array whose elements stay in the file until they are read.
type Tensor struct {
	Type  DType
	Shape []int

	data    *io.SectionReader // begins at the first element
	strides []int             // in elements; nil if row-major
}

// Open opens a file of tensors and reads its header. The file must not change until Close. It is
// an error if the file is damaged, of another format, or has classes that a state dict does not
// need.
func Open(path string) (*File, error) {
	if err := files.Check(path); err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	m, err := mmap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	f, err := read(path, m, int64(m.Len()))
	if err != nil {
		m.Close()
		return nil, err
	}
	f.close = m.Close
	return f, nil
}

// ReadHeader opens a file as [Open] does, reads its header and closes it again, whatever the size
// of the tensors. Of the result, Format, Meta, Names and each tensor's Type and Shape may be used;
// reading a tensor's elements is an error. The errors are those of Open.
func ReadHeader(path string) (*File, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	return f, f.Close()
}

// lfsPointer begins the text that Git LFS puts in the place of a file that is not downloaded.
const lfsPointer = "version https://git-lfs.github.com/"

// read detects the format by the first bytes: a zip archive, a pickle, or safetensors, which
// begins with the length of a JSON object, and reads the header.
func read(path string, file io.ReaderAt, size int64) (*File, error) {
	f := &File{Path: path, Meta: map[string]string{}, tensors: map[string]*Tensor{}}
	head := make([]byte, min(size, int64(len(lfsPointer))))
	if _, err := file.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte("PK")):
		err = f.readZip(file, size)
	case string(head) == lfsPointer:
		err = fmt.Errorf(
			"%s: expected weights, found a Git LFS pointer to them; run git lfs pull in its folder",
			path,
		)
	case len(head) > 8 && head[8] == '{':
		err = f.readSafetensors(file, size)
	case bytes.HasPrefix(head, []byte{0x80}):
		err = f.readLegacy(file, size)
	default:
		err = fmt.Errorf(
			"%s: expected safetensors or a file of torch.save, found %d bytes that begin with "+
				"%.9q; download the file again", path, size, head,
		)
	}
	return f, err
}

// add adds a tensor to the file. Its last element must lie within data.
func (f *File) add(name string, t *Tensor) error {
	if _, ok := f.tensors[name]; ok {
		return fmt.Errorf("%s: expected one tensor named %q, found two; save the file again",
			f.Path, name)
	}
	f.tensors[name] = t
	f.names = append(f.names, name)
	return nil
}

// Close closes the file. Reading a tensor's elements afterwards is an error.
func (f *File) Close() error { return f.close() }

// Names returns the names of the tensors in the order of the file.
func (f *File) Names() []string { return f.names }

// Tensor returns the tensor of the given name, or nil if there is none.
func (f *File) Tensor(name string) *Tensor { return f.tensors[name] }

// Len returns the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// String formats type and shape as "F32 [2 3]".
func (t *Tensor) String() string { return fmt.Sprintf("%s %v", t.Type, t.Shape) }

// Read fills dst with the elements first, first+1, … in row-major order, converted to float32. It
// panics if the tensor has fewer elements.
func (t *Tensor) Read(dst []float32, first int) error {
	if first < 0 || first > t.Len() || len(dst) > t.Len()-first {
		panic(fmt.Sprintf("weights: Read: %d elements from %d of %v", len(dst), first, t))
	}
	if t.strides != nil {
		return t.gather(dst, first)
	}
	size := t.Type.Size()
	raw := make([]byte, min(len(dst)*size, 1<<16))
	for len(dst) > 0 {
		n := min(len(dst), len(raw)/size)
		if err := t.at(raw[:n*size], first); err != nil {
			return err
		}
		t.Type.Decode(dst[:n], raw[:n*size])
		dst, first = dst[n:], first+n
	}
	return nil
}

// gather is Read for a tensor that is not row-major.
func (t *Tensor) gather(dst []float32, first int) error {
	index := make([]int, len(t.Shape))
	for k, rest := len(index)-1, first; k >= 0; k-- {
		index[k], rest = rest%t.Shape[k], rest/t.Shape[k]
	}
	raw := make([]byte, t.Type.Size())
	for i := range dst {
		at := 0
		for k, j := range index {
			at += j * t.strides[k]
		}
		if err := t.at(raw, at); err != nil {
			return err
		}
		t.Type.Decode(dst[i:i+1], raw)
		for k := len(index) - 1; k >= 0; k-- {
			if index[k]++; index[k] < t.Shape[k] {
				break
			}
			index[k] = 0
		}
	}
	return nil
}

// at fills raw with the bytes in the file that begin at element first.
func (t *Tensor) at(raw []byte, first int) error {
	if n, err := t.data.ReadAt(raw, int64(first)*int64(t.Type.Size())); n < len(raw) {
		return fmt.Errorf("weights: element %d of %v: %w", first, t, err)
	}
	return nil
}

// Floats returns all elements in row-major order, converted to float32.
func (t *Tensor) Floats() ([]float32, error) {
	x := make([]float32, t.Len())
	return x, t.Read(x, 0)
}

// Ints returns all elements of a row-major tensor of type I32.
func (t *Tensor) Ints() ([]int, error) {
	if t.Type != I32 || t.strides != nil {
		return nil, fmt.Errorf("weights: expected row-major I32, found %v", t)
	}
	raw := make([]byte, 4*t.Len())
	if err := t.at(raw, 0); err != nil {
		return nil, err
	}
	x := make([]int, t.Len())
	for i := range x {
		x[i] = int(int32(binary.LittleEndian.Uint32(raw[4*i:])))
	}
	return x, nil
}

// Bytes returns all elements of a row-major tensor of type U8.
func (t *Tensor) Bytes() ([]byte, error) {
	if t.Type != U8 || t.strides != nil {
		return nil, fmt.Errorf("weights: expected bytes, found %v", t)
	}
	raw := make([]byte, t.Len())
	return raw, t.at(raw, 0)
}

// elements returns the number of elements of a shape. ok is false if the number exceeds limit.
func elements(shape []int, limit int64) (n int64, ok bool) {
	if slices.Contains(shape, 0) {
		return 0, true
	}
	n = 1
	for _, d := range shape {
		if n > limit/int64(d) {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}
