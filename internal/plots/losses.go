package plots

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// Losses returns a figure for each phase of a run: the terms of its loss over the epochs, and the
// validation scores if the phase has any. The values are means over the seeds that have the epoch,
// with a band of one standard deviation if there are several. The run may be unfinished, which
// the axes say, but must have an epoch.
func Losses(dir string) ([]Figure, error) {
	seeds, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	c, err := seeds[0].Config()
	if err != nil {
		return nil, err
	}
	phases, byPhase, err := recordsByPhase(seeds)
	if err != nil {
		return nil, err
	}
	if phases == nil {
		return nil, fmt.Errorf("plots: %s: expected a run with an epoch, found none; "+
			"continue it with recap train --resume %s", dir, dir)
	}
	progress := ""
	if slices.ContainsFunc(seeds, func(d rundir.Dir) bool { return !d.Finished() }) {
		progress = " (the run is not finished)"
	}
	var list []Figure
	for _, phase := range phases {
		panels := lossPanels(&c, byPhase[phase])
		for i := range panels {
			panels[i].X += progress
		}
		f := figure.Curves(3, panels...)
		means := ""
		if n := len(byPhase[phase]); n > 1 {
			means = fmt.Sprintf(", means over %d seeds", n)
		}
		f.Alt = fmt.Sprintf("Terms of the loss over the epochs of %s%s; %s, %s.", phase, means,
			c.Dataset, c.SelectedVariant().Label+progress)
		list = append(list, Figure{"losses-" + phase, f})
	}
	return list, nil
}

// recordsByPhase returns the phases that have an epoch, in their order, and the records of each:
// [seed][epoch], of the seeds that have begun the phase.
func recordsByPhase(
	seeds []rundir.Dir,
) (phases []string, byPhase map[string][][]rundir.Record, err error) {
	byPhase = map[string][][]rundir.Record{}
	for _, d := range seeds {
		records, err := d.Records()
		if err != nil {
			return nil, nil, err
		}
		for len(records) > 0 {
			phase := records[0].Phase
			n := slices.IndexFunc(records, func(r rundir.Record) bool { return r.Phase != phase })
			if n < 0 {
				n = len(records)
			}
			if !slices.Contains(phases, phase) {
				phases = append(phases, phase)
			}
			byPhase[phase] = append(byPhase[phase], records[:n])
			records = records[n:]
		}
	}
	return phases, byPhase, nil
}

// lossPanels returns a panel for each kind of term of a phase, then a panel for each validation
// score. Terms are in the order of compareTerms.
func lossPanels(c *settings.Config, seeds [][]rundir.Record) []figure.Panel {
	longest := slices.MaxFunc(seeds, func(a, b []rundir.Record) int { return len(a) - len(b) })
	var epochs []float64
	for _, r := range longest {
		epochs = append(epochs, float64(r.Epoch))
	}
	var panels []figure.Panel
	add := func(title, unit, curve, key string, values func(r *rundir.Record) rundir.Numbers) {
		i := slices.IndexFunc(panels, func(p figure.Panel) bool { return p.Title == title })
		if i < 0 {
			i = len(panels)
			panels = append(panels,
				figure.Panel{Title: title, X: "epoch", Y: unit, IntegerX: true})
		}
		runs := make([][]metric.Scores, len(seeds))
		for j, list := range seeds {
			for k := range list {
				runs[j] = append(runs[j], metric.Scores(values(&list[k])))
			}
		}
		panels[i].Curves = append(panels[i].Curves, meanCurve(curve, epochs, runs, key))
	}
	terms := slices.SortedFunc(maps.Keys(longest[0].Terms), func(a, b string) int {
		return compareTerms(c, a, b)
	})
	for _, key := range terms {
		title, unit, curve := titlesOf(c, key)
		add(title, unit, curve, key, func(r *rundir.Record) rundir.Numbers { return r.Terms })
	}
	for _, key := range []string{rundir.LossKey, "MAE", "Corr"} {
		if _, ok := longest[0].Valid[key]; ok {
			label, _ := axisOf(key)
			if key == rundir.LossKey {
				label = "cross-entropy ↓"
			}
			title := fmt.Sprintf("validation, r = %s, %s", results.FormatNumber(c.Eval.ValidRate),
				key)
			add(title, label, "", key, func(r *rundir.Record) rundir.Numbers { return r.Valid })
		}
	}
	return panels
}
