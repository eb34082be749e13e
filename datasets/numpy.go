package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
	"github.com/seed-6655bf3b/recap/internal/weights"
)

// A call is a Python function or class that a pickle may call.
type call func(args []any) (any, error)

// Call implements gopickle's types.Callable.
func (f call) Call(args ...any) (any, error) { return f(args) }

// findClass returns the Go value for a Python class or function. Only those that pickled NumPy
// arrays need are allowed (numpy/core/multiarray.py and numeric.py, numpy._core since NumPy 2),
// and defaultdict. The values of others are opaque: they are an error only where they are needed.
func findClass(module, name string) (any, error) {
	switch strings.Replace(module, "numpy._core", "numpy.core", 1) + "." + name {
	case "numpy.dtype":
		return call(newDType), nil
	case "numpy.core.multiarray._reconstruct":
		return call(func([]any) (any, error) { return &ndarray{}, nil }), nil
	case "numpy.core.multiarray.scalar":
		return call(newScalar), nil
	case "numpy.core.numeric._frombuffer":
		return call(fromBuffer), nil
	case "_codecs.encode":
		return call(encode), nil
	case "__builtin__.bytes", "builtins.bytes":
		// the empty bytes object in protocols 0 to 2
		return call(func([]any) (any, error) { return []byte(nil), nil }), nil
	case "collections.defaultdict":
		return call(func([]any) (any, error) { return types.NewDict(), nil }), nil
	}
	if attacks(module, name) {
		return nil, &unpickle.ClassError{Module: module, Name: name}
	}
	return &unpickle.Opaque{Module: module, Name: name}, nil
}

// attacks reports whether a Python name is one that runs commands or code. It would not be called
// here; no data set has one, and the error warns of a file that attacks other readers.
func attacks(module, name string) bool {
	top, _, _ := strings.Cut(module, ".")
	switch top {
	case "os", "posix", "nt", "subprocess", "commands", "pty", "sys", "shutil", "socket", "code",
		"runpy", "importlib", "imp", "ctypes", "webbrowser", "pip":
		return true
	case "builtins", "__builtin__":
		switch name {
		case "eval", "exec", "execfile", "compile", "__import__", "open", "input", "breakpoint":
			return true
		}
	}
	return false
}

// latin1Text is a string, or a blob of a string, to be encoded as Latin-1. Protocols 0 to 2 store
// the bytes of an array this way.
type latin1Text struct{ text any }

func encode(args []any) (any, error) {
	if len(args) == 2 && args[1] == "latin1" {
		return latin1Text{args[0]}, nil
	}
	return nil, errors.New("_codecs.encode: expected a string and latin1")
}

// A dtype is NumPy's type of the elements of an array.
type dtype struct {
	kind  byte   // 'f', 'i', 'u', 'b' bool, 'U' UCS-4, 'S' bytes, 'O' object, 0 another
	size  int    // in bytes; of no meaning for objects and other types
	big   bool   // big-endian
	other string // name of another type, whose elements are not read
}

// newDType parses a type string such as "f4" or "<U12".
func newDType(args []any) (any, error) {
	var code string
	if len(args) > 0 {
		code, _ = args[0].(string)
	}
	d := &dtype{big: strings.HasPrefix(code, ">")}
	kind := strings.TrimLeft(code, "<>=|")
	if kind == "" {
		return nil, fmt.Errorf("expected a numpy type, found %.40q", code)
	}
	size, err := strconv.Atoi(kind[1:])
	d.kind, d.size = kind[0], size
	switch {
	case d.kind == 'O':
	case err == nil && d.kind == 'U' && 0 < size && size < 1<<20:
		d.size = 4 * size
	case err == nil && d.kind == 'S' && 0 < size && size < 1<<22:
	case kind == "b1", kind == "f2", kind == "f4", kind == "f8":
	case (d.kind == 'i' || d.kind == 'u') && (size == 1 || size == 2 || size == 4 || size == 8):
	default:
		*d = dtype{other: otherType(d.kind, code)}
	}
	return d, nil
}

func otherType(kind byte, code string) string {
	switch kind {
	case 'f':
		return "longdouble"
	case 'M':
		return "datetime64"
	case 'm':
		return "timedelta64"
	}
	return fmt.Sprintf("numpy type %.40q", code)
}

// PySetState implements gopickle's types.PyStateSettable: (version, byte order, subtype, names,
// fields, …).
func (d *dtype) PySetState(state any) error {
	t, ok := state.(*types.Tuple)
	if !ok || t.Len() < 5 {
		return errors.New("numpy type: expected a state of 5 parts or more")
	}
	if t.Get(2) != nil || t.Get(3) != nil || t.Get(4) != nil {
		*d = dtype{other: "structured type"}
	}
	d.big = t.Get(1) == ">"
	return nil
}

func (d *dtype) String() string {
	switch d.kind {
	case 'f':
		return fmt.Sprintf("float%d", 8*d.size)
	case 'i':
		return fmt.Sprintf("int%d", 8*d.size)
	case 'u':
		return fmt.Sprintf("uint%d", 8*d.size)
	case 'b':
		return "bool"
	case 'U':
		return "string"
	case 'S':
		return "bytes"
	case 'O':
		return "object"
	}
	return d.other
}

// An ndarray is a NumPy array, or if shape is empty a scalar, whose elements have not been
// converted.
type ndarray struct {
	shape   []int
	strides []int // in elements; nil in row-major order
	dtype   *dtype
	// *types.List of objects, or bytes: *unpickle.Blob, []byte, string, *types.ByteArray,
	// latin1Text
	data any
}

func newScalar(args []any) (any, error) {
	if len(args) == 2 {
		if d, ok := args[0].(*dtype); ok && d.kind != 'O' {
			return &ndarray{dtype: d, data: args[1]}, nil
		}
	}
	return nil, errors.New("numpy scalar: expected a type and bytes")
}

// fromBuffer takes (bytes, type, shape, order) or, since NumPy 2.3, (bytes, type, shape, "K",
// axes): an array in row-major order whose axes are then permuted.
func fromBuffer(args []any) (any, error) {
	if len(args) != 4 && len(args) != 5 {
		return nil, errors.New("numpy _frombuffer: expected 4 or 5 arguments")
	}
	a := &ndarray{}
	err := a.set(args[2], args[1], args[3] == "F", args[0])
	if err == nil && len(args) == 5 && args[3] == "K" && args[4] != nil {
		err = a.transpose(args[4])
	}
	return a, err
}

// PySetState implements gopickle's types.PyStateSettable: (version, shape, type, is Fortran,
// data).
func (a *ndarray) PySetState(state any) error {
	t, ok := state.(*types.Tuple)
	if !ok || t.Len() != 5 {
		return errors.New("numpy array: expected a state of 5 parts")
	}
	fortran := t.Get(3) == true || t.Get(3) == 1
	return a.set(t.Get(1), t.Get(2), fortran, t.Get(4))
}

func (a *ndarray) set(shape, kind any, fortran bool, data any) error {
	dims, ok1 := shape.(*types.Tuple)
	d, ok2 := kind.(*dtype)
	if o, ok := kind.(*unpickle.Opaque); ok {
		d, ok2 = &dtype{other: o.String()}, true
	}
	if !ok1 || !ok2 || dims.Len() > 8 {
		return errors.New("numpy array: expected a shape and a type")
	}
	a.shape, a.strides, a.dtype, a.data = nil, nil, d, data
	count := 1
	for _, dim := range *dims {
		n, ok := dim.(int)
		if !ok || n < 0 || n > 0 && count > maxElements/n {
			return errors.New(
				"numpy array: expected a shape of integers that some file could hold",
			)
		}
		if fortran && dims.Len() > 1 {
			a.strides = append(a.strides, count)
		}
		count *= n
		a.shape = append(a.shape, n)
	}
	return nil
}

// transpose permutes the axes of an array in row-major order: axis i becomes axes[i] of before.
func (a *ndarray) transpose(axes any) error {
	order, ok := axes.(*types.Tuple)
	if !ok || order.Len() != len(a.shape) {
		return fmt.Errorf("numpy array: expected an order of %d axes", len(a.shape))
	}
	before := make([]int, len(a.shape)) // strides
	for k, stride := len(a.shape)-1, 1; k >= 0; k-- {
		before[k] = stride
		stride *= a.shape[k]
	}
	shape, seen := make([]int, len(a.shape)), map[int]bool{}
	a.strides = make([]int, len(a.shape))
	for i, axis := range *order {
		k, ok := axis.(int)
		if !ok || k < 0 || k >= len(shape) || seen[k] {
			return fmt.Errorf("numpy array: expected each of the axes 0 to %d once, found others",
				len(shape)-1)
		}
		seen[k] = true
		shape[i], a.strides[i] = a.shape[k], before[k]
	}
	a.shape = shape
	return nil
}

// multiplied by the largest element size this does not overflow
const maxElements = min(math.MaxInt, 1<<40)

// len returns the number of elements.
func (a *ndarray) len() int {
	n := 1
	for _, dim := range a.shape {
		n *= dim
	}
	return n
}

func (a *ndarray) String() string {
	if a.dtype == nil {
		return "array without contents"
	}
	return fmt.Sprintf("%s %v", a.dtype, a.shape)
}

// open returns a reader of the array's bytes. It is an error if their number does not match the
// shape.
func (a *ndarray) open() (io.Reader, error) {
	want := int64(a.len()) * int64(a.dtype.size)
	var raw []byte
	var err error
	switch d := a.data.(type) {
	case *unpickle.Blob:
		if found := d.Size(); found != want {
			return nil, fmt.Errorf("%s of %d bytes with %d bytes of data", a, want, found)
		}
		return d.Reader(), nil
	case []byte:
		raw = d
	case string: // from Python 2
		raw = []byte(d)
	case *types.ByteArray:
		raw = *d
	case latin1Text:
		switch t := d.text.(type) {
		case string:
			raw, err = unpickle.Latin1([]byte(t))
		case *unpickle.Blob:
			if raw, err = t.Text(); err == nil {
				raw, err = unpickle.Latin1(raw)
			}
		}
	}
	if err == nil && int64(len(raw)) != want {
		err = fmt.Errorf("%s of %d bytes with %d bytes of data", a, want, len(raw))
	}
	return bytes.NewReader(raw), err
}

// decode converts the elements in raw to float32. dst and raw have the same number of elements.
func (d *dtype) decode(dst []float32, raw []byte) {
	var order binary.ByteOrder = binary.LittleEndian
	if d.big {
		order = binary.BigEndian
	}
	switch string(d.kind) + strconv.Itoa(d.size) {
	case "f4":
		for i := range dst {
			dst[i] = math.Float32frombits(order.Uint32(raw[4*i:]))
		}
	case "f8":
		for i := range dst {
			dst[i] = float32(math.Float64frombits(order.Uint64(raw[8*i:])))
		}
	case "f2":
		for i := range dst {
			dst[i] = weights.Half(order.Uint16(raw[2*i:]))
		}
	default:
		for i := range dst {
			if d.kind == 'i' {
				dst[i] = float32(d.signed(raw[d.size*i:]))
			} else {
				dst[i] = float32(d.unsigned(raw[d.size*i:]))
			}
		}
	}
}

// unsigned returns an element of an integer type as its bits say, without sign.
func (d *dtype) unsigned(raw []byte) uint64 {
	var order binary.ByteOrder = binary.LittleEndian
	if d.big {
		order = binary.BigEndian
	}
	switch d.size {
	case 1:
		return uint64(raw[0])
	case 2:
		return uint64(order.Uint16(raw))
	case 4:
		return uint64(order.Uint32(raw))
	}
	return order.Uint64(raw)
}

// signed returns an element of a signed integer type.
func (d *dtype) signed(raw []byte) int64 {
	unused := 64 - 8*d.size
	return int64(d.unsigned(raw)<<unused) >> unused
}
