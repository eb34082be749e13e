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

// Names of the files in the directory of a seed or of a run.
const (
	ConfigFile      = "config.yaml"
	JournalFile     = "metrics.jsonl"
	BestFile        = "best.safetensors"
	StateFile       = "state.safetensors"
	PredictionsFile = "predictions.csv" // written last: if it exists, the seed is finished
	SummaryCSV      = "summary.csv"
	SummaryMarkdown = "summary.md"
)

// SnapshotFile returns the name of the file with the snapshot of a phase (zoo.Phase.Snapshot).
func SnapshotFile(phase string) string { return phase + ".safetensors" }

// A Dir is the directory of one seed of a run.
type Dir string

// File returns the path of a file in the directory.
func (d Dir) File(name string) string { return filepath.Join(string(d), name) }

// Has reports whether the file exists in the directory.
func (d Dir) Has(name string) bool {
	_, err := os.Stat(d.File(name))
	return err == nil
}

// Finished reports whether the seed is trained and tested.
func (d Dir) Finished() bool { return d.Has(PredictionsFile) }

// LastState describes for an error message where the state of the last complete epoch is.
func (d Dir) LastState() string {
	if d.Has(StateFile) {
		return "The last good state is " + d.File(StateFile)
	}
	return "No epoch was finished before"
}

// Create creates the directory and writes the configuration into it.
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

// Config reads the configuration of the seed.
func (d Dir) Config() (settings.Config, error) {
	text, err := os.ReadFile(d.File(ConfigFile))
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

// CreateSeeds creates the directories of the seeds of a run that do not exist, and returns the
// directories of all seeds.
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

// ChooseDir returns the directory for new seeds of a run. A directory can be used if it has none of
// the seeds and if the seeds that it has are of the same configuration. With a name in c it returns
// the directory of this name, or an error if it cannot be used. Without a name the run is called
// like its variant, or variant-2, variant-3, …: the first name that can be used, which is stored in
// c. So nothing is overwritten, and the same command twice makes two runs.
func ChooseDir(out string, c *settings.Config, seeds []uint64) (string, error) {
	base := filepath.Join(out, c.Dataset, c.Model)
	if c.Name != "" {
		dir := filepath.Join(base, c.Name)
		return dir, canUse(dir, c, seeds)
	}
	for k := 1; ; k++ {
		name := c.Variant
		if k > 1 {
			name += fmt.Sprintf("-%d", k)
		}
		if dir := filepath.Join(base, name); canUse(dir, c, seeds) == nil {
			c.Name = name
			return dir, nil
		}
	}
}

// ReuseDir returns the directory of the run with the same configuration if there is one, whose name
// is stored in c, otherwise the result of [ChooseDir].
func ReuseDir(out string, c *settings.Config, seeds []uint64) (string, error) {
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
	return ChooseDir(out, c, seeds)
}

func canUse(dir string, c *settings.Config, seeds []uint64) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	dirs, err := SeedSubdirs(dir) // empty if a process was killed before it wrote a configuration
	if err != nil {
		return err
	}
	for _, d := range dirs {
		old, err := d.Config()
		if err != nil {
			return err
		}
		if !settings.SameExceptSeed(old, *c) {
			return fmt.Errorf(
				"rundir: %s: expected a run of the same configuration, found another; choose another name", d,
			)
		}
		if slices.Contains(seeds, old.Seed) {
			return fmt.Errorf(
				"rundir: %s: expected a directory without this seed, found seed %d; choose "+
					"another name, or continue it with recap train --resume %s", dir, old.Seed, d,
			)
		}
	}
	return nil
}

// RemovePartialFiles removes temporary files of a process that was killed.
func (d Dir) RemovePartialFiles() error {
	paths, err := filepath.Glob(d.File(".*.*.*"))
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("rundir: %s: %w", d, err)
	}
	return nil
}

// WriteFile writes a temporary file and renames it to path, so that path is written completely or
// not at all.
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

// NamedDir returns the directory of a run by its name. It returns an error if the directory has
// seeds of another configuration.
func NamedDir(out string, c *settings.Config) (string, error) {
	dir := filepath.Join(out, c.Dataset, c.Model, c.Name)
	return dir, canUse(dir, c, nil)
}
