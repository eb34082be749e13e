package train

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

const (
	pickle = "../../datasets/testdata/protocol4.pkl" // 3, 2 and 2 utterances, labels from -1 to 1
	bert   = "../../nn/testdata/tiny_bert/safe"
)

// TestOpenFile opens the data set in a file, which has its name unless the settings give another,
// and files that there are not.
func TestOpenFile(t *testing.T) {
	set := map[string]string{"data.file": pickle, "data.limit": "0"}
	for _, name := range []string{"", "mine"} {
		set["dataset"] = name
		c := settingstest.Resolved(t, set)
		d, err := OpenWithOrigin(&c)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"": "protocol4", "mine": "mine"}[name]; c.Dataset != want ||
			d.Set.Name != want || d.bert != nil || d.Close() != nil {
			t.Errorf("named %q: data set %s, settings %s", name, d.Set.Name, c.Dataset)
		}
		if d.Origin.Hash != d.Set.Hash() || d.Origin.sizes() != "3, 2, 2" {
			t.Errorf("origin %+v", d.Origin)
		}
	}
	text, err := os.ReadFile(pickle)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	generated, damaged, missing := filepath.Join(dir, "synthetic.pkl"),
		filepath.Join(dir, "damaged.pkl"), filepath.Join(dir, "missing.pkl")
	if err := errors.Join(os.WriteFile(generated, text, 0o600),
		os.WriteFile(damaged, text[:500], 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]string{
		generated: {"train: " + generated + ": settings: dataset: expected a name",
			`found "synthetic"; name the data set with -d NAME`},
		damaged: {"datasets: ", "download"},
		missing: {"datasets: ", "missing.pkl: no such file or directory; if the file was moved, " +
			"give its new path with --data FILE (recap train --resume DIR --data FILE records it " +
			"for a run)"},
	} {
		c := settingstest.Resolved(t, map[string]string{"data.file": path})
		_, e1 := OpenData(&c)
		_, e2 := OpenWithOrigin(&c)
		_, e3 := Open(&c)
		for _, err := range []error{e1, e2, e3} {
			text := fmt.Sprint(err)
			if !strings.HasPrefix(text, want[0]) || path != damaged &&
				!strings.HasSuffix(text, want[1]) ||
				errors.Is(err, fs.ErrNotExist) != (path == missing) {
				t.Errorf("error %v, want %s … %s", err, want[0], want[1])
			}
		}
	}
	c := settingstest.Resolved(t, map[string]string{"dataset": "mosi"})
	if _, err := OpenData(&c); !strings.Contains(fmt.Sprint(err), "expected its feature file") {
		t.Errorf("error %v of a data set without a file", err)
	}
	c = settingstest.Resolved(t, nil)
	c.Method.TextEncoder().BERT = dir
	if _, err := Open(&c); !strings.HasPrefix(fmt.Sprint(err), "train: text.bert: ") {
		t.Errorf("error %v of a folder without a pretrained model", err)
	}
}

// TestCloseOfThePretrainedModel closes its file.
func TestCloseOfThePretrainedModel(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(bert)); err != nil {
		t.Fatal(err)
	}
	c := settingstest.Resolved(t, map[string]string{"text.bert": dir})
	d, err := Open(&c)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil || len(filestest.Open(dir)) > 0 {
		t.Errorf("open: %v (%v)", filestest.Open(dir), err)
	}
}

// TestSplitsOfEachSeed opens a set whose seeds have splits of their own, or the same.
func TestSplitsOfEachSeed(t *testing.T) {
	for value, own := range map[string]bool{"seed": true, "3": false, "0": false} {
		set := map[string]string{"data.resplit": value, "data.limit": "3"}
		c := settingstest.Resolved(t, set)
		d, err := OpenWithOrigin(&c)
		if err != nil {
			t.Fatal(err)
		}
		first := d.Set
		if got, err := d.For(&c); got != first || err != nil {
			t.Errorf("%s: the set of the first seed is divided twice (%v)", value, err)
		}
		for _, seed := range []uint64{1111, 5, 5, 1111} {
			c.Seed = seed
			got, err := d.For(&c)
			want, e2 := OpenData(&c)
			if err != nil || e2 != nil || !slices.Equal(got.Test.ID, want.Test.ID) ||
				got != d.Set || got.Train.Len() != 3 {
				t.Errorf("%s, seed %d: %v, want %v (%v, %v)", value, seed, got.Test.ID,
					want.Test.ID, err, e2)
			}
			if same := slices.Equal(got.Test.ID, first.Test.ID); same != (!own || seed == 1111) {
				t.Errorf("%s, seed %d: the same as for seed 1111: %v", value, seed, same)
			}
			if !own && got != first {
				t.Errorf("%s, seed %d: divided twice", value, seed)
			}
			if before := d.Set; own {
				if again, err := d.For(&c); again != before || err != nil {
					t.Errorf("%s, seed %d: divided twice", value, seed)
				}
			}
		}
	}
}

// TestTooFewVideos divides two videos.
func TestTooFewVideos(t *testing.T) {
	whole, _ := datasets.Synthetic(settings.Generators["synthetic"]())
	one := whole.Train.Subset([]int{0})
	one.ID = []string{"video$_$0"}
	set := &datasets.Set{Name: "few", Train: one, Valid: one, Test: one}
	c := settingstest.Resolved(t, map[string]string{"data.resplit": "seed"})
	const want = "datasets: few: expected utterances of at least 3 videos"
	if _, err := choose(set, &c); !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Errorf("error %v", err)
	}
	settings.Generators["two"] = func() datasets.SyntheticConfig {
		c := settings.Generators["synthetic"]()
		c.Train, c.Valid, c.Test = 1, 1, 0
		return c
	}
	defer delete(settings.Generators, "two")
	c.Dataset = "two"
	_, opened := OpenData(&c)
	_, whole1 := OpenWithOrigin(&c)
	_, whole2 := Open(&c)
	for _, err := range []error{opened, whole1, whole2} {
		const want = "datasets: synthetic: expected utterances of at least 3 videos for a new " +
			"division, found 2"
		if fmt.Sprint(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	d := &Data{Set: set, whole: set}
	_, e1 := d.For(&c)
	_, e2 := d.dims(&c)
	e3 := d.Check(&c)
	_, e4 := d.Warning(&c)
	_, e5 := d.StepsPerEpoch(&c)
	_, e6 := d.Prepare(&c, slog.New(slog.DiscardHandler))
	for i, err := range []error{e1, e2, e3, e4, e5, e6} {
		if !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("%d: error %v", i+1, err)
		}
	}
}

// TestLimits takes the first utterances of each split.
func TestLimits(t *testing.T) {
	for limit, want := range map[string][3]int{"0": {100, 40, 50}, "1": {1, 1, 1},
		"45": {45, 40, 45}, "1000": {100, 40, 50}} {
		c := settingstest.Resolved(t, map[string]string{"data.limit": limit})
		set, err := OpenData(&c)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]int{set.Train.Len(), set.Valid.Len(), set.Test.Len()}; got != want {
			t.Errorf("limit %s: %v, want %v", limit, got, want)
		}
		whole, _ := datasets.Synthetic(settings.Generators["synthetic"]().Scale(0.2))
		if n := want[2]; !slices.Equal(set.Test.ID, whole.Test.ID[:n]) || set.Test == set.Valid {
			t.Errorf("limit %s: test split %v", limit, set.Test.ID)
		}
	}
}

// TestDims compares the sizes that a model is made for with those of the data and of the text
// encoder.
func TestDims(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"data.file": pickle, "data.classes": "3"})
	d, err := OpenWithOrigin(&c)
	if err != nil {
		t.Fatal(err)
	}
	want := zoo.Dims{Vocab: 2005, TextT: 6, AudioT: 40, AudioD: 8, VisionT: 5, VisionD: 3,
		Classes: 3, Range: [2]float64{-1, 1}}
	if got, err := d.dims(&c); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	config := nn.BERTConfig{Vocab: 3000, Positions: 6, Types: 1}
	d.bert = &nn.PretrainedBERT{Config: config}
	want.Vocab, want.BERT = 3000, &config
	if got, err := d.dims(&c); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	c.Method.TextEncoder().BERT = "B"
	for want, config := range map[string]nn.BERTConfig{
		"train: protocol4: expected tokens below 2004, the vocabulary of B, found 2004; give the " +
			"model that the tokens were made for": {Vocab: 2004, Positions: 6, Types: 1},
		"train: protocol4: expected sequences of at most 5 tokens, the positions of B, found 6; " +
			"give a model with more": {Vocab: 2005, Positions: 5, Types: 1},
		"train: protocol4: expected segments below 0, the token types of B, found 0; save zeros " +
			"in the third row of text_bert": {Vocab: 2005, Positions: 6},
	} {
		d.bert.Config = config
		if _, err := d.dims(&c); fmt.Sprint(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	d.bert = nil
	c.Data.Classes = 7
	const classes = "settings: data.classes: expected 0, 2, 3 or 5 for labels from -1 to 1, found 7"
	c.Dataset = "sims"
	if _, err := d.dims(&c); fmt.Sprint(err) != classes {
		t.Errorf("error %v, want %s", err, classes)
	}
	c = settingstest.Resolved(t, map[string]string{"data.classes": "7"})
	if d, err = OpenWithOrigin(&c); err != nil {
		t.Fatal(err)
	}
	if got, err := d.dims(&c); err != nil || got.Classes != 7 || got.Range != [2]float64{-3, 3} {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestModelsThatDoNotFit are too large, or refuse or warn of the data.
func TestModelsThatDoNotFit(t *testing.T) {
	open := func(set map[string]string) (*Data, settings.Config) {
		c := settingstest.Resolved(t, set)
		d, err := OpenWithOrigin(&c)
		if err != nil {
			t.Fatal(err)
		}
		return d, c
	}
	large := map[string]string{"model": "recap", "width": "32768", "text.width": "32768"}
	short := map[string]string{"model": "tetfn", "text_kernel": "99"}
	for want, set := range map[string]map[string]string{
		"train: model: expected at most 4000000000 parameters, found ":                    large,
		"train: tetfn: text_kernel and frame_kernel: expected at most the 5 tokens of an": short,
	} {
		d, c := open(set)
		_, steps := d.StepsPerEpoch(&c)
		dims, _ := d.dims(&c)
		_, made := NewLearner(&c, dims)
		_, prepared := d.Prepare(&c, slog.New(slog.DiscardHandler))
		for _, err := range []error{d.Check(&c), steps, made, prepared} {
			if !strings.HasPrefix(fmt.Sprint(err), want) {
				t.Errorf("error %v, want %s", err, want)
			}
		}
	}
	d, c := open(large)
	if err := d.Check(&c); !strings.Contains(fmt.Sprint(err), "choose smaller widths, the largest "+
		"tensor is ") || !strings.HasSuffix(fmt.Sprint(err), " 32768]") {
		t.Errorf("error %v", err)
	}
	d, c = open(map[string]string{"data.scale": "0.2"})
	if err := d.Check(&c); err != nil {
		t.Error(err)
	}
	if text, err := d.Warning(&c); text != "" || err != nil {
		t.Errorf("warning %q, %v", text, err)
	}
	d.Set.Train.Audio, d.Set.Valid.Audio, d.Set.Test.Audio = oneFrame(100), oneFrame(40),
		oneFrame(50)
	const warning = "audio: one frame in each utterance, a toy"
	if text, err := d.Warning(&c); text != warning || err != nil {
		t.Errorf("warning %q, %v", text, err)
	}
	d, c = open(map[string]string{"model": "misa"})
	if text, err := d.Warning(&c); text != "" || err != nil {
		t.Errorf("MISA: warning %q, %v", text, err)
	}
}

// oneFrame returns a frame of one number for each of n utterances.
func oneFrame(n int) datasets.Frames {
	return datasets.Frames{T: 1, D: 1, X: make([]float32, n), Len: slices.Repeat([]int{1}, n)}
}

// TestStepsPerEpoch counts the steps of the toy, whose first phase takes batches of at least 8.
func TestStepsPerEpoch(t *testing.T) {
	for _, x := range []struct {
		set  map[string]string
		want map[string]int
	}{
		{nil, map[string]int{"stage1": 3, "stage2": 3}}, // of 16, 16 and 8
		{map[string]string{"data.limit": "39"}, map[string]int{"stage1": 2, "stage2": 3}},
		{map[string]string{"data.labels": "0.5"}, map[string]int{"stage1": 3, "stage2": 2}},
		{map[string]string{"train.batch": "8", "train.accumulate": "2"},
			map[string]int{"stage1": 3, "stage2": 3}}, // 5 batches
		{map[string]string{"train.batch": "10", "train.accumulate": "2"},
			map[string]int{"stage1": 2, "stage2": 2}},
	} {
		c := settingstest.Resolved(t, x.set)
		d, err := OpenWithOrigin(&c)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.StepsPerEpoch(&c); err != nil || !reflect.DeepEqual(got, x.want) {
			t.Errorf("%v: %v, %v; want %v", x.set, got, err, x.want)
		}
	}
}

// TestFit pads sequences to the lengths of a model and replaces tokens that it does not know.
func TestFit(t *testing.T) {
	split := func() *datasets.Split {
		return &datasets.Split{ID: []string{"a", "b"}, Audio: oneFrame(2), Vision: oneFrame(2),
			Language: datasets.Tokens{T: 3, ID: []int{101, 120, 119, 101, 7, 0},
				Mask: []float32{1, 1, 1, 1, 1, 0}, Segment: make([]int, 6)}}
	}
	dims := zoo.Dims{Vocab: 119, TextT: 4, AudioT: 2, AudioD: 1, VisionT: 1, VisionD: 1}
	var log bytes.Buffer
	s := split()
	got, err := Fit(s, dims, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := datasets.Tokens{T: 4, ID: []int{101, 100, 100, 0, 101, 7, 0, 0},
		Mask: []float32{1, 1, 1, 0, 1, 1, 0, 0}, Segment: make([]int, 8)}
	if diff := cmp.Diff(want, got.Language); diff != "" || got.Audio.T != 2 || got.Vision.T != 1 ||
		!slices.Equal(got.ID, s.ID) {
		t.Errorf("%s%+v", diff, got)
	}
	const line = `level=WARN msg="tokens unseen in training are read as [UNK]" tokens=2 of=5 ` +
		"vocabulary=119\n"
	if !strings.HasSuffix(log.String(), line) {
		t.Errorf("log %q, want %q", &log, line)
	}
	log.Reset()
	dims.Vocab, dims.TextT, dims.AudioT = 121, 3, 1
	if got, err := Fit(s, dims, slog.New(slog.NewTextHandler(&log, nil))); err != nil || got != s ||
		log.Len() > 0 || !cmp.Equal(s.Language, split().Language) {
		t.Errorf("a split that fits: %+v, %v, log %q", got, err, &log)
	}
	dims.Vocab = 120
	if got, err := Fit(s, dims, slog.New(slog.NewTextHandler(&log, nil))); err != nil ||
		!slices.Equal(got.Language.ID, []int{101, 100, 119, 101, 7, 0}) ||
		!cmp.Equal(s.Language, split().Language) || !strings.Contains(log.String(), " tokens=1 ") {
		t.Errorf("one unknown token: %+v, %v, log %q", got, err, &log)
	}
	dims.Vocab, dims.TextT = 121, 2
	if _, err := Fit(s, dims, slog.New(slog.DiscardHandler)); !strings.HasPrefix(fmt.Sprint(err),
		"datasets: ") {
		t.Errorf("error %v of a sequence that is too long", err)
	}
	dims.TextT, s.Language.Segment[4] = 3, 2
	const segment = `train: utterance 1 ("b"): text_bert: token 1: expected a segment below 2, ` +
		"the type_vocab_size of the text encoder, found 2; save the tokenizer's token_type_ids"
	if _, err := Fit(s, dims, slog.New(slog.DiscardHandler)); fmt.Sprint(err) != segment {
		t.Errorf("error %v, want %s", err, segment)
	}
}

func TestEvenlySpaced(t *testing.T) {
	for _, x := range []struct {
		n, k int
		want []int
	}{{0, 3, nil}, {3, 0, nil}, {5, 1, []int{0}}, {5, 2, []int{0, 4}}, {5, 3, []int{0, 2, 4}},
		{6, 3, []int{0, 2, 5}}, {3, 3, []int{0, 1, 2}}, {2, 5, []int{0, 1}},
		{10, 4, []int{0, 3, 6, 9}}} {
		if got := EvenlySpaced(x.n, x.k); !slices.Equal(got, x.want) {
			t.Errorf("%d of %d: %v, want %v", x.k, x.n, got, x.want)
		}
	}
}

// TestPretrainedWeights loads those of the text encoder, and says so in the log.
func TestPretrainedWeights(t *testing.T) {
	set := settingstest.Small(t, "misa")
	for _, key := range []string{"width", "heads", "head_width", "feed_forward"} {
		delete(set, "text."+key)
	}
	set["text.bert"] = bert
	c := settingstest.Resolved(t, set)
	d, err := Open(&c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var log bytes.Buffer
	l, err := NewLearner(&c, zoo.Dims{Vocab: d.bert.Config.Vocab, TextT: 4, AudioT: 2, AudioD: 2,
		VisionT: 2, VisionD: 2, BERT: &d.bert.Config})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.loadPretrained(&c, d.bert, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	file, err := nn.OpenBERT(bert)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before := values(l.Model.TextEncoder().Params.All())
	if err := file.Load(l.Model.TextEncoder().Params); err != nil ||
		!slices.Equal(values(l.Model.TextEncoder().Params.All()), before) {
		t.Errorf("the text encoder does not have the weights of the file (%v)", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(bert)); err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(dir, "model.safetensors")
	nan, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	for i := 8 + int(binary.LittleEndian.Uint64(nan)); i < len(nan); i += 4 {
		copy(nan[i:], "\x00\x00\xc0\x7f") // NaN in float32
	}
	if err := os.WriteFile(weights, nan, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged, err := nn.OpenBERT(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer damaged.Close()
	if err := l.loadPretrained(&c, damaged, slog.New(slog.DiscardHandler)); !strings.HasPrefix(
		fmt.Sprint(err), "train: text.bert: ") {
		t.Errorf("error %v of weights that are no numbers", err)
	}
	if text := log.String(); !strings.Contains(text, `msg="pretrained text encoder" file=`) ||
		!strings.Contains(text, "model.safetensors width=12 layers=2 finetune=true unused=") {
		t.Errorf("log %s", text)
	}
}

// TestGeneratorThatIsGone has a file of pretrained generators that was removed since it was found.
func TestGeneratorThatIsGone(t *testing.T) {
	c := settingstest.Resolved(t, settingstest.Small(t, "recap"))
	for _, s := range zoo.Settings(&c) {
		switch s.Key {
		case "generator.kind":
			s.Value.SetString("imagebind")
		case "generator.file":
			s.Value.SetString("gone.pth")
		case "generator.widths":
			s.Value.Set(reflect.ValueOf([]int{64, 64, 64}))
		}
	}
	d, err := OpenWithOrigin(&c)
	if err != nil {
		t.Fatal(err)
	}
	dir, o, _ := begin(t, &c)
	_, prepared := d.Prepare(&c, o.Log)
	for _, err := range []error{prepared, Seed(t.Context(), c, d, dir, o)} {
		if !strings.HasPrefix(fmt.Sprint(err), "recap: generator.file: ") {
			t.Errorf("error %v", err)
		}
	}
}

// TestBuffersOfAModel are those that it has made.
func TestBuffersOfAModel(t *testing.T) {
	tr := newTrainer(t, settingstest.Small(t, "mmim"))
	if len(tr.Buffers) == 0 {
		t.Error("no buffers of MMIM's memory")
	}
}
