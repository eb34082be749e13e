package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestWeighted compares the scores of random resamples with those of Compute and Classify for the
// drawn utterances.
func TestWeighted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 40
	for trial := range 40 {
		for _, kind := range []Kind{MOSI, SIMS} {
			scale := map[Kind]float64{MOSI: 1.5, SIMS: 0.6}[kind]
			pred, label := make([]float32, n), make([]float32, n)
			for i := range pred {
				label[i] = float32(math.Round(5*scale*rng.NormFloat64()) / 5)
				pred[i] = float32(scale*rng.NormFloat64())/2 + label[i]/2
			}
			if trial%4 == 1 {
				pred[3] = float32(math.NaN())
			}
			index, count := make([]int, n), make([]float64, n)
			drawnPred, drawnLabel := make([]float32, n), make([]float32, n)
			for i := range index {
				j := rng.IntN(n)
				if trial%4 == 1 && i == 0 {
					j = 3
				}
				count[j]++
				drawnPred[i], drawnLabel[i] = pred[j], label[j]
			}
			want := Compute(kind, drawnPred, drawnLabel)
			for key, v := range want {
				compareWeighted(t, fmt.Sprint(kind, trial, key),
					NewWeighted(kind, 0, key, pred, label).Score(count), v)
			}
			classes := map[Kind]int{MOSI: 7, SIMS: 3}[kind]
			toClass := func(v float32) int { return ClassOf(float64(v), classes, kind) }
			number := func(v float32) float32 { return float32(toClass(v)) }
			if trial%4 != 1 {
				want = Classify(classes, mapSlice(drawnPred, toClass),
					mapSlice(drawnLabel, toClass))
				for key, v := range want {
					compareWeighted(t, fmt.Sprint(kind, trial, key), NewWeighted(kind, classes, key,
						mapSlice(pred, number), mapSlice(label, number)).Score(count), v)
				}
			}
		}
	}
	constant := make([]float32, 7)
	for i := range constant {
		constant[i] = 0.3
	}
	label, ones := []float32{1, 2, 3, 1, 2, 0, -1}, []float64{1, 1, 1, 1, 1, 1, 1}
	if r := NewWeighted(MOSI, 0, "Corr", constant, label).Score(ones); !math.IsNaN(r) {
		t.Errorf("a constant has the correlation %g", r)
	}
}

func compareWeighted(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-12 {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}
