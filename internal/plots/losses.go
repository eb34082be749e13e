package plots

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Losses shows the terms of each phase's loss over its epochs, means over the seeds that have come
// to an epoch, with bands of one standard deviation where there are several, and the scores of
// validation where the phase has any. The run may be unfinished.
func Losses(dir string) ([]Picture, error) {
	there, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	c, err := there[0].Config()
	if err != nil {
		return nil, err
	}
	byPhase := map[string][][]rundir.Record{} // [seed][epoch]
	var phases []string
	for _, d := range there {
		records, err := d.Records()
		if err != nil {
			return nil, err
		}
		for i := 0; i < len(records); {
			phase, n := records[i].Phase, 1
			for i+n < len(records) && records[i+n].Phase == phase {
				n++
			}
			if !slices.Contains(phases, phase) {
				phases = append(phases, phase)
			}
			byPhase[phase] = append(byPhase[phase], records[i:i+n])
			i += n
		}
	}
	if phases == nil {
		return nil, fmt.Errorf("plots: %s: expected a run with an epoch, found none; continue it with recap train --resume %s", dir, dir)
	}
	var list []Picture
	for _, phase := range phases {
		f := figure.Curves(3, lossPanels(&c, byPhase[phase])...)
		f.Alt = fmt.Sprintf("Terms of the loss over the epochs of %s, means over %d seeds; %s, %s.", phase, len(byPhase[phase]), c.Dataset, c.SelectedVariant().Label)
		list = append(list, Picture{"losses-" + phase, f})
	}
	return list, nil
}

// lossPanels returns a panel for each kind of term of a phase, in the order of the model's titles
// and then of the alphabet, and those of validation.
func lossPanels(c *settings.Config, seeds [][]rundir.Record) []figure.Panel {
	longest := slices.MaxFunc(seeds, func(a, b []rundir.Record) int { return len(a) - len(b) })
	var epochs []float64
	for _, r := range longest {
		epochs = append(epochs, float64(r.Epoch))
	}
	var panels []figure.Panel
	add := func(title, unit, curve, key string, of func(r *rundir.Record) rundir.Numbers) {
		i := slices.IndexFunc(panels, func(p figure.Panel) bool { return p.Title == title })
		if i < 0 {
			i = len(panels)
			panels = append(panels, figure.Panel{Title: title, X: "epoch", Y: unit, IntegerX: true})
		}
		runs := make([][]metric.Scores, len(seeds))
		for j, list := range seeds {
			for k := range list {
				runs[j] = append(runs[j], metric.Scores(of(&list[k])))
			}
		}
		panels[i].Curves = append(panels[i].Curves, overSeeds(curve, epochs, runs, key))
	}
	terms := slices.SortedFunc(maps.Keys(longest[0].Terms), func(a, b string) int { return byTitle(c, a, b) })
	for _, key := range terms {
		title, unit, curve := titled(c, key)
		add(title, unit, curve, key, func(r *rundir.Record) rundir.Numbers { return r.Terms })
	}
	for _, key := range []string{rundir.LossKey, "MAE", "Corr"} {
		if _, ok := longest[0].Valid[key]; ok {
			label, _ := axisOf(key)
			if key == rundir.LossKey {
				label = "cross-entropy ↓"
			}
			add(fmt.Sprintf("validation, r = %s, %s", results.FormatNumber(c.Eval.ValidRate), key), label, "", key, func(r *rundir.Record) rundir.Numbers { return r.Valid })
		}
	}
	return panels
}

// termTitles says what a model's terms are, in the order in which they are shown.
func termTitles(c *settings.Config) []zoo.TermTitle {
	return append([]zoo.TermTitle{{Name: "loss", Title: "loss of the phase"}}, c.Spec().Terms...)
}

// termCurves says of what a term is, by what its name ends in, in the order in which they are
// shown.
var termCurves = []struct{ suffix, name string }{
	{"", ""}, {"_l", "language"}, {"_a", "audio"}, {"_v", "vision"}, {"_la", "language–audio"}, {"_lv", "language–vision"}, {"_av", "audio–vision"}, {"_chance", "by chance"},
}

// termPlace returns where a term stands in termTitles and termCurves; ok is false if it does not.
func termPlace(c *settings.Config, key string) (title, curve int, ok bool) {
	titles := termTitles(c)
	for i, t := range titles {
		for j, curve := range termCurves {
			if key == t.Name+curve.suffix {
				return i, j, true
			}
		}
	}
	return len(titles), 0, false
}

// titled returns the title and the unit of a term's panel, and the name of its curve there. A term
// that is not known has a panel of its own.
func titled(c *settings.Config, key string) (title, unit, curve string) {
	if i, j, ok := termPlace(c, key); ok {
		t := termTitles(c)[i]
		return t.Title, t.Unit, termCurves[j].name
	}
	return key, "", ""
}

func byTitle(c *settings.Config, a, b string) int {
	i, j, _ := termPlace(c, a)
	k, l, _ := termPlace(c, b)
	return cmp.Or(i-k, j-l, strings.Compare(a, b))
}

// TermTitles returns what the names of terms begin with and what they end in, each with its
// meaning, in the order in which they are shown. Not every name is made so.
func TermTitles(c *settings.Config) (beginnings, endings [][2]string) {
	for _, t := range termTitles(c) {
		title := t.Title
		if t.Unit != "" {
			title += ", " + t.Unit
		}
		beginnings = append(beginnings, [2]string{t.Name, title})
	}
	for _, curve := range termCurves {
		endings = append(endings, [2]string{curve.suffix, curve.name})
	}
	return beginnings, endings
}
