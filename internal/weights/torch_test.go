package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entry is an entry of a zip archive.
type entry struct{ name, data string }

// archive returns a zip archive of uncompressed entries.
func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
		if err == nil {
			_, err = io.WriteString(w, e.data)
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

// open reads a file in memory.
func open(data []byte) (*File, error) {
	return read("x", bytes.NewReader(data), int64(len(data)))
}

// text is the opcode of a string.
func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// four is a storage of the float32 numbers 1, 2, 3 and 4.
const four = "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40"

// id is the persistent id of the storage "0" of four numbers.
var id = "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K\x04tQ"

// dict is the pickle of {"x": a tensor}, given the opcodes of the arguments.
func dict(args string) string {
	return "\x80\x02}" + text("x") + "ctorch._utils\n_rebuild_tensor_v2\n(" + args + "tRs."
}

// nested is the pickle of n dicts within each other, the last of which has a number.
func nested(n int) string {
	return "\x80\x02" + strings.Repeat("}"+text("a"), n) + "K\x01" + strings.Repeat("s", n) + "."
}

// legacy returns a file of torch.save before version 1.6.
func legacy(machine, state, keys, storages string) []byte {
	return []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." + machine + state +
		keys + storages)
}

// TestTensorsWithinAStorage reads tensors of all or some elements of a storage, and refuses those
// that go beyond its end.
func TestTensorsWithinAStorage(t *testing.T) {
	for _, x := range []struct {
		offset, shape, strides string
		want                   []float32 // nil for an error
		gathered               bool
	}{
		{"K\x00", "K\x04\x85", "K\x01\x85", []float32{1, 2, 3, 4}, false},
		{"K\x00", "K\x02K\x02\x86", "K\x02K\x01\x86", []float32{1, 2, 3, 4}, false},
		{"K\x00", "K\x02K\x02\x86", "K\x01K\x02\x86", []float32{1, 3, 2, 4}, true},
		{"K\x01", "K\x02\x85", "K\x02\x85", []float32{2, 4}, true},
		{"K\x00", "K\x02K\x03\x86", "K\x01K\x01\x86", nil, true}, // six elements
		{"K\x01", "K\x01K\x03K\x01\x87", "K\x63K\x01K\x63\x87", []float32{2, 3, 4}, false},
		{"K\x03", ")", ")", []float32{4}, false},
		{"K\x04", ")", ")", nil, false}, {"K\x04", "K\x01\x85", "K\x01\x85", nil, false},
		{"K\x04", "K\x00\x85", "K\x01\x85", []float32{}, false},
		{"K\x05", "K\x00\x85", "K\x01\x85", nil, false},
		{"K\x01", "K\x02K\x02\x86", "K\x02K\x01\x86", nil, false},
		{"K\x01", "K\x02K\x02\x86", "K\x01K\x02\x86", nil, false},
	} {
		f, err := open(archive(t, entry{"a/data.pkl", dict(id + x.offset + x.shape + x.strides)},
			entry{"a/data/0", four}))
		if x.want == nil {
			const want = `x: tensor "x": expected a tensor within its storage of 4 elements, ` +
				"found shape "
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%q: error %v, want %q", x.shape+x.strides, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", x.shape+x.strides, err)
			continue
		}
		got, err := f.Tensor("x").Floats()
		if err != nil || !slices.Equal(got, x.want) ||
			(f.Tensor("x").strides != nil) != x.gathered {
			t.Errorf("%q: %v, %v, strides %v", x.shape+x.strides, got, err,
				f.Tensor("x").strides)
		}
	}
}

// TestArgumentsOfTensors refuses persistent ids and arguments that PyTorch does not write.
func TestArgumentsOfTensors(t *testing.T) {
	storage := func(kind, class, key, count, more string) string {
		return "(" + kind + class + key + text("cpu") + count + more + "tQ"
	}
	const rest, float = "K\x00K\x04\x85K\x01\x85", "ctorch\nFloatStorage\n"
	name, key := text("storage"), text("0")
	const other, unknown = "expected a storage, found another persistent id",
		"expected a storage of a known type, found another"
	const arguments = "tensor: expected a storage, an offset, a shape and strides"
	long := "(" + strings.Repeat("K\x01", 17) + "t"
	for args, want := range map[string]string{
		id + rest: "", storage(name, float, key, "K\x04", "") + rest: "",
		storage(name, float, key, "K\x04", "N") + rest:       "",
		storage(name, float, key, "K\x04", "K\x01") + rest:   other,
		"(" + name + float + key + text("cpu") + "tQ" + rest: other,
		"K\x01Q" + rest: other,
		"]Q" + rest:     other,
		storage(text("module"), float, key, "K\x04", "") + rest:   unknown,
		storage(name, text("Float"), key, "K\x04", "") + rest:     unknown,
		storage(name, float, "K\x00", "K\x04", "") + rest:         unknown,
		storage(name, float, text(""), "K\x04", "") + rest:        unknown,
		storage(name, float, key, text("4"), "") + rest:           unknown,
		storage(name, float, key, "J\xff\xff\xff\xff", "") + rest: unknown,
		storage(name, float, key, "K\x05", "") + rest: "expected a storage of 5 elements, " +
			"found 4",
		id + "K\x00K\x04\x85":                                  arguments,
		"K\x01" + rest:                                         arguments,
		id + text("0") + "K\x04\x85K\x01\x85":                  arguments,
		id + "J\xff\xff\xff\xffK\x04\x85K\x01\x85":             arguments,
		id + "K\x00K\x04K\x01\x85":                             arguments,
		id + "K\x00K\x04\x85K\x01":                             arguments,
		id + "K\x00K\x04\x85)":                                 arguments,
		id + "K\x00" + long + long:                             arguments,
		id + "K\x00" + text("4") + "\x85" + text("1") + "\x85": arguments,
		id + rest + "\x89N":                                    "",
	} {
		f, err := open(archive(t, entry{"a/data.pkl", dict(args)}, entry{"a/data/0", four}))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", args, err, want)
		} else if err == nil && f.Tensor("x").Len() != 4 {
			t.Errorf("%q: %v", args, f.Tensor("x"))
		}
	}
	for program, want := range map[string]string{
		"ctorch\nSize\n)R": "Size: expected an argument, found none",
		"ctorch._utils\n_rebuild_parameter\n)R": "_rebuild_parameter: expected an argument, " +
			"found none"} {
		_, err := open(archive(t, entry{"a/data.pkl", "\x80\x02" + program + "."}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", program, err, want)
		}
	}
}

// TestEntriesOfArchives reads the state dict from data.pkl in the only folder, or beside it.
func TestEntriesOfArchives(t *testing.T) {
	whole := dict(id + "K\x00K\x04\x85K\x01\x85")
	cut := archive(t, entry{"a/data.pkl", whole}, entry{"a/data/0", four})
	at := bytes.LastIndex(cut, []byte("PK\x01\x02")) // of the entry data/0
	binary.LittleEndian.PutUint32(cut[at+24:], uint32(len(cut)))
	const order = "x: expected little-endian numbers, found "
	for want, data := range map[string][]byte{
		"": archive(t, entry{"a/data.pkl", whole}, entry{"a/data/0", four},
			entry{"a/byteorder", "little"}, entry{"a/b/data.pkl", "no pickle"}),
		" ": archive(t, entry{"data.pkl", whole}, entry{"data/0", four}),
		order + `"big"; save it on another machine`: archive(t, entry{"a/data.pkl", whole},
			entry{"a/data/0", four}, entry{"a/byteorder", "big"}),
		order + `"little, or rathe"`: archive(t, entry{"a/data.pkl", whole},
			entry{"a/byteorder", "little, or rather not"}),
		fmt.Sprintf(`x: "a/data/0": expected an uncompressed entry within the %d bytes of the file`,
			len(cut)): cut,
		"x: expected the entry data.pkl": archive(t, entry{"a/b/data.pkl", whole}),
		"x: expected a zip archive as torch.save writes it, found: more than 8388608 bytes of " +
			"directory; the file is damaged": archive(t, slices.Repeat([]entry{{strings.Repeat(
			"x", 65_000), ""}}, 140)...),
	} {
		f, err := open(data)
		if want = strings.TrimSpace(want); want == "" {
			if err != nil || f.Format != "PyTorch" || !slices.Equal(f.Names(), []string{"x"}) {
				t.Errorf("%v: %v", f, err)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestStateDicts flattens dicts and lists. Numbers and strings become metadata.
func TestStateDicts(t *testing.T) {
	x := strings.TrimPrefix(dict(id+"K\x00K\x04\x85K\x01\x85"), "\x80\x02}"+text("x"))
	x = strings.TrimSuffix(x, "s.")
	const ordered = "ccollections\nOrderedDict\n)R"
	pickle := "\x80\x02}(" + text("list") + "](" + x + "K\x07" + x + "e" + text("dict") +
		ordered + "(K\x03" + x + text("n") + "G\x3f\xe0\x00\x00\x00\x00\x00\x00u" + text("b") +
		"\x88" + text("none") + "Nu."
	for _, data := range [][]byte{
		archive(t, entry{"a/data.pkl", pickle}, entry{"a/data/0", four}),
		legacy("\x80\x02}.", pickle, "\x80\x02]"+text("0")+"a.", "\x04\x00\x00\x00\x00\x00\x00\x00"+
			four),
	} {
		f, err := open(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"list.0", "list.2", "dict.3"}, f.Names()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]string{"list.1": "7", "dict.n": "0.5", "b": "true"},
			f.Meta); diff != "" {
			t.Error(diff)
		}
		if x, err := f.Tensor("dict.3").Floats(); err != nil ||
			!slices.Equal(x, []float32{1, 2, 3, 4}) {
			t.Error(x, err)
		}
	}
	names := "(" + strings.Repeat("h\x00", 70_000) + "e"
	for want, pickle := range map[string]string{
		`x: expected one tensor named "a.b", found two; save the file again`: "\x80\x02}(" +
			text("a.b") + x + text("a") + "}" + text("b") + x + "su.",
		"expected keys that are strings or integers, found another": "\x80\x02" + ordered +
			"()K\x01u.",
		"more than 8 deep or for more than 64 MB": "\x80\x02]" + text(strings.Repeat("x", 1024)) +
			"q\x00" + "0" + names + ".",
		"more than 8 deep": nested(9),
		`x: "0.0.0.0.0.0.0.0.0": expected a state dict, found dicts`: "\x80\x02" +
			strings.Repeat("]", 9) + "K\x01" + strings.Repeat("a", 9) + ".",
	} {
		_, err := open(archive(t, entry{"a/data.pkl", pickle}, entry{"a/data/0", four}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: error %v, want %q", pickle, err, want)
		}
	}
	for _, data := range [][]byte{archive(t, entry{"a/data.pkl", nested(8)}),
		legacy("\x80\x02}.", nested(8), "\x80\x02].", "")} {
		f, err := open(data)
		if err != nil || f.Meta["a.a.a.a.a.a.a.a"] != "1" {
			t.Error(err, f)
		}
	}
}

// TestLegacyFiles reads the properties of the machine and the storages after the pickles.
func TestLegacyFiles(t *testing.T) {
	const none, head = "\x80\x02}.", "\x04\x00\x00\x00\x00\x00\x00\x00"
	state, keys := dict(id+"K\x00K\x04\x85K\x01\x85"), "\x80\x02]"+text("0")+"a."
	at := fmt.Sprintf("x: byte %d: ", len(legacy(none, state, keys, "")))
	machine := func(little string) string {
		return "\x80\x02}(" + text("protocol_version") + "M\xe9\x03" + text("little_endian") +
			little + text("sizes") + "}u."
	}
	for _, x := range []struct {
		data []byte
		want string
	}{
		{legacy(none, state, keys, head+four), ""},
		{legacy("\x80\x02K\x01.", state, keys, head+four), ""},
		{legacy(machine("\x88"), state, keys, head+four), ""},
		{legacy(machine("\x89"), state, keys, head+four),
			"x: expected little-endian numbers, found others; save it on another machine"},
		{legacy("\x80\x02}"+text("little_endian")+"\x89s.", state, keys, head+four),
			"x: expected little-endian numbers"},
		{legacy(none, state, none, head+four), fmt.Sprintf("x: byte %d: expected the keys of "+
			"storages, found something else; the file is damaged, download it again",
			len(legacy(none, state, none, "")))},
		{legacy(none, state, keys, head[:7]), at + `expected a storage of the state dict, ` +
			`found "0"; the file is damaged`},
		{legacy(none, state, keys, strings.Repeat("\x00", 7)), `expected a storage of the state`},
		{legacy(none, state, "\x80\x02]"+text("1")+"a.", head+four),
			`expected a storage of the state dict, found "1"`},
		{legacy(none, state, keys, head+four[1:]), at + `storage "0": expected 4 elements ` +
			"of 4 bytes, found the end of the file after 15 bytes; download it again"},
		{legacy(none, state, "\x80\x02].", ""), `x: tensor "x": expected storage "0", found none` +
			"; the file is damaged, download it again"},
		{legacy("\x80\x02cposix\nsystem\n.", state, keys, head+four), "found posix.system"},
		{legacy(none, "\x80\x02cposix\nsystem\n.", keys, head+four), "found posix.system"},
		{legacy(none, state, "\x80\x02cposix\nsystem\n.", head+four), "found posix.system"},
		{[]byte("\x80\x02\x8a\x0a0123456789."), "expected a file of torch.save, found another"},
		{legacy(none, nested(9), "\x80\x02].", ""), "more than 8 deep"},
	} {
		f, err := open(x.data)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%q: error %v, want %q", x.data, err, x.want)
		} else if err == nil && f.Format != "PyTorch, legacy" {
			t.Errorf("%q: format %s", x.data, f.Format)
		}
	}
}
