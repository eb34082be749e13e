package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// An array is a tensor of expected.json.
type array struct {
	Shape  []int
	Values []float32
}

func expected(t *testing.T) map[string]array {
	t.Helper()
	var all map[string]array
	if err := json.Unmarshal(readTestdata(t, "expected.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTensorsOfEveryFormat(t *testing.T) {
	want := expected(t)
	for _, c := range []struct {
		file, format string
		tensors      int
	}{{"state.pth", "PyTorch", 15}, {"legacy.pth", "PyTorch, legacy", 15},
		{"safe.safetensors", "safetensors", 12}} {
		f, err := Open(filepath.Join("testdata", c.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if f.Format != c.format || len(f.Names()) != c.tensors {
			t.Errorf("%s: %s with %d tensors, want %s with %d", c.file, f.Format, len(f.Names()),
				c.format, c.tensors)
		}
		for _, name := range f.Names() {
			x := f.Tensor(name)
			values, err := x.Floats()
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(want[name], array{x.Shape, values}); diff != "" {
				t.Errorf("%s: %s: %s", c.file, name, diff)
			}
			if n := x.Len(); n > 5 { // a part
				part := make([]float32, 3)
				if err := x.Read(part, n-4); err != nil || !slices.Equal(part, values[n-4:n-1]) {
					t.Errorf("%s: %s from %d: %v, %v", c.file, name, n-4, part, err)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestReadHeader reads the header of a file of 16 MB without reading the rest.
func TestReadHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.safetensors")
	header := `{"__metadata__":{"epoch":"3"},"x":{"dtype":"F32","shape":[1024,4096],"data_offsets":[0,16777216]}}`
	if err := os.WriteFile(path, safe(header, string(make([]byte, 16<<20))), 0o600); err != nil {
		t.Fatal(err)
	}
	var f *File
	var err error
	if n := filestest.Allocated(func() { f, err = ReadHeader(path) }); err != nil || n > 1<<16 {
		t.Fatalf("%d bytes allocated: %v", n, err)
	}
	if x := f.Tensor("x"); f.Meta["epoch"] != "3" || x.String() != "F32 [1024 4096]" {
		t.Error(f.Meta, x)
	}
	if err := f.Tensor("x").Read(make([]float32, 1), 0); err == nil {
		t.Error("an element was read from a closed file")
	}
	if _, err := ReadHeader("testdata/module.pth"); err == nil ||
		!strings.Contains(err.Error(), "only state dicts are read") {
		t.Error(err)
	}
}

// TestOpenIndex opens two files by their index, and indexes that do not fit them.
func TestOpenIndex(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"a": safe(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},`+
			`"unused":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "\x01\x02"),
		"b": safe(`{"y":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "\x03"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "index.json")
	outside := "../" + filepath.Base(dir) + "/b"
	for _, c := range []struct{ index, want string }{
		{`{"metadata": {"total_size": 3}, "weight_map": {"y": "b", "x": "a"}}`, ""},
		{`{"weight_map": {"y": "a"}}`, `expected the tensor "y" in a, found 2 tensors without it`},
		{`{"weight_map": {"x": "a", "y": "c"}}`, "c: no such file"},
		{`{"weight_map": {"y": "index.json"}}`, "expected safetensors"},
		{`{"weight_map": {"y": "` + outside + `"}}`, "expected a file in the same folder"},
		{`{"weight_map": {"y": "sub/b"}}`, "expected a file in the same folder"},
		{`{"weight_map": {"y": ".."}}`, "expected a file in the same folder"},
		{`{"weight_map": [`, "expected an index of tensors"},
	} {
		if err := os.WriteFile(path, []byte(c.index), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenIndex(path)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want %q", c.index, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		x, e1 := f.Tensor("x").Bytes()
		y, e2 := f.Tensor("y").Bytes()
		if e1 != nil || e2 != nil || x[0] != 1 || y[0] != 3 || f.Tensor("unused") != nil ||
			!slices.Equal(f.Names(), []string{"x", "y"}) || f.Format != "safetensors" {
			t.Errorf("%v, %v: %v of %v", e1, e2, f.Names(), f.Format)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := f.Tensor("y").Bytes(); err == nil {
			t.Error("an element was read from a closed file")
		}
	}
	if open := filestest.Open(dir); len(open) > 0 {
		t.Errorf("not closed: %q", open)
	}
}

func TestNestedDicts(t *testing.T) {
	f, err := Open("testdata/nested.pth")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if diff := cmp.Diff([]string{"state_dict.weight", "state_dict.bias", "state_dict.x"},
		f.Names()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"epoch": "3", "loss": "0.25", "note": "nested",
		"device": "cpu", "dtype": "float16"}, f.Meta); diff != "" {
		t.Error(diff)
	}
}

func TestLongTensorsAreReadInParts(t *testing.T) {
	const n = 100_000
	raw := make([]byte, 4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(raw[4*i:], uint32(i)-50_000)
	}
	f, err := read("long",
		bytes.NewReader(safe(`{"x":{"dtype":"I32","shape":[100,1000],"data_offsets":[0,400000]}}`,
			string(raw))), int64(8+66+4*n))
	if err != nil {
		t.Fatal(err)
	}
	x, err := f.Tensor("x").Floats()
	if err != nil || x[0] != -50_000 || x[77_777] != 27_777 || x[n-1] != 49_999 {
		t.Error(err, x[0], x[77_777], x[n-1])
	}
}

// TestHalf converts numbers of each kind: subnormal, the smallest normal, infinite and none.
func TestHalf(t *testing.T) {
	for h, want := range map[uint16]float32{0: 0, 1: 1. / (1 << 24), 0x83ff: -1023. / (1 << 24),
		0x400: 1. / (1 << 14), 0x3c00: 1, 0xc500: -5, 0x7bff: 65504,
		0x7c00: float32(math.Inf(1)), 0xfc00: float32(math.Inf(-1))} {
		if got := Half(h); got != want {
			t.Errorf("%04x: %g, want %g", h, got, want)
		}
	}
	if got := Half(0x7e00); got == got {
		t.Errorf("7e00: %g, want NaN", got)
	}
}

// TestWrite reads what was written, and refuses entries of another length and errors of a disk.
func TestWrite(t *testing.T) {
	entry := func(name string, kind DType, raw string, shape ...int) Entry {
		return Entry{name, kind, shape, func(w io.Writer) error {
			_, err := io.WriteString(w, raw[:1])
			if err == nil {
				_, err = io.WriteString(w, raw[1:])
			}
			return err
		}}
	}
	good := []Entry{entry("b", U8, "\x05\x06\x07", 3), entry("c", I16, "\x01\x00\x02\x00", 2, 1),
		entry("a", U8, "\x09\x08", 2)}
	var b bytes.Buffer
	if err := Write(&b, map[string]string{"epoch": "3"}, good); err != nil {
		t.Fatal(err)
	}
	f, err := read("written", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]float32{}
	for _, name := range f.Names() {
		got[name], err = f.Tensor(name).Floats()
		if err != nil {
			t.Error(err)
		}
	}
	want := map[string][]float32{"a": {9, 8}, "b": {5, 6, 7}, "c": {1, 2}}
	if diff := cmp.Diff(want, got); diff != "" || f.Meta["epoch"] != "3" ||
		f.Tensor("c").String() != "I16 [2 1]" {
		t.Error(diff, f.Meta, f.Tensor("c"))
	}
	if err := Write(io.Discard, nil, []Entry{entry("x", U8, "12", 3)}); err == nil ||
		!strings.Contains(err.Error(), "x: expected 3 bytes, 2 were written") {
		t.Errorf("error %v of an entry that is too short", err)
	}
	for room := range b.Len() {
		if err := Write(&limited{room}, f.Meta, good); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("error %v of a disk with %d bytes left", err, room)
		}
	}
}

// limited is a disk with some bytes left.
type limited struct{ left int }

func (d *limited) Write(p []byte) (int, error) {
	if len(p) > d.left {
		return 0, io.ErrShortWrite
	}
	d.left -= len(p)
	return len(p), nil
}

// safe returns a safetensors file.
func safe(header, data string) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...),
		data...)
}

// pth returns a zip archive with a pickle and a storage.
func pth(t testing.TB, method uint16, program, storage string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range map[string]string{"a/data.pkl": program, "a/data/0": storage} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = io.WriteString(w, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tensor is a pickle of {"x": a tensor}, given offset, shape and strides as opcodes.
func tensor(count, offset, shape, strides string) string {
	return "\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n((" +
		"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" +
		count + "tQ" + offset + shape + strides + "\x89NtRs."
}

func TestHostileFiles(t *testing.T) {
	four := strings.Repeat("\x00", 16)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty": {nil, "expected safetensors or a file of torch.save, found 0 bytes"},
		"text":  {[]byte("<!DOCTYPE html>"), "expected safetensors"},
		"pointer": {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
			"found a Git LFS pointer to them; run git lfs pull"},
		"header too long": {safe(`{"x":1}`, "")[:9],
			"expected a header of at most 1 bytes, found 7"},
		"header of 2^60": {append(binary.LittleEndian.AppendUint64(nil, 1<<60), '{'),
			"found 1152921504606846976"},
		"no JSON":   {safe(`{"x":`, ""), "expected a header, found"},
		"deep JSON": {safe(strings.Repeat(`{"a":`, 1e5), ""), "expected a header, found"},
		"beyond the end": {safe(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, "1234"),
			"expected 8 bytes of data, found 4"},
		"trailing data": {safe(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`,
			"12345"), "expected 4 bytes of data, found 5"},
		"overlap": {safe(
			`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`+
				`"y":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, "123456",
		), `tensor "y": expected F32 [1] from byte 4`},
		"two of one name": {safe(
			`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`+
				`"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "12345678",
		), `expected a header, found the key "x" twice`},
		"two of one name and place": {safe(
			`{"\u0078":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`+
				`"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234",
		), `expected a header, found the key "x" twice`},
		"two shapes": {safe(
			`{"y":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`+
				`"x":{"dtype":"F32","shape":[2],"shape":[1],"data_offsets":[0,4]}}`, "1234",
		), `expected a header, found the key "shape" twice`},
		"metadata twice": {safe(`{"__metadata__":{"a":"1","b":"2","a":"1"}}`, ""),
			`expected a header, found the key "a" twice`},
		"gap": {safe(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, "123456"),
			`tensor "x": expected F32 [1] from byte 0`},
		"reversed": {safe(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, "1234"),
			`tensor "x": expected F32 [1] from byte 0`},
		"shape of 2^64": {safe(
			`{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, "1234",
		), `tensor "x": expected F32`},
		"shape of 2^63": {safe(
			`{"x":{"dtype":"F32","shape":[9223372036854775809],"data_offsets":[0,4]}}`, "1234",
		), `tensor "x": expected F32`},
		"unknown type": {safe(`{"x":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}`,
			"12345678"), "expected a header, found"},
		"other type": {safe(`{"x":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}}`, "12"),
			"found U16"},
		"zip without": {[]byte("PK\x05\x06" + strings.Repeat("\x00", 18)),
			"expected the entry data.pkl"},
		"half a zip": {pth(t, zip.Store, tensor("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"),
			four)[:200], "expected a zip archive"},
		"compressed": {pth(t, zip.Deflate, tensor("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"),
			four), "expected an uncompressed entry"},
		"os.system": {pth(t, zip.Store, "\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.",
			""), "found posix.system; it was refused and nothing was executed"},
		"whole module": {readTestdata(t, "module.pth"),
			"only state dicts are read: save model.state_dict()"},
		"storage cut": {pth(t, zip.Store, tensor("K\x05", "K\x00", "K\x04\x85", "K\x01\x85"),
			four), "expected a storage of 5 elements, found 4"},
		"past the end": {pth(t, zip.Store, tensor("K\x04", "K\x01", "K\x04\x85", "K\x01\x85"),
			four), "expected a tensor within its storage"},
		"strides past": {pth(t, zip.Store, tensor("K\x04", "K\x00", "K\x02\x85", "K\x04\x85"),
			four), "expected a tensor within its storage"},
		"stride of 2^62": {pth(t, zip.Store, tensor("K\x04", "K\x00", "K\x03\x85",
			"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40\x85"), four),
			"expected a tensor within its storage"},
		"expanded": {pth(t, zip.Store,
			tensor("K\x04", "K\x00", "J\x00\x00\x00\x40\x85", "K\x00\x85"), four),
			"expected a tensor within its storage"},
		"negative size": {pth(t, zip.Store,
			tensor("K\x04", "K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85"), four),
			"tensor: expected a storage, an offset, a shape and strides"},
		"text as a stride": {pth(t, zip.Store,
			tensor("K\x04", "K\x00", "K\x04\x85", "X\x01\x00\x00\x001\x85"), four),
			"tensor: expected a storage, an offset, a shape and strides"},
		"overflow": {pth(t, zip.Store,
			tensor("K\x04", "K\x00", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x04\x86",
				"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x01\x86"), four),
			"expected a tensor within its storage"},
		"no storage": {pth(t, zip.Store,
			strings.Replace(tensor("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"),
				"X\x01\x00\x00\x000", "X\x01\x00\x00\x009", 1), four),
			`expected storage "9", found none`},
		"unknown storage": {pth(t, zip.Store,
			strings.Replace(tensor("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), "FloatStorage",
				"ComplexFloatStorage", 1), four),
			"found torch.ComplexFloatStorage; it was refused"},
		"dict in itself": {pth(t, zip.Store, "\x80\x02}q\x00X\x01\x00\x00\x00xh\x00s.", ""),
			"more than 8 deep"},
		"dicts of dicts": {pth(t, zip.Store, laughs(), ""), "dicts within dicts"},
		"dict in itself as a key": {pth(t, zip.Store, "\x80\x02}q\x00(h\x00K\x01u.", ""),
			"expected keys that are strings or integers"},
		"tuples as a key": {pth(t, zip.Store, "\x80\x02}()"+strings.Repeat("\x85", 600_000)+
			"K\x01u.", ""), "expected keys that are strings or integers"},
		"shared lists as a key": {pth(t, zip.Store, "\x80\x02"+doubled()+"}(h\x20K\x01u.", ""),
			"expected keys that are strings or integers"},
		"shared lists as a storage": {[]byte(legacyHead + "\x80\x02" + doubled() +
			"]h\x20a." + four), "expected a storage of the state dict"},
		"list in itself as a storage": {[]byte(legacyHead + "\x80\x02]q\x00h\x00a." + four),
			"expected a storage of the state dict"},
		"storage without a name": {pth(t, zip.Store,
			strings.Replace(tensor("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"),
				"X\x01\x00\x00\x000", "X\x00\x00\x00\x00", 1), four),
			"expected a storage of a known type"},
		"other pickle": {[]byte("\x80\x02}."),
			"expected a file of torch.save, found another pickle"},
	} {
		var err error
		n := filestest.Allocated(func() {
			_, err = read("hostile", bytes.NewReader(c.data), int64(len(c.data)))
		})
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.HasPrefix(err.Error(), "hostile: ") || len(err.Error()) > 600 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if n > 3*unpickle.BaseMemory {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(c.data))
		}
	}
}

// legacyHead has the pickles before the keys of a file of torch.save before version 1.6.
const legacyHead = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." +
	"\x80\x02}.\x80\x02}."

// doubled puts into the memo under 32 a list that names a list twice, which names a list twice,
// and so on: 2³² lists if it is written out.
func doubled() string {
	s := "]q\x000"
	for i := range 32 {
		s += fmt.Sprintf("](h%ch%ceq%c0", i, i, i+1)
	}
	return s
}

// laughs is a list of ten lists, each of which has ten times the next, and so on.
func laughs() string {
	s := "\x80\x02]q\x00(" + strings.Repeat("K\x01", 10) + "e"
	for i := range 6 {
		s += fmt.Sprintf("0]q%c(%se", i+1, strings.Repeat("h"+string(rune(i)), 20))
	}
	return s + "."
}

func TestTruncatedFiles(t *testing.T) {
	for _, name := range []string{"state.pth", "legacy.pth", "safe.safetensors"} {
		data := readTestdata(t, name)
		for n := 0; n < len(data); n += 1 + n/40 {
			if _, err := read(name, bytes.NewReader(data[:n]), int64(n)); err == nil {
				t.Errorf("%s: no error for %d of %d bytes", name, n, len(data))
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"state.pth", "legacy.pth", "safe.safetensors", "nested.pth"} {
		f.Add(readTestdata(f, name))
	}
	f.Add(pth(f, zip.Store, tensor("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"),
		strings.Repeat("\x00", 16)))
	f.Add(safe(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := read("fuzz", bytes.NewReader(data), int64(len(data)))
		if err == nil {
			checkTensors(t, file, len(data))
		}
	})
}

// checkTensors reads all tensors of a file of the given size.
func checkTensors(t *testing.T, file *File, size int) {
	for _, name := range file.Names() {
		x := file.Tensor(name)
		if n := x.Len(); n > 16*size {
			t.Fatalf("%s: %v in a file of %d bytes", name, x, size)
		}
		if _, err := x.Floats(); err != nil {
			t.Fatalf("%s: %v: %v", name, x, err)
		}
	}
}

// FuzzStateDict puts a pickle and a storage into a zip archive, whose checksums FuzzRead would have
// to guess.
func FuzzStateDict(f *testing.F) {
	four := strings.Repeat("\x00", 16)
	f.Add(tensor("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), four)
	f.Add(tensor("K\x04", "K\x01", "K\x03K\x01\x86", "K\x01K\x03\x86"), four)
	f.Add("\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00xK\x01u.", "")
	f.Fuzz(func(t *testing.T, program, storage string) {
		data := pth(t, zip.Store, program, storage)
		file, err := read("fuzz", bytes.NewReader(data), int64(len(data)))
		if err == nil {
			checkTensors(t, file, len(data))
		}
	})
}
