package runs

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// EvalOptions are the options of [Evaluate].
type EvalOptions struct {
	Rates  string         // missing rates (see settings.ParseRates); "" for those of the run
	Drop   []zoo.Modality // modalities that are removed completely
	File   string         // feature file; "" for the run's data
	Device string         // "" for the run's
}

// Evaluate tests the checkpoints of the run in dir, or of the one seed whose directory dir is, and
// returns the scores.
func Evaluate(
	ctx context.Context, dir string, o EvalOptions, log *slog.Logger,
) (*tables.Summary, error) {
	dirs, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	return evaluate(ctx, dirs, nil, o, log)
}

// evaluate tests seeds of one run on a data set. If set is nil, it opens the data of o or of the
// run.
func evaluate(
	ctx context.Context, dirs []rundir.Dir, set *datasets.Set, o EvalOptions, log *slog.Logger,
) (*tables.Summary, error) {
	s := &tables.Summary{Note: o.note()}
	for _, d := range dirs {
		c, err := d.Config()
		if err != nil {
			return nil, err
		}
		if o.File != "" {
			c.Data.File = o.File
		}
		c.MoveTo(o.Device)
		p, err := train.OpenPredictor(d, &c)
		if err != nil {
			return nil, err
		}
		if set == nil {
			if set, err = train.OpenData(&c); err != nil {
				return nil, err
			}
		}
		split, err := train.Fit(set.Test, p.Dims, log)
		if err != nil {
			return nil, err
		}
		if o.Rates != "" {
			c.Eval.Rates = o.Rates
		}
		rates, err := settings.ParseRates(c.Eval.Rates)
		if err != nil {
			return nil, err
		}
		tested, err := p.Test(ctx, &c, d, split, rates, o.Drop)
		if err != nil {
			return nil, err
		}
		s.AddTested(&c, p.Kind(), tested)
	}
	return s, nil
}

// note describes in what the evaluation differs from the run's own test.
func (o *EvalOptions) note() string {
	var notes []string
	if o.File != "" {
		notes = append(notes, "data of "+filepath.Base(o.File))
	}
	if len(o.Drop) > 0 {
		var dropped []string
		for _, m := range o.Drop {
			dropped = append(dropped, settings.ModalityName(m))
		}
		notes = append(notes, "without "+strings.Join(dropped, ", "))
	}
	return strings.Join(notes, "; ")
}
