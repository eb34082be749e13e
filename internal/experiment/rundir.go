package experiment

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
)

// Files of a run directory.
const (
	configFile      = "config.yaml"
	journalFile     = "metrics.jsonl"
	bestFile        = "best.safetensors"
	stateFile       = "state.safetensors"
	predictionsFile = "predictions.csv" // written last: with it the run is finished
	summaryCSV      = "summary.csv"
	summaryMarkdown = "summary.md"
)

// snapshotFile names the file with the parameters that a phase leaves for figures.
func snapshotFile(phase string) string { return phase + ".safetensors" }

// A runDir is the directory of one seed of a run.
type runDir string

func (d runDir) file(name string) string { return filepath.Join(string(d), name) }

func (d runDir) has(name string) bool {
	_, err := os.Stat(d.file(name))
	return err == nil
}

func (d runDir) finished() bool { return d.has(predictionsFile) }

// lastGood says where the last whole epoch is.
func (d runDir) lastGood() string {
	if d.has(stateFile) {
		return "The last good state is " + d.file(stateFile)
	}
	return "No epoch was finished before"
}

// create makes the directory and writes its configuration.
func (d runDir) create(c *Config) error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return fmt.Errorf("experiment: run directory: %w", err)
	}
	text, err := c.yaml()
	if err != nil {
		return err
	}
	return WriteFile(d.file(configFile), text)
}

// config reads the configuration back.
func (d runDir) config() (Config, error) {
	text, err := os.ReadFile(d.file(configFile))
	if err != nil {
		return Config{}, fmt.Errorf("experiment: %s: expected the directory of a run, found no %s: %w", d, configFile, err)
	}
	return Parse(d.file(configFile), text)
}

// seedDirs returns the seeds' directories of a run, or dir itself if it is one, in the order of
// the seeds.
func seedDirs(dir string) ([]runDir, error) {
	if runDir(dir).has(configFile) {
		return []runDir{runDir(dir)}, nil
	}
	dirs, err := seedsIn(dir)
	if err == nil && dirs == nil {
		err = fmt.Errorf("experiment: %s: expected a run, with directories such as seed1111, found none; give the directory that train printed", dir)
	}
	return dirs, err
}

// seedsIn returns the seeds' directories that have a configuration, in the order of the seeds.
func seedsIn(dir string) ([]runDir, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("experiment: run: %w", err)
	}
	byNumber := map[uint64]runDir{}
	var seeds []uint64
	for _, e := range entries {
		number, isSeed := strings.CutPrefix(e.Name(), "seed")
		seed, err := strconv.ParseUint(number, 10, 64)
		if d := runDir(filepath.Join(dir, e.Name())); isSeed && err == nil && d.has(configFile) {
			byNumber[seed] = d
			seeds = append(seeds, seed)
		}
	}
	slices.Sort(seeds)
	var dirs []runDir
	for _, s := range seeds {
		dirs = append(dirs, byNumber[s])
	}
	return dirs, nil
}

// createSeeds makes the directories of a run's seeds that are not there yet, and returns those of
// all.
func createSeeds(run string, c Config, seeds []uint64) ([]runDir, error) {
	var dirs []runDir
	for _, c.Seed = range seeds {
		d := runDir(filepath.Join(run, fmt.Sprintf("seed%d", c.Seed)))
		if !d.has(configFile) {
			if err := d.create(&c); err != nil {
				return nil, err
			}
		}
		dirs = append(dirs, d)
	}
	return dirs, nil
}

// place finds the directory for new seeds of a run. A name of the user's choice is taken if none
// of the seeds is there and those that are there have the same configuration. Otherwise the run is
// called like its variant, or variant-2, variant-3, …, the first that can be taken so: nothing is
// ever overwritten, and the same command twice gives two runs.
func place(out string, c *Config, seeds []uint64) (string, error) {
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

// placeOrReuse finds the run of the same configuration if there is one, else a place for it.
func placeOrReuse(out string, c *Config, seeds []uint64) (string, error) {
	found, err := filepath.Glob(filepath.Join(out, c.Dataset, c.Model, "*", "seed*"))
	if err != nil {
		return "", fmt.Errorf("experiment: %s: %w", out, err)
	}
	for _, path := range found {
		if old, err := runDir(path).config(); err == nil && sameBut(old, *c) {
			c.Name = old.Name
			return filepath.Dir(path), nil
		}
	}
	return place(out, c, seeds)
}

func canTake(dir string, c *Config, seeds []uint64) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	there, err := seedsIn(dir) // none where a process was killed before it wrote a configuration
	if err != nil {
		return err
	}
	for _, d := range there {
		old, err := d.config()
		if err != nil {
			return err
		}
		if !sameBut(old, *c) {
			return fmt.Errorf("experiment: %s: expected a run of the same configuration, found another; choose another name", d)
		}
		if slices.Contains(seeds, old.Seed) {
			return fmt.Errorf("experiment: %s: expected a free directory, found seed %d; choose another name, or continue it with recap train --resume %s", dir, old.Seed, d)
		}
	}
	return nil
}

// sweep removes what a killed process left half-written.
func (d runDir) sweep() error {
	half, err := filepath.Glob(d.file(".*.*.*"))
	for _, path := range half {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("experiment: %s: %w", d, err)
	}
	return nil
}

// WriteFile writes a file beside and renames it, so that it is there whole or not at all.
func WriteFile(path string, text []byte) error {
	return writeThrough(path, func(f *os.File) error {
		_, err := bytes.NewReader(text).WriteTo(f)
		return err
	})
}

func writeThrough(path string, write func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("experiment: %s: %w", path, err)
	}
	return nil
}

// placeAgain finds the directory of a run by its name, where there may be seeds of the same
// configuration.
func placeAgain(out string, c *Config, _ []uint64) (string, error) {
	dir := filepath.Join(out, c.Dataset, c.Model, c.Name)
	return dir, canTake(dir, c, nil)
}
