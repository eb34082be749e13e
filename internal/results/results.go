package results

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Dims returns the sizes of the data that a seed's checkpoint was trained with. It reads only the
// header of the file.
func Dims(d rundir.Dir) (dims zoo.Dims, err error) {
	path := d.File(rundir.BestFile)
	meta, err := rundir.ReadMeta(path)
	if err != nil {
		return dims, fmt.Errorf("results: checkpoint: %w", err)
	}
	if err := json.Unmarshal([]byte(meta["dims"]), &dims); err != nil {
		return dims, fmt.Errorf(
			"results: %s: expected the sizes of the data in the metadata, found %q; it is not "+
				"the checkpoint of a run", path, meta["dims"],
		)
	}
	if err := dims.Check(); err != nil {
		return dims, fmt.Errorf("results: %s: sizes of the data in the metadata: %w; the file is "+
			"damaged", path, err)
	}
	return dims, nil
}

// LabelKind returns the kind of labels of the data that a seed was trained with.
func LabelKind(d rundir.Dir, c *settings.Config) (metric.Kind, error) {
	dims, err := Dims(d)
	return metric.KindOf(c.Dataset, dims.Range), err
}

// Read reads the predictions of a finished seed: for each of its [Choices] one element per rate.
func Read(d rundir.Dir, c *settings.Config, kind metric.Kind) ([][]*Predictions, error) {
	var all [][]*Predictions
	for _, choice := range Choices(c, kind) {
		path := d.File(choice.File(rundir.PredictionsFile))
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("results: predictions: %w", err)
		}
		list, err := readCSV(path, file)
		if err != nil {
			return nil, err
		}
		all = append(all, list)
	}
	return all, nil
}

// OfMetric returns the predictions from which a metric is computed, those of the checkpoint that is
// selected for it: one element per rate. tested is as [Read] returns it.
func OfMetric(
	c *settings.Config, kind metric.Kind, tested [][]*Predictions, key string,
) []*Predictions {
	for i, choice := range Choices(c, kind)[1:] {
		if checkpointMetric(key) == choice.Metric {
			return tested[i+1]
		}
	}
	return tested[0]
}

// Merge returns the metrics at each rate, each metric computed from the predictions of the
// checkpoint that is selected for it. tested is as [Read] returns it.
func Merge(c *settings.Config, kind metric.Kind, tested [][]*Predictions) []metric.Scores {
	var all []metric.Scores
	for i, choice := range Choices(c, kind) {
		for j, p := range tested[i] {
			scores := p.Evaluate(kind, c.Data.Classes)
			if i == 0 {
				all = append(all, scores)
				continue
			}
			for key, v := range scores {
				if checkpointMetric(key) == choice.Metric {
					all[j][key] = v
				}
			}
		}
	}
	return all
}
