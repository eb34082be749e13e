package recap

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestAdversarialLossesAreEquations1To6 compares L_gen and L_disc with loops over granularities,
// samples and segments, in the form the paper prints: binary cross-entropy of probabilities.
func TestAdversarialLossesAreEquations1To6(t *testing.T) {
	m, dev := newTiny(t, "cpu64", tiny(), tinyDims)
	tp := ag.NewTape(dev)
	batch := sample(dev, tinyDims, 3)
	x := m.embedder.Forward(tp, batch.Corrupted)[zoo.Audio]
	future := m.embedder.Forward(tp, batch.Complete)[zoo.Audio]
	a := m.adversaries[zoo.Audio]
	gen, disc := a.Losses(tp, x, future)

	bce := func(s *ag.Tensor, target float64) float64 { // mean over the segment's positions
		sum := 0.0
		p := tp.Sigmoid(a.discriminator.Forward(tp, s)).Values()
		for _, p := range p {
			sum -= target*math.Log(p) + (1-target)*math.Log(1-p)
		}
		return sum / float64(len(p))
	}
	wantGen, wantDisc := 0.0, 0.0
	for _, n := range a.granularities {
		w := 4 / n // tiny has 4 tokens
		for b := range 3 {
			segment := func(x *ag.Tensor, t int) *ag.Tensor {
				return tp.Slice(tp.Slice(x, 0, b, b+1), 1, t*w, (t+1)*w)
			}
			for t := range n - 1 {
				made := a.generator.Forward(tp, segment(x, t))
				now, next := segment(x, t).Values(), segment(future, t+1).Values()
				var ab, aa, bb float64
				for i := range now {
					ab, aa, bb = ab+now[i]*next[i], aa+now[i]*now[i], bb+next[i]*next[i]
				}
				omega := (1 + ab/math.Sqrt(aa*bb)) / 2
				wantGen += omega * bce(made, 1) / 3
				wantDisc += (bce(segment(future, t+1), 1) + bce(made, 0)) / 2 / 3
			}
		}
	}
	equal(t, "L_gen (eqs. 1–4, 6)", gen.Item(), wantGen)
	equal(t, "L_disc (eqs. 1, 4–6)", disc.Item(), wantDisc)
}

// TestFactorisationIsEquations8To11 recomputes L_FID of each pair from its bounds.
func TestFactorisationIsEquations8To11(t *testing.T) {
	m, dev := newTiny(t, "cpu64", tiny(), tinyDims)
	tp := ag.NewTape(dev)
	b := sample(dev, tinyDims, 8)
	x, made := m.embedder.Forward(tp, b.Complete), m.generate(tp,
		m.embedder.Forward(tp, b.Corrupted))
	terms := m.fid(tp, x, made)
	for i, h := range made {
		x[i], made[i] = m.criticInput(tp, x[i]), m.criticInput(tp, h)
	}
	for k, name := range []string{"la", "lv", "av"} {
		at := slices.IndexFunc(m.pairs, func(q *pair) bool { return q.name == name })
		if at < 0 {
			t.Fatalf("L_FID (eq. 11) has no pair %s", name)
		}
		q, m1, m2 := m.pairs[at], []zoo.Modality{0, 0, 1}[k], []zoo.Modality{1, 2, 2}[k]
		one := func(x *ag.Tensor) []*ag.Tensor { return []*ag.Tensor{x} }
		with := func(m zoo.Modality) []*ag.Tensor { return []*ag.Tensor{made[m], x[m]} }
		upper := func(e *estimator, x, y []*ag.Tensor) float64 {
			bound, _ := e.CLUB(tp, x, y)
			return bound.Item()
		}
		shared := -q.common.NCE(tp, one(made[m1]), one(made[m2])).Item() + upper(q.commonClub,
			with(m1), with(m2))
		club, given := upper(q.club, one(made[m1]), one(made[m2])), q.given.NCE(tp, with(m1),
			with(m2)).Item()
		unique1 := -q.own1.NCE(tp, one(x[m1]), one(made[m1])).Item() + club - given
		unique2 := -q.own2.NCE(tp, one(x[m2]), one(made[m2])).Item() + club - given
		learn := q.club.NCE(tp, one(made[m1]), one(made[m2])).Item() + q.commonClub.NCE(tp,
			with(m1), with(m2)).Item()

		const lambda = 0.001
		got := zoo.Total(tp, only(slices.Clone(terms), func(term string) bool {
			return strings.HasSuffix(term, "_"+name)
		})).Item()
		if want := lambda*(shared+unique1+unique2) - learn; math.Abs(got-want) > 1e-12 {
			t.Errorf("pair %s: λ·L_FID (eqs. 8–11) minus the bounds of f* is %.12f, want %.12f",
				q.name,
				got, want)
		}
	}
}

// TestUpperBoundIsEquation9 compares I_NCE-CLUB with a condition, and the objective of its f*, for
// each kind of critic. The bound moves features alone, the objective moves f* alone.
func TestUpperBoundIsEquation9(t *testing.T) {
	for _, c := range []CriticConfig{{Kind: "separable", Width: 5},
		{Kind: "separable", Width: 5, Hidden: 1}, {Kind: "concat", Width: 5},
		{Kind: "concat", Width: 5, Hidden: 1}} {
		t.Run(fmt.Sprintf("%s %d", c.Kind, c.Hidden), func(t *testing.T) {
			dev, r := open(t, "cpu64"), rand.New(rand.NewPCG(11, 12))
			const b, n = 4, 3
			p := nn.NewParams(dev, r)
			e := newEstimator(p, c, n, 2)
			for _, x := range p.All() { // sizes at which every unit matters
				x.Assign(normals(r, x.Len()))
			}
			side := func() []*ag.Tensor {
				return []*ag.Tensor{ag.NewParam(dev, normals(r, b*n), b, n),
					ag.NewParam(dev, normals(r, b*n), b, n)}
			}
			x, y := side(), side()
			f := func(j, i int) float64 { // f(x_j, y_i)
				return e.score([][]float64{rowsOf(x[0])[j], rowsOf(x[1])[j]},
					[][]float64{rowsOf(y[0])[i], rowsOf(y[1])[i]})
			}
			bound, nce := 0.0, 0.0
			for i := range b {
				sum := 0.0
				for j := range b {
					bound -= f(j, i) / (b * b)
					sum += math.Exp(f(j, i))
				}
				bound += f(i, i) / b
				nce += (f(i, i) - math.Log(sum) + math.Log(b)) / b
			}

			tp := ag.NewTape(dev)
			got, learn := e.CLUB(tp, x, y)
			equal(t, "I_NCE-CLUB (eq. 9)", got.Item(), bound)
			equal(t, "the objective of f* (eq. 9)", learn.Item(), nce)
			features := slices.Concat(x, y)
			moves := func(what string, loss *ag.Tensor, moved, constant []*ag.Tensor) {
				grads := tp.Backward(loss)
				for i, z := range constant {
					if g := grads[z]; g != nil && g.Dot(g) > 0 {
						t.Errorf("%s (eq. 9) moves tensor %d that it holds constant", what, i)
					}
				}
				for _, i := range gradcheck.ZeroGradient(grads, moved) {
					t.Errorf("%s (eq. 9) has no gradient for tensor %d", what, i)
				}
			}
			learners := p.Tensors()
			moves("I_NCE-CLUB", got, features, learners)
			tp.Reset()
			_, learn = e.CLUB(tp, x, y)
			if c.Kind == "concat" { // what its last bias adds to all scores cancels
				learners = learners[:len(learners)-1]
			}
			moves("the objective of f*", learn, learners, features)
		})
	}
}

// TestReconstructionIsEquations12And13 compares L_rec of stage 1: E_rec adds its positions and has
// two Transformer layers, its input is X', and its target X is standardised over the batch.
func TestReconstructionIsEquations12And13(t *testing.T) {
	m, dev := newTiny(t, "cpu64", withoutDropout(), tinyDims)
	const samples = 8
	b := sample(dev, tinyDims, samples)
	terms := valuesOf(ag.NewTape(dev), m.stage1(), b)
	tp := ag.NewInferenceTape(dev)
	complete := m.embedder.Forward(tp, b.Complete)
	for i, x := range m.generate(tp, m.embedder.Forward(tp, b.Corrupted)) {
		e := m.reconstructors[i]
		if n := len(e.transformer.Stream(tp, x)) - 1; n != 2 {
			t.Errorf("E_rec (eq. 12) has %d layers, want 2", n)
		}
		got := e.transformer.Forward(tp, tp.Add(x, e.positions)).Values()
		want := complete[i].Values()
		n := len(want) / samples
		loss := 0.0
		for k := range n { // a position and feature
			mean, square := 0.0, 0.0
			for s := range samples {
				mean += want[s*n+k] / samples
			}
			for s := range samples {
				square += (want[s*n+k] - mean) * (want[s*n+k] - mean) / samples
			}
			for s := range samples {
				target := (want[s*n+k] - mean) / (math.Sqrt(square) + 1e-4)
				loss += (got[s*n+k] - target) * (got[s*n+k] - target) / float64(len(want))
			}
		}
		name := "rec_" + zoo.Modality(i).String()
		equal(t, name+", L_rec (eqs. 12, 13)", terms[name], loss)
	}
}

// valuesOf returns the terms of a phase by name.
func valuesOf(tp *ag.Tape, ph zoo.Phase, b *zoo.Batch) map[string]float64 {
	values := map[string]float64{}
	for _, term := range termsOf(tp, ph, b) {
		values[term.Name] = term.Loss.Item()
	}
	return values
}

// TestWeightsAreEquations7And14And19 checks the weight of every term against the release's numbers.
func TestWeightsAreEquations7And14And19(t *testing.T) {
	m, dev := newTiny(t, "cpu64", tiny(), tinyDims)
	want := map[string]float64{
		"gen_l": 0.005, "gen_a": 0.002, "gen_v": 0.003, "disc_l": 0.005, "disc_a": 0.002,
		"disc_v":     0.003,
		"nce_common": -0.001, "club_common": 0.001, "nce_own1": -0.001, "nce_own2": -0.001,
		"club": 0.002, "nce_given": -0.002,
		"learn_club": -1, "learn_club_common": -1, "rec_l": 0.1, "rec_a": 0.1, "rec_v": 0.1,
		"task": 1, "rank": 0.01, "probe_l": 0.2, "probe_a": 0.2, "probe_v": 0.2,
		"disc_chance": 0, "spread_l": 0, "spread_a": 0, "spread_v": 0, "constant": 0,
		"token_spread_l": 0, "token_spread_a": 0, "token_spread_v": 0,
		"alpha_l": 0, "alpha_a": 0, "alpha_v": 0,
	}
	for _, ph := range m.Phases() {
		for _, term := range termsOf(ag.NewTape(dev), ph, sample(dev, tinyDims, 8)) {
			name := term.Name
			for _, pair := range []string{"_la", "_lv", "_av"} {
				name = strings.TrimSuffix(name, pair)
			}
			if w, ok := want[name]; !ok || math.Abs(term.Weight-w) > 1e-15 {
				t.Errorf("%s: %s has weight %g, want %g", ph.Name, term.Name, term.Weight, w)
			}
		}
	}
}

// TestTargetIsConstant compares the gradient of E_m in stage 1 with the one it has when the
// complete features come from a twin that is no part of the graph.
func TestTargetIsConstant(t *testing.T) {
	c := tiny()
	c.Text.Dropout = 0
	m, dev := newTiny(t, "cpu64", c, tinyDims)
	twin, _ := newTiny(t, "cpu64", c, tinyDims)
	b := sample(dev, tinyDims, 8)
	tp := ag.NewTape(dev)
	whole := tp.Backward(zoo.Total(tp, only(termsOf(tp, m.stage1(), b), oneOf("rec_", "nce_own"))))
	tp = ag.NewTape(dev)
	complete, completed := twin.embedder.Forward(tp, b.Complete), m.generate(tp,
		m.embedder.Forward(tp, b.Corrupted))
	terms := append(m.fid(tp, complete, completed), m.reconstruct(tp, complete, completed)...)
	apart := tp.Backward(zoo.Total(tp, only(terms, oneOf("rec_", "nce_own"))))
	for _, p := range m.all.Sub("embed").All() {
		if g, h := whole[p.Tensor], apart[p.Tensor]; g == nil ||
			!slices.EqualFunc(g.Values(), h.Values(), func(a, b float64) bool {
				return math.Abs(a-b) < 1e-12
			}) {
			t.Errorf("the gradient of %s reaches it through the target", p.Name)
		}
	}
}

// A feature that is the same in every sample of a batch has the standard deviation 0.
func TestConstantFeatureIsFinite(t *testing.T) {
	dev := open(t, "cpu64")
	m := &Model{}
	tp := ag.NewTape(dev)
	x := ag.NewParam(dev, make([]float64, 8*2*3), 8, 2, 3)
	y := m.reconstructionTarget(tp, x)
	z := m.criticInput(tp, x)
	for _, v := range slices.Concat(y.Values(), z.Values(),
		tp.Backward(tp.Sum(tp.Mul(z, z)))[x].Values()) {
		if v != 0 {
			t.Fatalf("found %g, want 0", v)
		}
	}
}
