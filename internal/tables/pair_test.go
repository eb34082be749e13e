package tables

import (
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// summaryOf returns the summary of a run that w wrote.
func (w *runWriter) summaryOf(path string) *Summary {
	w.t.Helper()
	s, err := Summarize(filepath.Join(w.out, filepath.FromSlash(path)))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// TestPair compares a run of two seeds with one of one seed whose MAE is worse, and whose
// correlation is not defined at rate 0, where all predictions are equal. All is worked out by hand.
func TestPair(t *testing.T) {
	w := &runWriter{t, t.TempDir(), []float32{-0.5, 0.5}}
	c := recapConfig(t, map[string]string{"dataset": "sims", "eval.rates": "0,0.5"})
	w.write("a", c, 5, map[float64]float32{0: 0.1, 0.5: 0.15})
	w.write("a", c, 6, map[float64]float32{0: 0.3, 0.5: 0.45})
	few := recapConfig(t, map[string]string{"dataset": "sims", "eval.rates": "0,0.5",
		"data.labels": "0.1"})
	w.write("b", few, 5, map[float64]float32{0: 2, 0.5: 0.5})
	a, b := w.summaryOf("sims/recap/a"), w.summaryOf("sims/recap/b")
	const one = "1.0000 ± 0.0000"
	row := func(rate, first, second, difference, better string) PairRow {
		return PairRow{rate, [2]string{first, second}, difference, better}
	}
	// Labels are −0.5 and 0.5. Predictions of the first run are −0.4 and 0.6, −0.35 and 0.65, those
	// of seed 6 −0.2 and 0.8, −0.05 and 0.95; those of the second run 1.5 and 2.5, which count as
	// 1, and 0 and 1.
	want := &Pair{Settings: [2]string{"seeds 5 6", "data.labels=0.1, seed 5"},
		Metrics: []PairMetric{
			{"Mult_acc_2", []PairRow{row("0", one, "0.5000", "-0.5000", "first"),
				row("0.5", one, "1.0000", "+0.0000", ""),
				row("mean", one, "0.7500", "-0.2500", "first")}},
			{"Mult_acc_3", []PairRow{row("0", one, "0.5000", "-0.5000", "first"),
				row("0.5", "0.7500 ± 0.2500", "0.5000", "-0.2500", "first"),
				row("mean", "0.8750 ± 0.1250", "0.5000", "-0.3750", "first")}},
			{"Mult_acc_5", []PairRow{row("0", "0.7500 ± 0.2500", "0.0000", "-0.7500", "first"),
				row("0.5", "0.5000 ± 0.5000", "0.0000", "-0.5000", "first"),
				row("mean", "0.6250 ± 0.3750", "0.0000", "-0.6250", "first")}},
			{"F1_score", []PairRow{row("0", one, "0.3333", "-0.6667", "first"),
				row("0.5", one, "1.0000", "+0.0000", ""),
				row("mean", one, "0.6667", "-0.3333", "first")}},
			{"MAE", []PairRow{row("0", "0.2000 ± 0.1000", "1.0000", "+0.8000", "first"),
				row("0.5", "0.3000 ± 0.1500", "0.5000", "+0.2000", "first"),
				row("mean", "0.2500 ± 0.1250", "0.7500", "+0.5000", "first")}},
			{"Corr", []PairRow{row("0", one, "NaN", "undefined", ""),
				row("0.5", one, "1.0000", "+0.0000", ""),
				row("mean", one, "NaN", "undefined", "")}},
		}}
	if diff := gocmp.Diff(want, NewPair(a, b)); diff != "" {
		t.Error(diff)
	}
	got := NewPair(b, a).Metrics[4].Rows[2]
	if want := row("mean", "0.7500", "0.2500 ± 0.1250", "-0.5000", "second"); got != want {
		t.Errorf("in the other order: %+v, want %+v", got, want)
	}
}

// TestPairOfOtherConditions compares runs that must not be compared: on the rates and metrics that
// both have, without a mean over the rates, and with warnings.
func TestPairOfOtherConditions(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	w.write("a", recapConfig(t, map[string]string{"eval.rates": "0,0.1,0.5"}), 5, smallOffsets)
	w.write("b", recapConfig(t, map[string]string{"dataset": "own", "eval.rates": "0,0.5,0.9",
		"eval.valid_rate": "0.3"}), 5, largeOffsets)
	w.write("c", recapConfig(t, map[string]string{"dataset": "sims", "eval.rates": "0,0.1,0.5"}), 5,
		smallOffsets)
	w.labels = []float32{1, 2, 0}
	w.write("d", recapConfig(t, map[string]string{"data.classes": "3",
		"eval.rates": "0,0.1,0.5"}), 5, nil)
	a := w.summaryOf("mosi/recap/a")
	for path, want := range map[string]struct{ warnings, metrics []string }{
		"mosi/recap/a": {nil, []string{"Has0_acc_2 0 0.1 0.5 mean", "Has0_F1_score 0 0.1 0.5 mean",
			"Non0_acc_2 0 0.1 0.5 mean", "Non0_F1_score 0 0.1 0.5 mean",
			"Mult_acc_5 0 0.1 0.5 mean", "Mult_acc_7 0 0.1 0.5 mean", "MAE 0 0.1 0.5 mean",
			"Corr 0 0.1 0.5 mean"}},
		"own/recap/b": {[]string{"data sets: mosi and own",
			"checkpoints: selected by validation MAE at rate 0.5 and selected by validation MAE " +
				"at rate 0.3", "missing rates: [0 0.1 0.5] and [0 0.5 0.9]"},
			[]string{"Has0_acc_2 0 0.5", "Has0_F1_score 0 0.5", "Non0_acc_2 0 0.5",
				"Non0_F1_score 0 0.5", "Mult_acc_5 0 0.5", "Mult_acc_7 0 0.5", "MAE 0 0.5",
				"Corr 0 0.5"}},
		"sims/recap/c": {[]string{"data sets: mosi and sims"},
			[]string{"Mult_acc_5 0 0.1 0.5 mean", "MAE 0 0.1 0.5 mean", "Corr 0 0.1 0.5 mean"}},
		"mosi/recap/d": {[]string{"checkpoints: selected by validation MAE at rate 0.5 and " +
			"selected by validation cross-entropy at rate 0.5", "classes: 0 and 3",
			"test splits: of 4 and 3 utterances, not the same ones"}, nil},
	} {
		p := NewPair(a, w.summaryOf(path))
		var metrics []string
		for _, m := range p.Metrics {
			for _, row := range m.Rows {
				m.Metric += " " + row.Rate
			}
			metrics = append(metrics, m.Metric)
		}
		if diff := gocmp.Diff(want.metrics, metrics); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if diff := gocmp.Diff(want.warnings, p.Warnings); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}
