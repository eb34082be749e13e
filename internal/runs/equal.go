package runs

import (
	"fmt"
	"maps"
	"math"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// Stage 1 gives RECAP more training than its variant without stage 1 has. With [Runner.Equal] the
// variant trains the only phase that it has for more epochs.
const (
	fullVariant, withoutStage1 = "full", "no-stage1"
	lastPhase                  = "stage2"
)

// lengthen gives c, the variant without stage 1, as many epochs as make its training equal to that
// of the whole model's seeds in full, which are finished.
func (r *Runner) lengthen(c *settings.Config, data *train.Data, full []rundir.Dir) error {
	if full == nil {
		return fmt.Errorf("runs: %s: expected the variant %s before it, found none", withoutStage1,
			fullVariant)
	}
	whole, err := full[0].Config()
	if err != nil {
		return err
	}
	steps, err := data.StepsPerEpoch(&whole)
	if err != nil {
		return err
	}
	cost := func(e *rundir.Record) float64 { return float64(steps[e.Phase]) }
	if r.Equal == rundir.EqualTime {
		cost = func(e *rundir.Record) float64 { return e.Seconds }
	}
	var all []rundir.Record
	for _, d := range full {
		records, err := d.Records()
		if err != nil {
			return err
		}
		all = append(all, records...)
	}
	n, err := equalEpochs(all, len(full), cost)
	if err != nil {
		return fmt.Errorf("runs: %s: %w", full[0].Run(), err)
	}
	c.Train.Epochs = maps.Clone(c.Train.Epochs)
	c.Train.Epochs[lastPhase] = n
	r.Log.Info(fmt.Sprintf("%s trains %s for %d epochs", withoutStage1, lastPhase, n), "as",
		r.Equal, "of", full[0].Run())
	return nil
}

// equalEpochs returns the smallest number of epochs of the last phase that cost as much as all
// epochs of a seed, of which records has those of several seeds.
//
//	n = ⌈ Σ cost / seeds / (mean cost of an epoch of the last phase) ⌉
func equalEpochs(
	records []rundir.Record, seeds int, cost func(e *rundir.Record) float64,
) (int, error) {
	total, last, epochs := 0., 0., 0.
	for i := range records {
		e := &records[i]
		total += cost(e)
		if e.Phase == lastPhase {
			last += cost(e)
			epochs++
		}
	}
	if !(last > 0) {
		return 0, fmt.Errorf("expected epochs of %s in the journals, found none", lastPhase)
	}
	n := total / float64(seeds) / (last / epochs)
	return int(math.Ceil(n - 1e-9)), nil // 1e-9: n is a quotient of rounded sums
}
