package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// A Unit is one seed of one configuration and the directory where it is trained: what a sweep
// hands out.
type Unit struct {
	Config settings.Config
	Dir    string
}

// Run returns the directory of all seeds of the unit's configuration.
func (u *Unit) Run() string { return filepath.Dir(u.Dir) }

// Finished tells whether the unit is trained and tested.
func (u *Unit) Finished() bool { return rundir.Dir(u.Dir).Finished() }

// Holder returns the *Held that keeps this process from the unit, nil if it is free.
func (u *Unit) Holder() (*rundir.Held, error) {
	return rundir.LockHolder(rundir.Dir(u.Dir).File(rundir.LockFile))
}

// Plan makes the directories of some configurations' units, seeds in the inner loop. A
// configuration with a name has its run there, which must not hold another; one without has the
// run of the same settings if there is one, else a new one.
func (r *Runner) Plan(configs []settings.Config, seeds []uint64) ([]Unit, error) {
	var units []Unit
	for _, c := range configs {
		if err := c.CheckFile(); err != nil {
			return nil, err
		}
		find := rundir.PlaceOrReuse
		if c.Name != "" {
			find = rundir.PlaceNamed
		}
		_, there, err := r.claim(&c, seeds, find)
		if err != nil {
			return nil, err
		}
		for i, d := range there {
			c.Seed = seeds[i]
			units = append(units, Unit{c, string(d)})
		}
	}
	return units, nil
}

// Work trains a unit from where its directory stands. Its run's data are read once the unit is
// taken; a unit that another process has is a *Held. It ends with an *Interrupted once ctx is done
// and the epoch under way is whole.
func (r *Runner) Work(ctx context.Context, dir string) error {
	d := rundir.Dir(dir)
	c, err := d.Config()
	if err != nil {
		return err
	}
	return d.WithLock(func() error {
		if d.Finished() {
			return nil
		}
		data, err := open(&c)
		if err != nil {
			return err
		}
		defer data.Close()
		return r.seed(ctx, c, data, d)
	})
}

// claim finds the directory of a run and makes those of its seeds, while no other process does so
// under the same Out.
func (r *Runner) claim(c *settings.Config, seeds []uint64, find func(out string, c *settings.Config, seeds []uint64) (string, error)) (dir string, there []rundir.Dir, err error) {
	err = r.alone(func() error {
		if dir, err = find(r.Out, c, seeds); err != nil {
			return err
		}
		there, err = rundir.CreateSeeds(dir, *c, seeds)
		return err
	})
	return dir, there, err
}

// alone calls f while no other process does so with the same Out.
func (r *Runner) alone(f func() error) error {
	if err := os.MkdirAll(r.Out, 0o755); err != nil {
		return fmt.Errorf("runs: run directories: %w", err)
	}
	release, err := rundir.AwaitLock(filepath.Join(r.Out, ".placing.lock"))
	if err != nil {
		return err
	}
	return errors.Join(f(), release())
}

// refresh writes the summary of a run, again until the seeds that were finished before are still
// all there are: whoever writes last, when several finish seeds at once, has seen them all.
func refresh(run string) error {
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

// Settle sees to it that the summaries of units' runs count every finished seed and that no dead
// process's lock is left in a finished unit: a process may have been killed between its last two
// writes.
func Settle(units []Unit) error {
	runs := map[string]bool{}
	for _, u := range units {
		if !u.Finished() {
			continue
		}
		runs[u.Run()] = true
		path := rundir.Dir(u.Dir).File(rundir.LockFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		release, err := rundir.Lock(path)
		if held := new(rundir.Held); errors.As(err, &held) {
			continue
		}
		if err == nil {
			err = release()
		}
		if err != nil {
			return err
		}
	}
	for _, run := range slices.Sorted(maps.Keys(runs)) {
		if err := refresh(run); err != nil {
			return err
		}
	}
	return nil
}
