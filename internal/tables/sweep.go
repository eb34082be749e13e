package tables

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// A Tally counts the units of a run in a sweep by their outcome.
type Tally struct {
	Run                              string // directory
	Config                           settings.Config
	Seeds                            []uint64      // of all units
	Done, Skipped, Failed, Remaining int           // units; Remaining were locked or interrupted
	Elapsed                          time.Duration // total of the units
}

// Headline returns the two metrics that represent a run.
func Headline(c *settings.Config) []string {
	if n := c.Data.Classes; n > 0 {
		return []string{fmt.Sprintf("Acc_%d", n), fmt.Sprintf("F1_score_%d", n)}
	}
	return []string{"MAE", "Corr"}
}

// SweepTable returns a table with a row for each run of a sweep: counts of units, and the scores
// of the finished seeds, means over rates. elapsed is the duration of the sweep.
func SweepTable(all []Tally, elapsed time.Duration) (*typeset.Table, error) {
	c := &all[0].Config
	keys := Headline(c)
	t := &typeset.Table{Title: fmt.Sprintf("mean over rates %s and finished seeds ± standard "+
		"deviation; %s", c.Eval.Rates, c.Selection()), LabelColumns: 1, Rules: []int{len(all)},
		Header: append([]string{"run", "done", "skipped", "failed", "left", "time", "seeds"},
			keys...),
		Important: []string{keys[0], "failed", "left", "done", keys[1], "seeds"}}
	total := Tally{}
	for _, tally := range all {
		mean, std, n, err := Scores(tally.Run, tally.Seeds)
		if err != nil {
			return nil, err
		}
		run := filepath.ToSlash(filepath.Join(tally.Config.Dataset,
			tally.Config.Model, filepath.Base(tally.Run)))
		row := append([]string{run}, tally.counts(tally.Elapsed)...)
		row = append(row, fmt.Sprintf("%d/%d", n, len(tally.Seeds)))
		for _, key := range keys {
			cell := ""
			if n > 0 {
				cell = fmt.Sprintf("%.4f", mean[key])
			}
			if n > 1 {
				cell += fmt.Sprintf(" ± %.4f", std[key])
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
		total.Done += tally.Done
		total.Skipped += tally.Skipped
		total.Failed += tally.Failed
		total.Remaining += tally.Remaining
	}
	last := append([]string{"all, time on the clock"}, total.counts(elapsed)...)
	t.Rows = append(t.Rows, append(last, make([]string, 1+len(keys))...))
	return t, nil
}

// counts returns the cells of the numbers of units, and of a time.
func (t *Tally) counts(elapsed time.Duration) []string {
	counts := typeset.MapStrings([]int{t.Done, t.Skipped, t.Failed, t.Remaining}, strconv.Itoa)
	return append(counts, elapsed.Round(time.Second/10).String())
}

// Scores returns the mean and the standard deviation of the metrics over those of the seeds that
// are finished, and their number n. Each score is a mean over rates.
func Scores(run string, seeds []uint64) (mean, std metric.Scores, n int, err error) {
	done, err := rundir.FinishedSeeds(run)
	if err != nil {
		return nil, nil, 0, err
	}
	done = slices.DeleteFunc(done, func(s uint64) bool { return !slices.Contains(seeds, s) })
	if len(done) == 0 {
		return nil, nil, 0, nil
	}
	s, err := SummarizeSeeds(run, done)
	if err != nil {
		return nil, nil, 0, err
	}
	return s.Find("mean", "mean"), s.Find("std", "mean"), len(done), nil
}
