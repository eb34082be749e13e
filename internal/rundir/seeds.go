package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// seedsFile is the name of the list of a run's seeds, one in each line. It exists while their
// directories are created: if the process is killed meanwhile, [PlannedSeeds] creates the others.
const seedsFile = "seeds.txt"

// CreateSeeds creates the directories of the seeds of a run that do not exist, and returns the
// directories of all seeds.
func CreateSeeds(run string, c settings.Config, seeds []uint64) ([]Dir, error) {
	if err := files.MkdirAll(run); err != nil {
		return nil, fmt.Errorf("rundir: run directory: %w", err)
	}
	existing, err := SeedSubdirs(run)
	if err != nil {
		return nil, err
	}
	planned := slices.Clone(seeds)
	if existing != nil { // otherwise a list may be that of another configuration
		before, err := listedSeeds(run)
		if err != nil {
			return nil, err
		}
		planned = append(planned, before...)
	}
	dirOf := func(seed uint64) Dir { return Dir(filepath.Join(run, fmt.Sprintf("seed%d", seed))) }
	if slices.ContainsFunc(planned, func(s uint64) bool { return !dirOf(s).Has(ConfigFile) }) {
		text := strings.Trim(strings.ReplaceAll(fmt.Sprint(planned), " ", "\n"), "[]") + "\n"
		if err := WriteFile(filepath.Join(run, seedsFile), []byte(text)); err != nil {
			return nil, err
		}
	}
	for _, c.Seed = range planned {
		if d := dirOf(c.Seed); !d.Has(ConfigFile) {
			if err := d.WriteConfig(&c); err != nil {
				return nil, err
			}
		}
	}
	err = files.Remove(filepath.Join(run, seedsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("rundir: %w", err)
	}
	if err := removeLeftovers(run, seedsFile); err != nil {
		return nil, err
	}
	var dirs []Dir
	for _, seed := range seeds {
		dirs = append(dirs, dirOf(seed))
	}
	return dirs, nil
}

// listedSeeds returns the seeds in the list of a run, none if it has no list.
func listedSeeds(run string) (seeds []uint64, err error) {
	path := filepath.Join(run, seedsFile)
	text, err := files.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rundir: %w", err)
	}
	for _, line := range strings.Fields(string(text)) {
		seed, err := strconv.ParseUint(line, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("rundir: %s: expected a seed in each line, found %q; remove "+
				"the file, and train the seeds that are missing", path, line)
		}
		seeds = append(seeds, seed)
	}
	return seeds, nil
}

// PlannedSeeds is [SeedDirs]. Before, it creates the directories of the seeds that a killed process
// was about to create.
func PlannedSeeds(dir string) ([]Dir, error) {
	dirs, err := SeedDirs(dir)
	if err != nil || Dir(dir).Has(ConfigFile) {
		return dirs, err
	}
	seeds, err := listedSeeds(dir)
	if err != nil || seeds == nil {
		return dirs, err
	}
	c, err := dirs[0].Config()
	if err != nil {
		return nil, err
	}
	if _, err := CreateSeeds(dir, c, seeds); err != nil {
		return nil, err
	}
	return SeedDirs(dir)
}
