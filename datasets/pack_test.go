package datasets

import (
	"bytes"
	std "cmp"
	"encoding/binary"
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
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/weights"
)

// inside lets cmp look into Frames and leaves out of a set what is not data.
var inside = cmp.Options{cmp.AllowUnexported(Frames{}),
	cmpopts.IgnoreFields(Set{}, "Warnings", "hash")}

// packTestdata packs a file of testdata.
func packTestdata(t *testing.T, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "packed.safetensors")
	if _, err := Pack(filepath.Join("testdata", name), out, Options{}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPackedSetIsTheSame(t *testing.T) {
	for _, name := range []string{"protocol0.pkl", "protocol2.pkl", "protocol4.pkl",
		"protocol5.pkl", "types.pkl", "axes.pkl", "lists.pkl"} {
		want, err := Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		path := packTestdata(t, name)
		got, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range got.splits() {
			w := want.splits()[i]
			for _, index := range [][]int{{0, 1}, {1}} {
				var a, b Batch
				masks := w.KeepMasks(FixedRates(w.Len(), 0.5))
				for _, fill := range []func(*Batch, *Split, []int, *KeepMasks){(*Batch).Fill,
					(*Batch).FillCorrupted} {
					fill(&a, w, index, masks)
					fill(&b, s, index, s.KeepMasks(FixedRates(s.Len(), 0.5)))
					if diff := cmp.Diff(a, b); diff != "" {
						t.Errorf("%s: %s %v: %s", name, splitNames[i], index, diff)
					}
				}
			}
			for _, f := range []*Frames{&s.Audio, &s.Vision} {
				f.X, f.file, f.fileSteps = f.load(), nil, 0
			}
		}
		if diff := cmp.Diff(want, got, inside); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestSubsetsOfPackedSets(t *testing.T) {
	set, err := Open(packTestdata(t, "protocol4.pkl"))
	if err != nil {
		t.Fatal(err)
	}
	s := set.Train.Subset([]int{2, 0, 1}).Subset([]int{0, 2})
	want := madeSplit(3, "train").Subset([]int{2, 1})
	if diff := cmp.Diff(want.Vision.X, s.Vision.load()); diff != "" ||
		!slices.Equal(want.ID, s.ID) {
		t.Error(diff, s.ID)
	}
	shape := s.Shape()
	shape.AudioSteps += 2
	fit, err := s.Fit(shape)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := want.Fit(shape)
	if diff := cmp.Diff(wide, fit, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// A header of 128 bytes more than a multiple of 256 makes the file begin with a pickle's 0x80.
func TestOpenPackedOfAnyHeaderLength(t *testing.T) {
	set := madeSet("")
	path := filepath.Join(t.TempDir(), "packed.safetensors")
	first := map[byte]bool{}
	for range 64 {
		set.Name += "12345678"
		var b bytes.Buffer
		if err := weights.Write(&b, set.metadata(), set.entries()); err != nil {
			t.Fatal(err)
		}
		first[b.Bytes()[0]] = true
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Open(path); err != nil || got.Name != set.Name {
			t.Fatalf("header of %d·256 + %d bytes: %v", b.Bytes()[1], b.Bytes()[0], err)
		}
	}
	if !first[0x80] || !first['('] || !first['h'] {
		t.Error("not all lengths were tried:", first)
	}
	for _, pickle := range []string{"\x80\x04\x95{{{{{{{}.", "}X\x03\x00\x00\x00{{{{K\x01s.",
		"}q{(X{\x00\x00{"} {
		if err := os.WriteFile(path, []byte(pickle), 0o600); err != nil {
			t.Fatal(err)
		}
		if isPacked(path) {
			t.Errorf("%q is a pickle", pickle)
		}
	}
}

// cutFile is an array whose file has become too short.
type cutFile struct{}

func (cutFile) Read([]float32, int) error { return io.ErrUnexpectedEOF }

// A row that can no longer be read must not be zeros.
func TestRowOfAFileThatIsCut(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "has changed since it was opened") {
			t.Errorf("Row panics with %q", got)
		}
	}()
	f := Frames{T: 1, D: 1, Len: []int{1}, file: cutFile{}, fileSteps: 1}
	f.Row(make([]float32, 1), 0)
}

// Each utterance's audio is in one piece in train, but not in valid.
func TestPermutedRowsStayInTheFile(t *testing.T) {
	data := readTestdata(t, "axes.pkl")
	l, root, err := newLayout("axes.pkl", bytes.NewReader(data), int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"train": true, "valid": false} {
		d, err := l.find(root, name)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := d.get("audio")
		if x, ok := lazy(v, nil); ok != want {
			t.Errorf("%s: %v, want %v", name, x, want)
		}
	}
}

// TestLazyArrays are numbers in the file, of which each row is in one piece.
func TestLazyArrays(t *testing.T) {
	blob := blobOf(t, strings.Repeat("x", 1200))
	u1, rank3, empty := &dtype{kind: 'u', size: 1}, []int{2, 300, 2}, []int{}
	for _, c := range []struct {
		v    any
		want bool
	}{
		{&ndarray{shape: rank3, dtype: u1, data: blob}, true},
		{&ndarray{shape: rank3, strides: []int{600, 1, 300}, dtype: u1, data: blob}, true},
		{&ndarray{shape: rank3, strides: []int{1, 2, 600}, dtype: u1, data: blob}, false},
		{&ndarray{shape: []int{2, 300, 1}, dtype: u1, data: blob}, false}, // of 600 bytes
		{&ndarray{shape: []int{0, 3}, strides: []int{3, 1}, dtype: u1, data: blob}, false},
		{&ndarray{shape: empty, strides: empty, dtype: u1, data: blob}, false},
		{&ndarray{shape: []int{1200}, dtype: &dtype{kind: 'S', size: 1}, data: blob}, false},
		{&ndarray{shape: []int{3}, dtype: u1, data: "abc"}, false},
		{&ndarray{}, false}, {list(1), false}, {nil, false},
	} {
		if x, ok := lazy(c.v, nil); ok != c.want || (x != nil) != ok {
			t.Errorf("%v: %v", c.v, ok)
		}
	}
}

// TestInfinityIsReadAsZeroInAudioOnly counts what is in the file once.
func TestInfinityIsReadAsZeroInAudioOnly(t *testing.T) {
	inf := float32(math.Inf(-1))
	blob := blobOf(t, strings.Repeat("\x00\x00\x80\xff\x00\x00\x80\x3f", 300))
	for key, want := range map[string][]float32{"audio": {0, 1, 0}, "vision": {inf, 1, inf}} {
		l := &layout{repaired: map[string]int{}}
		x, _, err := l.rows("train", dict{{Key: key, Value: &ndarray{shape: []int{2, 300, 1},
			dtype: &dtype{kind: 'f', size: 4}, data: blob}}}, key, "[N T D]")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 3)
		for range 2 {
			if err := x.Read(got, 0); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v", key, got, err)
			}
		}
		if n := l.repaired["train: audio: -Inf, read as 0"]; n != map[string]int{"audio": 2}[key] {
			t.Errorf("%s: %d repairs", key, n)
		}
	}
}

// TestPackReplacesAFile packs over another file, but not over the pickle itself, and nothing if
// there is no pickle.
func TestPackReplacesAFile(t *testing.T) {
	in := writeFile(t, "in.pkl", readTestdata(t, "types.pkl"))
	out := filepath.Join(filepath.Dir(in), "out")
	if err := os.WriteFile(out, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "datasets: pack: expected different files for input and result, found " + in +
		" for both; give the result another name"
	if _, err := Pack(in, in, Options{}); fmt.Sprint(err) != want {
		t.Error(err)
	}
	if _, err := Pack(out, out+"2", Options{}); err == nil || !strings.HasPrefix(err.Error(),
		"datasets: "+out+": expected a pickle, found a file that begins with") {
		t.Error(err)
	}
	if _, err := Pack(in+"2", out, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	set, err := OpenWith(in, Options{Name: "mosi"})
	if err != nil {
		t.Fatal(err)
	}
	warnings, err := Pack(in, out, Options{Name: "mosi"})
	if err != nil || len(warnings) < 3 || !slices.Equal(warnings, set.Warnings) {
		t.Errorf("%v: %q, want %q", err, warnings, set.Warnings)
	}
	// labels from -1 to 0, whose range is that of MOSI
	packed, err := Open(out)
	if err != nil || packed.Name != "mosi" || packed.Range != [2]float64{-3, 3} {
		t.Errorf("%+v, %v", packed, err)
	}
	entries, err := os.ReadDir(filepath.Dir(in))
	if err != nil || len(entries) != 2 || isPacked(in) || !isPacked(out) || isPacked(out+"2") {
		t.Error(entries, err)
	}
	meta := map[string]string{"format": "recap data set 1", "name": "mosi", "hash": set.Hash(),
		"lowest": "-3", "highest": "3"}
	if diff := cmp.Diff(meta, set.metadata()); diff != "" {
		t.Error(diff)
	}
}

// TestErrorsOfWritingEachArray fails at once, for a file that is cut is longer than the disk.
func TestErrorsOfWritingEachArray(t *testing.T) {
	for _, e := range madeSet("").entries() {
		if err := e.Write(brokenWriter{}); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// TestArraysThatAreNotWrittenWhole leaves no file.
func TestArraysThatAreNotWrittenWhole(t *testing.T) {
	set := madeSet("short")
	set.Test.Label = set.Test.Label[:1]
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	if err := set.save(path); fmt.Sprint(err) != "datasets: pack "+path+
		": weights: test.label: expected 8 bytes, 4 were written" {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Error(entries, err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// TestPackedArraysThatCannotBeRead has a file that is closed.
func TestPackedArraysThatCannotBeRead(t *testing.T) {
	f, err := weights.Open(packTestdata(t, "protocol4.pkl"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for what, read := range map[string]func(p *packed){
		"floats":   func(p *packed) { p.floats("train.label", 1, 3) },
		"integers": func(p *packed) { p.integers("train.audio.length", 1, 3, 0, 99) },
		"texts":    func(p *packed) { p.texts("train.id", 3) },
	} {
		p := &packed{File: f}
		if read(p); p.err == nil || !strings.HasPrefix(p.err.Error(), "datasets: "+f.Path+": ") {
			t.Errorf("%s: %v", what, p.err)
		}
	}
	path := writeFile(t, "bad.safetensors", []byte("\x09\x00\x00\x00\x00\x00\x00\x00{"))
	if _, err := Open(path); err == nil || !strings.HasPrefix(err.Error(), "datasets: "+path+": ") {
		t.Error(err)
	}
}

// TestSplitsOfAPackedFileAreAlike has sequences of other lengths in valid, or in its tokens.
func TestSplitsOfAPackedFileAreAlike(t *testing.T) {
	set := madeSet("mine")
	set.Valid.Vision = Frames{T: 1, D: 3, X: make([]float32, 6), Len: []int{1, 1}}
	path := filepath.Join(t.TempDir(), "packed.safetensors")
	if err := set.save(path); err != nil {
		t.Fatal(err)
	}
	alike := madeSet("mine")
	alike.Train = alike.Train.Subset([]int{1}) // one label
	alike.Test.RawText = []string{"", ""}      // of no bytes
	if err := alike.save(path + "2"); err != nil {
		t.Fatal(err)
	}
	got, err := Open(path + "2")
	if err != nil || !slices.Equal(got.Test.RawText, []string{"", ""}) {
		t.Error(err, got)
	}
	want := "datasets: " + path + ": valid: expected the shape of train, text 6, audio 40x8, " +
		"vision 5x3, found text 6, audio 40x8, vision 1x3; pack the features again"
	if _, err := Open(path); fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestPackRemovesLeftovers packs to a name at which an earlier process was killed, beside files of
// others.
func TestPackRemovesLeftovers(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pkl"), filepath.Join(dir, "out.safetensors")
	err := os.WriteFile(in, madePickle(4, 6, 3), 0o600)
	for _, name := range []string{".out.safetensors.17.partial", ".other.safetensors.17.partial",
		"out.safetensors.old"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(in, out, Options{}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 || entries[0].Name() != ".other.safetensors.17.partial" {
		t.Errorf("found %v: %v", entries, err)
	}
}

func TestErrorsOfTheDiskWhilePacking(t *testing.T) {
	in := writeFile(t, "in.pkl", madePickle(4, 6, 3))
	filestest.ErrorsReachTheCaller(t, "Pack", func(dir string) error {
		return os.WriteFile(filepath.Join(dir, ".out.17.partial"), nil, 0o600)
	}, func(dir string) error {
		_, err := Pack(in, filepath.Join(dir, "out"), Options{})
		return err
	})
}

func TestPackingReadsRowsOnly(t *testing.T) {
	const n, steps, width = 64, 200, 100 // 5 MB of audio
	data := madePickle(n, steps, width)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pkl"), filepath.Join(dir, "out.safetensors")
	if err := os.WriteFile(in, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	packing := filestest.Allocated(func() { _, err = Pack(in, out, Options{}) })
	if err != nil {
		t.Fatal(err)
	}
	if packing > 3<<20 {
		t.Errorf("packing %d bytes allocated %d", len(data), packing)
	}
	var set *Set
	opening := filestest.Allocated(func() { set, err = Open(out) })
	if err != nil || opening > 1<<20 {
		t.Errorf("opening allocated %d: %v", opening, err)
	}
	row := make([]float32, steps*width)
	set.Train.Audio.Row(row, 63)
	if row[0] != 63 || row[steps*width-1] != 63 {
		t.Errorf("row 63 begins with %g", row[0])
	}
}

// A pickler writes a pickle of protocol 4.
type pickler struct{ bytes.Buffer }

func (b *pickler) text(s string) { fmt.Fprintf(b, "\x8c%c%s", len(s), s) }

// array writes an array of zeros and gives its bytes to fill.
func (b *pickler) array(kind string, size int, fill func(raw []byte), shape ...int) {
	b.text("numpy._core.multiarray")
	b.text("_reconstruct")
	b.WriteString("\x93")
	b.text("numpy")
	b.text("ndarray")
	b.WriteString("\x93K\x00\x85C\x01b\x87R(K\x01(")
	for _, d := range shape {
		b.WriteString(counted('J', 4, uint64(d)))
		size *= d
	}
	b.WriteString("t")
	b.text("numpy")
	b.text("dtype")
	b.WriteString("\x93")
	b.text(kind)
	b.WriteString("\x89\x88\x87R\x89")
	b.WriteString(counted(0x8e, 8, uint64(size)))
	raw := make([]byte, size)
	fill(raw)
	b.Write(raw)
	b.WriteString("tb")
}

// floats writes numbers as float32.
func (b *pickler) floats(x []float32, shape ...int) {
	b.array("f4", 4, func(raw []byte) {
		for i, v := range x {
			binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
		}
	}, shape...)
}

// pickleOf returns a pickle of a set in memory.
func pickleOf(s *Set) []byte {
	var b pickler
	b.WriteString("\x80\x04}(")
	for i, p := range s.splits() {
		b.text(splitNames[i])
		b.WriteString("}(")
		b.text("id")
		b.WriteString("](")
		for _, id := range p.ID {
			b.text(id)
		}
		b.WriteString("e")
		b.text("text_bert")
		t, n := &p.Language, p.Len()
		var text []float32
		for i := range n {
			row := t.row(i)
			for _, v := range row.ids {
				text = append(text, float32(v))
			}
			text = append(text, row.mask...)
			for _, v := range row.segments {
				text = append(text, float32(v))
			}
		}
		b.floats(text, n, 3, t.T)
		for _, m := range []struct {
			key string
			*Frames
		}{{"audio", &p.Audio}, {"vision", &p.Vision}} {
			b.text(m.key)
			b.floats(m.X, n, m.T, m.D)
			b.text(m.key + "_lengths")
			b.array("u1", 1, func(raw []byte) {
				for i, v := range m.Len {
					raw[i] = byte(v)
				}
			}, n)
		}
		if p.Label != nil {
			b.text("regression_labels")
			b.floats(p.Label, n)
		}
		b.WriteString("u")
	}
	b.WriteString("u.")
	return b.Bytes()
}

// madePickle returns a pickle whose three splits have n utterances; audio row i is filled with i.
func madePickle(n, steps, width int) []byte {
	var b pickler
	b.WriteString("\x80\x04}(")
	every := func(value func(i int) int, size int) func(raw []byte) {
		return func(raw []byte) {
			for i := range len(raw) / size {
				raw[i*size] = byte(value(i))
			}
		}
	}
	for _, split := range splitNames {
		b.text(split)
		b.WriteString("}(")
		b.text("text_bert")
		b.array("i8", 8, every(func(i int) int { return []int{101, 102, 1, 1, 0, 0}[i%6] }, 8),
			n, 3, 2)
		b.text("audio")
		b.array("u1", 1, every(func(i int) int { return i / (steps * width) }, 1), n, steps, width)
		b.text("audio_lengths")
		b.array("u1", 1, every(func(int) int { return steps }, 1), n)
		b.text("vision")
		b.array("u1", 1, every(func(int) int { return 1 }, 1), n, 2, 1)
		b.text("regression_labels")
		b.array("u1", 1, every(func(i int) int { return i % 3 }, 1), n)
		b.WriteString("u")
	}
	b.WriteString("u.")
	return b.Bytes()
}

func TestOpenRefusesOtherPackedFiles(t *testing.T) {
	good := packTestdata(t, "protocol4.pkl")
	f, err := weights.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(change func(meta map[string]string, e *weights.Entry) bool) string {
		path := filepath.Join(t.TempDir(), "other.safetensors")
		meta := map[string]string{}
		for k, v := range f.Meta {
			meta[k] = v
		}
		change(meta, &weights.Entry{})
		var entries []weights.Entry
		for _, name := range f.Names() {
			x := f.Tensor(name)
			e := weights.Entry{Name: name, Type: x.Type, Shape: x.Shape}
			e.Write = func(w io.Writer) error {
				values, err := x.Floats()
				switch {
				case err != nil:
					return err
				case x.Type == weights.F32:
					return array(values)(w)
				case x.Type == weights.U8:
					return array(make([]byte, x.Len()))(w)
				}
				integers := make([]int, len(values))
				for i, v := range values {
					integers[i] = int(v)
				}
				return integerArray(integers)(w)
			}
			if change(map[string]string{}, &e) {
				entries = append(entries, e)
			}
		}
		var b bytes.Buffer
		if err := weights.Write(&b, meta, entries); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	meta := func(key, value string) func(map[string]string, *weights.Entry) bool {
		return func(m map[string]string, _ *weights.Entry) bool { m[key] = value; return true }
	}
	tensor := func(name string, to weights.Entry) func(map[string]string, *weights.Entry) bool {
		return func(_ map[string]string, e *weights.Entry) bool {
			if e.Name == name {
				e.Shape, e.Write = to.Shape, to.Write
				e.Type = std.Or(to.Type, e.Type)
			}
			return true
		}
	}
	integers := func(x ...int32) weights.Entry {
		return weights.Entry{Shape: []int{len(x)}, Write: array(x)}
	}
	rank2 := func(n, d int, kind weights.DType) weights.Entry {
		return weights.Entry{Shape: []int{n, d}, Type: kind, Write: array(make([]int32, n*d))}
	}
	for _, c := range []struct {
		want   string
		change func(meta map[string]string, e *weights.Entry) bool
	}{
		{`expected a data set of recap data pack, format "recap data set 1", found "recap data ` +
			`set 2"; pack the features again`, meta("format", "recap data set 2")},
		{`lowest label: expected a number, found "x"; pack the features again`,
			meta("lowest", "x")},
		{`highest label: expected a number, found ""; pack the features again`,
			meta("highest", "")},
		{"expected tensor valid.audio, found none; pack the features again",
			func(_ map[string]string, e *weights.Entry) bool { return e.Name != "valid.audio" }},
		{"tensor test.label: expected F32 of rank 1 with 2 rows, found F32 [1 2]; pack the " +
			"features again", tensor("test.label", rank2(1, 2, weights.F32))},
		{"tensor test.label: expected F32 of rank 1 with 2 rows, found F32 [2 1]; pack the " +
			"features again", tensor("test.label", rank2(2, 1, weights.F32))},
		{"tensor test.label: expected F32 of rank 1 with 2 rows, found F32 [3]; pack the " +
			"features again", tensor("test.label", integers(1, 2, 3))},
		{"tensor test.label: expected F32 of rank 1 with 2 rows, found I32 [2]; pack the " +
			"features again", tensor("test.label", weights.Entry{Shape: []int{2}, Type: weights.I32,
			Write: array([]int32{1, 2})})},
		{"tensor train.text.id: expected I32 of rank 2 with -1 rows, found I32 [0 6]; pack the " +
			"features again", tensor("train.text.id", rank2(0, 6, weights.I32))},
		{"train.text: expected 6 tokens in ids, segments and mask, found 5 and 6; pack the " +
			"features again", tensor("train.text.segment", rank2(3, 5, weights.I32))},
		{"train.text: expected 6 tokens in ids, segments and mask, found 6 and 7; pack the " +
			"features again", tensor("train.text.mask", rank2(3, 7, weights.F32))},
		{"train.audio.length: expected numbers from 1 to 40, found 0; pack the features again",
			tensor("train.audio.length", integers(0, 1, 1))},
		{"train.audio.length: expected numbers from 1 to 40, found 41; pack the features again",
			tensor("train.audio.length", integers(1, 40, 41))},
		{"test.id.length: expected numbers from 0 to 16, found 17; pack the features again",
			tensor("test.id.length", integers(17, 0))},
		{"test.id.length: expected numbers from 0 to 4, found 5; pack the features again",
			tensor("test.id.length", integers(12, 5))},
		{"test.id.length: expected numbers from 0 to 16, found -1; pack the features again",
			tensor("test.id.length", integers(-1, 17))},
		{"", tensor("test.id.length", integers(12, 4))},
		{"", tensor("test.id.length", integers(16, 0))},
	} {
		path := write(c.change)
		_, err := Open(path)
		if c.want == "" && err != nil || c.want != "" &&
			fmt.Sprint(err) != "datasets: "+path+": "+c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
		if _, err2 := OpenFeatures(path, "train", Options{}); fmt.Sprint(err2) != fmt.Sprint(err) {
			t.Errorf("features of a split: %v, want %v", err2, err)
		}
		if open := filestest.Open(filepath.Dir(path)); err != nil && len(open) > 0 {
			t.Errorf("%s: not closed: %q", c.want, open)
		}
	}
}

func TestOwnFeatures(t *testing.T) {
	set, err := OpenWith("testdata/protocol4.pkl",
		Options{Features: Features{Audio: "testdata/types.pkl", Vision: "testdata/protocol2.pkl"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(madeSet("protocol4"), set, inside); diff != "" {
		t.Error(diff)
	}
}

// TestReplacedKeys replaces lengths, too, also by none, and leaves the dict of the data set as it
// is.
func TestReplacedKeys(t *testing.T) {
	entry := func(key string, v any) types.DictEntry { return types.DictEntry{Key: key, Value: v} }
	root := types.NewDict()
	root.Set("train", &types.Dict{entry("audio", "new audio"), entry("vision", "new"),
		entry("vision_lengths", "new lengths"), entry("id", list("a", "b")), entry("other", 1)})
	l := &layout{convert: converter{left: 1 << 20}}
	for _, keys := range [][]string{{"audio", "audio_lengths"}, {"vision", "vision_lengths"}} {
		l.replacements = append(l.replacements, replacement{path: "own.pkl", keys: keys,
			root: dict(*root)})
	}
	d := dict{entry("id", list("a", "b")), entry("audio", 1), entry("audio_lengths", 2),
		entry("vision", 3), entry("vision_lengths", 4), entry("labels", 5)}
	before := slices.Clone(d)
	got, err := l.replaced("train", d)
	want := dict{d[0], d[5], entry("audio", "new audio"), entry("vision", "new"),
		entry("vision_lengths", "new lengths")}
	if diff := cmp.Diff(want, got) + cmp.Diff(before, d); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, c := range []struct {
		id   any
		want string
	}{
		{list("a", "c"), `datasets: own.pkl: train: id: utterance 1: expected "c" as in the data ` +
			`set, found "b"; save the features in the order of the data set`},
		{list("b"), `datasets: own.pkl: train: id: utterance 0: expected "b" as in the data ` +
			`set, found "a"; save the features in the order of the data set`},
		{list("a", "b", "c"), "<nil>"}, {7, "<nil>"}, {list("a"), "<nil>"},
	} {
		d[0].Value = c.id
		if _, err := l.replaced("train", d); fmt.Sprint(err) != c.want {
			t.Errorf("%v: %v, want %s", c.id, err, c.want)
		}
	}
	if _, err := l.replaced("train", d[1:]); err != nil {
		t.Error(err)
	}
	_, err = l.replaced("test", d)
	if fmt.Sprint(err) != "datasets: own.pkl: expected split test, found keys train; give a data "+
		"set in MMSA's layout, with train, valid and test" {
		t.Error(err)
	}
	l.replacements[0].keys[0] = "text_bert"
	_, err = l.replaced("train", d)
	if fmt.Sprint(err) != "datasets: own.pkl: train: expected text_bert, found keys audio, "+
		"vision, vision_lengths, id, other; give features in MMSA's layout" {
		t.Error(err)
	}
}

func TestOwnFeaturesAreChecked(t *testing.T) {
	dir := t.TempDir()
	own := func(name, old, new string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, rename(t, old, new), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	list := filepath.Join(dir, "list.pkl")
	text := filepath.Join(dir, "text.txt")
	if err := errors.Join(os.WriteFile(list, []byte("]."), 0o600),
		os.WriteFile(text, []byte("text"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]Features{
		"no such file": {Language: own("first.pkl", "train$_$0", "train$_$7"),
			Audio: filepath.Join(dir, "none.pkl")},
		list + ": expected a dict of train, valid and test, found list [0]; give features in " +
			"MMSA's layout": {Audio: list},
		text + `: expected a pickle, found a file that begins with "text"; give the .pkl file`: {
			Vision: text},
		"train: expected text_bert, found keys": {Language: own("text.pkl", "text_bert",
			"text_bart")},
		`id: utterance 0: expected "train$_$0" as in the data set, ` +
			`found "train$_$7"; save the features`: {Vision: own("order.pkl", "train$_$0", "train$_$7")},
	} {
		if _, err := OpenWith("testdata/protocol4.pkl", Options{Features: f}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	good := Options{Features: Features{Audio: own("good.pkl", "train$_$0", "train$_$0")}}
	_, opened := OpenWith("testdata/protocol4.pkl", good)
	_, checked := Check("testdata/protocol4.pkl", good)
	_, packed := Pack("testdata/protocol4.pkl", filepath.Join(t.TempDir(), "packed"), good)
	if opened != nil || checked != nil || packed != nil {
		t.Error(opened, checked, packed)
	}
	if open := filestest.Open(dir); len(open) > 0 {
		t.Errorf("not closed: %q", open)
	}
	path := packTestdata(t, "protocol4.pkl")
	if _, err := OpenWith(path, Options{Features: Features{Audio: "x.pkl"}}); err == nil ||
		!strings.Contains(err.Error(), "give the features to recap data pack") {
		t.Error(err)
	}
	r, err := Check(path, Options{})
	if err != nil || !strings.Contains(r.String(), "  audio                      F32 [3 40 8]\n") {
		t.Error(err, r)
	}
	s, err := OpenFeatures(path, "valid", Options{})
	if err != nil || s.Len() != 2 {
		t.Error(err, s)
	}
	if _, err := OpenFeatures(path, "vlaid", Options{}); err == nil ||
		!strings.Contains(err.Error(), `[train valid test], found "vlaid"`) {
		t.Error(err)
	}
}

func FuzzOpenPacked(f *testing.F) {
	path := filepath.Join(f.TempDir(), "packed.safetensors")
	if _, err := Pack("testdata/protocol4.pkl", path, Options{}); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := openPacked(path, "")
		if err != nil {
			return
		}
		for _, s := range set.splits() {
			var b Batch
			b.FillCorrupted(s, []int{s.Len() - 1}, s.KeepMasks(FixedRates(s.Len(), 0.5)))
		}
	})
}
