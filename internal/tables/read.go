package tables

import (
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
	records, _ := d.Records() // scores do not need a journal
	for i := range records {
		s.programs = addOnce(s.programs, records[i].Program)
	}
	if len(records) == 0 {
		s.programs = addOnce(s.programs, "")
	}
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
	s.tests = append(s.tests, testSplitOf(predictions[0]))
	s.labels = append(s.labels, predictions[0].Label)
	s.Seeds = append(s.Seeds, c.Seed)
	s.perSeed = append(s.perSeed, scores)
}

// CheckSameTest returns an error unless two runs on data of one name were tested on the same
// utterances with the same labels; their scores must not be in one figure. The directories are for
// the message.
func CheckSameTest(dirA string, a *Summary, dirB string, b *Summary) error {
	if a.Config.Dataset != b.Config.Dataset || sameTest(a, b) {
		return nil
	}
	return fmt.Errorf("tables: %s: expected the test split of %s, %s utterances, found another "+
		"of %s; compare runs with the same data, data.limit and data.resplit, and with a seed in "+
		"common if that is seed", dirB, dirA, a.utterances(), b.utterances())
}

// Summarize returns the scores of the finished seeds of a run, or of one seed of it. It returns an
// error if no seed is finished.
func Summarize(dir string) (*Summary, error) { return SummarizeSeeds(dir, nil) }
