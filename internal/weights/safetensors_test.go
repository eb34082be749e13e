package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
)

// TestSafetensors reads tensors without elements between others, in the order of the file, and
// metadata whose values are names of others.
func TestSafetensors(t *testing.T) {
	f, err := open(safe(`{"__metadata__":{"a":"b","b":"a","c":"a"},`+
		`"z":{"dtype":"U8","shape":[0,3],"data_offsets":[0,0]},`+
		`"b":{"dtype":"I16","shape":[],"data_offsets":[0,2]},`+
		`"y":{"dtype":"U8","shape":[0],"data_offsets":[2,2]},`+
		`"a":{"dtype":"U8","shape":[2,1],"data_offsets":[2,4]}}`, "\x05\x00\x07\x08"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"z", "b", "y", "a"}, f.Names()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "b", "b": "a", "c": "a"}, f.Meta); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string][]float32{"z": {}, "b": {5}, "y": {}, "a": {7, 8}} {
		if x, err := f.Tensor(name).Floats(); err != nil || !slices.Equal(x, want) {
			t.Errorf("%s: %v, %v, want %v", name, x, err, want)
		}
	}
	if f.Path != "x" || f.Format != "safetensors" || f.Tensor("c") != nil {
		t.Errorf("%+v", f)
	}
}

// TestDamagedHeaders says at which byte a file is damaged.
func TestDamagedHeaders(t *testing.T) {
	const again = "; the file is damaged, download it again"
	const short = `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	for want, data := range map[string][]byte{
		"x: byte 0: expected a header of at most 6 bytes, found 7" + again: safe(`{"x":1}`,
			"")[:14],
		"x: byte 0: expected a header of at most 2097152 bytes, found 2097153" + again: safe("{"+
			strings.Repeat(" ", 2<<20), ""),
		`x: byte 8: expected a header, found the key "a" twice` + again: safe(`{"a":1,"a":1}`, ""),
		`x: byte 8: tensor "a": expected a type of [BF16 BOOL F16 F32 F64 I16 I32 I64 I8 U8], ` +
			"found U16" + again: safe(`{"a":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}}`,
			"12"),
		`x: byte 8: tensor "a": expected F32 [2] from byte 0 of the data, found bytes 0 to 7` +
			again: safe(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}}`, "1234567"),
		fmt.Sprintf("x: byte %d: expected 4 bytes of data, found 3", 8+len(short)) +
			again: safe(short, "123"),
		`x: byte 8: tensor "a": expected U8 [3] from byte 0 of the data, found bytes 1 to 4` +
			again: safe(`{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}`, "1234"),
		"x: expected safetensors or a file of torch.save, found 8 bytes that begin with " +
			`"12345678"; download the file again`: []byte("12345678"),
	} {
		if _, err := open(data); err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}

var errGone = errors.New("the disk is gone")

// TestErrorsOfReads lets each read of a file fail.
func TestErrorsOfReads(t *testing.T) {
	for _, name := range []string{"state.pth", "legacy.pth", "safe.safetensors"} {
		data := readTestdata(t, name)
		n := 0
		for ; ; n++ {
			_, err := read("x", &filestest.FailingReader{
				ReaderAt: bytes.NewReader(data), Reads: n, Err: errGone}, int64(len(data)))
			if err == nil {
				break
			}
			if !strings.HasPrefix(err.Error(), "x: ") {
				t.Errorf("%s, read %d: error %v", name, n, err)
			}
			want := []string{"x: the disk is gone", "x: byte 0: the disk is gone; the file is " +
				"damaged, download it again", "x: byte 8: the disk is gone; the file is damaged, " +
				"download it again"}
			if name == "safe.safetensors" && err.Error() != want[n] {
				t.Errorf("%s, read %d: error %v, want %s", name, n, err, want[n])
			}
		}
		if n < 3 {
			t.Errorf("%s: read without an error after %d reads", name, n)
		}
	}
	for path, want := range map[string]string{
		"testdata": "weights: testdata: expected a file, found a directory; give a regular file",
		"missing":  "weights: open missing: no such file or directory"} {
		if _, err := Open(path); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if _, err := OpenIndex(path); err == nil || err.Error() != want {
			t.Errorf("index: error %v, want %s", err, want)
		}
	}
}

// TestElements reads elements as numbers of their own type, and none of another type, of a
// transposed tensor or of a closed file.
func TestElements(t *testing.T) {
	f, err := open(safe(`{"i":{"dtype":"I32","shape":[1,3],"data_offsets":[0,12]},`+
		`"u":{"dtype":"U8","shape":[3],"data_offsets":[12,15]}}`,
		"\x01\x00\x00\x00\xfe\xff\xff\xff\xff\xff\xff\x7f\x01\x02\xff"))
	if err != nil {
		t.Fatal(err)
	}
	i, u := f.Tensor("i"), f.Tensor("u")
	if x, err := i.Ints(); err != nil || !slices.Equal(x, []int{1, -2, 1<<31 - 1}) {
		t.Error(x, err)
	}
	if x, err := u.Bytes(); err != nil || !slices.Equal(x, []byte{1, 2, 255}) {
		t.Error(x, err)
	}
	if x, err := u.Ints(); err == nil ||
		err.Error() != "weights: expected row-major I32, found U8 [3]" {
		t.Error(x, err)
	}
	if x, err := i.Bytes(); err == nil ||
		err.Error() != "weights: expected bytes, found I32 [1 3]" {
		t.Error(x, err)
	}
	for _, kind := range []DType{I32, U8} {
		x := Tensor{Type: kind, Shape: []int{1}, strides: []int{2}, data: i.data}
		_, e1 := x.Ints()
		_, e2 := x.Bytes()
		if e1 == nil || e2 == nil {
			t.Errorf("%s with strides: errors %v and %v", kind, e1, e2)
		}
	}
	closed := &filestest.FailingReader{Err: errGone}
	data := io.NewSectionReader(closed, 0, 100)
	for _, x := range []*Tensor{{Type: I32, Shape: []int{2}, data: data},
		{Type: U8, Shape: []int{2}, data: data},
		{Type: F32, Shape: []int{2}, data: data, strides: []int{2}}} {
		_, e1 := x.Floats()
		errs := []error{e1}
		if x.Type == I32 {
			_, err := x.Ints()
			errs = append(errs, err)
		} else if x.Type == U8 {
			_, err := x.Bytes()
			errs = append(errs, err)
		}
		want := fmt.Sprintf("weights: element 0 of %s [2]: the disk is gone", x.Type)
		for _, err := range errs {
			if err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
		}
	}
}

// panics reports whether f panics.
func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

// TestPanics reads elements that a tensor does not have, and ones of no type.
func TestPanics(t *testing.T) {
	x := &Tensor{Type: U8, Shape: []int{2},
		data: io.NewSectionReader(strings.NewReader("123456"), 0, 6)}
	for _, c := range []struct {
		n, first int
		want     bool
	}{{2, 0, false}, {0, 2, false}, {1, 1, false}, {3, 0, true}, {1, 2, true}, {0, 3, true},
		{1, -1, true}} {
		if got := panics(func() { x.Read(make([]float32, c.n), c.first) }); got != c.want {
			t.Errorf("%d elements from %d: panics %v, want %v", c.n, c.first, got, c.want)
		}
	}
	if !panics(func() { DType("C64").Decode(make([]float32, 1), make([]byte, 8)) }) {
		t.Error("a complex number was decoded")
	}
}

// TestWrittenFile compares a file with one that is written out: the larger elements come first,
// and among equal ones the first name. The header ends at a multiple of eight bytes.
func TestWrittenFile(t *testing.T) {
	entry := func(name string, kind DType, data string, shape ...int) Entry {
		return Entry{name, kind, shape, func(w io.Writer) error {
			_, err := io.WriteString(w, data)
			return err
		}}
	}
	all := []Entry{entry("a", U8, "12", 2), entry("c", I16, "34"), entry("b", I16, "", 0, 4)}
	header := `{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]},` +
		`"b":{"dtype":"I16","shape":[0,4],"data_offsets":[0,0]},` +
		`"c":{"dtype":"I16","shape":[],"data_offsets":[0,2]}}`
	for len(header)%8 > 0 {
		header += " "
	}
	for range len(all) {
		var b bytes.Buffer
		err := Write(&b, map[string]string{"k": "v"}, all)
		if want := safe(header, "3412"); err != nil || !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%v: %q, want %q", err, b.Bytes(), want)
		}
		all = append(all[1:], all[0])
	}
	var b bytes.Buffer
	if err := Write(&b, nil, nil); err != nil || b.String() != string(safe("{}      ", "")) {
		t.Errorf("no tensors: %q, %v", b.String(), err)
	}
	for n := range 8 { // metadata of each length
		var b bytes.Buffer
		err := Write(&b, map[string]string{"k": strings.Repeat("v", n)}, all)
		if size := binary.LittleEndian.Uint64(b.Bytes()); err != nil || size%8 != 0 ||
			int(size) < len(strings.TrimRight(header, " "))-1+n ||
			int(size) > len(strings.TrimRight(header, " "))-1+n+7 {
			t.Errorf("a value of %d bytes: header of %d, %v", n, size, err)
		}
	}
	const want = "weights: expected a header of at most 2097152 bytes, found 2097184: write " +
		"fewer tensors or less metadata"
	b.Reset()
	if err := Write(&b, map[string]string{"k": strings.Repeat("v", 2<<20)}, nil); err == nil ||
		err.Error() != want || b.Len() > 0 {
		t.Errorf("%d bytes, error %v, want %s", b.Len(), err, want)
	}
	b.Reset()
	longest := strings.Repeat("v", 2<<20-len(`{"__metadata__":{"k":""}}`))
	if err := Write(&b, map[string]string{"k": longest}, nil); err != nil || b.Len() != 8+(2<<20) {
		t.Errorf("the longest header: %d bytes, %v", b.Len(), err)
	}
	if !panics(func() { Write(io.Discard, nil, []Entry{all[0], all[1], all[0]}) }) {
		t.Error("two tensors of one name were written")
	}
}

// TestIndexOpensEachFileOnce opens a file of two tensors.
func TestIndexOpensEachFileOnce(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{"a": safe(
		`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},`+
			`"y":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "\x01\x02"),
		"index.json": []byte(`{"weight_map": {"y": "a", "x": "a"}}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "index.json")
	f, err := OpenIndex(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Path != path || !reflect.DeepEqual(f.Names(), []string{"x", "y"}) {
		t.Errorf("%s: %q", f.Path, f.Names())
	}
	if open := filestest.Open(dir); len(open) > 1 {
		t.Errorf("open: %q", open)
	}
}
