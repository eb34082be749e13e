package plots

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Weights returns a figure of the modality weights against the missing rate, with a panel for each
// run. The values are means over the test utterances and over the finished seeds, with a band of
// one standard deviation if there are several seeds. A model without modality weights is an error.
func Weights(dirs []string) (Figure, error) {
	all, titles, err := summaries(dirs)
	if err != nil {
		return Figure{}, err
	}
	var panels []figure.Panel
	for i, dir := range dirs {
		panel := figure.Panel{X: rateAxis, Y: "weight α"}
		if len(dirs) > 1 || all[i].Unfinished > 0 {
			panel.Title = titles[i]
		}
		if panel.Curves, err = weightCurves(dir); err != nil {
			return Figure{}, err
		}
		panels = append(panels, panel)
	}
	setRange(panels)
	f := figure.Curves(2, panels...)
	f.Alt = fmt.Sprintf("Weights α of language, audio and vision against the missing rate; %s.",
		describe(all))
	return Figure{"weights", f}, nil
}

// setRange sets the same YRange for all panels: from 0 to the largest value, rounded up to a
// tenth.
func setRange(panels []figure.Panel) {
	largest := 0.0
	for _, p := range panels {
		for _, c := range p.Curves {
			for i, y := range c.Y {
				if c.YError != nil {
					y += c.YError[i]
				}
				if y > largest { // false for NaN
					largest = y
				}
			}
		}
	}
	for i := range panels {
		panels[i].YRange = [2]float64{0, math.Ceil(10*largest) / 10}
	}
}

var modalityTitles = [zoo.Modalities]string{"language", "audio", "vision"}

// weightCurves returns the curves of a run's three modality weights.
func weightCurves(dir string) ([]figure.Curve, error) {
	seeds, err := testedSeeds(dir)
	if err != nil {
		return nil, err
	}
	means := make([][]metric.Scores, len(seeds)) // [seed][rate]
	for i, seed := range seeds {
		for _, p := range seed.predictions[0] {
			if p.Weight == nil {
				return nil, fmt.Errorf("plots: %s: expected a model with modality weights, found "+
					"no weights in %s", dir, rundir.PredictionsFile)
			}
			mean := metric.Scores{}
			for _, alpha := range p.Weight {
				for m, v := range alpha {
					mean[modalityTitles[m]] += v / float64(len(p.Weight))
				}
			}
			means[i] = append(means[i], mean)
		}
	}
	var rates []float64 // the same for all seeds
	for _, p := range seeds[0].predictions[0] {
		rates = append(rates, p.Rate)
	}
	var curves []figure.Curve
	for _, name := range modalityTitles {
		curves = append(curves, meanCurve(name, rates, means, name))
	}
	return curves, nil
}
