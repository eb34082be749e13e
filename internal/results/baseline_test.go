package results

import (
	"math"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/metric"
)

func TestBaseline(t *testing.T) {
	train, test := []float32{-1, 2, 2, 3}, []float32{1.5, -2.5, 0.5}
	b := NewBaseline(train, test, 0, metric.MOSI) // errors 0, 4, 1
	if b.Constant != 1.5 || math.Abs(b.Scores["MAE"]-5./3) > 1e-6 ||
		!math.IsNaN(b.Scores["Corr"]) || b.Scores["Mult_acc_7"] != 1./3 {
		t.Errorf("mean of the labels: %+v", b)
	}
	// training labels of the classes 0, 2, 2, 2; the test split has classes, not labels
	test = []float32{2, 0, 2}
	if b := NewBaseline(train, test, 3, metric.MOSI); b.Constant != 2 ||
		b.Scores["Acc_3"] != 2./3 {
		t.Errorf("most frequent class: %+v", b)
	}
}
