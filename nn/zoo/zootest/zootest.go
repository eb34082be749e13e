// Package zootest has the tests that every model of package zoo must pass. A model's own test file
// calls Run with a configuration that is small enough to check every derivative:
//
//	func TestModel(t *testing.T) { zootest.Run(t, &misa.Spec, tiny) }
//
// Run checks the contract (contract.go), gradients (gradients.go), training (training.go) and
// predictions (predict.go); in a build with the tag cuda also the GPU (gpu.go). golden.go
// compares a model with values computed by PyTorch.
package zootest

import (
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A check is one of the tests. It gets a new configuration, which it may change.
type check struct {
	name string
	test func(t testing.TB, s *zoo.Spec, c zoo.Config)
}

var checks = []check{
	{"Contract", contract},
	{"Plan", planned},
	{"TermsHaveNoSideEffects", noSideEffects},
	{"ReadsWhatItNeeds", readsWhatItNeeds},
	{"EveryParameterHasAGradient", everyGradient},
	{"Derivative", Derivative},
	{"SmallestBatch", smallestBatch},
	{"OverfitsFourSamples", overfitsFourSamples},
	{"SeparatesClasses", separatesClasses},
	{"StepsAllocateNothing", stepsAllocateNothing},
	{"ActivationCheckpointing", activationCheckpointing},
	{"Predict", predict},
	{"ReadsEveryModality", readsEveryModality},
	{"SamplesAreIndependent", samplesAreIndependent},
	{"PredictParams", predictParams},
	{"FrozenTextEncoder", frozenTextEncoder},
	{"PretrainedTextEncoder", pretrainedTextEncoder},
	{"Presets", presets},
}

// Run checks a model. tiny returns a new small configuration of it, of the sizes of [TinyText].
func Run(t *testing.T, s *zoo.Spec, tiny func() zoo.Config) {
	for _, c := range slices.Concat(checks, gpuChecks) {
		t.Run(c.name, func(t *testing.T) { c.run(t, s, tiny()) })
	}
}

// run runs the check. A panic of the model is an error of this check, and the others still run.
func (c *check) run(t testing.TB, s *zoo.Spec, config zoo.Config) {
	defer func() {
		if err := recover(); err != nil {
			t.Errorf("%s panics: %v\n%s", s.Name, err, debug.Stack())
		}
	}()
	c.test(t, s, config)
}

// TinyDims are the sizes of the random batches of the checks.
var TinyDims = zoo.Dims{Vocab: 20, TextT: 5, AudioT: 7, AudioD: 3, VisionT: 6, VisionD: 4,
	Range: [2]float64{-3, 3}}

// TinyText returns the settings of a text encoder of one layer of width 8.
func TinyText() zoo.TextConfig {
	return zoo.TextConfig{Finetune: true, Sparse: true, Width: 8, Layers: 1, Heads: 2,
		FeedForward: 8, Dropout: 0.1}
}

// TinyBERT returns TinyDims with a pretrained text encoder, which is wider than that of TinyText.
func TinyBERT() zoo.Dims {
	d := TinyDims
	d.BERT = &nn.BERTConfig{Vocab: d.Vocab, Width: 12, Layers: 1, Heads: 3, FeedForward: 8,
		Positions: d.TextT, Types: 2, Eps: 1e-12}
	return d
}

// paperDims are the sizes of the features with which papers report results.
var paperDims = map[string]zoo.Dims{
	"mosi":  {Vocab: 1, TextT: 50, AudioT: 375, AudioD: 5, VisionT: 500, VisionD: 20},
	"mosei": {Vocab: 1, TextT: 50, AudioT: 500, AudioD: 74, VisionT: 500, VisionD: 35},
	"sims":  {Vocab: 1, TextT: 39, AudioT: 400, AudioD: 33, VisionT: 55, VisionD: 709},
}

// PaperParams returns the parameters of the model with the preset "paper" for mosi, mosei or sims,
// in full size except for a small text encoder.
func PaperParams(t *testing.T, s *zoo.Spec, dataset string) *nn.Params {
	t.Helper()
	p := nn.NewParams(Open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	newPaper(s, p, dataset)
	return p
}

// PaperSizes returns the parameters of [PaperParams] without values, to be counted, and the number
// of their elements without the text encoder's.
func PaperSizes(s *zoo.Spec, dataset string) (p *nn.Params, count int) {
	p, _ = nn.PlanParams()
	m := newPaper(s, p, dataset)
	return p, p.Count() - m.TextEncoder().Params.Count()
}

func newPaper(s *zoo.Spec, p *nn.Params, dataset string) zoo.Model {
	c, _ := s.Preset("paper", dataset)
	*c.TextEncoder() = zoo.TextConfig{Finetune: true, Width: 768, Layers: 2,
		Heads: 1, FeedForward: 1}
	return s.New(p, c, paperDims[dataset])
}

// Refuses checks that each change of a configuration is an error of Check, which begins with the
// key of changes.
func Refuses[C zoo.Config](t *testing.T, tiny func() zoo.Config, changes map[string]func(C)) {
	t.Helper()
	for want, change := range changes {
		c := tiny().(C)
		change(c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s …", err, want)
		}
	}
}

// Open opens a device.
func Open(t testing.TB, name string) ag.Device {
	t.Helper()
	dev, err := ag.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// New creates a model on a device, from parameters drawn with a fixed seed. The configuration must
// pass Check.
func New(
	t testing.TB, s *zoo.Spec, c zoo.Config, device string, d zoo.Dims,
) (zoo.Model, *nn.Params) {
	t.Helper()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	p := nn.NewParams(Open(t, device), rand.New(rand.NewPCG(1, 1)))
	return s.New(p, c, d), p
}

// Tensors returns the tensors of parameters.
func Tensors(ps []nn.Param) []*ag.Tensor {
	ts := make([]*ag.Tensor, len(ps))
	for i, p := range ps {
		ts[i] = p.Tensor
	}
	return ts
}

// perturb adds a little noise to the parameters, because some start at 0 or 1 (zoo.Perturb).
func perturb(p *nn.Params) { zoo.Perturb(p.All(), 0.01, rand.New(rand.NewPCG(1, 6))) }

// labels returns the labels of a batch, for NewMemory.
func labels(b *zoo.Batch) []float32 {
	var y []float32
	for _, v := range b.Label.Values() {
		y = append(y, float32(v))
	}
	return y
}
