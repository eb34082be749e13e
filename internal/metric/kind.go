package metric

import (
	"math"
	"slices"
)

// KindOf returns the kind of labels of a data set. limits are the smallest and the largest label.
func KindOf(dataset string, limits [2]float64) Kind {
	if dataset == "sims" || dataset != "mosi" && dataset != "mosei" && limits[1] <= 1 {
		return SIMS
	}
	return MOSI
}

// ClassOf returns the class of label y, 0 ≤ class < classes. The boundaries are those of the
// accuracies of this kind (see [Compute]).
func ClassOf(y float64, classes int, kind Kind) int {
	switch {
	case kind == SIMS:
		edges := map[int][]float32{2: {0}, 3: {-0.1, 0.1}, 5: {-0.7, -0.1, 0.1, 0.7}}[classes]
		// intervals (lo, hi] of the labels' precision
		i, _ := slices.BinarySearch(edges, float32(y))
		return i
	case classes == 2:
		if y >= 0 {
			return 1
		}
		return 0
	}
	limit := float64(classes / 2)
	return int(math.RoundToEven(min(max(y, -limit), limit)) + limit)
}
