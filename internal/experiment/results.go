package experiment

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"

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
			kind, err := d.kind(&c)
			if err != nil {
				return nil, err
			}
			s = &Summary{Config: c, kind: kind}
		}
		if err := s.read(d, &c); err != nil {
			return nil, err
		}
	}
	if s == nil {
		return nil, unfinished(dir)
	}
	return s, nil
}

func unfinished(dir string) error {
	return fmt.Errorf("experiment: %s: expected a finished run, found none; continue it with recap train --resume %s", dir, dir)
}

// kind returns the family of the labels of the run's data.
func (d runDir) kind(c *Config) (metric.Kind, error) {
	dims, err := d.dims()
	return labelsOf(c.Dataset, dims.Range), err
}

// read adds the scores of a finished seed.
func (s *Summary) read(d runDir, c *Config) error {
	tested, err := d.predictions(c, s.kind)
	if err != nil {
		return err
	}
	s.add(c, merge(c, s.kind, tested), tested[0])
	return nil
}

// add appends a seed's scores at the rates of its predictions.
func (s *Summary) add(c *Config, run []metric.Scores, at []*Predictions) {
	s.Rates = nil
	for _, p := range at {
		s.Rates = append(s.Rates, p.Rate)
	}
	s.test = testOf(at[0])
	s.Seeds = append(s.Seeds, c.Seed)
	s.runs = append(s.runs, run)
}

// A testPart identifies what was predicted.
type testPart struct {
	utterances int
	sum        [sha256.Size]byte // of ids and labels
}

func testOf(p *Predictions) testPart {
	h := sha256.New()
	for i, id := range p.ID {
		fmt.Fprintf(h, "%q %s\n", id, exact(p.Label[i]))
	}
	return testPart{len(p.ID), [sha256.Size]byte(h.Sum(nil))}
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
