package nn

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
)

var tinyLSTM = LSTMConfig{In: 3, Hidden: 5, Layers: 2, Bidirectional: true}

// A recurrentLayer is an LSTM or a GRU.
type recurrentLayer interface {
	Forward(tp *ag.Tape, x *ag.Tensor, lengths []int) (y *ag.Tensor, final []*ag.Tensor)
}

// recurrentLayers are those of PyTorch's results in testdata/NAME.json.
var recurrentLayers = map[string]func(p *Params, c LSTMConfig) recurrentLayer{
	"lstm": func(p *Params, c LSTMConfig) recurrentLayer { return NewLSTM(p, c) },
	"gru":  func(p *Params, c LSTMConfig) recurrentLayer { return NewGRU(p, GRUConfig(c)) },
}

// TestRecurrentLayersAgreeWithPyTorch compares outputs, final states and all gradients.
func TestRecurrentLayersAgreeWithPyTorch(t *testing.T) {
	for name, newLayer := range recurrentLayers {
		t.Run(name, func(t *testing.T) { compareRecurrent(t, name, newLayer) })
	}
}

func compareRecurrent(
	t *testing.T, name string, newLayer func(p *Params, c LSTMConfig) recurrentLayer,
) {
	var want struct {
		Lengths     []int
		Params      []goldenParam
		Y, Final, X []float64
		Grads       [][]float64
	}
	file, err := os.ReadFile("testdata/" + name + ".json")
	if err == nil {
		err = json.Unmarshal(file, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		forward, gradient := 1e-6, 1e-5
		if dev.Bits() == 64 {
			forward, gradient = 1e-14, 1e-13
		}
		p := NewParams(dev, rand.New(rand.NewPCG(1, 1)))
		l := newLayer(p, tinyLSTM)
		setNoise(t, p.All(), want.Params)
		tp := ag.NewTape(dev)
		x := noise(dev, 100, 4, 7, 3)
		y, final := l.Forward(tp, x, want.Lengths)
		states := tp.Stack(0, final...)
		loss := tp.Add(tp.Sum(tp.Mul(noise(dev, 200, y.Shape()...), y)),
			tp.Sum(tp.Mul(noise(dev, 300, states.Shape()...), states)))
		g := tp.Backward(loss, y, states)
		mustBeClose(t, forward, y.Values(), want.Y)
		mustBeClose(t, forward, states.Values(), want.Final)
		mustBeClose(t, gradient, g[x].Values(), want.X)
		for i, q := range p.All() {
			if q.Name != want.Params[i].name {
				t.Errorf("parameter %d is %s, PyTorch's %s", i, q.Name, want.Params[i].name)
			}
			mustBeClose(t, gradient, g[q.Tensor].Values(), want.Grads[i])
		}
	}
}

func TestRecurrentParameters(t *testing.T) {
	p := NewParams(open(t, "cpu64"), rand.New(rand.NewPCG(1, 2)))
	NewLSTM(p.Sub("lstm"), LSTMConfig{In: 20, Hidden: 32, Layers: 1})
	NewGRU(p.Sub("gru"), GRUConfig{In: 20, Hidden: 32, Layers: 1})
	if n := p.Count(); n != (4+3)*32*(20+32+2) {
		t.Errorf("%d parameters, want (4 + 3)·32·(20 + 32 + 2)", n)
	}
	for _, q := range p.All() {
		v := q.Values()
		if lo, hi, bound := slices.Min(v), slices.Max(v), 1/math.Sqrt(32); lo < -bound ||
			hi > bound || lo > -0.9*bound || hi < 0.9*bound {
			t.Errorf("%s lies in [%g, %g], want it to fill ±%g", q.Name, lo, hi, bound)
		}
	}
}

// TestOneDirectionIsHalfOfBoth compares layers that run forward with those of one layer that runs
// in both directions and has the same weights.
func TestOneDirectionIsHalfOfBoth(t *testing.T) {
	dev := open(t, "cpu64")
	lengths := []int{4, 2}
	for name, newLayer := range recurrentLayers {
		both := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
		one := NewParams(dev, rand.New(rand.NewPCG(3, 4)))
		c := LSTMConfig{In: 3, Hidden: 5, Layers: 1, Bidirectional: true}
		first := newLayer(both.Sub("first"), c)
		second := newLayer(both.Sub("second"), LSTMConfig{In: 5, Hidden: 5, Layers: 1,
			Bidirectional: true})
		c.Layers, c.Bidirectional = 2, false
		stack := newLayer(one, c)
		for _, x := range one.All() {
			kind, layer, _ := strings.Cut(x.Name, "_l")
			from := map[string]string{"0": "first.", "1": "second."}[layer] + kind + "_l0"
			i := slices.IndexFunc(both.All(), func(y Param) bool { return y.Name == from })
			x.Assign(both.All()[i].Values())
		}
		tp := ag.NewInferenceTape(dev)
		x := noise(dev, 1, 2, 4, 3)
		y, end := first.Forward(tp, x, lengths)
		forward := tp.Slice(y, 2, 0, 5)
		states := [][]float64{end[0].Values()}
		y, end = second.Forward(tp, forward, lengths)
		states = append(states, end[0].Values())
		got, final := stack.Forward(tp, x, lengths)
		mustBeClose(t, 1e-15, got.Values(), tp.Slice(y, 2, 0, 5).Values())
		if len(final) != 2 {
			t.Fatalf("%s: %d final states of two layers", name, len(final))
		}
		for i := range final {
			mustBeClose(t, 1e-15, final[i].Values(), states[i])
		}
	}
}

// TestLSTMDropout checks for dropout between the layers, not after the last, and none in inference.
func TestLSTMDropout(t *testing.T) {
	dev := open(t, "cpu64")
	c := tinyLSTM
	c.Dropout = 0.5
	run := func(tp *ag.Tape, layers int) []float64 {
		c.Layers = layers
		y, final := NewLSTM(NewParams(dev, rand.New(rand.NewPCG(1, 2))), c).Forward(tp,
			noise(dev, 1, 2, 4, 3), []int{4, 2})
		return append(y.Values(), tp.Stack(0, final...).Values()...)
	}
	for layers, dropped := range map[int]bool{1: false, 2: true} {
		trained, inferred := run(ag.NewTape(dev), layers), run(ag.NewInferenceTape(dev), layers)
		if slices.Equal(trained, inferred) == dropped {
			t.Errorf("%d layers: dropout %t, want %t", layers, !dropped, dropped)
		}
		if zeros := slices.Index(trained[:2*10], 0); zeros >= 0 {
			t.Errorf("%d layers: output %d is dropped", layers, zeros)
		}
	}
	c.Layers = 2
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	l := NewLSTM(p, c)
	agtest.CheckDirection(t, 1e-7, p.Tensors(), func(tp *ag.Tape) *ag.Tensor {
		y, final := l.Forward(tp, noise(dev, 1, 2, 4, 3), []int{4, 2})
		return tp.Add(tp.Sum(tp.Mul(y, y)), tp.Sum(final[0]))
	})
}

func TestLSTMRefusesWrongLengths(t *testing.T) {
	dev := open(t, "cpu64")
	l := NewLSTM(NewParams(dev, rand.New(rand.NewPCG(1, 2))), tinyLSTM)
	for _, lengths := range [][]int{{4, 0}, {5, 4}, {4}} {
		mustPanic(t, "autograd: LSTM: ", func() {
			l.Forward(ag.NewTape(dev), noise(dev, 1, 2, 4, 3), lengths)
		})
	}
}
