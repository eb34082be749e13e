package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	Rates string         // missing rates (see settings.ParseRates); "" for those of the run
	Drop  []zoo.Modality // modalities that are removed completely
	File  string         // feature file with the split test; "" for the run's data
	// files that replace features of the data
	Features datasets.Features
	Device   string // "" for the run's
	// called before each test at a rate, from 1 on; may be nil
	Progress func(test, tests int)
}

// Evaluate tests the checkpoints of the run in dir, or of the one seed whose directory dir is, and
// returns the scores. An unfinished seed is an error. If the run's data have changed since it was
// trained, there is a warning in the log.
func Evaluate(
	ctx context.Context, dir string, o EvalOptions, log *slog.Logger,
) (*tables.Summary, error) {
	dirs, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	return evaluate(ctx, dirs, nil, o, log)
}

// evaluate tests seeds of one run on the test split of a set. If set is nil, it opens the data of o
// or of the run. If they have the training labels, the scores of the constant predictor are added.
func evaluate(
	ctx context.Context, dirs []rundir.Dir, set *datasets.Set, o EvalOptions, log *slog.Logger,
) (*tables.Summary, error) {
	s := &tables.Summary{Note: o.note()}
	var origin train.Origin // of the run's own data, if they are tested
	for i, d := range dirs {
		if !d.Finished() {
			return nil, rundir.UnfinishedError(string(d))
		}
		c, err := d.Config()
		if err != nil {
			return nil, err
		}
		c.MoveTo(o.Device)
		p, err := train.OpenPredictor(d, &c)
		if err != nil {
			return nil, err
		}
		if set == nil {
			if set, origin, err = o.open(&c); err != nil {
				return nil, err
			}
		}
		if origin.Hash != "" {
			if set, err = checkData(d, set, origin, log); err != nil {
				return nil, err
			}
		}
		split, err := train.Fit(set.Test, p.Dims, log)
		if err != nil {
			return nil, err
		}
		if err := labelled(split, p.Dims.Range); err != nil {
			return nil, err
		}
		if o.Rates != "" {
			c.Eval.Rates = o.Rates
		}
		rates, err := settings.ParseRates(c.Eval.Rates)
		if err != nil {
			return nil, err
		}
		if o.Progress != nil {
			p.OnRate = func(rate, rates int) { o.Progress(i*rates+rate, len(dirs)*rates) }
		}
		tested, err := p.Test(ctx, &c, d, split, rates, o.Drop)
		if err != nil {
			return nil, err
		}
		s.AddTested(&c, p.Kind(), tested)
		if set.Train != nil {
			s.AddBaseline(set.Train.Fraction(c.Data.Labels, c.Seed).Label)
		}
	}
	return s, nil
}

// checkData warns of what is unusual in a run's own data. If they have changed, the set that it
// returns has no training split: the seed learned from other labels.
func checkData(
	d rundir.Dir, set *datasets.Set, origin train.Origin, log *slog.Logger,
) (*datasets.Set, error) {
	other, err := train.WarnOfOtherData(d, origin, log)
	if err != nil {
		return nil, err
	}
	logMissing(set.Test, log)
	if other {
		return &datasets.Set{Test: set.Test}, nil
	}
	return set, nil
}

// open opens the test split of o.File with all its utterances, or the data of the run. For the
// run's own features it also returns their origin.
func (o *EvalOptions) open(c *settings.Config) (*datasets.Set, train.Origin, error) {
	if o.File != "" {
		s, err := datasets.OpenFeatures(o.File, "test", datasets.Options{Features: o.Features})
		return &datasets.Set{Test: s}, train.Origin{}, err
	}
	own := o.Features
	c.Data.Text = cmp.Or(own.Language, c.Data.Text)
	c.Data.Audio = cmp.Or(own.Audio, c.Data.Audio)
	c.Data.Vision = cmp.Or(own.Vision, c.Data.Vision)
	set, origin, err := train.OpenWithOrigin(c)
	if err != nil {
		return nil, origin, err
	}
	if own != (datasets.Features{}) {
		origin = train.Origin{}
	}
	return set, origin, nil
}

// labelled returns an error if there are no labels or labels out of the model's range.
func labelled(s *datasets.Split, allowed [2]float64) error {
	if s.Label == nil {
		return errors.New("runs: test: expected a label for each utterance, found none; " +
			"evaluation needs them, recap predict does not")
	}
	for i, y := range s.Label {
		if y := float64(y); y < allowed[0] || y > allowed[1] {
			return fmt.Errorf("runs: test: expected labels from %g to %g as in training, found %g "+
				"of utterance %.60q; scale the labels", allowed[0], allowed[1], y, s.ID[i])
		}
	}
	return nil
}

// note describes in what the evaluation differs from the run's own test.
func (o *EvalOptions) note() string {
	var notes []string
	if o.File != "" {
		notes = append(notes, "data of "+filepath.Base(o.File))
	}
	for _, file := range []string{o.Features.Language, o.Features.Audio, o.Features.Vision} {
		if file != "" {
			notes = append(notes, "features of "+filepath.Base(file))
		}
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
