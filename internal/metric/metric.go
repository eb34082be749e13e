// Package metric computes the metrics of multimodal sentiment analysis with the definitions and
// keys of MMSA (https://github.com/thuiar/MMSA), by which results on MOSI, MOSEI and CH-SIMS are
// compared. Start with [Compute].
//
// Scores are not rounded; MMSA rounds each score to four decimals.
package metric

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// A Kind is a kind of labels. The metrics depend on it.
type Kind int

const (
	MOSI Kind = iota // MOSI, MOSEI and the synthetic set: labels in [-3, 3]
	SIMS             // CH-SIMS: labels in [-1, 1]
)

// Keys of scores that MMSA does not have.
const (
	Has0F1Swapped  = "Has0_F1_swapped"
	Non0F1Swapped  = "Non0_F1_swapped"
	F1Swapped      = "F1_swapped"
	NaNPredictions = "NaN_predictions" // number of predictions that are NaN
)

// Scores maps the key of a metric to its value. Accuracies and F1 are fractions from 0 to 1. A
// score that is undefined is NaN.
type Scores map[string]float64

// Keys returns MMSA's keys of the metrics of a kind, in MMSA's order.
func Keys(k Kind) []string {
	if k == SIMS {
		return []string{"Mult_acc_2", "Mult_acc_3", "Mult_acc_5", "F1_score", "MAE", "Corr"}
	}
	return []string{"Has0_acc_2", "Has0_F1_score", "Non0_acc_2", "Non0_F1_score", "Mult_acc_5",
		"Mult_acc_7", "MAE", "Corr"}
}

// ExtraKeys returns the keys of the scores that [Compute] adds to those of [Keys]: the F1 scores
// with label and prediction exchanged, and the number of NaN predictions.
func ExtraKeys(k Kind) []string {
	if k == SIMS {
		return []string{F1Swapped, NaNPredictions}
	}
	return []string{Has0F1Swapped, Non0F1Swapped, NaNPredictions}
}

// LargerIsBetter reports whether larger values of the metric are better. This is true of all
// metrics but MAE and NaNPredictions.
func LargerIsBetter(key string) bool { return key != "MAE" && key != NaNPredictions }

// Better reports whether the value a of the metric is strictly better than b. NaN is never better,
// and every number is better than NaN.
func Better(key string, a, b float64) bool {
	switch {
	case math.IsNaN(a):
		return false
	case math.IsNaN(b):
		return true
	case LargerIsBetter(key):
		return a > b
	}
	return a < b
}

// Compute returns the scores of N predictions p [N] for the labels y [N], under the Keys and
// ExtraKeys of the kind. It panics if their lengths differ.
//
// MOSI, where rne rounds to the nearest integer and halves to even:
//
//	Mult_acc_7   fraction with rne(clip(p, ±3)) = rne(clip(y, ±3));  Mult_acc_5 with ±2
//	Has0         negative against non-negative: p ≥ 0, y ≥ 0, all N
//	Non0         negative against positive: p > 0, y > 0, where y ≠ 0; NaN if there is no such label
//
// SIMS, where p and y are first clipped to ±1 for every metric:
//
//	Mult_acc_2   fraction in equal intervals (lo, hi] cut at 0;  F1_score of these two classes
//	Mult_acc_3   cut at ±0.1;  Mult_acc_5 cut at ±0.1, ±0.7
//
// Both: MAE = mean |p - y|; Corr is Pearson's correlation, NaN if p or y is constant; F1 is
// [WeightedF1].
//
// A NaN prediction counts as incorrect in every accuracy except Has0 and Non0, where it counts as
// negative, as in MMSA. It makes MAE, Corr and the F1 of SIMS NaN.
func Compute(k Kind, pred, label []float32) Scores {
	if len(pred) != len(label) {
		panic(fmt.Sprintf("metric: Compute: %d predictions for %d labels", len(pred), len(label)))
	}
	nan := 0
	for _, p := range pred {
		if math.IsNaN(float64(p)) {
			nan++
		}
	}
	s := Scores{NaNPredictions: float64(nan)}
	if k == SIMS {
		pred, label = mapSlice(pred, clip(1)), mapSlice(label, clip(1))
		s.sims(pred, label)
	} else {
		s.mosi(pred, label)
	}
	s["MAE"] = meanAbsoluteError(pred, label)
	s["Corr"] = correlation(pred, label)
	return s
}

func (s Scores) mosi(pred, label []float32) {
	s["Mult_acc_5"] = accuracy(mapSlice(pred, roundedWithin(2)), mapSlice(label, roundedWithin(2)))
	s["Mult_acc_7"] = accuracy(mapSlice(pred, roundedWithin(3)), mapSlice(label, roundedWithin(3)))

	p, y := mapSlice(pred, nonNegative), mapSlice(label, nonNegative)
	s["Has0_acc_2"] = accuracy(p, y)
	s["Has0_F1_score"], s[Has0F1Swapped] = WeightedF1(p, y), WeightedF1(y, p)

	p, y = nil, nil
	for i, v := range label {
		if v != 0 {
			p, y = append(p, positive(pred[i])), append(y, positive(v))
		}
	}
	s["Non0_acc_2"] = accuracy(p, y)
	s["Non0_F1_score"], s[Non0F1Swapped] = WeightedF1(p, y), WeightedF1(y, p)
}

func (s Scores) sims(pred, label []float32) {
	s["Mult_acc_3"] = accuracy(mapSlice(pred, interval(-0.1, 0.1)),
		mapSlice(label, interval(-0.1, 0.1)))
	s["Mult_acc_5"] = accuracy(mapSlice(pred, interval(-0.7, -0.1, 0.1, 0.7)),
		mapSlice(label, interval(-0.7, -0.1, 0.1, 0.7)))

	p, y := mapSlice(pred, interval(0)), mapSlice(label, interval(0))
	s["Mult_acc_2"] = accuracy(p, y)
	s["F1_score"], s[F1Swapped] = math.NaN(), math.NaN()
	if s[NaNPredictions] == 0 {
		s["F1_score"], s[F1Swapped] = WeightedF1(p, y), WeightedF1(y, p)
	}
}

// Classify returns the scores of N predicted classes for the labels, both numbered from 0 to C-1
// where C is the given number of classes: the accuracy under the key Acc_C and [WeightedF1] under
// F1_score_C.
func Classify(classes int, pred, label []int) Scores {
	return Scores{
		fmt.Sprintf("Acc_%d", classes):      accuracy(pred, label),
		fmt.Sprintf("F1_score_%d", classes): WeightedF1(pred, label),
	}
}

// WeightedF1 returns the mean of the F1 scores F_c of the classes, weighted by the number n_c of
// samples with label c, as scikit-learn's f1_score with average="weighted". It is NaN for no
// samples.
//
//	F1 = Σ_c n_c F_c / Σ_c n_c,  F_c = 2 TP_c / (2 TP_c + FP_c + FN_c)
//
// F_c is symmetric in label and prediction, but the weights are not. Some published tables were
// computed with the two exchanged, WeightedF1(label, pred), which favours a model that prefers one
// class: a constant prediction then scores more than its accuracy. Such values have separate keys,
// which end in _swapped.
func WeightedF1(pred, label []int) float64 {
	hit, predicted, actual := map[int]float64{}, map[int]float64{}, map[int]float64{}
	for i, y := range label {
		predicted[pred[i]]++
		actual[y]++
		if pred[i] == y {
			hit[y]++
		}
	}
	sum := 0.0
	for _, y := range label { // Σ_c n_c F_c, summed in a fixed order
		sum += 2 * hit[y] / (predicted[y] + actual[y])
	}
	return sum / float64(len(label))
}

// accuracy returns the fraction of equal pairs. NaN is not equal to anything.
func accuracy[T comparable](pred, label []T) float64 {
	hits := 0
	for i, y := range label {
		if pred[i] == y {
			hits++
		}
	}
	return float64(hits) / float64(len(label))
}

func meanAbsoluteError(pred, label []float32) float64 {
	sum := 0.0
	for i, y := range label {
		sum += math.Abs(float64(pred[i]) - float64(y))
	}
	return sum / float64(len(label))
}

// correlation returns Pearson's correlation. If one side is constant, the result is 0/0 = NaN: its
// mean is exact, since float32 values are summed in float64, and its variance therefore 0.
func correlation(pred, label []float32) float64 {
	r := stat.Correlation(mapSlice(pred, widen), mapSlice(label, widen), nil)
	return min(max(r, -1), 1)
}

func mapSlice[T any](x []float32, f func(float32) T) []T {
	y := make([]T, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

func widen(v float32) float64 { return float64(v) }

func clip(limit float32) func(float32) float32 {
	return func(v float32) float32 { return min(max(v, -limit), limit) }
}

func roundedWithin(limit float32) func(float32) float64 {
	return func(v float32) float64 { return math.RoundToEven(float64(clip(limit)(v))) }
}

func nonNegative(v float32) int { return indicator(v >= 0) }
func positive(v float32) int    { return indicator(v > 0) }

func indicator(b bool) int {
	if b {
		return 1
	}
	return 0
}

// interval returns a function that gives the number of the interval (-∞, e₀], (e₀, e₁], … of a
// value, and -1 for NaN.
func interval(edges ...float32) func(float32) int {
	return func(v float32) int {
		if v != v {
			return -1
		}
		i, _ := slices.BinarySearch(edges, v)
		return i
	}
}
