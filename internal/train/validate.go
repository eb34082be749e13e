package train

import (
	"math"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// validate adds the scores of the model after an epoch to the record and saves the parameters if
// they are the best of the phase so far.
func (t *trainer) validate(r *rundir.Record) error {
	r.Valid = t.validation(t.set.Valid)
	if t.config.Select == settings.SelectTest {
		r.Test = t.validation(t.set.Test)
	}
	for _, c := range results.Choices(&t.config, t.batcher.kind) {
		if c.Better(c.Score(r), c.Best(t.journal.Records, r.Phase)) {
			if err := rundir.SaveTensors(t.dir.File(c.File(rundir.BestFile)),
				t.Model.PredictParams(), t.metadata(r.Phase, r.Epoch)); err != nil {
				return err
			}
		}
	}
	return nil
}

// outOfPatience reports whether a supervised phase has had train.patience epochs without a better
// validation score (early stopping). Patience 0 means no early stopping.
func (t *trainer) outOfPatience(ph zoo.Phase, epoch int) bool {
	patience := t.config.Train.Patience
	if patience == 0 || !ph.Supervised {
		return false
	}
	valid := results.Choice{Metric: results.Choices(&t.config, t.batcher.kind)[0].Metric}
	best, at := math.NaN(), 0
	for i := range t.journal.Records {
		if r := &t.journal.Records[i]; r.Phase == ph.Name && valid.Better(valid.Score(r), best) {
			best, at = valid.Score(r), r.Epoch
		}
	}
	return epoch-at >= patience
}

// validation returns the scores of the model on a split at the missing rate of the validation.
func (t *trainer) validation(s *datasets.Split) rundir.Numbers {
	p := t.predictor.Predict(s, t.config.Eval.ValidRate, nil)
	n := rundir.Numbers(p.Evaluate(t.batcher.kind, t.Dims.Classes))
	if t.Dims.Classes > 0 {
		n[rundir.LossKey] = p.Loss
	}
	return n
}

// saveUnchosen saves the current parameters as a checkpoint if no epoch was selected.
func (t *trainer) saveUnchosen() error {
	if err := t.checkChosen(); err != nil {
		return err
	}
	for _, c := range results.Choices(&t.config, t.batcher.kind) {
		if t.dir.Has(c.File(rundir.BestFile)) {
			continue
		}
		t.log.Warn("no epoch was selected by validation; the last is saved", "score", c.Metric)
		if err := rundir.SaveTensors(t.dir.File(c.File(rundir.BestFile)), t.Model.PredictParams(),
			t.metadata("", 0)); err != nil {
			return err
		}
	}
	return nil
}
