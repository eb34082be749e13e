package nn

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
)

// newBatchNorm returns a layer whose weight and bias are noise.
func newBatchNorm(dev ag.Device, width int) (*Params, *BatchNorm1d) {
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	l := NewBatchNorm1d(p.Sub("bn"), width)
	l.Gamma.Assign(noise(dev, 1, width).Values())
	l.Beta.Assign(noise(dev, 2, width).Values())
	return p, l
}

// TestBatchNormAgreesWithPyTorch compares outputs, gradients and running statistics with
// testdata/batch_norm.json.
func TestBatchNormAgreesWithPyTorch(t *testing.T) {
	var want struct {
		Width   int
		Batches []struct {
			N                             int
			Y, Mean, Var, X, Weight, Bias []float64
		}
		Inference []float64
	}
	file, err := os.ReadFile("testdata/batch_norm.json")
	if err == nil {
		err = json.Unmarshal(file, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		tol := map[int]float64{64: 1e-12, 32: 1e-4}[dev.Bits()]
		_, l := newBatchNorm(dev, want.Width)
		for k, b := range want.Batches {
			tp := ag.NewTape(dev)
			tp.Poison = true
			x := noise(dev, 100+k, b.N, want.Width)
			y := l.Forward(tp, x)
			g := tp.Backward(tp.Sum(tp.Mul(y, noise(dev, 200+k, y.Shape()...))), y)
			for _, pair := range []struct {
				got  *ag.Tensor
				want []float64
			}{{y, b.Y}, {l.Mean, b.Mean}, {l.Var, b.Var}, {g[x], b.X}, {g[l.Gamma], b.Weight},
				{g[l.Beta], b.Bias}} {
				mustBeClose(t, tol, pair.got.Values(), pair.want)
			}
		}
		before := append(l.Mean.Values(), l.Var.Values()...)
		y := l.Forward(ag.NewInferenceTape(dev), noise(dev, 300, 1, want.Width))
		mustBeClose(t, tol, y.Values(), want.Inference)
		if !slices.Equal(before, append(l.Mean.Values(), l.Var.Values()...)) {
			t.Errorf("%s: inference moves the running statistics", name)
		}
	}
}

func TestBatchNormGradients(t *testing.T) {
	dev := open(t, "cpu64")
	_, l := newBatchNorm(dev, 3)
	forward := func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor { return l.Forward(tp, x[0]) }
	agtest.CheckGrad(t, 1e-8, gradcheck.Func(forward), noise(dev, 100, 5, 3), l.Gamma, l.Beta)
}

// TestBatchNormStateIsSaved checks that a file has the running statistics, and an optimizer does
// not.
func TestBatchNormStateIsSaved(t *testing.T) {
	dev := open(t, "cpu")
	p, l := newBatchNorm(dev, 3)
	l.Forward(ag.NewTape(dev), noise(dev, 100, 5, 3))
	var file bytes.Buffer
	if err := Save(&file, p.State(), nil); err != nil {
		t.Fatal(err)
	}
	q, m := newBatchNorm(dev, 3)
	if err := Load(file.Bytes(), q.State()); err != nil {
		t.Fatal(err)
	}
	x := noise(dev, 300, 1, 3)
	one := l.Forward(ag.NewInferenceTape(dev), x).Values()
	other := m.Forward(ag.NewInferenceTape(dev), x).Values()
	if !slices.Equal(one, other) || m.Mean.Values()[0] == 0 {
		t.Errorf("after loading %v, saved %v", other, one)
	}
	var names []string
	for _, x := range p.All() {
		names = append(names, x.Name)
	}
	if !slices.Equal(names, []string{"bn.weight", "bn.bias"}) {
		t.Errorf("an optimizer gets %v", names)
	}
}

func TestBatchNormRefusesWhatDoesNotFit(t *testing.T) {
	dev := open(t, "cpu64")
	_, l := newBatchNorm(dev, 3)
	for want, x := range map[string]*ag.Tensor{
		"a batch of 1 in training has no variance": noise(dev, 1, 1, 3),
		"x [3 2]: want [N 3]":                      noise(dev, 1, 3, 2),
		"x [2 3 3]: want [N 3]":                    noise(dev, 1, 2, 3, 3)} {
		mustPanic(t, "nn: BatchNorm1d: "+want, func() { l.Forward(ag.NewTape(dev), x) })
	}
	if y := l.Forward(ag.NewInferenceTape(dev), noise(dev, 1, 1, 3)); y.Len() != 3 {
		t.Errorf("a batch of one in inference gives %v", y)
	}
}
