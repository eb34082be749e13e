package results

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/weights"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Checkpoint returns the file of a seed's checkpoint and the sizes of the data it was trained
// with.
func Checkpoint(d rundir.Dir) (file []byte, dims zoo.Dims, err error) {
	if dims, err = checkpointDims(d); err != nil {
		return nil, dims, err
	}
	if file, err = os.ReadFile(d.File(rundir.BestFile)); err != nil {
		return nil, dims, fmt.Errorf("results: checkpoint: %w", err)
	}
	return file, dims, nil
}

// checkpointDims returns the sizes of the data that a checkpoint was trained with. It reads only
// the header of the file.
func checkpointDims(d rundir.Dir) (dims zoo.Dims, err error) {
	path := d.File(rundir.BestFile)
	header, err := weights.ReadHeader(path)
	if err != nil {
		return dims, fmt.Errorf("results: checkpoint: %w", err)
	}
	if err := json.Unmarshal([]byte(header.Meta["dims"]), &dims); err != nil {
		return dims, fmt.Errorf(
			"results: %s: expected the sizes of the data in the metadata, found %q; it is not "+
				"the checkpoint of a run", path, header.Meta["dims"],
		)
	}
	return dims, nil
}

// LabelKind returns the kind of labels of the data that a seed was trained with.
func LabelKind(d rundir.Dir, c *settings.Config) (metric.Kind, error) {
	dims, err := checkpointDims(d)
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
