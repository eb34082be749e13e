package datasets

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheckDescribesAFile(t *testing.T) {
	r, err := Check("testdata/types.pkl", Features{})
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
	r, err := Check(path, Features{})
	if err != nil || len(r.Problems) == 0 || r.Splits[1].Utterances != 2 ||
		!slices.ContainsFunc(r.Problems, func(p string) bool {
			return strings.HasPrefix(p,
				"train: audio: expected numbers [N T D], found float32 [4 40 8]")
		}) {
		t.Errorf("%v %v", err, r)
	}
	if err := os.WriteFile(path, []byte("not a pickle"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(path, Features{}); err == nil {
		t.Error("no error for a text file")
	}
}

func TestCheckFindsBadValues(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		spoil func(*Split)
		want  string
	}{
		{func(*Split) {}, ""},
		{func(s *Split) {
			s.Vision.X[1*5*3+3*3] = nan
		}, `train: vision: expected finite values, found 1 NaN or Inf, the first NaN in "train$_$1", frame 3`},
		{func(s *Split) {
			s.Audio.X[7] = float32(math.Inf(1))
		}, `train: audio: expected finite values, found 1 NaN or Inf, the first +Inf in "train$_$0", frame 0`},
		{func(s *Split) {
			s.Label[2] = nan
		}, `train: regression_labels: expected finite values, found 1 NaN or Inf, the first NaN in "train$_$2"`},
		{func(s *Split) {
			s.Label[2] = -1.25
		}, "train: regression_labels: expected values in [-1 1], found 1 outside"},
		{func(s *Split) {
			s.Language.ID[0] = 100
		}, "train: text_bert: expected [CLS], 101, as first token, found 1 of 3 utterances otherwise"},
		{func(s *Split) {
			s.Language.ID[2] = 7
		}, "train: text_bert: expected [SEP], 102, as last token, found 1 of 3 utterances otherwise"},
		{func(s *Split) {
			s.Language.Mask[5] = 1
		}, "train: text_bert: expected a mask of ones, then zeros, found 1 of 3 utterances otherwise"},
		{func(s *Split) {
			s.Language.Mask[0] = 0.5
		}, "train: text_bert: expected a mask of ones, then zeros, found 1 of 3 utterances otherwise"},
		{func(s *Split) {
			clear(s.Language.Mask[:6])
		}, "train: text_bert: expected 2 tokens or more, found 1 of 3 utterances otherwise"},
		{func(s *Split) {
			s.Audio.Len = []int{1, 1, 4}
		}, "train: audio: expected padding at the end, found 2 of 3 lengths that are 1; " +
			"perhaps the padding is at the front"},
	} {
		s := madeSplit(3, "train")
		s.Vision.Len = []int{5, 1, 4}
		c.spoil(s)
		r := &Report{Range: [2]float64{-1, 1}}
		r.inspect("train", s)
		if c.want == "" && len(r.Problems) > 0 || c.want != "" &&
			!slices.Equal(r.Problems, []string{c.want}) {
			t.Errorf("%q, want %q", r.Problems, c.want)
		}
	}
}
