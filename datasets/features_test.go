package datasets

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

func features(data, split string) (*Split, error) {
	return readFeatures("own", split, bytes.NewReader([]byte(data)), int64(len(data)), Options{})
}

func TestOpenFeaturesReadsASplit(t *testing.T) {
	got, err := OpenFeatures("testdata/protocol4.pkl", "valid", Options{})
	if diff := cmp.Diff(madeSplit(2, "valid"), got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := OpenFeatures("testdata/protocol4.pkl", "", Options{}); err == nil ||
		!strings.Contains(err.Error(), "found keys train, valid, test") {
		t.Error(err)
	}
	other := writeFile(t, "other.pkl", rename(t, "K\x03K\x28K\x08", "K\x04K\x28K\x08"))
	if _, err := OpenFeatures(other, "train", Options{}); err == nil ||
		!strings.Contains(err.Error(), "train: audio: expected numbers [N T D]") {
		t.Error(err)
	}
}

func TestOpenFeaturesReadsAFlatDictWithoutLabels(t *testing.T) {
	got, err := OpenFeatures("testdata/flat.pkl", "", Options{})
	want := madeSplit(3, "train")
	want.Label = nil
	if diff := cmp.Diff(want, got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// TestModalityThatAPickleLacks reads frames of no features, which Fit gives the model's.
func TestModalityThatAPickleLacks(t *testing.T) {
	data := bytes.ReplaceAll(readTestdata(t, "flat.pkl"), []byte("vision"), []byte("visiom"))
	s, err := features(string(data), "")
	if err != nil {
		t.Fatal(err)
	}
	fit, err := s.Fit(Shape{6, 40, 8, 5, 3})
	want := Frames{T: 5, D: 3, X: make([]float32, 3*5*3), Len: make([]int, 3)}
	if diff := cmp.Diff(want, fit.Vision, inside); err != nil || diff != "" {
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
	if same, err := got.Fit(got.Shape()); err != nil || same != got {
		t.Errorf("%v, %v for its own shape, want the split itself", same, err)
	}
}

// TestOpenFeaturesReadsOneOrMoreObjects writes the two utterances in other ways.
func TestOpenFeaturesReadsOneOrMoreObjects(t *testing.T) {
	want, err := features(twoUtterances, "")
	if err != nil {
		t.Fatal(err)
	}
	inner := strings.Trim(twoUtterances, " \n[")
	inner = strings.TrimSuffix(inner, "]")
	first, second, _ := strings.Cut(inner, "},\n")
	lines := first + "}\n" + second
	for name, text := range map[string]string{
		"lines":           lines,
		"byte order mark": "\ufeff" + twoUtterances + "\n",
		"both":            "\ufeff" + lines,
		"fractions":       strings.ReplaceAll(lines, "101", "101.0"),
	} {
		got, err := features(text, "")
		if diff := cmp.Diff(want, got, inside); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	if one, err := features(first+"}", ""); err != nil || one.Len() != 1 || one.ID[0] != "a" {
		t.Errorf("%v, %v", one, err)
	}
}

// TestMissingModalities leaves out, in turn, vision of the first utterance, audio of the second,
// and text and audio of all.
func TestMissingModalities(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{`"vision": [[3], [4]], `, ``}, {`[[5, 6], [7, 8]]`, `null`}, {`[[5, 6], [7, 8]]`, `[]`},
	} {
		s, err := features(strings.Replace(twoUtterances, c.from, c.to, 1), "")
		if err != nil {
			t.Fatalf("%s: %v", c.to, err)
		}
		f, missing := &s.Audio, 1
		if c.to == "" {
			f, missing = &s.Vision, 0
		}
		full, err := s.Fit(Shape{4, 3, 2, 3, 1})
		if err != nil || f.Len[missing] != 0 || f.Len[1-missing] == 0 {
			t.Errorf("%s: lengths %v, %v", c.from, f.Len, err)
			continue
		}
		var b Batch
		b.FillCorrupted(full, []int{0, 1}, full.KeepMasks(FixedRates(2, 0)))
		frames := &b.Audio
		if c.to == "" {
			frames = &b.Vision
		}
		keep := frames.Keep[missing*frames.T:][:frames.T]
		if frames.Len[missing] != 1 || slices.Max(keep) != 0 ||
			frames.Keep[(1-missing)*frames.T] != 1 {
			t.Errorf("%s: length %d, keep masks %v", c.from, frames.Len[missing], frames.Keep)
		}
	}
	s, err := features(`{"vision": [[1, 2]]}`, "")
	if err != nil || s.Language.T != 2 {
		t.Fatal(s, err)
	}
	if s, err = s.Fit(Shape{4, 3, 5, 1, 2}); err != nil {
		t.Fatal(err)
	}
	want := &Split{ID: []string{""}, RawText: []string{""},
		Language: Tokens{4, []int{ClsID, SepID, 0, 0}, []float32{1, 1, 0, 0}, make([]int, 4)},
		Audio:    Frames{T: 3, D: 5, X: make([]float32, 15), Len: []int{0}},
		Vision:   Frames{T: 1, D: 2, X: []float32{1, 2}, Len: []int{1}}}
	if diff := cmp.Diff(want, s, inside); diff != "" {
		t.Error(diff)
	}
}

func TestOpenFeaturesRefusesBadJSON(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`"b"`, `"b`,
			"utterance 1 (\"b, \"): byte 163: expected a key in quotes, found `text_bert\"`"},
		{`"audio": [[5, 6]`, `"sound": [[5, 6]`, "utterance 1 (\"b\"): byte 206: " +
			"expected one of the keys id, raw_text, text_bert, audio, vision and label, " +
			"found `\"sound\"`"},
		{`-1}]`, `-1}`, `byte 262: expected "]", found the end of the file`},
		{`-1}]`, `-1`, `utterance 1 ("b"): byte 261: expected "}", found the end of the file`},
		{`-1}]`, `-1}] [1]`,
			"byte 264: expected the end of the file after the array of utterances, found `[1`"},
		{twoUtterances, `{"audio": [[1]]} x`,
			"utterance 1: byte 17: expected \"{\", found `x`"},
		{twoUtterances, `{"audio": [[1]]} ]`,
			"byte 17: expected an utterance or the end of the file, found `]`"},
		{twoUtterances, "\ufeff{\"audio\": [[1]]} x", "utterance 1: byte 20: expected \"{\""},
		{`, "label": -1`, ``, "expected a label in each utterance or in none, found 1 of 2"},
		{`-1}`, `"-1"}`, "utterance 1 (\"b\"): label: byte 259: expected a number, found `\"-1\"`"},
		{`"id": "a"`, `"id": 7`, "utterance 0: id: byte 11: expected a string, found `7`"},
		{`"great"`, `7`, "utterance 0 (\"a\"): raw_text: byte 28: expected a string, found `7`"},
		{`[[5, 6], [7, 8]]`, `5`, "utterance 1 (\"b\"): audio: byte 215: expected rows of " +
			"numbers, or null, found `5`"},
		{`[[101, 102], [1, 1], [0, 0]]`, `[[101, 102]]`, `utterance 1 ("b"): text_bert: ` +
			`expected three rows, ids, mask and segments, found 1`},
		{twoUtterances, `{"audio": [[1`,
			`utterance 0: audio: frame 0: byte 13: expected "]", found the end of the file`},
		{twoUtterances, `{"audio": [[1]`,
			`utterance 0: audio: byte 14: expected "]", found the end of the file`},
		{twoUtterances, `{"audio": [[1]], "a key of twenty characters": 1}`, "utterance 0: byte " +
			"17: expected one of the keys id, raw_text, text_bert, audio, vision and label, " +
			"found `\"a key of twenty characters\"`"},
		{twoUtterances, `{"audio": [[1]]} {"vision": [[1]]} {"audio": [[1]], "label": 2}`,
			"expected a label in each utterance or in none, found 1 of 3"},
		{`[7, 8]`, `[7]`,
			`utterance 1 ("b"): audio: frame 1: expected 2 numbers as in the first, found 1`},
		{`[7, 8]`, `[]`, `utterance 1 ("b"): audio: frame 1: expected numbers, found none`},
		{`[7, 8]`, `[7, NaN]`, "audio: frame 1: number 1: byte 228: " +
			"expected a number of at most ±3.4e38, found `NaN` (invalid character 'N' looking "},
		{`[7, 8]`, `[7, -1e39]`, "audio: frame 1: number 1: byte 228: " +
			"expected a number of at most ±3.4e38, found `-1e39`"},
		{`[7, 8]`, `[null, 8]`, "audio: frame 1: number 0: byte 225: " +
			"expected a number of at most ±3.4e38, found `null`"},
		{`[7, 8]`, `7`, "audio: frame 1: byte 224: expected \"[\", found `7`"},
		{`[1, 1], [0, 0]]`, `[1, 1]]`,
			`utterance 1 ("b"): text_bert: expected three rows, ids, mask and segments, found 2`},
		{`[1, 1], [0, 0]]`, `[1, 1], [0]]`,
			`utterance 1 ("b"): text_bert: row 2 (segments): expected 2 numbers as in the first`},
		{`[101, 102]`, `[101, -102]`, `utterance 1 ("b"): text_bert: row 0 (ids): number 1: ` +
			`expected a whole number from 0 to 1048575, found -102`},
		{`[1, 1], [0, 0]]`, `[1, 1], [0, 0.5]]`,
			`row 2 (segments): number 1: expected 0 or 1, found 0.5`},
		{`[1, 1], [0, 0]]`, `[1, 1], [0, 5]]`,
			`utterance 1 ("b"): text_bert: row 2 (segments): number 1: expected 0 or 1, found 5`},
		{`[1, 1], [0, 0]]`, `[0, 1], [0, 0]]`,
			`text_bert: row 1 (mask): number 1: expected ones, then zeros, found 1 after 0`},
		{`[1, 1], [0, 0]]`, `[1, 7], [0, 0]]`,
			`utterance 1 ("b"): text_bert: row 1 (mask): number 1: expected 0 or 1, found 7`},
		{twoUtterances, `[]`, "found an empty array"},
		{twoUtterances, `{"id": "a", "audio": null}`,
			`utterance 0 ("a"): expected text_bert, audio or vision, found none of them`},
	} {
		_, err := features(strings.Replace(twoUtterances, c.from, c.to, 1), "")
		if err == nil || !strings.HasPrefix(err.Error(), "datasets: own: ") ||
			!strings.Contains(err.Error(), c.want) ||
			!strings.HasSuffix(err.Error(), "; see recap predict --help") {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
}

func TestOpenFeaturesRefusesAnEmptyFile(t *testing.T) {
	for _, text := range []string{"", " \n", "\ufeff"} {
		if _, err := features(text, ""); err == nil ||
			!strings.HasPrefix(err.Error(), "datasets: own: expected a pickle, found ") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

// TestFitNamesWhatDoesNotFit expects the first utterance that is too long or too wide.
func TestFitNamesWhatDoesNotFit(t *testing.T) {
	s, err := features(twoUtterances, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want  string
		shape Shape
	}{
		{`utterance 0 ("a"): text_bert: `, Shape{2, 2, 2, 3, 1}},
		{`utterance 0 ("a"): audio: `, Shape{4, 2, 3, 3, 1}},
		{`utterance 1 ("b"): audio: `, Shape{4, 1, 2, 3, 1}},
		{`utterance 0 ("a"): vision: `, Shape{4, 2, 2, 1, 1}},
		{`utterance 0 ("a"): vision: `, Shape{4, 2, 2, 3, 2}},
	} {
		if _, err := s.Fit(c.shape); err == nil || err.Error() != fmt.Sprintf("datasets: %s"+
			"expected at most %v and the same features, found text 3, audio 2x2, vision 2x1; "+
			"extract the features as for the training data", c.want, c.shape) {
			t.Errorf("%v: %v, want %s", c.shape, err, c.want)
		}
	}
	// padding that is too long, and features that the first utterance does not have
	padded, err := s.Fit(Shape{9, 9, 2, 9, 1})
	if err != nil {
		t.Fatal(err)
	}
	missing, err := features(`{"audio": [[1]]} {"id": "b", "vision": [[1, 2]]}`, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s     *Split
		want  string
		shape Shape
	}{
		{padded, "text_bert: expected", Shape{4, 9, 2, 9, 1}},
		{padded, "audio: expected", Shape{9, 3, 2, 9, 1}},
		{padded, "vision: expected", Shape{9, 9, 2, 3, 1}},
		{missing, `utterance 1 ("b"): vision: expected`, Shape{2, 1, 1, 1, 1}},
		{missing.Subset([]int{1}), "expected", Shape{2, 1, 5, 1, 2}},
	} {
		if _, err := c.s.Fit(c.shape); err == nil ||
			!strings.HasPrefix(err.Error(), "datasets: "+c.want) {
			t.Errorf("%v: %v, want %s", c.shape, err, c.want)
		}
	}
}

// TestFeaturesOfPickles replaces audio of single splits, and reads all splits of a packed file.
func TestFeaturesOfPickles(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "own.pkl")
	if err := os.WriteFile(own, readTestdata(t, "lists.pkl"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Features: Features{Audio: own}}
	for _, name := range splitNames {
		want, err := OpenFeatures(own, name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		in := "protocol4.pkl"
		if name == "train" {
			in = "flat.pkl"
		}
		got, err := OpenFeatures("testdata/"+in, name, o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Audio, got.Audio, inside); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := OpenFeatures("testdata/flat.pkl", "dev", o); err == nil ||
		!strings.HasPrefix(err.Error(), "datasets: "+own+": expected split dev, found keys") {
		t.Error(err)
	}
	json := writeFile(t, "own.json", []byte(twoUtterances))
	if _, err := OpenFeatures(json, "train", o); err == nil || err.Error() != "datasets: "+json+
		": expected a pickle when features are replaced, found JSON; put the features into it" {
		t.Error(err)
	}
	if open := filestest.Open(dir); len(open) > 0 {
		t.Errorf("not closed: %q", open)
	}
	packed := packTestdata(t, "protocol4.pkl")
	for i, name := range splitNames {
		s, err := OpenFeatures(packed, name, Options{})
		if err != nil || !slices.Equal(s.ID, madeSet("").splits()[i].ID) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestListsOfOneUtteranceStay adds an axis to arrays only, and only beside an array of tokens.
func TestListsOfOneUtteranceStay(t *testing.T) {
	d := dict{{Key: "text_bert", Value: list(1)}, {Key: "audio", Value: small('u', "\x01", 1, 1)}}
	if got, _ := d.withUtterances().get("audio"); got != d[1].Value {
		t.Errorf("%v", got)
	}
}

// TestOneUtteranceOfAPickle reads utterances as MMSA-FET saves a single one: without the axis of
// utterances, or with it, and without lengths.
func TestOneUtteranceOfAPickle(t *testing.T) {
	want := &Split{ID: []string{"features$_$0"},
		Language: Tokens{3, []int{101, 2000, 102}, []float32{1, 1, 1}, []int{0, 0, 0}},
		Audio:    Frames{T: 4, D: 2, X: []float32{0, 1, 2, 3, 4, 5, 6, 7}, Len: []int{4}},
		Vision:   Frames{T: 2, D: 1, X: []float32{0, 1}, Len: []int{2}}}
	for _, name := range []string{"single.pkl", "single_batched.pkl"} {
		got, err := OpenFeatures("testdata/"+name, "", Options{})
		if diff := cmp.Diff(want, got, inside); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	if s, err := OpenFeatures("testdata/single_named.pkl", "", Options{}); err != nil ||
		s.ID[0] != "mine" {
		t.Errorf("%v, %v", s, err)
	}
	_, err := OpenFeatures("testdata/single_nan.pkl", "", Options{})
	const place = `found NaN or Inf in 1 of 1 utterances, the first "features$_$0": NaN in frame 1`
	if err == nil || !strings.Contains(err.Error(), place) {
		t.Errorf("%v, want %s", err, place)
	}
}

// lastRead calls end before the last part of a text is read.
type lastRead struct {
	*bytes.Reader
	end func()
}

func (r lastRead) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) >= r.Size() && off > 0 {
		r.end()
	}
	return r.Reader.ReadAt(p, off)
}

// TestJSONNeedsLittleMemory measures the memory in use at the end of a text of 2 MB, of which the
// 80 utterances are 400 KB.
func TestJSONNeedsLittleMemory(t *testing.T) {
	frame := "[" + strings.Repeat("0.123456789012345, ", 4) + "0.5]"
	u := `{"audio": [` + strings.Repeat(frame+", ", 249) + frame + "]}\n"
	text := []byte(strings.Repeat(u, 80))
	inUse := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, peak := inUse(), int64(0)
	end := func() { peak = max(peak, inUse()-before) }
	s, err := readFeatures("large", "", lastRead{bytes.NewReader(text), end}, int64(len(text)),
		Options{})
	if err != nil {
		t.Fatal(err)
	}
	if size := int64(4 * len(s.Audio.X)); peak == 0 || peak > 2*size {
		t.Errorf("%d bytes in use for features of %d, want at most twice as many", peak, size)
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

// Many small utterances need more memory than twice their text.
func TestJSONOfManyUtterances(t *testing.T) {
	text := strings.Repeat(`{"text_bert":[[101,102],[1,1],[0,0]]}`, 100_000)
	if _, err := readFeatures("many", "", strings.NewReader(text), int64(len(text)),
		Options{}); err == nil || !strings.Contains(err.Error(), "split the file by length") {
		t.Error(err)
	}
}

// TestMemoryOfJSON needs for each of 4000 utterances 1200 bytes, 20 for each of two tokens and 4
// for each of 4000 frames, which is the length of the first one.
func TestMemoryOfJSON(t *testing.T) {
	const n = 4000
	text := `{"audio":[[1]` + strings.Repeat(",[1]", n-1) + "]}" +
		strings.Repeat(`{"audio":[[1]]}`, n-1)
	size := int64(n*(1200+20*2+4*n)-unpickle.BaseMemory) / 2
	if _, err := readJSON("long", strings.NewReader(text), size-1); err == nil ||
		err.Error() != "datasets: long: expected sequences of similar length, found some so long "+
			"or so many utterances that they need 65 MB; split the file by length" {
		t.Error(err)
	}
	if s, err := readJSON("long", strings.NewReader(text), size); err != nil || s.Len() != n {
		t.Error(err)
	}
}

// TestOneLabel has a single utterance.
func TestOneLabel(t *testing.T) {
	s, err := features(`{"audio": [[1]], "label": 1}`, "")
	if err != nil || !slices.Equal(s.Label, []float32{1}) {
		t.Error(err, s)
	}
}

// TestLongestSequenceInTheMiddle has different numbers of tokens and frames.
func TestLongestSequenceInTheMiddle(t *testing.T) {
	s, err := features(`{"id": "a", "audio": [[1]], "vision": [[2], [3]], "text_bert": null}
		{"TEXT_BERT": [[101, 7, 102], [1, 1, 1], [0, 1, 1]], "Audio": [[4], [5], [6]],
			"vision": [[7], [8], [9]]}
		{"text_bert": [], "audio": [[1], [2]], "vision": [[3]]}`, "")
	want := &Split{ID: []string{"a", "", ""}, RawText: []string{"", "", ""},
		Language: Tokens{3, []int{ClsID, SepID, 0, 101, 7, 102, ClsID, SepID, 0},
			[]float32{1, 1, 0, 1, 1, 1, 1, 1, 0}, []int{0, 0, 0, 0, 1, 1, 0, 0, 0}},
		Audio: Frames{T: 3, D: 1, X: []float32{1, 0, 0, 4, 5, 6, 1, 2, 0}, Len: []int{1, 3, 2}},
		Vision: Frames{T: 3, D: 1, X: []float32{2, 3, 0, 7, 8, 9, 3, 0, 0},
			Len: []int{2, 3, 1}}}
	if diff := cmp.Diff(want, s, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// A large file may need more memory than a small one: here a limit that does not grow with the size
// would be below 0.
func TestLargeJSONMayNeedMore(t *testing.T) {
	s, err := readJSON("large", strings.NewReader(twoUtterances), unpickle.BaseMemory)
	if err != nil || s.Len() != 2 {
		t.Errorf("%v, %v", s, err)
	}
}

// FuzzJSON reads only JSON, while FuzzOpenFeatures reads pickles too.
func FuzzJSON(f *testing.F) {
	f.Add(`"id": "a", "text_bert": [[101, 2307, 102], [1, 1, 1], [0, 0, 0]],
		"audio": [[0.5], [0.1]], "vision": [[2], [3]], "label": 1.5, "raw_text": "x"}`)
	f.Add("\"text_bert\": [[1],[1],[0]], \"audio\": null}\n{\"vision\": [[1, 2]]}\n")
	f.Add("\"id\": 3, \"other\": {\"a\": [[[]]]}, \"audio\": [[1e39, -0]]}")
	f.Fuzz(func(t *testing.T, text string) {
		text = "{" + text
		s, err := readFeatures("fuzz", "", strings.NewReader(text), int64(len(text)), Options{})
		if err != nil {
			return
		}
		if have := s.Shape(); s.Len()*(have.AudioSteps*have.AudioD+have.VisionSteps*
			have.VisionD+have.LanguageSteps) > 1<<26+8*len(text) {
			t.Fatalf("%d utterances of %v from %d bytes", s.Len(), have, len(text))
		}
		var b Batch
		b.FillCorrupted(s, []int{0}, s.KeepMasks(FixedRates(s.Len(), 0.5)))
	})
}

func FuzzOpenFeatures(f *testing.F) {
	f.Add([]byte(
		`[{"id": "a", "text_bert": [[101, 2307, 102], [1, 1, 1], [0, 0, 0]],
			"audio": [[0.5], [0.1]], "vision": [[2], [3]], "label": 1.5}]`,
	))
	f.Add([]byte(`[{"text_bert": [[1],[1],[0]], "audio": [[]], "vision": [[1e99]]}]`))
	f.Add([]byte("{\"text_bert\": [[1],[1],[0]], \"audio\": []}\n{\"vision\": [[1, 2]]}\n"))
	f.Add(readTestdata(f, "flat.pkl"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := readFeatures("fuzz", "test", bytes.NewReader(data), int64(len(data)), Options{})
		if err != nil {
			return
		}
		var b Batch
		b.FillCorrupted(s, []int{0}, s.KeepMasks(FixedRates(s.Len(), 0.5)))
	})
}
