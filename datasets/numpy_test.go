package datasets

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// TestEmptyValuesOfClasses calls the classes that write an empty value: bytes, in protocols 0 to 2,
// and a defaultdict.
func TestEmptyValuesOfClasses(t *testing.T) {
	for _, c := range []struct {
		module, name string
		want         any
	}{{"__builtin__", "bytes", []byte(nil)}, {"builtins", "bytes", []byte(nil)},
		{"collections", "defaultdict", types.NewDict()}} {
		class, err := findClass(c.module, c.name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := class.(types.Callable).Call()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s.%s: %#v, %v, want %#v", c.module, c.name, got, err, c.want)
		}
	}
}

// TestTypesOfArrays has each type string that NumPy writes, and what is not read.
func TestTypesOfArrays(t *testing.T) {
	for _, c := range []struct {
		code string
		want dtype
		name string
	}{
		{"f2", dtype{kind: 'f', size: 2}, "float16"}, {"<f4", dtype{kind: 'f', size: 4}, "float32"},
		{">f8", dtype{kind: 'f', size: 8, big: true}, "float64"},
		{"i1", dtype{kind: 'i', size: 1}, "int8"}, {"i2", dtype{kind: 'i', size: 2}, "int16"},
		{"=i4", dtype{kind: 'i', size: 4}, "int32"}, {"i8", dtype{kind: 'i', size: 8}, "int64"},
		{"u1", dtype{kind: 'u', size: 1}, "uint8"}, {"u8", dtype{kind: 'u', size: 8}, "uint64"},
		{"|b1", dtype{kind: 'b', size: 1}, "bool"},
		{"U1", dtype{kind: 'U', size: 4}, "string"},
		{"U1048575", dtype{kind: 'U', size: 4 * 1048575}, "string"},
		{"S1", dtype{kind: 'S', size: 1}, "bytes"},
		{"S4194303", dtype{kind: 'S', size: 4194303}, "bytes"},
		{"O8", dtype{kind: 'O', size: 8}, "object"}, {"O", dtype{kind: 'O'}, "object"},
		{"f16", dtype{other: "longdouble"}, "longdouble"},
		{"<M8[ns]", dtype{other: "datetime64"}, "datetime64"},
		{"m8[s]", dtype{other: "timedelta64"}, "timedelta64"},
		{"U1048576", dtype{other: `numpy type "U1048576"`}, `numpy type "U1048576"`},
		{"S4194304", dtype{other: `numpy type "S4194304"`}, `numpy type "S4194304"`},
		{"U0", dtype{other: `numpy type "U0"`}, `numpy type "U0"`},
		{"S0", dtype{other: `numpy type "S0"`}, `numpy type "S0"`},
		{"i3", dtype{other: `numpy type "i3"`}, `numpy type "i3"`},
		{">c8", dtype{other: `numpy type ">c8"`}, `numpy type ">c8"`},
		{"Sx", dtype{other: `numpy type "Sx"`}, `numpy type "Sx"`},
	} {
		v, err := newDType([]any{c.code, true})
		d, ok := v.(*dtype)
		if err != nil || !ok || *d != c.want || d.String() != c.name {
			t.Errorf("%s: %+v, want %+v, %s: %v", c.code, v, c.want, c.name, err)
		}
	}
	for _, args := range [][]any{nil, {}, {7}, {"<"}, {""}} {
		if v, err := newDType(args); err == nil ||
			!strings.HasPrefix(err.Error(), "expected a numpy type, found \"") {
			t.Errorf("%v: %v, %v", args, v, err)
		}
	}
}

// TestNamesThatAreRefused are those that run code; others are opaque.
func TestNamesThatAreRefused(t *testing.T) {
	for _, name := range strings.Fields("os.system posix.x nt.x subprocess.Popen commands.x " +
		"pty.x sys.x shutil.x socket.x code.x runpy.x importlib.x imp.x ctypes.x webbrowser.x " +
		"pip.main os.path.join importlib.util.x builtins.eval builtins.exec builtins.execfile " +
		"builtins.compile builtins.__import__ builtins.open builtins.input builtins.breakpoint " +
		"__builtin__.eval") {
		at := strings.LastIndexByte(name, '.')
		v, err := findClass(name[:at], name[at+1:])
		var refused *unpickle.ClassError
		if !errors.As(err, &refused) || refused.Module+"."+refused.Name != name {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	for _, name := range strings.Fields("builtins.set builtins.slice osx.system a.os.system " +
		"eval.x pandas.Series numpy.ndarray") {
		at := strings.LastIndexByte(name, '.')
		v, err := findClass(name[:at], name[at+1:])
		if o, ok := v.(*unpickle.Opaque); !ok || err != nil || o.String() != name {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// TestStatesOfArrays gives NumPy's objects states and arguments of other numbers and types.
func TestStatesOfArrays(t *testing.T) {
	f2 := &dtype{kind: 'f', size: 2}
	state := func(v ...any) *types.Tuple { return types.NewTupleFromSlice(v) }
	shape := func(dims ...any) *types.Tuple { return types.NewTupleFromSlice(dims) }
	foreign := &unpickle.Opaque{Module: "ml_dtypes", Name: "bfloat16"}
	fortran := &ndarray{shape: []int{2, 3}, strides: []int{1, 2}, dtype: f2, data: "x"}
	eight := shape(1, 1, 1, 1, 1, 1, 1, 1)
	for _, c := range []struct {
		state any
		want  *ndarray // nil for an error
		text  string
	}{
		{state(1, shape(2, 3), f2, false, "x"),
			&ndarray{shape: []int{2, 3}, dtype: f2, data: "x"}, "float16 [2 3]"},
		{state(1, shape(2, 3), f2, true, "x"), fortran, "float16 [2 3]"},
		{state(1, shape(2, 3), f2, 1, "x"), fortran, "float16 [2 3]"},
		{state(1, shape(3), f2, true, "x"),
			&ndarray{shape: []int{3}, dtype: f2, data: "x"}, "float16 [3]"},
		{state(1, shape(0, 3), f2, 0, "x"),
			&ndarray{shape: []int{0, 3}, dtype: f2, data: "x"}, "float16 [0 3]"},
		{state(1, shape(), f2, false, "x"), &ndarray{dtype: f2, data: "x"}, "float16 []"},
		{state(1, eight, f2, false, nil),
			&ndarray{shape: []int{1, 1, 1, 1, 1, 1, 1, 1}, dtype: f2}, "float16 [1 1 1 1 1 1 1 1]"},
		{state(1, shape(2), foreign, false, "x"), &ndarray{shape: []int{2},
			dtype: &dtype{other: "ml_dtypes.bfloat16"}, data: "x"}, "ml_dtypes.bfloat16 [2]"},
		{state(1, shape(1<<40), f2, false, nil),
			&ndarray{shape: []int{1 << 40}, dtype: f2}, "float16 [1099511627776]"},
		{nil, nil, "numpy array: expected a state of 5 parts"},
		{state(1, shape(2), f2, false), nil, "numpy array: expected a state of 5 parts"},
		{state(1, shape(2), f2, false, "x", 0), nil, "numpy array: expected a state of 5 parts"},
		{state(1, 2, f2, false, "x"), nil, "numpy array: expected a shape and a type"},
		{state(1, shape(2), "f2", false, "x"), nil, "numpy array: expected a shape and a type"},
		{state(1, shape(1, 1, 1, 1, 1, 1, 1, 1, 1), f2, false, ""), nil,
			"numpy array: expected a shape and a type"},
		{state(1, shape(1<<20, 1<<20+1), f2, false, ""), nil,
			"numpy array: expected a shape of integers that some file could hold"},
		{state(1, shape(1<<40+1), f2, false, ""), nil,
			"numpy array: expected a shape of integers that some file could hold"},
		{state(1, shape(-1), f2, false, ""), nil,
			"numpy array: expected a shape of integers that some file could hold"},
		{state(1, shape(1.5), f2, false, ""), nil,
			"numpy array: expected a shape of integers that some file could hold"},
	} {
		got := &ndarray{strides: []int{7}}
		err := got.PySetState(c.state)
		if c.want == nil {
			if fmt.Sprint(err) != c.text {
				t.Errorf("%v: %v, want %s", c.state, err, c.text)
			}
		} else if err != nil || !reflect.DeepEqual(got, c.want) || got.String() != c.text {
			t.Errorf("%v: %+v, want %+v, %s: %v", c.state, got, c.want, c.text, err)
		}
	}
	for _, c := range []struct {
		state *types.Tuple
		want  dtype
		text  string
	}{
		{state(3, ">", nil, nil, nil, -1, -1, 0), dtype{kind: 'i', size: 2, big: true}, "<nil>"},
		{state(3, "<", nil, nil, nil), dtype{kind: 'i', size: 2}, "<nil>"},
		{state(3, "<", 1, nil, nil), dtype{other: "structured type"}, "<nil>"},
		{state(3, "<", nil, 1, nil), dtype{other: "structured type"}, "<nil>"},
		{state(3, "<", nil, nil, 1), dtype{other: "structured type"}, "<nil>"},
		{state(3, "<", nil, nil), dtype{kind: 'i', size: 2},
			"numpy type: expected a state of 5 parts or more"},
	} {
		d := dtype{kind: 'i', size: 2}
		if err := d.PySetState(c.state); fmt.Sprint(err) != c.text || d != c.want {
			t.Errorf("%v: %+v, %v", c.state, d, err)
		}
	}
	for _, args := range [][]any{nil, {f2}, {f2, "x", 1}, {"f2", "x"}, {&dtype{kind: 'O'}, "x"}} {
		if v, err := newScalar(args); fmt.Sprint(err) != "numpy scalar: expected a type and bytes" {
			t.Errorf("%v: %v, %v", args, v, err)
		}
	}
	for _, c := range []struct {
		args []any
		want *ndarray
		err  string
	}{
		{[]any{"x", f2, shape(2, 3), "C"},
			&ndarray{shape: []int{2, 3}, dtype: f2, data: "x"}, "<nil>"},
		{[]any{"x", f2, shape(2, 3), "F"}, fortran, "<nil>"},
		{[]any{"x", f2, shape(2, 3), "K", shape(1, 0)},
			&ndarray{shape: []int{3, 2}, strides: []int{1, 3}, dtype: f2, data: "x"}, "<nil>"},
		{[]any{"x", f2, shape(2, 3), "C", nil},
			&ndarray{shape: []int{2, 3}, dtype: f2, data: "x"}, "<nil>"},
		{[]any{"x", f2, shape(2, 3)}, nil, "numpy _frombuffer: expected 4 or 5 arguments"},
		{[]any{"x", f2, shape(2), "K", shape(0), 1}, nil,
			"numpy _frombuffer: expected 4 or 5 arguments"},
		{[]any{"x", f2, shape(2, 3), "K", shape(1)}, nil,
			"numpy array: expected an order of 2 axes"},
		{[]any{"x", f2, shape(2, 3), "K", shape(1, 2)}, nil,
			"numpy array: expected each of the axes 0 to 1 once, found others"},
	} {
		v, err := fromBuffer(c.args)
		if fmt.Sprint(err) != c.err || c.want != nil && !reflect.DeepEqual(v, c.want) {
			t.Errorf("%v: %+v, want %+v: %v", c.args, v, c.want, err)
		}
	}
	if v, err := newScalar([]any{f2, "x"}); err != nil ||
		!reflect.DeepEqual(v, &ndarray{dtype: f2, data: "x"}) {
		t.Errorf("%v, %v", v, err)
	}
}

// TestNumbersOfEachType decodes two elements of each type, of which the second is not zero.
func TestNumbersOfEachType(t *testing.T) {
	for _, c := range []struct {
		code, raw string
		want      [2]float32
	}{
		{"<f4", "\x00\x00\x80\x3f\x00\x00\x20\xc0", [2]float32{1, -2.5}},
		{">f4", "\x3f\x80\x00\x00\xc0\x20\x00\x00", [2]float32{1, -2.5}},
		{"<f8", "\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x04\xc0",
			[2]float32{1, -2.5}},
		{">f2", "\x3c\x00\xc1\x00", [2]float32{1, -2.5}},
		{"<i1", "\x01\xfe", [2]float32{1, -2}}, {"<u1", "\x01\xfe", [2]float32{1, 254}},
		{">i2", "\x00\x01\xff\xfe", [2]float32{1, -2}},
		{"<i4", "\x01\x00\x00\x00\xfe\xff\xff\xff", [2]float32{1, -2}},
		{"<u4", "\x01\x00\x00\x00\x00\x00\x00\x80", [2]float32{1, 1 << 31}},
		{">i8", "\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xfe",
			[2]float32{1, -2}},
		{"|b1", "\x01\x00", [2]float32{1, 0}},
	} {
		d, _ := newDType([]any{c.code})
		array, fortran := types.ByteArray(c.raw), []int{1, 2}
		for _, data := range []any{c.raw, []byte(c.raw), &array} {
			x, shape, err := (&converter{left: 1 << 20}).numbers(&ndarray{shape: []int{2, 1},
				strides: fortran, dtype: d.(*dtype), data: data})
			if err != nil || [2]float32(x) != c.want || !slices.Equal(shape, []int{2, 1}) {
				t.Errorf("%s in %T: %v %v, want %v: %v", c.code, data, x, shape, c.want, err)
			}
		}
	}
	// as protocols 0 to 2 write bytes
	latin1 := latin1Text{"\u00fe\x01"}
	x, _, err := (&converter{left: 1 << 20}).numbers(&ndarray{shape: []int{2},
		dtype: &dtype{kind: 'u', size: 1}, data: latin1})
	if err != nil || !slices.Equal(x, []float32{254, 1}) {
		t.Errorf("%v, %v", x, err)
	}
	_, _, err = (&converter{left: 1 << 20}).numbers(&ndarray{shape: []int{2},
		dtype: &dtype{kind: 'u', size: 1}, data: latin1Text{"\u0100"}})
	if fmt.Sprint(err) != `expected Latin-1, found 'Ā'` {
		t.Error(err)
	}
}

// TestTextOfArrays decodes an element of each type of array that may hold ids and transcripts.
func TestTextOfArrays(t *testing.T) {
	for _, c := range []struct{ code, raw, want string }{
		{"<U3", "a\x00\x00\x00\xe9\x00\x00\x00\x00\xf6\x01\x00", "aé😀"},
		{">U3", "\x00\x00\x00a\x00\x00\x00\xe9\x00\x00\x00\x00", "aé"},
		{"|S4", "ab\x00\x00", "ab"},
		{"<i2", "\xfe\xff", "-2"}, {">u2", "\xff\xfe", "65534"}, {"|u1", "\x07", "7"},
	} {
		v, err := newDType([]any{c.code})
		d, ok := v.(*dtype)
		if err != nil || !ok || d.size != len(c.raw) {
			t.Errorf("%s: %+v, %v", c.code, v, err)
			continue
		}
		if got := d.text([]byte(c.raw)); got != c.want {
			t.Errorf("%s: %q, want %q", c.code, got, c.want)
		}
	}
}
