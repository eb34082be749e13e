package plots

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// A Figure is a figure of one or several runs. Its Alt describes the contents.
type Figure struct {
	Name string // of its files, without extension
	*figure.Figure
}

// Save writes the figure to the file Name.FORMAT in a directory, which it creates if necessary,
// and returns the file's path. The format is "png" or "svg".
func (p Figure) Save(dir, format string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("plots: figures: %w", err)
	}
	path := filepath.Join(dir, p.Name+"."+format)
	if err := rundir.RemoveLeftovers(path); err != nil {
		return "", err
	}
	return path, rundir.WriteWith(path, func(f *os.File) error {
		if format == "svg" {
			return p.WriteSVG(f)
		}
		return p.WritePNG(f)
	})
}

// summaries returns the scores of several runs and a title for each, which has the settings in
// which the runs differ, and says if a run is not finished. Two runs of the same configuration are
// an error, and so are different test splits of one data set.
func summaries(dirs []string) (all []*tables.Summary, titles []string, err error) {
	for _, dir := range dirs {
		s, err := tables.SummarizeSeeds(dir, nil)
		if err != nil {
			return nil, nil, err
		}
		for i, other := range all {
			if err := tables.CheckSameTest(dirs[i], other, dir, s); err != nil {
				return nil, nil, err
			}
		}
		all = append(all, s)
	}
	texts := differences(all)
	for i, s := range all {
		title := s.Label() + texts[i]
		if s.Unfinished > 0 {
			title += ", " + s.Progress()
		}
		if j := slices.Index(titles, title); j >= 0 {
			return nil, nil, fmt.Errorf("plots: %s: expected a run that differs from %s, "+
				"found the same configuration; leave one out", dirs[i], dirs[j])
		}
		titles = append(titles, title)
	}
	return all, titles, nil
}

// differences returns the settings in which each summary differs from the others, as text that is
// appended to the model and the variant.
func differences(all []*tables.Summary) []string {
	var lists [][]settings.Setting
	for _, s := range all {
		c := &s.Config
		seeds := fmt.Sprintf("%d seeds", len(s.Seeds))
		if len(s.Seeds) == 1 {
			seeds = tables.SeedList(s.Seeds)
		}
		list := append([]settings.Setting{{Key: "dataset", Value: c.Dataset}}, c.Settings()...)
		lists = append(lists, append(list,
			settings.Setting{Key: "select", Value: c.Select},
			settings.Setting{Key: settings.SeedSetting, Value: seeds}))
	}
	common, files := settings.SharedSettings(lists), settings.FileNames(lists)
	var texts []string
	for _, list := range lists {
		text := ""
		for _, x := range list {
			switch {
			case slices.Contains(common, x):
			case x.Key == "dataset", x.Key == "select", x.Key == settings.SeedSetting:
				text += ", " + x.Value
			default:
				text += ", " + x.Describe(files)
			}
		}
		texts = append(texts, text)
	}
	return texts
}

// describe returns the data sets, the seeds and the checkpoint selection of the runs in a figure.
func describe(all []*tables.Summary) string {
	var list []string
	for _, s := range all {
		text := fmt.Sprintf("%s, %s, %s", s.Config.Dataset, tables.SeedList(s.Seeds),
			s.Config.Selection())
		if s.Unfinished > 0 {
			text += ", " + s.Progress()
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return strings.Join(list, "; ")
}

// A testedSeed has the predictions of a finished seed.
type testedSeed struct {
	config      settings.Config
	kind        metric.Kind
	predictions [][]*results.Predictions // [choice][rate], see results.Choices
}

// testedSeeds reads the predictions of the finished seeds of a run, or of the one seed in dir.
func testedSeeds(dir string) ([]testedSeed, error) {
	dirs, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	var seeds []testedSeed
	for _, d := range dirs {
		if !d.Finished() {
			continue
		}
		c, err := d.Config()
		if err != nil {
			return nil, err
		}
		kind, err := results.LabelKind(d, &c)
		if err != nil {
			return nil, err
		}
		all, err := results.Read(d, &c, kind)
		if err != nil {
			return nil, err
		}
		seeds = append(seeds, testedSeed{c, kind, all})
	}
	return seeds, nil
}

// meanCurve returns the curve of the means of a score over seeds, with the standard deviation as
// YError if there are several. A seed may have fewer points than x.
func meanCurve(name string, x []float64, runs [][]metric.Scores, key string) figure.Curve {
	c := figure.Curve{Name: name, X: x}
	for i := range x {
		var scores []metric.Scores
		for _, run := range runs {
			if i < len(run) {
				scores = append(scores, metric.Scores{key: run[i][key]})
			}
		}
		mean, std := metric.MeanStd(scores)
		c.Y = append(c.Y, mean[key])
		if len(runs) > 1 {
			c.YError = append(c.YError, std[key])
		}
	}
	return c
}
