package recap

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
	"github.com/seed-6655bf3b/recap/optim"
)

// tiny is a configuration small enough to check every derivative.
func tiny() Config {
	c := Quick()
	c.Width, c.Tokens, c.Heads, c.HeadWidth, c.FeedForward = 8, 4, 2, 4, 8
	c.Text = zootest.TinyText()
	c.Critic.Width = 8
	c.Granularities = []int{4, 2}
	return c
}

var tinyDims = zootest.TinyDims

func TestModel(t *testing.T) {
	zootest.Run(t, &Spec, func() zoo.Config { c := tiny(); return &c })
}

// TestConcatCriticDerivative checks the whole loss with the critics that tiny does not have.
func TestConcatCriticDerivative(t *testing.T) {
	for hidden := range 2 {
		t.Run(fmt.Sprint(hidden), func(t *testing.T) {
			zootest.Derivative(t, &Spec, concat(hidden))
		})
	}
}

// concat returns tiny with concatenating critics.
func concat(hidden int) *Config {
	c := tiny()
	c.Critic = CriticConfig{Kind: "concat", Width: 8, Hidden: hidden, Input: "flat"}
	return &c
}

func newTiny(t testing.TB, device string, c Config, d zoo.Dims) (*Model, ag.Device) {
	t.Helper()
	m, p := zootest.New(t, &Spec, &c, device, d)
	return m.(*Model), p.Device()
}

func sample(dev ag.Device, d zoo.Dims, size int) *zoo.Batch {
	return zoo.RandomBatch(dev, &d, size, 5)
}

// termsOf returns the terms of a phase's only pass.
func termsOf(tp *ag.Tape, ph zoo.Phase, b *zoo.Batch) []zoo.Term {
	terms, _ := ph.Passes[0].Terms(tp, b)
	return terms
}

// only returns the terms that keep accepts.
func only(terms []zoo.Term, keep func(name string) bool) []zoo.Term {
	return slices.DeleteFunc(terms, func(term zoo.Term) bool { return !keep(term.Name) })
}

func oneOf(prefixes ...string) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(name, p)
		})
	}
}

// clubs tells whether an estimator is the f* of an upper bound.
func clubs(p nn.Param) bool {
	return strings.Contains(p.Name, ".club.") || strings.Contains(p.Name, ".common_club.")
}

// trainedBy names, for each group of parameters, the terms of a phase that give it a gradient, as
// recap.md has it.
var trainedBy = map[string]map[string][]string{
	"stage1": {
		"embed":        {"nce_", "club_", "rec_"},
		"generate":     {"gen_", "nce_", "club_", "rec_"},
		"discriminate": {"disc_"},
		"f*":           {"learn_"},
		"critics":      {"nce_"},
		"reconstruct":  {"rec_"},
	},
	"stage2": {
		"embed":    {"task", "rank", "probe_"},
		"fuse":     {"task", "rank"},
		"predict":  {"probe_"},
		"generate": {},
	},
}

// groups divides a model's parameters as trainedBy does.
func groups(m *Model) map[string][]*ag.Tensor {
	g := map[string][]*ag.Tensor{}
	for _, p := range m.all.All() {
		name, _, _ := strings.Cut(p.Name, ".")
		if name == "fid" {
			name = "critics"
			if clubs(p) {
				name = "f*"
			}
		}
		g[name] = append(g[name], p.Tensor)
	}
	return g
}

// TestEachTermTrainsItsModules checks which modules have a gradient for each term alone: D for
// L_disc only, f* for its own bound only, g_m for its own error only, and G for everything in stage
// 1 but these, and for nothing in stage 2. A phase updates every parameter of the modules that its
// terms train, and no others.
func TestEachTermTrainsItsModules(t *testing.T) {
	eachTermTrains(t, tiny(), trainedBy)
}

// TestProbesTrainPredictorsAlone is TestEachTermTrainsItsModules without the auxiliary loss: then
// the errors of g_m do not train E_m.
func TestProbesTrainPredictorsAlone(t *testing.T) {
	c := tiny()
	c.Loss.Auxiliary = 0
	without := map[string]map[string][]string{"stage1": trainedBy["stage1"],
		"stage2": maps.Clone(trainedBy["stage2"])}
	without["stage2"]["embed"] = []string{"task", "rank"}
	eachTermTrains(t, c, without)
}

func eachTermTrains(t *testing.T, c Config, trainedBy map[string]map[string][]string) {
	t.Helper()
	m, dev := newTiny(t, "cpu64", c, tinyDims)
	b := sample(dev, tinyDims, 8)
	for _, ph := range m.Phases() {
		updated := zootest.Tensors(ph.Params())
		for name, params := range groups(m) {
			want := len(trainedBy[ph.Name][name]) > 0
			for _, x := range params {
				if slices.Contains(updated, x) != want {
					t.Errorf("%s: is a parameter %v of %s updated? %v, want %v", ph.Name, x.Shape(),
						name, !want, want)
				}
			}
		}
		tp := ag.NewTape(dev)
		for i, term := range termsOf(tp, ph, b) {
			if term.Weight == 0 {
				continue
			}
			tp.Reset()
			grads := tp.Backward(termsOf(tp, ph, b)[i].Loss)
			for name, params := range groups(m) {
				moved := len(gradcheck.ZeroGradient(grads, params)) < len(params)
				if prefixes, ok := trainedBy[ph.Name][name]; ok || ph.Name == "stage2" {
					if want := oneOf(prefixes...)(term.Name); moved != want {
						t.Errorf("%s: does %s move %s? %v, want %v", ph.Name, term.Name,
							name, moved, want)
					}
				}
			}
		}
	}
}

// train runs at most 100 steps of a phase on one batch, until the sum of the kept terms is under a
// share of the first. It returns the first and the last sum.
func train(
	m *Model, ph zoo.Phase, b *zoo.Batch, lr float64, keep func(string) bool, share float64,
) (first, last float64) {
	tp := ag.NewTape(b.Complete.Audio.Device())
	opt := optim.NewAdamW(lr, 0, ph.Params())
	for i := range 100 {
		tp.Reset()
		tp.Seed(uint64(i))
		terms := termsOf(tp, ph, b)
		last = 0
		for _, term := range terms {
			if keep(term.Name) {
				last += term.Loss.Item()
			}
		}
		if i == 0 {
			first = last
		}
		if last < share*first {
			break
		}
		opt.Step(tp.Backward(zoo.Total(tp, terms)))
	}
	return first, last
}

func TestOverfits(t *testing.T) {
	c := tiny()
	c.Text.Dropout = 0
	m, dev := newTiny(t, "cpu", c, tinyDims)
	b := sample(dev, tinyDims, 8)
	for i, part := range []struct {
		term string
		// share of the start; the target of the reconstruction changes while E_m learns
		to float64
	}{{"rec_", 1. / 3}, {"task", 1. / 5}} {
		first, last := train(m, m.Phases()[i], b, 0.01, oneOf(part.term), part.to)
		if !(last < part.to*first) {
			t.Errorf("%s fell from %.3f to %.3f in 100 steps on 8 samples; want under %.2f of "+
				"the start", part.term, first, last, part.to)
		}
	}
}

// TestClassification checks that stage 2 learns the classes of eight samples.
func TestClassification(t *testing.T) {
	d := tinyDims
	d.Classes = 3
	c := tiny()
	c.Text.Dropout = 0
	m, dev := newTiny(t, "cpu", c, d)
	b := sample(dev, d, 8)
	first, last := train(m, m.Phases()[1], b, 0.01, oneOf("task"), 0.2)
	if !(last < 0.2*first) {
		t.Errorf("100 steps reduce the cross-entropy from %.3f to %.3f; want under 0.2 of the start", first, last)
	}
	out := m.Predict(ag.NewInferenceTape(dev), b.Corrupted)
	if s := out.Score.Shape(); !slices.Equal(s, []int{8, 3}) {
		t.Errorf("logits have shape %v, want [8 3]", s)
	}
}

// TestPredictReturnsWeights checks the shapes of a prediction, and that the attention weights of a
// sample add up to 1.
func TestPredictReturnsWeights(t *testing.T) {
	m, dev := newTiny(t, "cpu", tiny(), tinyDims)
	out := m.Predict(ag.NewInferenceTape(dev), sample(dev, tinyDims, 5).Corrupted)
	if s := out.Score.Shape(); !slices.Equal(s, []int{5}) {
		t.Errorf("scores have shape %v, want [5]", s)
	}
	w := out.Weight.Values()
	for i := range 5 {
		if s := w[3*i] + w[3*i+1] + w[3*i+2]; math.Abs(s-1) > 1e-6 {
			t.Errorf("the weights of sample %d add up to %g", i, s)
		}
	}
}

// TestGradientsAtTheStart checks that every parameter has a gradient as it is initialised; zootest
// perturbs the parameters first.
func TestGradientsAtTheStart(t *testing.T) {
	m, dev := newTiny(t, "cpu64", tiny(), tinyDims)
	b := sample(dev, tinyDims, 16)
	for _, ph := range m.Phases() {
		tp := ag.NewTape(dev)
		grads := tp.Backward(zoo.Total(tp, termsOf(tp, ph, b)))
		zootest.Gradients(t, ph.Name, grads, ph.Passes[0])
	}
}

// TestVariants checks for each row of Table 3 which terms are left, and that what is left can be
// trained.
func TestVariants(t *testing.T) {
	absent := map[string][]string{
		"no-hcag":          {"gen_", "disc_"},
		"no-fid":           {"nce_", "club_", "learn_"},
		"no-shared":        {"nce_common", "club_common", "learn_club_common"},
		"no-unique":        {"nce_own", "nce_given", "club_la", "learn_club_la"},
		"no-lv":            {"nce_common_lv", "club_lv"},
		"no-la":            {"nce_common_la", "club_la"},
		"no-av":            {"nce_common_av", "club_av"},
		"no-reconstructor": {"rec_"},
		"no-mir":           {"rank", "probe_"},
		"no-stage1":        {"gen_", "disc_", "nce_", "rec_"},
	}
	for _, v := range Spec.AllVariants() {
		t.Run(v.Name, func(t *testing.T) {
			c := tiny()
			v.Apply(&c)
			m, dev := newTiny(t, "cpu", c, tinyDims)
			b := sample(dev, tinyDims, 8)
			for _, ph := range m.Phases() {
				tp := ag.NewTape(dev)
				terms := termsOf(tp, ph, b)
				for _, term := range terms {
					if oneOf(absent[v.Name]...)(term.Name) {
						t.Errorf("%s still has the term %s", ph.Name, term.Name)
					}
				}
				grads := tp.Backward(zoo.Total(tp, terms))
				if v.Name != "no-mir" { // without MIR queries and keys have no effect
					for _, i := range gradcheck.ZeroGradient(grads, zootest.Tensors(ph.Params())) {
						t.Errorf("%s: %s has no gradient", ph.Name, ph.Params()[i].Name)
					}
				}
			}
			stage2 := m.stage2()
			for _, p := range m.PredictParams() {
				updated := v.Name == "no-stage1" || !strings.HasPrefix(p.Name, "generate.")
				if slices.Contains(stage2.Params(), p) != updated {
					t.Errorf("stage2: is %s updated? %v, want %v", p.Name, !updated, updated)
				}
			}
			if alpha := m.Predict(ag.NewInferenceTape(dev),
				b.Corrupted).Weight.Values()[0]; (v.Name == "no-mir") != (math.Abs(alpha-1./3) < 1e-7) {
				t.Errorf("weight of language is %g", alpha)
			}
		})
	}
}

// TestPhases has what a training reads of the phases.
func TestPhases(t *testing.T) {
	c := tiny()
	m, _ := newTiny(t, "cpu", c, tinyDims)
	ph := m.Phases()
	if len(ph) != 2 || ph[0].Name != "stage1" || ph[1].Name != "stage2" {
		t.Fatalf("phases %v", ph)
	}
	if !ph[0].NeedsComplete || ph[1].NeedsComplete || ph[0].Supervised || !ph[1].Supervised {
		t.Errorf("stage 1 needs complete inputs: %v, and labels: %v; stage 2: %v, %v",
			ph[0].NeedsComplete, ph[0].Supervised, ph[1].NeedsComplete, ph[1].Supervised)
	}
	if n := len(ph[0].Snapshot); n == 0 || n != len(m.snapshot()) || ph[1].Snapshot != nil {
		t.Errorf("stage 1 keeps %d parameters, stage 2 %v", n, ph[1].Snapshot)
	}
	sick := map[string]float64{"alpha_l": 0, "constant": 1, "nce_own1_la": 0}
	for i, want := range []string{"every lower bound", "alpha_l"} {
		if w := ph[i].Warn(nil, sick); !strings.Contains(w, want) {
			t.Errorf("%s warns %q, want %q", ph[i].Name, w, want)
		}
	}
}
