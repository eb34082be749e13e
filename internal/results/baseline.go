package results

import "github.com/seed-6655bf3b/recap/internal/metric"

// A Baseline is a predictor that ignores the input: it always predicts the mean of the training
// labels, or the most frequent class of them. Its scores are the same at each missing rate.
type Baseline struct {
	Constant float64 // the prediction
	Scores   metric.Scores
}

// NewBaseline returns the baseline of the training labels for the labels of the test split. With
// classes, those of the test split are classes, as in [Predictions].
func NewBaseline(train, test []float32, classes int, kind metric.Kind) Baseline {
	constant := 0.0
	if classes == 0 {
		for _, y := range train {
			constant += float64(y) / float64(len(train))
		}
	} else {
		count := make([]int, classes)
		for _, y := range train {
			class := metric.ClassOf(float64(y), classes, kind)
			count[class]++
			if count[class] > count[int(constant)] {
				constant = float64(class)
			}
		}
	}
	all := Predictions{Label: test}
	for range test {
		all.Score = append(all.Score, float32(constant))
	}
	return Baseline{constant, all.Evaluate(kind, classes)}
}
