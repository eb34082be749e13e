package datasets

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func features(data, split string) (*Split, error) {
	return readFeatures("own", split, bytes.NewReader([]byte(data)), int64(len(data)))
}

func TestOpenFeaturesReadsASplit(t *testing.T) {
	got, err := OpenFeatures("testdata/protocol4.pkl", "valid")
	if diff := cmp.Diff(madeSplit(2, "valid"), got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := OpenFeatures("testdata/protocol4.pkl", ""); err == nil ||
		!strings.Contains(err.Error(), "found keys train, valid, test") {
		t.Error(err)
	}
}

func TestOpenFeaturesReadsAFlatDictWithoutLabels(t *testing.T) {
	got, err := OpenFeatures("testdata/flat.pkl", "")
	want := madeSplit(3, "train")
	want.Label = nil
	if diff := cmp.Diff(want, got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

const twoUtterances = ` [
	{"id": "a", "raw_text": "great", "text_bert": [[101, 2307, 102], [1, 1, 1], [0, 0, 1]],
		"audio": [[1, 2]], "vision": [[3], [4]], "label": 1.5},
	{"id": "b", "text_bert": [[101, 102], [1, 1], [0, 0]], "audio": [[5, 6], [7, 8]], "vision": [[9]], "label": -1}]`

func TestOpenFeaturesReadsJSON(t *testing.T) {
	got, err := features(twoUtterances, "")
	if err != nil {
		t.Fatal(err)
	}
	want := &Split{
		ID: []string{"a", "b"}, RawText: []string{"great", ""},
		Language: Tokens{3, []int{101, 2307, 102, 101, 102, 0}, []float32{1, 1, 1, 1, 1, 0},
			[]int{0, 0, 1, 0, 0, 0}},
		Audio:  Frames{T: 2, D: 2, X: []float32{1, 2, 0, 0, 5, 6, 7, 8}, Len: []int{1, 2}},
		Vision: Frames{T: 2, D: 1, X: []float32{3, 4, 9, 0}, Len: []int{2, 1}},
		Label:  []float32{1.5, -1},
	}
	if diff := cmp.Diff(want, got, inside); diff != "" {
		t.Error(diff)
	}

	fit, err := got.Fit(Shape{4, 2, 2, 3, 1})
	want.Language = Tokens{4, []int{101, 2307, 102, 0, 101, 102, 0, 0},
		[]float32{1, 1, 1, 0, 1, 1, 0, 0}, []int{0, 0, 1, 0, 0, 0, 0, 0}}
	want.Vision = Frames{T: 3, D: 1, X: []float32{3, 4, 0, 9, 0, 0}, Len: []int{2, 1}}
	if diff := cmp.Diff(want, fit, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, shape := range []Shape{{2, 2, 2, 3, 1}, {4, 2, 3, 3, 1}, {4, 1, 2, 3, 1}} {
		if _, err := got.Fit(shape); err == nil ||
			!strings.Contains(err.Error(), "expected at most "+shape.String()) {
			t.Errorf("%v: %v", shape, err)
		}
	}
}

func TestOpenFeaturesRefusesBadJSON(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`"b"`, `"b`, "expected an array of utterances, found invalid character"},
		{`"audio": [[5, 6]`, `"sound": [[5, 6]`, `unknown field "sound"`},
		{`-1}]`, `-1}`, "unexpected EOF"},
		{`, "label": -1`, ``, "expected a label in each utterance or in none, found 1 of 2"},
		{`[7, 8]`, `[7]`,
			`utterance 1 ("b"): audio: frame 1: expected 2 features as in the first utterance, found 1`},
		{`"vision": [[9]]`, `"vision": []`,
			`utterance 1 ("b"): vision: expected frames, found none`},
		{`[1, 1], [0, 0]]`, `[1, 1]]`, `utterance 1 ("b"): text_bert: expected three rows`},
		{`[101, 102]`, `[101, -102]`,
			`utterance 1 ("b"): text_bert: expected ids and segments from 0`},
		{twoUtterances, `[]`, "found an empty array"},
		{twoUtterances, `{"id": "a"}`, "expected an array of utterances"},
	} {
		_, err := features(strings.Replace(twoUtterances, c.from, c.to, 1), "")
		if err == nil || !strings.HasPrefix(err.Error(), "datasets: own: ") ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
}

// One long sequence must not make a long row of every short one.
func TestOpenFeaturesBoundsPadding(t *testing.T) {
	short := `{"id": "s", "text_bert": [[101, 102], [1, 1], [0, 0]], "audio": [[1]], "vision": [[1]]},`
	long := `{"id": "l", "text_bert": [[101, 102], [1, 1], [0, 0]], "audio": [[1]` +
		strings.Repeat(",[1]", 20000) + `], "vision": [[1]]}`
	if _, err := features("["+strings.Repeat(short, 5000)+long+"]", ""); err == nil ||
		!strings.Contains(err.Error(), "split the file by length") {
		t.Error(err)
	}
}

func FuzzOpenFeatures(f *testing.F) {
	f.Add([]byte(
		`[{"id": "a", "text_bert": [[101, 2307, 102], [1, 1, 1], [0, 0, 0]],
			"audio": [[0.5], [0.1]], "vision": [[2], [3]], "label": 1.5}]`,
	))
	f.Add([]byte(`[{"text_bert": [[1],[1],[0]], "audio": [[]], "vision": [[1e99]]}]`))
	f.Add(readTestdata(f, "flat.pkl"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := readFeatures("fuzz", "test", bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		var b Batch
		b.FillCorrupted(s, []int{0}, s.KeepMasks(FixedRates(s.Len(), 0.5)))
	})
}
