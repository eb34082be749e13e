package experiment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A Unit is one seed of one configuration and the directory where it is trained: what a sweep
// hands out.
type Unit struct {
	Config Config
	Dir    string
}

// Run returns the directory of all seeds of the unit's configuration.
func (u *Unit) Run() string { return filepath.Dir(u.Dir) }

// Finished tells whether the unit is trained and tested.
func (u *Unit) Finished() bool { return runDir(u.Dir).finished() }

// Holder returns the *Held that keeps this process from the unit, nil if it is free.
func (u *Unit) Holder() (*Held, error) { return holderOf(runDir(u.Dir).file(lockFile)) }

// Plan makes the directories of some configurations' units, seeds in the inner loop. A
// configuration with a name has its run there, which must not hold another; one without has the
// run of the same settings if there is one, else a new one.
func (r *Runner) Plan(configs []Config, seeds []uint64) ([]Unit, error) {
	var units []Unit
	for _, c := range configs {
		if err := c.checkFile(); err != nil {
			return nil, err
		}
		find := placeOrReuse
		if c.Name != "" {
			find = placeAgain
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
	d := runDir(dir)
	c, err := d.config()
	if err != nil {
		return err
	}
	return d.locked(func() error {
		if d.finished() {
			return nil
		}
		set, err := open(&c)
		if err != nil {
			return err
		}
		return r.seed(ctx, c, set, d)
	})
}

// claim finds the directory of a run and makes those of its seeds, while no other process does so
// under the same Out.
func (r *Runner) claim(c *Config, seeds []uint64, find func(out string, c *Config, seeds []uint64) (string, error)) (dir string, there []runDir, err error) {
	err = r.alone(func() error {
		if dir, err = find(r.Out, c, seeds); err != nil {
			return err
		}
		there, err = createSeeds(dir, *c, seeds)
		return err
	})
	return dir, there, err
}

// alone calls f while no other process does so with the same Out.
func (r *Runner) alone(f func() error) error {
	if err := os.MkdirAll(r.Out, 0o755); err != nil {
		return fmt.Errorf("experiment: run directories: %w", err)
	}
	release, err := await(filepath.Join(r.Out, ".placing.lock"))
	if err != nil {
		return err
	}
	return errors.Join(f(), release())
}

// refresh writes the summary of a run, again until the seeds that were finished before are still
// all there are: whoever writes last, when several finish seeds at once, has seen them all.
func refresh(run string) error {
	for {
		before, err := finishedSeeds(run)
		if err != nil {
			return err
		}
		s, err := summarize(run, before)
		if err != nil {
			return err
		}
		if err := s.write(run); err != nil {
			return err
		}
		if after, err := finishedSeeds(run); err != nil || slices.Equal(before, after) {
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
		path := runDir(u.Dir).file(lockFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		release, err := lock(path)
		if held := new(Held); errors.As(err, &held) {
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
