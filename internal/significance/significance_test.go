package significance

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// mean returns a model whose only score is the mean of x over the utterances, [seeds][utterances].
func mean(x [][]float64) []Trained {
	var model []Trained
	for _, row := range x {
		model = append(model, func(count, scores []float64) {
			scores[0] = stat.Mean(row, count)
		})
	}
	return model
}

// table returns a_s + b_i + e_si: an effect of seeds, of utterances, and of both together, with
// standard deviations sa, sb and se.
func table(seeds, utterances int, sa, sb, se float64, rng *rand.Rand) [][]float64 {
	b := make([]float64, utterances)
	for i := range b {
		b[i] = sb * rng.NormFloat64()
	}
	x := make([][]float64, seeds)
	for s := range x {
		x[s] = make([]float64, utterances)
		a := sa * rng.NormFloat64()
		for i := range x[s] {
			x[s][i] = a + b[i] + se*rng.NormFloat64()
		}
	}
	return x
}

func zeros(seeds, utterances int) [][]float64 {
	return table(seeds, utterances, 0, 0, 0, rand.New(rand.NewPCG(0, 0)))
}

// TestNormal compares the interval and p of normal differences with those of the paired t test,
// once with utterances alone, once with seeds alone.
func TestNormal(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for _, c := range []struct {
		what              string
		seeds, utterances int
		sa, sb            float64
	}{{"utterances", 1, 300, 0, 2}, {"the same utterances for 4 seeds", 4, 300, 0, 2},
		{"seeds", 200, 1, 2, 0}} {
		x := table(c.seeds, c.utterances, c.sa, c.sb, 0, rng)
		d := x[0]
		if c.utterances == 1 {
			d = nil
			for _, row := range x {
				d = append(d, row[0])
			}
		}
		m, deviation := stat.MeanStdDev(d, nil)
		n := float64(len(d))
		student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}
		half := student.Quantile(0.975) * deviation / math.Sqrt(n)
		p := 2 * student.Survival(math.Abs(m)/deviation*math.Sqrt(n))
		got := Compare([][]Trained{mean(zeros(c.seeds, c.utterances)), mean(x)}, c.utterances,
			1)[0][0]
		if math.Abs(got.Mean-m) > 1e-12 || math.Abs(got.Low-(m-half)) > 0.05*half ||
			math.Abs(got.High-(m+half)) > 0.05*half || math.Abs(got.P-p) > 0.02 {
			t.Errorf("%s: %+v, want %.4f [%.4f, %.4f], p %.4f", c.what, got, m, m-half, m+half, p)
		}
	}
}

// TestCoverage counts how often the interval contains the true difference, 0, if seeds, utterances
// and both together have effects. With utterances drawn for each seed on its own it would be in
// about 65 and 80 of 100.
func TestCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	const trials, seeds, utterances = 400, 10, 40
	for what, sigma := range map[string][3]float64{"utterances": {0.05, 1, 0.3},
		"seeds and utterances": {0.2, 1, 1}} {
		hits, rejected := 0, 0
		for range trials {
			x := table(seeds, utterances, sigma[0], sigma[1], sigma[2], rng)
			models := [][]Trained{mean(zeros(seeds, utterances)), mean(x)}
			d := compare(models, utterances, 1, 400)[0][0]
			if d.Low <= 0 && 0 <= d.High {
				hits++
			}
			if d.P <= 0.05 {
				rejected++
			}
		}
		if share := float64(hits) / trials; share < 0.9 || share > 0.985 {
			t.Errorf("%s: the interval contains the true value in %.3f of the cases", what, share)
		}
		if agree := hits + rejected; agree < trials-4 || agree > trials+4 {
			t.Errorf("%s: p is at most 0.05 in %d cases, 0 outside in %d", what, rejected,
				trials-hits)
		}
	}
}

// TestIdentical compares a model with itself, and a score that is undefined.
func TestIdentical(t *testing.T) {
	x := table(3, 20, 1, 1, 1, rand.New(rand.NewPCG(5, 1)))
	undefined := []Trained{}
	for range x {
		undefined = append(undefined, func(_, scores []float64) { scores[0] = math.NaN() })
	}
	all := Compare([][]Trained{mean(x), mean(x), undefined}, 20, 1)
	if want := (Difference{0, 0, 0, 1}); all[0][0] != want {
		t.Errorf("%+v, want %+v", all[0][0], want)
	}
	if d := all[1][0]; !math.IsNaN(d.Mean+d.Low) || !math.IsNaN(d.High+d.P) {
		t.Errorf("undefined: %+v", d)
	}
}

// TestResamples computes the differences of two models with three seeds and four utterances one
// resample after the other: first the seeds are drawn, then the utterances.
func TestResamples(t *testing.T) {
	first := [][]float64{{1, 2, 3, 4}, {0, -1, 5, 2}, {7, 1, 1, 0}}
	second := [][]float64{{2, 2, -3, 1}, {3, 0, 4, 4}, {-2, 5, 2, 1}}
	const resamples = 79
	var d []float64
	for b := range uint64(resamples) {
		rng := rand.New(rand.NewPCG(1993, b))
		var seeds [3]int
		var utterances [4]int
		for i := range seeds {
			seeds[i] = rng.IntN(3)
		}
		for i := range utterances {
			utterances[i] = rng.IntN(4)
		}
		sum := 0.
		for _, s := range seeds {
			for _, i := range utterances {
				sum += second[s][i] - first[s][i]
			}
		}
		d = append(d, sum/12)
	}
	got := compare([][]Trained{mean(first), mean(second)}, 4, 1, resamples)
	slices.Sort(d)
	below := 0.
	for _, v := range d {
		if v <= 0 {
			below++
		}
	}
	// k = 80·0.025 = 2; the differences of the seeds have the sums −8, 5 and −3
	want := Difference{-6. / 12, d[1], d[77],
		min(1, 2*min(1+below, 1+float64(resamples)-below)/80)}
	if len(got) != 1 || len(got[0]) != 1 || !near(got[0][0], want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func near(a, b Difference) bool {
	return math.Abs(a.Mean-b.Mean) < 1e-12 && math.Abs(a.Low-b.Low) < 1e-12 &&
		math.Abs(a.High-b.High) < 1e-12 && math.Abs(a.P-b.P) < 1e-12
}

// TestInterval takes the k-th from each end of the sorted differences, k = ⌊(B+1)·0.025⌋, and
// counts those of 0 on both sides.
func TestInterval(t *testing.T) {
	count := func(from, to int) (d []float64) {
		for i := to; i >= from; i-- {
			d = append(d, float64(i))
		}
		return d
	}
	for _, c := range []struct {
		d    []float64
		want Difference
	}{
		{count(1, 39), Difference{0.5, 1, 39, 2. / 40}},
		{count(-39, -1), Difference{0.5, -39, -1, 2. / 40}},
		{count(1, 78), Difference{0.5, 1, 78, 2. / 79}},
		{count(1, 79), Difference{0.5, 2, 78, 2. / 80}},
		{count(0, 38), Difference{0.5, 0, 38, 2 * 2. / 40}},
		{count(-38, 0), Difference{0.5, -38, 0, 2 * 2. / 40}},
		{count(-3, 35), Difference{0.5, -3, 35, 2 * 5. / 40}},
		{count(-19, 19), Difference{0.5, -19, 19, 1}},
	} {
		if got := difference(0.5, slices.Clone(c.d)); !near(got, c.want) {
			t.Errorf("%v: %+v, want %+v", c.d, got, c.want)
		}
	}
	for what, d := range map[string]Difference{"38 resamples": difference(0.5, count(1, 38)),
		"no resamples": difference(0.5, nil), "no mean": difference(math.NaN(), count(1, 39))} {
		if !math.IsNaN(d.Mean) || !math.IsNaN(d.Low) || !math.IsNaN(d.High) ||
			!math.IsNaN(d.P) {
			t.Errorf("%s: %+v", what, d)
		}
	}
}

// TestUndefinedResamples leaves out those in which a seed is drawn whose score is undefined: the
// second of two, if the first utterance is not drawn. Of the other resamples all differ by 1, and p
// tells how many they are. The second score is 2 everywhere.
func TestUndefinedResamples(t *testing.T) {
	const resamples = 200
	of := func(score float64, undefined bool) Trained {
		return func(count, scores []float64) {
			scores[0], scores[1] = score, 2*score
			if undefined && count[0] == 0 {
				scores[0] = math.NaN()
			}
		}
	}
	left := 0.
	for b := range uint64(resamples) {
		rng := rand.New(rand.NewPCG(1993, b))
		second, first := false, false
		for range 2 {
			second = rng.IntN(2) == 1 || second
		}
		for range 5 {
			first = rng.IntN(5) == 0 || first
		}
		if !second || first {
			left++
		}
	}
	got := compare([][]Trained{{of(0, false), of(0, false)}, {of(1, false), of(1, true)}}, 5, 2,
		resamples)
	want := []Difference{{1, 1, 1, 2 / (left + 1)}, {2, 2, 2, 2. / (resamples + 1)}}
	if left < 100 || left > 180 || len(got[0]) != 2 || !near(got[0][0], want[0]) ||
		!near(got[0][1], want[1]) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestHolm compares with numbers worked out by hand: 4·0.01, 3·0.02, 2·0.03 and 0.04, which must
// not be less than the one before it; in another order, and with one that is no test.
func TestHolm(t *testing.T) {
	got := Holm([]float64{0.04, 0.01, math.NaN(), 0.03, 0.02})
	want := []float64{0.06, 0.04, math.NaN(), 0.06, 0.06}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-15 || math.IsNaN(got[i]) != math.IsNaN(want[i]) {
			t.Errorf("%v, want %v", got, want)
			break
		}
	}
	if got := Holm([]float64{0.6, 0.3}); !slices.Equal(got, []float64{0.6, 0.6}) {
		t.Error(got)
	}
	if got := Holm([]float64{0.7, 0.8}); !slices.Equal(got, []float64{1, 1}) {
		t.Error(got)
	}
	p := []float64{0.002, 0.001}
	if got := Holm(p); !slices.Equal(got, []float64{0.002, 0.002}) || p[1] != 0.001 {
		t.Errorf("%v of %v", got, p)
	}
	if got := Holm(nil); len(got) != 0 {
		t.Error(got)
	}
}
