package tables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/literature"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// Published returns the paper's Table 1 or 2 with the rows of our models below, without ablations
// and without models that are designed from a title. It returns nil if the paper has no table for
// the data set, or there is no such row.
func (p *Comparison) Published() *typeset.Table {
	paper := literature.Results(p.dataset())
	ours := p.filter(func(s *Summary) bool {
		return s.Config.Variant == "full" && !s.Config.Spec().FromTitle
	})
	if paper == nil || ours == nil || p.rows[0].Config.Data.Classes > 0 {
		return nil
	}
	t := &typeset.Table{Header: []string{"model"}, LabelColumns: 1, Rules: []int{len(paper.Rows)}}
	t.Caption = ours.caption(
		fmt.Sprintf(
			"The paper's Table %d, as printed, and ours below it, means over missing rates. Ours",
			paper.Number,
		),
	)
	for _, c := range paper.Columns {
		t.Header = append(t.Header, c.Name)
	}
	for _, r := range paper.Rows {
		row := []string{r.Method}
		if r.Rerun {
			row[0] += " (re-run)"
		}
		for i, c := range paper.Columns {
			row = append(row, r.Cells[i]+erratumMark(paper.HasErratum(r.Method, c.Name)))
		}
		row[0] += erratumMark(paper.HasErratum(r.Method, ""))
		t.Rows = append(t.Rows, row)
	}
	for i, s := range ours.rows {
		row := []string{"ours: " + s.Label()}
		if ours.differences[i] != "" {
			row[0] += " (" + ours.differences[i] + ")"
		}
		row = append(row, typeset.MapStrings(paper.Columns, s.formatMean)...)
		t.Rows = append(t.Rows, row)
	}
	t.Notes = append(notesOf(ours.rows), ours.notes(paper)...)
	p.addConstant(t, "ours: ", func(s *Summary) []string {
		return typeset.MapStrings(paper.Columns, s.formatMean)
	})
	return t
}

// erratumMark returns the mark of a cell or row that has an erratum.
func erratumMark(hasErratum bool) string {
	if hasErratum {
		return "†"
	}
	return ""
}

// Ablations returns the paper's Table 3 beside ours: one table for each group of runs whose
// settings differ in nothing but the variant, none if the paper has no table for the data set.
func (p *Comparison) Ablations() []*typeset.Table {
	paper := literature.Ablation(p.dataset())
	if paper == nil || p.rows[0].Config.Data.Classes > 0 {
		return nil
	}
	var order []string
	groups := map[string][]*Summary{}
	for _, s := range p.rows {
		i := slices.IndexFunc(paper.Rows, func(r literature.Row) bool {
			return r.Method == s.Config.SelectedVariant().Label
		})
		if s.Config.Model != "recap" || i < 0 {
			continue
		}
		key := fmt.Sprint(s.Config.Settings())
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], s)
	}
	var all []*typeset.Table
	for _, key := range order {
		if rows := groups[key]; len(rows) > 1 || rows[0].Config.Variant != "full" {
			ours := newComparison(rows)
			ours.constant = p.constant
			all = append(all, ours.ablation(paper))
		}
	}
	return all
}

// ablation returns the paper's table with our column after each of its columns.
func (p *Comparison) ablation(paper *literature.Table) *typeset.Table {
	t := &typeset.Table{Header: []string{"variant"}, LabelColumns: 1,
		Notes: append(notesOf(p.rows), p.notes(paper)...)}
	t.Caption = p.caption(
		fmt.Sprintf("The paper's Table %d beside ours, means over missing rates. Ours",
			paper.Number),
	)
	for _, c := range paper.Columns {
		t.Header = append(t.Header, c.Name+" paper", c.Name+" ours")
	}
	for _, r := range paper.Rows {
		row := []string{r.Method}
		i := slices.IndexFunc(p.rows, func(s *Summary) bool { return s.Label() == r.Method })
		if i >= 0 && p.differences[i] != "" {
			row[0] += " (" + p.differences[i] + ")"
		}
		for j, c := range paper.Columns {
			row = append(row, r.Cells[j], "")
			if i >= 0 {
				row[len(row)-1] = p.rows[i].formatMean(c)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	p.addConstant(t, "", func(s *Summary) []string {
		var cells []string
		for _, c := range paper.Columns {
			cells = append(cells, "", s.formatMean(c))
		}
		return cells
	})
	return t
}

// filter returns the comparison of the rows for which keep is true, nil if there are none.
func (p *Comparison) filter(keep func(s *Summary) bool) *Comparison {
	var rows []*Summary
	for _, s := range p.rows {
		if keep(s) {
			rows = append(rows, s)
		}
	}
	if rows == nil {
		return nil
	}
	return newComparison(rows)
}

// formatMean returns the mean over rates in the format of the paper's column.
func (s *Summary) formatMean(c literature.Column) string {
	mean, std := s.Find("mean", "mean"), s.Find("std", "mean")
	factor, decimals := 1.0, 3
	if c.Percent {
		factor, decimals = 100, 2
	}
	return strings.Join(typeset.MapStrings(c.Keys, func(key string) string {
		return s.cell(factor*mean[key], factor*std[key], decimals)
	}), " / ")
}

// notes returns the errata of the paper's table, and reasons why our rows are not comparable with
// it.
func (p *Comparison) notes(paper *literature.Table) []string {
	var notes []string
	for _, e := range paper.Errata {
		notes = append(notes, "† "+e.Note)
	}
	notes = append(notes, paper.Notes...)
	notes = append(notes,
		"Accuracies and F1 in percent, ours times 100; MAE and Corr as they are.")
	s := p.rows[0]
	if n := s.utterances(); n != fmt.Sprint(paper.Utterances) {
		notes = append(notes,
			fmt.Sprintf(
				"Not comparable: our test split has %s utterances, that of the literature %d.",
				n, paper.Utterances,
			))
	} else if _, divided := s.Config.Data.Resplit.Seed(0); divided {
		notes = append(notes, "Not comparable: our splits are not those of the literature, but "+
			"made at random (data.resplit).")
	}
	if rates := fmt.Sprint(s.Rates); rates != "[0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9]" {
		notes = append(notes,
			"Not comparable: ours is the mean over rates "+s.Config.Eval.Rates+
				", the paper's over 0, 0.1, ..., 0.9.")
	}
	if s.Config.Select == settings.SelectValid {
		notes = append(notes,
			"LNLN's code, from whose tables rows of the paper's come, selects each metric's "+
				"epoch on the test split, as --select per-metric-test does: optimistic. The "+
				"paper does not say how it selects.")
	}
	return notes
}
