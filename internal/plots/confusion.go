package plots

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// Confusions shows the confusion matrices of one or several runs at a missing rate, counts of all
// finished seeds together: the seven classes of Mult_acc_7, as in the paper's Figure 5, the five
// of Mult_acc_5 where labels end at ±1, and the run's own where it predicts classes.
func Confusions(dirs []string, rate float64) (Picture, error) {
	all, titles, err := summaries(dirs)
	if err != nil {
		return Picture{}, err
	}
	var list []figure.Confusion
	for i, dir := range dirs {
		title := fmt.Sprintf("%s, r = %s", titles[i], results.FormatNumber(rate))
		if n := len(all[i].Seeds); n > 1 && !strings.Contains(title, "seeds") {
			title += fmt.Sprintf(", %d seeds", n)
		}
		m, err := confusion(dir, title, rate)
		if err != nil {
			return Picture{}, err
		}
		list = append(list, m)
	}
	f := figure.Confusions(list...)
	f.Alt = fmt.Sprintf("Confusion matrices at a missing rate of %s, counts of all seeds together; %s.", results.FormatNumber(rate), described(all))
	return Picture{"confusion-r" + results.FormatNumber(rate), f}, nil
}

func confusion(dir, title string, rate float64) (figure.Confusion, error) {
	m := figure.Confusion{Title: title}
	err := tested(dir, func(c *settings.Config, kind metric.Kind, all [][]*results.Predictions) error {
		classes := c.Data.Classes
		key := ""
		if classes == 0 {
			classes, key = 7, "Mult_acc_7"
			if kind == metric.SIMS {
				classes, key = 5, "Mult_acc_5"
			}
		}
		list := all[max(0, slices.IndexFunc(results.Choices(c, kind), func(of results.Choice) bool { return of.Metric == key }))]
		at := slices.IndexFunc(list, func(p *results.Predictions) bool { return p.Rate == rate })
		if at < 0 {
			rates := typeset.MapStrings(list, func(p *results.Predictions) string { return results.FormatNumber(p.Rate) })
			return fmt.Errorf("plots: %s: rate: expected one of the run's, %v, found %s", dir, rates, results.FormatNumber(rate))
		}
		if m.Counts == nil {
			m.Classes, m.Counts = classNames(classes, kind), make([][]int, classes)
			for i := range m.Counts {
				m.Counts[i] = make([]int, classes)
			}
		}
		return tally(m.Counts, list[at], c.Data.Classes > 0, kind)
	})
	return m, err
}

// tally counts predictions, [true][predicted]: of classes, or of labels, whose classes those of
// kind are.
func tally(counts [][]int, p *results.Predictions, classes bool, kind metric.Kind) error {
	for i, score := range p.Score {
		if math.IsNaN(float64(score)) {
			return fmt.Errorf("plots: prediction for %s at rate %s: expected a number, found NaN; train the run again", p.ID[i], results.FormatNumber(p.Rate))
		}
		truth, predicted := int(p.Label[i]), int(score)
		if !classes {
			truth, predicted = results.ClassOf(float64(p.Label[i]), len(counts), kind), results.ClassOf(float64(score), len(counts), kind)
		}
		counts[truth][predicted]++
	}
	return nil
}

// classNames names the classes of classOf: by the whole number that labels are rounded to, or by
// their range.
func classNames(classes int, kind metric.Kind) []string {
	switch {
	case kind == metric.SIMS:
		return map[int][]string{2: {"≤ 0", "> 0"}, 3: {"≤ −0.1", "≤ 0.1", "> 0.1"}, 5: {"≤ −0.7", "≤ −0.1", "≤ 0.1", "≤ 0.7", "> 0.7"}}[classes]
	case classes == 2:
		return []string{"< 0", "≥ 0"}
	}
	var list []string
	for i := range classes {
		list = append(list, strings.Replace(fmt.Sprint(i-classes/2), "-", "−", 1))
	}
	return list
}
