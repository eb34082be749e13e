package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/settings"
)

// ChooseDir returns the directory for new seeds of a run. A directory can be used if it has none of
// the seeds and if the seeds that it has are of the same configuration. With a name in c it returns
// the directory of this name, or an error if it cannot be used. Without a name the run is called
// like its variant, or variant-2, variant-3, …: the first name that can be used, which is stored in
// c. So nothing is overwritten, and the same command twice makes two runs.
func ChooseDir(out string, c *settings.Config, seeds []uint64) (string, error) {
	return chooseDir(out, c.Variant, c, seeds)
}

// chooseDir is [ChooseDir] with base in place of the variant.
func chooseDir(out, base string, c *settings.Config, seeds []uint64) (string, error) {
	all := filepath.Join(out, c.Dataset, c.Model)
	if c.Name != "" {
		dir := filepath.Join(all, c.Name)
		return dir, canUse(dir, c, seeds)
	}
	for k := 1; ; k++ {
		name := base
		if k > 1 {
			name += fmt.Sprintf("-%d", k)
		}
		if dir := filepath.Join(all, name); canUse(dir, c, seeds) == nil {
			c.Name = name
			return dir, nil
		}
	}
}

// What a variant with more epochs has in common with the whole model: it is at the end of the name
// of its run, after that of the variant.
const (
	EqualSteps = "equal-steps" // as many steps of optimisers
	EqualTime  = "equal-time"  // as much time of training
)

// EqualTo returns [EqualSteps] or [EqualTime] if the name of the run says so, otherwise "".
func EqualTo(c *settings.Config) string {
	for _, equal := range []string{EqualSteps, EqualTime} {
		if strings.HasPrefix(c.Name, c.Variant+"-"+equal) {
			return equal
		}
	}
	return ""
}

// ReuseDir returns the directory of the run with the same configuration if there is one, whose name
// is stored in c, otherwise the same as [ChooseDir] with base in place of the variant.
func ReuseDir(out, base string, c *settings.Config, seeds []uint64) (string, error) {
	all := filepath.Join(out, c.Dataset, c.Model)
	names, err := os.ReadDir(all)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("rundir: %w", err)
	}
	for _, name := range names {
		run := filepath.Join(all, name.Name())
		dirs, _ := SeedSubdirs(run) // none if it is a file
		for _, d := range dirs {
			if old, err := d.Config(); err == nil && settings.SameExceptSeed(old, *c) {
				c.Name = old.Name
				return run, nil
			}
		}
	}
	return chooseDir(out, base, c, seeds)
}

// NamedDir returns the directory of a run by its name. It returns an error if the directory has
// seeds of another configuration.
func NamedDir(out string, c *settings.Config) (string, error) {
	dir := filepath.Join(out, c.Dataset, c.Model, c.Name)
	return dir, canUse(dir, c, nil)
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
