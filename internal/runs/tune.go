package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"

	"github.com/goccy/go-yaml"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// Files of a search's directory.
const (
	searchFile = "tune.yaml"
	trialsFile = "trials.csv"
)

// A Search is a number of trials of one model on one data set. The trials differ in some settings.
// Each trial is a run: tune-001, tune-002, … in a search with the name tune. The search itself has
// a directory beside those of the runs.
type Search struct {
	Name   string
	Base   settings.Config // without the settings of the trials
	Keys   []string        // of the settings in which the trials differ
	Grid   []any           // the search space, as it is written to the search's file
	Seed   uint64          // with which the trials were drawn
	Trials []Trial
}

// A Trial is one combination of settings.
type Trial struct {
	Values []string // of Search.Keys
	Config settings.Config
}

// searchSpec is the contents of a search's file.
type searchSpec struct {
	Grid     []any  `yaml:"grid"`
	Seed     uint64 `yaml:"tune_seed"`
	Settings string `yaml:"settings"` // hash of the base
}

// dir returns the directory of the search.
func (s *Search) dir(out string) string {
	return filepath.Join(out, s.Base.Dataset, s.Base.Model, s.Name)
}

// run returns the name of the run of trial i.
func (s *Search) run(i int) string { return fmt.Sprintf("%s-%03d", s.Name, i+1) }

// PlanSearch creates the directories of a search's trials and returns their units (see
// [Runner.Plan]). If there is a search of this name, it is continued; it is an error if its grid,
// seed or settings differ. More trials than before may be planned.
func (r *Runner) PlanSearch(s *Search, seeds []uint64) ([]Unit, error) {
	if err := s.Base.CheckFile(); err != nil {
		return nil, err
	}
	trials := map[string]int{} // by hash of the configuration
	var configs []settings.Config
	for i, t := range s.Trials {
		c := t.Config
		c.Dataset, c.Name = s.Base.Dataset, s.run(i)
		if j, ok := trials[c.Hash()]; ok {
			return nil, fmt.Errorf("runs: trials %d and %d: expected different settings, found the same; "+
				"a key of the grid has no effect here", j+1, i+1)
		}
		trials[c.Hash()] = i
		configs = append(configs, c)
	}
	if err := r.withLock(func() error { return s.writeOrCompare(s.dir(r.Out)) }); err != nil {
		return nil, err
	}
	return r.Plan(configs, seeds)
}

// writeOrCompare writes the search's file. If there is one, it returns an error if it differs.
func (s *Search) writeOrCompare(dir string) error {
	base := s.Base
	base.Seed = 0
	text, err := yaml.Marshal(searchSpec{s.Grid, s.Seed, base.Hash()})
	if err != nil {
		return fmt.Errorf("runs: search: %w", err)
	}
	path := filepath.Join(dir, searchFile)
	written, err := files.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if seeds, err := rundir.SeedSubdirs(dir); err == nil && seeds != nil {
			return fmt.Errorf(
				"runs: %s: expected the directory of a search, found a run; choose another name",
				dir,
			)
		}
		if err := files.MkdirAll(dir); err != nil {
			return fmt.Errorf("runs: search: %w", err)
		}
		return errors.Join(rundir.RemoveLeftovers(path), rundir.WriteFile(path, text))
	}
	if err != nil {
		return fmt.Errorf("runs: search: %w", err)
	}
	var old, spec searchSpec
	if err := errors.Join(settings.UnmarshalYAML(written, &old),
		settings.UnmarshalYAML(text, &spec)); err != nil {
		return fmt.Errorf("runs: %s: expected a search, found %w", path, err)
	}
	for _, part := range []struct {
		name      string
		want, got any
	}{
		{"grid", old.Grid, spec.Grid},
		{"random seed", old.Seed, spec.Seed},
		{"settings", old.Settings, spec.Settings},
	} {
		if !reflect.DeepEqual(part.want, part.got) {
			return fmt.Errorf("runs: %s: expected the %s with which this search was started, found another; "+
				"give the same to continue it, or --name for a new search", path, part.name)
		}
	}
	return nil
}
