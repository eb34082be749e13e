package tables

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/significance"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// Differences compares rows of a comparison with the first of them, with confidence intervals and p
// values (package significance).
type Differences struct {
	*Comparison          // the first row is the one that the others are compared with
	keys        []string // metrics
	// [row−1][metric · (rates+1) + rate]; the last rate is the mean over rates
	values     [][]significance.Difference
	utterances int // of the test splits of all seeds, each counted once
}

// CompareRows compares the rows with the given names in each comparison that has all of them; keys
// are the metrics, those of which the data set has are used. A name is as in the tables, that of a
// model on the command line, or that of a run with or without that of its model. It is an error if
// no comparison has all rows, if a name fits several rows, or if the seeds of the rows differ.
func CompareRows(all []*Comparison, names, keys []string) ([]*Differences, error) {
	for _, name := range names {
		if err := checkName(all, name); err != nil {
			return nil, err
		}
	}
	var list []*Differences
	for _, p := range all {
		rows, err := p.named(names)
		if err != nil {
			return nil, err
		}
		if rows == nil {
			continue
		}
		d, err := newDifferences(rows, keys)
		if err != nil {
			return nil, err
		}
		d.constant = p.constant
		list = append(list, d)
	}
	if list == nil {
		return nil, notComparable(all, names)
	}
	return list, nil
}

// names returns the names by which [CompareRows] finds a row.
func (s *Summary) names() []string {
	c := &s.Config
	return []string{s.Label(), s.withVariant(c.Model), c.Model + "/" + c.Name, c.Name}
}

func (s *Summary) hasName(name string) bool {
	return slices.ContainsFunc(s.names(), func(n string) bool { return strings.EqualFold(n, name) })
}

// checkName returns an error if no row has the name.
func checkName(all []*Comparison, name string) error {
	var known []string
	for _, p := range all {
		for _, s := range p.rows {
			if s.hasName(name) {
				return nil
			}
			label := s.Label()
			if s.Config.Spec().Adaptation != "" { // its label is none for the command line
				label = s.withVariant(s.Config.Model)
			}
			if !slices.Contains(known, label) {
				known = append(known, label)
			}
		}
	}
	return fmt.Errorf("tables: compare: expected one of %s, or the name of a run, found %s%s",
		strings.Join(known, ", "), name, settings.DidYouMean(name, known))
}

// named returns the rows with the names, nil if some name has none.
func (p *Comparison) named(names []string) ([]*Summary, error) {
	var rows []*Summary
	var ambiguous error
	for _, name := range names {
		var found []*Summary
		var list []string
		for i, s := range p.rows {
			if s.hasName(name) {
				found = append(found, s)
				list = append(list, fmt.Sprintf("%s/%s (%s)", s.Config.Model, s.Config.Name,
					p.differences[i]))
			}
		}
		switch {
		case found == nil:
			return nil, nil
		case len(found) > 1 && ambiguous == nil:
			ambiguous = fmt.Errorf("tables: compare: %s: expected the name of one row, found %d: "+
				"%s; name one as MODEL/RUN", name, len(found), strings.Join(list, ", "))
		}
		rows = append(rows, found[0])
	}
	return rows, ambiguous
}

// notComparable returns the error for names whose rows are not in one comparison: what differs
// between the first and another.
func notComparable(all []*Comparison, names []string) error {
	first := func(name string, than *Summary) *Summary {
		for _, p := range all {
			if than != nil && slices.Contains(p.rows, than) {
				continue
			}
			for _, s := range p.rows {
				if s.hasName(name) {
					return s
				}
			}
		}
		return nil
	}
	a := first(names[0], nil)
	for _, name := range names[1:] {
		if b := first(name, a); b != nil {
			return differ(a, b)
		}
	}
	return nil // not possible: a's comparison would have all names
}

// differ returns the error for two rows that must not be compared.
func differ(a, b *Summary) error {
	list := conditionsThatDiffer(a, b)
	if !slices.Equal(a.Seeds, b.Seeds) {
		list = append(list, fmt.Sprintf("seeds: %s and %s", strings.Trim(fmt.Sprint(a.Seeds), "[]"),
			strings.Trim(fmt.Sprint(b.Seeds), "[]")))
	}
	return fmt.Errorf("tables: compare: expected %s and %s with the same data, missing rates, "+
		"seeds and selection, found other %s; train or test them alike, or choose with -d",
		a.Label(), b.Label(), strings.Join(list, "; "))
}

func newDifferences(rows []*Summary, keys []string) (*Differences, error) {
	d := &Differences{Comparison: newComparison(rows)}
	d.keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return !slices.Contains(d.Keys(true), key)
	})
	models, tested := make([][]significance.Trained, len(rows)), numbering{map[string]int{}}
	for i, s := range rows {
		if !slices.Equal(s.Seeds, rows[0].Seeds) {
			return nil, differ(rows[0], s)
		}
		for j := range s.Seeds {
			trained, err := s.trained(j, d.keys, &tested)
			if err != nil {
				return nil, err
			}
			models[i] = append(models[i], trained)
		}
	}
	d.utterances = len(tested.of)
	d.values = significance.Compare(models, d.utterances, len(d.keys)*(len(rows[0].Rates)+1))
	return d, nil
}

// trained returns the j-th seed for a comparison: its scores are each metric at each rate and as
// the mean over rates. In a resample, utterances are counted by their numbers.
func (s *Summary) trained(
	j int, keys []string, utterances *numbering,
) (significance.Trained, error) {
	c, d := s.Config, s.dirs[j]
	tested, err := results.Read(d, &c, s.Kind)
	if err != nil {
		return nil, err
	}
	numbers := utterances.add(tested[0][0].ID)
	var all [][]*metric.Weighted
	for _, key := range keys {
		var list []*metric.Weighted
		for _, p := range results.OfMetric(&c, s.Kind, tested, key) {
			if want := s.testOf(j); testSplitOf(p) != want {
				return nil, fmt.Errorf("tables: compare: %s: expected the same %d utterances at "+
					"every rate and in every seed, found others; train the seed again", d,
					want.utterances)
			}
			list = append(list, metric.NewWeighted(s.Kind, c.Data.Classes, key, p.Score, p.Label))
		}
		all = append(all, list)
	}
	return func(count, scores []float64) {
		own := make([]float64, len(numbers))
		for i, number := range numbers {
			own[i] = count[number]
		}
		for k, list := range all {
			at := scores[k*(len(list)+1):]
			mean := 0.0
			for r, w := range list {
				at[r] = w.Score(own)
				mean += at[r] / float64(len(list))
			}
			at[len(list)] = mean
		}
	}, nil
}

// A differenceLine is one line of a table of differences.
type differenceLine struct {
	row       int // it is compared with row 0
	key, rate string
	means     [2]float64 // of row 0 and of the row
	holm      float64    // P, corrected for all lines
	significance.Difference
}

// lines returns the lines with the means over rates; with byRate also those at each rate.
func (d *Differences) lines(byRate bool) []differenceLine {
	rates := append(typeset.MapStrings(d.rows[0].Rates, results.FormatNumber), "mean")
	var all []differenceLine
	var p []float64
	for i := range d.values {
		for k, key := range d.keys {
			for r, rate := range rates {
				if rate != "mean" && !byRate {
					continue
				}
				l := differenceLine{row: i + 1, key: key, rate: rate,
					Difference: d.values[i][k*len(rates)+r]}
				for i, s := range []*Summary{d.rows[0], d.rows[i+1]} {
					l.means[i] = s.Find("mean", rate)[key]
				}
				all, p = append(all, l), append(p, l.P)
			}
		}
	}
	for i, v := range significance.Holm(p) {
		all[i].holm = v
	}
	return all
}

// name returns the label of a row, with the settings in which it differs except its seeds, which
// are equal.
func (d *Differences) name(row int) string {
	name := d.rows[row].Label()
	if d.differences[row] != "" {
		name += " (" + d.differences[row] + ")"
	}
	return name
}

// Table returns a table of the differences: of the means over rates, and with byRate also at each
// rate.
func (d *Differences) Table(byRate bool) *typeset.Table {
	lines := d.lines(byRate)
	what := "Differences from " + d.name(0) + " of means over missing rates"
	t := &typeset.Table{Header: []string{"model", "metric"}, LabelColumns: 2,
		Important: []string{"difference", "p (Holm)", "95% from", "to"}}
	if byRate {
		what = "Differences from " + d.name(0) + " at each missing rate"
		t.Header, t.LabelColumns = append(t.Header, "rate"), 3
	}
	t.Caption = d.describeRuns(what) + "."
	t.Header = append(t.Header, d.rows[0].Label(), "model's", "difference", "95% from", "to", "p",
		"p (Holm)")
	for i, l := range lines {
		if i > 0 && (l.row != lines[i-1].row || byRate && l.key != lines[i-1].key) {
			t.Rules = append(t.Rules, i)
		}
		row := []string{d.name(l.row), l.key}
		if byRate {
			row = append(row, l.rate)
		}
		t.Rows = append(t.Rows, append(row, orDash("%.4f", l.means[0]), orDash("%.4f", l.means[1]),
			orDash("%+.4f", l.Mean), orDash("%+.4f", l.Low), orDash("%+.4f", l.High),
			orDash("%.4f", l.P), orDash("%.4f", l.holm)))
	}
	t.Notes = append(notesOf(d.rows), d.notes(len(lines))...)
	if s := d.constant; s != nil {
		t.Notes = append(t.Notes, s.explainBaseline()+" Its scores: "+strings.Join(
			typeset.MapStrings(d.keys, func(key string) string {
				return key + " " + s.baseline(key)
			}), ", ")+".")
	}
	return t
}

func orDash(format string, v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

// notes explain the columns.
func (d *Differences) notes(lines int) []string {
	seeds := len(d.rows[0].Seeds)
	notes := []string{fmt.Sprintf("Intervals and p: percentile bootstrap (Efron and Tibshirani "+
		"1993) with %d resamples of %d seeds and of %d utterances, the same ones for both models. "+
		"p (Holm): corrected for the %d lines of this table (Holm 1979).", significance.Resamples,
		seeds, d.utterances, lines)}
	if d.rows[0].OwnSplits() {
		notes = append(notes, "Each seed has a test split of its own; in a resample it is tested "+
			"on those of its utterances that are drawn.")
	}
	switch {
	case seeds == 1:
		notes = append(notes, "One seed: another seed may give another result; intervals and p "+
			"only tell about other utterances. Train at least five.")
	case seeds < 10:
		notes = append(notes, fmt.Sprintf("%d seeds: where seeds differ more than utterances, the "+
			"intervals are too narrow and p too small; those for 95%% contain the true difference "+
			"in about 50%% of the cases with 2 seeds, 75%% with 3, 84%% with 5, 90%% with 10.",
			seeds))
	}
	return notes
}

// DifferencesCSV returns the lines of the tables for CSV, one number in each cell, not multiplied.
func DifferencesCSV(list []*Differences, byRate bool) [][]string {
	rows := [][]string{{"Dataset", "Model", "Compared_with", "Metric", "Rate", "Compared_with_mean",
		"Model_mean", "Difference", "Low_95", "High_95", "p", "p_Holm", "Rates", "Utterances",
		"Selection", "Seeds", "Resamples"}}
	for _, d := range list {
		s := d.rows[0]
		for _, l := range d.lines(byRate) {
			row := []string{d.dataset(), d.name(l.row), d.name(0), l.key, l.rate}
			for _, v := range []float64{l.means[0], l.means[1], l.Mean, l.Low, l.High, l.P,
				l.holm} {
				row = append(row, strings.ToLower(results.FormatNumber(v)))
			}
			rows = append(rows, append(row, s.Config.Eval.Rates, s.utterances(),
				s.Config.Selection(), strings.Trim(fmt.Sprint(s.Seeds), "[]"),
				strconv.Itoa(significance.Resamples)))
		}
	}
	return rows
}
