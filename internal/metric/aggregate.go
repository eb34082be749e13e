package metric

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/stat"
)

// MeanStd returns, for each key of the first run, the mean and the population standard deviation
// over the runs, which are seeds or missing rates, as MMSA reports them.
//
//	σ = √(Σ_i (x_i - x̄)² / n)
//
// If a score is NaN in one run, both are NaN. It panics if a run lacks a key.
func MeanStd(runs []Scores) (mean, std Scores) {
	mean, std = Scores{}, Scores{}
	if len(runs) == 0 {
		return mean, std
	}
	x := make([]float64, len(runs))
	for key := range runs[0] {
		for i, run := range runs {
			v, ok := run[key]
			if !ok {
				panic(fmt.Sprintf("metric: MeanStd: run %d has no %s", i, key))
			}
			x[i] = v
		}
		mean[key], std[key] = stat.PopMeanStdDev(x, nil)
	}
	return mean, std
}

// AUILC returns the area under the curve of a metric x over the missing rates r_0 < r_1 < …, by
// the trapezoidal rule.
//
//	AUILC = Σ_k (x_k + x_{k+1})/2 · (r_{k+1} - r_k)
//
// Source: Yuan et al. 2021 (TFR-Net), "area under indicators line chart". It is NaN for fewer than
// two rates. It panics if rates and values differ in length.
func AUILC(rates, values []float64) float64 {
	if len(rates) != len(values) {
		panic(fmt.Sprintf("metric: AUILC: %d values for %d rates", len(values), len(rates)))
	}
	if len(rates) < 2 {
		return math.NaN()
	}
	return integrate.Trapezoidal(rates, values)
}
