package runs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

func TestSummary(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, s, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	v := runstest.SummaryScores(t, dir)
	mae := func(seed, rate string) float64 { return v[seed+" "+rate+" MAE"] }
	if want := (2 + 2) * (2 + 1) * 11; len(v) != want { // seeds, mean, std; rates, mean; metrics
		t.Errorf("%d lines, want %d", len(v), want)
	}
	for what, pair := range map[string][2]float64{
		"mean over rates": {mae("5", "mean"), (mae("5", "0") + mae("5", "0.5")) / 2},
		"mean over seeds": {mae("mean", "0"), (mae("5", "0") + mae("6", "0")) / 2},
		"deviation over seeds": {mae("std", "0"),
			math.Abs(mae("5", "0")-mae("6", "0")) / 2},
		"mean over both": {mae("mean", "mean"),
			(mae("5", "mean") + mae("6", "mean")) / 2},
		"deviation of means over rates": {mae("std", "mean"),
			math.Abs(mae("5", "mean")-mae("6", "mean")) / 2},
		"as a value": {mae("mean", "mean"), s.Find("mean", "mean")["MAE"]},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 || mae("5", "0") == mae("6", "0") {
			t.Errorf("%s: %g, want %g", what, pair[0], pair[1])
		}
	}
	table := s.Table().Text(0)
	for _, part := range []string{"seeds 5 6", "selected by validation MAE at rate 0.5",
		fmt.Sprintf("%.4f ± %.4f", mae("mean", "0.5"), mae("std", "0.5"))} {
		if !strings.Contains(table, part) {
			t.Errorf("the table does not contain %q:\n%s", part, table)
		}
	}

	again, err := runs.Evaluate(context.Background(), dir, runs.EvalOptions{}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, rate := range []string{"0", "0.5"} {
		for _, seed := range []string{"5", "6"} {
			if diff := cmp.Diff(s.Find(seed, rate), again.Find(seed, rate)); diff != "" {
				t.Errorf("evaluated again, seed %s has other scores at rate %s: %s", seed, rate,
					diff)
			}
		}
	}
	if text := again.Text(0); text != s.Text(0) || !strings.Contains(text, "constant predictor") {
		t.Errorf("tested again\n%s\nafter training\n%s", text, s.Text(0))
	}
	dropped, err := runs.Evaluate(context.Background(),
		dir, runs.EvalOptions{Rates: "0.2", Drop: []zoo.Modality{zoo.Audio}}, r.Log)
	if err != nil || len(dropped.Rates) != 1 ||
		!strings.Contains(dropped.Table().Markdown(), "without audio") {
		t.Fatal(dropped, err)
	}
	if c := dropped.Find("mean", "mean")["Corr"]; !math.IsNaN(c) { // the toy uses audio only
		t.Errorf("without audio the toy has a correlation of %g, want NaN", c)
	}
}

// TestPlaces checks the choice of run directories.
func TestPlaces(t *testing.T) {
	r := runstest.NewRunner(t)
	train := func(set map[string]string, seeds ...uint64) string {
		t.Helper()
		dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, set), seeds)
		if err != nil {
			return err.Error()
		}
		return filepath.Base(dir)
	}
	for _, c := range []struct {
		set  map[string]string
		seed uint64
		want string
	}{
		{nil, 5, "full"}, {nil, 6, "full"}, {nil, 5,
			"full-2"}, {map[string]string{"train.batch": "20"}, 7, "full-3"}, {nil, 7, "full"},
		{map[string]string{"variant": "no-dropout"},
			5, "no-dropout"}, {map[string]string{"name": "mine"}, 5, "mine"},
	} {
		if got := train(c.set, c.seed); got != c.want {
			t.Errorf("%v, seed %d: run %s, want %s", c.set, c.seed, got, c.want)
		}
	}
	if got := train(map[string]string{"name": "mine"}, 5); !strings.Contains(got,
		"expected a directory without this seed, found seed 5") {
		t.Errorf("a named run was overwritten: %s", got)
	}
	if got := train(map[string]string{"name": "mine", "train.batch": "20"},
		6); !strings.Contains(got, "expected a run of the same configuration") {
		t.Errorf("two configurations in one run: %s", got)
	}
}

func TestAblateUsesFinishedRuns(t *testing.T) {
	r := runstest.NewRunner(t)
	var trained []string
	runstest.OnStep(r, func(p runs.Progress) {
		if p.Phase == "stage1" && p.Step == 1 {
			trained = append(trained, fmt.Sprintf("%s %d/%d", filepath.Base(string(p.Dir)),
				p.Number, p.Count))
		}
	})
	if _, _, err := r.Train(context.Background(), settingstest.Resolved(t, nil),
		[]uint64{5}); err != nil {
		t.Fatal(err)
	}
	variants := []settings.Config{settingstest.Resolved(t, nil),
		settingstest.Resolved(t, map[string]string{"variant": "no-dropout"})}
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	for range 2 {
		log.Reset()
		all, err := r.Ablate(context.Background(), variants, []uint64{5, 6}, nil)
		if err != nil {
			t.Fatal(err)
		}
		table := tables.AblationTable(all).Text(0)
		if !strings.Contains(table, "w/o dropout") ||
			!strings.Contains(table, "missing rates 0,0.5") || len(all[0].Seeds) != 2 {
			t.Error(table)
		}
		if line := `msg="training 2 variants of toy" seeds="5 6"`; strings.Count(log.String(),
			line) != 1 {
			t.Errorf("log %s, want %s", &log, line)
		}
	}
	want := []string{"seed5 1/1", "seed6 1/3", "seed5 2/3", "seed6 3/3"}
	if !slices.Equal(trained, want) {
		t.Errorf("trained seeds %v, want %v", trained, want)
	}
}

// TestSelection checks that each checkpoint is of the best epoch in the journal, the first of
// equals.
func TestSelection(t *testing.T) {
	classes := map[string]string{"best-Has0_acc_2.safetensors": "Has0_acc_2",
		"best-Non0_acc_2.safetensors": "Non0_acc_2", "best-Mult_acc_5.safetensors": "Mult_acc_5",
		"best-Mult_acc_7.safetensors": "Mult_acc_7"}
	for _, how := range []string{settings.SelectValid, settings.SelectTest} {
		r := runstest.NewRunner(t)
		c := settingstest.Resolved(t,
			map[string]string{"select": how, "train.epochs.stage2": "6", "train.lr": "0.3"})
		dir, s, err := r.Train(context.Background(), c, []uint64{5})
		if err != nil {
			t.Fatal(err)
		}
		journal := readJournal(t, filepath.Join(dir, "seed5", "metrics.jsonl"))[2:]
		if len(journal) != 6 || journal[0].Phase != "stage2" {
			t.Fatalf("%d epochs of %s", len(journal), journal[0].Phase)
		}
		files, title := runstest.Glob(t, filepath.Join(dir, "seed5"), "best*.safetensors"),
			s.Table().Markdown()
		best := map[string]map[string]any{}
		for _, path := range files {
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			key, sign := classes[filepath.Base(path)], 1.
			if key == "" {
				key, sign = "MAE", -1
			}
			want, highest := 0, math.Inf(-1)
			for i, line := range journal {
				score := line.Valid[key].(float64)
				if how == settings.SelectTest {
					rounded := fmt.Sprintf("%.4f", line.Test[key])
					if score, err = strconv.ParseFloat(rounded, 64); err != nil {
						t.Fatal(err)
					}
				}
				if sign*score > highest {
					want, highest = i+1, sign*score
				}
			}
			if epoch := epochOf(t, file); epoch != want {
				t.Errorf("%s, %s: epoch %d was selected, epoch %d is better", how, path, epoch,
					want)
			}
			best[key] = journal[want-1].Test
		}
		if how == settings.SelectValid {
			if len(files) != 1 || !strings.Contains(title, "validation MAE") {
				t.Errorf("checkpoints %v; %s", files, title)
			}
			continue
		}
		if len(best) != 5 || len(files) != 5 ||
			!strings.Contains(title, "on TEST at rate 0.5: optimistic") {
			t.Errorf("checkpoints %v, want those of Has0, Non0, 5 and 7 classes and MAE; %s",
				files, title)
		}
		for key, by := range map[string]string{"MAE": "MAE", "Corr": "MAE",
			"Has0_F1_score": "Has0_acc_2", "Non0_F1_score": "Non0_acc_2",
			"Mult_acc_7": "Mult_acc_7"} {
			if got, want := s.Find("5", "0.5")[key], best[by][key]; got != want {
				t.Errorf("%s is %g, want the %g of the epoch with the best %s", key, got, want, by)
			}
		}
	}
}

// A journalLine is what a line of metrics.jsonl has for the selection.
type journalLine struct {
	Phase       string
	Valid, Test map[string]any
}

func readJournal(t *testing.T, path string) (lines []journalLine) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for text := range bytes.Lines(file) {
		var line journalLine
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// epochOf returns the epoch in the metadata of a safetensors file.
func epochOf(t *testing.T, file []byte) int {
	t.Helper()
	var header map[string]json.RawMessage
	end := 8 + int(file[0]) + int(file[1])<<8 + int(file[2])<<16
	var meta map[string]string
	if err := json.Unmarshal(file[8:end], &header); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(header["__metadata__"], &meta); err != nil {
		t.Fatal(err)
	}
	epoch, err := strconv.Atoi(meta["epoch"])
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func TestClasses(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, s, err := r.Train(context.Background(),
		settingstest.Resolved(t,
			map[string]string{"data.classes": "3", "train.epochs.stage2": "5"}), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	if acc := s.Find("5", "0")["Acc_3"]; !(acc > 0.4) ||
		!strings.Contains(s.Table().Text(0), "Acc_3") {
		t.Errorf("accuracy %g of 3 classes\n%s", acc, s.Table().Text(0))
	}
	j, err := rundir.OpenJournal(filepath.Join(dir, "seed5", rundir.JournalFile), "stage2", 5)
	if err != nil || !(j.Records[6].Valid[rundir.LossKey] > 0) {
		t.Error("no validation loss", err)
	}
}

func TestPredict(t *testing.T) {
	r := runstest.NewRunner(t)
	c := settingstest.Resolved(t, nil)
	dir, _, err := r.Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	set, err := train.OpenData(&c)
	if err != nil {
		t.Fatal(err)
	}
	s := set.Test
	row, tokens := s.Audio.D, int(s.Language.Mask[0])
	u := map[string]any{"id": "mine",
		"text_bert": [][]int{{101, 99999, 102}, {1, 1, 1}, {0, 0, 0}},
		"vision":    [][]float32{make([]float32, s.Vision.D)}}
	var audio [][]float32
	for i := range s.Audio.Len[0] {
		audio = append(audio, s.Audio.X[i*row:][:row])
	}
	u["audio"] = audio
	text, err := json.Marshal([]any{u})
	if err != nil || tokens == 0 {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "mine.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	p, err := runs.Predict(dir, file, "", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	tested, err := results.Read(rundir.Dir(filepath.Join(dir, "seed5")), &c, metric.MOSI)
	if err != nil {
		t.Fatal(err)
	}
	if p.Score[0] != tested[0][0].Score[0] || p.Label != nil || len(p.Weight) != 1 {
		t.Errorf("prediction %v, want the %v of the test", p, tested[0][0].Score[0])
	}
	for _, want := range []string{"are read as [UNK]\" tokens=1 of=3 ",
		"text of unknown words alone, [UNK]\" utterances=1 of=1 first=mine"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("warnings %q, want %q", log.String(), want)
		}
	}
}

// TestMissingIsDropped compares the prediction for an utterance without audio, which alone the toy
// uses, with that for the same utterance when its audio is dropped.
func TestMissingIsDropped(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	dir, _, err := runstest.NewRunner(t).Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	set, err := train.OpenData(&c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := train.OpenPredictor(rundir.Dir(filepath.Join(dir, "seed5")), &c)
	if err != nil {
		t.Fatal(err)
	}
	first := set.Test.Subset([]int{0})
	whole := p.Predict(first, 0, nil).Score[0]
	want := p.Predict(first, 0, []zoo.Modality{zoo.Audio}).Score[0]
	file := filepath.Join(t.TempDir(), "mine.json")
	text := `{"id": "mine", "text_bert": [[101, 102], [1, 1], [0, 0]], "audio": []}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	got, err := runs.Predict(dir, file, "", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || got.Score[0] != want || want == whole {
		t.Errorf("%v, %v, want %v, which is %v with audio", got, err, want, whole)
	}
	for _, note := range []string{"predicted without audio", "predicted without vision",
		"text without words"} {
		if !strings.Contains(log.String(), note) {
			t.Errorf("%s, want %s", log.String(), note)
		}
	}
}

// TestLabelledFraction checks that a phase which needs labels trains on the labelled fraction of
// the training split only.
// TestScoresOfTheValidationSplit tests a model on its validation split, and the same model on its
// test split.
func TestScoresOfTheValidationSplit(t *testing.T) {
	r := runstest.NewRunner(t)
	mae := map[string]float64{}
	for _, split := range []string{"valid", "test"} {
		c := settingstest.Resolved(t, map[string]string{"eval.split": split})
		dir, s, err := r.Train(context.Background(), c, []uint64{5})
		if err != nil {
			t.Fatal(err)
		}
		mae[split] = s.Find("5", "0.5")["MAE"]
		if split == "valid" {
			rows, err := rundir.Dir(filepath.Join(dir, "seed5")).Records()
			if err != nil {
				t.Fatal(err)
			}
			best := math.Inf(1)
			for _, row := range rows {
				if v, ok := row.Valid["MAE"]; ok {
					best = min(best, v)
				}
			}
			if math.Abs(mae[split]-best) > 1e-6 {
				t.Errorf("MAE %g at rate 0.5, want %g, of the best validation", mae[split], best)
			}
		}
		const caption = "TESTED on the validation split"
		if found := strings.Contains(s.Table().Text(0), caption); found != (split == "valid") {
			t.Errorf("eval.split=%s: the caption has %q: %t", split, caption, found)
		}
	}
	if mae["valid"] == mae["test"] {
		t.Error("the same scores on both splits")
	}
}

func TestLabelledFraction(t *testing.T) {
	r := runstest.NewRunner(t)
	steps := map[string]int{}
	runstest.OnStep(r, func(p runs.Progress) { steps[p.Phase]++ })
	c := settingstest.Resolved(t, map[string]string{"data.labels": "0.1"})
	dir, s, err := r.Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	if steps["stage1"] != 2*3 || steps["stage2"] != 3*1 {
		t.Errorf("steps %v, want 6 of stage1, on 40 utterances, and 3 of stage2, on 4", steps)
	}
	// the constant predictor knows no other labels
	set, err := train.OpenData(&c)
	if err != nil {
		t.Fatal(err)
	}
	constant := func(labels []float32) string {
		s, err := tables.Summarize(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.AddBaseline(labels)
		return constantLine(s)
	}
	want := constant(set.Train.Fraction(0.1, 5).Label)
	evaluated, err := runs.Evaluate(context.Background(), dir, runs.EvalOptions{}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	tested, err := tables.Summarize(dir)
	if err != nil {
		t.Fatal(err)
	}
	compared := tables.Compare([]*tables.Summary{tested})
	runs.AddBaselines(compared, r.Log)
	rows := compared[0].Means([]string{"MAE"}).Rows
	if got := constantLine(s); got != want || constantLine(evaluated) != want ||
		want == constant(set.Train.Label) || len(rows) != 2 ||
		!strings.Contains(want, " "+rows[1][len(rows[1])-1]+" ") {
		t.Errorf("constant predictor %s, %s and %v, want %s", got, constantLine(evaluated), rows,
			want)
	}
}
