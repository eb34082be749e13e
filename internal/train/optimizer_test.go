package train

import (
	"math"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestGroupsHaveTheirOwnRates makes one step of Adam, which moves every number by its learning
// rate, without and with decay from 1.
func TestGroupsHaveTheirOwnRates(t *testing.T) {
	dev, err := ag.Open("cpu64")
	if err != nil {
		t.Fatal(err)
	}
	p := nn.NewParams(dev, stream(1, "test"))
	for _, name := range []string{"scratch", "text", "bias", "unset"} {
		p.New(name, nn.Ones, 1)
	}
	c, err := settings.Preset("quick", "recap", "")
	if err != nil {
		t.Fatal(err)
	}
	c.Train.LR, c.Train.WeightDecay, c.Train.Groups = 0.1,
		0.5, map[string]zoo.GroupTraining{"text": {LR: 0.01, WeightDecay: 0.2}}
	tr := &trainer{config: c}
	all := p.All()
	pass := zoo.Pass{Params: all,
		Groups: []zoo.Group{{Name: "text", Params: all[1:2]},
			{Name: "text", Params: all[2:3], NoDecay: true}, {Name: "unset", Params: all[3:]}}}
	grads := ag.Grads{}
	for _, x := range p.All() {
		grads[x.Tensor] = ag.NewTensor(dev, []float64{1}, 1)
	}
	tr.optimizer(pass).Step(grads)
	for i, want := range []float64{-0.1 - 0.1*0.5, -0.01 - 0.01*0.2, -0.01, -0.1 - 0.1*0.5} {
		if got := all[i].Item() - 1; math.Abs(got-want) > 1e-6 {
			t.Errorf("%s moved by %g, want %g", all[i].Name, got, want)
		}
	}
}
