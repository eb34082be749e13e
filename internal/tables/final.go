package tables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// AddBaseline adds the scores of the constant predictor of the next seed; train has the labels from
// which the seed learned. It must be called for every seed or for none.
func (s *Summary) AddBaseline(train []float32) {
	s.baselines = append(s.baselines, results.NewBaseline(train, s.labels[len(s.baselines)],
		s.Config.Data.Classes, s.Kind))
}

// important has the columns of scores from the most important on.
var important = []string{"mean", "AUILC", "MAE", "Corr", "Non0_acc_2", "Mult_acc_2",
	"Mult_acc_7", "Mult_acc_5", "F1_score", "Non0_F1_score", "Mult_acc_3", "Has0_acc_2",
	"Has0_F1_score"}

// Text returns the table with a row for the constant predictor, if there are baselines, and two
// paragraphs that explain rows and columns. It fits width characters if width is not 0: it has
// fewer columns, and if two are too many, a row for each metric and only the means over the rates.
func (s *Summary) Text(width int) string {
	t, where := s.table(), "Columns"
	if width == 0 {
		return t.Text(0) + s.explainRows() + "\n" + explainMetrics(where, s.Keys()) + "\n"
	}
	fitted, ok := t.Fit(width)
	rows, keys := s.explainRows(), s.Keys()
	if ok {
		keys = fitted.Header[1:]
	} else {
		fitted, where = s.transposed(), "Rows"
		rows = "The scores are means over the missing rates. " + s.explainBaseline()
	}
	return fitted.Text(width) + typeset.Wrap(rows, width) +
		typeset.Wrap(explainMetrics(where, keys), width)
}

const constantPredictor = "constant predictor"

// table returns the table with a row for the constant predictor.
func (s *Summary) table() *typeset.Table {
	t := s.Table()
	t.Important = important
	if s.baselines != nil {
		t.Rows = append(t.Rows,
			append([]string{constantPredictor}, typeset.MapStrings(s.Keys(), s.baseline)...))
	}
	return t
}

// transposed returns a table with a row for each metric: its mean over rates, and that of the
// constant predictor.
func (s *Summary) transposed() *typeset.Table {
	t := &typeset.Table{Title: s.title(), Header: []string{"metric", "mean"}, LabelColumns: 1,
		Notes: s.notes()}
	if s.baselines != nil {
		t.Header = append(t.Header, "constant")
	}
	for i, key := range s.Keys() {
		row := []string{key, s.cells("mean")[i]}
		if s.baselines != nil {
			row = append(row, s.baseline(key))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// baseline returns a score of the constant predictor as text, the mean over seeds.
func (s *Summary) baseline(key string) string {
	return orDash("%.4f", s.constant().perSeed[0][0][key])
}

// constant returns the constant predictor as a summary of one seed, whose scores are the means over
// the seeds of s. They are the same at all rates.
func (s *Summary) constant() *Summary {
	var all []metric.Scores
	for _, b := range s.baselines {
		all = append(all, b.Scores)
	}
	mean, _ := metric.MeanStd(all)
	c := *s
	c.Seeds, c.isConstant = s.Seeds[:1], true
	c.perSeed = [][]metric.Scores{slices.Repeat([]metric.Scores{mean}, len(s.Rates))}
	return &c
}

// explainRows says in one line what the rows are.
func (s *Summary) explainRows() string {
	return strings.TrimSpace("Rows: the missing rate, which is the probability that a word or a " +
		"frame is missing, and the mean over the rates. " + s.explainBaseline())
}

// explainBaseline says what the constant predictor is, "" if there is none.
func (s *Summary) explainBaseline() string {
	if s.baselines == nil {
		return ""
	}
	constant := "the mean of the training labels"
	if s.Config.Data.Classes > 0 {
		constant = "the most frequent class of the training labels"
	}
	ofSeed := ""
	if s.OwnSplits() && len(s.baselines) > 1 {
		ofSeed = fmt.Sprintf(" with seed %d", s.Seeds[0])
	}
	return fmt.Sprintf("The %s always answers %s, %.3g%s; a useful model is better.",
		constantPredictor, constant, s.baselines[0].Constant, ofSeed)
}

// explainMetrics says in one line what the metrics are.
func explainMetrics(where string, keys []string) string {
	return where + ": " + strings.Join(typeset.MapStrings(keys, metric.Phrase), "; ") + "."
}
