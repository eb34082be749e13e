package experiment

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
)

// A Run is a run's directory as it stands, finished or not.
type Run struct {
	Dir     string
	Config  Config    // of the first seed
	Seeds   []SeedRun // in order
	Results *Summary  // of the finished seeds; nil without one
}

// A SeedRun is the directory of one seed of a run.
type SeedRun struct {
	Seed     uint64 `json:"seed"`
	Dir      string `json:"-"`
	Finished bool   `json:"finished"`
}

// ReadRun reads the directory of a run, or of one seed.
func ReadRun(dir string) (*Run, error) {
	r, err := LookAtRun(dir)
	if err == nil && slices.ContainsFunc(r.Seeds, func(s SeedRun) bool { return s.Finished }) {
		r.Results, err = summarize(dir, nil)
	}
	return r, err
}

// LookAtRun reads all but the results.
func LookAtRun(dir string) (*Run, error) {
	there, err := seedDirs(dir)
	if err != nil {
		return nil, err
	}
	r := &Run{Dir: dir}
	for i, d := range there {
		c, err := d.config()
		if err != nil {
			return nil, err
		}
		if i == 0 {
			r.Config = c
		}
		r.Seeds = append(r.Seeds, SeedRun{c.Seed, string(d), d.finished()})
	}
	return r, nil
}

// Finished tells whether all seeds are.
func (r *Run) Finished() bool {
	return !slices.ContainsFunc(r.Seeds, func(s SeedRun) bool { return !s.Finished })
}

// Title says which model learned from what.
func (r *Run) Title() string {
	return fmt.Sprintf("%s on %s", r.Config.variant().Label, r.Config.Dataset)
}

// YAML returns the configuration that the seeds have in common.
func (r *Run) YAML() (string, error) {
	text, err := r.Config.yaml()
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

// Changes lists the settings that are neither the preset's nor the variant's, as --set takes them.
func (r *Run) Changes() []string {
	var list []string
	for _, x := range r.Config.settings() {
		if x.key != dataSetting && x.key != textSetting && x.key != "preset" {
			list = append(list, x.key+"="+x.value)
		}
	}
	return list
}

// Selection says in words how checkpoints were chosen.
func (r *Run) Selection() string { return r.Config.selection() }

// Journal names the file that grows by a line, in JSON, with each epoch of training.
func (s SeedRun) Journal() string { return runDir(s.Dir).file(journalFile) }

// Records returns the whole lines of the journal, none where training has not begun.
func (s SeedRun) Records() ([]json.RawMessage, error) {
	text, err := os.ReadFile(s.Journal())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("experiment: journal: %w", err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	records := []json.RawMessage{}
	for line := range bytes.Lines(whole) {
		if !json.Valid(line) {
			return nil, fmt.Errorf("experiment: %s: line %d: expected JSON, found %.40q; resume the run", s.Journal(), len(records)+1, line)
		}
		records = append(records, json.RawMessage(bytes.TrimSpace(line)))
	}
	return records, nil
}

// TermTitles returns what the names of terms begin with and what they end in, each with its
// meaning, in the order in which they are shown. Not every name is made so.
func (c *Config) TermTitles() (beginnings, endings [][2]string) {
	for _, t := range c.termTitles() {
		title := t.Title
		if t.Unit != "" {
			title += ", " + t.Unit
		}
		beginnings = append(beginnings, [2]string{t.Name, title})
	}
	for _, c := range termCurves {
		endings = append(endings, [2]string{c.suffix, c.name})
	}
	return beginnings, endings
}

// FindRuns returns the directories of runs at and under dir, in order.
func FindRuns(dir string) ([]string, error) {
	if _, err := seedDirs(dir); err == nil {
		return []string{filepath.Clean(dir)}, nil
	}
	var runs []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && runDir(path).has(configFile) {
			if run := filepath.Dir(path); len(runs) == 0 || runs[len(runs)-1] != run {
				runs = append(runs, run)
			}
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("experiment: runs: %w", err)
	}
	return runs, nil
}

// Cells returns the summary as text: the names of the metrics, and for each rate, for the "mean"
// over the rates and for "AUILC", the area under the curve, its name and the scores, with their
// standard deviations over seeds where there are several.
func (s *Summary) Cells() (metrics []string, rows [][]string) {
	for _, rate := range append(names(s.Rates, number), "mean") {
		row := []string{rate}
		for _, cell := range s.cells(rate) {
			row = append(row, fmt.Sprint(cell))
		}
		rows = append(rows, row)
	}
	if len(s.Rates) > 1 {
		row := []string{"AUILC"}
		mean, std := s.areas()
		for _, key := range s.keys() {
			row = append(row, s.cell(mean[key], std[key], 4))
		}
		rows = append(rows, row)
	}
	return s.keys(), rows
}

// SeedCells returns for each seed its name and its scores, means over the rates.
func (s *Summary) SeedCells() [][]string {
	var rows [][]string
	for _, seed := range s.Seeds {
		row := []string{fmt.Sprint(seed)}
		scores := s.find(fmt.Sprint(seed), "mean")
		for _, key := range s.keys() {
			row = append(row, fmt.Sprintf("%.4f", scores[key]))
		}
		rows = append(rows, row)
	}
	return rows
}

// WriteFile writes a file beside and renames it, so that it is there whole or not at all.
func WriteFile(path string, text []byte) error { return writeFile(path, text) }
