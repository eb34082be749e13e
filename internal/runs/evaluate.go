package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"

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
	return evaluate(ctx, dirs, o.opener(log), o, log)
}

// An opener returns the data set on whose test split a seed is tested. It has the training split
// only if the seed learned from it.
type opener func(d rundir.Dir, c *settings.Config) (*datasets.Set, error)

// setOf returns the data sets of data that are open, on which the seeds were trained.
func setOf(data *train.Data) opener {
	return func(_ rundir.Dir, c *settings.Config) (*datasets.Set, error) { return data.For(c) }
}

// evaluate tests seeds of one run. If their data have the training labels, the scores of the
// constant predictor are added.
func evaluate(
	ctx context.Context, dirs []rundir.Dir, open opener, o EvalOptions, log *slog.Logger,
) (*tables.Summary, error) {
	s := &tables.Summary{Note: o.note()}
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
		set, err := open(d, &c)
		if err != nil {
			return nil, err
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

// checkData warns if a run's own data have changed. Then the set that it returns has no training
// split: the seed learned from other labels.
func checkData(
	d rundir.Dir, set *datasets.Set, origin train.Origin, log *slog.Logger,
) (*datasets.Set, error) {
	other, err := train.WarnOfOtherData(d, origin, log)
	if err != nil {
		return nil, err
	}
	if other {
		return &datasets.Set{Test: set.Test}, nil
	}
	return set, nil
}

// opener opens, for the first seed, the test split of o.File with all its utterances, or the data
// of the run. The run's own features are checked for each seed.
func (o *EvalOptions) opener(log *slog.Logger) opener {
	own := o.Features
	if o.File != "" {
		open := sync.OnceValues(func() (*datasets.Set, error) {
			s, err := datasets.OpenFeatures(o.File, "test", datasets.Options{Features: own})
			return &datasets.Set{Test: s}, err
		})
		return func(rundir.Dir, *settings.Config) (*datasets.Set, error) { return open() }
	}
	var data *train.Data
	return func(d rundir.Dir, c *settings.Config) (*datasets.Set, error) {
		if data == nil {
			c.Data.Text = cmp.Or(own.Language, c.Data.Text)
			c.Data.Audio = cmp.Or(own.Audio, c.Data.Audio)
			c.Data.Vision = cmp.Or(own.Vision, c.Data.Vision)
			var err error
			if data, err = train.OpenWithOrigin(c); err != nil {
				return nil, err
			}
		}
		set, err := data.For(c)
		if err != nil || own != (datasets.Features{}) {
			return set, err
		}
		return checkData(d, set, data.Origin, log)
	}
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
