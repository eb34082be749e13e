package zoo

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/optim"
)

// tiny has a configuration of each model that is small enough to check every derivative.
var tiny = map[string]func() Config{
	"misa":    tinyMISA,
	"self-mm": tinySelfMM,
	"lnln":    tinyLNLN,
}

var tinyDims = Dims{Vocab: 20, TextT: 5, AudioT: 7, AudioD: 3, VisionT: 6, VisionD: 4, Range: [2]float64{-3, 3}}

// tinyText is an encoder of words of the same kind.
func tinyText() TextConfig {
	return TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2, FeedForward: 8, Dropout: 0.1}
}

// tinyBERT is tinyDims with a pretrained encoder of words, which is wider than tinyText's.
func tinyBERT() Dims {
	d := tinyDims
	d.BERT = &nn.BERTConfig{Vocab: d.Vocab, Width: 12, Layers: 1, Heads: 3, FeedForward: 8, Positions: d.TextT, Types: 2, Eps: 1e-12}
	return d
}

// paperDims are those of the features with which papers report.
var paperDims = map[string]Dims{
	"mosi":  {Vocab: 1, TextT: 50, AudioT: 375, AudioD: 5, VisionT: 500, VisionD: 20},
	"mosei": {Vocab: 1, TextT: 50, AudioT: 500, AudioD: 74, VisionT: 500, VisionD: 35},
	"sims":  {Vocab: 1, TextT: 39, AudioT: 400, AudioD: 33, VisionT: 55, VisionD: 709},
}

// paperParams returns the parameters of the "paper" preset, all but BERT in their full size, and
// how many numbers they are besides BERT.
func paperParams(t *testing.T, s *Spec, dataset string) (p *nn.Params, besides int) {
	t.Helper()
	c, _ := s.Preset("paper", dataset)
	*c.Words() = TextConfig{Finetune: true, Width: 768, Layers: 1, Heads: 1, FeedForward: 1}
	_, p = newModel(t, s, c, "cpu", paperDims[dataset])
	return p, p.Count() - p.Sub("text").Count()
}

// checkRefuses sees that each change of a configuration gives an error that begins as its key
// says.
func checkRefuses[C Config](t *testing.T, tiny func() Config, changes map[string]func(C)) {
	t.Helper()
	for want, change := range changes {
		c := tiny().(C)
		change(c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s …", err, want)
		}
	}
}

// named returns the model of Specs that has the name.
func named(t testing.TB, name string) *Spec {
	t.Helper()
	i := slices.IndexFunc(Specs, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no model %s", name)
	}
	return &Specs[i]
}

func openDevice(t testing.TB, name string) ag.Device {
	t.Helper()
	dev, err := ag.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// newModel makes a model of a specification, after checking its configuration.
func newModel(t testing.TB, s *Spec, c Config, device string, d Dims) (Model, *nn.Params) {
	t.Helper()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	p := nn.NewParams(openDevice(t, device), rand.New(rand.NewPCG(1, 1)))
	return s.New(p, c, d), p
}

func tensorsOf(ps []nn.Param) []*ag.Tensor {
	ts := make([]*ag.Tensor, len(ps))
	for i, p := range ps {
		ts[i] = p.Tensor
	}
	return ts
}

// jostle adds noise to parameters.
func jostle(r *rand.Rand, by float64, ps []nn.Param) {
	for _, x := range ps {
		v := x.Values()
		for i := range v {
			v[i] += by * r.NormFloat64()
		}
		x.Assign(v)
	}
}

// everyModel runs a check on each of Specs.
func everyModel(t *testing.T, check func(t *testing.T, s *Spec, c Config)) {
	for i := range Specs {
		s := &Specs[i]
		t.Run(s.Name, func(t *testing.T) {
			if tiny[s.Name] == nil {
				t.Fatal("no entry in tiny")
			}
			check(t, s, tiny[s.Name]())
		})
	}
}

func TestModelsHaveNoDeadParameter(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		m, p := newModel(t, s, c, "cpu64", tinyDims)
		Nudge(p.All(), 1)
		moved := map[*ag.Tensor]bool{}
		for _, ph := range m.Phases() {
			loss := ph.Rehearse(Sample(p.Device(), &tinyDims, 16, 1))
			tp := ag.NewTape(p.Device())
			grads := tp.Backward(loss(tp))
			for _, i := range gradcheck.ZeroGradient(grads, tensorsOf(ph.Params)) {
				t.Errorf("%s: %s has no gradient", ph.Name, ph.Params[i].Name)
			}
			for _, x := range ph.Params {
				moved[x.Tensor] = true
			}
		}
		for _, x := range p.All() {
			if !moved[x.Tensor] {
				t.Errorf("%s is moved by no phase", x.Name)
			}
		}
	})
}

// TestModelsAlongADirection checks the derivative of each phase's whole loss along a random
// direction in the space of all parameters.
func TestModelsAlongADirection(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		m, p := newModel(t, s, c, "cpu64", tinyDims)
		for _, ph := range m.Phases() {
			loss := ph.Rehearse(Sample(p.Device(), &tinyDims, 8, 1))
			agtest.CheckDirection(t, 1e-5, tensorsOf(ph.Params), loss)
		}
	})
}

func TestModelsOverfit(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		c.Words().Dropout = 0
		m, p := newModel(t, s, c, "cpu", tinyDims)
		b := Sample(p.Device(), &tinyDims, 4, 1)
		first := distance(m, b, b.Label.Values())
		fit(m, b, 600, 0.003)
		if last := distance(m, b, b.Label.Values()); !(last < 0.1*first) {
			t.Errorf("600 steps on four utterances took the mean distance from their labels from %.3f to %.3f; want under a tenth", first, last)
		}
	})
}

// fit takes steps on one batch in every phase.
func fit(m Model, b *Batch, steps int, lr float64) {
	for _, ph := range m.Phases() {
		if ph.Remember != nil {
			ph.Remember(float32s(b.Label.Values()))
		}
		tp, opt := ag.NewTape(b.Label.Device()), optim.NewAdam(lr, 0, ph.Params)
		for i := range steps {
			opt.LR = lr * (1 - float64(i)/float64(steps))
			b.Epoch = i + 1
			tp.Reset()
			tp.Seed(uint64(i))
			opt.Step(tp.Backward(Total(tp, ph.Terms(tp, b))))
		}
	}
}

// distance is the mean |ŷ − y|.
func distance(m Model, b *Batch, label []float64) float64 {
	sum := 0.0
	for i, y := range m.Predict(ag.NewInferenceTape(b.Label.Device()), b.Corrupted).Score.Values() {
		sum += math.Abs(y-label[i]) / float64(len(label))
	}
	return sum
}

// counting counts the buffers a device hands out.
type counting struct {
	ag.Device
	buffers int
}

func (c *counting) Alloc(n int) device.Buffer { c.buffers++; return c.Device.Alloc(n) }

// TestModelsStepsAllocateNothing takes three steps on batches of a size that has been seen in
// three epochs.
func TestModelsStepsAllocateNothing(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		dev := &counting{Device: openDevice(t, "cpu")}
		m := s.New(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))), c, tinyDims)
		for _, ph := range m.Phases() {
			const warm = 3
			var batches []*Batch
			for i := range warm + 3 {
				batches = append(batches, Sample(dev, &tinyDims, 4, uint64(i)))
				batches[i].Epoch = 1 + i
			}
			if ph.Remember != nil {
				ph.Remember(float32s(batches[0].Label.Values()))
			}
			tp, opt := ag.NewTape(dev), optim.NewAdam(1e-3, 0, ph.Params)
			counts := make([]int, len(batches))
			for i, b := range batches {
				tp.Reset()
				opt.Step(tp.Backward(Total(tp, ph.Terms(tp, b))))
				counts[i] = dev.buffers
			}
			if counts[len(counts)-1] != counts[warm-1] {
				t.Errorf("%s: buffers after each step: %v: want no new ones after step %d", ph.Name, counts, warm)
			}
		}
	})
}

func TestModelsPredict(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		m, p := newModel(t, s, c, "cpu", tinyDims)
		for _, n := range []int{1, 5} {
			b := Sample(p.Device(), &tinyDims, n, 1)
			y := m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted)
			if got := y.Score.Shape(); !slices.Equal(got, []int{n}) {
				t.Errorf("scores of %d utterances have shape %v", n, got)
			}
		}
	})
}

// TestModelsKeepWhatPredictReads makes NaN of every parameter that is not in PredictParams, and
// sees that those in it have an effect.
func TestModelsKeepWhatPredictReads(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		m, p := newModel(t, s, c, "cpu64", tinyDims)
		Nudge(p.All(), 1)
		kept := m.PredictParams()
		for _, x := range p.All() {
			if !slices.Contains(tensorsOf(kept), x.Tensor) {
				x.Multiply(math.NaN())
			}
		}
		tp := ag.NewTape(p.Device())
		y := m.Predict(tp, Sample(p.Device(), &tinyDims, 8, 1).Corrupted).Score
		loss := tp.Sum(tp.Mul(y, y))
		grads := tp.Backward(loss, loss)
		if math.IsNaN(loss.Item()) {
			t.Error("Predict reads a parameter that is not in PredictParams")
		}
		for _, i := range gradcheck.ZeroGradient(grads, tensorsOf(kept)) {
			t.Errorf("%s is in PredictParams and has no effect on the prediction", kept[i].Name)
		}
	})
}

// TestModelsPredictClasses trains those that can to tell classes apart.
func TestModelsPredictClasses(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		if s.Regression {
			t.Skip("predicts labels only")
		}
		d := tinyDims
		d.Classes = 3
		c.Words().Dropout = 0
		m, p := newModel(t, s, c, "cpu", d)
		b := Sample(p.Device(), &d, 4, 1)
		fit(m, b, 600, 0.003)
		y := m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score
		if got := y.Shape(); !slices.Equal(got, []int{4, 3}) {
			t.Fatalf("logits have shape %v, want [4 3]", got)
		}
		i := 0
		for z := range slices.Chunk(y.Values(), 3) {
			if slices.Index(z, slices.Max(z)) != b.Class[i] {
				t.Errorf("after 600 steps the logits of utterance %d of class %d are %.2f", i, b.Class[i], z)
			}
			i++
		}
	})
}

// TestModelsWithFrozenWords trains on features of a pretrained encoder that stays as it is.
func TestModelsWithFrozenWords(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		d := tinyBERT()
		c.Words().BERT, c.Words().Finetune = "somewhere", false
		m, p := newModel(t, s, c, "cpu64", d)
		text := m.Text().Params.Tensors()
		for _, ph := range m.Phases() {
			for _, x := range ph.Params {
				if slices.Contains(text, x.Tensor) {
					t.Errorf("%s trains %s of a frozen encoder", ph.Name, x.Name)
				}
			}
			agtest.CheckDirection(t, 1e-5, tensorsOf(ph.Params), ph.Rehearse(Sample(p.Device(), &d, 8, 1)))
		}
	})
}

// TestModelsGroupPretrainedWords sees that a pretrained encoder that is trained further has the
// learning rate of its own.
func TestModelsGroupPretrainedWords(t *testing.T) {
	everyModel(t, func(t *testing.T, s *Spec, c Config) {
		d := tinyBERT()
		c.Words().BERT = "somewhere"
		m, _ := newModel(t, s, c, "cpu64", d)
		for _, ph := range m.Phases() {
			grouped := map[*ag.Tensor]int{}
			for _, g := range ph.Groups {
				for _, x := range g.Params {
					if grouped[x.Tensor]++; !slices.Contains(tensorsOf(ph.Params), x.Tensor) || grouped[x.Tensor] > 1 {
						t.Errorf("%s: group %s has %s, which is in another group or not trained", ph.Name, g.Name, x.Name)
					}
				}
			}
			for _, x := range m.Text().Params.All() {
				if grouped[x.Tensor] != 1 {
					t.Errorf("%s: %s is in no group", ph.Name, x.Name)
				}
			}
		}
	})
}

// TestPresets checks every preset of every model.
func TestPresets(t *testing.T) {
	for _, s := range Specs {
		for _, preset := range []string{"quick", "paper"} {
			for _, dataset := range []string{"mosi", "mosei", "sims", "other"} {
				c, training := s.Preset(preset, dataset)
				if err := c.Check(); err != nil {
					t.Errorf("%s, %s, %s: %v", s.Name, preset, dataset, err)
				}
				if training.Batch < 1 || training.Accumulate < 1 || training.LR <= 0 || len(training.Epochs) == 0 || training.Groups["text"].LR <= 0 {
					t.Errorf("%s, %s, %s: training %+v", s.Name, preset, dataset, training)
				}
				training.Epochs["train"] = -1
				if _, again := s.Preset(preset, dataset); again.Epochs["train"] == -1 {
					t.Errorf("%s: presets share a map", s.Name)
				}
			}
		}
	}
}
