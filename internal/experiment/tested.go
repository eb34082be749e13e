package experiment

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/weights"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// checkpoint returns the run's checkpoint and the dimensions it was trained for.
func checkpoint(d runDir) (file []byte, dims zoo.Dims, err error) {
	if dims, err = checkpointDims(d); err != nil {
		return nil, dims, err
	}
	if file, err = os.ReadFile(d.file(bestFile)); err != nil {
		return nil, dims, fmt.Errorf("experiment: checkpoint: %w", err)
	}
	return file, dims, nil
}

// checkpointDims returns the dimensions that the run's checkpoint was trained for. It reads the
// header of the file alone.
func checkpointDims(d runDir) (dims zoo.Dims, err error) {
	path := d.file(bestFile)
	header, err := weights.ReadHeader(path)
	if err != nil {
		return dims, fmt.Errorf("experiment: checkpoint: %w", err)
	}
	if err := json.Unmarshal([]byte(header.Meta["dims"]), &dims); err != nil {
		return dims, fmt.Errorf("experiment: %s: expected the data's dimensions in the metadata, found %q; it is not a run's checkpoint", path, header.Meta["dims"])
	}
	return dims, nil
}

// labelKind returns the family of the labels of the run's data.
func labelKind(d runDir, c *Config) (metric.Kind, error) {
	dims, err := checkpointDims(d)
	return labelsOf(c.Dataset, dims.Range), err
}

// predictions reads what the run predicted, for each of its choices.
func readPredictions(d runDir, c *Config, kind metric.Kind) ([][]*Predictions, error) {
	var all [][]*Predictions
	for _, choice := range choices(c, kind) {
		path := d.file(choice.of(predictionsFile))
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("experiment: predictions: %w", err)
		}
		list, err := readCSV(path, file)
		if err != nil {
			return nil, err
		}
		all = append(all, list)
	}
	return all, nil
}

// merge scores what test returned: each metric by the choice that owns it.
func merge(c *Config, kind metric.Kind, tested [][]*Predictions) []metric.Scores {
	var all []metric.Scores
	for i, choice := range choices(c, kind) {
		for j, p := range tested[i] {
			scores := p.compare(kind, c.Data.Classes)
			if i == 0 {
				all = append(all, scores)
				continue
			}
			for key, v := range scores {
				if owner(key) == choice.key {
					all[j][key] = v
				}
			}
		}
	}
	return all
}
