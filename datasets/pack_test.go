package datasets

import (
	"bytes"
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

// Each utterance's audio is in one piece in train, but not in valid.
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
		if x, ok := lazy(v, true); ok != want {
			t.Errorf("%s: %v, want %v", name, x, want)
		}
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
	for want, change := range map[string]func(meta map[string]string, e *weights.Entry) bool{
		"expected a data set of recap data pack": func(m map[string]string,
			_ *weights.Entry) bool {
			delete(m, "format")
			return true
		},
		"lowest label: expected a number": func(m map[string]string, _ *weights.Entry) bool {
			m["lowest"] = "x"
			return true
		},
		"expected tensor valid.audio, found none": func(_ map[string]string,
			e *weights.Entry) bool {
			return e.Name != "valid.audio"
		},
		"tensor test.label: expected F32 of rank 1": func(_ map[string]string,
			e *weights.Entry) bool {
			if e.Name == "test.label" {
				e.Shape = []int{1, 2}
			}
			return true
		},
		"train.audio.length: expected numbers from 1 to 40, found 0": func(_ map[string]string,
			e *weights.Entry) bool {
			if e.Name == "train.audio.length" {
				e.Write = array(make([]int32, 3))
			}
			return true
		},
		"train.id.length: expected numbers from 0 to": func(_ map[string]string,
			e *weights.Entry) bool {
			if e.Name == "train.id.length" {
				e.Write = array([]int32{1 << 20, 0, 0})
			}
			return true
		},
	} {
		path := write(change)
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err := OpenFeatures(path, "train", Options{}); err == nil {
			t.Errorf("no error for the features of a split, want %s", want)
		}
		if open := filestest.Open(filepath.Dir(path)); len(open) > 0 {
			t.Errorf("%s: not closed: %q", want, open)
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
	if err := os.WriteFile(list, []byte("]."), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]Features{
		"no such file": {Language: own("first.pkl", "train$_$0", "train$_$7"),
			Audio: filepath.Join(dir, "none.pkl")},
		"found list": {Audio: list},
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
