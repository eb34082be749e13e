package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/settings"
)

// A Run is a run's directory as it stands, finished or not.
type Run struct {
	Dir    string
	Config settings.Config // of the first seed
	Seeds  []SeedRun       // in order
}

// A SeedRun is the directory of one seed of a run.
type SeedRun struct {
	Seed     uint64 `json:"seed"`
	Dir      string `json:"-"`
	Finished bool   `json:"finished"`
}

// Read reads the directory of a run, or of one seed of it.
func Read(dir string) (*Run, error) {
	there, err := SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	r := &Run{Dir: dir}
	for i, d := range there {
		c, err := d.Config()
		if err != nil {
			return nil, err
		}
		if i == 0 {
			r.Config = c
		}
		r.Seeds = append(r.Seeds, SeedRun{c.Seed, string(d), d.Finished()})
	}
	return r, nil
}

// Finished tells whether all seeds are.
func (r *Run) Finished() bool {
	return !slices.ContainsFunc(r.Seeds, func(s SeedRun) bool { return !s.Finished })
}

// HasFinished tells whether at least one seed is finished.
func (r *Run) HasFinished() bool {
	return slices.ContainsFunc(r.Seeds, func(s SeedRun) bool { return s.Finished })
}

// Title says which model learned from what.
func (r *Run) Title() string {
	return fmt.Sprintf("%s on %s", r.Config.SelectedVariant().Label, r.Config.Dataset)
}

// YAML returns the configuration that the seeds have in common.
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

// Journal names the file that grows by a line, in JSON, with each epoch of training.
func (s SeedRun) Journal() string { return Dir(s.Dir).File(JournalFile) }

// Records returns the whole lines of the journal, none where training has not begun.
func (s SeedRun) Records() ([]json.RawMessage, error) {
	text, err := os.ReadFile(s.Journal())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("rundir: journal: %w", err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	records := []json.RawMessage{}
	for line := range bytes.Lines(whole) {
		if !json.Valid(line) {
			return nil, fmt.Errorf("rundir: %s: line %d: expected JSON, found %.40q; resume the run", s.Journal(), len(records)+1, line)
		}
		records = append(records, json.RawMessage(bytes.TrimSpace(line)))
	}
	return records, nil
}

// Find returns the directories of runs at and under dir, in order.
func Find(dir string) ([]string, error) {
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

// FirstFinished returns the directory of the first finished seed of a run.
func FirstFinished(dir string) (Dir, error) {
	there, err := SeedDirs(dir)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(there, Dir.Finished)
	if i < 0 {
		return "", UnfinishedError(dir)
	}
	return there[i], nil
}

// UnfinishedError says that no seed of a run is finished.
func UnfinishedError(dir string) error {
	return fmt.Errorf("rundir: %s: expected a finished run, found none; continue it with recap train --resume %s", dir, dir)
}

// FinishedSeeds returns the finished seeds of a run in ascending order.
func FinishedSeeds(run string) ([]uint64, error) {
	there, err := SeedDirs(run)
	if err != nil {
		return nil, err
	}
	seeds := []uint64{}
	for _, d := range there {
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
