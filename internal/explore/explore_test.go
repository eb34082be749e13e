package explore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/datasets/wordpiece"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// smallRecap are settings of a small RECAP model.
var smallRecap = map[string]string{"model": "recap", "data.limit": "20", "data.scale": "0.25",
	"train.epochs.stage1": "1", "train.epochs.stage2": "1", "eval.rates": "0,0.4,0.8",
	"width": "8", "heads": "2", "head_width": "4", "feed_forward": "8", "depth": "1",
	"text.width": "8", "text.heads": "2", "text.feed_forward": "8", "critic.width": "8"}

func exploreTest(t *testing.T, set map[string]string, samples int) (*Exploration, rundir.Dir) {
	t.Helper()
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, set), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	var shown, want []string
	e, err := Run(context.Background(), dir, Options{Samples: samples,
		Progress: func(rate, rates int) { shown = append(shown, fmt.Sprint(rate, rates)) }},
		slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for r := range e.Rates {
		want = append(want, fmt.Sprint(r, len(e.Rates)))
	}
	if !slices.Equal(shown, want) {
		t.Errorf("progress %q, want %q", shown, want)
	}
	const fewer = `msg="samples are shown at a subset of the rates" rates="[0 0.05 0.15 0.25 ` +
		`0.35 0.45 0.5 0.6 0.7 0.8 0.9]" of=19`
	if strings.Contains(log.String(), fewer) != (len(e.Rates) == maxViews) {
		t.Errorf("samples are shown at the rates %v, and the log is\n%s", e.Rates, &log)
	}
	return e, rundir.Dir(filepath.Join(dir, "seed5"))
}

// check compares the samples with the run's predictions and with the keep masks of the protocol.
func (e *Exploration) check(t *testing.T, d rundir.Dir) {
	t.Helper()
	c, err := d.Config()
	if err != nil {
		t.Fatal(err)
	}
	set, err := train.OpenData(&c)
	if err != nil {
		t.Fatal(err)
	}
	tested, err := results.Read(d, &c, 0)
	if err != nil {
		t.Fatal(err)
	}
	// the constant predictor learns from the same labels as the model
	want := results.NewBaseline(set.Train.Fraction(c.Data.Labels, c.Seed).Label,
		tested[0][0].Label, 0, metric.MOSI)
	if diff := cmp.Diff(want, e.Baseline, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("constant predictor: %s", diff)
	}
	s := set.Test
	for r, p := range tested[0] {
		masks := s.KeepMasks(datasets.FixedRates(s.Len(), p.Rate))
		for _, sample := range e.Samples {
			i := slices.Index(p.ID, sample.ID)
			if i < 0 || sample.Label != p.Label[i] ||
				math.Abs(float64(sample.Views[r].Score-p.Score[i])) > 1e-5 {
				t.Fatalf("%s at rate %g: label %g, prediction %g, which differ from the run's "+
					"predictions", sample.ID, p.Rate, sample.Label, sample.Views[r].Score)
			}
			for m, row := range [zoo.Modalities][]bool{
				masks.Language[i*s.Language.T+
					1:][:len(sample.Tokens)], masks.Audio[i*s.Audio.T:][:s.Audio.Len[i]],
				masks.Vision[i*s.Vision.T:][:s.Vision.Len[i]],
			} {
				if len(row) != len(sample.MissingFrom[m]) {
					t.Fatalf("%s: %d positions of modality %d, want %d", sample.ID,
						len(sample.MissingFrom[m]), m, len(row))
				}
				for k, present := range row {
					if present != (sample.MissingFrom[m][k] > r) {
						t.Fatalf("%s at rate %g: modality %d, position %d: missing from rate "+
							"%d on, present: %v", sample.ID, p.Rate,
							m, k, sample.MissingFrom[m][k], present)
					}
				}
			}
			if text := strings.Join(sample.Tokens, " "); text != s.RawText[i] ||
				text != sample.Text {
				t.Fatalf("%s: tokens %q, want %q", sample.ID, text, s.RawText[i])
			}
		}
	}
}

func TestExplore(t *testing.T) {
	e, d := exploreTest(t, smallRecap, 7)
	e.check(t, d)
	if e.Seed != 5 || e.Utterances != 20 || len(e.Samples) != 7 || e.L != 8 || e.D != 8 ||
		!slices.Equal(e.Rates, []float64{0, 0.4, 0.8}) || e.Range != [2]float64{-3, 3} {
		t.Errorf("explored: seed %d, %d of %d samples, [%d %d], rates %v, range %v", e.Seed,
			len(e.Samples), e.Utterances, e.L, e.D, e.Rates, e.Range)
	}
	for _, s := range e.Samples {
		for m := range zoo.Modalities {
			if !slices.Equal(s.Views[0].Corrupted[m], s.Complete[m]) {
				t.Errorf("%s: with nothing missing, the corrupted features differ from the complete ones", s.ID)
			}
			if len(s.Complete[m]) != 64 || slices.Equal(s.Views[2].Corrupted[m], s.Complete[m]) ||
				slices.Equal(s.Views[0].Completed[m], s.Complete[m]) {
				t.Errorf("%s, modality %d: complete, corrupted and completed features are equal",
					s.ID, m)
			}
		}
		if a := s.Views[1].Weight; len(a) != 3 || math.Abs(a[0]+a[1]+a[2]-1) > 1e-5 {
			t.Errorf("%s: weights %v, want three with a sum of 1", s.ID, a)
		}
	}
	again, err := Run(context.Background(), string(d), Options{Samples: 7},
		runstest.NewRunner(t).Log)
	if err != nil || cmp.Diff(e, again, cmpopts.EquateNaNs()) != "" {
		t.Errorf("the directory of the seed has another exploration than that of the run: %v", err)
	}
}

// A knownModel returns as features of modality m (x, m), completed (−x, m), and as its prediction x
// of each sample, which is the sum of its audio features.
type knownModel struct{ zoo.Model }

func (knownModel) Inspect(
	tp *ag.Tape, in *zoo.Input,
) (embedded, completed [zoo.Modalities]*ag.Tensor, out zoo.Output) {
	n, device := in.Batch(), in.Audio.Device()
	audio := in.Audio.Values()
	var score, weight []float64
	for i := range n {
		x := 0.
		for _, v := range audio[i*len(audio)/n : (i+1)*len(audio)/n] {
			x += v
		}
		score, weight = append(score, x), append(weight, 0.5, 0.25, 0.25)
	}
	for m := range zoo.Modalities {
		var a, b []float64
		for _, x := range score {
			a, b = append(a, x, float64(m)), append(b, -x, float64(m))
		}
		embedded[m] = ag.NewTensor(device, a, n, 1, 2)
		completed[m] = ag.NewTensor(device, b, n, 1, 2)
	}
	return embedded, completed, zoo.Output{Score: ag.NewTensor(device, score, n),
		Weight: ag.NewTensor(device, weight, n, 3)}
}

// A plainModel has neither features nor weights, and predicts 2.
type plainModel struct{ zoo.Model }

func (plainModel) Predict(_ *ag.Tape, in *zoo.Input) zoo.Output {
	twos := slices.Repeat([]float64{2}, in.Batch())
	return zoo.Output{Score: ag.NewTensor(in.Audio.Device(), twos, in.Batch())}
}

// TestViews has three utterances in batches of two, at rates 0 and 0.5, and one of a model that has
// only predictions.
func TestViews(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	dir, _, err := runstest.NewRunner(t).Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	p, err := train.OpenPredictor(rundir.Dir(filepath.Join(dir, "seed5")), &c)
	if err != nil {
		t.Fatal(err)
	}
	set, err := train.OpenData(&c)
	if err != nil {
		t.Fatal(err)
	}
	p.Model, p.BatchSize = knownModel{p.Model}, 2
	e, index := &Exploration{Samples: make([]Sample, 3)}, []int{1, 4, 6}
	want := make([]Sample, 3)
	audio := set.Test.Audio
	for r, rate := range []float64{0, 0.5} {
		masks := set.Test.KeepMasks(datasets.FixedRates(set.Test.Len(), rate))
		if err := addViews(p, e, set.Test, index, masks); err != nil {
			t.Fatal(err)
		}
		for k, i := range index {
			x := float32(0)
			for f := range audio.Len[i] {
				for _, v := range audio.X[(i*audio.T+f)*audio.D:][:audio.D] {
					if masks.Audio[i*audio.T+f] {
						x += v
					}
				}
			}
			v := View{Score: x, Weight: []float64{0.5, 0.25, 0.25}}
			for m := range zoo.Modalities {
				v.Corrupted[m], v.Completed[m] = []float32{x, float32(m)}, []float32{-x, float32(m)}
				if r == 0 {
					want[k].Complete[m] = v.Corrupted[m]
				}
			}
			want[k].Views = append(want[k].Views, v)
		}
	}
	if diff := cmp.Diff(&Exploration{Samples: want, L: 1, D: 2}, e,
		cmpopts.EquateApprox(1e-4, 1e-4)); diff != "" {
		t.Error(diff)
	}
	p.Model, set.Test.RawText = plainModel{p.Model}, nil
	plain := &Exploration{Rates: []float64{0}}
	if err := explore(t.Context(), p, plain, "", set.Test, []int{1}, &transcriber{},
		nil); err != nil {
		t.Fatal(err)
	}
	one := plain.Samples[0]
	if diff := cmp.Diff([]View{{Score: 2}}, one.Views); diff != "" || one.Text != "" ||
		!strings.HasPrefix(one.Tokens[0], "#") {
		t.Errorf("without weights and text: %+v", one)
	}
	if x := want[0].Views; math.Abs(float64(x[0].Score-x[1].Score)) < 1e-2 {
		t.Errorf("nothing is missing: %g and %g", x[0].Score, x[1].Score)
	}
}

// TestCompleteFeatures explores the same model at one rate above 0: the complete features are still
// those without keep masks.
func TestCompleteFeatures(t *testing.T) {
	from0, _ := exploreTest(t, smallRecap, 20)
	set := maps.Clone(smallRecap)
	set["eval.rates"] = "0.8"
	from8, _ := exploreTest(t, set, 20)
	for i, s := range from8.Samples {
		if cmp.Diff(s.Complete, from0.Samples[i].Complete) != "" ||
			cmp.Diff(s.Views, from0.Samples[i].Views[2:]) != "" || s.Complete[0] == nil {
			t.Fatalf("%s: features depend on which rates are shown", s.ID)
		}
	}
}

// TestExploreOthers explores a model that is not an Inspector, and one that predicts classes.
func TestExploreOthers(t *testing.T) {
	e, d := exploreTest(t, map[string]string{"data.labels": "0.5"}, 100)
	e.check(t, d)
	if len(e.Samples) != 40 || e.L != 0 || e.Samples[0].Complete[0] != nil ||
		e.Samples[0].Views[1].Completed[2] != nil {
		t.Errorf("the toy: %d samples, features of length %d", len(e.Samples), e.L)
	}
	e, _ = exploreTest(t, map[string]string{"data.classes": "3", "eval.rates": "0:0.9:0.05"}, 5)
	if e.Classes != 3 || e.Range != [2]float64{0, 2} || len(e.Rates) != maxViews ||
		e.Rates[0] != 0 || e.Rates[maxViews-1] != 0.9 {
		t.Errorf("classes: %d, range %v, rates %v", e.Classes, e.Range, e.Rates)
	}
	for _, s := range e.Samples {
		if s.Label != float32(int(s.Label)) || s.Label < 0 || s.Label > 2 {
			t.Errorf("%s: class %g", s.ID, s.Label)
		}
	}
}

// TestExploreErrors damages the files of a finished seed one after the other.
func TestExploreErrors(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	explore := func(what string, o Options, want string) {
		t.Helper()
		o.Samples = 3
		e, err := Run(context.Background(), dir, o, r.Log)
		if err == nil || e != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", what, err, want)
		}
	}
	explore("a folder without a vocabulary", Options{Vocabulary: t.TempDir()},
		"explore: wordpiece: ")
	t.Setenv("HF_HOME", t.TempDir())
	explore("no pretrained model", Options{Vocabulary: "none/such"},
		"explore: nn: pretrained model none/such: ")
	explore("a wrong device", Options{Device: "abacus"}, "abacus")
	d := rundir.Dir(filepath.Join(dir, "seed5"))
	for _, c := range []struct {
		file   string
		damage func(text string) string
		want   string
	}{
		{rundir.ConfigFile, func(string) string { return "seed: [" }, d.File(rundir.ConfigFile)},
		{rundir.ConfigFile, func(text string) string {
			return strings.Replace(text, "dataset: synthetic", "dataset: mosi", 1)
		}, "mosi"},
		{rundir.BestFile, func(text string) string { return text[:9] }, "results: checkpoint: "},
		{rundir.PredictionsFile, func(text string) string { return text[3:] },
			"line 2: expected a row of 7 cells"},
		{rundir.PredictionsFile, func(text string) string {
			lines := strings.SplitAfter(text, "\n")
			return strings.Join(slices.Concat(lines[:40], lines[41:80]), "")
		}, "explore: " + string(d) + ": expected the 39 test utterances of its predictions, " +
			"found 40; restore the data that it was trained on"},
		{rundir.PredictionsFile, nil, "expected a finished run, found an unfinished one"},
	} {
		path := d.File(c.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.damage == nil {
			err = os.Remove(path)
		} else {
			err = os.WriteFile(path, []byte(c.damage(string(text))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		explore(c.file, Options{}, c.want)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stopped, stop := context.WithCancel(context.Background())
	var progress [][2]int
	_, err = Run(stopped, dir, Options{Samples: 3, Progress: func(rate, rates int) {
		progress = append(progress, [2]int{rate, rates})
		stop()
	}}, r.Log)
	one, oneError := Run(context.Background(), dir, Options{Samples: 1}, r.Log)
	if oneError != nil || len(one.Samples) != 1 || len(one.Samples[0].Views) != 2 {
		t.Errorf("one sample: %v, %v", one, oneError)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped at the first rate: %v", err)
	}
	if diff := cmp.Diff([][2]int{{0, 2}}, progress); diff != "" {
		t.Errorf("progress: %s", diff)
	}
}

// TestTokensOf has utterances of four, three, two, one and no tokens with [CLS] and [SEP].
func TestTokensOf(t *testing.T) {
	s := &datasets.Split{Language: datasets.Tokens{T: 4,
		ID:   []int{1, 2, 3, 4, 5, 6, 7, 0, 8, 9, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0},
		Mask: []float32{1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}}}
	var got [][]int
	for i := range 5 {
		got = append(got, tokensOf(s, i))
	}
	if diff := cmp.Diff([][]int{{2, 3}, {6}, {}, {}, {}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSpreadByError(t *testing.T) {
	tested := []*results.Predictions{
		{ID: make([]string, 5), Label: []float32{9, -9, 0, 1, 0},
			Score: []float32{14, -10, 3, 1, float32(math.NaN())}},
		{ID: make([]string, 5), Label: []float32{9, -9, 0, 1, 0}, Score: []float32{4, -8, 3, 5, 0}},
	}
	// Sums of errors are 10, 2, 6, 4, NaN: NaN first, then 1 3 2 0.
	for n, want := range map[int][]int{0: nil, 1: {4}, 2: {0, 4}, 3: {0, 3, 4}, 4: {0, 1, 3, 4},
		5: {0, 1, 2, 3, 4}, 9: {0, 1, 2, 3, 4}} {
		if got := spreadByError(tested, n); !slices.Equal(got, want) {
			t.Errorf("%d of 5: %v, want %v", n, got, want)
		}
	}
}

func TestTranscriber(t *testing.T) {
	vocabulary, err := wordpiece.New([]string{"[UNK]", "[CLS]", "[SEP]", "any", "##how", "good"},
		true)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		t      transcriber
		tokens []int
		text   string
		want   string
	}{
		{transcriber{}, []int{120, 121}, "w17 w18", "w17 w18"},
		{transcriber{}, []int{1, 2, 3, 4, 5}, "Don't  stop!\n", "Don ' t stop !"},
		{transcriber{}, []int{1, 2, 3}, "很好$", "很 好 $"},
		{transcriber{}, []int{1, 2, 3, 4}, "a~5€ b", "a ~ 5€ b"},
		{transcriber{}, []int{7, 8}, "anyhow", "#7 #8"},
		{transcriber{}, nil, "", ""},
		{transcriber{vocabulary}, []int{3, 4, 5, 6, 99}, "whatever is said",
			"any ##how good #6 #99"},
		{transcriber{vocabulary}, []int{3}, "word", "any"},
	} {
		if got := strings.Join(c.t.texts(c.tokens, c.text), " "); got != c.want {
			t.Errorf("%v, %q: %q, want %q", c.tokens, c.text, got, c.want)
		}
	}
}

// TestTranscriberOfAModel opens the vocabulary in the folder that is given, and in that of the
// run's own model.
func TestTranscriberOfAModel(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vocab.txt"),
		[]byte("[UNK]\n[CLS]\n[SEP]\ngood\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := settingstest.Resolved(t, nil)
	own := settingstest.Resolved(t, nil)
	own.Method.TextEncoder().BERT = dir
	for _, k := range []struct {
		c     *settings.Config
		model string
		want  string
	}{{&c, dir, "good"}, {&own, "", "good"}, {&c, "", "#3"}} {
		transcribe, err := openTranscriber(k.c, k.model)
		if err != nil {
			t.Errorf("%q: %v", k.model, err)
			continue
		}
		if got := transcribe.texts([]int{3}, ""); !slices.Equal(got, []string{k.want}) {
			t.Errorf("%q: %q, want %s", k.model, got, k.want)
		}
	}
}
