package runs

import (
	"fmt"
	"path/filepath"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// MoveData records that the data of a run are now in another file. dir is the directory of the run
// or of one of its seeds; the file is recorded for all seeds. It is an error if the data are not
// those that the seeds come from.
func (r *Runner) MoveData(dir, file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("runs: data: %w", err)
	}
	dirs, err := rundir.PlannedSeeds(dir)
	if err != nil {
		return err
	}
	if dirs, err = rundir.SeedSubdirs(dirs[0].Run()); err != nil {
		return err
	}
	var configs []settings.Config
	for _, d := range dirs {
		c, err := d.Config()
		if err != nil {
			return err
		}
		known, err := train.HasOrigin(d)
		if err != nil {
			return err
		}
		if !known && c.Data.File != file {
			return fmt.Errorf("runs: %s: expected a run that says from which data it comes, found "+
				"one of version 0.1, which does not; put the file back at %s", d, c.Data.File)
		}
		c.Data.File = file
		configs = append(configs, c)
	}
	data, err := train.OpenWithOrigin(&configs[0])
	if err != nil {
		return err
	}
	for i, d := range dirs {
		if err := data.CheckOrigin(d, &configs[i]); err != nil {
			return err
		}
	}
	for i, d := range dirs {
		if err := d.WriteConfig(&configs[i]); err != nil {
			return err
		}
	}
	r.Log.Info("data", "run", dirs[0].Run(), "file", file)
	return nil
}
