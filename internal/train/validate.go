package train

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// validate adds the scores of the model after an epoch to the record and saves the parameters if
// they are the best of the phase so far.
func (t *trainer) validate(r *rundir.Record) (err error) {
	if r.Valid, err = t.validation(r, t.set.Valid); err != nil {
		return err
	}
	if t.config.Select == settings.SelectTest {
		if r.Test, err = t.validation(r, t.set.Test); err != nil {
			return err
		}
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

// validation returns the scores of the model on a split at the missing rate of the validation,
// after the epoch of r. A prediction that is not finite is an error.
func (t *trainer) validation(r *rundir.Record, s *datasets.Split) (rundir.Numbers, error) {
	p := t.predictor.Predict(s, t.config.Eval.ValidRate, nil)
	for i, v := range append(p.Score, float32(p.Loss)) {
		if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
			where := "validation loss"
			if i < len(p.Score) {
				where = "prediction for utterance " + s.ID[i]
			}
			return nil, t.diverged(r.Phase, r.Epoch, where, "a finite number", v)
		}
	}
	n := rundir.Numbers(p.Evaluate(t.batcher.kind, t.Dims.Classes))
	if t.Dims.Classes > 0 {
		n[rundir.LossKey] = p.Loss
	}
	return n, nil
}

// maxRMS is the largest root mean square that the elements of a parameter may have after an epoch.
// Those of a network that has learned something are below 100; after a step with a learning rate
// that is far too high they are about this rate, while the loss may still be finite.
const maxRMS = 1e6

// checkParams returns an error if what the phase trains is no longer good to continue from.
func (t *trainer) checkParams(ph zoo.Phase, epoch int) error {
	for _, p := range ph.Params() {
		if squares, n := p.Dot(p.Tensor), float64(p.Len()); !(squares <= maxRMS*maxRMS*n) {
			return t.diverged(ph.Name, epoch, "root mean square of parameter "+p.Name,
				fmt.Sprintf("at most %g", maxRMS), math.Sqrt(squares/n))
		}
	}
	return nil
}

// diverged returns the error for a number that is not as it must be for the training to go on.
func (t *trainer) diverged(phase string, epoch int, where, expected string, found float64) error {
	return fmt.Errorf("train: phase %s, epoch %d, %s: expected %s, found %v; a smaller train.lr "+
		"or train.clip=1 may help. %s", phase, epoch, where, expected, found, t.dir.LastState())
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
