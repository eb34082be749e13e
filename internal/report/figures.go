package report

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/plots"
)

// confusionRate is the missing rate of the confusion matrix, if the run was tested at this rate.
const confusionRate = 0.5

// featureRates are the missing rates of the figure of the feature spaces.
var featureRates = []float64{0.5, 0.9}

// addFigures adds the figures of recap plot, except the losses, which training.js draws.
func (p *Page) addFigures(
	ctx context.Context, dir string, rates []float64, o Options, log *slog.Logger,
) error {
	dirs := []string{dir}
	all, err := plots.Curves(dirs, nil)
	if err != nil {
		return err
	}
	rate := confusionRate
	if !slices.Contains(rates, rate) {
		rate = rates[len(rates)/2]
	}
	confusion, err := plots.Confusions(dirs, rate)
	if err != nil {
		return err
	}
	all = append(all, confusion)
	weights, err := plots.Weights(dirs)
	all = p.appendOrNote(all, weights, err, "the modality weights", dir, log)
	if o.Samples > 0 && o.Live {
		p.Note("The figure of the feature spaces after stage 1 takes long to compute; recap report draws it.")
	} else if o.Samples > 0 { // it needs the data and the model, as the explorer does
		spaces, err := plots.Subspaces(ctx, dir, featureRates, o.Device, log, o.Progress)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		all = p.appendOrNote(all, spaces, err, "the feature spaces after stage 1", dir, log)
	}
	for _, f := range all {
		var svg bytes.Buffer
		if err := f.WriteSVG(&svg); err != nil {
			return fmt.Errorf("report: %s: %w", f.Name, err)
		}
		p.Figures = append(p.Figures, Figure{Caption: f.Alt, SVG: template.HTML(svg.String())})
	}
	return nil
}

// appendOrNote appends a figure that not every run has. If err is not nil, it adds a note with the
// reason to the page instead. The note has only the last element of the run's directory, so that
// the page is the same on each machine.
func (p *Page) appendOrNote(
	all []plots.Figure, f plots.Figure, err error, subject, dir string, log *slog.Logger,
) []plots.Figure {
	if err == nil {
		return append(all, f)
	}
	p.Note("The figure of " + subject + " is missing: " +
		strings.ReplaceAll(err.Error(), dir, filepath.Base(dir)))
	log.Warn("figure omitted", "figure", subject, "reason", err)
	return all
}
