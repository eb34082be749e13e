// Package report renders one HTML page per run. The page has the results, figures, loss curves and
// configuration, and an explorer of test utterances: a slider sets the missing rate, and the page
// shows the incomplete inputs, the features and the prediction at this rate.
//
// The page is self-contained: it includes its styles, scripts and data, and its content security
// policy forbids the browser to load anything else. The same run gives the same bytes.
//
// page.html is the template and page.css the style sheet. training.js draws the curves of the
// training journal with uPlot (MIT licence) and updates them if the page is live. explorer.js
// shows the utterances.
package report

import (
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"math"
	"path/filepath"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/explore"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/plots"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// Options of [Build].
type Options struct {
	Samples    int    // number of utterances in the explorer; 0 for no explorer
	Device     string // device that computes the explorer's features; "" for the device of the run
	Vocabulary string // see explore.Options
	// the page updates itself with the server-sent events at the relative URL "events"
	Live     bool
	Progress plots.Progress // may be nil
}

// Build collects the content of the page of the run, or of the single seed, in the directory dir.
// The page of an unfinished run says so, unless it is live. If no seed is finished, it has no
// results, figures or explorer. Errors of the files, and of the explorer, are returned; figures
// that cannot be drawn are replaced by a note on the page.
func Build(ctx context.Context, dir string, o Options, log *slog.Logger) (*Page, error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	run, err := rundir.Read(dir)
	if err != nil {
		return nil, err
	}
	p := &Page{Title: run.Title(), Properties: properties(run), Live: o.Live}
	if note := run.Config.Spec().Note(); note != "" {
		p.Note(note)
	}
	if p.Config, err = run.YAML(); err != nil {
		return nil, err
	}
	if p.Run, err = journals(run); err != nil {
		return nil, err
	}
	if !run.Finished() && !o.Live {
		log.Warn("the run is not finished", "run", dir, "continue", "recap train --resume "+dir)
		p.Note("The run is not finished; recap train --resume continues it.")
	}
	if run.HasFinished() {
		summary, err := tables.Summarize(dir)
		if err != nil {
			return nil, err
		}
		p.Headline, p.Results = newHeadline(summary), newResults(run, summary)
		if o.Samples > 0 {
			e, err := p.addExplorer(ctx, dir, o, log)
			if err != nil {
				return nil, err
			}
			ofSeed := ""
			if len(summary.Seeds) > 1 && summary.OwnSplits() {
				ofSeed = fmt.Sprintf(", in the splits of seed %d", e.Seed)
			}
			p.addBaseline(e, ofSeed)
		}
		if err := p.addFigures(ctx, dir, summary.Rates, o, log); err != nil {
			return nil, err
		}
	}
	p.addAssets()
	return p, nil
}

// addExplorer adds the data of the explorer, and returns them.
func (p *Page) addExplorer(
	ctx context.Context, dir string, o Options, log *slog.Logger,
) (*explore.Exploration, error) {
	e, err := explore.Run(ctx, dir, explore.Options{
		Samples: o.Samples, Device: o.Device, Vocabulary: o.Vocabulary,
		Progress: func(rate, rates int) { o.Progress("explorer, missing rate", rate, rates) },
	}, log)
	if err != nil {
		return nil, fmt.Errorf("%w; --samples 0 omits the explorer", err)
	}
	p.Samples, err = explorerJSON(e)
	return e, err
}

// newHeadline returns the scores for the top of the page.
func newHeadline(s *tables.Summary) *Headline {
	of := "missing rate " + fmt.Sprint(s.Rates[0])
	if n := len(s.Rates); n > 1 {
		of = fmt.Sprintf("mean over %d missing rates from %g to %g", n, s.Rates[0], s.Rates[n-1])
	}
	if n := len(s.Seeds); n > 1 {
		of += fmt.Sprintf(" and %d seeds, ± the standard deviation over the seeds", n)
	}
	return &Headline{Scores: Scores(s), Of: of}
}

// addBaseline adds the scores of the constant predictor to the headline and to the results. ofSeed
// says of which seed they are if each has its own splits.
func (p *Page) addBaseline(e *explore.Exploration, ofSeed string) {
	what := fmt.Sprintf("the mean of the training labels, %.3f", e.Baseline.Constant)
	if e.Classes > 0 {
		what = fmt.Sprintf("the most frequent class of the training set, %g", e.Baseline.Constant)
	}
	what += ofSeed
	text := func(key string) string {
		if v := e.Baseline.Scores[key]; !math.IsNaN(v) {
			return fmt.Sprintf("%.4f", v)
		}
		return "undefined"
	}
	var scores []string
	for _, s := range p.Headline.Scores {
		key, _, _ := strings.Cut(s.Metric, " ")
		scores = append(scores, key+" "+text(key))
	}
	p.Headline.Baseline = fmt.Sprintf("Baseline: always predicting %s, has %s.", what,
		strings.Join(scores, ", "))
	row := Row{Name: "baseline"}
	for _, key := range p.Results.Metrics {
		row.Cells = append(row.Cells, Cell{Mean: text(key)})
	}
	p.Results.Rates = append(p.Results.Rates, row)
	p.Results.Meanings = append(p.Results.Meanings,
		Property{"baseline", "A model that ignores its input and always predicts " + what + "."})
}

// properties returns the list at the top of the page.
func properties(r *rundir.Run) []Property {
	c := &r.Config
	var seeds []string
	for _, s := range r.Seeds {
		name := fmt.Sprint(s.Seed)
		if !s.Finished {
			name += " (unfinished)"
		}
		seeds = append(seeds, name)
	}
	data := "generated by the program"
	if c.Data.File != "" {
		data = filepath.Base(c.Data.File)
	}
	textEncoder := "trained from scratch"
	if bert := c.Method.TextEncoder().BERT; bert != "" {
		textEncoder = filepath.Base(bert)
	}
	overrides := "none"
	if list := c.Changes(); list != nil {
		overrides = strings.Join(list, ", ")
	}
	return []Property{
		{"Data", data}, {"Text encoder", textEncoder}, {"Seeds", strings.Join(seeds, ", ")},
		{"Device", c.Device}, {"Preset", c.Preset}, {"Overridden settings", overrides},
		{"Checkpoint", c.Selection()}, {"Missing rates", c.Eval.Rates},
	}
}

// newResults returns the tables of scores.
func newResults(r *rundir.Run, s *tables.Summary) *Results {
	metrics, table := s.Cells()
	out := &Results{Caption: r.Config.Selection(), Metrics: metrics, Rates: rows(table)}
	if len(s.Seeds) > 1 {
		out.Caption = fmt.Sprintf("mean ± standard deviation over %d seeds; %s", len(s.Seeds),
			out.Caption)
		out.Seeds = rows(s.SeedCells())
	}
	for _, key := range metrics {
		out.Meanings = append(out.Meanings,
			Property{withArrow(key), metric.Meaning(s.Kind, key)})
	}
	if len(s.Rates) > 1 {
		out.Meanings = append(out.Meanings, Property{"AUILC",
			"The area under the curve of a metric over the missing rates."})
	}
	return out
}

// rows splits cells such as "0.7312 ± 0.0041" into mean and standard deviation.
func rows(table [][]string) []Row {
	var list []Row
	for _, texts := range table {
		row := Row{Name: texts[0]}
		for _, text := range texts[1:] {
			mean, std, _ := strings.Cut(text, " ± ")
			row.Cells = append(row.Cells, Cell{mean, std})
		}
		list = append(list, row)
	}
	return list
}

// journals returns the data of training.js.
func journals(r *rundir.Run) (template.JS, error) {
	type seed struct {
		rundir.SeedRun
		Records []rundir.Record `json:"records"`
	}
	data := struct {
		Epochs map[string]int `json:"epochs"`
		// of the names of loss terms, each with its title
		Prefixes [][2]string `json:"prefixes"`
		Suffixes [][2]string `json:"suffixes"`
		Seeds    []seed      `json:"seeds"`
	}{Epochs: r.Config.Train.Epochs}
	data.Prefixes, data.Suffixes = plots.TermTitles(&r.Config)
	for _, s := range r.Seeds {
		records, err := s.Dir.Records()
		if err != nil {
			return "", err
		}
		data.Seeds = append(data.Seeds, seed{s, records})
	}
	return scriptData(data)
}
