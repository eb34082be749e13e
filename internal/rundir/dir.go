package rundir

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// A Dir is the directory of one seed of a run.
type Dir string

// Finished reports whether the seed is trained and tested.
func (d Dir) Finished() bool { return d.Has(PredictionsFile) }

// Run returns the directory of the run.
func (d Dir) Run() string { return filepath.Join(string(d), "..") }

// Root returns the directory that has a run as DATASET/MODEL/NAME, and the directory of the run
// itself if it was moved to another place.
func Root(run string, c *settings.Config) string {
	model := filepath.Dir(run)
	dataset := filepath.Dir(model)
	if filepath.Base(model) != c.Model || filepath.Base(dataset) != c.Dataset {
		return run
	}
	return filepath.Dir(dataset)
}

// LastState describes for an error message where the state of the last complete epoch is.
func (d Dir) LastState() string {
	if d.Has(StateFile) {
		return "The last good state is " + d.File(StateFile)
	}
	return "No epoch was finished before"
}

// Config reads the configuration of the seed.
func (d Dir) Config() (settings.Config, error) {
	text, err := files.Read(d.File(ConfigFile))
	if err != nil {
		return settings.Config{}, fmt.Errorf(
			"rundir: %s: expected the directory of a run, found no %s: %w", d, ConfigFile, err,
		)
	}
	return settings.Parse(d.File(ConfigFile), text)
}

// SeedDirs returns the directories of the seeds of a run in ascending order of the seeds, or dir
// itself if it is the directory of a seed. It returns an error if there is none.
func SeedDirs(dir string) ([]Dir, error) {
	if Dir(dir).Has(ConfigFile) {
		return []Dir{Dir(dir)}, nil
	}
	dirs, err := SeedSubdirs(dir)
	if err == nil && dirs == nil {
		err = fmt.Errorf(
			"rundir: %s: expected a run, with directories such as seed1111, found none; give "+
				"the directory that train printed", dir,
		)
	}
	return dirs, err
}

// SeedSubdirs returns the directories of seeds in dir that have a configuration, in ascending order
// of the seeds.
func SeedSubdirs(dir string) ([]Dir, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("rundir: run: %w", err)
	}
	byNumber := map[uint64]Dir{}
	var seeds []uint64
	for _, e := range entries {
		number, isSeed := strings.CutPrefix(e.Name(), "seed")
		seed, err := strconv.ParseUint(number, 10, 64)
		if d := Dir(filepath.Join(dir, e.Name())); isSeed && err == nil && d.Has(ConfigFile) {
			byNumber[seed] = d
			seeds = append(seeds, seed)
		}
	}
	slices.Sort(seeds)
	var dirs []Dir
	for _, s := range seeds {
		dirs = append(dirs, byNumber[s])
	}
	return dirs, nil
}

// WriteConfig creates the directory if it does not exist and writes the configuration into it.
func (d Dir) WriteConfig(c *settings.Config) error {
	if err := files.MkdirAll(string(d)); err != nil {
		return fmt.Errorf("rundir: run directory: %w", err)
	}
	text, err := c.YAML()
	if err != nil {
		return err
	}
	return WriteFile(d.File(ConfigFile), text)
}
