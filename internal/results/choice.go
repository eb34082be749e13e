package results

import (
	"math"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// A Choice is the rule by which one checkpoint is selected among the epochs of a phase.
type Choice struct {
	Metric string // the score that selects
	onTest bool   // on the test split, rounded to four decimals as in the code of the literature
}

// Choices returns the checkpoints that the configuration selects. Files of the first have names
// without a suffix.
func Choices(c *settings.Config, kind metric.Kind) []Choice {
	if c.Data.Classes > 0 {
		return []Choice{{Metric: rundir.LossKey}}
	}
	list := []Choice{{Metric: "MAE"}}
	if c.Select == settings.SelectTest {
		list[0].onTest = true
		for _, key := range metric.Keys(kind) {
			if key != "MAE" && checkpointMetric(key) == key {
				list = append(list, Choice{key, true})
			}
		}
	}
	return list
}

// checkpointMetric returns the metric whose checkpoint the metric key is computed from, if
// checkpoints are selected for each metric: F1 uses the checkpoint of its accuracy, Corr that of
// MAE.
func checkpointMetric(key string) string {
	switch {
	case strings.HasPrefix(key, "Has0"):
		return "Has0_acc_2"
	case strings.HasPrefix(key, "Non0"):
		return "Non0_acc_2"
	case strings.HasPrefix(key, "F1"):
		return "Mult_acc_2"
	case key == "Corr", key == metric.NaNPredictions:
		return "MAE"
	}
	return key
}

// File returns the name of the choice's file: best.safetensors, best-Mult_acc_7.safetensors.
func (c Choice) File(file string) string {
	if c.Metric == "MAE" || c.Metric == rundir.LossKey {
		return file
	}
	name, extension, _ := strings.Cut(file, ".")
	return name + "-" + c.Metric + "." + extension
}

// Score returns the score of an epoch by which c selects, NaN if it has none.
func (c Choice) Score(r *rundir.Record) float64 {
	if c.onTest {
		return math.Round(r.Test[c.Metric]*1e4) / 1e4
	}
	return r.Valid[c.Metric]
}

// Better reports whether score a is better than b. Every number is better than NaN.
func (c Choice) Better(a, b float64) bool {
	if c.Metric == rundir.LossKey {
		return metric.Better("MAE", a, b) // smaller is better
	}
	return metric.Better(c.Metric, a, b)
}

// Best returns the best score among the epochs of a phase, NaN if there is none.
func (c Choice) Best(records []rundir.Record, phase string) float64 {
	best := math.NaN()
	for i := range records {
		if r := &records[i]; r.Phase == phase && c.Better(c.Score(r), best) {
			best = c.Score(r)
		}
	}
	return best
}

// SelectedScore returns the score of the selected checkpoint of a run: the best score among the
// epochs of the last phase with validation.
func (c Choice) SelectedScore(records []rundir.Record) float64 {
	for _, r := range slices.Backward(records) {
		if len(r.Valid) > 0 {
			return c.Best(records, r.Phase)
		}
	}
	return math.NaN()
}
