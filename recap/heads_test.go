package recap

import (
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

func studied(s Study) Config {
	c := withoutDropout()
	c.Study = s
	return c
}

// TestHeadTokensTrain checks every derivative, and what a model has to keep to.
func TestHeadTokensTrain(t *testing.T) {
	for name, s := range map[string]Study{"append": {Heads: "append"},
		"replace": {Heads: "replace", Train: true}, "random": {Heads: "append", Random: true}} {
		t.Run(name, func(t *testing.T) { zootest.Derivative(t, &Spec, new(studied(s))) })
	}
}

// TestHeadStatisticsAreThoseOfTheBatch compares what the heads see after a batch of stage 1 with
// what FID's critics saw in it, and requires that a prediction depends on no other utterance.
func TestHeadStatisticsAreThoseOfTheBatch(t *testing.T) {
	m, dev := newTiny(t, "cpu64", studied(Study{Heads: "append"}), tinyDims)
	const samples = 8
	b := sample(dev, tinyDims, samples)
	for range 2 {
		tp := ag.NewTape(dev)
		_, updates := m.stage1().Passes[0].Terms(tp, b)
		zoo.Apply(tp, updates)
	}
	tp := ag.NewInferenceTape(dev)
	completed := m.complete(tp, b.Corrupted)
	for i, x := range m.headFeatures(tp, completed) {
		got := m.headTokens.standardise(tp, x, i).Values()
		for k, want := range m.criticInput(tp, completed[i]).Values() {
			equal(t, "feature that a head sees", got[k], want)
		}
		one := m.headTokens.standardise(tp, tp.Slice(x, 0, 3, 4), i).Values()
		if n := len(one); !slices.Equal(one, got[3*n:4*n]) {
			t.Errorf("modality %d: features depend on the other utterances", i)
		}
	}
}

// TestConstantHeadFeatureIsZero has a feature that was constant in stage 1 and changes after it.
func TestConstantHeadFeatureIsZero(t *testing.T) {
	m, dev := newTiny(t, "cpu64", studied(Study{Heads: "append"}), tinyDims)
	n := m.config.criticWidth()
	tp := ag.NewTape(dev)
	x := ag.NewTensor(dev, slices.Repeat([]float64{2}, 8*n), 8, n)
	zoo.Apply(tp, []zoo.MemoryUpdate{m.headTokens.track(tp, features{x, x, x})})
	for _, y := range m.headTokens.standardise(tp, tp.AddScalar(x, 1), 1).Values() {
		if y != 0 || math.IsNaN(y) {
			t.Fatalf("a constant feature became %g, want 0", y)
		}
	}
}

// TestHeadsInStage2 lists what stage 2 trains of FID, and whether it changes the statistics.
func TestHeadsInStage2(t *testing.T) {
	for _, x := range []struct {
		study   Study
		heads   int // matrices and biases of the heads that stage 2 trains
		updates int
		prefix  string
	}{
		{Study{Heads: "append"}, 0, 0, "fid."},
		{Study{Heads: "replace", Track: true}, 0, 1, "fid."},
		{Study{Heads: "append", Train: true}, 48, 0, "fid."}, // 3 pairs of 4 heads of 4
		{Study{Heads: "append", Train: true, Random: true}, 48, 0, "random."},
	} {
		m, dev := newTiny(t, "cpu64", studied(x.study), tinyDims)
		tp := ag.NewTape(dev)
		terms, updates := m.stage2().Passes[0].Terms(tp, sample(dev, tinyDims, 8))
		if len(updates) != x.updates {
			t.Errorf("%+v: %d updates, want %d", x.study, len(updates), x.updates)
		}
		grads := tp.Backward(zoo.Total(tp, terms))
		trained := 0
		for _, p := range m.stage2().Passes[0].Params {
			if strings.HasPrefix(p.Name, x.prefix) {
				trained++
			}
		}
		for _, p := range m.headTokens.params {
			if !strings.HasPrefix(p.Name, x.prefix) {
				t.Errorf("%+v: the head %s", x.study, p.Name)
			}
			if (grads[p.Tensor] != nil) != x.study.Train {
				t.Errorf("%+v: gradient of %s: %v", x.study, p.Name, grads[p.Tensor])
			}
		}
		if (grads[m.fusion.body.positions] != nil) != (x.study.Heads == "append") {
			t.Errorf("%+v: the fusion sees X' or not", x.study)
		}
		if trained != x.heads {
			t.Errorf("%+v: stage 2 trains %d of the heads' tensors, want %d", x.study, trained,
				x.heads)
		}
	}
}

// TestHeadsAreChecked refuses settings without the heads that they need.
func TestHeadsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"recap: study.heads is none": func(c *Config) { c.Study.Train = true },
		"recap: study.heads is append": func(c *Config) {
			c.Study.Heads, c.Without.LV = "append", true
		},
		"recap: study.heads is both": func(c *Config) { c.Study.Heads = "both" },
	} {
		c := Quick()
		change(&c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
