package train

import (
	"math"
	"slices"
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

// TestSchedule compares the learning rates of the epochs with and without a group of its own.
func TestSchedule(t *testing.T) {
	dev, err := ag.Open("cpu64")
	if err != nil {
		t.Fatal(err)
	}
	p := nn.NewParams(dev, stream(1, "test"))
	p.New("scratch", nn.Ones, 1)
	p.New("text", nn.Ones, 1)
	all := p.All()
	pass := zoo.Pass{Params: all, Groups: []zoo.Group{{Name: "text", Params: all[1:]}}}
	for _, c := range []struct {
		schedule string
		factors  []float64 // of the epochs 1, 2, 3 and 12 of 20: two epochs of warm-up
	}{
		{"constant", []float64{1, 1, 1, 1}},
		{"cosine", []float64{0, 0.5, 1, (1 + math.Cos(math.Pi*8/18)) / 2}},
		{"cosine-positive", []float64{1. / 3, 2. / 3, 1, (1 + math.Cos(math.Pi*9/18)) / 2}},
	} {
		tr := &trainer{}
		tr.config.Train = zoo.Training{LR: 0.1, Schedule: c.schedule,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 0.01}}}
		opt := tr.optimizer(pass)
		for i, epoch := range []int{1, 2, 3, 12} {
			lr := tr.schedule(opt, pass, epoch, 20)
			rest, group := 0.1*c.factors[i], 0.01*c.factors[i]
			if math.Abs(lr-rest) > 1e-15 || math.Abs(opt.Groups[0].LR-rest) > 1e-15 ||
				math.Abs(opt.Groups[1].LR-group) > 1e-15 {
				t.Errorf("%s, epoch %d: %g, groups %g and %g; want %g and %g", c.schedule, epoch,
					lr, opt.Groups[0].LR, opt.Groups[1].LR, rest, group)
			}
		}
	}
}

// TestMemoryIsOfTheLabelledPart begins a supervised phase with a memory and some labels only.
func TestMemoryIsOfTheLabelledPart(t *testing.T) {
	tr := newTrainer(t, nil)
	tr.labelled = tr.set.Train.Subset([]int{3, 1})
	for _, supervised := range []bool{false, true} {
		samples := 0
		tr.begin(zoo.Phase{Supervised: supervised, NewMemory: func(labels []float32) []nn.Param {
			samples = len(labels)
			return tr.Params[:1]
		}})
		if !slices.Equal(tr.memory, tr.Params[:1]) {
			t.Errorf("supervised %v: memory %v", supervised, tr.memory)
		}
		if want := map[bool]int{false: tr.set.Train.Len(), true: 2}[supervised]; samples != want {
			t.Errorf("supervised %v: a memory for %d samples, want %d", supervised, samples, want)
		}
	}
}

// TestEps checks that train.eps is ε of the optimiser, which has its own if it is 0.
func TestEps(t *testing.T) {
	c, err := settings.Preset("quick", "recap", "")
	if err != nil {
		t.Fatal(err)
	}
	for eps, want := range map[float64]float64{0: 1e-8, 3e-8: 3e-8} {
		c.Train.Eps = eps
		tr := &trainer{config: c}
		if got := tr.optimizer(zoo.Pass{}).Eps; got != want {
			t.Errorf("with eps %g the optimiser has %g, want %g", eps, got, want)
		}
	}
}
