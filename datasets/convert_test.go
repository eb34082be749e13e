package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// small is an array of elements of one byte.
func small(kind byte, data string, shape ...int) *ndarray {
	return &ndarray{shape: shape, dtype: &dtype{kind: kind, size: 1}, data: []byte(data)}
}

// objects is an array of objects.
func objects(items ...any) *ndarray {
	return &ndarray{shape: []int{len(items)}, dtype: &dtype{kind: 'O'},
		data: types.NewListFromSlice(items)}
}

func list(items ...any) *types.List { return types.NewListFromSlice(items) }

// lists returns v in n lists.
func lists(n int, v any) any {
	for range n {
		v = list(v)
	}
	return v
}

// blobOf returns a string that stays in the file, whose length is more than 1024 bytes.
func blobOf(t *testing.T, text string) *unpickle.Blob {
	t.Helper()
	file := "\x80\x04" + counted('X', 4, uint64(len(text))) + text + "."
	b, _, err := (&unpickle.Loader{Name: "blob.pkl",
		Class: findClass}).Load(strings.NewReader(file), 0, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return b.(*unpickle.Blob)
}

func TestNumbersOfListsAndArrays(t *testing.T) {
	many, bytes := make([]float32, 10_000), make([]byte, 8*10_000) // more than are read at once
	array := &ndarray{shape: []int{10, 1000}, dtype: &dtype{kind: 'u', size: 8}, data: bytes}
	byte7, bytes12 := small('u', "\x07", 1), small('u', "\x01\x02", 2)
	for i := range many {
		many[i] = float32(i)
		bytes[8*i], bytes[8*i+1] = byte(i), byte(i>>8)
	}
	for name, c := range map[string]struct {
		v     any
		want  []float32
		shape []int
	}{
		"tuple":              {&types.Tuple{1, 2.5}, []float32{1, 2.5}, []int{2}},
		"booleans":           {list(true, false, true), []float32{1, 0, 1}, []int{3}},
		"empty list":         {list(), []float32{}, []int{0}},
		"array of booleans":  {small('b', "\x01\x00", 2), []float32{1, 0}, []int{2}},
		"arrays of one":      {list(byte7, small('u', "\x08")), []float32{7, 8}, []int{2}},
		"arrays of two":      {list(bytes12, list(3, 4)), []float32{1, 2, 3, 4}, []int{2, 2}},
		"tuples":             {list(&types.Tuple{1}, list(2)), []float32{1, 2}, []int{2, 1}},
		"array of an object": {list(objects(5)), []float32{5}, []int{1}},
		"objects":            {objects(list(1, 2), list(3, 4)), []float32{1, 2, 3, 4}, []int{2, 2}},
		"five lists":         {lists(5, 7), []float32{7}, []int{1, 1, 1, 1, 1}},
		"many":               {array, many, []int{10, 1000}},
		"empty lists":        {list(list(), list()), []float32{}, []int{2, 0}},
		"no row before one": {list(list(), small('u', "\x01\x02", 1, 2)), []float32{0, 0, 1, 2},
			[]int{2, 1, 2}},
		"no first row": {list(small('u', "", 0, 2), small('u', "\x01\x02\x03\x04", 2, 2)),
			[]float32{0, 0, 0, 0, 1, 2, 3, 4}, []int{2, 2, 2}},
		"no row between others": {list(small('u', "\x01\x02", 1, 2), list(),
			small('u', "\x03\x04\x05\x06", 2, 2)),
			[]float32{1, 2, 0, 0, 0, 0, 0, 0, 3, 4, 5, 6}, []int{3, 2, 2}},
	} {
		x, shape, err := (&converter{left: 1 << 20}).numbers(c.v)
		if diff := cmp.Diff(c.want, x) + cmp.Diff(c.shape, shape); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestTextsOfListsAndArrays(t *testing.T) {
	long := strings.Repeat("word ", 300)
	for name, c := range map[string]struct {
		v    any
		want []string
	}{
		"tuple":     {&types.Tuple{"a", 12, nil, math.NaN()}, []string{"a", "12", "", ""}},
		"bytes":     {list([]byte("a"), []byte{}), []string{"a", ""}},
		"objects":   {objects("a", "b"), []string{"a", "b"}},
		"long text": {list(blobOf(t, long)), []string{long}},
		"array":     {small('S', "ab", 2), []string{"a", "b"}},
		"negative":  {small('i', "\xec", 1), []string{"-20"}},
		"no axes":   {list(small('u', "\x0a")), []string{"10"}},
	} {
		got, err := (&converter{left: 1 << 20}).texts(c.v)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

// TestErrorsOfConversions says what a value is, and where.
func TestErrorsOfConversions(t *testing.T) {
	itself := objects(nil)
	itself.data = list(itself)
	scalar := &ndarray{dtype: &dtype{kind: 'O'}}
	scalar.data = list(scalar)
	short := small('u', "\x01", 2)
	for _, c := range []struct {
		v              any
		numbers, texts string
	}{
		{nil, "None", "None"},
		{7, "integer", "integer"},
		{1.5, "float", "float"},
		{true, "bool", "bool"},
		{"x", "string", "string"},
		{blobOf(t, strings.Repeat("x", 2000)), "string", "string"},
		{[]byte("x"), "bytes", "bytes"},
		{types.NewDict(), "dict", "dict"},
		{types.NewOrderedDict(), "dict", "dict"},
		{&ndarray{}, "array without contents", "array without contents"},
		{small('f', "x", 1), "<nil>", "float8 [1]"},
		{small('S', "x", 1), "bytes [1]", "<nil>"},
		{short, "uint8 [2] of 2 bytes with 1 bytes of data",
			"uint8 [2] of 2 bytes with 1 bytes of data"},
		{&unpickle.Opaque{Module: "torch._utils", Name: "_rebuild_tensor_v2"},
			"torch._utils._rebuild_tensor_v2, which .numpy() converts",
			"torch._utils._rebuild_tensor_v2, which .numpy() converts"},
		{&unpickle.Opaque{Module: "torchvision", Name: "X"}, "torchvision.X", "torchvision.X"},
		{list(1, list(2)), "item 1: expected a number, found list [1]",
			"item 1: expected a string, found list [1]"},
		{list("a", &types.Tuple{1, 2}), "item 0: expected a number, found string",
			"item 1: expected a string, found tuple [2]"},
		{list(list(1), list("a")), "item 1: item 0: expected a number, found string",
			"item 0: expected a string, found list [1]"},
		{list(list(1), 2), "item 1: integer", "item 0: expected a string, found list [1]"},
		{list(small('S', "x", 1)), "item 0: expected a number, found bytes [1]",
			"item 0: expected a string, found bytes [1]"},
		{list(small('u', "", 1)),
			"item 0: expected a number, found uint8 [1] of 1 bytes with 0 bytes of data",
			"item 0: expected a string, found uint8 [1]"},
		{list(small('S', "")), "item 0: expected a number, found bytes []",
			"item 0: bytes [] of 1 bytes with 0 bytes of data"},
		{list(1, &ndarray{}), "item 1: expected a number, found array without contents",
			"item 1: expected a string, found array without contents"},
		{list(list(list(1, 2), list(3))),
			"item 0: item 1: expected shape [2] as before, found [1]",
			"item 0: expected a string, found list [2]"},
		{lists(6, 7), "item 0: item 0: item 0: item 0: lists in more than 4 lists",
			"item 0: expected a string, found list [1]"},
		{itself, "item 0: " + strings.Repeat("expected a number, found item 0: ", 4) +
			"expected a number, found object [1]", "item 0: expected a string, found object [1]"},
		{scalar, "item 0: " + strings.Repeat("expected a number, found item 0: ", 4) +
			"expected a number, found object []", "item 0: expected a string, found object []"},
	} {
		_, _, err1 := (&converter{left: 1 << 20}).numbers(c.v)
		_, err2 := (&converter{left: 1 << 20}).texts(c.v)
		if diff := cmp.Diff([]string{c.numbers, c.texts}, []string{fmt.Sprint(err1),
			fmt.Sprint(err2)}); diff != "" {
			t.Errorf("%v: %s", c.v, diff)
		}
	}
}

var errBroken = errors.New("the disk is broken")

// TestErrorsOfReadingReachTheCaller lets one read of a file after the other fail.
func TestErrorsOfReadingReachTheCaller(t *testing.T) {
	set := func(name string, r io.ReaderAt, size int64) error {
		_, err := read(name, r, size, Options{})
		return err
	}
	features := func(name string, r io.ReaderAt, size int64) error {
		_, err := readFeatures(name, "train", r, size, Options{})
		return err
	}
	for name, c := range map[string]struct {
		data []byte
		read func(string, io.ReaderAt, int64) error
	}{
		"protocol0.pkl": {readTestdata(t, "protocol0.pkl"), set},
		"protocol2.pkl": {readTestdata(t, "protocol2.pkl"), set},
		"protocol4.pkl": {readTestdata(t, "protocol4.pkl"), set},
		"types.pkl":     {readTestdata(t, "types.pkl"), set},
		"flat.pkl":      {readTestdata(t, "flat.pkl"), features},
		"tokens.pkl":    {madePickle(64, 6, 3), set}, // tokens that are read row by row
		"lists.pkl":     {readTestdata(t, "lists.pkl"), features},
		"own.json":      {[]byte(twoUtterances), features},
	} {
		for n := 0; ; n++ {
			r := &filestest.FailingReader{ReaderAt: bytes.NewReader(c.data), Reads: n,
				Once: name != "own.json", Err: errBroken}
			err := c.read(name, r, int64(len(c.data)))
			if r.Reads >= 0 {
				if err != nil || n < 2 {
					t.Errorf("%s: %d reads, %v", name, n, err)
				}
				break
			}
			if err == nil || !strings.HasPrefix(err.Error(), "datasets: "+name+": ") ||
				!strings.Contains(err.Error(), errBroken.Error()) {
				t.Errorf("%s: read %d fails: %v", name, n, err)
			}
		}
	}
}

// TestLongStringsThatCannotBeRead has a text, an array of texts and one of numbers in a file that
// has become too short.
func TestLongStringsThatCannotBeRead(t *testing.T) {
	file := "\x80\x04" + counted('X', 4, 2000) + strings.Repeat("x", 2000) + "."
	r := &filestest.FailingReader{ReaderAt: bytes.NewReader([]byte(file)), Reads: 1000,
		Err: errBroken}
	v, _, err := (&unpickle.Loader{Name: "blob.pkl", Class: findClass}).Load(r, 0, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	r.Reads = 0
	array := func(kind byte) *ndarray {
		return &ndarray{shape: []int{2000}, dtype: &dtype{kind: kind, size: 1}, data: v}
	}
	c := converter{left: 1 << 20}
	_, text := c.text(v)
	_, texts := c.texts(array('S'))
	_, _, numbers := c.numbers(array('u'))
	_, of := c.texts(list("a", v))
	x, ok := lazy(array('i'), nil)
	if !ok {
		t.Fatal("the array is not read row by row")
	}
	// a byte less than there should be
	cut := &pickled{dtype: &dtype{kind: 'i', size: 1}, file: strings.NewReader("123456789")}
	if err := cut.Read(make([]float32, 10), 0); err != io.EOF {
		t.Error(err)
	}
	for i, err := range []error{text, texts, numbers, of, x.Read(make([]float32, 10), 0),
		moved{numbers: x}.Read(make([]float32, 10), 0)} {
		if !errors.Is(err, errBroken) {
			t.Errorf("case %d: %v", i, err)
		}
	}
}
