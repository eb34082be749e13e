package runs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// write writes a file of features in a new directory and returns its path.
func write(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "features.pkl")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOtherData resumes and evaluates a run whose feature file has changed, is gone, and has moved.
func TestOtherData(t *testing.T) {
	original, err := os.ReadFile("../../datasets/testdata/protocol4.pkl")
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(original, []byte("train$_$2"), []byte("train$_$7"))
	file := write(t, original)
	c := settingstest.Resolved(t, map[string]string{"dataset": "mosi", "data.file": file,
		"data.limit": "2", "train.batch": "2"})
	r := runstest.NewRunner(t)
	dir, _, err := runstest.TrainUntil(r, c, 3)
	if !errors.As(err, new(*train.Interrupted)) {
		t.Fatal(err)
	}
	refused := func(what string, err error, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %v, want %q", what, err, part)
			}
		}
	}
	if err := os.WriteFile(file, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Resume(t.Context(), dir)
	refused("changed", err, rundir.StateFile, "3, 2, 2 utterances", "the numbers are the same",
		"--data FILE")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Resume(t.Context(), dir)
	refused("gone", err, file, "recap train --resume DIR --data FILE")

	refused("moved, changed", r.MoveData(dir, write(t, changed)), "the numbers are the same")
	if recorded, err := rundir.Dir(filepath.Join(dir, "seed5")).Config(); err != nil ||
		recorded.Data.File != file {
		t.Error("a refused file was recorded", err)
	}
	moved := write(t, original)
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	if err := r.MoveData(dir, moved); err != nil {
		t.Fatal(err)
	}
	if want := "msg=data run=" + dir + " file=" + moved + "\n"; !strings.HasSuffix(
		log.String(), want) {
		t.Errorf("log %q, want %q", &log, want)
	}
	if _, _, err := r.Resume(t.Context(), dir); err != nil {
		t.Fatal(err)
	}

	evaluate := func() string {
		t.Helper()
		log.Reset()
		s, err := runs.Evaluate(t.Context(), dir, runs.EvalOptions{},
			slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		known := !strings.Contains(log.String(), "changed") // the labels that it learned from
		if text := s.Text(0); strings.Contains(text, "constant predictor") != known {
			t.Errorf("the constant predictor:\n%s\n%s", text, &log)
		}
		return log.String()
	}
	if got := evaluate(); strings.Contains(got, "changed") {
		t.Error(got)
	}
	if err := os.WriteFile(moved, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := evaluate(); !strings.Contains(got, `msg="the data have changed`) ||
		strings.Count(got, "3, 2, 2") != 2 {
		t.Errorf("no warning: %s", got)
	}
	_, _, err = r.Resume(t.Context(), dir)
	refused("finished, changed", err, "the numbers are the same")
	c.Data.File, c.Name = moved, "full"
	_, _, err = r.Train(t.Context(), c, []uint64{6})
	refused("another seed, changed", err, "the numbers are the same")
}

// TestResumeOfAListedSeed resumes a run whose second seed was listed, but has no directory since
// the process was killed. Then nothing is left to do, and nothing is written.
func TestResumeOfAListedSeed(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "seeds.txt"), []byte("5\n6\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, s, err := r.Resume(t.Context(), dir)
	if err != nil || len(s.Seeds) != 2 || s.Seeds[1] != 6 {
		t.Fatal(s, err)
	}
	summary := filepath.Join(dir, rundir.SummaryCSV)
	before, err := os.Stat(summary)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Resume(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(summary); err != nil || !os.SameFile(before, after) {
		t.Error("the summary of a finished run was written again", err)
	}
}

// TestMoveOfAnUnknownRun moves the data of a run that does not say from which they come.
func TestMoveOfAnUnknownRun(t *testing.T) {
	original, err := os.ReadFile("../../datasets/testdata/protocol4.pkl")
	if err != nil {
		t.Fatal(err)
	}
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, map[string]string{
		"dataset": "mosi", "data.file": write(t, original)}), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	d := rundir.Dir(filepath.Join(dir, "seed5"))
	if err := os.Remove(d.File(rundir.BestFile)); err != nil {
		t.Fatal(err)
	}
	asVersion01(t, d)
	if err := r.MoveData(dir, write(t, original)); err == nil ||
		!strings.Contains(err.Error(), "put the file back at") {
		t.Errorf("error %v", err)
	}
}

// TestErrorsBeforeADirectory has settings that are refused before anything is written.
func TestErrorsBeforeADirectory(t *testing.T) {
	small := settingstest.Resolved(t, nil)
	for _, w := range []struct {
		set  map[string]string
		want string
	}{
		{map[string]string{"device": "cuda:99"}, "runs: "},
		{map[string]string{"dataset": "mosi", "data.file": "none.pkl"}, "none.pkl"},
		{map[string]string{"model": "recap", "width": "1000000"}, "parameters"},
	} {
		c := settingstest.Resolved(t, w.set)
		r := runstest.NewRunner(t)
		_, _, trained := r.Train(t.Context(), c, []uint64{5})
		_, ablated := r.Ablate(t.Context(), []settings.Config{c}, []uint64{5}, nil)
		errs := map[string]error{"train": trained, "ablate": ablated}
		if w.set["model"] != "" {
			_, errs["second"] = r.Ablate(t.Context(), []settings.Config{small, c}, []uint64{5}, nil)
		}
		for what, err := range errs {
			if !strings.Contains(fmt.Sprint(err), w.want) {
				t.Errorf("%s: error %v, want %s", what, err, w.want)
			}
		}
		if _, err := os.Stat(r.Out); err == nil {
			t.Errorf("%s: a directory was made", w.want)
		}
		if w.set["data.file"] != "" {
			continue // refused by Plan
		}
		unit := plan(t, r, []settings.Config{c}, 5)[0]
		if err := r.TrainUnit(t.Context(), unit.Dir); !strings.Contains(fmt.Sprint(err), w.want) {
			t.Errorf("unit: error %v, want %s", err, w.want)
		}
	}
}

// TestErrorsOfARun has directories that are not a run, and seeds that are damaged.
func TestErrorsOfARun(t *testing.T) {
	r := runstest.NewRunner(t)
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	if line := `msg="training toy on synthetic" seeds="5 6" preset=quick device=cpu`; strings.Count(
		log.String(), line) != 1 {
		t.Errorf("log %s, want %s", &log, line)
	}
	log.Reset()
	if _, _, err := r.Resume(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, seed := range []string{"seed5", "seed6"} {
		if line := `msg="finished already" run=` + filepath.Join(dir, seed); strings.Count(
			log.String(), line) != 1 {
			t.Errorf("log %s, want %s", &log, line)
		}
	}
	refused := func(what, path, want string) {
		t.Helper()
		_, _, err := r.Resume(t.Context(), path)
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: error %v, want %s", what, err, want)
		}
	}
	refused("no run", r.Out, "expected a run, with directories such as seed1111")
	predictions := filepath.Join(dir, "seed5", rundir.PredictionsFile)
	scores, err := os.ReadFile(predictions)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(predictions, []byte("nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused("broken predictions", dir, predictions)
	if err := os.WriteFile(predictions, scores, 0o644); err != nil {
		t.Fatal(err)
	}
	best := rundir.Dir(filepath.Join(dir, "seed6")).File(rundir.BestFile)
	good, err := os.ReadFile(best)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(best, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused("a damaged checkpoint", dir, best)
	seed5 := rundir.Dir(filepath.Join(dir, "seed5"))
	if err := os.Remove(seed5.File(rundir.PredictionsFile)); err != nil {
		t.Fatal(err)
	}
	refused("a damaged checkpoint of another seed", string(seed5), best)
	config := filepath.Join(dir, "seed6", rundir.ConfigFile)
	if err := errors.Join(os.WriteFile(best, good, 0o644),
		os.WriteFile(config, []byte("model: [\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	refused("a broken configuration", dir, config)
	if err := r.TrainUnit(t.Context(), filepath.Join(dir, "seed6")); !strings.Contains(
		fmt.Sprint(err), config) {
		t.Errorf("unit: error %v, want %s", err, config)
	}
	if err := r.TrainUnit(t.Context(), dir); !strings.Contains(fmt.Sprint(err),
		"found no config.yaml") {
		t.Errorf("unit: error %v of a run", err)
	}
	refused("a broken configuration of one seed", filepath.Join(dir, "seed6"), config)
	unit := []runs.Unit{{Dir: filepath.Join(dir, "seed6")}}
	if err := runs.Repair(unit); !strings.Contains(fmt.Sprint(err), config) {
		t.Errorf("repair: error %v, want %s", err, config)
	}
}

// TestStopAfterAnEpoch stops a training in its first epoch, which is completed.
func TestStopAfterAnEpoch(t *testing.T) {
	r := runstest.NewRunner(t)
	stop := make(chan struct{})
	r.Stop = stop
	stopOnce := sync.OnceFunc(func() { close(stop) })
	runstest.OnStep(r, func(runs.Progress) { stopOnce() })
	dir, _, err := r.Train(t.Context(), settingstest.Resolved(t, nil), []uint64{5})
	records, e := rundir.Dir(filepath.Join(dir, "seed5")).Records()
	if !errors.As(err, new(*train.Interrupted)) || e != nil || len(records) != 1 {
		t.Errorf("error %v after %d epochs, %v; want it after one", err, len(records), e)
	}
}

// TestUnfinished refuses to test and to predict with a seed that is not finished.
func TestUnfinished(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := runstest.TrainUntil(r, settingstest.Resolved(t, nil), 13) // has a checkpoint
	if !errors.As(err, new(*train.Interrupted)) ||
		!rundir.Dir(filepath.Join(dir, "seed5")).Has(rundir.BestFile) {
		t.Fatal(err)
	}
	_, evaluated := runs.Evaluate(t.Context(), dir, runs.EvalOptions{}, r.Log)
	_, predicted := runs.Predict(dir, "none.pkl", "", r.Log)
	for what, err := range map[string]error{"eval": evaluated, "predict": predicted} {
		if err == nil || !strings.Contains(err.Error(), "recap train --resume "+dir) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

// TestWarningBeforeTraining trains, resumes and ablates a model on data of which it warns. Each
// time the warning is once in the log, before anything is trained.
func TestWarningBeforeTraining(t *testing.T) {
	original, err := os.ReadFile("../../datasets/testdata/protocol4.pkl")
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, bytes.ReplaceAll(original, []byte("vision"), []byte("absent")))
	set, err := datasets.Open(file)
	if err != nil || len(set.Warnings) == 0 {
		t.Fatal(set, err)
	}
	c := settingstest.Resolved(t, map[string]string{"dataset": "mosi", "data.file": file,
		"data.limit": "2", "train.batch": "2", "train.epochs": "1"})
	r := runstest.NewRunner(t)
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	check := func(what string, err error) {
		t.Helper()
		text := log.String()
		log.Reset()
		const warning = `level=WARN msg="vision: one frame in each utterance, a toy" model=toy`
		if before, after, found := strings.Cut(text, warning); err != nil || !found ||
			strings.Contains(before, "msg=training") || !strings.Contains(after, "seed5") ||
			strings.Contains(after, warning) {
			t.Errorf("%s: %v\n%s", what, err, text)
		}
		for _, w := range set.Warnings {
			line := fmt.Sprintf("level=WARN msg=%q file=%s\n", w, file)
			if strings.Count(text, line) != 1 {
				t.Errorf("%s: %s\nwant once %s", what, text, line)
			}
		}
	}
	dir, _, err := runstest.TrainUntil(r, c, 3)
	if !errors.As(err, new(*train.Interrupted)) {
		t.Fatal(err)
	}
	check("train", nil)
	_, _, err = r.Resume(t.Context(), dir)
	check("resume", err)
	r.Out = t.TempDir()
	_, err = r.Ablate(t.Context(), []settings.Config{c, c}, []uint64{5, 6}, nil)
	check("ablate", err)
}

// TestConstantPredictor tabulates a run whose data are there, gone and changed.
func TestConstantPredictor(t *testing.T) {
	r := runstest.NewRunner(t)
	_, file := fromFile(t, r)
	original, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(original, []byte("test$_$"), []byte("text$_$"))
	for _, c := range []struct {
		text []byte
		want string // why there is no constant predictor
	}{
		{original, ""},
		{changed, fmt.Sprintf("runs: data set mosi %s: expected the test split of the runs, found "+
			"another; give the run its data with recap train --resume DIR --data FILE", file)},
		{nil, file + ": no such file or directory"},
	} {
		if err := errors.Join(os.Remove(file), os.WriteFile(file, c.text, 0o644)); err != nil {
			t.Fatal(err)
		}
		if c.text == nil {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		var log bytes.Buffer
		to := slog.New(slog.NewTextHandler(&log, nil))
		summaries, err := tables.Collect(r.Out, "", to)
		if err != nil {
			t.Fatal(err)
		}
		all := tables.Compare(summaries)
		runs.AddBaselines(all, to)
		rows := all[0].Means([]string{"MAE"}).Rows
		if (len(rows) == 2) != (c.want == "") || len(rows) == 0 {
			t.Errorf("rows %v, want the constant predictor only where the data are there", rows)
		}
		const warning = `level=WARN msg="a table has no constant predictor, since the data are ` +
			`not available" reason=`
		if strings.Contains(log.String(), warning) != (c.want != "") ||
			!strings.Contains(log.String(), c.want) {
			t.Errorf("log %s, want %s", &log, c.want)
		}
	}
}

// TestSplitsOfEachSeed trains two seeds with splits of their own, which are those of data.resplit=5
// and 6, and resumes, evaluates, ablates and tabulates them.
func TestSplitsOfEachSeed(t *testing.T) {
	configure := func(resplit string) settings.Config {
		return settingstest.Resolved(t, map[string]string{"data.resplit": resplit})
	}
	r := runstest.NewRunner(t)
	dir, summary, err := r.Train(t.Context(), configure("seed"), []uint64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	want := runstest.Contents(t, dir)
	var constant []string
	for _, seed := range []uint64{5, 6} {
		number := strconv.FormatUint(seed, 10)
		alone := runstest.NewRunner(t)
		fixed, s, err := alone.Train(t.Context(), configure(number), []uint64{seed})
		if err != nil {
			t.Fatal(err)
		}
		name := "/seed" + number + "/" + rundir.PredictionsFile
		if got := runstest.Contents(t, fixed)[name]; got == "" || got != want[name] {
			t.Errorf("seed %d: other predictions than with data.resplit=%d", seed, seed)
		}
		constant = append(constant, constantLine(s))
	}
	if constant[0] == constant[1] {
		t.Error("the constant predictor has the same scores for both seeds")
	}

	killed := runstest.NewRunner(t)
	steps, resuming := 0, false
	ctx, cancel := context.WithCancel(t.Context())
	runstest.OnStep(killed, func(p runs.Progress) {
		if resuming && (p.Number != 1 || p.Count != 1) {
			t.Errorf("resumed as seed %d of %d, want the only one", p.Number, p.Count)
		}
		if p.Number == 2 {
			if steps++; steps == 9 {
				cancel()
			}
		}
	})
	half, _, err := killed.Train(ctx, configure("seed"), []uint64{5, 6})
	if !errors.As(err, new(*train.Interrupted)) {
		t.Fatal(err)
	}
	resuming = true
	_, resumed, err := killed.Resume(t.Context(), half)
	if err != nil {
		t.Fatal(err)
	}
	runstest.SameFiles(t, "resumed", runstest.Contents(t, half), want)
	evaluated, err := runs.Evaluate(t.Context(), dir, runs.EvalOptions{}, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.Ablate(t.Context(), []settings.Config{configure("seed")}, []uint64{5, 6},
		[]zoo.Modality{zoo.Vision}) // which the toy does not use
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]*tables.Summary{"resumed": resumed, "evaluated": evaluated,
		"without vision": all[0]} {
		s.Note = ""
		if got, want := s.Text(0), summary.Text(0); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
	}
	var log bytes.Buffer
	summaries, err := tables.Collect(r.Out, "", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	list := tables.Compare(summaries)
	runs.AddBaselines(list, slog.New(slog.NewTextHandler(&log, nil)))
	mae := list[0].Means([]string{"MAE"}).Rows[1][1]
	if line := constantLine(summary); !strings.Contains(line, " "+mae+" ") || log.Len() > 0 {
		t.Errorf("the constant predictor has %s, want that of %s; log %s", mae, line, &log)
	}
}

// constantLine returns the scores of the constant predictor.
func constantLine(s *tables.Summary) string {
	_, after, _ := strings.Cut(s.Text(0), "constant predictor")
	line, _, _ := strings.Cut(after, "\n")
	return line
}
