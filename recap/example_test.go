package recap_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
	"github.com/seed-6655bf3b/recap/optim"
	"github.com/seed-6655bf3b/recap/recap"
)

// small returns RECAP in a size that trains in a second, and eight random samples.
func small(change func(*recap.Config)) (*recap.Model, *zoo.Batch) {
	dev, err := ag.Open("cpu")
	if err != nil {
		panic(err)
	}
	c := recap.Quick()
	c.Width, c.Tokens, c.Heads, c.HeadWidth, c.FeedForward, c.Critic.Width = 8, 4, 2, 4, 8, 8
	c.Granularities, c.Text = []int{4, 2}, zootest.TinyText()
	c.Text.Dropout, c.Critic.Input, c.FusionDepth = 0, "flat", 0
	change(&c)
	d := zootest.TinyDims
	return recap.New(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))), c, d), zoo.RandomBatch(dev,
		&d, 8, 1)
}

func unchanged(*recap.Config) {}

// train makes steps of a phase and returns the terms of the first and of the last.
func train(ph zoo.Phase, b *zoo.Batch, steps int) (first, last map[string]float64) {
	tp, pass := ag.NewTape(b.Label.Device()), ph.Passes[0]
	opt := optim.NewAdamW(0.02, 0, pass.Params)
	for i := range steps {
		tp.Reset()
		tp.Seed(uint64(i))
		terms, _ := pass.Terms(tp, b)
		last = map[string]float64{}
		for _, term := range terms {
			last[term.Name] = term.Loss.Item()
		}
		if i == 0 {
			first = last
		}
		opt.Step(tp.Backward(zoo.Total(tp, terms)))
	}
	return first, last
}

// A study is a model after 75 steps of stage 1, with the terms of the first and the last.
type study struct {
	m           *recap.Model
	b           *zoo.Batch
	first, last map[string]float64
}

// afterStage1 trains once for the examples that look at the same model.
var afterStage1 = sync.OnceValue(func() study {
	m, b := small(unchanged)
	first, last := train(m.Phases()[0], b, 75)
	return study{m, b, first, last}
})

// Stage 1 learns to complete missing features without labels: what E_rec reconstructs from the
// completed features X'_m gets nearer to the complete features X_m.
func ExampleModel_Inspect() {
	s := afterStage1()
	for _, name := range []string{"rec_l", "rec_a", "rec_v"} {
		fmt.Printf("%s less than half: %t\n", name, s.last[name] < s.first[name]/2)
	}
	tp := ag.NewInferenceTape(s.b.Label.Device())
	embedded, completed, _ := s.m.Inspect(tp, s.b.Corrupted)
	fmt.Println("X̃_a", embedded[zoo.Audio].Shape(), "X'_a", completed[zoo.Audio].Shape())
	// Output:
	// rec_l less than half: true
	// rec_a less than half: true
	// rec_v less than half: true
	// X̃_a [8 4 8] X'_a [8 4 8]
}

// The mutual-information bound I_NCE(X_a; X'_a) is near 0 at the start, when the critic scores all
// pairs alike, and can become at most the logarithm of the batch size: ln 8 = 2.08.
func ExampleModel_Phases_mutualInformation() {
	s := afterStage1()
	fmt.Println("starts under 0.1 nats:", s.first["nce_own2_la"] < 0.1)
	fmt.Println("ends above 1 nat and under ln 8:", s.last["nce_own2_la"] > 1 &&
		s.last["nce_own2_la"] < 2.0795)
	// Output:
	// starts under 0.1 nats: true
	// ends above 1 nat and under ln 8: true
}

// FID (eqs 8 to 11) is a sum of bounds. Lower bounds have negative weights, so that they are
// maximised; upper bounds have positive ones; and each critic of an upper bound learns by a lower
// bound of its own, with weight −1.
func ExampleModel_Phases_fid() {
	m, b := small(unchanged)
	terms, _ := m.Phases()[0].Passes[0].Terms(ag.NewTape(b.Label.Device()), b)
	for _, term := range terms {
		if strings.HasSuffix(term.Name, "_lv") {
			fmt.Printf("%-20s %6g\n", term.Name, term.Weight)
		}
	}
	// Output:
	// nce_common_lv        -0.001
	// club_common_lv        0.001
	// learn_club_common_lv     -1
	// nce_own1_lv          -0.001
	// nce_own2_lv          -0.001
	// club_lv               0.002
	// learn_club_lv            -1
	// nce_given_lv         -0.002
}

// The fusion starts with equal attention weights. The ranking loss (eq 15) then gives more weight
// to a modality that predicts the label better alone, and keeps the sum 1.
func ExampleModel_Predict() {
	m, b := small(func(c *recap.Config) { c.Loss.Rank, c.Loss.Auxiliary = 1, 0 })
	weights := func() []float64 {
		// of the first sample
		return m.Predict(ag.NewInferenceTape(b.Label.Device()), b.Corrupted).Weight.Values()[:3]
	}
	fmt.Printf("%.2f\n", weights())
	train(m.Phases()[1], b, 50)
	w := weights()
	fmt.Printf("sum %.2f, spread over 0.1: %t\n", w[0]+w[1]+w[2],
		slices.Max(w)-slices.Min(w) > 0.1)
	// Output:
	// [0.33 0.33 0.33]
	// sum 1.00, spread over 0.1: true
}

// The rows of the paper's ablation are variants: changes of a configuration by name.
func ExampleConfig_variants() {
	for _, name := range []string{"full", "no-fid", "no-stage1"} {
		v, ok := recap.Spec.Variant(name)
		if !ok {
			panic(name)
		}
		m, b := small(func(c *recap.Config) { v.Apply(c) })
		fmt.Printf("%s:", v.Label)
		for _, ph := range m.Phases() {
			terms, _ := ph.Passes[0].Terms(ag.NewTape(b.Label.Device()), b)
			fmt.Printf(" %s with %d terms", ph.Name, len(terms))
		}
		fmt.Println()
	}
	// Output:
	// RECAP: stage1 with 40 terms stage2 with 9 terms
	// w/o FID: stage1 with 16 terms stage2 with 9 terms
	// w/o Stage 1: stage2 with 9 terms
}

// Check names the first setting with an invalid value, by its YAML key.
func ExampleConfig_Check() {
	c := recap.Paper()
	fmt.Println(c.Check())
	c.Granularities = []int{8, 3}
	fmt.Println(c.Check())
	// Output:
	// <nil>
	// recap: granularities contain 3, want numbers of at least 2 that divide tokens (8)
}
