package runs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// fromFile trains seeds 5 and 6 on the features in a new file.
func fromFile(t *testing.T, r *runs.Runner) (dir, file string) {
	t.Helper()
	original, err := os.ReadFile("../../datasets/testdata/protocol4.pkl")
	if err != nil {
		t.Fatal(err)
	}
	file = write(t, original)
	dir, _, err = r.Train(t.Context(), settingstest.Resolved(t, map[string]string{
		"dataset": "mosi", "data.file": file, "data.limit": "2", "train.batch": "2"}),
		[]uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	return dir, file
}

// wideFeatures have another number of features than the files of this package's tests.
const wideFeatures = `{"audio": [[1, 2, 3, 4, 5, 6, 7, 8, 9]], "label": 1,
	"text_bert": [[1, 2], [1, 1], [0, 0]]}`

// TestPredictText compares with an utterance whose audio, which alone the toy uses, is one frame of
// zeros.
func TestPredictText(t *testing.T) {
	r := runstest.NewRunner(t)
	run, file := fromFile(t, r)
	dir := filepath.Join(run, "seed6")
	set, err := datasets.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	silent, err := json.Marshal(map[string]any{"text_bert": [][]int{{1, 2}, {1, 1}, {0, 0}},
		"audio": [][]float64{make([]float64, set.Test.Audio.D)}})
	if err != nil {
		t.Fatal(err)
	}
	model := t.TempDir()
	vocab := errors.Join(os.WriteFile(filepath.Join(model, "vocab.txt"),
		[]byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\n"), 0o644),
		os.WriteFile(filepath.Join(model, "silent.json"), silent, 0o644))
	if vocab != nil {
		t.Fatal(vocab)
	}
	want, err := runs.Predict(dir, filepath.Join(model, "silent.json"), "", r.Log)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"good", "good good", ""}
	for _, device := range []string{"", "cpu"} {
		var log bytes.Buffer
		got, err := runs.PredictText(dir, texts, model, device,
			slog.New(slog.NewTextHandler(&log, nil)))
		if line := `msg="text without words" utterances=1 of=3`; !strings.Contains(log.String(),
			line) {
			t.Errorf("log %s, want %s", &log, line)
		}
		if err != nil || !slices.Equal(got.ID, texts) ||
			!slices.Equal(got.Score, slices.Repeat(want.Score[:1], 3)) {
			t.Errorf("device %q: %+v, want %v three times: %v", device, got, want.Score[0], err)
		}
	}
	synthetic, _, err := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	const noTokens = "runs: %s: expected a run with BERT's tokens, found one on %s without a " +
		"pretrained text encoder; train with --data, and name the vocabulary with --bert"
	for _, w := range []struct{ dir, model, device, want string }{
		{synthetic, model, "", fmt.Sprintf(noTokens, synthetic, "synthetic")},
		{dir, "", "", fmt.Sprintf(noTokens, dir, "mosi")},
		{dir, filepath.Join(empty, "none"), "", "runs: nn: pretrained model "},
		{dir, empty, "", "runs: wordpiece: expected the vocabulary of a Hugging Face model: "},
		{dir, model, "gpu7", "train: "},
		{run, model, "", fmt.Sprintf("runs: %s: expected one seed, found 2; give one of [%s %s]",
			run, filepath.Join(run, "seed5"), dir)},
		{empty, model, "", "rundir: " + empty + ": expected a run"},
	} {
		_, err := runs.PredictText(w.dir, texts, w.model, w.device, r.Log)
		if !strings.HasPrefix(fmt.Sprint(err), w.want) {
			t.Errorf("error %v, want %s", err, w.want)
		}
		if w.model == model && w.dir != synthetic {
			_, err := runs.Predict(w.dir, file, w.device, r.Log)
			if !strings.HasPrefix(fmt.Sprint(err), w.want) {
				t.Errorf("features: error %v, want %s", err, w.want)
			}
		}
	}
	if _, err := runs.Predict(dir, "none.pkl", "", r.Log); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v of no features", err)
	}
	wide := filepath.Join(empty, "wide.json")
	if err := os.WriteFile(wide, []byte(wideFeatures), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = runs.Predict(dir, wide, "", r.Log)
	if !strings.HasPrefix(fmt.Sprint(err), wide+": ") {
		t.Errorf("error %v of other features, want the file", err)
	}
	config := filepath.Join(dir, rundir.ConfigFile)
	if err := os.WriteFile(config, []byte("model: [\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, predicted := runs.Predict(dir, file, "", r.Log)
	_, evaluated := runs.Evaluate(t.Context(), dir, runs.EvalOptions{}, r.Log)
	for _, err := range []error{predicted, evaluated, r.MoveData(dir, file)} {
		if !strings.HasPrefix(fmt.Sprint(err), "settings: "+config) {
			t.Errorf("error %v of a broken configuration", err)
		}
	}
}

// TestOptionsOfEvaluate tests two seeds, with features, rates and devices that are not there.
func TestOptionsOfEvaluate(t *testing.T) {
	r := runstest.NewRunner(t)
	run, file := fromFile(t, r)
	var progress [][2]int
	s, err := runs.Evaluate(t.Context(), run, runs.EvalOptions{Rates: "0,0.2,0.4",
		Device: "cpu", Features: datasets.Features{Language: file, Audio: file, Vision: file},
		Progress: func(done, all int) { progress = append(progress, [2]int{done, all}) }}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]int{{1, 6}, {2, 6}, {3, 6}, {4, 6}, {5, 6}, {6, 6}}
	if !slices.Equal(progress, want) || !slices.Equal(s.Rates, []float64{0, 0.2, 0.4}) {
		t.Errorf("progress %v at rates %v, want %v", progress, s.Rates, want)
	}
	if want := strings.Repeat("features of features.pkl; ", 3); s.Note+"; " != want {
		t.Errorf("note %q, want %q", s.Note, want)
	}
	if text := s.Text(0); !strings.Contains(text, "constant predictor") {
		t.Errorf("the labels are those of the run:\n%s", text)
	}
	for _, w := range []struct {
		o    runs.EvalOptions
		want string
	}{
		{runs.EvalOptions{Rates: "2"}, "rates"},
		{runs.EvalOptions{Device: "gpu7"}, "gpu7"},
		{runs.EvalOptions{File: "none.pkl"}, "none.pkl"},
		{runs.EvalOptions{Features: datasets.Features{Language: "text.pkl"}}, "text.pkl"},
		{runs.EvalOptions{Features: datasets.Features{Audio: "audio.pkl"}}, "audio.pkl"},
		{runs.EvalOptions{Features: datasets.Features{Vision: "vision.pkl"}}, "vision.pkl"},
	} {
		_, err := runs.Evaluate(t.Context(), run, w.o, r.Log)
		if !strings.Contains(fmt.Sprint(err), w.want) {
			t.Errorf("%+v: error %v, want %s", w.o, err, w.want)
		}
	}
	if _, err := runs.Evaluate(t.Context(), t.TempDir(), runs.EvalOptions{},
		r.Log); !strings.Contains(fmt.Sprint(err), "expected a run, with directories") {
		t.Errorf("error %v of no run", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := runs.Evaluate(cancelled, run, runs.EvalOptions{}, r.Log); err == nil {
		t.Errorf("cancelled, but tested: %v", s)
	}
	wide := filepath.Join(t.TempDir(), "wide.json")
	if err := os.WriteFile(wide, []byte(wideFeatures), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := runs.Evaluate(t.Context(), run, runs.EvalOptions{File: wide},
		r.Log); !strings.Contains(fmt.Sprint(err), "audio") {
		t.Errorf("error %v of other features", err)
	}
	if err := os.Remove(filepath.Join(run, "seed6", rundir.BestFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := runs.Evaluate(t.Context(), run, runs.EvalOptions{}, r.Log); !errors.Is(err,
		fs.ErrNotExist) {
		t.Errorf("error %v without a checkpoint", err)
	}
}

// TestFeaturesOfARun evaluates a run whose features were replaced and are gone: each must be given
// again, and is then read instead.
func TestFeaturesOfARun(t *testing.T) {
	original, err := os.ReadFile("../../datasets/testdata/protocol4.pkl")
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, original)
	text, audio, vision := write(t, original), write(t, original), write(t, original)
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, map[string]string{
		"dataset": "mosi", "data.file": file, "data.text": text, "data.audio": audio,
		"data.vision": vision, "data.limit": "2", "train.batch": "2"}), []uint64{5})
	if err := errors.Join(err, os.Remove(text), os.Remove(audio), os.Remove(vision)); err != nil {
		t.Fatal(err)
	}
	for gone, given := range map[string]datasets.Features{
		text: {Audio: file, Vision: file}, audio: {Language: file, Vision: file},
		vision: {Language: file, Audio: file}, "": {Language: file, Audio: file, Vision: file},
	} {
		_, err := runs.Evaluate(t.Context(), dir, runs.EvalOptions{Features: given}, r.Log)
		if (err == nil) != (gone == "") || !strings.Contains(fmt.Sprint(err), gone) {
			t.Errorf("%+v: error %v, want %q", given, err, gone)
		}
	}
}

// TestPredictWords has a model that reads the text, which predicts another value for another word.
func TestPredictWords(t *testing.T) {
	original, err := os.ReadFile("../../datasets/testdata/protocol4.pkl")
	if err != nil {
		t.Fatal(err)
	}
	set := settingstest.Small(t, "recap")
	maps.Copy(set, map[string]string{"dataset": "mosi", "data.file": write(t, original),
		"train.batch": "2", "train.epochs": "1"})
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, set), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	model := t.TempDir()
	if err := os.WriteFile(filepath.Join(model, "vocab.txt"),
		[]byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\nbad\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := runs.PredictText(dir, []string{"good", "bad", "good"}, model, "", r.Log)
	if err != nil || got.Score[0] == got.Score[1] || got.Score[0] != got.Score[2] {
		t.Errorf("%+v, %v, want two equal predictions and another", got, err)
	}
}

// TestMoveDataOfOneSeed gives one seed's directory, and a path relative to the working directory.
// The file is recorded for all seeds.
func TestMoveDataOfOneSeed(t *testing.T) {
	original, err := os.ReadFile("../../datasets/testdata/protocol4.pkl")
	if err != nil {
		t.Fatal(err)
	}
	r := runstest.NewRunner(t)
	units := plan(t, r, []settings.Config{settingstest.Resolved(t, map[string]string{
		"dataset": "mosi", "data.file": write(t, original)})}, 5, 6)
	moved := write(t, original)
	t.Chdir(filepath.Dir(moved))
	if err := r.MoveData(units[1].Dir, filepath.Base(moved)); err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		if c, err := rundir.Dir(u.Dir).Config(); err != nil || c.Data.File != moved {
			t.Errorf("%s: %s is recorded, want %s: %v", u.Dir, c.Data.File, moved, err)
		}
	}
	err = r.MoveData(units[0].Run(), "none.pkl")
	if !strings.Contains(fmt.Sprint(err), "none.pkl") {
		t.Errorf("error %v of no file", err)
	}
	if err := r.MoveData(t.TempDir(), moved); !strings.Contains(fmt.Sprint(err), "expected a run") {
		t.Errorf("error %v of no run", err)
	}
	best := rundir.Dir(units[0].Dir).File(rundir.BestFile)
	if err := os.WriteFile(best, []byte("no tensors"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.MoveData(units[0].Run(), moved); !strings.Contains(fmt.Sprint(err), best) {
		t.Errorf("error %v of a broken checkpoint", err)
	}
}
