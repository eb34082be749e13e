package rundir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/settings"
)

// Files of a run directory.
const (
	ConfigFile      = "config.yaml"
	JournalFile     = "metrics.jsonl"
	BestFile        = "best.safetensors"
	StateFile       = "state.safetensors"
	PredictionsFile = "predictions.csv" // written last: with it the run is finished
	SummaryCSV      = "summary.csv"
	SummaryMarkdown = "summary.md"
)

// SnapshotFile names the file with the parameters that a phase leaves for figures.
func SnapshotFile(phase string) string { return phase + ".safetensors" }

// A Dir is the directory of one seed of a run.
type Dir string

// File returns the path of a file in the directory.
func (d Dir) File(name string) string { return filepath.Join(string(d), name) }

// Has tells whether the file exists.
func (d Dir) Has(name string) bool {
	_, err := os.Stat(d.File(name))
	return err == nil
}

// Finished tells whether the seed is trained and tested.
func (d Dir) Finished() bool { return d.Has(PredictionsFile) }

// LastGoodState says where the last whole epoch is.
func (d Dir) LastGoodState() string {
	if d.Has(StateFile) {
		return "The last good state is " + d.File(StateFile)
	}
	return "No epoch was finished before"
}

// Create makes the directory and writes its configuration.
func (d Dir) Create(c *settings.Config) error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return fmt.Errorf("rundir: run directory: %w", err)
	}
	text, err := c.YAML()
	if err != nil {
		return err
	}
	return WriteFile(d.File(ConfigFile), text)
}

// Config reads the configuration back.
func (d Dir) Config() (settings.Config, error) {
	text, err := os.ReadFile(d.File(ConfigFile))
	if err != nil {
		return settings.Config{}, fmt.Errorf("rundir: %s: expected the directory of a run, found no %s: %w", d, ConfigFile, err)
	}
	return settings.Parse(d.File(ConfigFile), text)
}

// SeedDirs returns the seeds' directories of a run, or dir itself if it is one, in the order of
// the seeds.
func SeedDirs(dir string) ([]Dir, error) {
	if Dir(dir).Has(ConfigFile) {
		return []Dir{Dir(dir)}, nil
	}
	dirs, err := SeedsIn(dir)
	if err == nil && dirs == nil {
		err = fmt.Errorf("rundir: %s: expected a run, with directories such as seed1111, found none; give the directory that train printed", dir)
	}
	return dirs, err
}

// SeedsIn returns the seeds' directories that have a configuration, in the order of the seeds.
func SeedsIn(dir string) ([]Dir, error) {
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

// CreateSeeds makes the directories of a run's seeds that are not there yet, and returns those of
// all.
func CreateSeeds(run string, c settings.Config, seeds []uint64) ([]Dir, error) {
	var dirs []Dir
	for _, c.Seed = range seeds {
		d := Dir(filepath.Join(run, fmt.Sprintf("seed%d", c.Seed)))
		if !d.Has(ConfigFile) {
			if err := d.Create(&c); err != nil {
				return nil, err
			}
		}
		dirs = append(dirs, d)
	}
	return dirs, nil
}

// Place finds the directory for new seeds of a run. A name of the user's choice is taken if none
// of the seeds is there and those that are there have the same configuration. Otherwise the run is
// called like its variant, or variant-2, variant-3, …, the first that can be taken so: nothing is
// ever overwritten, and the same command twice gives two runs.
func Place(out string, c *settings.Config, seeds []uint64) (string, error) {
	base := filepath.Join(out, c.Dataset, c.Model)
	if c.Name != "" {
		dir := filepath.Join(base, c.Name)
		return dir, canTake(dir, c, seeds)
	}
	for k := 1; ; k++ {
		name := c.Variant
		if k > 1 {
			name += fmt.Sprintf("-%d", k)
		}
		if dir := filepath.Join(base, name); canTake(dir, c, seeds) == nil {
			c.Name = name
			return dir, nil
		}
	}
}

// PlaceOrReuse finds the run of the same configuration if there is one, else a place for it.
func PlaceOrReuse(out string, c *settings.Config, seeds []uint64) (string, error) {
	found, err := filepath.Glob(filepath.Join(out, c.Dataset, c.Model, "*", "seed*"))
	if err != nil {
		return "", fmt.Errorf("rundir: %s: %w", out, err)
	}
	for _, path := range found {
		if old, err := Dir(path).Config(); err == nil && settings.SameExceptSeed(old, *c) {
			c.Name = old.Name
			return filepath.Dir(path), nil
		}
	}
	return Place(out, c, seeds)
}

func canTake(dir string, c *settings.Config, seeds []uint64) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	there, err := SeedsIn(dir) // none where a process was killed before it wrote a configuration
	if err != nil {
		return err
	}
	for _, d := range there {
		old, err := d.Config()
		if err != nil {
			return err
		}
		if !settings.SameExceptSeed(old, *c) {
			return fmt.Errorf("rundir: %s: expected a run of the same configuration, found another; choose another name", d)
		}
		if slices.Contains(seeds, old.Seed) {
			return fmt.Errorf("rundir: %s: expected a free directory, found seed %d; choose another name, or continue it with recap train --resume %s", dir, old.Seed, d)
		}
	}
	return nil
}

// RemovePartialFiles removes what a killed process left half-written.
func (d Dir) RemovePartialFiles() error {
	half, err := filepath.Glob(d.File(".*.*.*"))
	for _, path := range half {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("rundir: %s: %w", d, err)
	}
	return nil
}

// WriteFile writes a file beside and renames it, so that it is there whole or not at all.
func WriteFile(path string, text []byte) error {
	return WriteWith(path, func(f *os.File) error {
		_, err := bytes.NewReader(text).WriteTo(f)
		return err
	})
}

// WriteWith is [WriteFile] for contents that write produces.
func WriteWith(path string, write func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("rundir: %s: %w", path, err)
	}
	return nil
}

// PlaceNamed finds the directory of a run by its name, where there may be seeds of the same
// configuration.
func PlaceNamed(out string, c *settings.Config, _ []uint64) (string, error) {
	dir := filepath.Join(out, c.Dataset, c.Model, c.Name)
	return dir, canTake(dir, c, nil)
}
