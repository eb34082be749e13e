package results

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/metric"
)

func TestBaseline(t *testing.T) {
	train, test := []float32{-1, 2, 2, 3}, []float32{1.5, -2.5, 0.5}
	b := NewBaseline(train, test, 0, metric.MOSI) // errors 0, 4, 1
	if b.Constant != 1.5 || math.Abs(b.Scores["MAE"]-5./3) > 1e-6 ||
		!math.IsNaN(b.Scores["Corr"]) || b.Scores["Mult_acc_7"] != 1./3 {
		t.Errorf("mean of the labels: %+v", b)
	}
	// classes 0 2 2 2; 2 2 0 0, of which 2 is the first to be there twice; and those of CH-SIMS,
	// 2 2 1. The test split has classes, not labels: F1 is 2·2/(2·2+1) of class 2, twice, and 0.
	for _, c := range []struct {
		train []float32
		kind  metric.Kind
	}{{train, metric.MOSI}, {[]float32{1, 2, -1, -2}, metric.MOSI},
		{[]float32{0.3, 0.3, 0.1}, metric.SIMS}} {
		want := Baseline{2, metric.Scores{"Acc_3": 2. / 3, "F1_score_3": 8. / 15}}
		got := NewBaseline(c.train, []float32{2, 0, 2}, 3, c.kind)
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("most frequent class of %v: %s", c.train, diff)
		}
	}
}
