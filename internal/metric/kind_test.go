package metric

import "testing"

func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		kind    Kind
		classes int
		y       float64
		want    int
	}{
		{SIMS, 2, 0.001, 1}, {SIMS, 3, -0.1, 0}, {SIMS, 3, -0.099, 1}, {SIMS, 3, 0.101, 2},
		{SIMS, 5, -0.7, 0}, {SIMS, 5, -0.699, 1}, {SIMS, 5, -0.1, 1}, {SIMS, 5, -0.099, 2},
		{SIMS, 5, 0.1, 2}, {SIMS, 5, 0.101, 3}, {SIMS, 5, 0.701, 4},
		{MOSI, 7, 3, 6}, {MOSI, 7, 4, 6}, {MOSI, 7, -4, 0}, {MOSI, 3, -0.6, 0}, {MOSI, 3, 0.5, 1},
		{MOSI, 3, 0.6, 2}, {MOSI, 3, 3, 2}, {MOSI, 5, -3, 0}, {MOSI, 5, 1.4, 3},
		{MOSI, 2, 0, 1}, {MOSI, 2, -0.1, 0}, {MOSI, 7, -3, 0},
		{MOSI, 7, 0.5, 3}, {MOSI, 7, 1.5, 5}, {MOSI, 5, 3, 4},
		{SIMS, 2, 0, 0}, {SIMS, 2, 0.1, 1}, {SIMS, 3, 0.1, 1},
		{SIMS, 3, 0.2, 2}, {SIMS, 5, -1, 0}, {SIMS, 5, 0.7, 3},
	} {
		if got := ClassOf(c.y, c.classes, c.kind); got != c.want {
			t.Errorf("kind %d, %d classes: label %g is in class %d, want %d", c.kind, c.classes,
				c.y, got, c.want)
		}
	}
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		dataset string
		largest float64
		want    Kind
	}{
		{"sims", 1, SIMS}, {"sims", 3, SIMS}, {"mosi", 1, MOSI}, {"mosi", 3, MOSI},
		{"mosei", 1, MOSI}, {"mosei", 3, MOSI}, {"own", 1, SIMS}, {"own", 1.5, MOSI},
	} {
		if got := KindOf(c.dataset, [2]float64{-c.largest, c.largest}); got != c.want {
			t.Errorf("%s with labels to %g: kind %d, want %d", c.dataset, c.largest, got, c.want)
		}
	}
}
