package experiment

import (
	"math"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

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
