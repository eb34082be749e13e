package recap

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// A goldenFile is testdata/recap.json: what PyTorch computes from the paper's formulas for a batch
// of five utterances. testdata/make_recap.py writes it.
type goldenFile struct {
	Batch struct {
		Complete, Corrupted goldenInput
		Label               []float64
		Class               []int
	}
	Cases map[string]*goldenCase
}

type goldenInput struct {
	IDs  [][]int       // [B T_l]
	A, V [][][]float64 // [B T_m d_m]
}

type goldenCase struct {
	Score, Alpha []float64 // of stage 2
	Terms        map[string]float64
	Total        float64
	// derivatives of the loss, and of single terms, along a direction of each module's parameters
	Modules map[string]float64
	ByTerm  map[string]map[string]float64 `json:"by term"`
	// of the gradient of the loss: sum, sum of absolute values, first, middle and last element
	Parameters map[string][5]float64
}

// goldenCases has the settings of each case.
var goldenCases = []struct {
	name   string
	change func(c *Config, d *zoo.Dims)
}{
	{"stage1", func(*Config, *zoo.Dims) {}},
	{"stage2", func(*Config, *zoo.Dims) {}},
	{"concat critic of one layer, D an MLP", func(c *Config, _ *zoo.Dims) {
		c.Critic.Hidden, c.Discriminator = 0, "mlp"
	}},
	{"separable critic of mean tokens", func(c *Config, _ *zoo.Dims) {
		c.Critic.Kind, c.Critic.Hidden, c.Critic.Input = "separable", 0, "mean"
	}},
	{"deep separable critic, literal", func(c *Config, _ *zoo.Dims) {
		c.Critic.Kind, c.Literal, c.Future = "separable", true, "corrupted"
	}},
	{"release", asRelease}, {"release, stage 2", asRelease},
	{"stage2 of version 0.1", func(c *Config, _ *zoo.Dims) {
		c.Loss.Auxiliary, c.FusionDepth = 0, 0
	}},
	{"without H-CAG", func(c *Config, _ *zoo.Dims) { c.Without.HCAG = true }},
	{"classes", func(_ *Config, d *zoo.Dims) { d.Classes = 3 }},
	{"without MIR", func(c *Config, _ *zoo.Dims) { c.Without.MIR = true }},
	{"without stage 1", func(c *Config, _ *zoo.Dims) { c.Without.Stage1 = true }},
}

func asRelease(c *Config, _ *zoo.Dims) {
	loss := c.Loss
	v, _ := Spec.Variant("release")
	v.Apply(c)
	c.Loss = loss
	c.Loss.Auxiliary = 0
}

// goldenTitles tells what the terms are, by the beginning of their names.
var goldenTitles = []struct{ name, title string }{
	{"gen_", "L_gen (eqs. 1–4, 6)"}, {"disc_chance", "L_disc of a guess (eq. 5)"},
	{"disc_", "L_disc (eqs. 1, 4–6)"},
	{"nce_common_", "I_NCE(X'₁; X'₂) (eq. 8)"},
	{"club_common_", "I_NCE-CLUB(X'₁; X'₂ | X₁, X₂) (eqs. 8, 9)"},
	{"learn_club_common_", "the objective of f* of I_NCE-CLUB(X'₁; X'₂ | X₁, X₂) (eq. 9)"},
	{"nce_own1_", "I_NCE(X₁; X'₁) (eq. 10)"}, {"nce_own2_", "I_NCE(X₂; X'₂) (eq. 10)"},
	{"nce_given_", "I_NCE(X'₁; X'₂ | X₁, X₂) (eq. 10)"},
	{"club_", "I_NCE-CLUB(X'₁; X'₂) (eqs. 9, 10)"},
	{"learn_club_", "the objective of f* of I_NCE-CLUB(X'₁; X'₂) (eq. 9)"},
	{"rec_", "L_rec (eqs. 12, 13)"}, {"spread_", "the spread of X"},
	{"token_spread_", "the spread of X over tokens"}, {"constant", "the error of a constant"},
	{"task", "L_task (eqs. 16–18)"}, {"rank", "L_rank (eqs. 15, 16)"},
	{"probe_", "L_MI (eq. 15)"}, {"alpha_", "the mean of α (eq. 16)"},
	{"stage1", "L_stage1 (eqs. 7, 11, 14)"}, {"stage2", "L_stage2 (eq. 19)"},
}

func goldenTitle(name string) string {
	for _, x := range goldenTitles {
		if strings.HasPrefix(name, x.name) {
			return name + ", " + x.title
		}
	}
	return name
}

// TestAgreesWithPyTorch compares both stages with an independent implementation.
func TestAgreesWithPyTorch(t *testing.T) {
	var file goldenFile
	zootest.ReadGolden(t, "recap", &file)
	for _, x := range goldenCases {
		t.Run(x.name, func(t *testing.T) {
			want := file.Cases[x.name]
			if want == nil {
				t.Fatalf("testdata/recap.json has no case %q; run make_recap.py", x.name)
			}
			c, d := goldenConfig(), zoo.Dims{Vocab: 13, TextT: 6, AudioT: 5, AudioD: 2, VisionT: 7,
				VisionD: 3, Range: [2]float64{-3, 3}}
			x.change(&c, &d)
			m, dev := newTiny(t, "cpu64", c, d)
			for _, p := range m.all.All() {
				p.Assign(goldenParameter(p))
			}
			b := &zoo.Batch{Complete: file.Batch.Complete.input(dev),
				Corrupted: file.Batch.Corrupted.input(dev),
				Label:     ag.NewTensor(dev, file.Batch.Label, len(file.Batch.Label)),
				Class:     file.Batch.Class}
			phases := m.Phases()
			phase := phases[len(phases)-1]
			if want.Score == nil {
				phase = phases[0]
			} else {
				want.predicts(t, m.Predict(ag.NewInferenceTape(dev), b.Corrupted))
			}
			want.agrees(t, m, phase, b)
		})
	}
}

// goldenConfig has the settings of the case stage1. Every weight of a loss is different.
func goldenConfig() Config {
	c := Paper()
	c.Width, c.Tokens, c.Heads, c.HeadWidth, c.FeedForward, c.Depth = 4, 4, 2, 3, 5, 2
	c.Text = zoo.TextConfig{Finetune: true, Width: 6, Layers: 1, Heads: 2, FeedForward: 7}
	c.Critic.Width = 8
	c.Granularities = []int{4, 2}
	c.Loss = LossConfig{Adversarial: 0.7, Factorisation: 0.3, Reconstruction: 0.9, Task: 0.8,
		Rank: 1.3, Auxiliary: 0.4, Margin: 0.15, Modality: [3]float64{0.5, 0.2, 0.3}}
	return c
}

// goldenValue is value of make_recap.py: a number in [−1, 1), a hash of a name and an index.
func goldenValue(name string, i int) float64 {
	seed := uint64(0xcbf29ce484222325) // FNV-1a
	for _, b := range []byte(name) {
		seed = (seed ^ uint64(b)) * 0x100000001b3
	}
	return 2*float64(device.Hash(seed, uint64(i))>>11)*0x1p-53 - 1
}

// goldenParameter returns the elements of a parameter.
func goldenParameter(p nn.Param) []float64 {
	shift, scale := 0.0, 0.3
	if weight := strings.HasSuffix(p.Name, "weight"); weight && len(p.Shape()) == 2 {
		scale = 1.5 / math.Sqrt(float64(p.Shape()[1]))
	} else if weight && strings.Contains(strings.ToLower(p.Name), "norm") {
		shift = 1
	}
	return each(p.Len(), func(i int) float64 { return shift + scale*goldenValue(p.Name, i) })
}

func (in *goldenInput) input(dev ag.Device) *zoo.Input {
	x := zootest.Tokens(dev, len(in.IDs[0]), slices.Concat(in.IDs...)...)
	frames := func(x [][][]float64) *ag.Tensor {
		return ag.NewTensor(dev, slices.Concat(slices.Concat(x...)...), len(x), len(x[0]),
			len(x[0][0]))
	}
	x.Audio, x.Vision = frames(in.A), frames(in.V)
	return x
}

// near reports an error unless got is want to 1e-9 of scale.
func near(t *testing.T, what string, got, want, scale float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1e-3, scale)) {
		t.Errorf("%s: %.10g, want %.10g", what, got, want)
	}
}

func (w *goldenCase) predicts(t *testing.T, out zoo.Output) {
	t.Helper()
	for what, x := range map[string]struct {
		got  *ag.Tensor
		want []float64
	}{"ŷ (eqs. 16, 17)": {out.Score, w.Score}, "α (eq. 16)": {out.Weight, w.Alpha}} {
		if x.got.Len() != len(x.want) {
			t.Fatalf("%s: %d numbers, want %d", what, x.got.Len(), len(x.want))
		}
		for i, v := range x.got.Values() {
			near(t, fmt.Sprintf("element %d of %s", i, what), v, x.want[i], math.Abs(x.want[i]))
		}
	}
}

// agrees compares the terms of a phase, their sum, and the gradients.
func (w *goldenCase) agrees(t *testing.T, m *Model, phase zoo.Phase, b *zoo.Batch) {
	t.Helper()
	tp := ag.NewTape(m.all.Device())
	compute := func() []zoo.Term {
		tp.Reset()
		tp.Seed(3) // of the dropout in g_m
		return termsOf(tp, phase, b)
	}
	terms := compute()
	if len(terms) != len(w.Terms) {
		t.Errorf("%d terms, want %d", len(terms), len(w.Terms))
	}
	for _, term := range terms {
		want, ok := w.Terms[term.Name]
		if !ok {
			want = math.NaN()
		}
		near(t, goldenTitle(term.Name), term.Loss.Item(), want, math.Abs(want))
	}
	if w.ByTerm != nil {
		for i, term := range terms {
			derivativesAgree(t, term.Name, m.all.All(), tp.Backward(compute()[i].Loss),
				w.ByTerm[term.Name])
		}
	}
	total := zoo.Total(tp, compute())
	near(t, goldenTitle(phase.Name), total.Item(), w.Total, math.Abs(w.Total))
	w.trains(t, phase)
	grads := tp.Backward(total)
	derivativesAgree(t, phase.Name, m.all.All(), grads, w.Modules)
	if w.Parameters != nil {
		w.gradientsAgree(t, phase, grads)
	}
}

// trains compares the modules that a phase trains.
func (w *goldenCase) trains(t *testing.T, phase zoo.Phase) {
	t.Helper()
	trained := map[string]bool{}
	for _, p := range phase.Params() {
		trained[goldenModule(p.Name)] = true
	}
	if got, want := slices.Sorted(maps.Keys(trained)),
		slices.Sorted(maps.Keys(w.Modules)); !slices.Equal(got, want) {
		t.Errorf("%s trains %v, want %v", phase.Name, got, want)
	}
}

// gradientsAgree compares the gradient of each parameter that a phase trains.
func (w *goldenCase) gradientsAgree(t *testing.T, phase zoo.Phase, grads ag.Grads) {
	t.Helper()
	if len(w.Parameters) != len(phase.Params()) {
		t.Errorf("%s trains %d parameters, want %d", phase.Name, len(phase.Params()),
			len(w.Parameters))
	}
	for _, p := range phase.Params() {
		want := w.Parameters[p.Name]
		if grads[p.Tensor] == nil {
			t.Errorf("%s gives %s no gradient", goldenTitle(phase.Name), p.Name)
			continue
		}
		g := grads[p.Tensor].Values()
		got := [5]float64{2: g[0], 3: g[len(g)/2], 4: g[len(g)-1]}
		for _, v := range g {
			got[0], got[1] = got[0]+v, got[1]+math.Abs(v)
		}
		for i, what := range []string{"the sum", "the sum of absolute values", "the first element",
			"the middle element", "the last element"} {
			near(t, fmt.Sprintf("%s of the gradient of %s for %s", what, goldenTitle(phase.Name),
				p.Name), got[i], want[i], want[1])
		}
	}
}

// goldenModule returns the module of a parameter: embed.l, fuse.head, fid.la.club.
func goldenModule(name string) string {
	parts := strings.SplitN(name, ".", 4)
	if parts[0] == "fid" {
		return strings.Join(parts[:3], ".")
	}
	return strings.Join(parts[:2], ".")
}

// derivativesAgree compares the derivatives of a loss along a direction of each module's
// parameters, and the set of modules that have a gradient.
func derivativesAgree(
	t *testing.T, loss string, ps []nn.Param, grads ag.Grads, want map[string]float64,
) {
	t.Helper()
	got, scale := map[string]float64{}, map[string]float64{}
	for _, p := range ps {
		if g := grads[p.Tensor]; g != nil && g.Dot(g) > 0 {
			for i, v := range g.Values() {
				v *= goldenValue("direction of "+p.Name, i)
				got[goldenModule(p.Name)] += v
				scale[goldenModule(p.Name)] += math.Abs(v)
			}
		}
	}
	for _, module := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[module]; !ok {
			t.Errorf("%s gives %s a gradient, want none", goldenTitle(loss), module)
			continue
		}
		near(t, fmt.Sprintf("the derivative of %s in %s", goldenTitle(loss), module), got[module],
			want[module], scale[module])
	}
	for _, module := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[module]; !ok {
			t.Errorf("%s gives %s no gradient", goldenTitle(loss), module)
		}
	}
}
