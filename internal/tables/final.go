package tables

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// AddBaseline adds the scores of the constant predictor of a seed; train has the labels from which
// the seed learned. It must be called for every seed or for none.
func (s *Summary) AddBaseline(train []float32) {
	s.baselines = append(s.baselines,
		results.NewBaseline(train, s.labels, s.Config.Data.Classes, s.Kind))
}

// importance has the metrics from the most important on; a narrow table has the first of them.
var importance = []string{"MAE", "Corr", "Non0_acc_2", "Mult_acc_2", "Mult_acc_7", "Mult_acc_5",
	"F1_score", "Non0_F1_score", "Mult_acc_3", "Has0_acc_2", "Has0_F1_score"}

// Text returns the table with a row for the constant predictor, if there are baselines, and two
// paragraphs that explain rows and columns. It fits width characters if width is not 0: it has
// fewer columns, and if two are too many, a row for each metric and only the means over the rates.
func (s *Summary) Text(width int) string {
	keys := s.Keys()
	if width == 0 {
		t := s.table(keys)
		t.SetTitle(s.title())
		return t.Render() + "\n" + s.explainRows() + "\n" + explainMetrics("Columns", keys) + "\n"
	}
	rows, metrics := s.explainRows(), "Columns"
	text := s.table(keys).Render()
	for len(keys) > 1 && !fits(text, width) {
		keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
			return key == leastImportant(keys)
		})
		text = s.table(keys).Render()
	}
	if len(keys) == 1 {
		keys = s.Keys()
		text, metrics = s.transposed().Render(), "Rows"
		rows = "The scores are means over the missing rates. " + s.explainBaseline()
	}
	if n := len(s.Keys()) - len(keys); n > 0 {
		text += fmt.Sprintf("\n%d more columns in a wider terminal", n)
	}
	return typeset.Wrap(s.title(), width) + text + "\n" + typeset.Wrap(rows, width) +
		typeset.Wrap(explainMetrics(metrics, keys), width)
}

func leastImportant(keys []string) string {
	return slices.MaxFunc(keys, func(a, b string) int {
		return slices.Index(importance, a) - slices.Index(importance, b)
	})
}

// fits reports whether no line of a text is longer than width characters.
func fits(text string, width int) bool {
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > width {
			return false
		}
	}
	return true
}

const constantPredictor = "constant predictor"

// table returns a table without title, with a row for each rate, one for the mean over rates and
// one for the constant predictor.
func (s *Summary) table(keys []string) table.Writer {
	t := NewTable("", "rate", keys)
	for _, rate := range append(typeset.MapStrings(s.Rates, results.FormatNumber), "mean") {
		if rate == "mean" {
			t.AppendSeparator()
		}
		t.AppendRow(append(table.Row{rate}, s.cellsOf(keys, rate)...))
	}
	if s.baselines != nil {
		row := table.Row{constantPredictor}
		for _, key := range keys {
			row = append(row, s.baseline(key))
		}
		t.AppendRow(row)
	}
	return t
}

// transposed returns a table without title, with a row for each metric: its mean over rates, and
// that of the constant predictor.
func (s *Summary) transposed() table.Writer {
	header := []string{"mean"}
	if s.baselines != nil {
		header = append(header, "constant")
	}
	t := NewTable("", "metric", header)
	for _, key := range s.Keys() {
		row := append(table.Row{key}, s.cellsOf([]string{key}, "mean")...)
		if s.baselines != nil {
			row = append(row, s.baseline(key))
		}
		t.AppendRow(row)
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
	return fmt.Sprintf("The %s always answers %s, %.3g; a useful model is better.",
		constantPredictor, constant, s.baselines[0].Constant)
}

// explainMetrics says in one line what the metrics are.
func explainMetrics(where string, keys []string) string {
	return where + ": " + strings.Join(typeset.MapStrings(keys, metric.Phrase), "; ") + "."
}
