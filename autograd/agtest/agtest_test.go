package agtest

import (
	"math"
	"testing"
)

// TestNoiseHasFullRank eliminates a matrix: no row is a combination of those above it.
func TestNoiseHasFullRank(t *testing.T) {
	const n = 12
	v := Noise(5, n*n)
	for k := range n {
		pivot := k
		for i := k; i < n; i++ {
			if math.Abs(v[i*n+k]) > math.Abs(v[pivot*n+k]) {
				pivot = i
			}
		}
		for j := range n {
			v[k*n+j], v[pivot*n+j] = v[pivot*n+j], v[k*n+j]
		}
		if math.Abs(v[k*n+k]) < 1e-3 {
			t.Fatalf("the rank is %d, want %d", k, n)
		}
		for i := k + 1; i < n; i++ {
			f := v[i*n+k] / v[k*n+k]
			for j := range n {
				v[i*n+j] -= f * v[k*n+j]
			}
		}
	}
}
