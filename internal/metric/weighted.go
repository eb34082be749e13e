package metric

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// A Weighted computes one score of resamples of the same predictions. A resample is given by how
// often it has each utterance, c [N]; the score depends on sums Σ_i c_i x_i over a few columns x
// [N]. So it takes much less time than [Compute] for the drawn utterances, with the same result.
type Weighted struct {
	columns [][]float64
	score   func(sums []float64, n float64) float64 // n = Σ_i c_i
}

// NewWeighted returns the score with a key of [Keys], [ExtraKeys] or [Classify] for predictions and
// labels. With classes, both are numbers of classes.
func NewWeighted(k Kind, classes int, key string, pred, label []float32) *Weighted {
	if classes == 0 && k == SIMS {
		pred, label = mapSlice(pred, clip(1)), mapSlice(label, clip(1))
	}
	switch key {
	case "MAE":
		return &Weighted{[][]float64{absoluteErrors(pred, label)}, firstMean}
	case "Corr":
		return weightedCorrelation(pred, label)
	case NaNPredictions:
		nan := func(v float32) float64 { return float64(indicator(v != v)) }
		return &Weighted{[][]float64{mapSlice(pred, nan)},
			func(sums []float64, _ float64) float64 { return sums[0] }}
	}
	class, counts := classesOf(k, classes, key)
	p, y, used := mapSlice(pred, class), mapSlice(label, class), mapSlice(label, counts)
	switch key {
	case fmt.Sprintf("F1_score_%d", classes), "F1_score", "Has0_F1_score", "Non0_F1_score":
		return weightedF1(k, p, y, used)
	case F1Swapped, Has0F1Swapped, Non0F1Swapped:
		return weightedF1(k, y, p, used)
	}
	hits := make([]float64, len(y))
	for i := range y {
		hits[i] = used[i] * float64(indicator(p[i] == y[i]))
	}
	return &Weighted{[][]float64{hits, used},
		func(sums []float64, _ float64) float64 { return sums[0] / sums[1] }}
}

// Score returns the score of the resample that has utterance i count[i] times.
func (w *Weighted) Score(count []float64) float64 {
	var sums [3 * 7]float64 // three for each of seven classes are the most
	for j, x := range w.columns {
		sums[j] = floats.Dot(count, x)
	}
	return w.score(sums[:len(w.columns)], floats.Sum(count))
}

func firstMean(sums []float64, n float64) float64 { return sums[0] / n }

func absoluteErrors(pred, label []float32) []float64 {
	e := make([]float64, len(label))
	for i, y := range label {
		e[i] = math.Abs(float64(pred[i]) - float64(y))
	}
	return e
}

// noClass is the class of a NaN prediction, which is no class of a label.
const noClass = math.MinInt

// classesOf returns how a metric assigns classes to predictions and labels, and whether an
// utterance with a label counts: 1 or 0. See [Compute].
func classesOf(k Kind, classes int, key string) (class func(float32) int,
	counts func(label float32) float64) {
	all := func(float32) float64 { return 1 }
	rounded := func(limit float32) func(float32) int {
		return func(v float32) int {
			if v != v {
				return noClass
			}
			return int(roundedWithin(limit)(v))
		}
	}
	switch {
	case classes > 0:
		return func(v float32) int { return int(v) }, all
	case k == SIMS && key == "Mult_acc_5":
		return interval(-0.7, -0.1, 0.1, 0.7), all
	case key == "Mult_acc_3":
		return interval(-0.1, 0.1), all
	case k == SIMS:
		return interval(0), all
	case key == "Mult_acc_5":
		return rounded(2), all
	case key == "Mult_acc_7":
		return rounded(3), all
	case key == "Non0_acc_2", key == "Non0_F1_score", key == Non0F1Swapped:
		return positive, func(y float32) float64 { return float64(indicator(y != 0)) }
	}
	return nonNegative, all
}

// weightedF1 has three columns for each class c of the labels: those of TP_c, of TP_c + FP_c and of
// n_c = TP_c + FN_c. See [WeightedF1].
func weightedF1(k Kind, pred, label []int, used []float64) *Weighted {
	classes := slices.Compact(slices.Sorted(slices.Values(label)))
	w := &Weighted{}
	for _, c := range classes {
		hit, predicted := make([]float64, len(label)), make([]float64, len(label))
		actual := make([]float64, len(label))
		for i, y := range label {
			predicted[i] = used[i] * float64(indicator(pred[i] == c))
			actual[i] = used[i] * float64(indicator(y == c))
			hit[i] = predicted[i] * float64(indicator(y == c))
		}
		w.columns = append(w.columns, hit, predicted, actual)
	}
	undefined := k == SIMS && (slices.Contains(pred, -1) || slices.Contains(label, -1))
	w.score = func(sums []float64, _ float64) float64 {
		sum, n := 0.0, 0.0
		for s := range slices.Chunk(sums, 3) {
			if s[2] > 0 {
				sum += s[2] * 2 * s[0] / (s[1] + s[2])
				n += s[2]
			}
		}
		if undefined {
			return math.NaN()
		}
		return sum / n
	}
	return w
}

// weightedCorrelation has the columns p, y, p², y² and p·y. A constant is subtracted from p and
// from y first, so that the variances m(p²) − m(p)² lose less precision; one below 1e-12 m(p²) is
// a rounding error.
func weightedCorrelation(pred, label []float32) *Weighted {
	p, y := mapSlice(pred, widen), mapSlice(label, widen)
	for _, x := range [][]float64{p, y} {
		floats.AddConst(-floats.Sum(x)/float64(len(x)), x)
	}
	product := func(a, b []float64) []float64 {
		return floats.MulTo(make([]float64, len(a)), a, b)
	}
	return &Weighted{[][]float64{p, y, product(p, p), product(y, y), product(p, y)},
		func(sums []float64, n float64) float64 {
			mp, my, pp, yy, py := sums[0]/n, sums[1]/n, sums[2]/n, sums[3]/n, sums[4]/n
			vp, vy := pp-mp*mp, yy-my*my
			if !(vp > 1e-12*pp && vy > 1e-12*yy) {
				return math.NaN()
			}
			return min(max((py-mp*my)/math.Sqrt(vp*vy), -1), 1)
		}}
}
