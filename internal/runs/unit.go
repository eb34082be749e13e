package runs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// A Unit is one seed of one configuration. A sweep trains units.
type Unit struct {
	Config settings.Config
	Dir    string // the directory of the seed
}

// Run returns the run directory, which has all seeds of the unit's configuration.
func (u *Unit) Run() string { return filepath.Dir(u.Dir) }

// Finished reports whether the unit is trained and tested.
func (u *Unit) Finished() bool { return rundir.Dir(u.Dir).Finished() }

// Holder returns the error that describes the process which has locked the unit, nil if it is not
// locked.
func (u *Unit) Holder() (*rundir.LockedError, error) {
	return rundir.LockHolder(rundir.Dir(u.Dir).File(rundir.LockFile))
}

// Plan creates the directories of the units of some configurations and returns the units: all
// seeds of the first configuration, then those of the next. The run of a configuration with a name
// has this name; it is an error if a run of another configuration has it. A configuration without
// a name continues the run of the same settings if there is one, otherwise it has a new run.
func (r *Runner) Plan(configs []settings.Config, seeds []uint64) ([]Unit, error) {
	configs = slices.Clone(configs)
	for i := range configs { // before a directory is made; it may name the data set
		if err := configs[i].CheckFile(); err != nil {
			return nil, err
		}
	}
	var units []Unit
	for _, c := range configs {
		dirs, err := r.createSeeds(&c, seeds, func() (string, error) {
			if c.Name != "" {
				return rundir.NamedDir(r.Out, &c)
			}
			return rundir.ReuseDir(r.Out, c.Variant, &c, seeds)
		})
		if err != nil {
			return nil, err
		}
		for i, d := range dirs {
			c.Seed = seeds[i]
			units = append(units, Unit{c, string(d)})
		}
	}
	return units, nil
}

// TrainUnit trains the unit in dir from its saved state; a finished unit stays as it is. The data
// are read after the unit is locked. If another process has locked it, the error is a
// [*rundir.LockedError]. After Stop, and if ctx is cancelled, it is a [*train.Interrupted].
func (r *Runner) TrainUnit(ctx context.Context, dir string) error {
	d := rundir.Dir(dir)
	c, err := d.Config()
	if err != nil {
		return err
	}
	return d.WithLock(func() error {
		if d.Finished() {
			return nil
		}
		data, err := r.openData(&c)
		if err != nil {
			return err
		}
		defer data.Close()
		r.number, r.count = 0, 1
		return r.trainSeed(ctx, c, data, d, train.NewMeter())
	})
}

// createSeeds creates the directories of a run's seeds in the directory that choose returns. It
// holds the lock of Out, so that two processes do not choose the same directory.
func (r *Runner) createSeeds(
	c *settings.Config, seeds []uint64, choose func() (string, error),
) (dirs []rundir.Dir, err error) {
	err = r.withLock(func() error {
		dir, err := choose()
		if err != nil {
			return err
		}
		dirs, err = rundir.CreateSeeds(dir, *c, seeds)
		return err
	})
	return dirs, err
}

// withLock calls f while it holds the lock of Out.
func (r *Runner) withLock(f func() error) error {
	if err := files.MkdirAll(r.Out); err != nil {
		return fmt.Errorf("runs: run directories: %w", err)
	}
	path := filepath.Join(r.Out, ".placing.lock")
	release, err := rundir.AwaitLock(path)
	if err != nil {
		return err
	}
	return errors.Join(rundir.RemoveLeftovers(path), f(), release())
}

// updateSummary writes the summary of a run. It repeats this until no seed was finished in the
// meantime: if several processes finish seeds at the same time, the last one to write has seen all
// of them.
func updateSummary(run string) error {
	for {
		before, err := rundir.FinishedSeeds(run)
		if err != nil {
			return err
		}
		s, err := tables.SummarizeSeeds(run, before)
		if err != nil {
			return err
		}
		if err := s.Write(run); err != nil {
			return err
		}
		if after, err := rundir.FinishedSeeds(run); err != nil || slices.Equal(before, after) {
			return err
		}
	}
}

// Repair brings the directories of the units' runs to their end state, as far as seeds are
// finished. This is necessary if a process was killed between its last writes.
func Repair(units []Unit) error {
	runs := map[string]bool{}
	for _, u := range units {
		if u.Finished() {
			runs[u.Run()] = true
		}
	}
	for _, run := range slices.Sorted(maps.Keys(runs)) {
		if err := repair(run); err != nil {
			return err
		}
	}
	return nil
}

// repair removes the locks and temporary files that killed processes left in the finished seeds of
// a run, and updates its summary.
func repair(run string) error {
	dirs, err := rundir.SeedSubdirs(run)
	if err != nil {
		return err
	}
	used := false
	for _, d := range dirs {
		if d.Finished() {
			err = d.CleanUp()
		}
		used = used || d.Has(rundir.LockFile)
		if err != nil {
			return err
		}
	}
	if !used {
		if err := rundir.CleanUpRun(run); err != nil {
			return err
		}
	}
	return updateSummary(run)
}
