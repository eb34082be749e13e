package tables

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// SummarizeSeeds is [Summarize] for the given seeds, or for all if seeds is nil.
func SummarizeSeeds(dir string, seeds []uint64) (*Summary, error) {
	dirs, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	var s *Summary
	unfinished := 0
	for _, d := range dirs {
		c, err := d.Config()
		if err != nil {
			return nil, err
		}
		if seeds != nil && !slices.Contains(seeds, c.Seed) {
			continue
		}
		if !d.Finished() {
			unfinished++
			continue
		}
		if s == nil {
			kind, err := results.LabelKind(d, &c)
			if err != nil {
				return nil, err
			}
			s = &Summary{Config: c, Kind: kind}
		}
		if err := s.read(d, &c); err != nil {
			return nil, err
		}
	}
	if s == nil {
		return nil, rundir.UnfinishedError(dir)
	}
	s.Unfinished = unfinished
	return s, nil
}

// read appends the scores of a finished seed.
func (s *Summary) read(d rundir.Dir, c *settings.Config) error {
	tested, err := results.Read(d, c, s.Kind)
	if err != nil {
		return err
	}
	s.add(c, results.Merge(c, s.Kind, tested), tested[0])
	s.dirs = append(s.dirs, d)
	return nil
}

// AddTested appends the scores of a seed, computed from predictions as [results.Read] returns
// them.
func (s *Summary) AddTested(
	c *settings.Config, kind metric.Kind, tested [][]*results.Predictions,
) {
	s.Config, s.Kind = *c, kind
	s.add(c, results.Merge(c, kind, tested), tested[0])
}

// add appends the scores of a seed, one element for each of the predictions.
func (s *Summary) add(
	c *settings.Config, scores []metric.Scores, predictions []*results.Predictions,
) {
	s.Rates = nil
	for _, p := range predictions {
		s.Rates = append(s.Rates, p.Rate)
	}
	s.test, s.labels = testSplitOf(predictions[0]), predictions[0].Label
	s.Seeds = append(s.Seeds, c.Seed)
	s.perSeed = append(s.perSeed, scores)
}

// A testSplit identifies a test split: two are equal if utterances and labels are the same.
type testSplit struct {
	utterances int
	hash       [sha256.Size]byte // of ids and labels
}

// CheckSameTest returns an error unless two runs on data of one name were tested on the same
// utterances with the same labels; their scores must not be in one figure. The directories are for
// the message.
func CheckSameTest(dirA string, a *Summary, dirB string, b *Summary) error {
	if a.Config.Dataset != b.Config.Dataset || a.test == b.test {
		return nil
	}
	return fmt.Errorf("tables: %s: expected the test split of %s, %d utterances, found another "+
		"of %d; compare runs with the same data and data.limit",
		dirB, dirA, a.test.utterances, b.test.utterances)
}

// testSplitOf returns the identity of the split that was predicted.
func testSplitOf(p *results.Predictions) testSplit {
	h := sha256.New()
	for i, id := range p.ID {
		fmt.Fprintf(h, "%q %s\n", id, results.FormatFloat32(p.Label[i]))
	}
	return testSplit{len(p.ID), [sha256.Size]byte(h.Sum(nil))}
}

// Summarize returns the scores of the finished seeds of a run, or of one seed of it. It returns an
// error if no seed is finished.
func Summarize(dir string) (*Summary, error) { return SummarizeSeeds(dir, nil) }
