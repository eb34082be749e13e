package tables

import (
	"cmp"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// AddBaseline adds the constant predictor of the row with the most training labels to all tables of
// the comparison. labels returns the labels with which a seed of a configuration was trained.
func (p *Comparison) AddBaseline(
	labels func(s *Summary, c *settings.Config) ([]float32, error),
) error {
	s := slices.MaxFunc(p.rows, func(a, b *Summary) int {
		return cmp.Compare(a.Config.Data.Labels, b.Config.Data.Labels)
	})
	with := *s
	for _, seed := range s.Seeds {
		c := s.Config
		c.Seed = seed
		train, err := labels(s, &c)
		if err != nil {
			return err
		}
		with.AddBaseline(train)
	}
	p.constant = with.constant()
	return nil
}

// TestedOn reports whether a seed was tested on the utterances with these ids and labels.
func (s *Summary) TestedOn(seed uint64, id []string, label []float32) bool {
	p := &results.Predictions{ID: id, Label: slices.Clone(label)}
	if classes := s.Config.Data.Classes; classes > 0 {
		for i, y := range label {
			p.Label[i] = float32(metric.ClassOf(float64(y), classes, s.Kind))
		}
	}
	return testSplitOf(p) == s.tests[slices.Index(s.Seeds, seed)]
}
