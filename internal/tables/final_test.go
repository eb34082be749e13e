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

func TestErrorsOfTheDisk(t *testing.T) {
	s := finalSummary(t, metric.MOSI)
	filestest.ErrorsReachTheCaller(t, "Write", func(string) error { return nil }, s.Write)
}
