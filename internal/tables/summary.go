package tables

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// A Summary holds the scores of one configuration: of each seed at each missing rate.
type Summary struct {
	Config settings.Config
	Seeds  []uint64
	Rates  []float64
	Note   string // added to the title

	Unfinished int // other seeds of the run, which are not finished

	Kind    metric.Kind
	tests   []testSplit       // of each seed
	labels  [][]float32       // of each seed's test split
	perSeed [][]metric.Scores // [seed][rate]
	dirs    []rundir.Dir      // of the seeds; nil if they were not read from directories

	programs []string // versions of recap that trained the seeds; "" if one is unknown

	baselines  []results.Baseline // of each seed; nil if unknown
	isConstant bool               // made by [Summary.constant]
}

// Keys returns the metrics that tables show.
func (s *Summary) Keys() []string {
	if c := s.Config.Data.Classes; c > 0 {
		return []string{fmt.Sprintf("Acc_%d", c), fmt.Sprintf("F1_score_%d", c)}
	}
	return metric.Keys(s.Kind)
}

// AllKeys returns the metrics in summary.csv.
func (s *Summary) AllKeys() []string {
	if s.Config.Data.Classes > 0 {
		return s.Keys()
	}
	return append(s.Keys(), metric.ExtraKeys(s.Kind)...)
}

// A scoreLine has the scores of one seed, or the "mean" or "std" over seeds, at one rate or as
// the "mean" over rates.
type scoreLine struct {
	seed, rate string
	metric.Scores
}

// lines returns all lines of the table.
func (s *Summary) lines() []scoreLine {
	var all []scoreLine
	means := make([]metric.Scores, len(s.Seeds)) // over rates
	for i, seed := range s.Seeds {
		for j, rate := range s.Rates {
			all = append(all,
				scoreLine{fmt.Sprint(seed), results.FormatNumber(rate), s.perSeed[i][j]})
		}
		means[i], _ = metric.MeanStd(s.perSeed[i])
		all = append(all, scoreLine{fmt.Sprint(seed), "mean", means[i]})
	}
	addMeanStd := func(rate string, runs []metric.Scores) {
		mean, std := metric.MeanStd(runs)
		all = append(all, scoreLine{"mean", rate, mean}, scoreLine{"std", rate, std})
	}
	for j, rate := range s.Rates {
		column := make([]metric.Scores, len(s.Seeds))
		for i := range s.Seeds {
			column[i] = s.perSeed[i][j]
		}
		addMeanStd(results.FormatNumber(rate), column)
	}
	addMeanStd("mean", means)
	return all
}

// areas returns the mean and the standard deviation over seeds of the area under each metric's
// curve over the rates ([metric.AUILC]).
func (s *Summary) areas() (mean, std metric.Scores) {
	var all []metric.Scores
	for _, run := range s.perSeed {
		area := metric.Scores{}
		for _, key := range s.AllKeys() {
			var curve []float64
			for _, scores := range run {
				curve = append(curve, scores[key])
			}
			area[key] = metric.AUILC(s.Rates, curve)
		}
		all = append(all, area)
	}
	return metric.MeanStd(all)
}

// Find returns the scores of a seed at a rate; the seed may be "mean" or "std", the rate "mean".
func (s *Summary) Find(seed, rate string) metric.Scores {
	all := s.lines()
	return all[slices.IndexFunc(all, func(l scoreLine) bool {
		return l.seed == seed && l.rate == rate
	})].Scores
}

// title describes the table: data set, model, variant, seeds and how checkpoints were selected.
func (s *Summary) title() string {
	c := &s.Config
	title := fmt.Sprintf("%s, %s, %s, %s; %s", c.Dataset, c.Model, c.SelectedVariant().Label,
		SeedList(s.Seeds), c.Selection())
	if s.Note != "" {
		title += "; " + s.Note
	}
	if s.Unfinished > 0 {
		title += "; " + s.Progress()
	}
	return title
}

// Progress says how many seeds of the run are finished: "2 of 3 seeds finished".
func (s *Summary) Progress() string {
	return fmt.Sprintf("%d of %d seeds finished", len(s.Seeds), len(s.Seeds)+s.Unfinished)
}

// SeedList returns the seeds as text for a caption.
func SeedList(seeds []uint64) string {
	if len(seeds) == 1 {
		return fmt.Sprintf("seed %d", seeds[0])
	}
	return "seeds " + strings.Trim(fmt.Sprint(seeds), "[]") + " (mean ± standard deviation)"
}

// Table returns a table with a row for each rate and one for the mean over rates.
func (s *Summary) Table() *typeset.Table {
	t := &typeset.Table{Title: s.title(), Header: append([]string{"rate"}, s.Keys()...),
		LabelColumns: 1, Rules: []int{len(s.Rates)}, Notes: s.notes()}
	for _, rate := range append(typeset.MapStrings(s.Rates, results.FormatNumber), "mean") {
		t.Rows = append(t.Rows, append([]string{rate}, s.cells(rate)...))
	}
	return t
}

// notes returns [notesOf] the summary.
func (s *Summary) notes() []string { return notesOf([]*Summary{s}) }

// cells returns the cells of the row of a rate.
func (s *Summary) cells(rate string) []string {
	mean, std := s.Find("mean", rate), s.Find("std", rate)
	return typeset.MapStrings(s.Keys(), func(key string) string {
		return s.cell(mean[key], std[key], 4)
	})
}

// cell returns a mean over seeds as text, with the standard deviation if there are several.
func (s *Summary) cell(mean, std float64, decimals int) string {
	text := strconv.FormatFloat(mean, 'f', decimals, 64)
	if len(s.Seeds) > 1 {
		text += " ± " + strconv.FormatFloat(std, 'f', decimals, 64)
	}
	return text
}

// Write writes summary.csv, which has one number per line, and summary.md into the directory of a
// run.
func (s *Summary) Write(dir string) error {
	c := &s.Config
	rows := [][]string{{"dataset", "model", "variant", "select", "seed", "rate", "metric",
		"value"}}
	for _, l := range s.lines() {
		for _, key := range s.AllKeys() {
			rows = append(rows,
				[]string{c.Dataset, c.Model, c.Variant, c.Select, l.seed, l.rate,
					key, results.FormatNumber(l.Scores[key])})
		}
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return fmt.Errorf("tables: summary: %w", err)
	}
	if err := rundir.UpdateFile(filepath.Join(dir, rundir.SummaryCSV), b.Bytes()); err != nil {
		return err
	}
	return rundir.UpdateFile(filepath.Join(dir, rundir.SummaryMarkdown),
		[]byte(s.Table().Markdown()))
}

// Cells returns the summary as text: the names of the metrics, and a row for each rate, for the
// "mean" over rates and, with several rates, for "AUILC", the area under the curve. A row begins
// with its name. Scores have a standard deviation if there are several seeds.
func (s *Summary) Cells() (metrics []string, rows [][]string) {
	for _, rate := range append(typeset.MapStrings(s.Rates, results.FormatNumber), "mean") {
		rows = append(rows, append([]string{rate}, s.cells(rate)...))
	}
	if len(s.Rates) > 1 {
		row := []string{"AUILC"}
		mean, std := s.areas()
		for _, key := range s.Keys() {
			row = append(row, s.cell(mean[key], std[key], 4))
		}
		rows = append(rows, row)
	}
	return s.Keys(), rows
}

// SeedCells returns a row for each seed: its name and its scores, means over rates.
func (s *Summary) SeedCells() [][]string {
	var rows [][]string
	for _, seed := range s.Seeds {
		row := []string{fmt.Sprint(seed)}
		scores := s.Find(fmt.Sprint(seed), "mean")
		for _, key := range s.Keys() {
			row = append(row, fmt.Sprintf("%.4f", scores[key]))
		}
		rows = append(rows, row)
	}
	return rows
}
