package tables

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// A Comparison has summaries that may be in one table because their conditions are equal.
type Comparison struct {
	rows        []*Summary
	common      []settings.Setting // settings that all rows have
	differences []string           // for each row, the settings in which it differs from others
	names       map[string]string  // short names of files by path
	constant    *Summary           // the constant predictor as a row; nil if it is unknown
}

// Compare groups the summaries that may be compared. It keeps their order.
func Compare(all []*Summary) []*Comparison {
	var groups [][]*Summary
	for _, s := range all {
		i := slices.IndexFunc(groups, func(rows []*Summary) bool {
			return rows[0].conditions() == s.conditions() && sameTest(rows[0], s)
		})
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	var list []*Comparison
	for _, rows := range groups {
		list = append(list, newComparison(rows))
	}
	return list
}

// conditions are properties of a summary. Two summaries may be compared if they are equal and
// [sameTest] is true.
type conditions struct {
	dataset, selection, rates string
	validRate                 float64
	classes                   int
}

func (s *Summary) conditions() conditions {
	c := &s.Config
	return conditions{c.Dataset, c.Select, fmt.Sprint(s.Rates), c.Eval.ValidRate, c.Data.Classes}
}

func newComparison(rows []*Summary) *Comparison {
	var lists [][]settings.Setting
	for _, s := range rows {
		seeds := settings.Setting{Key: settings.SeedSetting,
			Value: strings.Trim(fmt.Sprint(s.Seeds), "[]")}
		lists = append(lists, append(s.Config.Settings(), seeds))
	}
	p := &Comparison{rows: rows, common: settings.SharedSettings(lists),
		names: settings.FileNames(lists)}
	if i := slices.IndexFunc(rows, func(s *Summary) bool { return s.baselines != nil }); i >= 0 {
		p.constant = rows[i].constant()
	}
	for _, list := range lists {
		differing := slices.DeleteFunc(list, func(x settings.Setting) bool {
			return slices.Contains(p.common, x)
		})
		p.differences = append(p.differences, p.describe(differing))
	}
	return p
}

// describe returns the descriptions of settings, separated by commas.
func (p *Comparison) describe(list []settings.Setting) string {
	return strings.Join(typeset.MapStrings(list, func(x settings.Setting) string {
		return x.Describe(p.names)
	}), ", ")
}

// dataset returns the name of the data set.
func (p *Comparison) dataset() string { return p.rows[0].Config.Dataset }

// Keys returns the metrics of the rows that tables show; with extra also those that only
// summary.csv has.
func (p *Comparison) Keys(extra bool) []string {
	if extra {
		return p.rows[0].AllKeys()
	}
	return p.rows[0].Keys()
}

// caption describes a table as [Comparison.describeRuns], and what its cells are.
func (p *Comparison) caption(what string) string {
	text := p.describeRuns(what)
	if slices.ContainsFunc(p.rows, func(s *Summary) bool { return len(s.Seeds) > 1 }) {
		text += "; mean ± population standard deviation over seeds"
	}
	return text + "."
}

// describeRuns describes the metrics, the data, the selection, and the settings of all rows.
func (p *Comparison) describeRuns(what string) string {
	c := &p.rows[0].Config
	rest := slices.Clone(p.common)
	data := fmt.Sprintf("%s split of %s utterances", c.Eval.Split, p.rows[0].utterances())
	if p.rows[0].OwnSplits() {
		data += ", another for each seed"
	}
	if i := slices.IndexFunc(rest, func(x settings.Setting) bool {
		return x.Key == settings.DataSetting
	}); i >= 0 {
		data = rest[i].Describe(p.names) + ", " + data
		rest = slices.Delete(rest, i, i+1)
	}
	text := fmt.Sprintf("%s: %s (%s); checkpoints %s; missing rates %s", what, c.Dataset,
		data, c.Selection(), c.Eval.Rates)
	if note := p.rows[0].Note; note != "" {
		text += "; " + note
	}
	if len(rest) > 0 {
		text += "; " + p.describe(rest)
	}
	return text
}

// Label returns the name of the summary in a table.
func (s *Summary) Label() string {
	if s.isConstant {
		return constantPredictor
	}
	label := s.Config.SelectedVariant().Label
	if equal := rundir.EqualTo(&s.Config); equal != "" {
		label += " (" + strings.ReplaceAll(equal, "-", " ") + ")"
	}
	return label
}

// notesOf returns a note for each model in the rows that is not the one of its paper, and one if
// they were trained by several versions of the program.
func notesOf(rows []*Summary) []string {
	var notes, programs []string
	for _, s := range rows {
		if note := s.Config.Spec().Note(); note != "" {
			notes = addOnce(notes, note)
		}
		programs = addOnce(programs, s.programs...)
	}
	if len(programs) > 1 {
		names := strings.Join(typeset.MapStrings(programs, func(name string) string {
			return cmp.Or(name, "one that is not recorded")
		}), ", ")
		notes = append(notes, "Trained by several versions of recap, which may round differently: "+
			names+".")
	}
	return notes
}

// addOnce appends those of more that list does not have.
func addOnce(list []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// table returns a table with a row for each summary, and one for the constant predictor if it is
// known; cells returns the cells of a row.
func (p *Comparison) table(
	caption string, header []string, cells func(s *Summary) []string,
) *typeset.Table {
	t := &typeset.Table{Caption: caption, Header: append([]string{"model"}, header...),
		LabelColumns: 1, Important: important, Notes: notesOf(p.rows)}
	differ := slices.ContainsFunc(p.differences, func(s string) bool { return s != "" })
	if differ {
		t.Header = slices.Insert(t.Header, 1, "settings")
		t.LabelColumns = 2
	}
	for i, s := range p.rows {
		row := []string{s.Label()}
		if differ {
			row = append(row, p.differences[i])
		}
		t.Rows = append(t.Rows, append(row, cells(s)...))
	}
	p.addConstant(t, "", cells)
	return t
}

// addConstant adds the row of the constant predictor to a table if it is known. prefix begins its
// label.
func (p *Comparison) addConstant(
	t *typeset.Table, prefix string, cells func(s *Summary) []string,
) {
	s := p.constant
	if s == nil {
		return
	}
	row := make([]string, t.LabelColumns)
	row[0] = prefix + s.Label()
	for _, cell := range cells(s) {
		row = append(row, strings.ReplaceAll(cell, "NaN", "–"))
	}
	t.Rules = append(t.Rules, len(t.Rows))
	t.Rows, t.Notes = append(t.Rows, row), append(t.Notes, s.explainBaseline())
}

// AblationTable returns a table that compares variants of one configuration by means over rates.
func AblationTable(all []*Summary) *typeset.Table {
	p := newComparison(all)
	return p.Means(p.Keys(false))
}

// Means returns a table of means over rates.
func (p *Comparison) Means(keys []string) *typeset.Table {
	return p.table(p.caption("Mean over missing rates"), keys, func(s *Summary) []string {
		mean, std := s.Find("mean", "mean"), s.Find("std", "mean")
		return typeset.MapStrings(keys, func(key string) string {
			return s.cell(mean[key], std[key], 4)
		})
	})
}

// Areas returns a table of the areas under the curves over rates, nil for a single rate.
func (p *Comparison) Areas(keys []string) *typeset.Table {
	if len(p.rows[0].Rates) < 2 {
		return nil
	}
	t := p.table(p.caption("AUILC, area under the curve over missing rates"),
		keys, func(s *Summary) []string {
			mean, std := s.areas()
			return typeset.MapStrings(keys, func(key string) string {
				return s.cell(mean[key], std[key], 4)
			})
		})
	t.Notes = append(t.Notes, p.areaNote())
	return t
}

// areaNote returns the note that explains AUILC.
func (p *Comparison) areaNote() string {
	rates := p.rows[0].Rates
	first, last := rates[0], rates[len(rates)-1]
	return fmt.Sprintf(
		"AUILC (TFR-Net's): by the trapezoid rule from rate %g to %g; a metric that is x at "+
			"every rate has %.4g x.", first, last, last-first,
	)
}

// Rates returns a table of one metric at each missing rate, with its mean over rates and, with
// several rates, the area under the curve.
func (p *Comparison) Rates(key string) *typeset.Table {
	rates := append(typeset.MapStrings(p.rows[0].Rates, results.FormatNumber), "mean")
	header, several := rates, len(p.rows[0].Rates) > 1
	if several {
		header = append(slices.Clone(rates), "AUILC")
	}
	t := p.table(p.caption(key+" at each missing rate"), header, func(s *Summary) []string {
		row := typeset.MapStrings(rates, func(rate string) string {
			return s.cell(s.Find("mean", rate)[key], s.Find("std", rate)[key], 4)
		})
		if several {
			mean, std := s.areas()
			row = append(row, s.cell(mean[key], std[key], 4))
		}
		return row
	})
	if several {
		t.Notes = append(t.Notes, p.areaNote())
	}
	return t
}
