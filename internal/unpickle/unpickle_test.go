package unpickle

import (
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/nlpodyssey/gopickle/types"
)

func load(l *Loader, data string, from int64) (any, int64, error) {
	return l.Load(strings.NewReader(data), from, int64(len(data)))
}

// refuse refuses all classes.
func refuse(module, name string) (any, error) { return nil, &ClassError{module, name} }

func TestPicklesInARow(t *testing.T) {
	l := &Loader{Name: "row", Class: refuse}
	data := "\x80\x02K\x01." + "\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x02." + "\x80\x02K"
	first, end, err := load(l, data, 0)
	if first != 1 || end != 5 || err != nil {
		t.Fatal(first, end, err)
	}
	second, end, err := load(l, data, end)
	if second != 2 || end != 19 || err != nil {
		t.Fatal(second, end, err)
	}
	if _, _, err := load(l, data, end); err == nil ||
		!strings.Contains(err.Error(),
			"row: byte 21: BININT1: expected 1 more bytes, found the end of the file after 0") {
		t.Error(err)
	}
	if _, _, err := load(l, data, int64(len(data))); err == nil ||
		!strings.Contains(err.Error(), "expected a pickle, found the end of the file") {
		t.Error(err)
	}
}

// A brokenDisk cannot be read.
type brokenDisk struct{}

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, errors.New("bad sector") }

func TestErrorsOfTheDisk(t *testing.T) {
	_, _, err := (&Loader{Name: "broken", Class: refuse}).Load(brokenDisk{}, 0, 100)
	if err == nil || err.Error() != "broken: bad sector" {
		t.Error(err)
	}
	if _, err := (&Blob{io.NewSectionReader(brokenDisk{}, 0, 100), 'X'}).Text(); err == nil {
		t.Error("no error of a long string")
	}
}

// TestEscapes decodes Latin-1 with escapes, of which some are incomplete or no escapes.
func TestEscapes(t *testing.T) {
	for text, want := range map[string]string{"a\xe9": "aé", `\u00e9b`: "éb", `\U0001f600c`: "😀c",
		`\uZZZZ`: `\uZZZZ`, `\u00e`: "\x0e", `\n\\`: `\n\\`, `\`: `\`} {
		if got := string(unescape([]byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestLongestInteger reads an integer of 255 bytes, and refuses one of 256.
func TestLongestInteger(t *testing.T) {
	for n, valid := range map[int]bool{255: true, 256: false} {
		length := binary.LittleEndian.AppendUint32(nil, uint32(n))
		data := "\x80\x02\x8b" + string(length) + strings.Repeat("\x01", n) + "."
		if _, _, err := load(&Loader{Name: "long", Class: refuse}, data, 0); (err == nil) != valid {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
}

// Frames and sets need memory that is not that of their bytes in the file.
func TestSmallObjectsAreCounted(t *testing.T) {
	var set strings.Builder
	set.WriteString("\x80\x04\x8f(")
	for i := range uint32(600_000) {
		set.WriteString("J" + string(binary.LittleEndian.AppendUint32(nil, i)))
	}
	set.WriteString("\x90.")
	for name, data := range map[string]string{
		"set":    set.String(),
		"frames": "\x80\x04" + strings.Repeat("\x95"+strings.Repeat("\x00", 8), 4<<20) + "N.",
	} {
		if _, _, err := load(&Loader{Name: name, Class: refuse}, data, 0); err == nil ||
			!strings.Contains(err.Error(), "found small objects for more than") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCostOfObjects compares the memory of many equal objects in a list with what is counted for
// them. Twice the file's size is free.
func TestCostOfObjects(t *testing.T) {
	const n = 20_000
	for name, object := range map[string]string{
		"small integers": "M\x00\x03", "floats": "G\x40\x09\x21\xfb\x54\x44\x2d\x18",
		"large integers":        "\x8a\x09" + strings.Repeat("\x7f", 9),
		"large decimal numbers": "L" + strings.Repeat("9", 25) + "L\n",
		"lists":                 "]", "dicts": "}", "sets": "\x8f", "strings": "\x8c\x03abc",
		"tuples of one": "N\x85", "tuples of two": "NN\x86", "tuples of three": "NNN\x87",
	} {
		data := "\x80\x04(" + strings.Repeat(object, n) + "l."
		counted := int64(2 * len(object))
		for _, op := range []byte(object) {
			if counted += opcodes[op].cost; opcodes[op].argument != nothing {
				break // what follows is the argument
			}
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		list, _, err := load(&Loader{Name: name, Class: refuse}, data, 0)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if each := int64(after.HeapAlloc-before.HeapAlloc) / n; err != nil || each > counted {
			t.Errorf("%s: %d bytes each, %d are counted (%v)", name, each, counted, err)
		}
		runtime.KeepAlive(list)
	}
}

func TestLongStringsStayInTheFile(t *testing.T) {
	long := strings.Repeat("é", 5000)
	head := "\x80\x03X"
	data := head + string(binary.LittleEndian.AppendUint32(nil, uint32(len(long)))) + long + "."
	v, _, err := load(&Loader{Name: "long", Class: refuse}, data, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, ok := v.(*Blob)
	if !ok || b.Size() != 10_000 {
		t.Fatalf("%T", v)
	}
	text, err := b.Text()
	if string(text) != long || err != nil {
		t.Error(err)
	}
	raw, err := io.ReadAll(b.Reader())
	if string(raw) != long || err != nil {
		t.Error(err)
	}
	latin, err := Latin1(text)
	if len(latin) != 5000 || latin[0] != 0xe9 || err != nil {
		t.Error(len(latin), err)
	}
	if _, err := Latin1([]byte("电")); err == nil {
		t.Error("Chinese is not Latin-1")
	}
}

func TestPersistentIDs(t *testing.T) {
	const data = "\x80\x02(X\x03\x00\x00\x00keyK\x07tQ."
	l := &Loader{Name: "ids", Class: refuse, Persistent: func(id any) (any, error) {
		pair, ok := id.(*types.Tuple)
		if !ok || pair.Len() != 2 {
			return nil, errors.New("no pair")
		}
		return pair.Get(1), nil
	}}
	if v, _, err := load(l, data, 0); v != 7 || err != nil {
		t.Error(v, err)
	}
	if _, _, err := load(l, "\x80\x02K\x00Q.", 0); err == nil ||
		!strings.Contains(err.Error(), "no pair") {
		t.Error("an integer is not an id here:", err)
	}
	if _, _, err := load(&Loader{Name: "ids", Class: refuse}, data, 0); err == nil ||
		!strings.HasPrefix(err.Error(), "ids: expected no persistent id") {
		t.Error(err)
	}
}

func TestClassesAreRefused(t *testing.T) {
	_, _, err := load(&Loader{Name: "evil", Class: refuse}, "cos\nsystem\n(S'id'\ntR.", 0)
	var r *ClassError
	if !errors.As(err, &r) || r.Module != "os" || r.Name != "system" {
		t.Error(err)
	}
}

func TestOpaqueValues(t *testing.T) {
	l := &Loader{Name: "opaque", Class: func(module, name string) (any, error) {
		return &Opaque{module, name}, nil
	}}
	class := "ca.b\nC\n"
	for _, data := range []string{class, class + "(K\x01tR", class + ")\x81", class + ")}\x92",
		"(ia.b\nC\n", "(" + class + "o", class + ")\x81}b", class + ")RK\x01a",
		class + ")R(K\x01e", class + ")RK\x01K\x02s", class + ")R(K\x01\x90"} {
		v, _, err := load(l, "\x80\x04"+data+".", 0)
		if o, ok := v.(*Opaque); !ok || err != nil || o.String() != "a.b.C" {
			t.Errorf("%q: %v %v", data, v, err)
		}
	}
}

func TestOtherFormats(t *testing.T) {
	for _, c := range [][2]string{
		{"\x1f\x8b\x08", "found a gzip file; unpack it: gunzip < FILE"},
		{"BZh91AY", "found a bzip2 file; unpack it: bunzip2 < FILE"},
		{"\xfd7zXZ\x00\x00", "found an xz file; unpack it: xz -d"},
		{"]\x00\x00\x80", "found an lzma file; unpack it: xz -d"},
		{"\x28\xb5\x2f\xfd", "found a zstd file; unpack it: zstd -d"},
		{"\x04\x22\x4d\x18", "found an lz4 file; unpack it: lz4 -d"},
		{"x\x9c\x03", `found a zlib file, as joblib writes; save it again: python -c "import`},
		{"\x89HDF\r\n\x1a\n\x00", "found an HDF5 file (.csd"},
		{"\x93NUMPY\x01", "found one array, as numpy.save"},
		{" \n<HTML>", "found an HTML page"},
		{"PK\x03\x04" + "rest", "found a zip archive; unzip it"},
		{zipHead("train.npy"), "found an .npz file of NumPy; read it with numpy.load"},
		{zipHead("a/data.pkl"), "found a file of torch.save; read it with torch.load"},
		{zipHead("a") + ".npy", "found a zip archive"},
		{"version https://git-lfs.github.com/spec/v1\n", "found a pointer of Git LFS"},
		{"id,label\n", `found a file that begins with "id,label\n"; give the .pkl file`},
		{"\x80\x04\x8c\x13joblib.numpy_pickle",
			"byte 2: expected a pickle, found a file of joblib"},
		{"\x80\x04}", "the file ends after 3 of at least 4 bytes, download it again"},
		{"\x80\x02cab", "the file ends after 5 of at least 6 bytes, download it again"},
	} {
		data, want := c[0], c[1]
		if _, _, err := load(&Loader{Name: "other", Class: refuse}, data, 0); err == nil ||
			!strings.HasPrefix(err.Error(), "other: ") || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "damaged") {
			t.Errorf("%.40q: %v, want %q", data, err, want)
		}
	}
}

// zipHead returns the first bytes of a zip archive with an entry of the given name.
func zipHead(name string) string {
	return "PK\x03\x04" + strings.Repeat("\x00", 22) + string(rune(len(name))) + "\x00\x00\x00" +
		name
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"\x80\x02K\x01.", "(lp0\nI1\naS'a'\na.",
		"\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x02.",
		"ccollections\nOrderedDict\n)R(K\x01K\x02u."} {
		f.Add([]byte(seed))
	}
	l := &Loader{Name: "fuzz", Class: refuse, Persistent: func(id any) (any, error) {
		return id, nil
	}}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, end, err := l.Load(strings.NewReader(string(data)), 0, int64(len(data)))
		if err == nil && (end < 1 || end > int64(len(data))) {
			t.Errorf("end %d of %d", end, len(data))
		}
	})
}
