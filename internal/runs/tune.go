package runs

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// Files of a search's directory.
const (
	searchFile = "tune.yaml"
	TrialsFile = "trials.csv"
)

// A Search is a number of trials of one model on one data set, which differ in some settings. It
// has a directory beside those of the runs, and each trial is a run: tune-001, tune-002, … of the
// search tune.
type Search struct {
	Name string
	Base settings. // without the trials' settings
		Config
	Keys   []string
	Grid   []any // what the trials were drawn from, and
	Seed   uint64
	Trials []Trial
}

// A Trial is a combination of settings.
type Trial struct {
	Values []string // of the search's keys
	Config settings.Config
}

// declared is what a search's file holds.
type declared struct {
	Grid     []any  `yaml:"grid"`
	Seed     uint64 `yaml:"tune_seed"`
	Settings string `yaml:"settings"` // hash of the base
}

func (s *Search) dir(out string) string {
	return filepath.Join(out, s.Base.Dataset, s.Base.Model, s.Name)
}

func (s *Search) run(i int) string { return fmt.Sprintf("%s-%03d", s.Name, i+1) }

// PlanSearch makes the directories of a search's trials. A search that is there is continued if
// grid, seed and settings are the same.
func (r *Runner) PlanSearch(s *Search, seeds []uint64) ([]Unit, error) {
	if err := s.Base.CheckFile(); err != nil {
		return nil, err
	}
	same := map[string]int{}
	var configs []settings.Config
	for i, t := range s.Trials {
		c := t.Config
		c.Dataset, c.Name = s.Base.Dataset, s.run(i)
		if j, ok := same[c.Hash()]; ok {
			return nil, fmt.Errorf("runs: trials %d and %d: expected different settings, found the same; a key of the grid has no effect here", j+1, i+1)
		}
		same[c.Hash()] = i
		configs = append(configs, c)
	}
	if err := r.alone(func() error { return s.declare(s.dir(r.Out)) }); err != nil {
		return nil, err
	}
	return r.Plan(configs, seeds)
}

// declare writes what the search is, or compares it with what was written.
func (s *Search) declare(dir string) error {
	base := s.Base
	base.Seed = 0
	text, err := yaml.Marshal(declared{s.Grid, s.Seed, base.Hash()})
	if err != nil {
		return fmt.Errorf("runs: search: %w", err)
	}
	path := filepath.Join(dir, searchFile)
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if seeds, err := rundir.SeedsIn(dir); err == nil && seeds != nil {
			return fmt.Errorf("runs: %s: expected the directory of a search, found a run; choose another name", dir)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("runs: search: %w", err)
		}
		return rundir.WriteFile(path, text)
	}
	if err != nil {
		return fmt.Errorf("runs: search: %w", err)
	}
	var was, is declared
	if err := errors.Join(yaml.Unmarshal(old, &was), yaml.Unmarshal(text, &is)); err != nil {
		return fmt.Errorf("runs: %s: expected a search, found %w", path, err)
	}
	for _, part := range []struct {
		what    string
		was, is any
	}{{"grid", was.Grid, is.Grid}, {"seed of the draw", was.Seed, is.Seed}, {"settings", was.Settings, is.Settings}} {
		if !reflect.DeepEqual(part.was, part.is) {
			return fmt.Errorf("runs: %s: expected the %s with which this search was begun, found another; give the same to continue it, or --name for a new search", path, part.what)
		}
	}
	return nil
}

// A Tried trial has the score by which its checkpoints were chosen: on the validation part, mean
// and deviation over its finished seeds.
type Tried struct {
	Number    int // of the trial, from 0
	Run       string
	Seeds     int // that are finished
	Mean, Std float64
}

// Evaluated reads the scores of a search's trials and writes trials.csv. The best is the first;
// trials that are not finished are the last. Only the journals are read, which know nothing of the
// test part.
func (r *Runner) Evaluated(s *Search, seeds []uint64) ([]Tried, error) {
	var all []Tried
	err := r.alone(func() (err error) { // so that who writes last has seen the most
		if all, err = s.tried(r.Out, seeds); err != nil {
			return err
		}
		text, err := s.csv(all, len(seeds))
		if err != nil {
			return fmt.Errorf("runs: search: %w", err)
		}
		return rundir.WriteFile(filepath.Join(s.dir(r.Out), TrialsFile), text)
	})
	return all, err
}

func (s *Search) tried(out string, seeds []uint64) ([]Tried, error) {
	var all []Tried
	for i := range s.Trials {
		t := Tried{Number: i, Run: s.run(i)}
		var scores []metric.Scores
		for _, seed := range seeds {
			d := rundir.Dir(filepath.Join(out, s.Base.Dataset, s.Base.Model, t.Run, fmt.Sprintf("seed%d", seed)))
			if !d.Finished() {
				continue
			}
			records, err := d.Records()
			if err != nil {
				return nil, err
			}
			scores = append(scores, metric.Scores{s.Choice().Metric: s.Choice().Chosen(records)})
		}
		mean, std := metric.MeanStd(scores)
		t.Seeds, t.Mean, t.Std = len(scores), mean[s.Choice().Metric], std[s.Choice().Metric]
		all = append(all, t)
	}
	slices.SortStableFunc(all, func(a, b Tried) int {
		return cmp.Or(cmp.Compare(b.Seeds/len(seeds), a.Seeds/len(seeds)), compareNumbers(a.Mean, b.Mean))
	})
	return all, nil
}

// compareNumbers has NaN last.
func compareNumbers(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	case math.IsNaN(b):
		return -1
	}
	return cmp.Compare(a, b)
}

// Choice says by which score checkpoints are chosen. The smaller is the better.
func (s *Search) Choice() results.Choice { return results.Choices(&s.Base, metric.MOSI)[0] }

// ranked returns a trial's place, "" where it is not finished.
func ranked(i int, t *Tried, seeds int) string {
	if t.Seeds < seeds {
		return ""
	}
	return strconv.Itoa(i + 1)
}

func (s *Search) csv(all []Tried, seeds int) ([]byte, error) {
	score := "valid_" + s.Choice().Metric
	rows := [][]string{slices.Concat([]string{"rank", "trial", "run"}, s.Keys, []string{"seeds", score, score + "_std"})}
	for i := range all {
		t := &all[i]
		row := slices.Concat([]string{ranked(i, t, seeds), strconv.Itoa(t.Number + 1), t.Run}, s.Trials[t.Number].Values, []string{strconv.Itoa(t.Seeds), "", ""})
		if t.Seeds > 0 {
			row[len(row)-2], row[len(row)-1] = results.FormatNumber(t.Mean), results.FormatNumber(t.Std)
		}
		rows = append(rows, row)
	}
	var b bytes.Buffer
	err := csv.NewWriter(&b).WriteAll(rows)
	return b.Bytes(), err
}

// Table returns a row for each trial, in the order of Evaluated.
func (s *Search) Table(all []Tried, seeds []uint64) table.Writer {
	title := fmt.Sprintf("%s, %s, %d trials, %s; validation at rate %g, test scores were not looked at",
		s.Base.Dataset, s.Base.Model, len(all), tables.SeedList(seeds), s.Base.Eval.ValidRate)
	t := tables.NewTable(title, "rank", slices.Concat([]string{"run"}, s.Keys, []string{"seeds", "valid " + s.Choice().Metric}))
	for i := range all {
		y := &all[i]
		row := table.Row{ranked(i, y, len(seeds)), y.Run}
		for _, v := range s.Trials[y.Number].Values {
			row = append(row, v)
		}
		cell := ""
		if y.Seeds > 0 {
			cell = fmt.Sprintf("%.4f", y.Mean)
		}
		if y.Seeds > 1 {
			cell += fmt.Sprintf(" ± %.4f", y.Std)
		}
		t.AppendRow(append(row, fmt.Sprintf("%d/%d", y.Seeds, len(seeds)), cell))
	}
	return t
}
