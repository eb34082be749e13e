package experiment

import (
	"fmt"
	"os"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/seed-6655bf3b/recap/internal/metric"
)

// summarize scores the predictions of a run's finished seeds; with only, of these seeds.
func summarize(dir string, only []uint64) (*Summary, error) {
	there, err := seedDirs(dir)
	if err != nil {
		return nil, err
	}
	var s *Summary
	for _, d := range there {
		c, err := d.config()
		if err != nil {
			return nil, err
		}
		if !d.finished() || only != nil && !slices.Contains(only, c.Seed) {
			continue
		}
		if s == nil {
			_, dims, err := d.checkpoint()
			if err != nil {
				return nil, err
			}
			s = &Summary{Config: c, kind: labelsOf(c.Dataset, dims.Range)}
		}
		tested, err := d.predictions(&c, s.kind)
		if err != nil {
			return nil, err
		}
		s.add(&c, merge(&c, s.kind, tested), tested[0])
	}
	if s == nil {
		return nil, fmt.Errorf("experiment: %s: expected a finished run, found none; continue it with recap train --resume %s", dir, dir)
	}
	return s, nil
}

// add appends a seed's scores at the rates of its predictions.
func (s *Summary) add(c *Config, run []metric.Scores, at []*Predictions) {
	s.Rates = nil
	for _, p := range at {
		s.Rates = append(s.Rates, p.Rate)
	}
	s.Seeds = append(s.Seeds, c.Seed)
	s.runs = append(s.runs, run)
}

// predictions reads what the run predicted, for each of its choices.
func (d runDir) predictions(c *Config, kind metric.Kind) ([][]*Predictions, error) {
	var all [][]*Predictions
	for _, choice := range choices(c, kind) {
		path := d.file(choice.of(predictionsFile))
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("experiment: predictions: %w", err)
		}
		list, err := readCSV(path, file)
		if err != nil {
			return nil, err
		}
		all = append(all, list)
	}
	return all, nil
}

// AblationTable returns a row for each summary, of the means over rates.
func AblationTable(all []*Summary) table.Writer {
	s := all[0]
	c := &s.Config
	t := newTable(fmt.Sprintf("%s, %s, mean over rates %s, %s; %s", c.Dataset, c.Model, c.Eval.Rates, seedList(s.Seeds), c.selection()), "variant", s.keys())
	for _, s := range all {
		t.AppendRow(append(table.Row{s.Config.variant().Label}, s.cells("mean")...))
	}
	return t
}
