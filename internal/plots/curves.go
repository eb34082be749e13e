package plots

import (
	"fmt"
	"math"
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
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A Picture is a figure of one or several runs; Alt says what it shows.
type Picture struct {
	Name string // of its files
	*figure.Figure
}

// Save writes the picture to a directory, which is made if it is missing, as "png" or "svg", and
// returns the file's path.
func (p Picture) Save(dir, format string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("plots: pictures: %w", err)
	}
	path := filepath.Join(dir, p.Name+"."+format)
	return path, rundir.WriteWith(path, func(f *os.File) error {
		if format == "svg" {
			return p.WriteSVG(f)
		}
		return p.WritePNG(f)
	})
}

const rateAxis = "missing rate r"

// Curves shows metrics against the missing rate, means of one or several runs over their finished
// seeds, with bands of one standard deviation to both sides where there are several seeds. Without
// metrics it has the paper's Figure 4: the accuracy of two classes and the correlation in one
// picture, the accuracy of five classes and the mean absolute error in another.
func Curves(dirs, metrics []string) ([]Picture, error) {
	all, titles, err := summaries(dirs)
	if err != nil {
		return nil, err
	}
	groups := [][]string{metrics}
	if metrics == nil {
		groups = pairs(all[0])
	}
	var list []Picture
	for _, keys := range groups {
		var panels []figure.Panel
		for _, key := range keys {
			label, factor := axisOf(key)
			panel := figure.Panel{X: rateAxis, Y: label}
			for i, s := range all {
				if !slices.Contains(s.AllKeys(), key) {
					return nil, &MetricError{key, s.AllKeys()}
				}
				panel.Curves = append(panel.Curves, curve(s, titles[i], key, factor))
			}
			panels = append(panels, panel)
		}
		f := figure.Curves(2, panels...)
		f.Alt = fmt.Sprintf("%s against the missing rate; %s.", strings.Join(keys, ", "), described(all))
		list = append(list, Picture{"curves-" + strings.Join(keys, "-"), f})
	}
	return list, nil
}

// A MetricError reports a metric that a run does not have.
type MetricError struct {
	Metric string
	Known  []string
}

func (e *MetricError) Error() string {
	return fmt.Sprintf("plots: metric: expected one of %s, found %s", strings.Join(e.Known, ", "), e.Metric)
}

// summaries scores several runs, and names what is different among them.
func summaries(dirs []string) (all []*tables.Summary, titles []string, err error) {
	for _, dir := range dirs {
		s, err := tables.SummarizeSeeds(dir, nil)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, s)
	}
	apart := differences(all)
	for i, s := range all {
		title := s.Label() + apart[i]
		if j := slices.Index(titles, title); j >= 0 {
			return nil, nil, fmt.Errorf("plots: %s: expected a run that differs from %s, found the same configuration; leave one out", dirs[i], dirs[j])
		}
		titles = append(titles, title)
	}
	return all, titles, nil
}

// differences returns for each summary that in which it differs from others, but for model and
// variant.
func differences(all []*tables.Summary) []string {
	var lists [][]settings.Setting
	for _, s := range all {
		c := &s.Config
		seeds := fmt.Sprintf("%d seeds", len(s.Seeds))
		if len(s.Seeds) == 1 {
			seeds = tables.SeedList(s.Seeds)
		}
		lists = append(lists, append([]settings.Setting{{Key: "dataset", Value: c.Dataset}}, append(c.Settings(), settings.Setting{Key: "select", Value: c.Select}, settings.Setting{Key: settings.SeedSetting, Value: seeds})...))
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

// described says of what a picture is made.
func described(all []*tables.Summary) string {
	var list []string
	for _, s := range all {
		if text := fmt.Sprintf("%s, %s, %s", s.Config.Dataset, tables.SeedList(s.Seeds), s.Config.Selection()); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return strings.Join(list, "; ")
}

// pairs returns the metrics of the paper's Figure 4.
func pairs(s *tables.Summary) [][]string {
	switch {
	case s.Config.Data.Classes > 0:
		return [][]string{s.Keys()}
	case s.Kind == metric.SIMS:
		return [][]string{{"Mult_acc_2", "Corr"}, {"Mult_acc_5", "MAE"}}
	}
	return [][]string{{"Non0_acc_2", "Corr"}, {"Mult_acc_5", "MAE"}}
}

// curve returns a metric, times a factor, at each rate.
func curve(s *tables.Summary, name, key string, factor float64) figure.Curve {
	c := figure.Curve{Name: name}
	for _, rate := range s.Rates {
		mean, std := s.Find("mean", results.FormatNumber(rate)), s.Find("std", results.FormatNumber(rate))
		c.X, c.Y = append(c.X, rate), append(c.Y, factor*mean[key])
		if len(s.Seeds) > 1 {
			c.YError = append(c.YError, factor*std[key])
		}
	}
	return c
}

// axisOf returns how a metric is written at an axis, and by what it is multiplied there: shares
// are in percent.
func axisOf(key string) (label string, factor float64) {
	arrow := " ↓"
	if metric.LargerIsBetter(key) {
		arrow = " ↑"
	}
	label = strings.NewReplacer("Mult_acc_", "Acc-", "Has0_acc_2", "Acc-2, neg./non-neg.", "Non0_acc_2", "Acc-2, neg./pos.", "Has0_F1_score", "F1, neg./non-neg.",
		"Non0_F1_score", "F1, neg./pos.", "F1_score_", "F1-", "F1_score", "F1", "Acc_", "Acc-", "_", " ").Replace(key)
	if strings.Contains(label, "Acc") || strings.Contains(label, "F1") {
		return label + " (%)" + arrow, 100
	}
	return label + arrow, 1
}

// Weights shows the weights of the modalities against the missing rate, means over the test
// utterances, of one or several runs: means over finished seeds, with bands of one standard
// deviation where there are several.
func Weights(dirs []string) (Picture, error) {
	all, titles, err := summaries(dirs)
	if err != nil {
		return Picture{}, err
	}
	var panels []figure.Panel
	for i, dir := range dirs {
		panel := figure.Panel{X: rateAxis, Y: "weight α"}
		if len(dirs) > 1 {
			panel.Title = titles[i]
		}
		if panel.Curves, err = weightCurves(dir); err != nil {
			return Picture{}, err
		}
		panels = append(panels, panel)
	}
	fromZero(panels)
	f := figure.Curves(2, panels...)
	f.Alt = fmt.Sprintf("Weights α of language, audio and vision against the missing rate; %s.", described(all))
	return Picture{"weights", f}, nil
}

// fromZero gives all panels the same range, from 0 to the next tenth above the curves.
func fromZero(panels []figure.Panel) {
	high := 0.0
	for _, p := range panels {
		for _, c := range p.Curves {
			for i, y := range c.Y {
				if c.YError != nil {
					y += c.YError[i]
				}
				if y > high { // which no NaN is
					high = y
				}
			}
		}
	}
	for i := range panels {
		panels[i].YRange = [2]float64{0, math.Ceil(10*high) / 10}
	}
}

var modalityTitles = [zoo.Modalities]string{"language", "audio", "vision"}

func weightCurves(dir string) ([]figure.Curve, error) {
	var rates []float64
	var runs [][]metric.Scores // [seed][rate]
	err := tested(dir, func(_ *settings.Config, _ metric.Kind, all [][]*results.Predictions) error {
		rates = nil
		var run []metric.Scores
		for _, p := range all[0] {
			if p.Weight == nil {
				return fmt.Errorf("plots: %s: expected a model that weighs the modalities, found no weights in %s", dir, rundir.PredictionsFile)
			}
			mean := metric.Scores{}
			for _, alpha := range p.Weight {
				for m, v := range alpha {
					mean[modalityTitles[m]] += v / float64(len(p.Weight))
				}
			}
			rates, run = append(rates, p.Rate), append(run, mean)
		}
		runs = append(runs, run)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var curves []figure.Curve
	for _, name := range modalityTitles {
		curves = append(curves, overSeeds(name, rates, runs, name))
	}
	return curves, nil
}

// overSeeds returns a curve of means over seeds, and of their standard deviations where there are
// several. Seeds may be of different lengths.
func overSeeds(name string, x []float64, runs [][]metric.Scores, key string) figure.Curve {
	c := figure.Curve{Name: name, X: x}
	for i := range x {
		var at []metric.Scores
		for _, run := range runs {
			if i < len(run) {
				at = append(at, metric.Scores{key: run[i][key]})
			}
		}
		mean, std := metric.MeanStd(at)
		c.Y = append(c.Y, mean[key])
		if len(runs) > 1 {
			c.YError = append(c.YError, std[key])
		}
	}
	return c
}

// tested calls do with the predictions of each finished seed, for each of its choices.
func tested(dir string, do func(c *settings.Config, kind metric.Kind, all [][]*results.Predictions) error) error {
	there, err := rundir.SeedDirs(dir)
	if err != nil {
		return err
	}
	for _, d := range there {
		if !d.Finished() {
			continue
		}
		c, err := d.Config()
		if err != nil {
			return err
		}
		kind, err := results.LabelKind(d, &c)
		if err != nil {
			return err
		}
		all, err := results.Read(d, &c, kind)
		if err != nil {
			return err
		}
		if err := do(&c, kind, all); err != nil {
			return err
		}
	}
	return nil
}
