package explore

import (
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
)

// A Baseline is a predictor that ignores the input: it always predicts the mean of the training
// labels, or the most frequent class of them. Its scores are the same at each missing rate.
type Baseline struct {
	Constant float64 // the prediction
	Scores   metric.Scores
}

// newBaseline returns the baseline of the labelled training utterances for the labels of test.
func newBaseline(
	train *datasets.Split, test *results.Predictions, classes int, kind metric.Kind,
) Baseline {
	constant := 0.0
	if classes == 0 {
		for _, y := range train.Label {
			constant += float64(y) / float64(len(train.Label))
		}
	} else {
		count := make([]int, classes)
		for _, y := range train.Label {
			class := metric.ClassOf(float64(y), classes, kind)
			count[class]++
			if count[class] > count[int(constant)] {
				constant = float64(class)
			}
		}
	}
	all := results.Predictions{Label: test.Label}
	for range test.Label {
		all.Score = append(all.Score, float32(constant))
	}
	return Baseline{constant, all.Evaluate(kind, classes)}
}
