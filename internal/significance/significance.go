// Package significance tells how far a difference between two models may be a matter of chance: of
// the seeds with which they were trained and of the utterances with which they were tested.
package significance

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// Resamples is the number B of resamples of the bootstrap.
const Resamples = 10_000

// Confidence is that of the intervals, 1 − 2α.
const Confidence = 0.95

// bootstrapSeed makes the resamples, and so the tables, the same in every call.
const bootstrapSeed = 1993

// A Trained is one seed of a model. For a resample that has utterance i count[i] times, it stores
// its scores, such as several metrics at several missing rates, in scores.
type Trained func(count, scores []float64)

// A Difference compares a score of two models; all numbers are NaN if it is undefined.
type Difference struct {
	Mean      float64 // over the seeds, for all utterances
	Low, High float64 // confidence interval
	P         float64 // two-sided, of the hypothesis that the difference is 0
}

// Compare compares each model but the first with the first. models[m][s] is model m trained with
// the s-th seed; all models have the same S seeds, are tested on the same of N utterances and have
// the same number of scores. The result has an element for each model but the first and each score.
//
// In each of B resamples, S seeds are drawn with replacement, and N utterances with replacement.
// The utterances are the same ones for all seeds and models, as the real ones are: seeds and
// utterances are crossed. (With utterances drawn for each seed on its own, the variance over test
// splits would seem S times smaller than it is.) Where each seed is tested on some of the N
// utterances only, its scores are those of its utterances that are drawn. The difference of a
// resample is
//
//	d_b = 1/S Σ_s score(model, s, utterances) − 1/S Σ_s score(first, s, utterances)
//
// with the sums over the drawn seeds. With d_(1) ≤ … ≤ d_(B) and k = ⌊(B+1) α⌋, α = 0.025,
//
//	interval  [d_(k), d_(B+1−k)]
//	p         min(1, 2 min(1 + #{d_b ≤ 0}, 1 + #{d_b ≥ 0}) / (B+1))
//
// A resample in which the score is undefined (NaN) is left out.
//
// Sources: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile
// interval) and section 12.5 (k); Davison and Hinkley, Bootstrap Methods and their Application,
// 1997, section 4.4 (p with 1 added); Owen, The pigeonhole bootstrap, Annals of Applied Statistics
// 1, 2007 (crossed factors).
//
// With few seeds the interval is too narrow: resamples of S seeds have a variance that is smaller
// by (S−1)/S, and the percentiles are those of a normal distribution instead of a t distribution.
func Compare(models [][]Trained, utterances, scores int) [][]Difference {
	return compare(models, utterances, scores, Resamples)
}

func compare(models [][]Trained, utterances, scores, resamples int) [][]Difference {
	seeds := len(models[0])
	ones := func(n int) []float64 { return slices.Repeat([]float64{1}, n) }
	observed := differences(models, ones(seeds), ones(utterances), scores)
	drawn := make([][][]float64, resamples)
	parallel.For(resamples, 16, func(lo, hi int) {
		for b := lo; b < hi; b++ {
			rng := rand.New(rand.NewPCG(bootstrapSeed, uint64(b)))
			drawn[b] = differences(models, draw(seeds, rng), draw(utterances, rng), scores)
		}
	})
	all := make([][]Difference, len(observed))
	for m, list := range observed {
		for i, mean := range list {
			var d []float64
			for b := range drawn {
				if v := drawn[b][m][i]; v == v {
					d = append(d, v)
				}
			}
			all[m] = append(all[m], difference(mean, d))
		}
	}
	return all
}

// draw returns how often each of n things is drawn when n are drawn with replacement.
func draw(n int, rng *rand.Rand) []float64 {
	count := make([]float64, n)
	for range n {
		count[rng.IntN(n)]++
	}
	return count
}

// differences returns the differences of the mean scores between each model but the first and the
// first, for seeds and utterances that are drawn as often as the counts say.
func differences(models [][]Trained, seeds, utterances []float64, scores int) [][]float64 {
	means := make([][]float64, len(models))
	one := make([]float64, scores)
	for m, model := range models {
		means[m] = make([]float64, scores)
		for s, trained := range model {
			if seeds[s] == 0 {
				continue
			}
			trained(utterances, one)
			for i, v := range one {
				means[m][i] += v * seeds[s] / float64(len(seeds))
			}
		}
	}
	for _, list := range means[1:] {
		for i := range list {
			list[i] -= means[0][i]
		}
	}
	return means[1:]
}

// difference returns the interval and p for the differences d of the resamples.
func difference(mean float64, d []float64) Difference {
	nan := math.NaN()
	b := float64(len(d))
	k := int((b + 1) * (1 - Confidence) / 2)
	if mean != mean || k < 1 {
		return Difference{nan, nan, nan, nan}
	}
	slices.Sort(d)
	below, above := 1., 1.
	for _, v := range d {
		if v <= 0 {
			below++
		}
		if v >= 0 {
			above++
		}
	}
	return Difference{mean, d[k-1], d[len(d)-k], min(1, 2*min(below, above)/(b+1))}
}

// Holm returns the p values of m tests, corrected such that the probability of one or more wrong
// rejections among them is at most the level. For p_(1) ≤ … ≤ p_(m),
//
//	p'_(j) = max_{i ≤ j} min(1, (m − i + 1) p_(i))
//
// Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
// Statistics 6, 1979. An undefined p, NaN, is no test and stays NaN.
func Holm(p []float64) []float64 {
	corrected := slices.Clone(p)
	var order []int
	for i, v := range p {
		if v == v {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	largest := 0.
	for rank, i := range order {
		largest = max(largest, min(1, float64(len(order)-rank)*p[i]))
		corrected[i] = largest
	}
	return corrected
}
