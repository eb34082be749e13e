// Package report makes one HTML page of a run: its results, figures, losses and configuration, and
// an explorer of test utterances, in which a slider takes away more and more of what was said,
// heard and seen. A page needs no network: styles, scripts and data are in it, and its content
// security policy forbids the browser to load anything. The same run makes the same page.
//
// page.html is the page's skeleton, page.css its look; training.js draws the curves of the
// journal, and follows it where the page is live; explorer.js shows the utterances. uPlot (MIT
// licence) draws the curves.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/experiment"
)

// Options say what is in a page.
type Options struct {
	Samples    int    // utterances in the explorer; 0: no explorer
	Device     string // that computes the explorer's features; "" for the run's
	Vocabulary string // see experiment.ExploreOptions
	Live       bool   // follow the run: the page's address ends in a slash, and below it "events" are sent
}

// Build gathers what the page of a run, or of one seed, shows. Of an unfinished run it has no
// explorer.
func Build(ctx context.Context, dir string, o Options, log *slog.Logger) (*Page, error) {
	run, err := experiment.ReadRun(dir)
	if err != nil {
		return nil, err
	}
	p := &Page{Title: run.Title(), Facts: facts(run), Live: o.Live}
	if p.Config, err = run.YAML(); err != nil {
		return nil, err
	}
	if p.Run, err = journals(run); err != nil {
		return nil, err
	}
	if run.Results != nil {
		p.Results = results(run)
		if o.Samples > 0 {
			if err := p.explore(ctx, dir, o, log); err != nil {
				return nil, err
			}
		}
		if err := p.draw(ctx, dir, run, o, log); err != nil {
			return nil, err
		}
	}
	p.dress()
	return p, nil
}

// explore adds the explorer.
func (p *Page) explore(ctx context.Context, dir string, o Options, log *slog.Logger) error {
	e, err := experiment.Explore(ctx, dir, experiment.ExploreOptions{Samples: o.Samples, Device: o.Device, Vocabulary: o.Vocabulary}, log)
	if err != nil {
		return fmt.Errorf("%w; --samples 0 leaves the explorer out", err)
	}
	p.Samples, err = pack(e)
	return err
}

func facts(r *experiment.Run) []Fact {
	c := &r.Config
	var seeds []string
	for _, s := range r.Seeds {
		name := fmt.Sprint(s.Seed)
		if !s.Finished {
			name += " (unfinished)"
		}
		seeds = append(seeds, name)
	}
	data := "made by the program"
	if c.Data.File != "" {
		data = filepath.Base(c.Data.File)
	}
	words := "trained from scratch"
	if bert := c.Method.Words().BERT; bert != "" {
		words = filepath.Base(bert)
	}
	changes := "none"
	if list := r.Changes(); list != nil {
		changes = strings.Join(list, ", ")
	}
	return []Fact{
		{"Data", data}, {"Encoder of words", words}, {"Seeds", strings.Join(seeds, ", ")}, {"Device", c.Device},
		{"Preset", c.Preset}, {"Changes of the preset", changes}, {"Checkpoint", r.Selection()}, {"Missing rates", c.Eval.Rates},
	}
}

func results(r *experiment.Run) *Results {
	s := r.Results
	out := &Results{Caption: r.Selection()}
	metrics, table := s.Cells()
	out.Metrics, out.Rates = metrics, rows(table)
	if len(s.Seeds) > 1 {
		out.Caption = fmt.Sprintf("mean ± standard deviation over %d seeds; %s", len(s.Seeds), out.Caption)
		out.Seeds = rows(s.SeedCells())
	}
	return out
}

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
func journals(r *experiment.Run) (template.JS, error) {
	type seed struct {
		experiment.SeedRun
		Records []json.RawMessage `json:"records"`
	}
	data := struct {
		Epochs     map[string]int `json:"epochs"`
		Beginnings [][2]string    `json:"beginnings"` // of terms' names, with titles
		Endings    [][2]string    `json:"endings"`
		Seeds      []seed         `json:"seeds"`
	}{Epochs: r.Config.Train.Epochs}
	data.Beginnings, data.Endings = r.Config.TermTitles()
	for _, s := range r.Seeds {
		records, err := s.Records()
		if err != nil {
			return "", err
		}
		data.Seeds = append(data.Seeds, seed{s, records})
	}
	return script(data)
}
