package plots

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
)

// Confusions returns a figure of the confusion matrices of one or several runs at a missing rate.
// Counts are sums over all finished seeds of a run. The classes are the seven of Mult_acc_7, as in
// the paper's Figure 5; the five of Mult_acc_5 if labels range from −1 to 1; or the run's own
// classes. It is an error if a run was not tested at the rate or a prediction is NaN.
func Confusions(dirs []string, rate float64) (Figure, error) {
	all, titles, err := summaries(dirs)
	if err != nil {
		return Figure{}, err
	}
	var list []figure.Confusion
	for i, dir := range dirs {
		title := fmt.Sprintf("%s, r = %s", titles[i], results.FormatNumber(rate))
		if n := len(all[i].Seeds); n > 1 && !strings.Contains(title, "seeds") {
			title += fmt.Sprintf(", %d seeds", n)
		}
		m, err := confusion(dir, title, rate)
		if err != nil {
			return Figure{}, err
		}
		list = append(list, m)
	}
	f := figure.Confusions(list...)
	f.Alt = fmt.Sprintf("Confusion matrices at a missing rate of %s, sums over all seeds; %s.",
		results.FormatNumber(rate), describe(all))
	return Figure{"confusion-r" + results.FormatNumber(rate), f}, nil
}

// confusion returns the confusion matrix of one run.
func confusion(dir, title string, rate float64) (figure.Confusion, error) {
	m := figure.Confusion{Title: title}
	seeds, err := testedSeeds(dir)
	if err != nil {
		return m, err
	}
	for i := range seeds {
		seed := &seeds[i]
		classes, key := seed.config.Data.Classes, ""
		if classes == 0 {
			classes, key = 7, "Mult_acc_7"
			if seed.kind == metric.SIMS {
				classes, key = 5, "Mult_acc_5"
			}
		}
		p, err := seed.find(key, rate)
		if err != nil {
			return m, fmt.Errorf("plots: %s: %w", dir, err)
		}
		if m.Counts == nil {
			m.Classes, m.Counts = classNames(classes, seed.kind), make([][]int, classes)
			for class := range m.Counts {
				m.Counts[class] = make([]int, classes)
			}
		}
		if err := addCounts(m.Counts, p, seed.config.Data.Classes > 0, seed.kind); err != nil {
			return m, err
		}
	}
	return m, nil
}

// find returns the predictions at a missing rate of the checkpoint that was selected by a metric,
// or of the first checkpoint if none was selected by it.
func (s *testedSeed) find(key string, rate float64) (*results.Predictions, error) {
	list := s.predictions[0]
	for i, choice := range results.Choices(&s.config, s.kind) {
		if choice.Metric == key {
			list = s.predictions[i]
		}
	}
	var rates []string
	for _, p := range list {
		if p.Rate == rate {
			return p, nil
		}
		rates = append(rates, results.FormatNumber(p.Rate))
	}
	return nil, fmt.Errorf("rate: expected one of the run's, %v, found %s", rates,
		results.FormatNumber(rate))
}

// addCounts adds predictions to counts, [true class][predicted class]. The predictions are
// classes, or labels that are rounded to classes as the metrics of kind do.
func addCounts(counts [][]int, p *results.Predictions, classes bool, kind metric.Kind) error {
	for i, score := range p.Score {
		if math.IsNaN(float64(score)) {
			return fmt.Errorf("plots: prediction for %s at rate %s: expected a number, found NaN; train the run again",
				p.ID[i], results.FormatNumber(p.Rate))
		}
		truth, predicted := int(p.Label[i]), int(score)
		if !classes {
			truth = metric.ClassOf(float64(p.Label[i]), len(counts), kind)
			predicted = metric.ClassOf(float64(score), len(counts), kind)
		}
		counts[truth][predicted]++
	}
	return nil
}

// classNames returns the names of the classes of [metric.ClassOf]: the integer to which labels
// are rounded, or the range of the labels.
func classNames(classes int, kind metric.Kind) []string {
	switch {
	case kind == metric.SIMS:
		return map[int][]string{
			2: {"≤ 0", "> 0"},
			3: {"≤ −0.1", "≤ 0.1", "> 0.1"},
			5: {"≤ −0.7", "≤ −0.1", "≤ 0.1", "≤ 0.7", "> 0.7"},
		}[classes]
	case classes == 2:
		return []string{"< 0", "≥ 0"}
	}
	var list []string
	for i := range classes {
		list = append(list, strings.Replace(fmt.Sprint(i-classes/2), "-", "−", 1))
	}
	return list
}
