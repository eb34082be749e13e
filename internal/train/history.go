package train

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
)

// checkJournal returns an error unless the journal has all epochs up to the position, in order.
func (t *trainer) checkJournal(at position) error {
	rest := t.journal.Records
	for i, ph := range t.Model.Phases()[:at.phase+1] {
		n := 0
		for len(rest) > 0 && rest[0].Phase == ph.Name && rest[0].Epoch == n+1 {
			rest, n = rest[1:], n+1
		}
		want := t.config.Train.Epochs[ph.Name]
		if i == at.phase {
			want = at.epoch
		}
		if n == want || i < at.phase && t.outOfPatience(ph, n) {
			continue
		}
		found := "the end of the file"
		if len(rest) > 0 {
			found = fmt.Sprintf("epoch %d of %s", rest[0].Epoch, rest[0].Phase)
		}
		return fmt.Errorf("train: %s: expected a line for each epoch, next epoch %d of %s, found "+
			"%s; restore the file from a copy, or train a new run",
			t.journal.Path, n+1, ph.Name, found)
	}
	return nil
}

// checkChosen returns an error if the checkpoint of an epoch that was selected is gone.
func (t *trainer) checkChosen() error {
	for _, c := range results.Choices(&t.config, t.batcher.kind) {
		if r := t.chosen(c); r != nil && !t.dir.Has(c.File(rundir.BestFile)) {
			return fmt.Errorf("train: %s: expected the checkpoint of epoch %d of %s, which was "+
				"selected by %s, found none; restore the file from a copy, or train a new run",
				t.dir.File(c.File(rundir.BestFile)), r.Epoch, r.Phase, c.Metric)
		}
	}
	return nil
}

// chosen returns the record of the epoch whose parameters are the checkpoint, nil if no epoch was
// selected. The rule is that of validate.
func (t *trainer) chosen(c results.Choice) (chosen *rundir.Record) {
	all := t.journal.Records
	for i := range all {
		r := &all[i]
		if len(r.Valid) > 0 && !math.IsNaN(c.Score(r)) &&
			c.Better(c.Score(r), c.Best(all[:i], r.Phase)) {
			chosen = r
		}
	}
	return chosen
}
