// Package unpickle reads Python's pickles without trusting them: no code is run, no length is
// believed, and memory is bounded by the size of the file.
package unpickle

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/nlpodyssey/gopickle/pickle"
)

// A Blob is a long string or bytes that stays in the file until it is read.
type Blob struct {
	file   *io.SectionReader
	opcode byte // BINBYTES and the like, BINUNICODE (UTF-8) or UNICODE (escaped)
}

const longest = 1024 // bytes of a string that is read at once; longer ones become blobs

// Free is the memory, in bytes, that a file of any size may need.
const Free = 64 << 20

// A Loader says what a pickle's names mean.
type Loader struct {
	Name       string // of the file, for errors
	Class      func(module, name string) (any, error)
	Persistent func(id any) (any, error) // nil for files that have no persistent ids
}

// A walker reads the opcodes of a pickle and copies them, with a persistent id in place of each
// blob. So an unpickler that trusts lengths meets only such as were checked, and holds none of the
// arrays.
type walker struct {
	Loader
	file    *io.SectionReader
	r       *bufio.Reader
	off     int64 // in the file
	cost    int64 // bytes of memory that the program may need
	program []byte
	blobs   []*Blob
	shifts  []shift
}

// A shift says where the program goes on copying after it left something out.
type shift struct{ program, file int64 }

// Load reads the pickle that begins at byte from of a file, and returns what it holds and the byte
// after it. Of the file it executes nothing: classes come from l.Class alone, but for
// collections.OrderedDict, list and dict. Its memory is bounded by Free and twice the size; long
// strings stay in the file.
func (l *Loader) Load(file io.ReaderAt, from, size int64) (root any, end int64, err error) {
	w := &walker{Loader: *l, file: io.NewSectionReader(file, 0, size), off: from, shifts: []shift{{0, from}}}
	w.r = bufio.NewReaderSize(w.file, 1<<16)
	if err := w.seek(from); err != nil {
		return nil, 0, err
	}
	if err := w.begin(); err != nil {
		return nil, 0, err
	}
	for stop := false; !stop; {
		if stop, err = w.step(); err != nil {
			return nil, 0, err
		}
	}
	root, err = w.run()
	return root, w.off, err
}

// run unpickles the program.
func (w *walker) run() (root any, err error) {
	program := bytes.NewReader(w.program)
	fail := func(what any) error {
		return w.fault(w.origin(int64(len(w.program)-program.Len())), "%.300s", fmt.Sprint(what))
	}
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, fail(p)
		}
	}()
	u := pickle.NewUnpickler(program)
	u.FindClass = w.Class
	u.PersistentLoad = w.persistent
	if root, err = u.Load(); err != nil {
		var r *Refusal
		if errors.As(err, &r) {
			return nil, fmt.Errorf("%s: %w", w.Name, r)
		}
		return nil, fail(err)
	}
	return root, nil
}

// persistent returns the blob of an id that the walker made, which is an integer, or what the
// loader makes of another.
func (w *walker) persistent(id any) (any, error) {
	if i, ok := id.(int); ok && i >= 0 && i < len(w.blobs) {
		return w.blobs[i], nil
	}
	if w.Persistent == nil {
		return nil, errors.New("expected no persistent id, found one")
	}
	return w.Persistent(id)
}

func (w *walker) seek(off int64) error {
	w.off = off
	if _, err := w.file.Seek(off, io.SeekStart); err != nil {
		return fmt.Errorf("%s: %w", w.Name, err)
	}
	w.r.Reset(w.file)
	return nil
}

func (w *walker) fault(off int64, format string, args ...any) error {
	return fmt.Errorf("%s: byte %d: %s; the file is damaged or of another kind, get it anew", w.Name, off, fmt.Sprintf(format, args...))
}

// origin returns the place in the file of a place in the program.
func (w *walker) origin(program int64) int64 {
	i, found := slices.BinarySearchFunc(w.shifts, program, func(s shift, at int64) int { return int(s.program - at) })
	if !found {
		i--
	}
	if i < 0 {
		return program
	}
	return w.shifts[i].file + program - w.shifts[i].program
}

// begin tells a pickle from other files: it starts with PROTO, or in protocols 0 and 1 with a dict
// or a class.
func (w *walker) begin() error {
	head, err := w.r.Peek(int(min(w.file.Size()-w.off, 40)))
	switch {
	case w.file.Size() == 0:
		return fmt.Errorf("%s: expected a pickle, found an empty file; get it anew", w.Name)
	case w.file.Size() <= w.off:
		return w.fault(w.off, "expected a pickle, found the end of the file")
	case err != nil:
		return fmt.Errorf("%s: %w", w.Name, err)
	}
	if !bytes.Contains([]byte("\x80(}]c"), head[:1]) {
		return fmt.Errorf("%s: expected a pickle, found a file that begins with %q; give the .pkl file", w.Name, head)
	}
	return nil
}

// step walks over one opcode and reports whether it was STOP.
func (w *walker) step() (stop bool, err error) {
	start := w.off
	head, err := w.take(start, "opcode", 1)
	if err != nil {
		return false, err
	}
	op := head[0]
	code := opcodes[op]
	if code.argument == unknown {
		return false, w.fault(start, "expected an opcode, found 0x%02x", op)
	}
	if code.argument != frameSize {
		w.program = append(w.program, op)
	}
	switch code.argument {
	case nothing:
	case fixed1, fixed2, fixed4, fixed8:
		arg, err := w.take(start, code.name, code.width())
		if err != nil {
			return false, err
		}
		w.program = append(w.program, arg...)
	case counted1, counted4, counted8, frameSize:
		err = w.counted(start, op)
	case unicode:
		err = w.unicode(start)
	default:
		err = w.lines(start, code)
	}
	if err != nil {
		return false, err
	}
	w.cost += code.cost
	if limit := Free + 2*w.file.Size(); w.cost > limit {
		return false, w.fault(start, "expected arrays, found small objects for more than %d MB of memory", limit>>20)
	}
	return op == '.', nil
}

// take returns the next n bytes, of the opcode at start. They are good until the next call.
func (w *walker) take(start int64, name string, n int) ([]byte, error) {
	if left := w.file.Size() - w.off; int64(n) > left {
		return nil, w.fault(start, "%s: expected %d more bytes, found the end of the file after %d", name, n, left)
	}
	b, err := w.r.Peek(n)
	if err != nil {
		return nil, w.fault(w.off, "%v", err)
	}
	w.r.Discard(n)
	w.off += int64(n)
	return b, nil
}

// counted copies a counted argument, or keeps it as a blob.
func (w *walker) counted(start int64, op byte) error {
	code := opcodes[op]
	arg, err := w.take(start, code.name, code.width())
	if err != nil {
		return err
	}
	var wide [8]byte
	copy(wide[:], arg)
	n, left := binary.LittleEndian.Uint64(wide[:]), w.file.Size()-w.off
	if n > uint64(left) {
		return w.fault(start, "%s: expected %d more bytes, found the end of the file after %d", code.name, n, left)
	}
	switch integer := op == 0x8a || op == 0x8b; {
	case code.argument == frameSize: // frames only help to read ahead
		w.shifts = append(w.shifts, shift{int64(len(w.program)), w.off})
		return nil
	case integer && n == 0: // means 0, which gopickle does not know
		w.program = append(w.program[:len(w.program)-1], 'K', 0)
		w.shifts = append(w.shifts, shift{int64(len(w.program)), w.off})
		return nil
	case integer && n > 255:
		return w.fault(start, "%s: expected at most 255 bytes, found %d", code.name, n)
	case n > longest:
		w.keep(op, int64(n))
		return w.seek(w.off)
	}
	w.program = append(w.program, wide[:code.width()]...)
	body, err := w.take(start, code.name, int(n))
	if err != nil {
		return err
	}
	return w.text(start, body)
}

// keep makes a blob of the next n bytes, and its persistent id of the opcode just copied.
func (w *walker) keep(op byte, n int64) {
	w.blobs = append(w.blobs, &Blob{io.NewSectionReader(w.file, w.off, n), op})
	w.off += n
	w.program = append(w.program[:len(w.program)-1], 'J')
	w.program = binary.LittleEndian.AppendUint32(w.program, uint32(len(w.blobs)-1))
	w.program = append(w.program, 'Q')
	w.shifts = append(w.shifts, shift{int64(len(w.program)), w.off})
}

// text copies a string. One names a function of gopickle's own, which would allocate by what the
// file says.
func (w *walker) text(start int64, s []byte) error {
	if bytes.Contains(s, []byte("_array_reconstructor")) {
		return fmt.Errorf("%s: byte %d: %w", w.Name, start, &Refusal{"array", "_array_reconstructor"})
	}
	w.program = append(w.program, s...)
	w.cost += 3 * int64(len(s))
	return nil
}

// readLine returns the next line without its newline.
func (w *walker) readLine(start int64, name string, limit int) ([]byte, error) {
	s, err := w.r.ReadSlice('\n')
	if err != nil || len(s)-1 > limit {
		return nil, w.fault(start, "%s: expected a line of at most %d bytes, found none", name, limit)
	}
	w.off += int64(len(s))
	return s[:len(s)-1], nil
}

// lines copies an argument of one or two lines.
func (w *walker) lines(start int64, code opcode) error {
	n := 1
	if code.argument == twoLines {
		n = 2
	}
	for range n {
		s, err := w.readLine(start, code.name, longest)
		if err != nil {
			return err
		}
		if code.argument == quoted && bytes.ContainsRune(s, '\\') {
			return w.fault(start, "%s: expected a string without escapes, found one of Python 2; save the file with pickle protocol 2 or higher", code.name)
		}
		if err := w.text(start, s); err != nil {
			return err
		}
		w.program = append(w.program, '\n')
	}
	return nil
}

// unicode copies a line as BINUNICODE without its escapes, or keeps it as a blob.
func (w *walker) unicode(start int64) error {
	var n int64
	for {
		s, err := w.r.ReadSlice('\n')
		n += int64(len(s))
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			return w.fault(start, "UNICODE: expected a line, found the end of the file")
		}
	}
	if n-1 > longest {
		w.keep('V', n-1)
		w.off++ // newline
		w.shifts[len(w.shifts)-1].file++
		return nil
	}
	raw := make([]byte, n-1)
	if _, err := w.file.ReadAt(raw, w.off); err != nil {
		return w.fault(start, "%v", err)
	}
	w.off += n
	s := unescape(raw)
	w.program[len(w.program)-1] = 'X'
	w.program = binary.LittleEndian.AppendUint32(w.program, uint32(len(s)))
	err := w.text(start, s)
	w.shifts = append(w.shifts, shift{int64(len(w.program)), w.off})
	return err
}

// unescape makes UTF-8 of Python's raw-unicode-escape: Latin-1 with \uXXXX and \UXXXXXXXX.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		r, n := rune(s[0]), 1
		if r == '\\' && len(s) > 1 {
			switch s[1] {
			case 'u':
				n = 6
			case 'U':
				n = 10
			}
			v, err := strconv.ParseUint(string(s[min(2, n):min(n, len(s))]), 16, 32)
			if err != nil {
				n = 1
			} else {
				r = rune(v)
			}
		}
		out = utf8.AppendRune(out, r)
		s = s[min(n, len(s)):]
	}
	return out
}

// Size returns the bytes that the string has in the file.
func (b *Blob) Size() int64 { return b.file.Size() }

// Reader returns a reader of the string as it is in the file.
func (b *Blob) Reader() *io.SectionReader { return io.NewSectionReader(b.file, 0, b.file.Size()) }

// Text returns the string in UTF-8.
func (b *Blob) Text() ([]byte, error) {
	raw := make([]byte, b.file.Size())
	if _, err := b.file.ReadAt(raw, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if b.opcode == 'V' {
		return unescape(raw), nil
	}
	return raw, nil
}

// Latin1 encodes UTF-8 as Python's _codecs.encode(s, "latin1") does.
func Latin1(s []byte) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r > 0xff {
			return nil, fmt.Errorf("expected Latin-1, found %q", r)
		}
		out = append(out, byte(r))
		s = s[n:]
	}
	return out, nil
}

// A Refusal is the error for a class that the files read here do not need.
type Refusal struct{ Module, Name string }

func (r *Refusal) Error() string {
	return fmt.Sprintf("expected arrays, lists and strings, found %.60s.%.60s; it was refused and nothing was executed, "+
		"do not open this file elsewhere unless you trust it", r.Module, r.Name)
}
