package tables

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// finalSummary has three seeds at two rates; the labels of the test split are 1, -2, 0 and 3.
func finalSummary(t *testing.T, kind metric.Kind) *Summary {
	t.Helper()
	c, err := settings.Resolve(settings.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	c.Dataset = "synthetic"
	s := &Summary{Config: c, Kind: kind, Seeds: []uint64{1, 2, 3}, Rates: []float64{0, 0.5},
		labels: slices.Repeat([][]float32{{1, -2, 0, 3}}, 3)}
	for range s.Seeds {
		scores := metric.Compute(kind, []float32{1, -1, 1, 2}, s.labels[0])
		s.perSeed = append(s.perSeed, []metric.Scores{scores, scores})
		s.AddBaseline([]float32{-1, 0, 2, 1})
	}
	return s
}

// TestTextFits checks that the table fits every width, and that nothing is lost in a pipe.
func TestTextFits(t *testing.T) {
	for _, kind := range []metric.Kind{metric.MOSI, metric.SIMS} {
		s := finalSummary(t, kind)
		for width := 50; width <= 200; width++ {
			text := s.Text(width)
			for line := range strings.SplitSeq(text, "\n") {
				if utf8.RuneCountInString(line) > width {
					t.Fatalf("%d columns:\n%s", width, text)
				}
			}
		}
		for width, want := range map[int]int{0: len(s.Keys()), 200: len(s.Keys()), 80: 3, 60: 2} {
			text := s.Text(width)
			shown := 0
			for _, key := range s.Keys() {
				if strings.Contains(text, key+" │") {
					shown++
				}
			}
			if shown != want || !strings.Contains(text, "MAE │            Corr │") &&
				kind == metric.MOSI {
				t.Errorf("%d columns: %d metrics, want %d with MAE and Corr:\n%s", width, shown,
					want, text)
			}
			if strings.Contains(text, "\nIn a wider terminal also: ") != (want < len(s.Keys())) {
				t.Errorf("%d columns: it does not say that columns are missing:\n%s", width, text)
			}
		}
		narrow := s.Text(50)
		for _, key := range s.Keys() {
			if !strings.Contains(narrow, "│ "+key+" ") {
				t.Errorf("50 columns: no row %s:\n%s", key, narrow)
			}
		}
	}
}

// TestConstantPredictor compares its row with scores computed by hand: it always answers 0.5.
func TestConstantPredictor(t *testing.T) {
	s := finalSummary(t, metric.MOSI)
	text := s.Text(0)
	mae := (0.5 + 2.5 + 0.5 + 2.5) / 4
	if math.Abs(s.baselines[0].Scores["MAE"]-mae) > 1e-6 {
		t.Errorf("MAE %v, want %v", s.baselines[0].Scores, mae)
	}
	for _, want := range []string{"│ constant predictor │          0.7500 │", // all but -2
		"│          1.5000 │               – │", "the mean of the training labels, 0.5;",
		"Columns: Has0_acc_2: accuracy of negative or not; "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q:\n%s", want, text)
		}
	}
	s.baselines = nil
	if text := s.Text(0) + s.Text(50); strings.Contains(text, "constant") {
		t.Errorf("without training labels:\n%s", text)
	}
}

// TestTransposed is the table of a narrow terminal: a row for each metric. Predictions are 1, −1, 1
// and 2, labels 1, −2, 0 and 3, the constant is 0.5.
func TestTransposed(t *testing.T) {
	s := finalSummary(t, metric.MOSI)
	s.Note = "a note"
	want := &typeset.Table{Title: "synthetic, recap, RECAP, seeds 1 2 3 (mean ± standard " +
		"deviation); selected by validation MAE at rate 0.5; a note", LabelColumns: 1,
		Header: []string{"metric", "mean", "constant"}, Rows: [][]string{
			{"Has0_acc_2", "1.0000 ± 0.0000", "0.7500"},
			{"Has0_F1_score", "1.0000 ± 0.0000", "0.6429"}, // 3·(2·3/(2·3+1))/4
			{"Non0_acc_2", "1.0000 ± 0.0000", "0.6667"},
			{"Non0_F1_score", "1.0000 ± 0.0000", "0.5333"}, // 2·(2·2/(2·2+1))/3
			{"Mult_acc_5", "0.5000 ± 0.0000", "0.2500"},    // 3 counts as 2, 0.5 as 0
			{"Mult_acc_7", "0.2500 ± 0.0000", "0.2500"},
			{"MAE", "0.7500 ± 0.0000", "1.5000"},
			{"Corr", "0.9544 ± 0.0000", "–"}, // 7.5/√(4.75·13)
		}}
	if diff := diffTables(want, s.transposed()); diff != "" {
		t.Error(diff)
	}
	s.Rates = s.Rates[:1]
	if got := s.baseline("MAE"); got != "1.5000" {
		t.Errorf("the constant at one rate: MAE %s", got)
	}
	s.Rates, s.baselines = []float64{0, 0.5}, nil
	want.Header = want.Header[:2]
	for i := range want.Rows {
		want.Rows[i] = want.Rows[i][:2]
	}
	if diff := diffTables(want, s.transposed()); diff != "" {
		t.Error(diff)
	}
}

// TestTextExplains compares the two paragraphs below the table, which are about the rows and the
// columns that are shown.
func TestTextExplains(t *testing.T) {
	const mae = "MAE: mean absolute error, smaller is better; "
	const corr = "Corr: correlation of predictions and labels."
	const rates = "Rows: the missing rate, which is the probability that a word or a frame is " +
		"missing, and the mean over the rates."
	const constant = " The constant predictor always answers the mean of the training labels, " +
		"0.5; a useful model is better."
	const all = "Mult_acc_2: accuracy of positive or not; Mult_acc_3: accuracy of 3 classes; " +
		"Mult_acc_5: accuracy of 5 classes; F1_score: F1 of positive or not; " + mae + corr
	for width, want := range map[int]string{0: rates + constant + " Columns: " + all,
		200: rates + constant + " Columns: " + all,
		60:  rates + constant + " Columns: " + mae + corr,
		40:  "The scores are means over the missing rates." + constant + " Rows: " + all} {
		s := finalSummary(t, metric.SIMS)
		text := s.Text(width)
		if width == 0 {
			_, text, _ = strings.Cut(text, "\nRows: ")
			if text = "Rows: " + text; strings.Count(text, "\n") != 2 {
				t.Errorf("a pipe: paragraphs are divided: %q", text)
			}
		}
		text = strings.Join(strings.Fields(text), " ")
		if !strings.HasSuffix(text, want) {
			t.Errorf("%d columns: %s, want %s", width, text, want)
		}
		s.baselines = nil
		text = strings.Join(strings.Fields(s.Text(width)), " ")
		if !strings.HasSuffix(text, strings.Replace(want, constant, "", 1)) {
			t.Errorf("%d columns, without a constant: %s", width, text)
		}
	}
	s := finalSummary(t, metric.SIMS)
	s.baselines = nil
	if got := s.explainRows(); got != rates {
		t.Errorf("%q, want %q", got, rates)
	}
}

func TestErrorsOfTheDisk(t *testing.T) {
	s := finalSummary(t, metric.MOSI)
	filestest.ErrorsReachTheCaller(t, "Write", func(string) error { return nil }, s.Write)
}
