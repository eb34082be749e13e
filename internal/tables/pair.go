package tables

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
)

// A HeadlineScore is one of the metrics of [Headline], as the mean over the missing rates.
type HeadlineScore struct {
	Metric string
	Mean   float64 // over the seeds
	Text   string  // the mean, with the standard deviation if there are several seeds
}

// HeadlineScores returns the scores that represent the run.
func (s *Summary) HeadlineScores() []HeadlineScore {
	mean, std := s.Find("mean", "mean"), s.Find("std", "mean")
	var list []HeadlineScore
	for _, key := range Headline(&s.Config) {
		list = append(list, HeadlineScore{key, mean[key], s.cell(mean[key], std[key], 4)})
	}
	return list
}

// A Pair compares two summaries.
type Pair struct {
	Settings [2]string // in which each of them differs from the other
	Warnings []string  // conditions that differ, so that the scores are not comparable
	Metrics  []PairMetric
}

// A PairMetric compares a metric that both summaries have.
type PairMetric struct {
	Metric string
	Rows   []PairRow // one for each rate of both; if all rates are equal, also one for the mean
}

// A PairRow compares a metric at one missing rate.
type PairRow struct {
	Rate       string
	Scores     [2]string // means over the seeds, with standard deviations if there are several
	Difference string    // the second mean minus the first, with its sign
	Better     string    // "first", "second", or "" if the means are equal or undefined
}

// NewPair compares two summaries.
func NewPair(a, b *Summary) *Pair {
	p := &Pair{Settings: [2]string(newComparison([]*Summary{a, b}).differences),
		Warnings: conditionsThatDiffer(a, b)}
	for _, key := range a.Keys() {
		if !slices.Contains(b.Keys(), key) {
			continue
		}
		m := PairMetric{Metric: key}
		for _, rate := range a.Rates {
			if slices.Contains(b.Rates, rate) {
				m.Rows = append(m.Rows, pairRow(a, b, key, results.FormatNumber(rate)))
			}
		}
		if slices.Equal(a.Rates, b.Rates) {
			m.Rows = append(m.Rows, pairRow(a, b, key, "mean"))
		}
		p.Metrics = append(p.Metrics, m)
	}
	return p
}

// conditionsThatDiffer describes the differences of the [conditions] of two summaries.
func conditionsThatDiffer(a, b *Summary) []string {
	x, y := a.conditions(), b.conditions()
	var list []string
	add := func(what string, x, y any) {
		if x != y {
			list = append(list, fmt.Sprintf("%s: %v and %v", what, x, y))
		}
	}
	add("data sets", x.dataset, y.dataset)
	add("checkpoints", a.Config.Selection(), b.Config.Selection())
	add("missing rates", x.rates, y.rates)
	add("classes", x.classes, y.classes)
	if !sameTest(a, b) {
		list = append(list, fmt.Sprintf("test splits: of %s and %s utterances, not the same ones",
			a.utterances(), b.utterances()))
	}
	return list
}

// pairRow compares a metric at a rate, or at the "mean" over the rates.
func pairRow(a, b *Summary, key, rate string) PairRow {
	row := PairRow{Rate: rate}
	var means [2]float64
	for i, s := range []*Summary{a, b} {
		means[i] = s.Find("mean", rate)[key]
		row.Scores[i] = s.cell(means[i], s.Find("std", rate)[key], 4)
	}
	difference := means[1] - means[0]
	if math.IsNaN(difference) {
		row.Difference = "undefined"
		return row
	}
	row.Difference = fmt.Sprintf("%+.4f", difference)
	switch {
	case metric.Better(key, means[1], means[0]):
		row.Better = "second"
	case metric.Better(key, means[0], means[1]):
		row.Better = "first"
	}
	return row
}
