package recap

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/optim"
)

func open(t *testing.T, name string) ag.Device {
	t.Helper()
	dev, err := ag.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func normals(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

func TestSegmentsAndTheirSuccessors(t *testing.T) {
	dev := open(t, "cpu64")
	v := make([]float64, 2*4*1)
	for i := range v {
		v[i] = float64(i)
	}
	tp := ag.NewTape(dev)
	x := ag.NewTensor(dev, v, 2, 4, 1)
	now, next := segments(tp, x, x, 4)
	if got, want := now.Values(), []float64{0, 1, 2, 4, 5, 6}; !slices.Equal(got, want) {
		t.Errorf("segments of 1 are %v, want %v", got, want)
	}
	if got, want := next.Values(), []float64{1, 2, 3, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("their successors are %v, want %v", got, want)
	}
	now, next = segments(tp, x, x, 2)
	if !slices.Equal(now.Shape(), []int{2, 2, 1}) ||
		!slices.Equal(next.Values(), []float64{2, 3, 6, 7}) {
		t.Errorf("segments of 2: %v, successors %v", now.Shape(), next.Values())
	}
}

// TestSimilarityIsEquation2 compares ω with the formula on opposite, orthogonal and equal
// segments. It is a constant.
func TestSimilarityIsEquation2(t *testing.T) {
	dev := open(t, "cpu64")
	tp := ag.NewTape(dev)
	now := ag.NewParam(dev, []float64{1, 0, 1, 0, 3, 4}, 3, 1, 2)
	next := ag.NewParam(dev, []float64{-2, 0, 0, 5, 3, 4}, 3, 1, 2)
	omega := similarity(tp, now, next)
	for i, got := range omega.Values() {
		if want := []float64{0, 0.5, 1}[i]; math.Abs(got-want) > 1e-12 {
			t.Errorf("ω of pair %d (eq. 2) is %g, want %g", i, got, want)
		}
	}
	grads := tp.Backward(tp.Add(tp.Sum(omega), tp.Sum(tp.Add(now, next))))
	for _, x := range []*ag.Tensor{now, next} {
		if g := grads[x].Values(); !slices.Equal(g, []float64{1, 1, 1, 1, 1, 1}) {
			t.Errorf("ω (eq. 2) has a gradient: with the sum of the segments it is %v, want ones",
				g)
		}
	}
}

// TestRankingIsEquation15 compares L_rank with a loop over the printed formula.
func TestRankingIsEquation15(t *testing.T) {
	dev := open(t, "cpu64")
	r := rand.New(rand.NewPCG(1, 2))
	const b, margin = 6, 0.1
	alpha, errs := normals(r, 3*b), normals(r, 3*b)
	want := 0.0
	for s := range b {
		for i := range 3 {
			for j := range 3 {
				if i != j && errs[3*s+i] < errs[3*s+j] {
					want += 0.5 * max(0, alpha[3*s+j]-alpha[3*s+i]+margin) / b
				}
			}
		}
	}
	got := rankingLoss(ag.NewTape(dev), ag.NewTensor(dev, alpha, b, 3),
		ag.NewTensor(dev, errs, b, 3), margin).Item()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("L_rank (eq. 15) is %g, want %g", got, want)
	}
}

// table is a critic whose scores are given.
type table struct{ scores *ag.Tensor }

func (c table) Sides(_ *ag.Tape, x, y *ag.Tensor) (u, v *ag.Tensor) { return x, y }
func (c table) Pairs(*ag.Tape, *ag.Tensor, *ag.Tensor) *ag.Tensor   { return c.scores }
func (c table) PairsTwice(_ *ag.Tape, _, _, _, _ *ag.Tensor) (scores, constant *ag.Tensor) {
	return c.scores, c.scores
}

// TestBoundsAreTheFormulas compares both bounds with loops, for given scores f(x_j, y_i).
func TestBoundsAreTheFormulas(t *testing.T) {
	dev := open(t, "cpu64")
	r := rand.New(rand.NewPCG(3, 4))
	const b = 5
	s := normals(r, b*b)
	p := nn.NewParams(dev, r)
	e := newEstimator(p, CriticConfig{Kind: "separable", Width: 2}, 2, 1)
	e.critic = table{ag.NewTensor(dev, s, b, b)}
	nce, club := 0.0, 0.0
	for i := range b {
		sum := 0.0
		for j := range b {
			sum += math.Exp(s[i*b+j])
			club -= s[i*b+j] / (b * b)
		}
		nce += (s[i*b+i] - math.Log(sum) + math.Log(b)) / b
		club += s[i*b+i] / b
	}
	tp := ag.NewTape(dev)
	x := []*ag.Tensor{ag.NewTensor(dev, make([]float64, 2*b), b, 2)}
	if got := e.NCE(tp, x, x).Item(); math.Abs(got-nce) > 1e-12 {
		t.Errorf("I_NCE (eqs. 8, 10) is %g, want %g", got, nce)
	}
	bound, learn := e.CLUB(tp, x, x)
	if got := bound.Item(); math.Abs(got-club) > 1e-12 {
		t.Errorf("I_CLUB (eq. 9) is %g, want %g", got, club)
	}
	if got := learn.Item(); math.Abs(got-nce) > 1e-12 {
		t.Errorf("the objective of f* (eq. 9) is %g, want %g", got, nce)
	}
}

// TestConcatCriticIsAnMLPOnPairs compares the factorised first layer with an MLP on [x_j; y_i].
func TestConcatCriticIsAnMLPOnPairs(t *testing.T) {
	dev := open(t, "cpu64")
	r := rand.New(rand.NewPCG(5, 6))
	for hidden := range 2 {
		concatIsAnMLP(t, dev, r, hidden)
	}
}

func concatIsAnMLP(t *testing.T, dev ag.Device, r *rand.Rand, hidden int) {
	const b, n, w = 4, 3, 5
	c := newConcatCritic(nn.NewParams(dev, r), CriticConfig{Width: w, Hidden: hidden}, n)
	x, y := ag.NewTensor(dev, normals(r, b*n), b, n), ag.NewTensor(dev, normals(r, b*n), b, n)
	tp := ag.NewTape(dev)
	u, v := c.Sides(tp, x, y)
	pairs, constant := c.PairsTwice(tp, u, v, u, v)
	scores := c.Pairs(tp, u, v).Values()
	if !slices.Equal(pairs.Values(), scores) || !slices.Equal(constant.Values(), scores) {
		t.Error("PairsTwice differs from Pairs")
	}
	first := tp.Concat(1, c.firstX.W, c.firstY.W) // [w 2n]
	for i := range b {
		for j := range b {
			pair := tp.Concat(1, tp.Slice(x, 0, j, j+1), tp.Slice(y, 0, i, i+1))
			h := tp.ReLU(tp.Linear(pair, first, c.firstY.B))
			if hidden == 1 {
				h = tp.ReLU(c.second.Forward(tp, h))
			}
			want := c.last.Forward(tp, h).Item()
			if got := scores[i*b+j]; math.Abs(got-want) > 1e-12 {
				t.Errorf("f(x_%d, y_%d) is %g, want %g", j, i, got, want)
			}
		}
	}
}

// TestSeparableCriticIsAProduct compares it with the products of the sides.
func TestSeparableCriticIsAProduct(t *testing.T) {
	dev, r := open(t, "cpu64"), rand.New(rand.NewPCG(5, 6))
	const b, n, w = 4, 3, 5
	c := newSeparableCritic(nn.NewParams(dev, r), CriticConfig{Width: w}, n)
	x, y := ag.NewTensor(dev, normals(r, b*n), b, n), ag.NewTensor(dev, normals(r, b*n), b, n)
	tp := ag.NewTape(dev)
	u, v := c.Sides(tp, x, y)
	scores := c.Pairs(tp, u, v).Values()
	pairs, constant := c.PairsTwice(tp, u, v, u, v)
	if !slices.Equal(pairs.Values(), scores) || !slices.Equal(constant.Values(), scores) {
		t.Error("PairsTwice differs from Pairs")
	}
	us, vs := rowsOf(u), rowsOf(v)
	for i := range b {
		for j := range b {
			if want := dot(us[j], vs[i]) / math.Sqrt(w); math.Abs(scores[i*b+j]-want) > 1e-12 {
				t.Errorf("f(x_%d, y_%d) is %g, want %g", j, i, scores[i*b+j], want)
			}
		}
	}
}

// TestBoundsEncloseTheTruth trains both bounds on correlated normals, whose mutual information is
// −½ ln(1−ρ²) a dimension.
func TestBoundsEncloseTheTruth(t *testing.T) {
	dev := open(t, "cpu")
	r := rand.New(rand.NewPCG(7, 8))
	const b, n, rho = 64, 2, 0.8
	truth := -0.5 * n * math.Log(1-rho*rho)
	for _, kind := range []string{"separable", "concat"} {
		p := nn.NewParams(dev, r)
		e := newEstimator(p, CriticConfig{Kind: kind, Width: 32}, n, 1)
		e.headX, e.headY = &nn.MLP{}, &nn.MLP{} // two numbers a side need no projection
		opt := optim.NewAdamW(1e-2, 0, p.All())
		tp := ag.NewTape(dev)
		lower, upper := 0.0, 0.0
		for step := range 500 {
			x, y := normals(r, b*n), normals(r, b*n)
			for i := range y {
				y[i] = rho*x[i] + math.Sqrt(1-rho*rho)*y[i]
			}
			tp.Reset()
			xs, ys := []*ag.Tensor{ag.NewTensor(dev, x, b, n)}, []*ag.Tensor{ag.NewTensor(dev,
				y, b, n)}
			club, learn := e.CLUB(tp, xs, ys)
			if step >= 300 {
				lower, upper = lower+learn.Item()/200, upper+club.Item()/200
			}
			opt.Step(tp.Backward(tp.Neg(learn)))
		}
		if !(lower > 0.85*truth && lower < 1.05*truth && upper > truth) {
			t.Errorf("%s: bounds %.3f and %.3f do not enclose the mutual information %.3f",
				kind, lower, upper, truth)
		}
	}
}

func TestStandardisedOverTheBatch(t *testing.T) {
	dev := open(t, "cpu64")
	m := &Model{}
	r := rand.New(rand.NewPCG(9, 9))
	tp := ag.NewTape(dev)
	x := tp.AddScalar(tp.Scale(ag.NewTensor(dev, normals(r, 16*2*3), 16, 2, 3), 5), 7)
	for name, y := range map[string]*ag.Tensor{"what critics see": m.criticInput(tp, x),
		"target": m.reconstructionTarget(tp, x)} {
		mean, square := tp.Mean(y, 0).Values(), tp.Mean(tp.Mul(y, y), 0).Values()
		for i := range mean {
			if math.Abs(mean[i]) > 1e-9 || math.Abs(square[i]-1) > 1e-3 {
				t.Errorf("%s: feature %d has mean %g and mean square %g", name, i, mean[i],
					square[i])
			}
		}
	}
}

func TestCollapseWarns(t *testing.T) {
	m := &Model{pairs: []*pair{{name: "la"}}}
	first := map[string]float64{"spread_l": 1, "spread_a": 1, "spread_v": 1}
	healthy := map[string]float64{"spread_l": 1, "spread_a": 0.5, "spread_v": 2,
		"token_spread_l": 0.06, "token_spread_a": 0.1, "token_spread_v": 0.2, "nce_own1_la": 0.7}
	for _, changed := range []map[string]float64{{}, // at the limits, and other bounds than own1
		{"spread_a": 0.1}, {"token_spread_v": 0.1}, {"nce_own1_la": 0.0101},
		{"nce_own1_la": 0, "nce_own2_la": 0.7}, {"nce_own1_la": 0, "nce_common_la": 0.7},
		{"nce_own1_la": 0, "nce_given_la": 0.7}} {
		last := maps.Clone(healthy)
		maps.Copy(last, changed)
		if w := m.collapsed(first, last); w != "" {
			t.Errorf("a healthy epoch with %v warns: %s", changed, w)
		}
	}
	if w := (&Model{}).collapsed(first, healthy); w != "" {
		t.Errorf("a model without bounds warns: %s", w)
	}
	for _, x := range []struct {
		changed map[string]float64
		want    string
	}{
		{map[string]float64{"spread_a": 0.09}, "embeddings are collapsing: spread_a"},
		{map[string]float64{"token_spread_v": 0.099}, "nearly the same: token_spread_v"},
		{map[string]float64{"nce_own1_la": 0.001, "nce_common_la": 0}, "every lower bound"},
		{map[string]float64{"nce_own1_la": 0.0099}, "every lower bound"},
	} {
		last := maps.Clone(healthy)
		maps.Copy(last, x.changed)
		if w := m.collapsed(first, last); !strings.Contains(w, x.want) {
			t.Errorf("%v: warning %q, want %q", x.changed, w, x.want)
		}
	}
}

// TestWeightCollapseWarns has a modality without weight that is useful, and one that is not.
func TestWeightCollapseWarns(t *testing.T) {
	last := map[string]float64{"alpha_l": 0.6, "alpha_a": 0.395, "alpha_v": 0.005, "probe_l": 0.5,
		"probe_a": 0.9, "probe_v": 0.97, "constant": 1}
	if w := collapsedWeight(nil, last); w != "" {
		t.Errorf("a useless modality is ignored, and the warning is %q", w)
	}
	last["probe_v"] = 0.8
	if w, want := collapsedWeight(nil, last), "an attention weight has collapsed: alpha_v is "+
		"0.005, although this modality alone predicts with an error of 0.800, and a constant "+
		"with 1.000"; w != want {
		t.Errorf("a useful modality is ignored, and the warning is %q, want %q", w, want)
	}
	for alpha, warns := range map[float64]bool{0.0099: true, 0.0101: false} {
		last["alpha_v"] = alpha
		if w := collapsedWeight(nil, last); (w != "") != warns {
			t.Errorf("a useful modality has the weight %g, and the warning is %q", alpha, w)
		}
	}
	if w := collapsedWeight(nil, map[string]float64{"task": 1}); w != "" {
		t.Errorf("a model without weights warns: %q", w)
	}
}

func TestCheckNamesTheField(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"width is 0": func(c *Config) { c.Width = 0 },
		"width 6 does not divide into the 4 heads of the predictors g_m": func(c *Config) {
			c.Width = 6
		},
		"critic.hidden is 2, want at most 1 with critic.kind=concat": func(c *Config) {
			c.Critic.Kind, c.Critic.Hidden = "concat", 2
		},
		"granularities": func(c *Config) { c.Granularities = []int{3} },
		"granularities contain 1, want numbers of at least 2 that divide tokens (8)": func(
			c *Config,
		) {
			c.Granularities = []int{8, 1}
		},
		"critic.kind":   func(c *Config) { c.Critic.Kind = "conct" },
		"discriminator": func(c *Config) { c.Discriminator = "" },
		"text.width":    func(c *Config) { c.Text.Width = 7 },
	} {
		c := Quick()
		change(&c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), "recap: "+field) {
			t.Errorf("changing %s: %v", field, err)
		}
	}
	for _, deep := range []CriticConfig{{"separable", 8, 2, "mean"}, {"concat", 8, 1, "mean"}} {
		c := Quick()
		if c.Critic = deep; c.Check() != nil {
			t.Errorf("%+v: %v", deep, c.Check())
		}
	}
	if p := Paper(); p.Check() != nil {
		t.Errorf("the paper's configuration: %v", p.Check())
	}
}

// TestInitialisation has the standard deviations of positions, learned tokens, and the fusion's
// queries, keys and values; both halves of a concat critic's first layer are one layer.
func TestInitialisation(t *testing.T) {
	for _, literal := range []bool{false, true} {
		c := tiny()
		c.Literal = literal
		m, _ := newTiny(t, "cpu64", c, tinyDims)
		newConcatCritic(m.all, CriticConfig{Width: 200}, 6)
		values := map[string][]float64{}
		for _, p := range m.all.All() {
			name := p.Name
			if i := strings.LastIndexByte(name, '.'); slices.Contains([]string{"positions",
				"tokens"}, name[i+1:]) {
				name = name[i+1:]
			}
			values[name] = append(values[name], p.Values()...)
		}
		position := map[bool]float64{false: 0.02, true: 1}[literal]
		uniform := 1 / math.Sqrt(3*2*6) // U(−a, a) with a = 1/√(2·6)
		for name, want := range map[string]float64{"positions": position, "tokens": position,
			"fuse.qkv.weight": 0.02, "fuse.qkv.bias": 0, "first_x.weight": uniform,
			"first_y.weight": uniform, "first_y.bias": uniform} {
			x := values[name]
			if got := math.Sqrt(dot(x, x) / float64(len(x))); !(math.Abs(got-want) <= 0.15*want) {
				t.Errorf("literal %v: %s has the standard deviation %g, want %g", literal, name,
					got, want)
			}
		}
	}
}

// TestReleaseClampsItsUpperBound has scores whose mean difference is −8 and 8.
func TestReleaseClampsItsUpperBound(t *testing.T) {
	dev := open(t, "cpu64")
	e := newEstimator(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))),
		CriticConfig{Kind: "separable", Width: 2}, 2, 1)
	e.release = true
	x := []*ag.Tensor{ag.NewTensor(dev, make([]float64, 4), 2, 2)}
	for _, c := range []struct{ score, want float64 }{{-16, -5}, {-8, -4}, {16, 8}} {
		e.critic = table{ag.NewTensor(dev, []float64{c.score, 0, 0, c.score}, 2, 2)}
		bound, learn := e.CLUB(ag.NewTape(dev), x, x)
		if bound.Item() != c.want || learn != nil {
			t.Errorf("scores of %g: bound %g, objective %v; want %g and none", c.score,
				bound.Item(), learn, c.want)
		}
	}
}
