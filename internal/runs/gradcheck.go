package runs

import (
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A PhaseCheck compares the gradient of a phase's whole loss, along one direction in the space of
// its parameters, with differences.
type PhaseCheck struct {
	Phase             string
	Parameters        int // numbers that the phase trains
	ZeroGradient      int // parameters whose gradient is zero
	Loss              float64
	Analytic, Numeric float64
}

// Err returns |Analytic − Numeric|, relative to the larger.
func (k *PhaseCheck) Err() float64 { return gradcheck.RelativeError(k.Analytic, k.Numeric) }

// Gradcheck checks each phase of the model called name, of the quick preset's sizes, in double
// precision, on utterances of noise.
func Gradcheck(name string) ([]PhaseCheck, error) {
	c, err := settings.Preset("quick", name, "")
	if err != nil {
		return nil, err
	}
	c.Device = "cpu64"
	d := zoo.Dims{Vocab: 30, TextT: 8, AudioT: 10, AudioD: 5, VisionT: 9, VisionD: 7, Range: [2]float64{-3, 3}}
	l, err := train.NewLearner(&c, d)
	if err != nil {
		return nil, err
	}
	zoo.Perturb(l.Params, 0.01, rand.New(rand.NewPCG(c.Seed, 6)))
	var checks []PhaseCheck
	for _, ph := range l.Model.Phases() {
		for i, loss := range ph.CheckableLosses(zoo.RandomBatch(l.Device, &d, 16, c.Seed)) {
			trained := ph.Passes[i].Params
			params := make([]*ag.Tensor, len(trained))
			for i, p := range trained {
				params[i] = p.Tensor
			}
			tp := ag.NewTape(l.Device)
			tp.Seed(1)
			value := loss(tp)
			k := PhaseCheck{Phase: ph.PassName(i), Parameters: train.Count(trained)}
			k.ZeroGradient = len(gradcheck.ZeroGradient(tp.Backward(value, value), params))
			k.Loss = value.Item()
			k.Analytic, k.Numeric = gradcheck.Direction(params, loss)
			checks = append(checks, k)
		}
	}
	return checks, l.Device.Sync()
}
