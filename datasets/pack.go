package datasets

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
	"github.com/seed-6655bf3b/recap/internal/weights"
)

// packFormat is the metadata's format of a packed data set.
const packFormat = "recap data set 1"

// Pack converts the data set in the file in, read as by [OpenWith], to a safetensors file
// out. [Open] maps such a file into memory and leaves the frames there until a
// batch reads them, so that opening takes the same time for any size. Training on it gives the
// same bits. It has for each split
//
//	SPLIT.text.id, SPLIT.text.segment        I32 [N T_l]
//	SPLIT.text.mask                          F32 [N T_l]
//	SPLIT.audio, SPLIT.vision                F32 [N T D]
//	SPLIT.audio.length, SPLIT.vision.length  I32 [N]
//	SPLIT.label                              F32 [N]
//	SPLIT.id, SPLIT.raw_text                 U8, the strings of all utterances concatenated
//	SPLIT.id.length, SPLIT.raw_text.length   I32 [N], the length of each string in bytes
//
// and the set's name, range of labels and hash as metadata. Frames are copied utterance by utterance, so
// that a file larger than memory can be packed, unless its arrays are of pickle protocol 2 or
// lower, of objects, or in Fortran or another order in which the elements of an utterance are not
// beside each other. It returns the warnings of [OpenWith]. If there is an error, out is not
// changed; it is one if o.Repad finds nothing to move.
func Pack(in, out string, o Options) (warnings []string, err error) {
	if same(in, out) {
		return nil, fmt.Errorf(
			"datasets: pack: expected different files for input and result, found %s for both; "+
				"give the result another name", in,
		)
	}
	err = withFile(in, func(f io.ReaderAt, size int64) error {
		l, root, err := newLayout(in, f, size, o)
		if err != nil {
			return err
		}
		defer l.close()
		l.lazily = true
		set, err := l.set(root)
		if err != nil {
			return err
		}
		if o.Repad && l.moved == 0 {
			return fmt.Errorf("datasets: %s: expected padding at the front, found none; leave "+
				"out --repad", in)
		}
		warnings = set.Warnings
		return set.save(out)
	})
	return warnings, err
}

// save writes the packed file, under another name until it is complete.
func (s *Set) save(out string) error {
	tmp, err := os.CreateTemp(filepath.Dir(out), filepath.Base(out)+".*")
	if err != nil {
		return fmt.Errorf("datasets: pack: %w", err)
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriterSize(tmp, 1<<20)
	err = errors.Join(weights.Write(w, s.metadata(), s.entries()), w.Flush(),
		tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), out)
	}
	if err != nil {
		return fmt.Errorf("datasets: pack %s: %w", out, err)
	}
	return nil
}

func same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// IsPacked reports whether a safetensors file with this metadata is a data set that [Pack] wrote.
func IsPacked(meta map[string]string) bool { return meta["format"] == packFormat }

func (s *Set) metadata() map[string]string {
	return map[string]string{"format": packFormat, "name": s.Name, "hash": s.Hash(),
		"lowest":  strconv.FormatFloat(s.Range[0], 'g', -1, 64),
		"highest": strconv.FormatFloat(s.Range[1], 'g', -1, 64)}
}

// entries returns the set's arrays for weights.Write.
func (s *Set) entries() []weights.Entry {
	var all []weights.Entry
	for i, p := range s.splits() {
		add := func(name string, d weights.DType, write func(w io.Writer) error, shape ...int) {
			all = append(all,
				weights.Entry{Name: splitNames[i] + "." + name, Type: d, Shape: shape,
					Write: write})
		}
		n := p.Len()
		add("text.id", weights.I32, integerArray(p.Language.ID), n, p.Language.T)
		add("text.segment", weights.I32, integerArray(p.Language.Segment), n, p.Language.T)
		add("text.mask", weights.F32, array(p.Language.Mask), n, p.Language.T)
		add("label", weights.F32, array(p.Label), n)
		for _, m := range []struct {
			name string
			*Frames
		}{{"audio", &p.Audio}, {"vision", &p.Vision}} {
			add(m.name, weights.F32, m.write, n, m.T, m.D)
			add(m.name+".length", weights.I32, integerArray(m.Len), n)
		}
		for _, m := range []struct {
			name  string
			texts []string
		}{{"id", p.ID}, {"raw_text", p.RawText}} {
			if m.texts == nil {
				continue
			}
			text := strings.Join(m.texts, "")
			add(m.name, weights.U8, array([]byte(text)), len(text))
			add(m.name+".length", weights.I32, integerArray(lengths(m.texts)), n)
		}
	}
	return all
}

func lengths(texts []string) []int {
	x := make([]int, len(texts))
	for i, t := range texts {
		x[i] = len(t)
	}
	return x
}

// array returns a function that writes numbers, for weights.Entry.
func array[E byte | int32 | float32](x []E) func(io.Writer) error {
	return func(w io.Writer) error { return binary.Write(w, binary.LittleEndian, x) }
}

// integerArray returns a function that writes integers as I32.
func integerArray(x []int) func(io.Writer) error {
	return func(w io.Writer) error {
		narrow := make([]int32, len(x))
		for i, v := range x {
			narrow[i] = int32(v)
		}
		return array(narrow)(w)
	}
}

// write writes the frames, one utterance after the other.
func (f *Frames) write(w io.Writer) error {
	row := make([]float32, f.T*f.D)
	raw := make([]byte, 4*len(row))
	for i := range f.Len {
		f.Row(row, i)
		for j, v := range row {
			binary.LittleEndian.PutUint32(raw[4*j:], math.Float32bits(v))
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	return nil
}

// A packed reads a file that Pack wrote.
type packed struct {
	*weights.File
	err error // the first error
}

// openPacked opens a file that Pack wrote. The file stays open as long as the set is in use.
func openPacked(path, name string) (*Set, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, fmt.Errorf("datasets: %w", err)
	}
	p := &packed{File: f}
	set := &Set{Name: cmp.Or(name, f.Meta["name"]), hash: f.Meta["hash"]}
	if !IsPacked(f.Meta) {
		p.fail("expected a data set of recap data pack, format %q, found %.40q; pack the "+
			"features again", packFormat, f.Meta["format"])
	}
	for i, key := range []string{"lowest", "highest"} {
		v, err := strconv.ParseFloat(f.Meta[key], 64)
		if err != nil {
			p.fail("%s label: expected a number, found %.40q; pack the features again", key,
				f.Meta[key])
		}
		set.Range[i] = v
	}
	for i, to := range []**Split{&set.Train, &set.Valid, &set.Test} {
		*to = p.split(splitNames[i])
		if p.err == nil && (*to).Shape() != set.Train.Shape() {
			p.fail("%s: expected the shape of train, %v, found %v; pack the features again",
				splitNames[i], set.Train.Shape(), (*to).Shape())
		}
	}
	if p.err == nil {
		if name != "" {
			set.Range = labelRange(name, set.splits()...)
		}
		// Pack has inspected the frames of a file with a hash
		found := set.inspect(set.hash == "")
		p.err, set.Warnings = found.refuse(path), found.warnings
	}
	if p.err != nil {
		f.Close()
		return nil, p.err
	}
	return set, nil
}

func (p *packed) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("datasets: %s: %s", p.Path, fmt.Sprintf(format, args...))
	}
}

// tensor returns the tensor of the given name, which must have the given type, rank and number of
// rows n, where -1 allows any number. It returns nil after an error.
func (p *packed) tensor(name string, d weights.DType, rank, n int) *weights.Tensor {
	t := p.Tensor(name)
	switch {
	case p.err != nil:
		return nil
	case t == nil:
		p.fail("expected tensor %s, found none; pack the features again", name)
		return nil
	case t.Type != d || len(t.Shape) != rank || n >= 0 && t.Shape[0] != n || t.Len() == 0 &&
		d != weights.U8:
		p.fail("tensor %s: expected %s of rank %d with %d rows, found %v; pack the features again",
			name, d, rank, n, t)
		return nil
	}
	return t
}

// floats reads a tensor of type F32.
func (p *packed) floats(name string, rank, n int) ([]float32, []int) {
	t := p.tensor(name, weights.F32, rank, n)
	if t == nil {
		return nil, make([]int, rank)
	}
	x, err := t.Floats()
	if err != nil {
		p.fail("%v", err)
	}
	return x, t.Shape
}

// integers reads a tensor of type I32 whose elements lie between lo and hi.
func (p *packed) integers(name string, rank, n, lo, hi int) ([]int, []int) {
	t := p.tensor(name, weights.I32, rank, n)
	if t == nil {
		return nil, make([]int, rank)
	}
	x, err := t.Ints()
	if err != nil {
		p.fail("%v", err)
	}
	for _, v := range x {
		if v < lo || v > hi {
			p.fail("%s: expected numbers from %d to %d, found %d; pack the features again",
				name, lo, hi, v)
		}
	}
	return x, t.Shape
}

func (p *packed) split(name string) *Split {
	s := &Split{}
	ids, shape := p.integers(name+".text.id", 2, -1, 0, maxID)
	n, steps := shape[0], shape[1]
	segments, second := p.integers(name+".text.segment", 2, n, 0, maxID)
	mask, third := p.floats(name+".text.mask", 2, n)
	if p.err == nil && (second[1] != steps || third[1] != steps) {
		p.fail("%s.text: expected %d tokens in ids, segments and mask, found %d and %d; pack "+
			"the features again", name, steps, second[1], third[1])
	}
	s.Language = Tokens{T: steps, ID: ids, Mask: mask, Segment: segments}
	s.Audio, s.Vision = p.frames(name+".audio", n), p.frames(name+".vision", n)
	s.Label, _ = p.floats(name+".label", 1, n)
	s.ID = p.texts(name+".id", n)
	if p.Tensor(name+".raw_text") != nil {
		s.RawText = p.texts(name+".raw_text", n)
	}
	return s
}

func (p *packed) frames(name string, n int) Frames {
	t := p.tensor(name, weights.F32, 3, n)
	if t == nil {
		return Frames{}
	}
	f := Frames{T: t.Shape[1], D: t.Shape[2], file: t, fileSteps: t.Shape[1]}
	f.Len, _ = p.integers(name+".length", 1, n, 1, f.T)
	return f
}

func (p *packed) texts(name string, n int) []string {
	t := p.tensor(name, weights.U8, 1, -1)
	if t == nil {
		return nil
	}
	raw, err := t.Bytes()
	if err != nil {
		p.fail("%v", err)
		return nil
	}
	length, _ := p.integers(name+".length", 1, n, 0, len(raw))
	if p.err != nil {
		return nil
	}
	all, texts, at := string(raw), make([]string, n), 0
	for i, v := range length {
		if v > len(all)-at {
			p.fail("%s.length: expected numbers from 0 to %d, found %v; pack the features again",
				name, len(all)-at, v)
			return nil
		}
		texts[i], at = all[at:at+v], at+v
	}
	return texts
}

// lazy returns an array whose elements stay in the pickle; ok is false if they cannot be read
// there row by row. With zeroInf, -Inf is read as 0, as in [Open].
func lazy(v any, zeroInf bool) (x numbers, ok bool) {
	a, ok := v.(*ndarray)
	if !ok || a.dtype == nil || !strings.ContainsRune("fiub", rune(a.dtype.kind)) {
		return nil, false
	}
	p := &pickled{dtype: a.dtype, zeroInf: zeroInf}
	if a.strides != nil {
		if len(a.shape) < 2 || a.shape[0] == 0 || a.strides[0] != a.len()/a.shape[0] {
			return nil, false
		}
		p.shape, p.strides = a.shape[1:], a.strides[1:]
	}
	b, ok := a.data.(*unpickle.Blob)
	if !ok || b.Size() != int64(a.len())*int64(a.dtype.size) {
		return nil, false
	}
	p.file = b.Reader()
	return p, true
}

// A pickled is an array whose elements are in a pickle.
type pickled struct {
	dtype          *dtype
	file           io.ReaderAt
	zeroInf        bool
	shape, strides []int // of a row; nil in row-major order
	raw            []byte
	stored         []float32
}

// Read implements numbers. Unless the array is in row-major order, it reads one row.
func (p *pickled) Read(dst []float32, first int) error {
	p.raw = resize(p.raw, len(dst)*p.dtype.size)
	if n, err := p.file.ReadAt(p.raw, int64(first)*int64(p.dtype.size)); n < len(p.raw) {
		return err
	}
	p.dtype.decode(dst, p.raw)
	if p.strides != nil {
		p.stored = append(p.stored[:0], dst...)
		rowMajor(dst, p.stored, p.shape, p.strides)
	}
	if p.zeroInf {
		for i, v := range dst {
			if math.IsInf(float64(v), -1) {
				dst[i] = 0
			}
		}
	}
	return nil
}

// isPacked reports whether a file is a safetensors file and not a pickle: it begins with the
// length of a JSON object in 8 bytes, then the object. A pickle can begin with the length's lower
// bytes, 0x80 for instance, but it has no four zeros at the upper ones: 0 is not an opcode, and no
// argument of a dict's first opcodes has zeros there and '{' at byte 8.
func isPacked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 9)
	n, _ := io.ReadFull(f, head)
	return n == 9 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= math.MaxUint32
}
