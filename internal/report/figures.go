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

	"github.com/seed-6655bf3b/recap/internal/experiment"
)

// The rate at which confusions are shown, where the run was tested at it, and those of features.
const confusionRate = 0.5

var featureRates = []float64{0.5, 0.9}

// draw adds the pictures of recap plot but for the losses, which training.js shows.
func (p *Page) draw(ctx context.Context, dir string, run *experiment.Run, o Options, log *slog.Logger) error {
	dirs := []string{dir}
	all, err := experiment.Curves(dirs, nil)
	if err != nil {
		return err
	}
	at := confusionRate
	if rates := run.Results.Rates; !slices.Contains(rates, at) {
		at = rates[len(rates)/2]
	}
	confusion, err := experiment.Confusions(dirs, at)
	if err != nil {
		return err
	}
	all = append(all, confusion)
	weights, err := experiment.Weights(dirs)
	all = p.unless(err, "weights of the modalities", dir, all, weights, log)
	if o.Samples > 0 && o.Live {
		p.Note("The picture of what stage 1 learned takes a while; recap report draws it.")
	} else if o.Samples > 0 { // it needs data and model, as the explorer does
		spaces, err := experiment.Subspaces(ctx, dir, featureRates, o.Device, log)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		all = p.unless(err, "what stage 1 learned", dir, all, spaces, log)
	}
	for _, picture := range all {
		var svg bytes.Buffer
		if err := picture.WriteSVG(&svg); err != nil {
			return fmt.Errorf("report: %s: %w", picture.Name, err)
		}
		p.Figures = append(p.Figures, Figure{Caption: picture.Alt, SVG: template.HTML(svg.String())})
	}
	return nil
}

// unless appends a picture that not every run has, or notes the error that says why, without where
// the run's directory is on this machine.
func (p *Page) unless(err error, what, dir string, all []experiment.Picture, picture experiment.Picture, log *slog.Logger) []experiment.Picture {
	if err == nil {
		return append(all, picture)
	}
	p.Note("There is no picture of " + what + ": " + strings.ReplaceAll(err.Error(), dir, filepath.Base(dir)))
	log.Warn("no picture of "+what, "reason", err)
	return all
}
