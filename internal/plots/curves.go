package plots

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

const rateAxis = "missing rate r"

// Curves returns a figure of metrics against the missing rate, with a curve for each run: the mean
// over its finished seeds, with a band of one standard deviation to both sides if there are
// several.
//
// If metrics is nil, it returns two figures, as the paper's Figure 4: the accuracy of two classes
// and the correlation, and the accuracy of five classes and the mean absolute error. A metric that
// a run does not have is a [*MetricError].
func Curves(dirs, metrics []string) ([]Figure, error) {
	all, titles, err := summaries(dirs)
	if err != nil {
		return nil, err
	}
	groups := [][]string{metrics}
	if metrics == nil {
		groups = figure4(all[0])
	}
	var list []Figure
	for _, keys := range groups {
		var panels []figure.Panel
		for _, key := range keys {
			label, factor := axisOf(key)
			panel := figure.Panel{X: rateAxis, Y: label}
			for i, s := range all {
				if !slices.Contains(s.AllKeys(), key) {
					return nil, &MetricError{key, s.AllKeys()}
				}
				panel.Curves = append(panel.Curves, curve(s, titles[i], key, factor))
			}
			panels = append(panels, panel)
		}
		f := figure.Curves(2, panels...)
		f.Alt = fmt.Sprintf("%s against the missing rate; %s.", strings.Join(keys, ", "),
			describe(all))
		list = append(list, Figure{"curves-" + strings.Join(keys, "-"), f})
	}
	return list, nil
}

// A MetricError is returned for a metric that a run does not have.
type MetricError struct {
	Metric string
	Known  []string // the metrics that it has
}

func (e *MetricError) Error() string {
	return fmt.Sprintf("plots: metric: expected one of %s, found %s%s",
		strings.Join(e.Known, ", "), e.Metric, settings.DidYouMean(e.Metric, e.Known))
}

// figure4 returns the metrics of the two figures in the paper's Figure 4. For a run that predicts
// classes it returns all metrics as one figure.
func figure4(s *tables.Summary) [][]string {
	switch {
	case s.Config.Data.Classes > 0:
		return [][]string{s.Keys()}
	case s.Kind == metric.SIMS:
		return [][]string{{"Mult_acc_2", "Corr"}, {"Mult_acc_5", "MAE"}}
	}
	return [][]string{{"Non0_acc_2", "Corr"}, {"Mult_acc_5", "MAE"}}
}

// curve returns a metric of a summary at each missing rate, multiplied by a factor.
func curve(s *tables.Summary, name, key string, factor float64) figure.Curve {
	c := figure.Curve{Name: name}
	for _, rate := range s.Rates {
		r := results.FormatNumber(rate)
		mean, std := s.Find("mean", r), s.Find("std", r)
		c.X, c.Y = append(c.X, rate), append(c.Y, factor*mean[key])
		if len(s.Seeds) > 1 {
			c.YError = append(c.YError, factor*std[key])
		}
	}
	return c
}

// axisOf returns the axis label of a metric and the factor of its values: accuracies and F1 scores
// are in percent. An arrow shows whether larger or smaller values are better.
func axisOf(key string) (label string, factor float64) {
	arrow := " ↓"
	if metric.LargerIsBetter(key) {
		arrow = " ↑"
	}
	label = strings.NewReplacer("Mult_acc_", "Acc-",
		"Has0_acc_2", "Acc-2, neg./non-neg.", "Non0_acc_2", "Acc-2, neg./pos.",
		"Has0_F1_score", "F1, neg./non-neg.", "Non0_F1_score", "F1, neg./pos.",
		"F1_score_", "F1-", "F1_score", "F1", "Acc_", "Acc-", "_", " ").Replace(key)
	if strings.Contains(label, "Acc") || strings.Contains(label, "F1") {
		return label + " (%)" + arrow, 100
	}
	return label + arrow, 1
}
