package experiment

import (
	"math"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// lossKey is the score by which classification is selected: the mean cross-entropy.
const lossKey = "loss"

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

// validate scores the model after an epoch and keeps its parameters where they are the best of the
// phase so far.
func (t *trainer) validate(r *record) error {
	r.Valid = t.validation(t.set.Valid)
	if t.config.Select == SelectTest {
		r.Test = t.validation(t.set.Test)
	}
	for _, c := range choices(&t.config, t.feed.kind) {
		if c.better(c.score(r), c.best(t.journal.records, r.Phase)) {
			if err := saveTensors(t.dir.file(c.of(bestFile)), t.model.PredictParams(), t.facts(r.Phase, r.Epoch)); err != nil {
				return err
			}
		}
	}
	return nil
}

// exhausted tells whether a phase that learns from labels has been through as many epochs without
// a better validation as patience allows.
func (t *trainer) exhausted(ph zoo.Phase, epoch int) bool {
	patience := t.config.Train.Patience
	if patience == 0 || !ph.Labels {
		return false
	}
	valid := choice{key: choices(&t.config, t.feed.kind)[0].key}
	best, at := math.NaN(), 0
	for i := range t.journal.records {
		if r := &t.journal.records[i]; r.Phase == ph.Name && valid.better(valid.score(r), best) {
			best, at = valid.score(r), r.Epoch
		}
	}
	return epoch-at >= patience
}

// validation scores the model on a split at the rate of validation.
func (t *trainer) validation(s *datasets.Split) numbers {
	p := t.predictor.predict(s, t.config.Eval.ValidRate, nil)
	n := numbers(p.compare(t.feed.kind, t.dims.Classes))
	if t.dims.Classes > 0 {
		n[lossKey] = p.loss
	}
	return n
}

// saveUnchosen keeps the last parameters where no epoch was validated.
func (t *trainer) saveUnchosen() error {
	for _, c := range choices(&t.config, t.feed.kind) {
		if t.dir.has(c.of(bestFile)) {
			continue
		}
		t.log.Warn("no epoch was chosen by validation; the last is kept", "score", c.key)
		if err := saveTensors(t.dir.file(c.of(bestFile)), t.model.PredictParams(), t.facts("", 0)); err != nil {
			return err
		}
	}
	return nil
}
