package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

func TestConv1dParameters(t *testing.T) {
	p := NewParams(open(t, "cpu64"), rand.New(rand.NewPCG(1, 2)))
	NewConv1d(p.Sub("plain"), Conv1dConfig{In: 20, Out: 30, Kernel: 5})
	NewConv1d(p.Sub("biased"), Conv1dConfig{In: 20, Out: 1000, Kernel: 5, Bias: true})
	if n := p.Count(); n != 30*20*5+1000*(20*5+1) {
		t.Errorf("%d parameters, want 30·20·5 + 1000·(20·5 + 1)", n)
	}
	for _, q := range p.All() {
		v := q.Values()
		if lo, hi, bound := slices.Min(v), slices.Max(v), 1/math.Sqrt(20*5); lo < -bound ||
			hi > bound || lo > -0.99*bound || hi < 0.99*bound {
			t.Errorf("%s lies in [%g, %g], want it to fill ±%g", q.Name, lo, hi, bound)
		}
	}
}

// TestConv1dOfOneStepWithPadding has windows of one step: at the padding there is the bias alone.
func TestConv1dOfOneStepWithPadding(t *testing.T) {
	dev := open(t, "cpu64")
	l := NewConv1d(NewParams(dev, rand.New(rand.NewPCG(1, 2))),
		Conv1dConfig{In: 2, Out: 1, Kernel: 1, Padding: 1, Bias: true})
	l.W.Assign([]float64{2, 3})
	l.B.Assign([]float64{0.5})
	y := l.Forward(ag.NewTape(dev), ag.NewTensor(dev, []float64{1, 1, -1, 2}, 1, 2, 2))
	if s := y.Shape(); !slices.Equal(s, []int{1, 4, 1}) {
		t.Errorf("shape %v, want [1 4 1]", s)
	}
	mustBeClose(t, 0, y.Values(), []float64{0.5, 5.5, 4.5, 0.5})
}

func TestConv1dRefusesWhatDoesNotFit(t *testing.T) {
	dev := open(t, "cpu64")
	l := NewConv1d(NewParams(dev, rand.New(rand.NewPCG(1, 2))),
		Conv1dConfig{In: 3, Out: 2, Kernel: 4, Padding: 1})
	for _, x := range []*ag.Tensor{noise(dev, 1, 2, 5, 4), noise(dev, 1, 5, 3),
		noise(dev, 1, 2, 1, 3)} {
		mustPanic(t, fmt.Sprintf("nn: Conv1d: x %v: want [B T 3] with at least 2 steps, for "+
			"weight [2 3 4] and padding 1", x.Shape()), func() { l.Forward(ag.NewTape(dev), x) })
	}
	if s := l.Forward(ag.NewTape(dev), noise(dev, 1, 2, 2, 3)).Shape(); s[1] != 1 {
		t.Errorf("2 steps and 2 of padding give %v, want 1 window", s)
	}
}
