package main

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

type tableCommand struct {
	Runs    string   `default:"runs" env:"RECAP_OUT" placeholder:"DIR" help:"Where the run directories are; default runs."`
	Dataset string   `short:"d" placeholder:"NAME" help:"Only this data set."`
	By      string   `enum:"mean,rate" default:"mean" placeholder:"WHAT" help:"mean: over missing rates, with AUILC and the paper's tables (default); rate: each metric at every rate."`
	Metric  []string `placeholder:"KEY" help:"Only these metrics, such as MAE,Corr; a wrong one lists all."`
	Format  string   `enum:"text,markdown,csv,latex" default:"text" placeholder:"FORMAT" help:"text (default), markdown, csv in MMSA's layout, or latex, which needs booktabs."`
}

func (tableCommand) Help() string {
	return `Scores the predictions of all finished runs anew. Runs stand in one table if they were tested on the same utterances at the same rates, with checkpoints
selected in the same way; what they have in common is in the caption, in what they differ in their rows. Seeds of one configuration are one row, mean ±
population standard deviation. On mosi, mosei and sims the paper's tables are printed beside ours, with what is known to be wrong in them.

A cell of csv is "(mean, std)", times 100 whatever the metric, as MMSA writes it; columns after the metrics say what the line is of.

Examples:
  recap table
  recap table -d mosi --format latex > mosi.tex
  recap table --by rate --metric MAE,Corr --format markdown`
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
	if c.Format == "csv" {
		return csv.NewWriter(t.out).WriteAll(tables.CSV(all, keys, c.By == "rate"))
	}
	var tables []string
	for _, p := range all {
		for _, table := range c.tables(p, keys) {
			tables = append(tables, c.render(table))
		}
	}
	fmt.Fprint(t.out, strings.Join(tables, "\n"))
	return nil
}

// metrics returns those asked for, by default all that tables have.
func (c *tableCommand) metrics(all []*tables.Comparison) ([]string, error) {
	var usual, known []string
	for _, p := range all {
		usual, known = append(usual, p.Keys(false)...), append(known, p.Keys(true)...)
	}
	usual, known = unique(usual), unique(known)
	for _, key := range c.Metric {
		if !slices.Contains(known, key) {
			return nil, usageError{fmt.Errorf("table: metric: expected one of %s, found %s", strings.Join(known, ", "), key)}
		}
	}
	if c.Metric != nil {
		return c.Metric, nil
	}
	return usual, nil
}

func unique(list []string) []string {
	var once []string
	for _, s := range list {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

// tables returns the tables of a comparison, of those metrics that it has.
func (c *tableCommand) tables(p *tables.Comparison, keys []string) []*typeset.Table {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !slices.Contains(p.Keys(true), key) })
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

func (c *tableCommand) render(t *typeset.Table) string {
	switch c.Format {
	case "markdown":
		return t.Markdown()
	case "latex":
		return t.LaTeX()
	}
	return t.Text()
}
