package runs

import (
	"fmt"
	"log/slog"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// AddBaselines adds the constant predictor to comparisons, for which it reads their data. Where
// these cannot be read or have changed, a comparison stays without it, and the log says why.
func AddBaselines(all []*tables.Comparison, log *slog.Logger) {
	sets := map[string]*datasets.Set{}
	for _, p := range all {
		err := p.AddBaseline(func(s *tables.Summary, c *settings.Config) ([]float32, error) {
			set, err := labels(sets, *c)
			if err != nil {
				return nil, err
			}
			if !s.TestedOn(c.Seed, set.Test.ID, set.Test.Label) {
				return nil, fmt.Errorf("runs: data set %s %s: expected the test split of the "+
					"runs, found another; give the run its data with recap train --resume DIR "+
					"--data FILE", c.Dataset, c.Data.File)
			}
			return set.Train.Fraction(c.Data.Labels, c.Seed).Label, nil
		})
		if err != nil {
			log.Warn("a table has no constant predictor, since the data are not available",
				"reason", err)
		}
	}
}

// addBaselines adds the constant predictor of each seed to the scores of a run.
func addBaselines(s *tables.Summary, data *train.Data) error {
	c := s.Config
	for _, c.Seed = range s.Seeds {
		set, err := data.For(&c)
		if err != nil {
			return err
		}
		s.AddBaseline(set.Train.Fraction(c.Data.Labels, c.Seed).Label)
	}
	return nil
}

// labels opens a data set unless it is in sets. Replaced features do not matter for labels.
func labels(sets map[string]*datasets.Set, c settings.Config) (*datasets.Set, error) {
	c.Data.Text, c.Data.Audio, c.Data.Vision = "", "", ""
	resplit, _ := c.Data.Resplit.Seed(c.Seed)
	key := fmt.Sprint(c.Dataset, " ", c.Data.Scale, " ", c.Data.Limit, " ", resplit, " ",
		c.Eval.Split, " ", c.Data.File)
	if set, ok := sets[key]; ok {
		return set, nil
	}
	set, err := train.OpenData(&c)
	if err == nil {
		sets[key] = set
	}
	return set, err
}
