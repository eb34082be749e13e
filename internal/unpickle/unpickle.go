// Package unpickle reads Python's pickles safely: no code in them is executed, every length is
// checked against the size of the file before use, and memory is limited by the size of the file.
//
// Reading order: unpickle.go, formats.go, opaque.go, blob.go, opcodes.go.
package unpickle

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/nlpodyssey/gopickle/pickle"
)

const maxString = 1024 // bytes of a string that is read at once; longer ones become blobs

// BaseMemory is the number of bytes of memory that a file of any size may need.
const BaseMemory = 64 << 20

// A Loader holds the functions that give meaning to the names in a pickle.
type Loader struct {
	Name string // of the file, for errors
	// Class returns the value for a Python class or function. If it is not allowed, it returns an
	// *Opaque or a *ClassError.
	Class func(module, name string) (any, error)
	// Persistent returns the value for a persistent id. It is nil for files without such ids.
	Persistent func(id any) (any, error)
}

// A scanner reads the opcodes of a pickle, checks their lengths and copies them to a program, with
// a persistent id in place of each blob. gopickle then runs the program: all lengths in it have
// been checked, and it contains no arrays.
type scanner struct {
	Loader
	file    *io.SectionReader
	r       *bufio.Reader
	off     int64 // in the file
	cost    int64 // bytes of memory that the program may need
	pushed  int64 // opcodes since items were put into a set
	program []byte
	blobs   []*Blob
	shifts  []shift
}

// A shift is a pair of corresponding offsets in program and file, after bytes that were not
// copied.
type shift struct{ program, file int64 }

// Load reads the pickle that begins at offset from of a file. It returns the value and the offset
// of the first byte after the pickle. Nothing in the file is executed: apart from
// collections.OrderedDict, list and dict, classes are what l.Class returns. Memory is limited to
// BaseMemory plus twice the size; strings longer than 1024 bytes are returned as a *Blob. An error
// gives the name of the file and the offset.
func (l *Loader) Load(file io.ReaderAt, from, size int64) (root any, end int64, err error) {
	w := &scanner{Loader: *l, file: io.NewSectionReader(file, 0, size), off: from,
		shifts: []shift{{0, from}}}
	w.r = bufio.NewReaderSize(w.file, 1<<16)
	w.seek()
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

// run executes the program with gopickle.
func (w *scanner) run() (root any, err error) {
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
		var r *ClassError
		if errors.As(err, &r) {
			return nil, fmt.Errorf("%s: %w", w.Name, r)
		}
		if errors.Is(err, errPersistent) {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
		return nil, fail(err)
	}
	return root, nil
}

// persistent returns the blob of an id that the scanner wrote, which is an integer, or the
// loader's value of another id.
func (w *scanner) persistent(id any) (any, error) {
	if i, ok := id.(int); ok && i >= 0 && i < len(w.blobs) {
		return w.blobs[i], nil
	}
	if w.Persistent == nil {
		return nil, errPersistent
	}
	return w.Persistent(id)
}

var errPersistent = errors.New("expected no persistent id, found one: some data are not in this " +
	"file; if it is of torch.save, convert tensors with .numpy() and save with pickle.dump")

// seek continues to read at w.off.
func (w *scanner) seek() {
	w.file.Seek(w.off, io.SeekStart) // an error only of a negative offset
	w.r.Reset(w.file)
}

// fault returns the error for a file that is no valid pickle.
func (w *scanner) fault(off int64, format string, args ...any) error {
	return w.refuse(off, fmt.Sprintf(format, args...),
		"the file is damaged or of another format; download it again")
}

// refuse returns the error for a pickle that is not read, with what to do.
func (w *scanner) refuse(off int64, what, advice string) error {
	return fmt.Errorf("%s: byte %d: %s; %s", w.Name, off, what, advice)
}

// cut returns the error for a file that ends before the next n bytes, which belong to the opcode
// at start.
func (w *scanner) cut(start int64, name string, n uint64) error {
	return w.refuse(start,
		fmt.Sprintf("%s: expected %d more bytes, found the end of the file after %d", name, n,
			w.file.Size()-w.off),
		fmt.Sprintf("the file ends after %d of at least %d bytes, download it again",
			w.file.Size(), uint64(w.off)+n))
}

// origin returns the offset in the file that corresponds to an offset in the program: the one
// before what was not copied there.
func (w *scanner) origin(program int64) int64 {
	i, _ := slices.BinarySearchFunc(w.shifts, program, func(s shift, at int64) int {
		return int(s.program - at)
	})
	s := w.shifts[i-1] // the first is at 0, and program is not
	return s.file + program - s.program
}

// step scans one opcode and reports whether it was STOP.
func (w *scanner) step() (stop bool, err error) {
	start := w.off
	head, err := w.take(start, "opcode", 1)
	if err != nil {
		return false, err
	}
	op := head[0]
	code := opcodes[op]
	if code.argument == unknown {
		if op == nextBuffer || op == readonlyBuffer {
			return false, w.refuse(start,
				"expected arrays in the file, found a buffer outside of it",
				"save it again without buffer_callback: pickle.dump(data, f, 4)")
		}
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
	w.pushed++
	if op == 0x90 || op == 0x91 { // each item of a set was pushed by an opcode of its own
		w.cost += memo * w.pushed
		w.pushed = 0
	}
	if limit := BaseMemory + 2*w.file.Size(); w.cost > limit {
		return false, w.refuse(start, fmt.Sprintf(
			"expected arrays, found small objects for more than %d MB of memory", limit>>20),
			"save lists of numbers as arrays: numpy.array(x, dtype='float32')")
	}
	return op == '.', nil
}

// take returns the next n bytes, which belong to the opcode at start. They are valid until the
// next call.
func (w *scanner) take(start int64, name string, n int) ([]byte, error) {
	if left := w.file.Size() - w.off; int64(n) > left {
		return nil, w.cut(start, name, uint64(n))
	}
	b, err := w.r.Peek(n)
	if err != nil {
		return nil, w.fault(w.off, "%v", err)
	}
	w.r.Discard(n)
	w.off += int64(n)
	return b, nil
}

// counted copies an argument that begins with its length, or replaces it by a blob.
func (w *scanner) counted(start int64, op byte) error {
	code := opcodes[op]
	arg, err := w.take(start, code.name, code.width())
	if err != nil {
		return err
	}
	var wide [8]byte
	copy(wide[:], arg)
	n, left := binary.LittleEndian.Uint64(wide[:]), w.file.Size()-w.off
	if n > uint64(left) {
		return w.cut(start, code.name, n)
	}
	switch integer := op == 0x8a || op == 0x8b; {
	case code.argument == frameSize: // a hint for reading ahead
		w.shifts = append(w.shifts, shift{int64(len(w.program)), w.off})
		return nil
	case integer && n == 0: // the integer 0, which gopickle does not support
		w.program = append(w.program[:len(w.program)-1], 'K', 0)
		w.shifts = append(w.shifts, shift{int64(len(w.program)), w.off})
		return nil
	case integer && n > 255:
		return w.fault(start, "%s: expected at most 255 bytes, found %d", code.name, n)
	case n > maxString:
		w.addBlob(op, int64(n))
		w.seek()
		return nil
	}
	w.program = append(w.program, wide[:code.width()]...)
	body, err := w.take(start, code.name, int(n))
	if err != nil {
		return err
	}
	return w.text(start, body)
}

// addBlob makes a blob of the next n bytes and replaces the opcode just copied by its persistent
// id.
func (w *scanner) addBlob(op byte, n int64) {
	w.blobs = append(w.blobs, &Blob{io.NewSectionReader(w.file, w.off, n), op})
	w.off += n
	w.program = append(w.program[:len(w.program)-1], 'J')
	w.program = binary.LittleEndian.AppendUint32(w.program, uint32(len(w.blobs)-1))
	w.program = append(w.program, 'Q')
	w.shifts = append(w.shifts, shift{int64(len(w.program)), w.off})
}

// text copies a string. gopickle itself defines array._array_reconstructor, which would allocate
// as much memory as the file asks for; that name is an error, as is joblib's module, which writes
// the elements of arrays between the opcodes.
func (w *scanner) text(start int64, s []byte) error {
	if string(s) == "joblib.numpy_pickle" {
		return w.refuse(start, "expected a pickle, found a file of joblib", joblibAdvice)
	}
	if bytes.Contains(s, []byte("_array_reconstructor")) {
		return fmt.Errorf("%s: byte %d: %w", w.Name,
			start, &ClassError{"array", "_array_reconstructor"})
	}
	w.program = append(w.program, s...)
	w.cost += 3 * int64(len(s))
	return nil
}

// readLine returns the next line without its newline.
func (w *scanner) readLine(start int64, name string, limit int) ([]byte, error) {
	s, err := w.r.ReadSlice('\n')
	if err == io.EOF {
		return nil, w.cut(start, name, uint64(len(s)+1))
	}
	if err != nil && err != bufio.ErrBufferFull {
		return nil, w.fault(w.off, "%v", err)
	}
	if err != nil || len(s)-1 > limit {
		return nil, w.fault(start, "%s: expected a line of at most %d bytes, found none",
			name, limit)
	}
	w.off += int64(len(s))
	return s[:len(s)-1], nil
}

// lines copies an argument of one or two lines.
func (w *scanner) lines(start int64, code opcode) error {
	n := 1
	if code.argument == twoLines {
		n = 2
	}
	for range n {
		s, err := w.readLine(start, code.name, maxString)
		if err != nil {
			return err
		}
		if code.argument == quoted && bytes.ContainsRune(s, '\\') {
			return w.refuse(start,
				code.name+": expected a string without escapes, found one of Python 2",
				"save the file with pickle protocol 2 or higher")
		}
		if err := w.text(start, s); err != nil {
			return err
		}
		w.program = append(w.program, '\n')
	}
	return nil
}

// unicode copies a line as BINUNICODE with its escapes decoded, or replaces it by a blob.
func (w *scanner) unicode(start int64) error {
	var n int64
	for {
		s, err := w.r.ReadSlice('\n')
		n += int64(len(s))
		if err == nil {
			break
		}
		if err == io.EOF {
			return w.cut(start, "UNICODE", uint64(n)+1)
		}
		if err != bufio.ErrBufferFull {
			return w.fault(w.off, "%v", err)
		}
	}
	if n-1 > maxString {
		w.addBlob('V', n-1)
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

// A ClassError is the error for a Python class or function that is not allowed.
type ClassError struct{ Module, Name string }

func (r *ClassError) Error() string {
	return fmt.Sprintf("expected arrays, lists and strings, found %.60s.%.60s; it was refused "+
		"and nothing was executed, "+
		"do not open this file elsewhere unless you trust it", r.Module, r.Name)
}
