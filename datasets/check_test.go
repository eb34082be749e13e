package datasets

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// describedTypes is what make.py writes to types.pkl: tokens 3, 4, 5, audio frames 10, 20, 30 and
// vision frames 0, 1, 2, of which valid and test have the first two.
const describedTypes = `testdata/types.pkl: 8329 bytes, types, labels from -1 to 1

train: 3 utterances
  raw_text                   list [3]
  id                         bytes [3]
  text_bert                  int64 [3 3 6]
  audio                      float16 [3 40 8]
  vision                     float64 [3 5 3]
  audio_lengths              uint16 [3 1]
  vision_lengths             list [3]
  regression_labels          object [3]
                                  min     mean      max       of
  tokens                            3     4.00        5        6
  audio frames                     10    20.00       30       40
  vision frames                     1     1.33        2        5
  labels                           -1     -0.5        0   2 negative, 1 zero, 0 positive
`

const describedTypesOfTwo = `
  raw_text                   list [2]
  id                         bytes [2]
  text_bert                  int64 [2 3 6]
  audio                      float16 [2 40 8]
  vision                     float64 [2 5 3]
  audio_lengths              uint16 [2 1]
  vision_lengths             list [2]
  regression_labels          object [2]
                                  min     mean      max       of
  tokens                            3     3.50        4        6
  audio frames                     10    15.00       20       40
  vision frames                     1     1.00        1        5
  labels                           -1    -0.75     -0.5   2 negative, 0 zero, 0 positive
`

func TestCheckDescribesAFile(t *testing.T) {
	r, err := Check("testdata/types.pkl", Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := describedTypes + "\nvalid: 2 utterances" + describedTypesOfTwo +
		"\ntest: 2 utterances" + describedTypesOfTwo + "\nwarnings:\n"
	for _, name := range []string{"test", "train", "valid"} {
		want += "  " + name + ": audio: -Inf, read as 0: 1 times\n  " + name +
			": vision_lengths: not in 1 to 5, clamped: 1 times\n"
	}
	for i, name := range splitNames {
		n := []int{3, 2, 2}[i]
		for _, key := range []string{"audio", "vision"} {
			want += fmt.Sprintf("  %s: %s: expected zeros after the length, found other values "+
				"in %d of %d utterances, the first \"%s$_$0\"; they are read as padding: check "+
				"%s_lengths\n", name, key, n, n, name, key)
		}
		want += fmt.Sprintf("  %s: vision: expected padding at the end, found 2 of %d lengths "+
			"that are 1; perhaps the padding is at the front\n", name, n)
	}
	for _, pair := range [][2]string{{"valid", "train"}, {"test", "train"}, {"test", "valid"}} {
		want += fmt.Sprintf("  %s: expected no utterances with the same features as in %s, found "+
			"2 of 2 utterances, the first \"%s$_$0\"\n", pair[0], pair[1], pair[0])
	}
	if diff := cmp.Diff(want+"\nno problems\n", r.String()); diff != "" {
		t.Error(diff)
	}
}

// TestCheckOfAPackedFile expects what Check says of the pickle, but for path, keys and size.
func TestCheckOfAPackedFile(t *testing.T) {
	set := noisy([3]float64{0.5, 0.5, 0})
	set.Test.ID[3] = "tr0$_$x" // of a video of train
	pickle := writeFile(t, "CH-SIMS.pkl", pickleOf(set))
	for _, o := range []Options{{Name: "mosi"}, {}} {
		in, keys := pickle, []string{"text.id I32 [300 3]", "text.segment I32 [300 3]",
			"text.mask F32 [300 3]", "label F32 [300]", "audio F32 [300 2 5]",
			"audio.length I32 [300]", "vision F32 [300 1 4]", "vision.length I32 [300]",
			"id U8 [2820]", "id.length I32 [300]"} // te0$_$0 to te42$_$299
		if o.Name == "" {
			in = "testdata/types.pkl"
			keys = []string{"text.id I32 [2 6]", "text.segment I32 [2 6]", "text.mask F32 [2 6]",
				"label F32 [2]", "audio F32 [2 40 8]", "audio.length I32 [2]",
				"vision F32 [2 5 3]", "vision.length I32 [2]", "id U8 [16]", "id.length I32 [2]",
				"raw_text U8 [56]", "raw_text.length I32 [2]"}
		}
		path := filepath.Join(t.TempDir(), "packed.safetensors")
		if _, err := Pack(in, path, o); err != nil {
			t.Fatal(err)
		}
		want, err := Check(in, o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Check(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || got.Bytes != info.Size() || got.Path != path {
			t.Errorf("%d bytes in %s: %v", got.Bytes, got.Path, err)
		}
		var found []string
		for _, k := range got.Splits[2].Keys {
			found = append(found, k.Key+" "+k.Value)
		}
		if diff := cmp.Diff(keys, found); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
		if k := got.Splits[0].Keys; len(k) != len(keys) || k[0].Key != "text.id" {
			t.Errorf("keys of train: %v", k)
		}
		got.Path, got.Bytes = want.Path, want.Bytes
		for i := range got.Splits {
			got.Splits[i].Keys = want.Splits[i].Keys
		}
		// repairs, and values that were not read, are said of the pickle only
		want.Warnings = slices.DeleteFunc(want.Warnings, func(w string) bool {
			return strings.Contains(w, "times") || strings.Contains(w, "after the length")
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
		if len(got.Warnings) < 2 {
			t.Errorf("%s: warnings %q", in, got.Warnings)
		}
	}
}

// TestReportInWords has what types.pkl does not have.
func TestReportInWords(t *testing.T) {
	r := Report{Path: "a.pkl", Bytes: 7, Name: "a", Range: [2]float64{-3, 3},
		Splits:       []SplitReport{{Name: "train", Keys: []KeyReport{{"id", "list [2]"}}}},
		Correlations: []Correlation{{"audio", 0.123, -0.5, 1}},
		Problems:     []string{"one", "two"}}
	const want = `a.pkl: 7 bytes, a, labels from -3 to 3

train: 0 utterances
  id                         list [2]

correlation with the label      train    valid     test
  audio                          0.12    -0.50     1.00

problems:
  one
  two
`
	if diff := cmp.Diff(want, r.String()); diff != "" {
		t.Error(diff)
	}
}

func TestCheckReportsWhatOpenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.pkl")
	if err := os.WriteFile(path, rename(t, "K\x03K\x28K\x08", "K\x04K\x28K\x08"),
		0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Check(path, Options{})
	if err != nil || len(r.Problems) == 0 || r.Splits[1].Utterances != 2 ||
		!slices.ContainsFunc(r.Problems, func(p string) bool {
			return strings.HasPrefix(p,
				"train: audio: expected numbers [N T D], found float32 [4 40 8]")
		}) {
		t.Errorf("%v %v", err, r)
	}
	if text := r.String(); strings.Count(text, "\n  tokens ") != 2 ||
		strings.Contains(text, "no problems") || strings.Contains(text, "correlation") {
		t.Errorf("expected lengths of two splits:\n%s", text)
	}
	if err := os.WriteFile(path, []byte("not a pickle"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(path, Options{}); err == nil {
		t.Error("no error for a text file")
	}
}

func TestCheckOfAFileWithoutLabels(t *testing.T) {
	r, err := Check("testdata/flat.pkl", Options{})
	if err != nil || len(r.Splits) != 1 || r.Splits[0].Label != nil || len(r.Problems) > 0 {
		t.Errorf("%v %v", err, r)
	}
	if text := r.String(); strings.Contains(text, "  labels ") ||
		!strings.Contains(text, "\n  vision frames ") {
		t.Error(text)
	}
	one, err := Check("testdata/single.pkl", Options{})
	if err != nil || len(one.Problems) > 0 || one.Splits[0].Shape != (Shape{3, 4, 2, 2, 1}) {
		t.Errorf("one utterance: %v, %v", one, err)
	}
	// a key that is long and has a newline, and one that is no string
	key := "\n" + strings.Repeat("k", 50)
	path := writeFile(t, "keys.pkl", []byte("\x80\x04}(\x8c\x09text_bertNK\x07N\x8c\x33"+
		key+"K\x01u."))
	r, err = Check(path, Options{})
	want := []KeyReport{{"text_bert", "None"}, {`\n` + strings.Repeat("k", 39), "integer"}}
	if err != nil || len(r.Splits) != 1 || !slices.Equal(r.Splits[0].Keys, want) {
		t.Errorf("%v: %q", err, r)
	}
}

func TestCheckReportsWhatItCanRead(t *testing.T) {
	r, err := Check(writeFile(t, "two.pkl", rename(t, "valid", "vaild")), Options{})
	if err != nil || len(r.Splits) != 2 || len(r.Problems) != 1 ||
		!strings.Contains(r.Problems[0], "expected split valid") {
		t.Errorf("%v %v", err, r)
	}
	flat := bytes.Replace(readTestdata(t, "flat.pkl"), []byte("K\x03K\x28K\x08"),
		[]byte("K\x04K\x28K\x08"), 1)
	r, err = Check(writeFile(t, "flat.pkl", flat), Options{})
	if err != nil || len(r.Problems) != 1 ||
		!strings.Contains(r.Problems[0], "audio: expected numbers [N T D]") {
		t.Errorf("%v %v", err, r)
	}
}

// TestFindingsComeAfterErrors keeps the order in which a file is read.
func TestFindingsComeAfterErrors(t *testing.T) {
	r := Report{Problems: []string{"no audio"}, Warnings: []string{"lengths"}}
	r.add(&findings{problems: []string{"NaN"}, warnings: []string{"padding"}})
	if !slices.Equal(r.Problems, []string{"no audio", "NaN"}) ||
		!slices.Equal(r.Warnings, []string{"lengths", "padding"}) {
		t.Errorf("problems %q, warnings %q", r.Problems, r.Warnings)
	}
}

func TestSignsOfLabels(t *testing.T) {
	s := noisy([3]float64{}).Valid.Subset([]int{0, 1, 2, 3, 4, 5})
	s.Label = []float32{-1, 0, 0, 1, 2, 3}
	var r SplitReport
	if r.summarize(s); r.Signs != [3]int{1, 2, 3} {
		t.Errorf("%v negative, zero and positive labels, want 1, 2 and 3", r.Signs)
	}
}
