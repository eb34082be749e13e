package datasets

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

func counted(op byte, width int, n uint64) string {
	return string(append([]byte{op}, binary.LittleEndian.AppendUint64(nil, n)[:width]...))
}

func TestHostileFiles(t *testing.T) {
	zero32 := strings.Repeat("0", 32)
	array := "cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"
	float := "cnumpy\ndtype\n(X\x02\x00\x00\x00f4tR"
	buffer, orderK := "\x80\x02cnumpy.core.numeric\n_frombuffer\n(", "X\x01\x00\x00\x00K"
	for name, c := range map[string]struct{ data, want string }{
		"empty": {"", "expected a pickle, found an empty file"},
		"text": {"<!DOCTYPE html>\nnot found",
			"found an HTML page, perhaps a page about the download; download the file itself"},
		"zip":                {"PK\x03\x04rest", "expected a pickle, found a zip archive; unzip"},
		"text like a pickle": {"}else { return }", "byte "},
		"os.system": {"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
			"found posix.system; it was refused and nothing was executed"},
		"os.system, old": {"cos\nsystem\n(S'id'\ntR.", "found os.system; it was refused"},
		"eval": {"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
			"found builtins.eval; it was refused"},
		"instance": {"\x80\x02(ios\nsystem\n.", "found os.system; it was refused"},
		"bytes in UTF-8": {"\x80\x02c_codecs\nencode\n(S'a'\nS'utf-8'\ntR.",
			"_codecs.encode: expected a string and latin1"},
		"bytes of nothing": {"\x80\x02c_codecs\nencode\n)R.",
			"_codecs.encode: expected a string and latin1"},
		"array module": {"\x80\x04\x8c\x05array\x8c\x14_array_reconstructor\x93.",
			"found array._array_reconstructor; it was refused"},
		"array module, old": {"\x80\x02S'array'\nS'_array_reconstructor'\n\x93.",
			"found array._array_reconstructor; it was refused"},
		"opcode 0xff":        {"\x80\x04}\xff.", "byte 3: expected an opcode, found 0xff"},
		"persistent id":      {"\x80\x04K\x00Q.", "expected no persistent id, found one"},
		"out-of-band buffer": {"\x80\x05\x97.", "found a buffer outside of it; save it again"},
		"protocol 6":         {"\x80\x06}.", "unsupported pickle protocol"},
		"2^40 bytes": {"\x80\x04" + counted(0x8e, 8, 1<<40) + zero32,
			"byte 2: BINBYTES8: expected 1099511627776 more bytes, found the end of the file after 32"},
		"a byte short": {"\x80\x04" + counted(0x8e, 8, 2000) + strings.Repeat("a", 1999),
			"byte 2: BINBYTES8: expected 2000 more bytes, found the end of the file after 1999"},
		"2^63 bytes": {"\x80\x04" + counted(0x8e, 8, 1<<63) + zero32,
			"byte 2: BINBYTES8: expected 9223372036854775808 more bytes"},
		"2^32-1 letters": {"\x80\x04" + counted('X', 4, math.MaxUint32) + zero32,
			"BINUNICODE: expected 4294967295 more bytes"},
		"2^50 bytes of frame": {"\x80\x04" + counted(0x95, 8, 1<<50) + zero32, "FRAME: expected"},
		"2^63 bytes, array":   {"\x80\x05" + counted(0x96, 8, 1<<63), "BYTEARRAY8: expected"},
		"negative length": {"\x80\x02" + counted('T', 4, math.MaxUint32) + zero32,
			"BINSTRING: expected"},
		"long integer": {"\x80\x02" +
			counted(0x8b, 4, 1<<20) + strings.Repeat("1", 1<<20) + ".",
			"LONG4: expected at most 255 bytes"},
		"long digits": {"L" + strings.Repeat("1", 1<<20) + "\n.", "expected a pickle"},
		"long digits, 2": {"\x80\x02L" + strings.Repeat("1", 1<<20) + "\n.",
			"LONG: expected a line of at most 1024 bytes"},
		"no stop":         {"\x80\x04}", "opcode: expected 1 more bytes, found the end"},
		"stop on nothing": {"\x80\x04.", "the stack is empty"},
		"marks": {"\x80\x02" + strings.Repeat("(", 1<<20),
			"expected arrays, found small objects"},
		"dicts": {"\x80\x02" + strings.Repeat("}", 1<<20) + ".",
			"expected arrays, found small objects"},
		"deep list": {"\x80\x02" + strings.Repeat("](", 1e5) + "]" +
			strings.Repeat("e", 1e5) + ".", "found list [1]"},
		"list in itself":       {"\x80\x02]q\x00h\x00a.", "found list [1]"},
		"list in itself, call": {"\x80\x02]q\x00h\x00ah\x00h\x00R.", "REDUCE args must be"},
		"list in a shape": {"\x80\x02]q\x00h\x00a0" + array + "(K\x01h\x00\x85" + float +
			"I00\nC\x01btb.", "expected a shape of integers"},
		"odd dict":   {"\x80\x02(K\x01d.", "byte "},
		"unhashable": {"\x80\x04\x8f(B\x01\x00\x00\x00a\x90.", "unhashable"},
		"array of 2^36": {"\x80\x02}X\x05\x00\x00\x00train}X\x09\x00\x00\x00text_bert" +
			array + "(K\x01(J\x00\x00\x00\x10K\x03K\x04t" + float + "I00\nC\x00tbss.",
			"of 12884901888 bytes with 0 bytes"},
		"array of 2^93": {"\x80\x02" + array +
			"(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft" + float +
			"I00\nC\x00tb.", "expected a shape of integers that some file could hold"},
		"negative size": {"\x80\x02" + array + "(K\x01(J\xff\xff\xff\xfft" + float +
			"I00\nC\x00tb.", "expected a shape"},
		"array without state": {"\x80\x02}X\x05\x00\x00\x00train}X\x09\x00\x00\x00text_bert" +
			array + "ss.", "array without contents"},
		"array in itself": {"\x80\x02}X\x05\x00\x00\x00train}X\x09\x00\x00\x00text_bert" +
			array + "q\x00(K\x01K\x01\x85cnumpy\ndtype\n(X\x01\x00\x00\x00OtRI00\n]h\x00atbss.",
			"item 0: expected a number, found object [1]"},
		"array state of 4 parts": {"\x80\x02" + array + "(K\x01K\x01\x85" + float + "I00\ntb.",
			"numpy array: expected a state of 5 parts"},
		"type state of 4 parts": {"\x80\x02" + float + "(K\x03NNNtb.",
			"numpy type: expected a state of 5 parts or more"},
		"array of no type": {"\x80\x02" + array + "(K\x01K\x01\x85NI00\nC\x00tb.",
			"numpy array: expected a shape and a type"},
		"type without a name": {"\x80\x02cnumpy\ndtype\n(X\x01\x00\x00\x00<tR.",
			`expected a numpy type, found "<"`},
		"scalar of objects": {"\x80\x02cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n" +
			"(X\x01\x00\x00\x00OtRNtR.", "numpy scalar: expected a type and bytes"},
		"buffer of 3 arguments": {buffer + "NNNtR.", "_frombuffer: expected 4 or 5 arguments"},
		"order of other axes": {buffer + "C\x00" + float + "K\x01\x85" + orderK +
			"K\x00K\x01\x86tR.", "numpy array: expected an order of 1 axes"},
		"order of axis 1 of 1": {buffer + "C\x00" + float + "K\x01\x85" + orderK + "K\x01\x85tR.",
			"numpy array: expected each of the axes 0 to 0 once, found others"},
		"escaped string":  {"(dS'a\\x41'\n.", "expected a string without escapes"},
		"endless unicode": {"(dV" + strings.Repeat("a", 1<<20), "UNICODE: expected 1048577 more"},
		"opaque deep": {"\x80\x04cpandas\nSeries\nq\x00" +
			strings.Repeat("h\x00\x85R", 1e5) + ".", "found pandas.Series"},
		"opaque in itself": {"\x80\x04cpandas\nSeries\nq\x00h\x00\x85Rh\x00a" +
			"(h\x00h\x00uh\x00b}h\x00h\x00s\x85R.", "found pandas.Series"},
		"many opaque": {"\x80\x04\x8c\x01aq\x000]" +
			strings.Repeat("h\x00h\x00\x93a", 5e5) + ".", "expected arrays, found small objects"},
		"many arguments": {"\x80\x04ca\nb\nq\x00(" + strings.Repeat("N", 1e5) + "tq\x01}" +
			"q\x020" + strings.Repeat("h\x00h\x01h\x02\x920", 1e4) + ".",
			"a.b: expected at most 255 arguments, found 100001"},
		"long name": {"\x80\x04c" + strings.Repeat("a", 1000) + "\n" +
			strings.Repeat("b", 1000) + "\n.", "a.bbb"},
	} {
		var err error
		n := filestest.Allocated(func() { _, err = decode("hostile.pkl", []byte(c.data)) })
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.HasPrefix(err.Error(), "datasets: hostile.pkl: ") || len(err.Error()) > 500 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if limit := 2*unpickle.BaseMemory + 4*int64(len(c.data)); n > limit || len(c.data) < 100 &&
			n > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(c.data))
		}
	}
}

func TestTruncatedFiles(t *testing.T) {
	for _, name := range []string{"protocol0.pkl", "protocol2.pkl", "protocol4.pkl",
		"protocol5.pkl"} {
		data := readTestdata(t, name)
		for n := 0; n < len(data); n += 1 + n/50 {
			_, err := decode(name, data[:n])
			if err == nil {
				t.Fatalf("%s: no error for %d of %d bytes", name, n, len(data))
			}
			if n > 0 && !strings.Contains(err.Error(), "byte ") {
				t.Errorf("%s, %d bytes: %v", name, n, err)
			}
		}
	}
}

// A long array's bytes can be named often; each naming costs two bytes of file.
func TestOneArrayNamedOften(t *testing.T) {
	const n = 100_000
	head := "\x80\x02}X\x05\x00\x00\x00train}X\x02\x00\x00\x00id]" + counted('B', 4, n)
	data := head + strings.Repeat("a", n) + "q\x010(" + strings.Repeat("h\x01", n) +
		"eX\x09\x00\x00\x00text_bert(" + strings.Repeat("h\x01", n) + "lus."
	got := filestest.Allocated(func() {
		if _, err := decode("often.pkl", []byte(data)); err == nil {
			t.Error("no error")
		}
	})
	if got > 2*unpickle.BaseMemory {
		t.Errorf("%d bytes allocated for a file of %d", got, len(data))
	}
	l := converter{left: unpickle.BaseMemory}
	text := "\x80\x04" + counted('B', 4, 1<<20) + strings.Repeat("x", 1<<20) + "."
	b, _, err := (&unpickle.Loader{Name: "blob.pkl",
		Class: findClass}).Load(strings.NewReader(text), 0, int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err = l.text(b); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("100 MB of strings made of 1 MB")
	}
}

// Lists that contain one list often, or themselves, and sequences that are padded to a long one.
func TestListsAreLimited(t *testing.T) {
	begin := "\x80\x02}X\x05\x00\x00\x00train}X\x09\x00\x00\x00text_bert"
	long := "cnumpy._core.numeric\n_frombuffer\n(" + counted(0x8e, 8, 1<<20) +
		strings.Repeat("a", 1<<20) + "cnumpy\ndtype\n(X\x02\x00\x00\x00u1tR(" +
		counted('J', 4, 1<<20) + "K\x01tX\x01\x00\x00\x00CtR"
	for name, c := range map[string]struct{ data, want string }{
		"in itself": {begin + "]q\x00h\x00ass.", "lists in more than 4 lists"},
		"often": {begin + "]q\x000](" + strings.Repeat("h\x00", 1e4) + "eq\x010](" +
			strings.Repeat("h\x01", 1e4) + "eq\x020](" + strings.Repeat("h\x02", 1e4) + "ess.",
			"more data than a file of this size can hold"},
		"padding": {begin + "](" + long +
			strings.Repeat("](](K\x01ee", 1e4) + "ess.",
			"10001 items of shape [1048576 1], more than a file of this size may have"},
	} {
		var err error
		n := filestest.Allocated(func() { _, err = decode("lists.pkl", []byte(c.data)) })
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if n > 2*unpickle.BaseMemory {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(c.data))
		}
	}
}

func TestArraysAreReadOnce(t *testing.T) {
	data := readTestdata(t, "protocol4.pkl")
	big := bytes.Repeat([]byte{0}, 8<<20) // an array that is not needed
	at := bytes.LastIndexByte(data, 'u')
	data = append(append(append(data[:at:at],
		"\x8c\x05extra"+counted(0x8e, 8, uint64(len(big)))...), big...), data[at:]...)
	n := filestest.Allocated(func() {
		if _, err := decode("big.pkl", data); err != nil {
			t.Error(err)
		}
	})
	if n > 1<<20 {
		t.Errorf("%d bytes allocated for an array that nobody asked for", n)
	}
}

// Values of classes that are not allowed may stand where nobody looks.
func TestUnknownValues(t *testing.T) {
	data := readTestdata(t, "extras.pkl")
	got, err := decode("extras", data)
	if diff := cmp.Diff(madeSet("extras"), got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
	// an object of pandas, as one key of a split
	series := func(key string) string {
		return fmt.Sprintf("X%c\x00\x00\x00%scpandas.core.series\nSeries\n)\x81}"+
			"X\x04\x00\x00\x00_mgrcpandas._libs.internals\n_unpickle_block\n"+
			"(]cbuiltins\nslice\n(K\x00NNtRtRsb", len(key), key)
	}
	data = readTestdata(t, "protocol4.pkl")
	at := bytes.Index(data, []byte("u\x8c\x05valid"))
	if at < 0 {
		t.Fatal("found no end of train")
	}
	for key, want := range map[string]string{
		"times": "",
		"audio": "train: audio: expected numbers [N T D], found pandas.core.series.Series, " +
			"which .to_numpy() converts; save it",
		"id": "train: id: expected strings [N], found pandas.core.series.Series, which .to_numpy()",
	} {
		_, err := decode("pandas", slices.Concat(data[:at], []byte(series(key)), data[at:]))
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", key, err, want)
		}
	}
	data = bytes.Replace(readTestdata(t, "extras.pkl"), []byte("\x05audio"), []byte("\x05Audio"), 1)
	for key, want := range map[string]string{"times": "found datetime64 [3]; save it",
		"exact": "found longdouble [2 3], which .astype('float32') converts; save it",
		"pairs": "found structured type [2]; save it"} {
		bad := bytes.Replace(data, []byte("\x05"+key), []byte("\x05audio"), 1)
		if _, err := decode("extras", bad); err == nil ||
			!strings.Contains(err.Error(), "train: audio: expected numbers [N T D], "+want) {
			t.Errorf("%s: %v, want %q", key, err, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"protocol0.pkl", "protocol2.pkl", "protocol4.pkl",
		"protocol5.pkl", "types.pkl", "axes.pkl", "extras.pkl", "lists.pkl"} {
		f.Add(readTestdata(f, name))
	}
	f.Add([]byte("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := decode("fuzz.pkl", data)
		if err == nil {
			var b Batch
			b.FillCorrupted(set.Test, []int{0},
				set.Test.KeepMasks(FixedRates(set.Test.Len(), 0.5)))
		}
		report := &Report{Path: "fuzz.pkl"}
		if report.read(bytes.NewReader(data), int64(len(data)), Options{}) == nil {
			_ = report.String()
		}
	})
}

// TestSmallestIntegers reads the most negative number of each size, and -1.
func TestSmallestIntegers(t *testing.T) {
	for size, want := range map[int]int64{1: math.MinInt8, 2: math.MinInt16, 4: math.MinInt32,
		8: math.MinInt64} {
		raw := make([]byte, size)
		raw[size-1] = 0x80
		if got := (&dtype{kind: 'i', size: size}).signed(raw); got != want {
			t.Errorf("%d bytes: %d, want %d", size, got, want)
		}
		if got := (&dtype{kind: 'i', size: size}).signed(bytes.Repeat([]byte{0xff},
			size)); got != -1 {
			t.Errorf("%d bytes: %d, want -1", size, got)
		}
	}
}
