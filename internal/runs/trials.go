package runs

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// A TrialScore is the validation score of a trial: the score that selects its checkpoints.
type TrialScore struct {
	Trial     int // index in Search.Trials
	Run       string
	Seeds     int     // the number of finished seeds
	Mean, Std float64 // over the finished seeds (NaN without); Std is the population's
}

// TrialScores returns the scores of a search's trials and writes them to trials.csv. The best
// trial is the first; unfinished trials are the last, at the end those without a finished seed. It
// reads only the journals, which have no test scores.
func (r *Runner) TrialScores(s *Search, seeds []uint64) ([]TrialScore, error) {
	var all []TrialScore
	err := r.withLock(func() (err error) { // the last process to write has read the most scores
		if all, err = s.scores(r.Out, seeds); err != nil {
			return err
		}
		text, err := s.csv(all, len(seeds))
		if err != nil {
			return fmt.Errorf("runs: search: %w", err)
		}
		path := filepath.Join(s.dir(r.Out), trialsFile)
		return errors.Join(rundir.RemoveLeftovers(path), rundir.WriteFile(path, text))
	})
	return all, err
}

// scores returns the scores of the trials in their order.
func (s *Search) scores(out string, seeds []uint64) ([]TrialScore, error) {
	var all []TrialScore
	for i := range s.Trials {
		t := TrialScore{Trial: i, Run: s.run(i)}
		key := s.Choice().Metric
		var scores []metric.Scores
		for _, seed := range seeds {
			run := filepath.Join(out, s.Base.Dataset, s.Base.Model, t.Run)
			d := rundir.Dir(filepath.Join(run, fmt.Sprintf("seed%d", seed)))
			if !d.Finished() {
				continue
			}
			records, err := d.Records()
			if err != nil {
				return nil, err
			}
			scores = append(scores, metric.Scores{key: s.Choice().SelectedScore(records)})
		}
		mean, std := metric.MeanStd(scores)
		if t.Seeds, t.Mean, t.Std = len(scores), mean[key], std[key]; scores == nil {
			t.Mean, t.Std = math.NaN(), math.NaN()
		}
		all = append(all, t)
	}
	slices.SortStableFunc(all, func(a, b TrialScore) int {
		finished := cmp.Compare(b.Seeds/len(seeds), a.Seeds/len(seeds))
		return cmp.Or(finished, compareNaNLast(a.Mean, b.Mean))
	})
	return all, nil
}

// compareNaNLast compares numbers; NaN is larger than all others.
func compareNaNLast(a, b float64) int {
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

// Choice returns how the checkpoints of the trials are selected. A smaller score is better.
func (s *Search) Choice() results.Choice { return results.Choices(&s.Base, metric.MOSI)[0] }

// rank returns the rank of trial i in the order of scores, counted from 1, "" if it is not
// finished.
func rank(i int, t *TrialScore, seeds int) string {
	if t.Seeds < seeds {
		return ""
	}
	return strconv.Itoa(i + 1)
}

// csv returns the contents of trials.csv.
func (s *Search) csv(all []TrialScore, seeds int) ([]byte, error) {
	score := "valid_" + s.Choice().Metric
	header := slices.Concat([]string{"rank", "trial", "run"}, s.Keys,
		[]string{"seeds", score, score + "_std"})
	rows := [][]string{header}
	for i := range all {
		t := &all[i]
		mean, std := "", ""
		if t.Seeds > 0 {
			mean, std = results.FormatNumber(t.Mean), results.FormatNumber(t.Std)
		}
		rows = append(rows,
			slices.Concat([]string{rank(i, t, seeds), strconv.Itoa(t.Trial + 1), t.Run},
				s.Trials[t.Trial].Values, []string{strconv.Itoa(t.Seeds), mean, std}))
	}
	var b bytes.Buffer
	err := csv.NewWriter(&b).WriteAll(rows)
	return b.Bytes(), err
}

// Table returns a table with a row for each trial, in the order of [Runner.TrialScores].
func (s *Search) Table(all []TrialScore, seeds []uint64) *typeset.Table {
	title := fmt.Sprintf("%s, %s, %d trials, %s; validation at rate %g, test scores were not used",
		s.Base.Dataset, s.Base.Model, len(all), tables.SeedList(seeds), s.Base.Eval.ValidRate)
	valid := "valid " + s.Choice().Metric
	t := &typeset.Table{Title: title, LabelColumns: 1, Important: []string{"run", valid},
		Header: slices.Concat([]string{"rank", "run"}, s.Keys, []string{"seeds", valid})}
	for i := range all {
		y := &all[i]
		cell := ""
		if y.Seeds > 0 {
			cell = fmt.Sprintf("%.4f", y.Mean)
		}
		if y.Seeds > 1 {
			cell += fmt.Sprintf(" ± %.4f", y.Std)
		}
		t.Rows = append(t.Rows, slices.Concat([]string{rank(i, y, len(seeds)), y.Run},
			s.Trials[y.Trial].Values, []string{fmt.Sprintf("%d/%d", y.Seeds, len(seeds)), cell}))
	}
	return t
}
