package runs

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A Runner trains into directories under Out.
type Runner struct {
	Out         string
	Log         *slog.Logger
	Step        func(seed uint64, phase string, done, total int) // called after each step
	TensorBoard bool                                             // also write event files; a resumed run that has one always does
	WholeEpochs bool                                             // when interrupted, finish the epoch under way
}

// Train trains a new run, one seed after the other, and evaluates it at all rates. It returns the
// run's directory (place says which) and what summary.csv there holds.
func (r *Runner) Train(ctx context.Context, c settings.Config, seeds []uint64) (dir string, s *tables.Summary, err error) {
	data, err := open(&c)
	if err != nil {
		return "", nil, err
	}
	defer data.Close()
	dir, there, err := r.claim(&c, seeds, rundir.Place)
	if err != nil {
		return "", nil, err
	}
	if err := r.finish(ctx, data, there); err != nil {
		return dir, nil, err
	}
	s, err = tables.SummarizeSeeds(dir, nil)
	return dir, s, err
}

// Resume continues the unfinished seeds of a run, or one seed given by its own directory.
func (r *Runner) Resume(ctx context.Context, dir string) (run string, s *tables.Summary, err error) {
	there, err := rundir.SeedDirs(dir)
	if err != nil {
		return "", nil, err
	}
	c, err := there[0].Config()
	if err != nil {
		return "", nil, err
	}
	data, err := open(&c)
	if err != nil {
		return "", nil, err
	}
	defer data.Close()
	run = filepath.Dir(filepath.Clean(string(there[0])))
	if err := r.finish(ctx, data, there); err != nil {
		return run, nil, err
	}
	s, err = tables.SummarizeSeeds(run, nil)
	return run, s, err
}

// Ablate trains several configurations, variants of each other, and returns the summary of each,
// in their order. Where a run of the same configuration is there, its finished seeds are used and
// its unfinished ones continued. The modalities in drop are missing altogether when the variants
// are tested.
func (r *Runner) Ablate(ctx context.Context, variants []settings.Config, seeds []uint64, drop []zoo.Modality) ([]*tables.Summary, error) {
	data, err := open(&variants[0])
	if err != nil {
		return nil, err
	}
	defer data.Close()
	var all []*tables.Summary
	for _, c := range variants {
		c.Dataset = variants[0].Dataset
		dir, there, err := r.claim(&c, seeds, rundir.PlaceOrReuse)
		if err != nil {
			return nil, err
		}
		if err := r.finish(ctx, data, there); err != nil {
			return nil, err
		}
		s, err := tables.SummarizeSeeds(dir, seeds)
		if err == nil && len(drop) > 0 {
			s, err = evaluate(ctx, there, data.Set, EvalOptions{Drop: drop}, r.Log)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// open opens what a run needs before it has a directory: its device, its data and a pretrained
// text encoder.
func open(c *settings.Config) (*train.Data, error) {
	if _, err := ag.Open(c.DeviceName()); err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	return train.Open(c)
}

// finish trains the seeds that are unfinished.
func (r *Runner) finish(ctx context.Context, data *train.Data, there []rundir.Dir) error {
	for _, d := range there {
		c, err := d.Config()
		if err != nil {
			return err
		}
		if d.Finished() {
			r.Log.Info("finished already", "run", string(d))
		} else if err := d.WithLock(func() error { return r.seed(ctx, c, data, d) }); err != nil {
			return err
		}
	}
	return nil
}

// seed trains and tests one seed, and brings the run's summary up to date.
func (r *Runner) seed(ctx context.Context, c settings.Config, data *train.Data, d rundir.Dir) error {
	o := train.Options{Log: r.Log, TensorBoard: r.TensorBoard, WholeEpochs: r.WholeEpochs,
		Step: func(phase string, done, total int) { r.Step(c.Seed, phase, done, total) }}
	if err := train.Seed(ctx, c, data, d, o); err != nil {
		return err
	}
	return refresh(filepath.Dir(string(d)))
}
