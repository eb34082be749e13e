package tables

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// diffTables returns how a table differs from the one that is expected.
func diffTables(want, got *typeset.Table) string {
	return gocmp.Diff(want, got, cmpopts.IgnoreUnexported(typeset.Table{}))
}

// twoSeeds writes a run with seeds 5 and 6, off by 0.1 and 0.3 at rate 0, by 0.4 and 0.6 at rate
// 0.5, and with seed 7, which is not finished. It returns the directory of the run.
func twoSeeds(t *testing.T) (*runWriter, string) {
	t.Helper()
	w := &runWriter{t, t.TempDir(), fourLabels}
	c := recapConfig(t, map[string]string{"eval.rates": "0,0.5"})
	w.write("full", c, 5, map[float64]float32{0: 0.1, 0.5: 0.4})
	w.write("full", c, 6, map[float64]float32{0: 0.3, 0.5: 0.6})
	run := filepath.Join(w.out, "mosi", "recap", "full")
	if _, err := rundir.CreateSeeds(run, c, []uint64{7}); err != nil {
		t.Fatal(err)
	}
	return w, run
}

// TestSummaryOfARun compares everything that is said about a run with numbers worked out by hand.
// Labels are −2, −1, 1 and 2. Off by 0.6 three of them are in another of five classes, and all
// four in another of seven; otherwise only MAE is not 1.
func TestSummaryOfARun(t *testing.T) {
	_, run := twoSeeds(t)
	s, err := Summarize(run)
	if err != nil {
		t.Fatal(err)
	}
	s.Note = "a note"
	row := func(name, acc5, acc7, mae string) []string {
		const one = "1.0000 ± 0.0000"
		return []string{name, one, one, one, one, acc5, acc7, mae, one}
	}
	const one = "1.0000 ± 0.0000"
	rows := [][]string{row("0", one, one, "0.2000 ± 0.1000"),
		row("0.5", "0.6250 ± 0.3750", "0.5000 ± 0.5000", "0.5000 ± 0.1000"),
		row("mean", "0.8125 ± 0.1875", "0.7500 ± 0.2500", "0.3500 ± 0.1000")}
	keys := []string{"Has0_acc_2", "Has0_F1_score", "Non0_acc_2", "Non0_F1_score", "Mult_acc_5",
		"Mult_acc_7", "MAE", "Corr"}
	if diff := diffTables(&typeset.Table{Title: "mosi, recap, RECAP, seeds 5 6 (mean ± standard " +
		"deviation); selected by validation MAE at rate 0.5; a note; 2 of 3 seeds finished",
		Header: append([]string{"rate"}, keys...), LabelColumns: 1, Rows: rows, Rules: []int{2}},
		s.Table()); diff != "" {
		t.Error(diff)
	}
	metrics, cells := s.Cells()
	if diff := gocmp.Diff(keys, metrics); diff != "" {
		t.Error(diff)
	}
	// areas: half of the mean of the two rates
	const area = "0.5000 ± 0.0000"
	rows = append(rows, []string{"AUILC", area, area, area, area, "0.4062 ± 0.0938",
		"0.3750 ± 0.1250", "0.1750 ± 0.0500", area})
	if diff := gocmp.Diff(rows, cells); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([][]string{
		{"5", "1.0000", "1.0000", "1.0000", "1.0000", "1.0000", "1.0000", "0.2500", "1.0000"},
		{"6", "1.0000", "1.0000", "1.0000", "1.0000", "0.6250", "0.5000", "0.4500", "1.0000"},
	}, s.SeedCells()); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]HeadlineScore{{"MAE", 0.35, "0.3500 ± 0.1000"},
		{"Corr", 1, one}}, s.HeadlineScores(), cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Error(diff)
	}
	if err := s.Write(run); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(run, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := read(rundir.SummaryMarkdown); got != s.Table().Markdown() {
		t.Errorf("summary.md is\n%s", got)
	}
	lines := strings.Split(strings.TrimSpace(read(rundir.SummaryCSV)), "\n")
	if lines[0] != "dataset,model,variant,select,seed,rate,metric,value" || len(lines) != 1+12*11 {
		t.Errorf("%d lines of summary.csv; the first is %s", len(lines), lines[0])
	}
	for i, c := range []struct {
		seed, rate      string
		acc5, acc7, mae float64
	}{
		{"5", "0", 1, 1, 0.1}, {"5", "0.5", 1, 1, 0.4}, {"5", "mean", 1, 1, 0.25},
		{"6", "0", 1, 1, 0.3}, {"6", "0.5", 0.25, 0, 0.6}, {"6", "mean", 0.625, 0.5, 0.45},
		{"mean", "0", 1, 1, 0.2}, {"std", "0", 0, 0, 0.1},
		{"mean", "0.5", 0.625, 0.5, 0.5}, {"std", "0.5", 0.375, 0.5, 0.1},
		{"mean", "mean", 0.8125, 0.75, 0.35}, {"std", "mean", 0.1875, 0.25, 0.1},
	} {
		one := 1.
		if c.seed == "std" {
			one = 0
		}
		values := []float64{one, one, one, one, c.acc5, c.acc7, c.mae, one, one, one, 0}
		for j, key := range append(keys, "Has0_F1_swapped", "Non0_F1_swapped", "NaN_predictions") {
			line, start := lines[1+11*i+j], "mosi,recap,full,valid,"+c.seed+","+c.rate+","+key+","
			value, ok := strings.CutPrefix(line, start)
			if v, err := strconv.ParseFloat(value, 64); !ok || err != nil ||
				math.Abs(v-values[j]) > 1e-6 {
				t.Errorf("line %d of summary.csv is %s, want %s%g", 2+11*i+j, line, start,
					values[j])
			}
		}
	}
}

// TestSummaryOfOneSeed has no deviations. Of the two finished seeds one is chosen; the one that is
// not finished is not among the chosen ones.
func TestSummaryOfOneSeed(t *testing.T) {
	_, run := twoSeeds(t)
	s, err := SummarizeSeeds(run, []uint64{6})
	if err != nil {
		t.Fatal(err)
	}
	const title = "mosi, recap, RECAP, seed 6; selected by validation MAE at rate 0.5"
	want := [][]string{
		{"0", "1.0000", "1.0000", "1.0000", "1.0000", "1.0000", "1.0000", "0.3000", "1.0000"},
		{"0.5", "1.0000", "1.0000", "1.0000", "1.0000", "0.2500", "0.0000", "0.6000", "1.0000"},
		{"mean", "1.0000", "1.0000", "1.0000", "1.0000", "0.6250", "0.5000", "0.4500", "1.0000"},
	}
	if table := s.Table(); table.Title != title || gocmp.Diff(want, table.Rows) != "" {
		t.Errorf("%s, want %s: %s", table.Title, title, gocmp.Diff(want, table.Rows))
	}
	if s, err = SummarizeSeeds(run, []uint64{5, 7}); err != nil || len(s.Seeds) != 1 ||
		s.Progress() != "1 of 2 seeds finished" {
		t.Errorf("%v, %v", s, err)
	}
}

// TestSummaryOfClasses has class i for the i-th of four utterances, modulo 3. The prediction is
// the next class where the offset is 1.
func TestSummaryOfClasses(t *testing.T) {
	w := &runWriter{t, t.TempDir(), []float32{0, 1, 2, 0}}
	c := recapConfig(t, map[string]string{"data.classes": "3", "eval.rates": "0,0.5"})
	w.write("full", c, 5, map[float64]float32{0.5: 1})
	s, err := Summarize(filepath.Join(w.out, "mosi", "recap", "full"))
	if err != nil {
		t.Fatal(err)
	}
	// At rate 0.5 the classes 0, 1, 2, 0 are predicted as 1, 2, 3, 1, none of which is right.
	want := &typeset.Table{Title: "mosi, recap, RECAP, seed 5; selected by validation " +
		"cross-entropy at rate 0.5", Header: []string{"rate", "Acc_3", "F1_score_3"},
		LabelColumns: 1, Rules: []int{2}, Rows: [][]string{{"0", "1.0000", "1.0000"},
			{"0.5", "0.0000", "0.0000"}, {"mean", "0.5000", "0.5000"}}}
	if diff := diffTables(want, s.Table()); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]string{"Acc_3", "F1_score_3"}, s.AllKeys()); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]HeadlineScore{{"Acc_3", 0.5, "0.5000"}, {"F1_score_3", 0.5, "0.5000"}},
		s.HeadlineScores()); diff != "" {
		t.Error(diff)
	}
	s.AddBaseline([]float32{-1, 2, 0.6}) // classes 0, 2 and 2; one of four is right
	const text = "The constant predictor always answers the most frequent class of the training " +
		"labels, 2; a useful model is better."
	if got := s.explainBaseline(); got != text || s.baseline("Acc_3") != "0.2500" {
		t.Errorf("%s; accuracy %s", got, s.baseline("Acc_3"))
	}
	for _, c := range []struct {
		id    string
		label []float32 // of classes 0, 1, 2 and 0, or not
		want  bool
	}{{"u0", []float32{-0.9, 0.4, 3, -2}, true}, {"u0", []float32{-0.9, 0.6, 3, -2}, false},
		{"u9", []float32{-0.9, 0.4, 3, -2}, false}} {
		label := slices.Clone(c.label)
		if s.TestedOn(5, []string{c.id, "u1", "u2", "u3"}, label) != c.want {
			t.Errorf("tested on %s and labels %g: not %v", c.id, c.label, c.want)
		}
		if !slices.Equal(label, c.label) {
			t.Errorf("the labels are changed to %g", label)
		}
	}
}

// TestSummarizeErrors has runs of which no seed is finished, or of which a file is damaged.
func TestSummarizeErrors(t *testing.T) {
	_, run := twoSeeds(t)
	nowhere := filepath.Join(run, "nowhere")
	if _, err := Summarize(nowhere); err == nil ||
		!strings.HasPrefix(err.Error(), "rundir: run: open "+nowhere) {
		t.Errorf("no run: %v", err)
	}
	want := "rundir: " + run + ": expected a finished run, found an unfinished one; continue it " +
		"with recap train --resume " + run
	if _, err := SummarizeSeeds(run, []uint64{7}); err == nil || err.Error() != want {
		t.Errorf("an unfinished seed: %v, want %s", err, want)
	}
	d := rundir.Dir(filepath.Join(run, "seed6"))
	for _, name := range []string{rundir.PredictionsFile, rundir.ConfigFile} {
		if err := os.WriteFile(d.File(name), []byte("x: ["), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Summarize(run); err == nil || s != nil ||
			!strings.Contains(err.Error(), d.File(name)) {
			t.Errorf("%s is damaged: %v", name, err)
		}
	}
	first := rundir.Dir(filepath.Join(run, "seed5")).File(rundir.BestFile)
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	if s, err := Summarize(run); err == nil || s != nil || !strings.Contains(err.Error(), first) {
		t.Errorf("without a checkpoint: %v", err)
	}
}

// TestAddTested is the summary of predictions that are not in files.
func TestAddTested(t *testing.T) {
	c := recapConfig(t, map[string]string{"dataset": "sims"})
	var s Summary
	for _, seed := range []uint64{3, 4} {
		c.Seed = seed
		var tested []*results.Predictions
		for _, rate := range []float64{0, 0.5} {
			tested = append(tested, &results.Predictions{Rate: rate, ID: []string{"a", "b"},
				Label: []float32{0, 1}, Score: []float32{float32(rate), float32(seed) / 8}})
		}
		s.AddTested(&c, metric.SIMS, [][]*results.Predictions{tested})
	}
	// |rate − 0| and 1 − seed/8, halved
	want := [][]string{{"0", "0.2812 ± 0.0312"}, {"0.5", "0.5312 ± 0.0312"},
		{"mean", "0.4062 ± 0.0312"}}
	keys, rows := s.Cells()
	i := 1 + slices.Index(keys, "MAE")
	for j, row := range want {
		if got := []string{rows[j][0], rows[j][i]}; !slices.Equal(got, row) {
			t.Errorf("MAE %q, want %q", got, row)
		}
	}
	if s.Config.Dataset != "sims" || s.Kind != metric.SIMS ||
		!slices.Equal(s.Seeds, []uint64{3, 4}) || s.utterances() != "2" {
		t.Errorf("%+v", s)
	}
}

// TestCheckSameTest compares runs on data of one name and of two, with the same utterances and
// with others.
func TestCheckSameTest(t *testing.T) {
	four := &runWriter{t, t.TempDir(), fourLabels}
	four.write("a", recapConfig(t, nil), 5, smallOffsets)
	four.write("b", recapConfig(t, nil), 5, largeOffsets)
	two := &runWriter{t, four.out, fourLabels[:2]}
	two.write("c", recapConfig(t, nil), 5, smallOffsets)
	two.write("c", recapConfig(t, map[string]string{"dataset": "own"}), 5, smallOffsets)
	read := func(path string) *Summary {
		s, err := Summarize(filepath.Join(four.out, path))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := read("mosi/recap/a")
	const other = "tables: y: expected the test split of x, 4 utterances, found another of 2; " +
		"compare runs with the same data, data.limit and data.resplit, and with a seed in common " +
		"if that is seed"
	for path, want := range map[string]string{"mosi/recap/b": "", "mosi/recap/c": other,
		"own/recap/c": ""} {
		got := ""
		if err := CheckSameTest("x", a, "y", read(path)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
