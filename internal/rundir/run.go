package rundir

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/settings"
)

// A Run describes the directory of a run, finished or not.
type Run struct {
	Dir    string
	Config settings.Config // configuration of the first seed
	Seeds  []SeedRun       // in ascending order
}

// A SeedRun is one seed of a run.
type SeedRun struct {
	Seed     uint64 `json:"seed"`
	Dir      Dir    `json:"-"`
	Finished bool   `json:"finished"`
}

// Read reads the directory of a run, or of one seed of it.
func Read(dir string) (*Run, error) {
	dirs, err := SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	r := &Run{Dir: dir}
	for i, d := range dirs {
		c, err := d.Config()
		if err != nil {
			return nil, err
		}
		if i == 0 {
			r.Config = c
		}
		r.Seeds = append(r.Seeds, SeedRun{c.Seed, d, d.Finished()})
	}
	return r, nil
}

// Finished reports whether all seeds are finished.
func (r *Run) Finished() bool {
	return !slices.ContainsFunc(r.Seeds, func(s SeedRun) bool { return !s.Finished })
}

// HasFinished reports whether at least one seed is finished.
func (r *Run) HasFinished() bool {
	return slices.ContainsFunc(r.Seeds, func(s SeedRun) bool { return s.Finished })
}

// Title returns the variant and the data set for a heading.
func (r *Run) Title() string {
	return fmt.Sprintf("%s on %s", r.Config.SelectedVariant().Label, r.Config.Dataset)
}

// YAML returns the configuration without the seed.
func (r *Run) YAML() (string, error) {
	text, err := r.Config.YAML()
	if err != nil {
		return "", err
	}
	var common []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "seed:") {
			common = append(common, line)
		}
	}
	return strings.Join(common, ""), nil
}

// FindRuns returns the directories of the runs in dir and its subdirectories, in lexical order; dir
// itself if it is a run.
func FindRuns(dir string) ([]string, error) {
	if _, err := SeedDirs(dir); err == nil {
		return []string{filepath.Clean(dir)}, nil
	}
	var runs []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && Dir(path).Has(ConfigFile) {
			if run := filepath.Dir(path); len(runs) == 0 || runs[len(runs)-1] != run {
				runs = append(runs, run)
			}
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("rundir: runs: %w", err)
	}
	return runs, nil
}

// FirstFinished returns the directory of the first finished seed of a run. It returns an error if
// none is finished.
func FirstFinished(dir string) (Dir, error) {
	dirs, err := SeedDirs(dir)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(dirs, Dir.Finished)
	if i < 0 {
		return "", UnfinishedError(dir)
	}
	return dirs[i], nil
}

// UnfinishedError returns the error for a run, or a seed of it, that is not finished.
func UnfinishedError(dir string) error {
	return fmt.Errorf(
		"rundir: %s: expected a finished run, found an unfinished one; continue it with "+
			"recap train --resume %s", dir, dir,
	)
}

// FinishedSeeds returns the finished seeds of a run in ascending order.
func FinishedSeeds(run string) ([]uint64, error) {
	dirs, err := SeedDirs(run)
	if err != nil {
		return nil, err
	}
	seeds := []uint64{}
	for _, d := range dirs {
		if d.Finished() {
			c, err := d.Config()
			if err != nil {
				return nil, err
			}
			seeds = append(seeds, c.Seed)
		}
	}
	return seeds, nil
}
