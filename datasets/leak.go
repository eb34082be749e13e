package datasets

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// compareSplits warns of videos and utterances that are in two splits. The video of an id
// VIDEO$_$CLIP is what precedes $_$.
func (f *findings) compareSplits(s *Set) {
	kinds := []struct {
		what string
		key  func(*Split, int) string
		keys [][]string // of each split
	}{
		{what: "utterances with the same features", key: (*Split).digest},
		{what: "utterances of the same video", key: (*Split).video},
	}
	for j, b := range s.splits() {
		for k := range kinds {
			keys := make([]string, b.Len())
			for i := range keys {
				keys[i] = kinds[k].key(b, i)
			}
			kinds[k].keys = append(kinds[k].keys, keys)
		}
		for i := range j {
			for _, kind := range kinds {
				known := map[string]bool{}
				for _, key := range kind.keys[i] {
					known[key] = true
				}
				var both tally
				for k, id := range b.ID {
					if known[kind.keys[j][k]] {
						both.add(id)
					}
				}
				if both.count > 0 {
					f.warn("%s: expected no %s as in %s, found %s", splitNames[j], kind.what,
						splitNames[i], both.of(b.Len()))
				}
			}
		}
	}
}

// video returns the video of utterance i, or a string that no other utterance has if its id does
// not name one.
func (s *Split) video(i int) string {
	video, _, ok := strings.Cut(s.ID[i], "$_$")
	// an id without a video
	if !ok || slices.Contains([]string{"train", "valid", "test", "synthetic"}, video) {
		return fmt.Sprintf("%p %d", s, i)
	}
	return video
}

// digest returns a hash of the tokens and frames of utterance i.
func (s *Split) digest(i int) string {
	h := sha256.New()
	row := s.Language.row(i)
	binary.Write(h, binary.LittleEndian, row.mask)
	integerArray(row.ids)(h)
	for _, m := range []*Frames{&s.Audio, &s.Vision} {
		x := make([]float32, m.T*m.D)
		m.Row(x, i)
		array(x[:m.Len[i]*m.D])(h)
		io.WriteString(h, fmt.Sprint(m.Len[i]))
	}
	return string(h.Sum(nil))
}

// A Correlation is Pearson's correlation of the labels with the predictions of a ridge regression
// on one modality. Its inputs are the mean and the standard deviation of each feature over the
// valid frames, or the counts of the 500 most frequent tokens. It is fitted on the training split
// with the best of some penalties. In the training split each fifth of the videos is predicted by a
// regression on the other four.
type Correlation struct {
	Modality           string
	Train, Valid, Test float64
}

const (
	folds      = 5
	maxColumns = 500 // of the matrix of a modality's inputs
)

var penalties = []float64{1, 10, 100, 1000, 1e4}

// correlations returns the correlations of each modality that is not constant. It returns nil for
// a set with too few utterances for five folds.
func (s *Set) correlations() (all []Correlation) {
	if s.Train.Len() < 10*folds || min(s.Valid.Len(), s.Test.Len()) < 10 {
		return nil
	}
	frequent := s.frequentTokens()
	for _, m := range []struct {
		name     string
		describe func(*Split) *mat.Dense
	}{
		{"text", func(p *Split) *mat.Dense { return p.Language.counts(frequent) }},
		{"audio", func(p *Split) *mat.Dense { return p.Audio.moments() }},
		{"vision", func(p *Split) *mat.Dense { return p.Vision.moments() }},
	} {
		x := [3]*mat.Dense{}
		for i, p := range s.splits() {
			x[i] = m.describe(p)
		}
		if standardize(x[:]) {
			all = append(all, s.correlation(m.name, x))
		}
	}
	return all
}

func (s *Set) correlation(name string, x [3]*mat.Dense) Correlation {
	fold := s.Train.folds()
	predicted := make([][]float64, len(penalties)) // by a regression on the other folds
	for j := range penalties {
		predicted[j] = make([]float64, s.Train.Len())
	}
	for k := range folds {
		models := ridge(x[0], s.Train.Label, func(i int) bool { return fold[i] != k })
		for i, own := range fold {
			if own != k {
				continue
			}
			for j, l := range models {
				predicted[j][i] = l.predict(x[0].RawRowView(i))
			}
		}
	}
	c := Correlation{Modality: name, Train: -1}
	best := 0
	for j := range penalties {
		if r := pearson(predicted[j], s.Train.Label); r > c.Train {
			best, c.Train = j, r
		}
	}
	l := ridge(x[0], s.Train.Label, func(int) bool { return true })[best]
	c.Valid, c.Test = l.score(x[1], s.Valid.Label), l.score(x[2], s.Test.Label)
	return c
}

// folds returns the number of the fold of each utterance. Those of one video are in the same fold.
func (s *Split) folds() []int {
	fold, number := make([]int, s.Len()), map[string]int{}
	for i := range fold {
		v := s.video(i)
		if _, ok := number[v]; !ok {
			number[v] = len(number) % folds
		}
		fold[i] = number[v]
	}
	return fold
}

// A linearModel is a linear function w·x + bias.
type linearModel struct {
	w    *mat.VecDense
	bias float64
}

func (l *linearModel) predict(x []float64) float64 {
	return l.bias + mat.Dot(l.w, mat.NewVecDense(len(x), x))
}

// score returns the correlation of the function with the labels.
func (l *linearModel) score(x *mat.Dense, label []float32) float64 {
	predicted := make([]float64, len(label))
	for i := range predicted {
		predicted[i] = l.predict(x.RawRowView(i))
	}
	return pearson(predicted, label)
}

// ridge returns, for each penalty, the model that minimises Σ (w·x + b - y)² + penalty·|w|² over
// the rows for which use is true.
func ridge(x *mat.Dense, label []float32, use func(i int) bool) []linearModel {
	_, d := x.Dims()
	var rows []float64
	var y []float64
	for i, v := range label {
		if use(i) {
			rows, y = append(rows, x.RawRowView(i)...), append(y, float64(v))
		}
	}
	mean := stat.Mean(y, nil)
	for i := range y {
		y[i] -= mean
	}
	a := mat.NewDense(len(y), d, rows)
	gram, moment := mat.NewSymDense(d, nil), mat.NewVecDense(d, nil)
	gram.SymOuterK(1, a.T())
	moment.MulVec(a.T(), mat.NewVecDense(len(y), y))
	models, before := make([]linearModel, len(penalties)), 0.0
	for j, penalty := range penalties {
		for i := range d {
			gram.SetSym(i, i, gram.At(i, i)+penalty-before)
		}
		before = penalty
		var c mat.Cholesky
		models[j] = linearModel{mat.NewVecDense(d, nil), mean}
		if c.Factorize(gram) {
			c.SolveVecTo(models[j].w, moment) // an error is about precision only
		}
	}
	return models
}

// pearson returns Pearson's correlation, 0 if x or label is constant.
func pearson(x []float64, label []float32) float64 {
	y := make([]float64, len(label))
	for i, v := range label {
		y[i] = float64(v)
	}
	if r := stat.Correlation(x, y, nil); !math.IsNaN(r) {
		return r
	}
	return 0
}

// moments returns the mean and the standard deviation of each feature over the valid frames, [N
// 2D]. If these are more than maxColumns, it returns that many sums of them with random signs.
func (f *Frames) moments() *mat.Dense {
	x := mat.NewDense(len(f.Len), 2*f.D, nil)
	row := make([]float32, f.T*f.D)
	column := make([]float64, f.T)
	for i, n := range f.Len {
		f.Row(row, i)
		for k := range f.D {
			for t := range n {
				column[t] = float64(row[t*f.D+k])
			}
			mean, variance := stat.PopMeanVariance(column[:n], nil)
			x.Set(i, k, mean)
			x.Set(i, f.D+k, math.Sqrt(variance))
		}
	}
	if 2*f.D <= maxColumns {
		return x
	}
	rng := rand.New(rand.NewPCG(1, 0))
	signs := mat.NewDense(2*f.D, maxColumns, nil)
	for i := range 2 * f.D {
		for j := range maxColumns {
			signs.Set(i, j, float64(2*rng.IntN(2)-1))
		}
	}
	sums := mat.NewDense(len(f.Len), maxColumns, nil)
	sums.Mul(x, signs)
	return sums
}

// frequentTokens returns the index of the column of each of the most frequent tokens in the
// training split, by token id.
func (s *Set) frequentTokens() map[int]int {
	count := map[int]int{}
	for i, id := range s.Train.Language.ID {
		if s.Train.Language.Mask[i] == 1 {
			count[id]++
		}
	}
	ids := make([]int, 0, len(count))
	for id := range count {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	column := map[int]int{}
	for i, id := range ids[:min(len(ids), maxColumns)] {
		column[id] = i
	}
	return column
}

// counts returns how often each token that has a column is in each utterance, [N columns].
func (t *Tokens) counts(column map[int]int) *mat.Dense {
	n := len(t.ID) / t.T
	x := mat.NewDense(n, len(column), nil)
	for i := range n {
		row := t.row(i)
		for k, id := range row.ids {
			if j, ok := column[id]; ok && row.mask[k] == 1 {
				x.Set(i, j, x.At(i, j)+1)
			}
		}
	}
	return x
}

// standardize subtracts from each column of all matrices the column's mean in the first matrix, and
// divides by its standard deviation there. A column that is constant there becomes 0. It reports
// whether any column is not constant.
func standardize(all []*mat.Dense) bool {
	n, d := all[0].Dims()
	column, varies := make([]float64, n), false
	for k := range d {
		mat.Col(column, k, all[0])
		mean, deviation := stat.PopMeanStdDev(column, nil)
		scale := 0.0
		if deviation > 1e-9*(1+math.Abs(mean)) {
			scale, varies = 1/deviation, true
		}
		for _, x := range all {
			rows, _ := x.Dims()
			for i := range rows {
				x.Set(i, k, (x.At(i, k)-mean)*scale)
			}
		}
	}
	return varies
}

// correlated warns of features that were learned from labels: they predict the labels of the
// utterances that they were learned on, but not others. It also warns if validation and test
// disagree, because then a checkpoint that is good on validation may not be good on test. Both
// warnings need a difference of four standard errors after Fisher's transformation.
func (f *findings) correlated(s *Set, all []Correlation) {
	const limit = 4
	n, v, t := s.Train.Len(), s.Valid.Len(), s.Test.Len()
	for _, c := range all {
		numbers := fmt.Sprintf("correlation of the label with a ridge regression on %s: %.2f in "+
			"train by video, %.2f in valid, %.2f in test", c.Modality, c.Train, c.Valid, c.Test)
		switch {
		case fisher(c.Train, n, c.Test, t) > limit || fisher(c.Valid, v, c.Test, t) > limit:
			f.warn("%s: the features seem to be learned from labels of other splits than test; "+
				"no comparison of models should rest on them (%s)", c.Modality, numbers)
		case min(c.Train, c.Valid, c.Test) > 0.9:
			f.warn("%s: the features tell the label (%s)", c.Modality, numbers)
		case math.Abs(fisher(c.Valid, v, c.Test, t)) > limit:
			f.warn("%s: validation and test disagree (%s)", c.Modality, numbers)
		}
	}
}

// fisher returns the difference of the correlations a, over n utterances, and b, over m, in
// standard errors after Fisher's transformation z = artanh r.
func fisher(a float64, n int, b float64, m int) float64 {
	z := func(r float64) float64 { return math.Atanh(min(max(r, -0.999), 0.999)) }
	return (z(a) - z(b)) / math.Sqrt(1/float64(n-3)+1/float64(m-3))
}
