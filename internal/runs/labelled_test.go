package runs

import (
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/datasets"
)

func TestLabelsMustBeOfTheModelsRange(t *testing.T) {
	for _, c := range []struct {
		labels []float32
		want   string
	}{
		{[]float32{-1, 0, 3}, ""},
		{nil, "expected a label for each utterance"},
		{[]float32{0, -1.5, 0}, "expected labels from -1 to 3 as in training, found -1.5 of " +
			`utterance "b"`},
		{[]float32{0, 0, 3.5}, `found 3.5 of utterance "c"`},
	} {
		err := labelled(&datasets.Split{ID: []string{"a", "b", "c"}, Label: c.labels},
			[2]float64{-1, 3})
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.labels, err, c.want)
		}
	}
}
