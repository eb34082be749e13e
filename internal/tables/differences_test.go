package tables

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/significance"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// differencesRuns writes three models with seeds 5 and 6 and two rates. Predictions are off by the
// same number everywhere, so that each resample has the same MAE.
func differencesRuns(t *testing.T) *runWriter {
	w := &runWriter{t, t.TempDir(), fourLabels}
	for _, seed := range []uint64{5, 6} {
		w.write("full", recapConfig(t, nil), seed, smallOffsets)
		w.write("no-fid", recapConfig(t, map[string]string{"variant": "no-fid"}), seed,
			largeOffsets)
		w.write("full", recapConfig(t, map[string]string{"model": "misa"}), seed, smallOffsets)
	}
	return w
}

// TestDifferences compares a model that is 0.2 worse everywhere, and one that is equal. p is
// 2/10001, and times 4 for the four lines, 16 with each rate.
func TestDifferences(t *testing.T) {
	w := differencesRuns(t)
	list, _ := w.collect("")
	list[0].rows[0].programs = []string{"v1", "v2"}
	keys := []string{"MAE", "Mult_acc_3", "Corr"} // the second is one of CH-SIMS
	all, err := CompareRows(list, []string{"recap", "w/o fid", "misa/full"}, keys)
	if err != nil || len(all) != 1 || keys[1] != "Mult_acc_3" {
		t.Fatal(err, len(all), keys)
	}
	const recap, noFID = "RECAP (" + epochs + ")", "w/o FID (" + epochs + ")"
	conditions := ": " + conditionsText + "0,0.5,0.9" + settingsText + ", seeds 5 6."
	notes := func(lines string) []string {
		return []string{"Trained by several versions of recap, which may round differently: v1, " +
			"v2, one that is not recorded.",
			"Intervals and p: percentile bootstrap (Efron and Tibshirani 1993) with 10000 " +
				"resamples of 2 seeds and of 4 utterances, the same ones for both models. p " +
				"(Holm): corrected for the " + lines + " lines of this table (Holm 1979).",
			"2 seeds: " + fewSeeds}
	}
	want := &typeset.Table{Caption: "Differences from " + recap + " of means over missing rates" +
		conditions, Header: []string{"model", "metric", "RECAP", "model's", "difference",
		"95% from", "to", "p", "p (Holm)"}, LabelColumns: 2, Rules: []int{2}, Notes: notes("4"),
		Important: []string{"difference", "p (Holm)", "95% from", "to"}}
	equal := []string{"+0.0000", "+0.0000", "+0.0000", "1.0000", "1.0000"}
	want.Rows = [][]string{
		{noFID, "MAE", "0.2333", "0.4333", "+0.2000", "+0.2000", "+0.2000", "0.0002", "0.0008"},
		append([]string{noFID, "Corr", "1.0000", "1.0000"}, equal...),
		append([]string{"MISA", "MAE", "0.2333", "0.2333"}, equal...),
		append([]string{"MISA", "Corr", "1.0000", "1.0000"}, equal...),
	}
	if diff := diffTables(want, all[0].Table(false)); diff != "" {
		t.Error(diff)
	}
	want.Caption = "Differences from " + recap + " at each missing rate" + conditions
	want.Header, want.LabelColumns = slices.Insert(want.Header, 2, "rate"), 3
	want.Rules, want.Notes, want.Rows = []int{4, 8, 12}, notes("16"), nil
	rates := []string{"0", "0.5", "0.9", "mean"}
	means := map[string][]string{"RECAP": {"0.1000", "0.2000", "0.4000", "0.2333"},
		noFID: {"0.3000", "0.4000", "0.6000", "0.4333"}}
	means["MISA"] = means["RECAP"]
	for _, model := range []string{noFID, "MISA"} {
		for _, key := range keys[:1] {
			for r, rate := range rates {
				row := []string{model, key, rate, means["RECAP"][r], means[model][r]}
				if model != noFID {
					row = append(row, equal...)
				} else {
					row = append(row, "+0.2000", "+0.2000", "+0.2000", "0.0002", "0.0032")
				}
				want.Rows = append(want.Rows, row)
			}
		}
		for _, rate := range rates {
			want.Rows = append(want.Rows,
				append([]string{model, "Corr", rate, "1.0000", "1.0000"}, equal...))
		}
	}
	got := all[0].Table(true)
	for _, row := range got.Rows {
		for i, cell := range row {
			row[i] = strings.Replace(cell, "-0.0000", "+0.0000", 1) // a rounding error of Corr
		}
	}
	if diff := diffTables(want, got); diff != "" {
		t.Error(diff)
	}
	lines := DifferencesCSV(all, false)
	for i, want := range []string{
		"Dataset,Model,Compared_with,Metric,Rate,Compared_with_mean,Model_mean,Difference,Low_95," +
			"High_95,p,p_Holm,Rates,Utterances,Selection,Seeds,Resamples",
		"mosi," + noFID + "," + recap + ",MAE,mean,0.2333,0.4333,0.2000,0.2000,0.2000,0.0002," +
			"0.0008,0,0.5,0.9,4,selected by validation MAE at rate 0.5,5 6,10000",
		"mosi," + noFID + "," + recap + ",Corr,mean,1.0000,1.0000,0.0000,0.0000,0.0000,1.0000," +
			"1.0000,0,0.5,0.9,4,selected by validation MAE at rate 0.5,5 6,10000",
	} {
		for j, cell := range lines[i] {
			if v, err := strconv.ParseFloat(cell, 64); err == nil && 5 <= j && j < 12 {
				lines[i][j] = fmt.Sprintf("%.4f", v)
			}
		}
		if got := strings.Join(lines[i], ","); got != want {
			t.Errorf("line %d: %s, want %s", i, got, want)
		}
	}
	if byRate := DifferencesCSV(all, true); len(lines) != 1+4 || len(byRate) != 1+16 ||
		byRate[2][4] != "0.5" {
		t.Errorf("%d and %d lines", len(lines), len(byRate))
	}
}

// epochs are the settings that RECAP has and MISA has not.
const epochs = "train.epochs.stage1=2, train.epochs.stage2=3"

const fewSeeds = "where seeds differ more than utterances, the intervals are too narrow and p " +
	"too small; those for 95% contain the true difference in about 50% of the cases with 2 " +
	"seeds, 75% with 3, 84% with 5, 90% with 10."

// TestNotesOfFewSeeds says how much one seed and a few tell, and nothing of ten.
func TestNotesOfFewSeeds(t *testing.T) {
	for n, want := range map[int][]string{
		1: {"One seed: another seed may give another result; intervals and p only tell about " +
			"other utterances. Train at least five."},
		2: {"2 seeds: " + fewSeeds}, 9: {"9 seeds: " + fewSeeds}, 10: nil,
	} {
		s := &Summary{Config: recapConfig(t, nil), Seeds: make([]uint64, n)}
		d := &Differences{Comparison: &Comparison{rows: []*Summary{s}}, utterances: 7}
		want = append([]string{fmt.Sprintf("Intervals and p: percentile bootstrap (Efron and "+
			"Tibshirani 1993) with 10000 resamples of %d seeds and of 7 utterances, the same ones "+
			"for both models. p (Holm): corrected for the 3 lines of this table (Holm 1979).", n)},
			want...)
		if diff := gocmp.Diff(want, d.notes(3)); diff != "" {
			t.Errorf("%d seeds: %s", n, diff)
		}
	}
}

// TestDifferencesAgree checks that differences are those of the means in the other tables.
func TestDifferencesAgree(t *testing.T) {
	w := &runWriter{t, t.TempDir(), []float32{-2.6, -1, 0, 0.4, 1, 2, 2.2}}
	for i, name := range []string{"full", "no-fid"} {
		for _, seed := range []uint64{5, 6, 7} {
			w.write(name, recapConfig(t, map[string]string{"variant": name}), seed,
				map[float64]float32{0: 0.1 * float32(seed-5), 0.5: -0.3 * float32(i+1),
					0.9: 0.7*float32(i) - 0.2*float32(seed-6)})
		}
	}
	list, _ := w.collect("")
	keys := list[0].Keys(true)
	all, err := CompareRows(list, []string{"RECAP", "w/o FID"}, keys)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(all[0].keys, keys) || len(keys) != 11 {
		t.Errorf("metrics %q of %q", all[0].keys, keys)
	}
	for _, l := range all[0].lines(true) {
		want := l.means[1] - l.means[0]
		if math.Abs(l.Mean-want) > 1e-12 || l.Low > l.Mean+1e-12 || l.High < l.Mean-1e-12 {
			t.Errorf("%s at %s: %+v, want %g", l.key, l.rate, l.Difference, want)
		}
	}
}

// TestNotComparable checks that runs are refused with what differs.
func TestNotComparable(t *testing.T) {
	w := differencesRuns(t)
	w.write("rates", recapConfig(t, map[string]string{"eval.rates": "0,0.5"}), 5, smallOffsets)
	w.write("seeds", recapConfig(t, map[string]string{"variant": "no-mir"}), 7, smallOffsets)
	w.write("few", recapConfig(t, map[string]string{"data.labels": "0.1"}), 5, smallOffsets)
	w.write("other", recapConfig(t, map[string]string{"dataset": "own", "variant": "no-lv"}), 5,
		smallOffsets)
	w.write("full", recapConfig(t, map[string]string{"dataset": "third", "model": "misa"}), 5,
		smallOffsets)
	list, _ := w.collect("")
	for names, want := range map[string]string{
		"misa,rates": "tables: compare: expected MISA and RECAP with the same data, missing " +
			"rates, seeds and selection, found other missing rates: [0 0.5 0.9] and [0 0.5]; " +
			"seeds: 5 6 and 5; train or test them alike, or choose with -d",
		"misa,recap/full,rates": "expected MISA and RECAP with the same data, missing rates, " +
			"seeds and selection, found other missing rates: [0 0.5 0.9] and [0 0.5];",
		"nobody,misa":  "or the name of a run, found nobody",
		"misa,no-mir":  "expected one of RECAP, w/o FID, w/o MIR, MISA, w/o LV",
		"misa,w/o MIR": "found other seeds: 5 6 and 7",
		"misa,w/o LV":  "data sets: mosi and own",
		"recap,misa": "tables: compare: recap: expected the name of one row, found 2: recap/few " +
			"(data.labels=0.1, " + epochs + ", seed 5), recap/full (" + epochs + ", seeds 5 6); " +
			"name one as MODEL/RUN",
		"misa,recap/few":   "found other seeds: 5 6 and 5",
		"recap/full,misas": `found misas, did you mean "MISA"?`,
	} {
		_, err := CompareRows(list, strings.Split(names, ","), []string{"MAE"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", names, err, want)
		}
	}
}

// TestOtherPredictions has files that were changed after their scores were read: one is missing,
// one has another label at one of the rates.
func TestOtherPredictions(t *testing.T) {
	w := differencesRuns(t)
	list, _ := w.collect("")
	d := rundir.Dir(filepath.Join(w.out, "mosi", "misa", "full", "seed6"))
	path := d.File(rundir.PredictionsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "u3,0.9,2,", "u3,0.9,2.5,", 1)
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "tables: compare: " + string(d) + ": expected the same 4 utterances at every rate " +
		"and in every seed, found others; train the seed again"
	compare := func() error {
		_, err := CompareRows(list, []string{"no-fid", "misa"}, []string{"MAE"})
		return err
	}
	if err := compare(); err == nil || err.Error() != want {
		t.Errorf("another label: %v, want %s", err, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := compare(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is missing: %v", err)
	}
}

// TestTrainedScores compares the scores of a resample that has each utterance once with those of
// all utterances: each metric at each rate, and as the mean over the rates.
func TestTrainedScores(t *testing.T) {
	w := &runWriter{t, t.TempDir(), []float32{-2.6, -1, 0, 0.4, 1, 2, 2.2}}
	w.write("full", recapConfig(t, nil), 5, map[float64]float32{0: 0.1, 0.5: -1.3, 0.9: 0.7})
	s := w.summaryOf("mosi/recap/full")
	keys := s.AllKeys()
	trained, err := s.trained(0, keys, &numbering{map[string]int{}})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float64, 4*len(keys))
	trained([]float64{1, 1, 1, 1, 1, 1, 1}, got)
	for k, key := range keys {
		for r, rate := range []string{"0", "0.5", "0.9", "mean"} {
			if want := s.Find("5", rate)[key]; !(math.Abs(got[4*k+r]-want) < 1e-12) {
				t.Errorf("%s at %s: %g, want %g", key, rate, got[4*k+r], want)
			}
		}
	}
}

// TestUndefinedDifference checks that cells without a value are dashes and no tests.
func TestUndefinedDifference(t *testing.T) {
	nan := math.NaN()
	w := differencesRuns(t)
	list, _ := w.collect("")
	all, err := CompareRows(list, []string{"recap", "misa"}, []string{"MAE", "Corr"})
	if err != nil {
		t.Fatal(err)
	}
	all[0].values[0][0*4+3] = significance.Difference{Mean: 0.1, Low: 0, High: 0.2, P: 0.04}
	all[0].values[0][1*4+3] = significance.Difference{Mean: nan, Low: nan, High: nan, P: nan}
	rows := all[0].Table(false).Rows
	got := fmt.Sprint(rows[0][4:], rows[1][4:])
	if got != "[+0.1000 +0.0000 +0.2000 0.0400 0.0400] [– – – – –]" {
		t.Error(got)
	}
	line := DifferencesCSV(all, false)[2]
	if got := strings.Join(line[7:12], " "); got != "nan nan nan nan nan" {
		t.Errorf("cells of CSV without a value: %s", got)
	}
}
