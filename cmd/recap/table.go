package main

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

type tableCommand struct {
	Runs    string   `default:"runs" env:"RECAP_OUT" placeholder:"DIR" help:"${out}"`
	Dataset string   `short:"d" placeholder:"NAME" help:"Only this data set."`
	By      string   `enum:"mean,rate" default:"mean" placeholder:"WHAT" help:"${by}"`
	Metric  []string `placeholder:"KEY" help:"Only these metrics, such as MAE,Corr; an unknown one gives a list."`
	Compare []string `placeholder:"A,B" help:"${compare}"`
	Format  string   `enum:"text,markdown,csv,latex" default:"text" placeholder:"FORMAT" help:"${table_format}"`
}

func (tableCommand) Help() string {
	return `Computes the scores from the predictions of all finished runs. Runs are in one table if they were
tested on the same utterances at the same rates and their checkpoints were selected in the same way.
The caption has the settings that they share, the rows have those in which they differ. The seeds of
one configuration are one row: mean ± population standard deviation. For mosi, mosei and sims, the
paper's tables are printed beside ours, with their known errata. The last row is the constant
predictor, which always answers the mean of the training labels; for it the data are read.

A cell of csv is "(mean, std)", multiplied by 100 for every metric, as MMSA writes it: an MAE of
0.36 is 36.00. The columns after the metrics describe the row; the last one, Metrics_x100, says so.

--compare prints paired differences between models with the same seeds and test utterances instead:
each model after the first against the first, with 95% intervals, p values, and p values corrected
for the number of lines. A model is named as in the tables (RECAP, w/o FID), as in csv (recap
no-fid) or by its run (no-fid, misa/full). Its csv has one number in each cell, not multiplied.

Examples:
  recap table
  recap table -d mosi --format latex > mosi.tex
  recap table --by rate --metric MAE,Corr --format markdown
  recap table -d mosi --compare recap,misa,no-stage1 --metric MAE,Corr`
}

func (c *tableCommand) Run(t *terminal) error {
	summaries, err := tables.Collect(c.Runs, c.Dataset, t.log)
	if err != nil {
		return err
	}
	all := tables.Compare(summaries)
	keys, err := c.metrics(all)
	if err != nil {
		return err
	}
	runs.AddBaselines(all, t.log)
	if c.Compare != nil {
		return c.compare(t, all, keys)
	}
	if c.Format == "csv" {
		return csv.NewWriter(t.out).WriteAll(tables.CSV(all, keys, c.By == "rate"))
	}
	var tables []string
	for _, p := range all {
		for _, table := range c.tables(p, keys) {
			tables = append(tables, c.render(table, t.width))
		}
	}
	fmt.Fprint(t.out, strings.Join(tables, "\n"))
	return nil
}

// compare prints the differences between the models of --compare.
func (c *tableCommand) compare(t *terminal, all []*tables.Comparison, keys []string) error {
	if len(c.Compare) < 2 {
		return usageError{fmt.Errorf("table: --compare: expected two or more models, such as "+
			"recap,misa, found %s", strings.Join(c.Compare, ","))}
	}
	list, err := tables.CompareRows(all, c.Compare, keys)
	if err != nil {
		return err
	}
	if c.Format == "csv" {
		return csv.NewWriter(t.out).WriteAll(tables.DifferencesCSV(list, c.By == "rate"))
	}
	for i, d := range list {
		if i > 0 {
			fmt.Fprintln(t.out)
		}
		fmt.Fprint(t.out, c.render(d.Table(c.By == "rate"), t.width))
	}
	return nil
}

// metrics returns the metrics of --metric, by default those of the usual tables.
func (c *tableCommand) metrics(all []*tables.Comparison) ([]string, error) {
	var usual, known []string
	for _, p := range all {
		usual, known = append(usual, p.Keys(false)...), append(known, p.Keys(true)...)
	}
	usual, known = unique(usual), unique(known)
	for _, key := range c.Metric {
		if !slices.Contains(known, key) {
			err := fmt.Errorf("table: metric: expected one of %s, found %s%s",
				strings.Join(known, ", "), key, settings.DidYouMean(key, known))
			return nil, usageError{err}
		}
	}
	if c.Metric != nil {
		return c.Metric, nil
	}
	return usual, nil
}

// unique returns the elements of list without repetitions, in the order of their first occurrence.
func unique(list []string) []string {
	var once []string
	for _, s := range list {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

// tables returns the tables of a comparison, with those metrics of keys that it has.
func (c *tableCommand) tables(p *tables.Comparison, keys []string) []*typeset.Table {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return !slices.Contains(p.Keys(true), key)
	})
	var list []*typeset.Table
	switch {
	case c.By == "rate":
		for _, key := range keys {
			list = append(list, p.Rates(key))
		}
		return list
	case len(keys) > 0:
		list = append(list, p.Means(keys), p.Areas(keys))
	}
	list = append(list, p.Published())
	list = append(list, p.Ablations()...)
	return slices.DeleteFunc(list, func(t *typeset.Table) bool { return t == nil })
}

func (c *tableCommand) render(t *typeset.Table, width int) string {
	switch c.Format {
	case "markdown":
		return t.Markdown()
	case "latex":
		return t.LaTeX()
	}
	return t.Text(width)
}
