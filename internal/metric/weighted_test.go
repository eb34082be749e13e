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

// TestWeightedCorrelationIsPrecise has large numbers that differ little, all of them and all but
// one, which is not drawn; and predictions that are multiples of the labels.
func TestWeightedCorrelationIsPrecise(t *testing.T) {
	label, far := []float32{0, 1, 2, 4, 7}, []float32{0, 1, 2, 4, 7}
	pred := []float32{0, 1, 3, 3, 7}
	for i := range label {
		label[i], pred[i] = 3000+label[i]/1024, 3000+pred[i]/1024
		far[i] = pred[i] - 3000
	}
	far[0] = 3000
	for what, c := range map[string]struct{ pred, count []float32 }{
		"all":               {pred, []float32{1, 1, 1, 1, 1}},
		"all but the first": {far, []float32{0, 1, 1, 1, 1}},
	} {
		first := 1 - int(c.count[0])
		want := Compute(MOSI, c.pred[first:], label[first:])["Corr"]
		count := mapSlice(c.count, widen)
		got := NewWeighted(MOSI, 0, "Corr", c.pred, label).Score(count)
		exchanged := NewWeighted(MOSI, 0, "Corr", label, c.pred).Score(count)
		if !(math.Abs(got-want) < 1e-6 && math.Abs(exchanged-want) < 1e-6) {
			t.Errorf("%s: correlation %g and %g, want %g", what, got, exchanged, want)
		}
	}
	small := []float32{1e-6, 2e-6, 4e-6}
	want := Compute(MOSI, []float32{1, 2, 4}, []float32{1, 3, 2})
	for _, got := range []float64{
		NewWeighted(MOSI, 0, "Corr", small, []float32{1, 3, 2}).Score([]float64{1, 1, 1}),
		NewWeighted(MOSI, 0, "Corr", []float32{1, 3, 2}, small).Score([]float64{1, 1, 1}),
	} {
		if !(math.Abs(got-want["Corr"]) < 1e-6) {
			t.Errorf("correlation %g of small numbers, want %g", got, want["Corr"])
		}
	}
	rng := rand.New(rand.NewPCG(1, 3))
	for i := range 400 {
		factor := []float32{3, -3}[i%2]
		count := make([]float64, 5)
		for i := range count {
			label[i], count[i] = float32(rng.NormFloat64()), float64(1+rng.IntN(2))
			pred[i] = factor * label[i]
		}
		for _, r := range []float64{NewWeighted(MOSI, 0, "Corr", pred, label).Score(count),
			Compute(MOSI, pred, label)["Corr"]} {
			if !(math.Abs(r) <= 1 && math.Abs(r-float64(factor)/3) < 1e-6) {
				t.Fatalf("correlation %v of %g times the labels %v", r, factor, label)
			}
		}
	}
}

func compareWeighted(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-12 {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}
