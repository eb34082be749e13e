package zootest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// predict checks the shapes of predictions, and that attention weights add up to 1.
func predict(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu", TinyDims)
	for _, n := range []int{1, 5} {
		y := m.Predict(ag.NewInferenceTape(p.Device()),
			zoo.RandomBatch(p.Device(), &TinyDims, n, 1).Corrupted)
		if got := y.Score.Shape(); !slices.Equal(got, []int{n}) {
			t.Errorf("the scores of %d samples have shape %v, want [%d]", n, got, n)
		}
		if y.Weight == nil {
			continue
		}
		if got := y.Weight.Shape(); !slices.Equal(got, []int{n, zoo.Modalities}) {
			t.Errorf("the weights of %d samples have shape %v, want [%d 3]", n, got, n)
			continue
		}
		for w := range slices.Chunk(y.Weight.Values(), zoo.Modalities) {
			if sum := w[0] + w[1] + w[2]; math.Abs(sum-1) > 1e-6 {
				t.Errorf("the weights %v add up to %g", w, sum)
			}
		}
	}
}

// predictParams sets every parameter that is not in PredictParams to NaN: predictions stay
// finite. And each parameter in PredictParams has an effect on them: a gradient or, if only an
// earlier phase updates it and Predict holds it constant, another prediction when it changes.
func predictParams(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu64", TinyDims)
	perturb(p)
	saved := m.PredictParams()
	for _, x := range p.All() {
		if !slices.Contains(Tensors(saved), x.Tensor) {
			x.Multiply(math.NaN())
		}
	}
	in := zoo.RandomBatch(p.Device(), &TinyDims, 8, 1).Corrupted
	tp := ag.NewTape(p.Device())
	tp.Seed(1)
	y := m.Predict(tp, in).Score
	loss := tp.Sum(tp.Mul(y, y))
	grads := tp.Backward(loss, loss, y)
	if math.IsNaN(loss.Item()) {
		t.Error("Predict reads a parameter that is not in PredictParams")
	}
	phases := m.Phases()
	last := &phases[len(phases)-1]
	for _, i := range gradcheck.ZeroGradient(grads, Tensors(saved)) {
		x, old := saved[i], saved[i].Values()
		if slices.Contains(last.Params(), x) {
			t.Errorf("%s is in PredictParams, phase %s updates it, and the prediction gives it "+
				"no gradient", x.Name, last.Name)
			continue
		}
		zoo.Perturb(saved[i:i+1], 0.1, rand.New(rand.NewPCG(7, 7)))
		other := ag.NewTape(p.Device())
		other.Seed(1)
		if slices.Equal(m.Predict(other, in).Score.Values(), y.Values()) {
			t.Errorf("%s is in PredictParams and has no effect on the prediction", x.Name)
		}
		x.Assign(old)
	}
}
