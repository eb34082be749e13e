package experiment

import (
	"math"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/metric"
)

// A choice is a checkpoint to be chosen among a phase's epochs.
type choice struct {
	key  string // the score it is chosen by
	test bool   // the score of the test part, rounded to four decimals as the literature's code has it
}

// choices returns what the configuration selects; the first is kept under the plain file names.
func choices(c *Config, kind metric.Kind) []choice {
	if c.Data.Classes > 0 {
		return []choice{{key: lossKey}}
	}
	list := []choice{{key: "MAE"}}
	if c.Select == SelectTest {
		list[0].test = true
		for _, key := range metric.Keys(kind) {
			if key != "MAE" && owner(key) == key {
				list = append(list, choice{key, true})
			}
		}
	}
	return list
}

// owner returns the key by whose checkpoint a score is reported where each metric has its own: an
// F1 goes with its accuracy, Corr with MAE.
func owner(key string) string {
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

// of names the choice's variety of a file: best.safetensors, best-Mult_acc_7.safetensors.
func (c choice) of(file string) string {
	if c.key == "MAE" || c.key == lossKey {
		return file
	}
	name, extension, _ := strings.Cut(file, ".")
	return name + "-" + c.key + "." + extension
}

func (c choice) score(r *record) float64 {
	if c.test {
		return math.Round(r.Test[c.key]*1e4) / 1e4
	}
	return r.Valid[c.key]
}

func (c choice) better(a, b float64) bool {
	if c.key == lossKey {
		return metric.Better("MAE", a, b) // the smaller
	}
	return metric.Better(c.key, a, b)
}

// best returns the score of the epoch that is chosen among a phase's, NaN if there is none.
func (c choice) best(records []record, phase string) float64 {
	best := math.NaN()
	for i := range records {
		if r := &records[i]; r.Phase == phase && c.better(c.score(r), best) {
			best = c.score(r)
		}
	}
	return best
}

// chosen returns the score of the checkpoint of a whole run: of the last phase that was validated.
func (c choice) chosen(records []record) float64 {
	for _, r := range slices.Backward(records) {
		if len(r.Valid) > 0 {
			return c.best(records, r.Phase)
		}
	}
	return math.NaN()
}
