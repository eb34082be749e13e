package datasets

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nlpodyssey/gopickle/types"

	_ "github.com/seed-6655bf3b/recap/internal/gctest"
)

// decode reads a data set of a file's bytes.
func decode(name string, data []byte) (*Set, error) {
	return read(name, bytes.NewReader(data), int64(len(data)), Options{})
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wave is make.py's.
func wave(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i*37%1024-512) / 512
	}
	return x
}

// madeSplit is make.py's split.
func madeSplit(n int, name string) *Split {
	const text = 6
	s := &Split{
		Language: Tokens{text, make([]int, n*text), make([]float32, n*text), make([]int, n*text)},
		Audio:    Frames{T: 40, D: 8, X: wave(n * 40 * 8)},
		Vision:   Frames{T: 5, D: 3, X: wave(n * 5 * 3)},
	}
	s.Audio.X[1*8+2] = 0 // -Inf in the file
	for i := range n {
		s.ID = append(s.ID, fmt.Sprintf("%s$_$%d", name, i))
		s.RawText = append(s.RawText, fmt.Sprintf("naïve 电影 \\u0041 %s %d\n", name, i))
		s.Label = append(s.Label, 0.5*float32(i)-1)
		s.Audio.Len = append(s.Audio.Len, 10*(i+1))
		s.Vision.Len = append(s.Vision.Len, max(i, 1)) // 0 in the file
		for j := range 3 + i {
			s.Language.ID[i*text+j] = 2000 + i + j - 1
			s.Language.Mask[i*text+j] = 1
		}
		s.Language.ID[i*text], s.Language.ID[i*text+2+i] = ClsID, SepID
	}
	s.Audio.clearPadding() // not 0 in the file
	s.Vision.clearPadding()
	return s
}

func madeSet(name string) *Set {
	return &Set{Name: name, Train: madeSplit(3, "train"), Valid: madeSplit(2, "valid"),
		Test: madeSplit(2, "test"), Range: [2]float64{-1, 1}}
}

func TestOpenReadsEveryProtocol(t *testing.T) {
	for p := range 6 {
		name := fmt.Sprintf("protocol%d", p)
		got, err := Open(filepath.Join("testdata", name+".pkl"))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(madeSet(name), got, inside); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestOpenReadsTheNamesOfNumPy1(t *testing.T) {
	data := readTestdata(t, "protocol2.pkl")
	old := bytes.ReplaceAll(data, []byte("cnumpy._core."), []byte("cnumpy.core."))
	if bytes.Equal(old, data) {
		t.Fatal("the file has no numpy._core")
	}
	got, err := decode("old", old)
	if diff := cmp.Diff(madeSet("old"), got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// The file holds int64, float16 and float64, big-endian and Fortran order, bytes, lists and
// objects.
func TestOpenReadsOtherTypes(t *testing.T) {
	got, err := Open("testdata/types.pkl")
	if len(got.Warnings) == 0 || got.Warnings[0] != "test: audio: -Inf, read as 0: 1 times" {
		t.Errorf("%q, want what was read otherwise first", got.Warnings)
	}
	if diff := cmp.Diff(madeSet("types"), got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// The file holds lists of arrays and lists of lists; audio is padded to the longest of the file.
func TestOpenReadsLists(t *testing.T) {
	const steps, width = 30, 8
	want := madeSet("lists")
	for _, s := range want.splits() {
		x := make([]float32, s.Len()*steps*width)
		for i, n := range s.Audio.Len {
			copy(x[i*steps*width:], s.Audio.X[i*s.Audio.T*width:][:n*width])
		}
		s.Audio.X, s.Audio.T = x, steps
	}
	data := readTestdata(t, "lists.pkl")
	got, err := decode("lists", data)
	if diff := cmp.Diff(want, got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
	audio := Features{Audio: "testdata/lists.pkl"}
	got, err = OpenWith("testdata/protocol4.pkl", Options{Features: audio})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Valid.Audio, got.Valid.Audio, inside); diff != "" {
		t.Error(diff)
	}
	float := "G" + string(binary.BigEndian.AppendUint64(nil, math.Float64bits(-0.85546875)))
	for _, c := range []struct{ old, new, want string }{
		{"K\nK\x14e", "K\nK\x15e",
			"valid: audio_lengths: utterance 1: expected 20, the number of its frames, found 21"},
		{"K\nK\x08\x86", "K\x08K\n\x86", "train: audio: expected numbers [N T D], " +
			"found item 1: expected shape [30 10] as before, found [30 8]; save it"},
		{float, "K\x010N0N0N0", "train: vision: expected numbers [N T D], " +
			"found item 0: item 1: expected shape [2] as before, found [3]; save it"},
		{float, "]000N0N0N", "found item 0: item 0: item 0: expected a number, found None"},
	} {
		bad := bytes.Replace(data, []byte(c.old), []byte(c.new), 1)
		if _, err := decode("lists", bad); bytes.Equal(bad, data) || err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.new, err, c.want)
		}
	}
}

// The arrays' axes are permuted, so that NumPy saves their order.
func TestOpenReadsPermutedAxes(t *testing.T) {
	data := readTestdata(t, "axes.pkl")
	got, err := decode("axes", data)
	if diff := cmp.Diff(madeSet("axes"), got, inside); err != nil || diff != "" {
		t.Error(err, diff)
	}
	order := []byte("\x8c\x01K\x94K\x00K\x02K\x01\x87")
	for _, axes := range []string{"K\x00K\x03K\x01\x87", "K\x00K\x02K\x02\x87",
		"U\x00K\x02K\x01\x87"} {
		bad := bytes.Replace(data, order, append(order[:4:4], axes...), 1)
		if _, err := decode("axes", bad); bytes.Equal(bad, data) || err == nil ||
			!strings.Contains(err.Error(), "expected each of the axes 0 to 2 once") {
			t.Errorf("%q: %v", axes, err)
		}
	}
}

// The files are not part of the repository.
func TestOpenReadsMOSI(t *testing.T) {
	for _, c := range []struct {
		file   string
		counts [3]int
		shape  Shape
	}{
		{"mosi_wordlevel.pkl", [3]int{129, 45, 55}, Shape{50, 50, 74, 50, 47}},
		{"mosi_utterance.pkl", [3]int{1252, 195, 752}, Shape{50, 1, 73, 1, 100}},
	} {
		path := filepath.Join("..", "..", "shared", "data", c.file)
		if _, err := os.Stat(path); err != nil {
			t.Skipf("no real data beside the repository: %v", err)
		}
		set, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]int{set.Train.Len(), set.Valid.Len(), set.Test.Len()}; got != c.counts {
			t.Errorf("%s: %v utterances, want %v", c.file, got, c.counts)
		}
		if set.Shape() != c.shape || set.Name != "mosi" || set.Range != [2]float64{-3, 3} ||
			set.Vocab() > 30522 {
			t.Errorf("%s: %v, %s, range %v, vocabulary %d", c.file, set.Shape(), set.Name,
				set.Range, set.Vocab())
		}
		for _, s := range []*Split{set.Train, set.Valid, set.Test} {
			for i, y := range s.Label {
				if y < -3 || y > 3 || s.ID[i] == "" || s.RawText[i] == "" {
					t.Errorf("%s: utterance %d: label %v, id %q, text %q", c.file, i, y,
						s.ID[i], s.RawText[i])
				}
			}
		}
		report, err := Check(path, Options{})
		if err != nil || len(report.Problems) > 0 {
			t.Errorf("%s: %v %v", c.file, err, report)
		}
	}
}

func TestSetName(t *testing.T) {
	for path, want := range map[string]string{
		"MOSI/Processed/unaligned_50.pkl": "mosi", "osmosis/mine.pkl": "mine",
		"simsalabim/a.pkl": "a", "CH-SIMS.pkl": "sims",
		"mosi_2/mosei.senti.pkl": "mosei", "x/CMU-MOSEI/aligned_50.pkl": "mosei",
		"sims_unaligned_39.pkl": "sims", "mosi/processed/deep/own.v2.pkl": "own.v2",
	} {
		if got := setName("/data/" + path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	dir := filepath.Join(t.TempDir(), "MOSI", "processed")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if t.Chdir(dir); setName("a.pkl") != "mosi" || setName("../../b.pkl") != "b" {
		t.Errorf("%s and %s in %s", setName("a.pkl"), setName("../../b.pkl"), dir)
	}
}

// rename replaces a key in the protocol-4 file by one of equal length.
func rename(t *testing.T, from, to string) []byte {
	t.Helper()
	data := readTestdata(t, "protocol4.pkl")
	out := bytes.Replace(data, []byte(from), []byte(to), 1)
	if len(from) != len(to) || !bytes.Contains(data, []byte(from)) {
		t.Fatalf("cannot replace %q by %q", from, to)
	}
	return out
}

func TestOpenRefusesOtherLayouts(t *testing.T) {
	shape := func(dims ...byte) string { // as a pickle's tuple of small integers
		s := ""
		for _, d := range dims {
			s += "K" + string(rune(d))
		}
		return s
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"no valid split": {rename(t, "\x05valid", "\x05dev__"),
			"expected split valid, found keys train, dev__, test"},
		"no text_bert": {rename(t, "text_bert", "text_BERT"),
			"train: expected text_bert, found text features only; RECAP needs text_bert"},
		"no labels": {rename(t, "regression_labels", "regression_Labels"),
			"train: expected regression_labels, found keys raw_text, id"},
		"no lengths": {rename(t, "audio_lengths", "audio_Lengths"),
			"train: expected audio_lengths, found keys"},
		"other shape": {rename(t, shape(3, 40, 8), shape(3, 8, 40)),
			"valid: expected audio frames of 40 and vision frames of 3 features as in other " +
				"splits, found text 6, audio 40x8"},
		"empty split": {pickleOf(&Set{Train: &Split{Language: Tokens{T: 1},
			Audio: Frames{T: 1, D: 1}, Vision: Frames{T: 1, D: 1}},
			Valid: madeSplit(2, "valid"), Test: madeSplit(2, "test")}),
			"train: text_bert: expected one utterance or more, found none"},
		"other width": {pickleOf(&Set{Train: madeSplit(3, "train"), Valid: madeSplit(2, "valid"),
			Test: &Split{ID: []string{"a"}, Language: Tokens{1, []int{1}, []float32{1}, []int{0}},
				Audio:  Frames{T: 1, D: 8, X: make([]float32, 8), Len: []int{1}},
				Vision: Frames{T: 1, D: 2, X: make([]float32, 2), Len: []int{1}},
				Label:  []float32{0}}}),
			"test: expected audio frames of 8 and vision frames of 3 features as in other " +
				"splits, found text 1, audio 1x8, vision 1x2; save all splits"},
		"wrong shape": {rename(t, shape(3, 40, 8), shape(4, 40, 8)),
			"train: audio: expected numbers [N T D], found float32 [4 40 8] of 5120 bytes with 3840 bytes of data"},
		"other rows": {rename(t, shape(3, 5, 3), shape(5, 3, 3)),
			"train: vision: expected 3 utterances as in text_bert, found [5 3 3]"},
		"two text rows": {rename(t, shape(3, 3, 6), shape(3, 6, 3)),
			"train: text_bert: expected [N 3 T], found [3 6 3]"},
		"structured type": {rename(t, "\x8c\x01<\x94NNN", "\x8c\x01<\x94NN)"),
			"found structured type [3 3 6]; save it as a numeric array"},
		"unknown type": {rename(t, "\x8c\x02f4", "\x8c\x02c8"), `found numpy type "c8"`},
		"a list": {[]byte("\x80\x04]."),
			"expected a dict of train, valid and test, found list [0]"},
		"no dict inside": {[]byte("\x80\x04}\x8c\x05trainK\x01s."),
			"train: expected a dict, found integer"},
		"an array": {[]byte("\x80\x04}\x8c\x05train}\x8c\x09text_bertNss."),
			"train: text_bert: expected numbers [N 3 T], found None"},
	} {
		_, err := decode("features.pkl", c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.HasPrefix(err.Error(), "datasets: features.pkl: ") || len(err.Error()) > 500 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestErrorsOfOneKey reads arrays, lengths, numbers and strings that are not those of two
// utterances of four tokens.
func TestErrorsOfOneKey(t *testing.T) {
	array := func(data string, shape ...int) *ndarray {
		return &ndarray{shape: shape, dtype: &dtype{kind: 'u', size: 1}, data: []byte(data)}
	}
	frames := array("\x01\x02", 2, 1)
	ragged := &types.List{frames, array("\x01\x02\x03", 3, 1)}
	text := Tokens{T: 4, Mask: []float32{1, 1, 1, 1, 1, 1, 1, 1}}
	rows := func(l *layout, d dict) error {
		_, _, err := l.array("train", d, "audio", "[N T D]", 3)
		return err
	}
	tokens := func(l *layout, d dict) error {
		_, err := l.tokens("train", d, &Tokens{})
		return err
	}
	utterances := func(l *layout, d dict) error {
		return l.frames("train", d, "audio", 2, &Frames{})
	}
	lengths := func(l *layout, d dict) error {
		return l.lengths("train", d, "audio", 2, &text, &Frames{T: 3, D: 1})
	}
	labels := func(l *layout, d dict) error {
		_, err := l.vector("train", d, "labels", 2)
		return err
	}
	ids := func(l *layout, d dict) error { _, err := l.texts("train", d, "id", 2); return err }
	split := func(l *layout, d dict) error { _, err := l.split("train", d); return err }
	text2 := types.DictEntry{Key: "text_bert", Value: array("\x65\x01\x00\x66\x01\x00", 2, 3, 1)}
	find := func(name string) func(*layout, dict) error {
		return func(l *layout, d dict) error { _, err := l.find(d, name); return err }
	}
	save := func(keys, name string) string {
		return "expected split valid, found keys " + keys + "; save " + name + " under this name"
	}
	for _, c := range []struct {
		read func(*layout, dict) error
		d    dict
		want string
	}{
		{rows, dict{{Key: "vision", Value: frames}},
			"train: expected audio, found keys vision; give a data set in MMSA's layout"},
		{rows, dict{{Key: "audio", Value: "x"}},
			"train: audio: expected numbers [N T D], found string; save it as a numeric array"},
		{rows, dict{{Key: "audio", Value: array("", 0, 3, 1)}}, "train: audio: expected one " +
			"utterance or more, found none; move some of another split into this one"},
		{rows, dict{{Key: "audio", Value: frames}},
			"train: audio: expected numbers [N T D], found [2 1]; save it in this shape"},
		{tokens, dict{{Key: "text", Value: frames}}, "train: expected text_bert, found text " +
			"features only; RECAP needs text_bert, the token ids for BERT"},
		{tokens, dict{{Key: "vision", Value: frames}}, "train: expected text_bert, found keys " +
			"vision; give a data set in MMSA's layout"},
		{tokens, dict{{Key: "text_bert", Value: array("123456", 1, 2, 3)}}, "train: text_bert: " +
			"expected [N 3 T], found [1 2 3]; save it after .transpose(0, 2, 1)"},
		{tokens, dict{{Key: "text_bert", Value: array("12345678", 1, 2, 4)}}, "train: text_bert: " +
			"expected [N 3 T], found [1 2 4]; its rows are ids, mask and segments"},
		{tokens, dict{{Key: "text_bert", Value: &types.List{&types.List{&types.List{1.5},
			&types.List{1}, &types.List{0}}}}}, "train: text_bert: utterance 0: expected token " +
			"ids and segments from 0 to 1048575, found 1.5; save the tokenizer's output"},
		// the first of two errors
		{tokens, dict{{Key: "text_bert", Value: &types.List{&types.List{&types.List{-1},
			&types.List{1}, &types.List{math.NaN()}}}}}, "train: text_bert: utterance 0: " +
			"expected token ids and segments from 0 to 1048575, found -1; save the tokenizer's " +
			"output"},
		{tokens, dict{{Key: "text_bert", Value: &types.List{&types.List{&types.List{1},
			&types.List{1}, &types.List{1 << 20}}}}}, "train: text_bert: utterance 0: expected " +
			"token ids and segments from 0 to 1048575, found 1.048576e+06; save the tokenizer's " +
			"output"},
		{tokens, dict{{Key: "text_bert", Value: array(strings.Repeat("1", 180_000), 1, 3, 60_000)}},
			"train: expected text_bert, found more data than a file of this size can hold; give " +
				"a data set in MMSA's layout"},
		{utterances, dict{{Key: "audio", Value: array("123", 3, 1, 1)}}, "train: audio: expected " +
			"2 utterances as in text_bert, found [3 1 1]; save one row for each utterance"},
		{lengths, dict{{Key: "audio", Value: frames}}, "train: expected audio_lengths, found " +
			"keys audio; lengths may be absent only if audio has one frame for each token"},
		{lengths, dict{{Key: "audio", Value: ragged}, {Key: "audio_lengths",
			Value: array("\x02\x02", 2)}}, "train: audio_lengths: utterance 1: expected 3, the " +
			"number of its frames, found 2; save the number of frames"},
		{lengths, dict{{Key: "audio", Value: &types.List{array("\x01", 1, 1), array("", 0, 1)}},
			{Key: "audio_lengths", Value: array("\x05\x00", 2)}}, "train: audio_lengths: " +
			"utterance 0: expected 1, the number of its frames, found 5; save the number of " +
			"frames"},
		{lengths, dict{{Key: "audio_lengths", Value: "x"}}, "train: audio_lengths: expected " +
			"numbers [N], found string; save it as a numeric array"},
		{lengths, dict{{Key: "audio_lengths", Value: &types.List{2, math.NaN()}}},
			"train: audio_lengths: utterance 1: expected a number of frames, found NaN; save the " +
				"number of frames before the padding"},
		{labels, dict{{Key: "labels", Value: "x"}},
			"train: labels: expected numbers [N], found string; save it as a numeric array"},
		{labels, dict{{Key: "labels", Value: array("123", 3, 1)}}, "train: labels: expected 2 " +
			"numbers, one for each row of text_bert, found [3 1]; save one for each utterance"},
		{ids, dict{{Key: "id", Value: 7}},
			"train: id: expected strings [N], found integer; save it as a list of strings"},
		{split, dict{text2, {Key: "regression_labels", Value: &types.List{1}}}, "train: " +
			"regression_labels: expected 2 numbers, one for each row of text_bert, found [1]; " +
			"save one for each utterance"},
		{split, dict{text2, {Key: "raw_text", Value: 7}},
			"train: raw_text: expected strings [N], found integer; save it as a list of strings"},
		{split, dict{text2, {Key: "id", Value: 7}},
			"train: id: expected strings [N], found integer; save it as a list of strings"},
		{find("valid"), dict{{Key: "val"}}, save("val", "val")},
		{find("valid"), dict{{Key: "dev"}}, save("dev", "dev")},
		{find("valid"), dict{{Key: "validation"}}, save("validation", "validation")},
		{find("train"), dict{{Key: "val"}}, "expected split train, found keys val; give a data " +
			"set in MMSA's layout, with train, valid and test"},
		{find("valid"), dict{{Key: 7}}, "expected split valid, found no keys; give a data set in " +
			"MMSA's layout, with train, valid and test"},
		{find("test"), dict{{Key: "test", Value: 7}},
			"test: expected a dict, found integer; give a data set in MMSA's layout"},
		{ids, dict{{Key: "id", Value: &types.List{"a"}}}, "train: id: expected 2 strings, one " +
			"for each row of text_bert, found 1; save one for each utterance"},
	} {
		l := &layout{path: "own.pkl", convert: converter{left: 1 << 20}, absent: oneZero,
			repaired: map[string]int{}}
		if err := c.read(l, c.d); err == nil || err.Error() != "datasets: own.pkl: "+c.want {
			t.Errorf("%v\nwant\ndatasets: own.pkl: %s", err, c.want)
		}
	}
}

// TestErrorsOfSeveralSplits names the first and says how many there are.
func TestErrorsOfSeveralSplits(t *testing.T) {
	good := map[string]*Split{"train": madeSplit(3, "train"), "valid": madeSplit(2, "valid"),
		"test": madeSplit(2, "test")}
	wide := madeSplit(2, "test")
	wide.Vision = Frames{T: 1, D: 4, X: make([]float32, 8), Len: []int{1, 1}}
	unlabelled := madeSplit(3, "train")
	unlabelled.Label = nil
	bad := madeSplit(3, "train")
	bad.Label[0], bad.Audio.X[0], bad.ID[1] = 7, float32(math.NaN()), bad.ID[0]
	const labels = "train: expected regression_labels, found keys id, text_bert, audio, " +
		"audio_lengths, vision, vision_lengths; training and evaluation need a number for each " +
		"utterance under this key"
	const nan = "train: audio: expected finite values, found NaN or Inf in 1 of 3 utterances, " +
		"the first \"train$_$0\": NaN in frame 0; extract these again, or save zeros"
	const more = "; %d more: recap data check own.pkl"
	for _, c := range []struct {
		train, test *Split
		want        string
	}{
		{unlabelled, good["test"], labels},
		{unlabelled, wide, labels + fmt.Sprintf(more, 1)},
		{good["train"], wide, "test: expected audio frames of 8 and vision frames of 3 features " +
			"as in other splits, found text 6, audio 40x8, vision 1x4; save all splits with the " +
			"same features"},
		{bad, good["test"], nan + fmt.Sprintf(more, 1)},
	} {
		data := pickleOf(&Set{Train: c.train, Valid: good["valid"], Test: c.test})
		if _, err := decode("own.pkl", data); err == nil ||
			err.Error() != "datasets: own.pkl: "+c.want {
			t.Errorf("%v\nwant\ndatasets: own.pkl: %s", err, c.want)
		}
	}
}

func TestDicts(t *testing.T) {
	l := &layout{convert: converter{left: 1 << 20}, absent: oneZero}
	s, err := l.split("train", dict{{Key: "text_bert", Value: small('u', "\x65\x01\x00", 1, 3, 1)},
		{Key: "raw_text"}, {Key: "id"}})
	if err != nil || s.RawText != nil || !cmp.Equal(s.ID, []string{"train$_$0"}) {
		t.Errorf("texts that are None: %v, %v", s, err)
	}
	ordered := types.NewOrderedDict()
	ordered.Set("b", 1)
	ordered.Set("a", 2)
	d, ok := asDict(ordered)
	if want := (dict{{Key: "b", Value: 1}, {Key: "a", Value: 2}}); !ok || !cmp.Equal(want, d) {
		t.Errorf("%v, %v", d, ok)
	}
	if v, ok := append(d, types.DictEntry{Key: "b", Value: 3}).get("b"); !ok || v != 3 {
		t.Errorf("%v, %v, want the last value of a key", v, ok)
	}
	if d, ok := asDict(7); ok {
		t.Error(d)
	}
	var many dict
	for i := range 21 {
		many = append(many, types.DictEntry{Key: i}, types.DictEntry{Key: strings.Repeat("k", 41)})
	}
	want := "keys " + strings.TrimSuffix(strings.Repeat(strings.Repeat("k", 40)+", ", 20), ", ")
	if got := many.keys(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestMemoryOfAFile is 64 MB and four times the sizes of all files.
func TestMemoryOfAFile(t *testing.T) {
	own := writeFile(t, "own.pkl", []byte("\x80\x04}."))
	l, _, err := newLayout("x", strings.NewReader("\x80\x04}."+strings.Repeat(" ", 996)), 1000,
		Options{Features: Features{Language: own, Audio: own}})
	if err != nil || l.convert.left != 64<<20+4*(1000+4+4) {
		t.Fatal(err, l.convert.left)
	}
	l.close()
}

// TestRangeOfLabels follows from the name, or from the labels of all splits.
func TestRangeOfLabels(t *testing.T) {
	for k := range 3 {
		s := []*Split{{Label: []float32{1, -1}}, {Label: []float32{0}}, {Label: []float32{-1}}}
		for name, want := range map[string]float64{"mine": 1, "sims": 1, "mosi": 3, "mosei": 3} {
			if got := labelRange(name, s...); got != [2]float64{-want, want} {
				t.Errorf("%s: %v", name, got)
			}
		}
		s[k].Label[0] = -1.25
		for name, want := range map[string]float64{"mine": 3, "sims": 1, "mosi": 3, "mosei": 3} {
			if got := labelRange(name, s...); got != [2]float64{-want, want} {
				t.Errorf("%s, %s to -1.25: %v", name, splitNames[k], got)
			}
		}
	}
}

func TestOpenReadsOtherTexts(t *testing.T) {
	// integers as ids, in a list and in an array, and NaN or None for a text
	list := &types.List{7, nil, math.NaN(), "a"}
	c := converter{left: 1 << 20}
	got, err := c.texts(list)
	if diff := cmp.Diff([]string{"7", "", "", "a"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for kind, want := range map[byte]string{'i': "-2", 'u': "65534"} {
		a := &ndarray{shape: []int{1}, dtype: &dtype{kind: kind, size: 2},
			data: []byte{0xfe, 0xff}}
		got, err := c.texts(a)
		if diff := cmp.Diff([]string{want}, got); err != nil || diff != "" {
			t.Errorf("%c: %v, %s", kind, err, diff)
		}
	}
	strings, bytes := &dtype{kind: 'S', size: 1}, []byte("ab")
	if got, err := c.text(&ndarray{dtype: strings, data: bytes[:1]}); err != nil || got != "a" {
		t.Errorf("an array without axes: %q, %v", got, err)
	}
	for what, v := range map[string]any{"1.5": 1.5,
		"strings":  &ndarray{shape: []int{2}, dtype: strings, data: bytes},
		"a float":  &ndarray{dtype: &dtype{kind: 'f', size: 2}, data: bytes},
		"no array": &ndarray{}} {
		if got, err := c.text(v); err == nil {
			t.Errorf("%s as a text: %q and no error", what, got)
		}
	}
}

// TestConverterMaySpendNoMore converts values with as many bytes as their Go slices need, and with
// a byte less.
func TestConverterMaySpendNoMore(t *testing.T) {
	numbers := func(c *converter, v any) error { _, _, err := c.numbers(v); return err }
	texts := func(c *converter, v any) error { _, err := c.texts(v); return err }
	tokens := func(c *converter, v any) error {
		l := &layout{path: "own.pkl", convert: *c}
		_, err := l.tokens("train", dict{{Key: "text_bert", Value: v}}, &Tokens{})
		return err
	}
	long := strings.Repeat("x", 2000)
	array := func(kind byte, size int) *ndarray {
		return &ndarray{shape: []int{3}, dtype: &dtype{kind: kind, size: size},
			data: make([]byte, 3*size)}
	}
	for what, c := range map[string]struct {
		convert func(*converter, any) error
		v       any
		bytes   int64
	}{
		"array of numbers": {numbers, array('f', 8), 12},
		"list of numbers":  {numbers, &types.List{1, 2, 3}, 12},
		// each inner list, 64 bytes for it, and the row of the result
		"list of lists": {numbers, &types.List{&types.List{1, 2}, &types.List{3, 4}},
			2 * (8 + 64 + 8)},
		"array of texts": {texts, array('U', 8), 3 * (16 + 8)},
		"list of texts":  {texts, &types.List{"a", nil, "c"}, 3 * 16},
		"bytes":          {texts, &types.List{[]byte("ab")}, 16 + 2},
		"long text":      {texts, &types.List{blobOf(t, long)}, 16 + 2000},
		// with the numbers of the inner list before those of the result
		"list of a list": {numbers, &types.List{&types.List{1, 2}}, 8 + 64 + 8},
		// the numbers as they are read, and ids, mask and segments
		"tokens": {tokens, small('u', "\x65\x01\x00", 1, 3, 1), 3*4 + 20},
	} {
		if err := c.convert(&converter{left: c.bytes}, c.v); err != nil {
			t.Errorf("%s: %d bytes: %v", what, c.bytes, err)
		}
		if err := c.convert(&converter{left: c.bytes - 1}, c.v); err == nil {
			t.Errorf("%s: no error with %d bytes left, want one below %d", what, c.bytes-1, c.bytes)
		}
	}
}

func TestOpenReadsTwoModalities(t *testing.T) {
	data := readTestdata(t, "protocol4.pkl")
	without := bytes.ReplaceAll(data, []byte("\x06vision\x94"), []byte("\x06sights\x94"))
	set, err := decode("two.pkl", without)
	if err != nil {
		t.Fatal(err)
	}
	v := set.Test.Vision
	if v.T != 1 || v.D != 1 || !cmp.Equal(v.X, []float32{0, 0}) || !cmp.Equal(v.Len, []int{1, 1}) ||
		!strings.Contains(strings.Join(set.Warnings, "\n"), "test: vision: absent, read as a "+
			"frame of zero; found keys raw_text, id, text, text_bert, audio, sights") {
		t.Error(v, set.Warnings)
	}
	set, err = decode("two.pkl", bytes.ReplaceAll(data, []byte("\x05audio\x94"),
		[]byte("\x05sound\x94")))
	if err != nil {
		t.Fatal(err)
	}
	if a := set.Test.Audio; a.T != 1 || !cmp.Equal(a.X, []float32{0, 0}) ||
		!cmp.Equal(set.Test.Vision.X, madeSplit(2, "test").Vision.X) {
		t.Error(a, set.Test.Vision)
	}
}

func TestOpenErrorsOfFiles(t *testing.T) {
	if _, err := Open("testdata/none.pkl"); err == nil ||
		!strings.Contains(err.Error(), "none.pkl") {
		t.Error(err)
	}
	if _, err := Open("testdata"); err == nil ||
		!strings.Contains(err.Error(), "found a directory") {
		t.Error(err)
	}
}

// TestLengthsOfRaggedLists are those of the sequences, but an empty one counts as one frame.
func TestLengthsOfRaggedLists(t *testing.T) {
	text := Tokens{T: 4, Mask: make([]float32, 12)}
	v := list(small('u', "\x01", 1, 1), small('u', "", 0, 1), small('u', "\x01\x02\x03", 3, 1))
	for _, d := range []dict{{{Key: "audio", Value: v}},
		{{Key: "audio", Value: v}, {Key: "audio_lengths", Value: list(1, 0, 3)}},
		{{Key: "audio", Value: v}, {Key: "audio_lengths", Value: list(1, 1, 3)}}} {
		l := &layout{convert: converter{left: 1 << 20}, repaired: map[string]int{}}
		f := Frames{T: 3, D: 1}
		if err := l.lengths("train", d, "audio", 3, &text, &f); err != nil ||
			!cmp.Equal(f.Len, []int{1, 1, 3}) {
			t.Errorf("%v: lengths %v: %v", d, f.Len, err)
		}
	}
}

func TestAlignedFilesTakeTheTokensLength(t *testing.T) {
	l := &layout{path: "aligned.pkl", convert: converter{left: 1 << 20},
		repaired: map[string]int{}}
	text := Tokens{T: 5, Mask: []float32{1, 1, 1, 0, 0, 1, 1, 1, 1, 1}}
	for steps, want := range map[int][]int{5: {3, 5}, 1: {1, 1}} {
		f := Frames{T: steps, D: 1}
		if err := l.lengths("train", nil, "audio", 2, &text, &f); err != nil ||
			!cmp.Equal(f.Len, want) {
			t.Errorf("%d steps: lengths %v, want %v; %v", steps, f.Len, want, err)
		}
	}
	for steps, want := range map[int][]int{5: {3, 5}, 4: {4, 4}, 1: {1, 1}} {
		row := &ndarray{shape: []int{steps, 1}}
		d := dict{{Key: "audio", Value: types.NewListFromSlice([]any{row, row})}}
		f := Frames{T: steps, D: 1}
		if err := l.lengths("train", d, "audio", 2, &text, &f); err != nil ||
			!cmp.Equal(f.Len, want) {
			t.Errorf("list of %d steps: lengths %v, want %v; %v", steps, f.Len, want, err)
		}
	}
}
