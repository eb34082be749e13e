package runs

import (
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A PhaseCheck has the derivative of the total loss of a pass along one direction in the space of
// the parameters that it trains.
type PhaseCheck struct {
	Phase             string // the phase, or the pass if the phase has several
	Parameters        int    // number of trained scalars
	ZeroGradient      int    // number of parameter tensors whose gradient is zero
	Loss              float64
	Analytic, Numeric float64 // the derivative by the backward pass and by central differences
}

// Err returns |Analytic − Numeric| relative to the larger of the two.
func (k *PhaseCheck) Err() float64 { return gradcheck.RelativeError(k.Analytic, k.Numeric) }

// Gradcheck checks the gradient of each phase of the named model with the sizes of the quick
// preset, in double precision, on a random batch of 15 utterances. With an even number half of the
// errors may be positive; then mean |ŷ − y| has the gradient 0 for the bias of ŷ.
func Gradcheck(name string) ([]PhaseCheck, error) {
	c, err := settings.Preset("quick", name, "")
	if err != nil {
		return nil, err
	}
	c.Device = "cpu64"
	d := zoo.Dims{Vocab: 30, TextT: 8, AudioT: 10, AudioD: 5, VisionT: 9, VisionD: 7,
		Range: [2]float64{-3, 3}}
	l, err := train.NewLearner(&c, d)
	if err != nil {
		return nil, err
	}
	zoo.Perturb(l.Params, 0.01, rand.New(rand.NewPCG(c.Seed, 6)))
	var checks []PhaseCheck
	for _, ph := range l.Model.Phases() {
		for i, loss := range ph.CheckableLosses(zoo.RandomBatch(l.Device, &d, 15, c.Seed)) {
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
