package experiment

import (
	"crypto/sha256"
	"fmt"
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
			kind, err := labelKind(d, &c)
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

// read adds the scores of a finished seed.
func (s *Summary) read(d runDir, c *Config) error {
	tested, err := readPredictions(d, c, s.kind)
	if err != nil {
		return err
	}
	s.add(c, merge(c, s.kind, tested), tested[0])
	return nil
}

// addTested scores what a seed predicted with each of its choices.
func (s *Summary) addTested(c *Config, kind metric.Kind, tested [][]*Predictions) {
	s.Config, s.kind = *c, kind
	s.add(c, merge(c, kind, tested), tested[0])
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

// Summarize scores the predictions of the finished seeds of a run, or of one seed of it.
func Summarize(dir string) (*Summary, error) { return summarize(dir, nil) }
