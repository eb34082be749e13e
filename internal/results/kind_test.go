package results

import (
	"testing"

	"github.com/seed-6655bf3b/recap/internal/metric"
)

func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		kind    metric.Kind
		classes int
		y       float64
		want    int
	}{
		{metric.MOSI, 2, 0, 1}, {metric.MOSI, 2, -0.1, 0}, {metric.MOSI, 7, -3, 0},
		{metric.MOSI, 7, 0.5, 3}, {metric.MOSI, 7, 1.5, 5}, {metric.MOSI, 5, 3, 4},
		{metric.SIMS, 2, 0, 0}, {metric.SIMS, 2, 0.1, 1}, {metric.SIMS, 3, 0.1, 1},
		{metric.SIMS, 3, 0.2, 2}, {metric.SIMS, 5, -1, 0}, {metric.SIMS, 5, 0.7, 3},
	} {
		if got := ClassOf(c.y, c.classes, c.kind); got != c.want {
			t.Errorf("kind %d, %d classes: label %g is in class %d, want %d", c.kind, c.classes,
				c.y, got, c.want)
		}
	}
}
