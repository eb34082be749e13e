package unpickle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
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

var errSector = errors.New("bad sector")

func TestErrorsOfTheDisk(t *testing.T) {
	disk := &filestest.FailingReader{Err: errSector}
	_, _, err := (&Loader{Name: "broken", Class: refuse}).Load(disk, 0, 100)
	if err == nil || err.Error() != "broken: bad sector" {
		t.Error(err)
	}
	if _, err := (&Blob{io.NewSectionReader(disk, 0, 100), 'X'}).Text(); err == nil {
		t.Error("no error of a long string")
	}
}

// TestEscapes decodes Latin-1 with escapes, of which some are incomplete or no escapes.
func TestEscapes(t *testing.T) {
	for text, want := range map[string]string{"a\xe9": "aé", `\u00e9b`: "éb", `\U0001f600c`: "😀c",
		`\Uffffffff`: "\ufffd",
		`\uZZZZ`:     `\uZZZZ`, `\u00e`: "\x0e", `\n\\`: `\n\\`, `\`: `\`} {
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
	for range 2 {
		raw, err := io.ReadAll(b.Reader())
		if string(raw) != long || err != nil {
			t.Error(err)
		}
	}
	latin, err := Latin1(text)
	if len(latin) != 5000 || latin[0] != 0xe9 || err != nil {
		t.Error(len(latin), err)
	}
	if latin, err = Latin1([]byte("ÿa")); string(latin) != "\xffa" || err != nil {
		t.Errorf("%q, %v", latin, err)
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
		{"\ufeff<!DOCTYPE html>", "found an HTML page, perhaps a page about the download; " +
			"download the file itself, from Google Drive for instance with gdown"},
		{" \n", `found a file that begins with " \n"; give the .pkl file`},
		{"PK\x03\x04" + "rest", "found a zip archive; unzip it"},
		{zipHead("train.npy"), "found an .npz file of NumPy; read it with numpy.load"},
		{zipHead("a/data.pkl"), "found a file of torch.save; read it with torch.load"},
		{zipHead("a") + ".npy", "found a zip archive"},
		{zipHead(".npy"), "found an .npz file of NumPy; read it with numpy.load"},
		{zipHead("train.npy") + "x", "found an .npz file of NumPy; read it with numpy.load"},
		{zipHead("/data.pkl"), "found a file of torch.save; read it with torch.load"},
		{"PK\x03\x04" + strings.Repeat("\xff", 40), "found a zip archive; unzip it and give"},
		{"PK\x03\x04" + strings.Repeat("\x00", 26), "found a zip archive; unzip it"},
		{"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n.",
			"byte 2: expected a pickle, found a file of joblib; save it again: python -c"},
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

func le(width int, n uint64) string {
	return string(binary.LittleEndian.AppendUint64(nil, n)[:width])
}

// TestOpcodes runs each opcode that has a value, with arguments of its kind. What is before the
// value on the stack is popped.
func TestOpcodes(t *testing.T) {
	class := func(module, name string) (any, error) { return module + "." + name, nil }
	list := func(v ...any) *types.List { return types.NewListFromSlice(v) }
	tuple := func(v ...any) *types.Tuple { return types.NewTupleFromSlice(v) }
	for program, want := range map[string]any{
		"N": nil, "\x88": true, "\x89": false, "I01\n": true, "I00\n": false, "I-12\n": -12,
		"J\xff\xff\xff\xff": -1, "K\xff": 255, "M\x01\x02": 513, "L12L\n": 12,
		"\x8a\x01\xff": -1, "\x8a\x02\x00\x01": 256, "\x8a\x00": 0, "\x8b" + le(4, 0): 0,
		"\x8b\x02\x00\x00\x00\x00\x01": 256, "F-1.5\n": -1.5,
		"G\xbf\xf8\x00\x00\x00\x00\x00\x00": -1.5, "S'ab'\n": "ab", "S\"ab\"\n": "ab",
		"T\x02\x00\x00\x00ab": "ab", "U\x02ab": "ab", "X\x02\x00\x00\x00\xc3\xa9": "é",
		"\x8c\x02\xc3\xa9": "é", "\x8d" + le(8, 2) + "\xc3\xa9": "é",
		"V\\u00e9\xe9\n": "éé", "V\n": "", "X\x00\x00\x00\x00": "",
		"B\x02\x00\x00\x00ab": []byte("ab"), "C\x02ab": []byte("ab"),
		"\x8e" + le(8, 2) + "ab": []byte("ab"),
		"\x96" + le(8, 2) + "ab": types.NewByteArrayFromSlice([]byte("ab")),
		")":                      &types.Tuple{},
		"K\x01\x85":              tuple(1), "K\x01K\x02\x86": tuple(1, 2),
		"K\x01K\x02K\x03\x87": tuple(1, 2, 3), "(K\x01K\x02t": tuple(1, 2),
		"]K\x01a(K\x02K\x03e": list(1, 2, 3), "(K\x01K\x02l": list(1, 2),
		"}K\x01K\x02s": dictOf(1, 2), "}(K\x01K\x02u": dictOf(1, 2),
		"(K\x01K\x02d": dictOf(1, 2), "K\x01K\x020": 1, "K\x01(K\x021": 1,
		"K\x012\x86": tuple(1, 1), "K\x01q\x020h\x02": 1,
		"K\x01r\x02\x00\x01\x000j\x02\x00\x01\x00": 1, "K\x01p300\n0g300\n": 1,
		"K\x01\x940h\x00": 1, "ca.b\nC\n": "a.b.C", "\x8c\x03a.b\x8c\x01C\x93": "a.b.C",
		"\x95" + le(8, 3) + "K\x01": 1,
	} {
		data := "\x80\x04" + program + "."
		v, end, err := load(&Loader{Name: "op", Class: class}, data+"rest", 0)
		if err != nil || end != int64(len(data)) || !reflect.DeepEqual(v, want) {
			t.Errorf("%q: %#v, want %#v; end %d: %v", program, v, want, end, err)
		}
		// each byte is needed
		for n := range data[2:] {
			if v, _, err := load(&Loader{Name: "op", Class: class}, data[:2+n], 0); err == nil ||
				!strings.HasPrefix(err.Error(), "op: byte ") ||
				!strings.Contains(err.Error(), "the file ends after") {
				t.Errorf("%q: %v and %v for %d bytes", program, v, err, 2+n)
			}
		}
	}
}

func dictOf(key, value any) *types.Dict {
	d := types.NewDict()
	d.Set(key, value)
	return d
}

// TestPlacesOfErrors has what cannot be run at byte 30, behind what is not copied to the program or
// is longer in it.
func TestPlacesOfErrors(t *testing.T) {
	nones := strings.Repeat("N", 23)
	for name, data := range map[string]string{
		"nothing":     "\x80\x04" + strings.Repeat("N", 28),
		"frame":       "\x80\x04\x95" + le(8, 3) + strings.Repeat("N", 19),
		"two frames":  "\x80\x04\x95" + le(8, 3) + "NN\x95" + le(8, 3) + strings.Repeat("N", 8),
		"integer 0":   "\x80\x04\x8a\x00\x8b" + le(4, 0) + strings.Repeat("N", 21),
		"escapes":     "\x80\x04V\\u00e9\\u00e9\xe9\n" + strings.Repeat("N", 13),
		"other":       "\x80\x04V" + strings.Repeat("\xe9", 26) + "\n",
		"long":        "\x80\x04X" + le(4, 2000) + strings.Repeat("x", 2000) + nones,
		"long escape": "\x80\x04V" + strings.Repeat("x", 2000) + "\nNNN" + nones,
	} {
		place := 30
		if strings.HasPrefix(name, "long") {
			place = 2030
		}
		if len(data) != place {
			t.Fatalf("%s: %d bytes", name, len(data))
		}
		_, _, err := load(&Loader{Name: "bad", Class: refuse}, data+"\x93NNNN.", 0)
		if want := fmt.Sprintf("bad: byte %d: ", place+1); err == nil ||
			!strings.HasPrefix(err.Error(), want) ||
			!strings.HasSuffix(err.Error(), "; the file is damaged or of another format; download "+
				"it again") {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// TestLimitsOfStrings has strings and lines of 1024 bytes and of one more.
func TestLimitsOfStrings(t *testing.T) {
	for _, n := range []int{1024, 1025} {
		s := strings.Repeat("x", n)
		for name, data := range map[string]string{"X": "X" + le(4, uint64(n)) + s,
			"V": "V" + s + "\n", "B": "B" + le(4, uint64(n)) + s} {
			v, end, err := load(&Loader{Name: "long", Class: refuse}, "\x80\x04"+data+".", 0)
			if err != nil || end != int64(len(data)+3) {
				t.Errorf("%s of %d: end %d: %v", name, n, end, err)
				continue
			}
			if b, ok := v.(*Blob); ok != (n == 1025) {
				t.Errorf("%s of %d bytes is a %T", name, n, v)
			} else if ok {
				if text, err := b.Text(); string(text) != s || err != nil || b.Size() != int64(n) {
					t.Errorf("%s: %d bytes: %v", name, len(text), err)
				}
			}
		}
		_, _, err := load(&Loader{Name: "line", Class: refuse}, "\x80\x04S'"+s[:n-2]+"'\n.", 0)
		want := ""
		if n == 1025 {
			want = "line: byte 2: STRING: expected a line of at most 1024 bytes, found none; the " +
				"file is damaged or of another format; download it again"
		}
		if text := fmt.Sprint(err); text != want && (err != nil || want != "") {
			t.Errorf("%d bytes: %s, want %s", n, text, want)
		}
	}
	if w := (&scanner{}); w.text(0, []byte("abcd")) != nil || w.cost != 12 {
		t.Errorf("%d bytes are counted for four letters, want 12", w.cost)
	}
	// longer than what is read at once, with escapes
	s := strings.Repeat("\\u00e9", 30_000)
	v, _, err := load(&Loader{Name: "long", Class: refuse}, "\x80\x02V"+s+"\n.", 0)
	b, ok := v.(*Blob)
	if err != nil || !ok {
		t.Fatal(v, err)
	}
	if text, err := b.Text(); err != nil || string(text) != strings.Repeat("é", 30_000) {
		t.Errorf("%d bytes: %v", len(text), err)
	}
	// two long strings are different, and an integer may have the same number
	data := "\x80\x02(" + "X" + le(4, 2000) + strings.Repeat("a", 2000) + "X" + le(4, 3000) +
		strings.Repeat("b", 3000) + "K\x01t."
	v, _, err = load(&Loader{Name: "two", Class: refuse}, data, 0)
	if err != nil || v.(*types.Tuple).Get(2) != 1 {
		t.Fatal(v, err)
	}
	for i, want := range []string{strings.Repeat("a", 2000), strings.Repeat("b", 3000)} {
		if text, err := v.(*types.Tuple).Get(i).(*Blob).Text(); err != nil || string(text) != want {
			t.Errorf("string %d: %.10s, %v", i, text, err)
		}
	}
}

// TestMessages has the whole message of each error.
func TestMessages(t *testing.T) {
	const damaged = "; the file is damaged or of another format; download it again"
	const array = "expected arrays, lists and strings, found array._array_reconstructor; it was " +
		"refused and nothing was executed, do not open this file elsewhere unless you trust it"
	for _, c := range []struct{ data, want string }{
		{"", "expected a pickle, found an empty file; download it again"},
		{"\x80\x04\xff.", "byte 2: expected an opcode, found 0xff" + damaged},
		{"\x80\x05N\x97.", "byte 3: expected arrays in the file, found a buffer outside of it; " +
			"save it again without buffer_callback: pickle.dump(data, f, 4)"},
		{"\x80\x05\x98.", "byte 2: expected arrays in the file, found a buffer outside of it; " +
			"save it again without buffer_callback: pickle.dump(data, f, 4)"},
		{"\x80\x02X" + le(4, 2000) + strings.Repeat("x", 1990), "byte 2: BINUNICODE: expected " +
			"2000 more bytes, found the end of the file after 1990; the file ends after 1997 of " +
			"at least 2007 bytes, download it again"},
		{"\x80\x02Vabc", "byte 2: UNICODE: expected 4 more bytes, found the end of the file " +
			"after 3; the file ends after 6 of at least 7 bytes, download it again"},
		{"\x80\x02Sabc", "byte 2: STRING: expected 4 more bytes, found the end of the file after " +
			"3; the file ends after 6 of at least 7 bytes, download it again"},
		{"\x80\x02S'\\x41'\n.", "byte 2: STRING: expected a string without escapes, found one of " +
			"Python 2; save the file with pickle protocol 2 or higher"},
		{"\x80\x02\x8b" + le(4, 256) + strings.Repeat("x", 256), "byte 2: LONG4: expected at " +
			"most 255 bytes, found 256" + damaged},
		{"\x80\x02V_array_reconstructor\n.", "byte 2: " + array},
		{"\x80\x02carray\n_array_reconstructor\n.", "byte 2: " + array},
		{"\x80\x02Nca\nb\n.", "expected arrays, lists and strings, found a.b; it was refused and " +
			"nothing was executed, do not open this file elsewhere unless you trust it"},
		{"\x80\x02K\x00Q.", "expected no persistent id, found one: some data are not in this " +
			"file; if it is of torch.save, convert tensors with .numpy() and save with " +
			"pickle.dump"},
		{"\x80\x02cpanic\nb\n.", "byte 11: cannot happen" + damaged},
	} {
		l := &Loader{Name: "own", Class: func(module, name string) (any, error) {
			if module == "panic" {
				panic("cannot happen")
			}
			return refuse(module, name)
		}}
		if v, _, err := load(l, c.data, 0); err == nil || err.Error() != "own: "+c.want &&
			c.want != "" {
			t.Errorf("%.40q: %v, %v\nwant own: %s", c.data, v, err, c.want)
		}
	}
	// in the second of two pickles, and behind the last
	l := &Loader{Name: "row", Class: refuse}
	const row = "\x80\x02K\x01.\x80\x02NN\x93."
	if _, _, err := load(l, row, 5); err == nil ||
		!strings.HasPrefix(err.Error(), "row: byte 10: ") {
		t.Error(err)
	}
	const end = "row: byte 11: expected a pickle, found the end of the file; download it again"
	for _, from := range []int64{11, 12} {
		if _, _, err := load(l, row, from); err == nil ||
			err.Error() != strings.Replace(end, "11", fmt.Sprint(from), 1) {
			t.Error(err)
		}
	}
	// an error where the next bytes are not copied
	if _, _, err := load(l, "\x80\x04NN\x93\x95"+le(8, 1)+".", 0); err == nil ||
		!strings.HasPrefix(err.Error(), "row: byte 5: ") {
		t.Error(err)
	}
}

// TestMemoryIsThatOfTheMarks has as many marks as a file of its size may have: 336 bytes each and
// 48 for None are 64 MB and twice the size.
func TestMemoryIsThatOfTheMarks(t *testing.T) {
	const n = 200_925
	data := "\x80\x02" + strings.Repeat("(", n) + "N."
	const padding = (336*n+48-64<<20)/2 - (n + 4)
	l := &Loader{Name: "marks", Class: refuse}
	if v, _, err := load(l, data+strings.Repeat(" ", padding), 0); v != nil || err != nil {
		t.Error(v, err)
	}
	_, _, err := load(l, data+strings.Repeat(" ", padding-1), 0)
	want := fmt.Sprintf("marks: byte %d: expected arrays, found small objects for more than 64 MB "+
		"of memory; save lists of numbers as arrays: numpy.array(x, dtype='float32')", n+2)
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestCountedMemory adds up the costs of the opcodes, three bytes for each of a string, and 112 for
// each opcode before the items of a set.
func TestCountedMemory(t *testing.T) {
	const empty, mark, item, value = 336, 336, 48, 48
	for program, want := range map[string]int64{
		"N.":                   value,
		"\x8f(K\x01K\x02\x90.": empty + mark + 2*value + item + 5*112,
		"(K\x01\x91.":          mark + value + empty + 3*112,
		"\x8f(K\x01\x90(K\x01\x910NN.": empty + mark + value + item + 4*112 +
			mark + value + empty + 3*112 + 2*value,
		"\x8c\x03abc.": value + 9, "ca\nbc\n.": 2*value + 9, "V\xe9\n.": value + 6,
		"\x95" + le(8, 2) + "N.":                            80 + value,
		"X" + le(4, 1025) + strings.Repeat("x", 1025) + ".": value,
	} {
		w := &scanner{file: io.NewSectionReader(strings.NewReader(program), 0, int64(len(program))),
			shifts: []shift{{}}}
		w.r = bufio.NewReader(w.file)
		for stop := false; !stop; {
			var err error
			if stop, err = w.step(); err != nil {
				t.Fatal(err)
			}
		}
		if w.cost != want {
			t.Errorf("%.20q: %d bytes, want %d", program, w.cost, want)
		}
	}
}

// TestMemoryOfSets counts the items of each set once, and nothing for what is in no set.
func TestMemoryOfSets(t *testing.T) {
	for name, data := range map[string]string{
		"sets":       "(" + strings.Repeat("\x8f(K\x01\x90", 2000) + "l.",
		"frozensets": "(" + strings.Repeat("(K\x01\x91", 2000) + "l.",
		"integers":   "(" + strings.Repeat("K\x01", 450_000) + "l.",
	} {
		if _, _, err := load(&Loader{Name: name, Class: refuse}, "\x80\x04"+data, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEachReadMayFail has files that are longer than what is read at once, and which end in it with
// an argument of each kind.
func TestEachReadMayFail(t *testing.T) {
	const buffer = 1 << 16
	for _, end := range []string{"K\x01", "J\x01\x00\x00\x00", "S'abc'\n", "V\\u00e9\n",
		"X\x03\x00\x00\x00abc", "ca\nb\n", "X" + le(4, 2000) + strings.Repeat("x", 2000),
		"V" + strings.Repeat("x", 2*buffer) + "\n", "V" + strings.Repeat("x", 500) + "\n"} {
		for into := 1; into < min(len(end), 9); into++ {
			data := "\x80\x04" + strings.Repeat("N", buffer-2-into) + end + "."
			for n := 0; ; n++ {
				d := &filestest.FailingReader{ReaderAt: strings.NewReader(data), Reads: n,
					Once: true, Err: errSector}
				_, _, err := (&Loader{Name: "cut", Class: func(string, string) (any, error) {
					return nil, nil
				}}).Load(d, 0, int64(len(data)))
				if d.Reads >= 0 {
					if err != nil || n < 2 {
						t.Errorf("%.9q: %d reads: %v", end, n, err)
					}
					break
				}
				if err == nil || !strings.HasPrefix(err.Error(), "cut: ") ||
					!strings.Contains(err.Error(), "bad sector") {
					t.Errorf("%.9q: read %d fails: %v", end, n, err)
				}
			}
		}
	}
}

// TestArgumentsOfOpaqueClasses are at most 255.
func TestArgumentsOfOpaqueClasses(t *testing.T) {
	o := &Opaque{strings.Repeat("m", 61), strings.Repeat("n", 61)}
	name := strings.Repeat("m", 60) + "." + strings.Repeat("n", 60)
	if v, err := o.PyNew(make([]any, 255)...); v != o || err != nil {
		t.Error(v, err)
	}
	if _, err := o.PyNew(make([]any, 256)...); err == nil ||
		err.Error() != name+": expected at most 255 arguments, found 256" {
		t.Error(err)
	}
}
