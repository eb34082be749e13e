package tables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// CSV returns comparisons in the layout of MMSA's result files: a line for each model with the mean
// over rates; with byRate a line for each model and rate. The last line of a comparison is that of
// the constant predictor, if it is known. A cell is "(mean, std)" over seeds, times 100 for every
// metric. The columns after those of MMSA have areas under the curve and the properties in which
// lines differ. MMSA's column names do not say that MAE and Corr are multiplied by 100; they are
// not changed, so that lines can be added to MMSA's files. The last column says it.
func CSV(list []*Comparison, keys []string, byRate bool) [][]string {
	header := append([]string{"Model"}, keys...)
	if !byRate {
		for _, key := range keys {
			header = append(header, "AUILC_"+key)
		}
	}
	rows := [][]string{append(header, "Dataset", "Rate", "Rates", "Data", "Utterances",
		"Selection", "Seeds", "Settings", "Metrics_x100")}
	for _, p := range list {
		for _, s := range p.rows {
			rates := []string{"mean"}
			if byRate {
				rates = append(typeset.MapStrings(s.Rates, results.FormatNumber), "mean")
			}
			for _, rate := range rates {
				rows = append(rows, p.line(s, keys, rate, !byRate))
			}
		}
		if p.constant != nil {
			line := p.line(p.constant, keys, "mean", !byRate)
			line[len(line)-3], line[len(line)-2] = "", "" // it has neither seeds nor settings
			rows = append(rows, line)
		}
	}
	return rows
}

// line returns one line of CSV. Cells of metrics that the data set does not have are empty.
func (p *Comparison) line(s *Summary, keys []string, rate string, areas bool) []string {
	c := &s.Config
	line := []string{s.csvName()}
	available := s.AllKeys()
	mean, std := s.Find("mean", rate), s.Find("std", rate)
	areaMean, areaStd := s.areas()
	var cells, areaCells []string
	for _, key := range keys {
		if !slices.Contains(available, key) {
			cells, areaCells = append(cells, ""), append(areaCells, "")
			continue
		}
		cells = append(cells, tuple(mean[key], std[key]))
		areaCells = append(areaCells, tuple(areaMean[key], areaStd[key]))
	}
	line = append(line, cells...)
	if areas {
		line = append(line, areaCells...)
	}
	list := c.Settings()
	return append(line, c.Dataset, rate, c.Eval.Rates, list[0].Describe(p.names),
		s.utterances(), c.Selection(),
		strings.Trim(fmt.Sprint(s.Seeds), "[]"), p.describe(list[1:]),
		"all, also MAE and Corr")
}

// csvName returns the name of the model in CSV. Notes are not in a CSV file, so the name of an
// adaptation says that it is one.
func (s *Summary) csvName() string {
	if s.isConstant {
		return constantPredictor
	}
	if spec := s.Config.Spec(); spec.Adaptation != "" {
		return s.withVariant(spec.Label)
	}
	return s.withVariant(s.Config.Model)
}

// withVariant adds the variant, if there is one, to the name of the model.
func (s *Summary) withVariant(name string) string {
	if s.Config.Variant == "full" {
		return name
	}
	return name + " " + s.Config.Variant
}

// tuple formats a pair as Python does.
func tuple(mean, std float64) string {
	return strings.ToLower(fmt.Sprintf("(%.2f, %.2f)", 100*mean, 100*std))
}
