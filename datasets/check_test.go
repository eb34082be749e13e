package datasets

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheckDescribesAFile(t *testing.T) {
	r, err := Check("testdata/types.pkl", Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := r.String()
	for _, want := range []string{
		"testdata/types.pkl: 8329 bytes, types, labels from -1 to 1\n",
		"train: 3 utterances\n",
		"  text_bert                  int64 [3 3 6]\n",
		"  id                         bytes [3]\n",
		"  audio                      float16 [3 40 8]\n",
		"  vision_lengths             list [3]\n",
		"  audio frames                     10    20.00       30       40\n",
		"  labels                           -1     -0.5        0   2 negative, 1 zero, 0 positive\n",
		"  train: audio: -Inf, read as 0: 1 times\n",
		"  test: vision_lengths: not in 1 to 5, clamped: 1 times\n",
		"\nwarnings:\n  ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
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
