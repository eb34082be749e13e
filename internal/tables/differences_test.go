package tables

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/significance"
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

// TestDifferences compares a model that is 0.2 worse everywhere, and one that is equal.
func TestDifferences(t *testing.T) {
	w := differencesRuns(t)
	list, _ := w.collect("")
	names, keys := []string{"recap", "w/o fid", "misa/full"}, []string{"MAE", "Corr"}
	all, err := CompareRows(list, names, keys)
	if err != nil || len(all) != 1 {
		t.Fatal(err, len(all))
	}
	table := all[0].Table(false)
	equal := []string{"+0.0000", "+0.0000", "+0.0000", "1.0000", "1.0000"}
	want := [][]string{ // p is 2/10001, and times 4 for the four lines
		{"w/o FID", "MAE", "0.2333", "0.4333", "+0.2000", "+0.2000", "+0.2000", "0.0002", "0.0008"},
		append([]string{"w/o FID", "Corr", "1.0000", "1.0000"}, equal...),
		append([]string{"MISA", "MAE", "0.2333", "0.2333"}, equal...),
		append([]string{"MISA", "Corr", "1.0000", "1.0000"}, equal...),
	}
	table.Rows[0][0], table.Rows[1][0] = shortName(table.Rows[0][0]), shortName(table.Rows[1][0])
	if diff := gocmp.Diff(want, table.Rows); diff != "" {
		t.Error(diff)
	}
	text := shortName(strings.ReplaceAll(table.Text(0), "\n", " "))
	for _, part := range []string{"Differences from RECAP of means over missing rates: mosi",
		"seeds 5 6. ", "10000 resamples of 2 seeds and of 4 utterances", "the 4 lines of",
		"2 seeds: where seeds differ more"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	rates := all[0].Table(true)
	if len(rates.Rows) != 2*2*4 || rates.Rows[1][2] != "0.5" || rates.Rows[1][5] != "+0.2000" ||
		rates.Rows[1][9] != "0.0032" { // for 16 lines
		t.Error(rates.Text(0))
	}
	lines := DifferencesCSV(all, false)
	if got := shortName(strings.Join(lines[1][:6], " ")); len(lines) != 5 ||
		len(lines[0]) != len(lines[1]) ||
		!strings.HasPrefix(got, "mosi w/o FID RECAP MAE mean 0.23333") ||
		!slices.Equal(lines[1][12:14], []string{"0,0.5,0.9", "4"}) ||
		!slices.Equal(lines[1][15:], []string{"5 6", "10000"}) {
		t.Error(lines)
	}
}

// shortName removes the settings that RECAP has and MISA has not.
func shortName(text string) string {
	return strings.ReplaceAll(text, " (train.epochs.stage1=2, train.epochs.stage2=3)", "")
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
		"misa,rates":       "missing rates: [0 0.5 0.9] and [0 0.5]; seeds: 5 6 and 5",
		"misa,no-mir":      "expected one of RECAP, w/o FID, w/o MIR, MISA, w/o LV",
		"misa,w/o MIR":     "found other seeds: 5 6 and 7",
		"misa,w/o LV":      "data sets: mosi and own",
		"recap,misa":       "recap/few (data.labels=0.1, ",
		"misa,recap/few":   "found other seeds: 5 6 and 5",
		"recap/full,misas": `found misas, did you mean "MISA"?`,
	} {
		_, err := CompareRows(list, strings.Split(names, ","), []string{"MAE"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", names, err, want)
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
	got := fmt.Sprint(rows[0][6:], rows[1][4:])
	if got != "[+0.2000 0.0400 0.0400] [– – – – –]" {
		t.Error(got)
	}
}
