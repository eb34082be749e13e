package experiment

import (
	"bytes"
	"context"
	"encoding/csv"
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

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// summaryOf reads summary.csv: values by "seed rate metric".
func summaryOf(t *testing.T, dir string) map[string]float64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, summaryCSV))
	if err != nil {
		t.Fatal(err)
	}
	return summaryOfText(t, text)
}

func summaryOfText(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || strings.Join(rows[0], ",") != "dataset,model,variant,select,seed,rate,metric,value" {
		t.Fatal(rows[0], err)
	}
	values := map[string]float64{}
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[7], 64)
		if err != nil || !slices.Equal(row[:4], []string{"synthetic", "toy", "full", "valid"}) {
			t.Fatal(row, err)
		}
		values[strings.Join(row[4:7], " ")] = v
	}
	if len(values) != len(rows)-1 {
		t.Error("summary.csv has a line twice")
	}
	return values
}

func TestSummary(t *testing.T) {
	r := newTestRunner(t)
	dir, s, err := r.Train(context.Background(), resolved(t, nil), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	v := summaryOf(t, dir)
	mae := func(seed, rate string) float64 { return v[seed+" "+rate+" MAE"] }
	if want := (2 + 2) * (2 + 1) * 11; len(v) != want { // seeds, mean, std; rates, mean; metrics
		t.Errorf("%d lines, want %d", len(v), want)
	}
	for what, pair := range map[string][2]float64{
		"mean over rates":               {mae("5", "mean"), (mae("5", "0") + mae("5", "0.5")) / 2},
		"mean over seeds":               {mae("mean", "0"), (mae("5", "0") + mae("6", "0")) / 2},
		"deviation over seeds":          {mae("std", "0"), math.Abs(mae("5", "0")-mae("6", "0")) / 2},
		"mean over both":                {mae("mean", "mean"), (mae("5", "mean") + mae("6", "mean")) / 2},
		"deviation of means over rates": {mae("std", "mean"), math.Abs(mae("5", "mean")-mae("6", "mean")) / 2},
		"as a value":                    {mae("mean", "mean"), s.Mean()["MAE"]},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 || mae("5", "0") == mae("6", "0") {
			t.Errorf("%s: %g, want %g", what, pair[0], pair[1])
		}
	}
	table := s.Table().Render()
	for _, part := range []string{"seeds 5 6", "selected by validation MAE at rate 0.5", fmt.Sprintf("%.4f ± %.4f", mae("mean", "0.5"), mae("std", "0.5"))} {
		if !strings.Contains(table, part) {
			t.Errorf("the table does not say %q:\n%s", part, table)
		}
	}

	again, err := Evaluate(context.Background(), dir, EvalOptions{}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.runs, again.runs); diff != "" {
		t.Error("evaluated anew, the run scores otherwise:", diff)
	}
	dropped, err := Evaluate(context.Background(), dir, EvalOptions{Rates: "0.2", Drop: []zoo.Modality{zoo.Audio}}, r.Log)
	if err != nil || len(dropped.Rates) != 1 || !strings.Contains(dropped.title(), "without audio") {
		t.Fatal(dropped, err)
	}
	if c := dropped.Mean()["Corr"]; !math.IsNaN(c) { // the toy hears only
		t.Errorf("without audio the toy still has a correlation of %g", c)
	}
}

// TestPlaces checks which directory a run is given.
func TestPlaces(t *testing.T) {
	r := newTestRunner(t)
	train := func(set map[string]string, seeds ...uint64) string {
		t.Helper()
		dir, _, err := r.Train(context.Background(), resolved(t, set), seeds)
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
		{nil, 5, "full"}, {nil, 6, "full"}, {nil, 5, "full-2"}, {map[string]string{"train.batch": "20"}, 7, "full-3"}, {nil, 7, "full"},
		{map[string]string{"variant": "no-mir"}, 5, "no-mir"}, {map[string]string{"name": "mine"}, 5, "mine"},
	} {
		if got := train(c.set, c.seed); got != c.want {
			t.Errorf("%v, seed %d: run %s, want %s", c.set, c.seed, got, c.want)
		}
	}
	if got := train(map[string]string{"name": "mine"}, 5); !strings.Contains(got, "expected a free directory, found seed 5") {
		t.Errorf("a named run was overwritten: %s", got)
	}
	if got := train(map[string]string{"name": "mine", "train.batch": "20"}, 6); !strings.Contains(got, "expected a run of the same configuration") {
		t.Errorf("two configurations in one run: %s", got)
	}
}

func TestAblateUsesFinishedRuns(t *testing.T) {
	r := newTestRunner(t)
	var trained []string
	r.Step = func(seed uint64, phase string, done, _ int) {
		if phase == "stage1" && done == 1 {
			trained = append(trained, fmt.Sprint(seed))
		}
	}
	if _, _, err := r.Train(context.Background(), resolved(t, nil), []uint64{5}); err != nil {
		t.Fatal(err)
	}
	variants := []Config{resolved(t, nil), resolved(t, map[string]string{"variant": "no-fid"})}
	for range 2 {
		all, err := r.Ablate(context.Background(), variants, []uint64{5, 6}, nil)
		if err != nil {
			t.Fatal(err)
		}
		table := AblationTable(all).Text()
		if !strings.Contains(table, "w/o FID") || !strings.Contains(table, "missing rates 0,0.5") || len(all[0].Seeds) != 2 {
			t.Error(table)
		}
	}
	if want := []string{"5", "6", "5", "6"}; !slices.Equal(trained, want) {
		t.Errorf("trained seeds %v, want %v", trained, want)
	}
}

// TestSelection checks that each checkpoint is of the epoch that the journal shows to be the best.
func TestSelection(t *testing.T) {
	for _, how := range []string{SelectValid, SelectTest} {
		r := newTestRunner(t)
		c := resolved(t, map[string]string{"select": how, "train.epochs.stage2": "6", "train.lr": "0.3"})
		dir, s, err := r.Train(context.Background(), c, []uint64{5})
		if err != nil {
			t.Fatal(err)
		}
		d := runDir(filepath.Join(dir, "seed5"))
		j, err := openJournal(d.file(journalFile), "stage2", 6)
		if err != nil {
			t.Fatal(err)
		}
		best := map[string]numbers{}
		for _, choice := range choices(&c, metric.MOSI) {
			file, err := os.ReadFile(d.file(choice.of(bestFile)))
			if err != nil {
				t.Fatal(err)
			}
			epoch := epochOf(t, file)
			best[choice.key] = j.find("stage2", epoch).Test
			for _, other := range j.records[2:] {
				if choice.better(choice.score(&other), choice.score(j.find("stage2", epoch))) {
					t.Errorf("%s, %s: epoch %d was chosen, epoch %d is better", how, choice.key, epoch, other.Epoch)
				}
			}
		}
		if how == SelectValid {
			if len(best) != 1 || !strings.Contains(s.title(), "validation MAE") {
				t.Errorf("%d checkpoints; %s", len(best), s.title())
			}
			continue
		}
		if len(best) != 5 || !strings.Contains(s.title(), "on TEST at rate 0.5: optimistic") {
			t.Errorf("%d checkpoints, want those of Has0, Non0, 5 and 7 classes and MAE; %s", len(best), s.title())
		}
		for key, by := range map[string]string{"MAE": "MAE", "Corr": "MAE", "Has0_F1_score": "Has0_acc_2", "Non0_F1_score": "Non0_acc_2", "Mult_acc_7": "Mult_acc_7"} {
			if got, want := s.runs[0][1][key], best[by][key]; got != want { // both at rate 0.5
				t.Errorf("%s is %g, want the %g of the epoch with the best %s", key, got, want, by)
			}
		}
	}
}

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
	r := newTestRunner(t)
	dir, s, err := r.Train(context.Background(), resolved(t, map[string]string{"data.classes": "3", "train.epochs.stage2": "5"}), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	if acc := s.runs[0][0]["Acc_3"]; !(acc > 0.4) || !strings.Contains(s.Table().Render(), "Acc_3") {
		t.Errorf("accuracy %g of 3 classes\n%s", acc, s.Table().Render())
	}
	j, err := openJournal(filepath.Join(dir, "seed5", journalFile), "stage2", 5)
	if err != nil || !(j.records[6].Valid[lossKey] > 0) {
		t.Error("no validation loss", err)
	}
}

func TestPredict(t *testing.T) {
	r := newTestRunner(t)
	c := resolved(t, nil)
	dir, _, err := r.Train(context.Background(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	set, err := openData(&c)
	if err != nil {
		t.Fatal(err)
	}
	s := set.Test
	row, tokens := s.Audio.D, int(s.Language.Mask[0])
	u := map[string]any{"id": "mine", "text_bert": [][]int{{101, 99999, 102}, {1, 1, 1}, {0, 0, 0}}, "vision": [][]float32{make([]float32, s.Vision.D)}}
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
	p, err := Predict(dir, file, "", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "seed5", predictionsFile)
	known, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := readCSV(path, known)
	if err != nil {
		t.Fatal(err)
	}
	if p.Score[0] != all[0].Score[0] || p.Label != nil || len(p.Weight) != 1 {
		t.Errorf("predicted %v for what the test gave %v", p, all[0].Score[0])
	}
	if warning := log.String(); strings.Count(warning, "[UNK]") != 1 || !strings.Contains(warning, "tokens=1 ") {
		t.Errorf("warning %q", warning)
	}
}

// TestLabelledShare checks that only the labelled share of the training part is used where labels
// are.
func TestLabelledShare(t *testing.T) {
	r := newTestRunner(t)
	steps := map[string]int{}
	r.Step = func(_ uint64, phase string, _, _ int) { steps[phase]++ }
	if _, _, err := r.Train(context.Background(), resolved(t, map[string]string{"data.labels": "0.1"}), []uint64{5}); err != nil {
		t.Fatal(err)
	}
	if steps["stage1"] != 2*3 || steps["stage2"] != 3*1 {
		t.Errorf("steps %v, want 6 of stage1, on 40 utterances, and 3 of stage2, on 4", steps)
	}
}

func TestMasks(t *testing.T) {
	tr := newTrainer(t, nil)
	draw := func(phase string, epoch int) any {
		rates, masks := tr.masks(tr.set.Train, phase, epoch)
		return []any{rates, masks}
	}
	first := draw("stage1", 1)
	if !cmp.Equal(first, draw("stage1", 1)) || cmp.Equal(first, draw("stage1", 2)) || cmp.Equal(first, draw("stage2", 1)) {
		t.Error("masks are not a function of phase and epoch")
	}
	tr.config.Data.Resample = "static"
	static := draw("stage1", 1)
	tr.config.Seed++
	if !cmp.Equal(static, draw("stage2", 2)) {
		t.Error("static masks depend on epoch or seed")
	}
}

// TestSteadyStep checks that a step of the loop allocates small objects only, no data.
func TestSteadyStep(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates too")
	}
	tr := newTrainer(t, nil)
	set, ph := tr.set, tr.model.Phases()[0]
	opt := tr.optimizer(ph)
	index := datasets.Order(set.Train.Len(), 16, 0, nil)[0]
	rates := datasets.FixedRates(set.Train.Len(), 0)
	grads := ag.Grads{}
	step := func() {
		tr.tape.Reset()
		clear(grads)
		tr.feed.Fill(set.Train, index, nil)
		tr.differentiate(ph, grads, zoo.Total(tr.tape, ph.Terms(tr.tape, tr.feed.Batch(tr.tape, &rates, 1))))
		tr.update(ph, opt, grads)
	}
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			step()
		}
	})
	data := int64(4 * 16 * (set.Train.Language.T + set.Train.Audio.T*set.Train.Audio.D)) // what one input of the batch takes
	if n := result.AllocedBytesPerOp(); n > data/2 {
		t.Errorf("a step allocates %d bytes, an input takes %d", n, data)
	}
}

// TestBrokenPredictions expects the line in which a truncated file breaks off.
func TestBrokenPredictions(t *testing.T) {
	text := strings.Join(predictionColumns, ",") + "\na,0,1,1.5,,,\nb,0,1,1."
	_, err := readCSV("predictions.csv", []byte(text))
	if want := "predictions.csv: line 3: expected a row of 7 cells, found wrong number of fields"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}
