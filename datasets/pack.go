package datasets

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/files"
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
// beside each other. Since they do not stay in memory, they are read three times: to check all of
// them before anything is written, for the hash, which is in the header at the start of out, and to
// copy them. Pack returns the warnings of [OpenWith]. If there is an error, out is not changed; it
// is one if o.Repad finds nothing to move.
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

// save writes the packed file, under another name until it is complete. It removes what killed
// processes have left beside it.
func (s *Set) save(out string) error {
	err := files.RemoveLeftovers(filepath.Dir(out), filepath.Base(out))
	if err == nil {
		err = files.Replace(out, func(f *os.File) error {
			w := bufio.NewWriterSize(f, 1<<20)
			return errors.Join(weights.Write(w, s.metadata(), s.entries()), w.Flush())
		})
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

// lazy returns an array whose elements stay in the pickle; ok is false if they cannot be read
// there row by row. If zeroed is not nil, -Inf is read as 0, as in [Open], and zeroed is called for
// each when it is read for the first time, row by row.
func lazy(v any, zeroed func()) (x numbers, ok bool) {
	a, ok := v.(*ndarray)
	if !ok || a.dtype == nil || !strings.ContainsRune("fiub", rune(a.dtype.kind)) {
		return nil, false
	}
	p := &pickled{dtype: a.dtype, zeroed: zeroed}
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
	zeroed         func() // nil to keep -Inf
	known          int    // elements before this one have been read
	shape, strides []int  // of a row; nil in row-major order
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
	if p.zeroed == nil {
		return nil
	}
	for i, v := range dst {
		if math.IsInf(float64(v), -1) {
			dst[i] = 0
			if first >= p.known {
				p.zeroed()
			}
		}
	}
	p.known = max(p.known, first+len(dst))
	return nil
}

// isPacked reports whether a file is a safetensors file and not a pickle: it begins with the
// length of a JSON object in 8 bytes, then the object. A pickle can begin with the length's lower
// bytes, 0x80 for instance, but it has no four zeros at the upper ones: 0 is not an opcode, and no
// argument of a dict's first opcodes has zeros there and '{' at byte 8.
func isPacked(path string) bool {
	f, err := files.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 9)
	n, _ := io.ReadFull(f, head)
	return n == 9 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= math.MaxUint32
}
