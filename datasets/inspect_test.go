package datasets

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
)

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inFront moves the frames of every utterance to the end of its row.
func inFront(f *Frames) {
	for i, n := range f.Len {
		rotate(f.X[i*f.T*f.D:][:f.T*f.D], n*f.D)
	}
}

// spoiled are data sets with one fault each, and what is said of it.
var spoiled = []struct {
	spoil         func(s *Split)
	problem, warn string
}{
	{spoil: func(*Split) {}},
	{spoil: func(s *Split) { s.Vision.X[5*3+3] = float32(math.NaN()) },
		problem: "train: vision: expected finite values, found NaN or Inf in 1 of 3 utterances, " +
			`the first "train$_$1": NaN in frame 1`},
	{spoil: func(s *Split) { s.Audio.X[7] = float32(math.Inf(1)) },
		problem: "train: audio: expected finite values, found NaN or Inf in 1 of 3 utterances, " +
			`the first "train$_$0": +Inf in frame 0`},
	{spoil: func(s *Split) { s.Audio.X[39*8] = float32(math.NaN()) },
		warn: "train: audio: expected zeros after the length, found other values in 1 of 3 " +
			`utterances, the first "train$_$0"; they are read as padding`},
	{spoil: func(s *Split) { s.Label[2] = float32(math.NaN()) },
		problem: "train: regression_labels: expected finite numbers, found NaN or Inf in 1 of " +
			`3 utterances, the first "train$_$2"`},
	{spoil: func(s *Split) { s.Vision.X[0] = float32(math.Inf(-1)) },
		problem: "train: vision: expected finite values, found NaN or Inf in 1 of 3 utterances, " +
			`the first "train$_$0": -Inf in frame 0`},
	{spoil: func(s *Split) { s.Audio.X[10*8] = 1 }, // the first number of padding
		warn: "train: audio: expected zeros after the length, found other values in 1 of 3 " +
			`utterances, the first "train$_$0"; they are read as padding: check audio_lengths`},
	{spoil: func(s *Split) { rotate(s.Audio.X[2*40*8:], 30*8) }, // one of three at the front
		warn: "train: audio: expected zeros after the length, found other values in 1 of 3 " +
			`utterances, the first "train$_$2"; they are read as padding`},
	{spoil: func(s *Split) { // one of two that are shorter than the row
		rotate(s.Audio.X[2*40*8:], 30*8)
		s.Audio.Len[0] = 40
	}, warn: "train: audio: expected zeros after the length, found other values in 1 of 3 " +
		`utterances, the first "train$_$2"; they are read as padding`},
	{spoil: func(s *Split) { // a frame of padding at the end, too
		inFront(&s.Audio)
		for i := range 3 {
			rotate(s.Audio.X[i*40*8:][:40*8], 8)
		}
	}, warn: "train: audio: expected zeros after the length, found other values in 3 of 3"},
	{spoil: func(s *Split) { s.Label[0] = float32(math.Inf(1)) },
		problem: "train: regression_labels: expected finite numbers, found NaN or Inf in 1 of " +
			`3 utterances, the first "train$_$0"; remove these utterances`},
	{spoil: func(s *Split) { s.Label[0] = float32(math.Inf(-1)) },
		problem: "train: regression_labels: expected finite numbers, found NaN or Inf in 1 of 3"},
	{spoil: func(s *Split) { s.Label[1] = 3.5 },
		problem: "train: regression_labels: expected numbers from -3 to 3, found others in 1 of " +
			`3 utterances, the first "train$_$1"; scale the labels, or name the data set they ` +
			"belong to with -d"},
	{spoil: func(s *Split) { s.Label[2] = -3.5 },
		problem: "train: regression_labels: expected numbers from -3 to 3, found others in 1 of " +
			`3 utterances, the first "train$_$2"`},
	{spoil: func(s *Split) { s.Label[1], s.Label[2] = -2, -2 },
		warn: "train: regression_labels: all labels are -2"},
	{spoil: func(s *Split) { // segments of ones, which are not the mask
		for i, m := range s.Language.Mask {
			s.Language.Segment[i] = int(m)
		}
	}},
	{spoil: func(s *Split) { s.ID[1] = s.ID[0] },
		warn: `train: id: expected different ids, found a second one in 1 of 3 utterances`},
	{spoil: func(s *Split) { s.Language.ID[0] = 7 },
		warn: "train: text_bert: expected [CLS], 101, as first token, found another in 1 of 3"},
	{spoil: func(s *Split) { s.Language.ID[2] = 7 },
		warn: "train: text_bert: expected [SEP], 102, as last token, found another in 1 of 3"},
	{spoil: func(s *Split) { s.Language.ID[1] = UnkID },
		warn: "train: text_bert: expected words of the vocabulary, found only [UNK] in 1 of 3"},
	{spoil: func(s *Split) { clear(s.Language.Mask[:6]) },
		warn: "train: text_bert: expected 2 tokens or more, found fewer in 1 of 3 utterances"},
	{spoil: func(s *Split) { s.Language.ID[1], s.Language.Mask[2] = SepID, 0 }}, // no words
	{spoil: func(s *Split) { clear(s.Language.Mask[1:6]) },
		warn: "train: text_bert: expected 2 tokens or more, found fewer in 1 of 3 utterances"},
	{spoil: func(s *Split) { // of the second utterance, after one that is too short
		clear(s.Language.Mask[1:6])
		s.Language.ID[6+3] = 7
	}, warn: "train: text_bert: expected [SEP], 102, as last token, found another in 1 of 3 " +
		`utterances, the first "train$_$1"`},
	{spoil: func(s *Split) { // segments in the place of the mask, but not of each token
		for i, m := range s.Language.Mask {
			s.Language.Mask[i], s.Language.Segment[i] = 0, int(m)
		}
		s.Language.Segment[0], s.Language.Segment[6], s.Language.Segment[12] = 0, 0, 0
	}, warn: "train: text_bert: expected 2 tokens or more, found fewer in 3 of 3 utterances"},
	{spoil: func(s *Split) { s.Language.Mask[0] = 0 },
		problem: "train: text_bert: expected a mask of ones, then zeros, found gaps in 1 of 3 " +
			`utterances, the first "train$_$0"; save the tokenizer's attention_mask`},
	{spoil: func(s *Split) { s.Language.Segment[6] = 2 },
		problem: "train: text_bert: expected segments 0 and 1, found larger ones in 1 of 3 " +
			`utterances, the first "train$_$1"; the text encoder has two: save the ` +
			"tokenizer's token_type_ids"},
	{spoil: func(s *Split) { s.Language.Mask[5] = 1 },
		problem: "train: text_bert: expected a mask of ones, then zeros, found gaps in 1 of 3"},
	{spoil: func(s *Split) { s.Language.Mask[0] = 0.5 },
		problem: "train: text_bert: expected 0 and 1 in the mask, found other values in 1 of 3"},
	{spoil: func(s *Split) { s.Language.Mask[1] = -1 },
		problem: "train: text_bert: expected 0 and 1 in the mask, found other values in 1 of 3"},
	{spoil: func(s *Split) { s.Language.Segment[7] = 2 },
		problem: "train: text_bert: expected segments 0 and 1, found larger ones in 1 of 3"},
	{spoil: func(s *Split) {
		for i := range 2 {
			row := s.Language.row(i)
			rotate(row.ids, s.Language.length(i))
			rotate(row.mask, s.Language.length(i))
		}
	}, problem: "train: text_bert: expected padding at the end, found it at the front in 2 of 3"},
	{spoil: func(s *Split) {
		for i, m := range s.Language.Mask {
			s.Language.Mask[i], s.Language.Segment[i] = 0, int(m)
		}
	}, problem: "train: text_bert: expected the rows ids, mask, segments, found ids, segments, mask in 3 of 3"},
	{spoil: func(s *Split) { inFront(&s.Audio) },
		problem: "train: audio: expected padding at the end, found it at the front in 3 of 3"},
	{spoil: func(s *Split) {
		inFront(&s.Audio)
		s.Audio.Len = []int{40, 40, 30}
	}, problem: "train: audio: expected padding at the end, found it at the front in 1 of 3"},
	{spoil: func(s *Split) { s.Audio.Len = []int{1, 1, 4} },
		warn: "train: audio: expected padding at the end, found 2 of 3 lengths that are 1"},
}

// spoiledSet returns a set whose training split has a fault.
func spoiledSet(spoil func(*Split)) *Set {
	set := madeSet("mine")
	set.Train.Vision.Len = []int{5, 2, 4}
	set.Valid.Vision.Len, set.Test.Vision.Len = []int{2, 2}, []int{3, 4}
	for k, s := range set.splits() {
		s.Vision.X = wave(len(s.Vision.X))
		s.Audio.X[0] = 0.1 * float32(k+1)
		s.Audio.X[40*8] = 0.1 * float32(k+1)
		s.Vision.clearPadding()
		for i := range s.Label {
			s.Label[i] *= 2 // from -2
		}
	}
	spoil(set.Train)
	return set
}

// Open, Check and Pack decide alike, for a pickle and for a packed file that nobody has inspected.
func TestOpenRefusesWhatCheckReports(t *testing.T) {
	for _, c := range spoiled {
		set := spoiledSet(c.spoil)
		set.Range = [2]float64{-3, 3}
		path := writeFile(t, "mine.pkl", pickleOf(set))
		packed := filepath.Join(t.TempDir(), "mine.safetensors")
		set.hash = "none"
		if err := set.save(packed); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(packed)
		if err != nil {
			t.Fatal(err)
		}
		without := strings.Replace(string(file), `"hash"`, `"hush"`, 1)
		if err := os.WriteFile(packed, []byte(without), 0o600); err != nil {
			t.Fatal(err)
		}
		if len(c.problem) > 0 {
			_, err := Pack(path, filepath.Join(t.TempDir(), "out"), Options{})
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("Pack: %v, want %s", err, c.problem)
			}
		}
		for _, path := range []string{path, packed} {
			opened, err := Open(path)
			report, checkErr := Check(path, Options{})
			if checkErr != nil && path != packed {
				t.Fatal(checkErr)
			}
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), path+": "+c.problem) {
					t.Errorf("Open: %v, want %s", err, c.problem)
				}
				if checkErr == nil && slices.ContainsFunc(report.Warnings, func(w string) bool {
					return strings.HasPrefix(w, "train: text_bert: ") &&
						strings.Contains(c.problem, "in the mask")
				}) {
					t.Errorf("Check warns of a sentence: %q", report.Warnings)
				}
				if checkErr == nil && (len(report.Problems) != 1 ||
					!strings.HasPrefix(report.Problems[0], c.problem)) {
					t.Errorf("Check: %q, want %q", report.Problems, c.problem)
				}
				continue
			}
			if err != nil || checkErr != nil {
				t.Errorf("%s: %v, %v", c.warn, err, checkErr)
				continue
			}
			has := func(warnings []string) bool {
				return slices.ContainsFunc(warnings, func(w string) bool {
					return strings.HasPrefix(w, c.warn)
				})
			}
			if !has(opened.Warnings) && c.warn != "" || !has(report.Warnings) && c.warn != "" ||
				len(report.Problems) > 0 || c.warn == "" && len(opened.Warnings) > 0 {
				t.Errorf("Open warns %q, Check %q and %q, want %q", opened.Warnings,
					report.Warnings, report.Problems, c.warn)
			}
		}
	}
}

// TestWarningsOfSmallSplits has labels and lengths that are equal by chance, or not.
func TestWarningsOfSmallSplits(t *testing.T) {
	inspected := func(n, steps int, y ...float32) []string {
		s := tokenSplit(slices.Repeat([][]int{{ClsID, 7, SepID}}, n), 3, slices.Repeat([]int{1}, n),
			steps, slices.Repeat([]int{1}, n), 1)
		for i := range s.ID {
			s.ID[i] = fmt.Sprint(i)
		}
		s.Label = y
		f := &findings{}
		f.inspect("train", s, [2]float64{-3, 3}, false)
		return append(f.problems, f.warnings...)
	}
	equal := "train: regression_labels: all labels are 2; correlation and accuracy say nothing"
	ones := "train: audio: expected padding at the end, found 2 of 2 lengths that are 1; perhaps " +
		"the padding is at the front"
	for _, c := range []struct{ got, want []string }{
		{inspected(1, 1, 2), nil}, {inspected(2, 1, 2, 2), []string{equal}},
		{inspected(2, 1, 2, 1), nil}, {inspected(2, 2), []string{ones}}, {inspected(2, 1), nil},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// TestFaultsOfTokensHideWarnings has two faults of masks in each pair of utterances, without [CLS],
// of which nothing is said then.
func TestFaultsOfTokensHideWarnings(t *testing.T) {
	faults := []struct{ mask, segments []int }{{[]int{1, 2, 0}, []int{0, 0, 0}},
		{[]int{0, 0, 0}, []int{1, 1, 1}}, {[]int{0, 1, 1}, []int{0, 0, 0}},
		{[]int{1, 0, 1}, []int{0, 0, 0}}}
	for i := range faults {
		for k := range i {
			s := tokenSplit([][]int{{7, 7, 7}, {7, 7, 7}}, 3, nil, 1, nil, 1)
			for row, fault := range []int{i, k} {
				for t, m := range faults[fault].mask {
					s.Language.Mask[3*row+t] = float32(m)
					s.Language.Segment[3*row+t] = faults[fault].segments[t]
				}
			}
			f := &findings{}
			if f.tokens("train", s); len(f.problems) != 2 || len(f.warnings) > 0 {
				t.Errorf("%d and %d: %q, %q", i, k, f.problems, f.warnings)
			}
		}
	}
}

// opened returns the set in a pickle, and in the file that is packed from it, by path.
func opened(t *testing.T, pickle []byte, o Options) map[string]*Set {
	t.Helper()
	path := writeFile(t, "mine.pkl", pickle)
	packed := filepath.Join(t.TempDir(), "packed")
	if _, err := Pack(path, packed, o); err != nil {
		t.Fatal(err)
	}
	set, err := OpenWith(path, o)
	if err != nil {
		t.Fatal(err)
	}
	fromPacked, err := Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	if open := filestest.Open(filepath.Dir(path)); len(open) > 0 {
		t.Errorf("not closed: %q", open)
	}
	return map[string]*Set{path: set, packed: fromPacked}
}

func TestPaddingMayHoldAnything(t *testing.T) {
	want := spoiledSet(func(*Split) {})
	set := spoiledSet(func(s *Split) {
		for i := 10 * 8; i < 40*8; i++ {
			s.Audio.X[i] = float32(math.NaN())
		}
	})
	for path, got := range opened(t, pickleOf(set), Options{}) {
		if diff := cmp.Diff(want.Train.Audio.X, got.Train.Audio.load()); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// TestRepadOfTokens has rows at the front, in another order, and as they should be; the segments
// move with the ids.
func TestRepadOfTokens(t *testing.T) {
	text := Tokens{T: 3,
		ID:      []int{0, 101, 102, 101, 7, 102, 101, 102, 0, 101, 7, 102, 0, 0, 101},
		Mask:    []float32{0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1},
		Segment: []int{0, 1, 2, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0}}
	want := Tokens{T: 3,
		ID:      []int{101, 102, 0, 101, 7, 102, 101, 102, 0, 101, 7, 102, 101, 0, 0},
		Mask:    []float32{1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0},
		Segment: []int{1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}}
	if n := text.repad(); n != 3 || !cmp.Equal(want, text) {
		t.Errorf("%d changed: %s", n, cmp.Diff(want, text))
	}
}

// TestRepadOfFrames moves a sequence only if it is shorter than its row, which begins with a frame
// of zeros and does not end with one.
func TestRepadOfFrames(t *testing.T) {
	for _, c := range []struct {
		n         int
		row, want []float32
	}{
		{1, []float32{0, 0, 0, 0, 1, 0}, []float32{1, 0, 0, 0, 0, 0}},
		{2, []float32{0, 0, 0, 3, 0, 4}, []float32{0, 3, 0, 4, 0, 0}},
		{3, []float32{0, 0, 1, 2, 3, 4}, []float32{0, 0, 1, 2, 3, 4}},
		{2, []float32{0, 1, 0, 0, 3, 4}, []float32{0, 1, 0, 0, 3, 4}},
		{2, []float32{0, 0, 1, 2, 0, 0}, []float32{0, 0, 1, 2, 0, 0}},
	} {
		f := Frames{T: 3, D: 2, X: slices.Concat(c.row, []float32{1, 1, 1, 1, 0, 0}),
			Len: []int{c.n, 2}}
		want := map[bool]int{true: 0, false: 1}[slices.Equal(c.row, c.want)]
		if n := f.repad(); n != want || !slices.Equal(f.X[:6], c.want) ||
			!slices.Equal(f.X[6:], []float32{1, 1, 1, 1, 0, 0}) {
			t.Errorf("%d of %v: %v, %d changed, want %v", c.n, c.row, f.X, n, c.want)
		}
		if f.file != nil {
			t.Errorf("%d of %v: frames in memory are read from a file afterwards", c.n, c.row)
		}
	}
}

// TestRepadOfRowsInAFile reads the third of rows with 1, 2 and 1 frames.
func TestRepadOfRowsInAFile(t *testing.T) {
	f := Frames{T: 3, D: 1, Len: []int{1, 2, 1}, fileSteps: 3,
		file: inMemory{0, 0, 5, 0, 6, 7, 0, 0, 8}}
	if n := f.repad(); n != 3 || !slices.Equal(f.load(), []float32{5, 0, 0, 6, 7, 0, 8, 0, 0}) {
		t.Errorf("%d changed: %v", n, f.load())
	}
}

// TestRepadCountsWhatItMoves has one sequence that is padded at the front.
func TestRepadCountsWhatItMoves(t *testing.T) {
	for k := range 3 {
		for name, spoil := range map[string]func(s *Split){
			"text": func(s *Split) {
				rotate(s.Language.ID[:6], 3)
				rotate(s.Language.Mask[:6], 3)
			},
			"audio":  func(s *Split) { rotate(s.Audio.X[:40*8], 10*8) },
			"vision": func(s *Split) { rotate(s.Vision.X[:5*3], s.Vision.Len[0]*3) },
			"none":   func(*Split) {},
		} {
			set := spoiledSet(func(s *Split) { s.Vision.Len[0] = 3; s.Vision.clearPadding() })
			spoil(set.splits()[k])
			data := pickleOf(set)
			l, root, err := newLayout("x", bytes.NewReader(data), int64(len(data)),
				Options{Repad: true})
			if err != nil {
				t.Fatal(err)
			}
			want := 1
			if name == "none" {
				want = 0
			}
			if _, err := l.set(root); err != nil || l.moved != want {
				t.Errorf("%s of %s: %d moved, want %d: %v", name, splitNames[k], l.moved, want, err)
			}
		}
	}
}

func TestRepadMovesPaddingToTheEnd(t *testing.T) {
	want := spoiledSet(func(*Split) {})
	set := spoiledSet(func(*Split) {})
	for i, s := range set.splits() {
		inFront(&s.Audio)
		inFront(&s.Vision)
		for k := range s.Len() {
			row := s.Language.row(k)
			if i == 0 { // another order of the rows
				for t, m := range row.mask {
					row.mask[t], row.segments[t] = 0, int(m)
				}
			} else {
				n := s.Language.length(k)
				rotate(row.ids, n)
				rotate(row.mask, n)
			}
		}
	}
	for path, got := range opened(t, pickleOf(set), Options{Repad: true}) {
		for i, s := range got.splits() {
			w := want.splits()[i]
			if diff := cmp.Diff(w.Language, s.Language) + cmp.Diff(w.Audio.X, s.Audio.load()) +
				cmp.Diff(w.Vision.X, s.Vision.load()); diff != "" {
				t.Errorf("%s: %s: %s", path, splitNames[i], diff)
			}
		}
	}
	for _, s := range set.splits() { // once, though it is read twice
		s.Audio.X[39*8] = float32(math.Inf(-1))
	}
	bad := writeFile(t, "infinite.pkl", pickleOf(set))
	warnings, err := Pack(bad, bad+".packed", Options{Repad: true})
	if err != nil || !slices.Contains(warnings, "train: audio: -Inf, read as 0: 1 times") {
		t.Errorf("%v: %q", err, warnings)
	}
	good := writeFile(t, "good.pkl", pickleOf(want))
	if _, err := Pack(good, good+".packed", Options{Repad: true}); err == nil ||
		!strings.Contains(err.Error(), "expected padding at the front, found none") {
		t.Error(err)
	}
}

// TestSplitsOfOtherLengthsArePadded has one split with sequences of at most 4 tokens, 20 and 2
// frames.
func TestSplitsOfOtherLengthsArePadded(t *testing.T) {
	for k := range 3 {
		want, set := spoiledSet(func(*Split) {}), spoiledSet(func(*Split) {})
		for _, s := range []*Set{want, set} { // the two utterances of valid in each place
			all := []**Split{&s.Train, &s.Valid, &s.Test}
			*all[k], *all[1] = *all[1], *all[k]
		}
		short := set.splits()[k]
		short.Language = Tokens{4, padded(short.Language.ID, 2, 6, 4),
			padded(short.Language.Mask, 2, 6, 4), padded(short.Language.Segment, 2, 6, 4)}
		short.Audio = Frames{T: 25, D: 8, X: padded(short.Audio.X, 2, 40*8, 25*8),
			Len: short.Audio.Len}
		short.Vision = Frames{T: 2, D: 3, X: padded(short.Vision.X, 2, 5*3, 2*3),
			Len: short.Vision.Len}
		for path, got := range opened(t, pickleOf(set), Options{}) {
			for i, s := range got.splits() {
				w := want.splits()[i]
				if diff := cmp.Diff(w.Language, s.Language) +
					cmp.Diff(w.Audio.X, s.Audio.load()) +
					cmp.Diff(w.Vision.X, s.Vision.load()); diff != "" || s.Shape() != w.Shape() {
					t.Errorf("%s: %v: %s", path, s.Shape(), diff)
				}
			}
		}
	}
}

func TestNameDecidesTheRange(t *testing.T) {
	set := spoiledSet(func(*Split) {})
	path := writeFile(t, "mine.pkl", pickleOf(set))
	packed := filepath.Join(t.TempDir(), "packed.safetensors")
	if _, err := Pack(path, packed, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, packed} {
		for name, want := range map[string][2]float64{"": {-3, 3}, "mosi": {-3, 3}} {
			got, err := OpenWith(path, Options{Name: name})
			if err != nil || got.Range != want || name != "" && got.Name != name {
				t.Errorf("%s: %v %v", name, got, err)
			}
		}
		if _, err := OpenWith(path, Options{Name: "sims"}); err == nil ||
			!strings.Contains(err.Error(), "expected numbers from -1 to 1") {
			t.Errorf("labels to -2 as sims: %v", err)
		}
	}
}

func TestHashIsThatOfTheData(t *testing.T) {
	path := writeFile(t, "mine.pkl", pickleOf(spoiledSet(func(*Split) {})))
	packed := filepath.Join(t.TempDir(), "packed")
	if _, err := Pack(path, packed, Options{}); err != nil {
		t.Fatal(err)
	}
	set, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(packed)
	if err != nil || other.hash == "" || other.Hash() != set.Hash() {
		t.Errorf("%v: packed %q, want %q", err, other.hash, set.Hash())
	}
	for name, change := range map[string]func(s *Set){
		"label":   func(s *Set) { s.Test.Label[0] += 0.5 },
		"frame":   func(s *Set) { s.Valid.Audio.X[3] += 0.5 },
		"token":   func(s *Set) { s.Train.Language.ID[1]++ },
		"length":  func(s *Set) { s.Train.Audio.Len[0]-- },
		"id":      func(s *Set) { s.Test.ID[0] = "other" },
		"segment": func(s *Set) { s.Test.Language.Segment[0] = 1 },
	} {
		changed, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if change(changed); changed.Hash() == set.Hash() {
			t.Errorf("%s: the hash does not change", name)
		}
	}
	if got := (&Set{hash: "stored"}).Hash(); got != "stored" {
		t.Errorf("%s, want the hash that a packed file has", got)
	}
	data, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	mark := binary.LittleEndian.AppendUint32(nil, math.Float32bits(0.1*2))
	at := bytes.Index(data, mark) // in the audio of valid
	data[at] ^= 1
	if err := os.WriteFile(packed, data, 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("expected the data that were packed, SHA-256 %.16s…, found others, ",
		set.Hash())
	report, err := Check(packed, Options{})
	if err != nil || len(report.Problems) != 1 || !strings.HasPrefix(report.Problems[0], want) ||
		strings.Count(report.Problems[0], set.Hash()[:16]) != 1 {
		t.Errorf("%v: problems %q of a flipped bit at %d, want %s", err, report.Problems, at, want)
	}
}
