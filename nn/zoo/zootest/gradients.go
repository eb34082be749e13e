package zootest

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// everyGradient checks that every parameter that a pass updates has a gradient that is not zero,
// and that some pass updates each parameter of the model.
func everyGradient(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu64", TinyDims)
	perturb(p)
	updated := map[*ag.Tensor]bool{}
	for _, ph := range m.Phases() {
		for i, loss := range ph.CheckableLosses(zoo.RandomBatch(p.Device(), &TinyDims, 16, 1)) {
			tp := ag.NewTape(p.Device())
			Gradients(t, ph.Name, tp.Backward(loss(tp)), ph.Passes[i])
		}
		for _, x := range ph.Params() {
			updated[x.Tensor] = true
		}
	}
	for _, x := range p.All() {
		if !updated[x.Tensor] {
			t.Errorf("no phase updates %s", x.Name)
		}
	}
}

// Gradients reports the parameters of a pass whose gradient is absent or zero.
func Gradients(t testing.TB, phase string, grads ag.Grads, pass zoo.Pass) {
	t.Helper()
	for _, i := range gradcheck.ZeroGradient(grads, Tensors(pass.Params)) {
		t.Errorf("%s: %s has no gradient", phase, pass.Params[i].Name)
	}
}

// smallestBatch checks that the loss of the smallest batch that a pass can get, and its gradients,
// are finite.
func smallestBatch(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu", TinyDims)
	for _, ph := range m.Phases() {
		n := max(1, ph.MinBatch)
		for i, loss := range ph.CheckableLosses(zoo.RandomBatch(p.Device(), &TinyDims, n, 1)) {
			tp := ag.NewTape(p.Device())
			l := loss(tp)
			grads := tp.Backward(l)
			sum := l.Item()
			for _, x := range ph.Passes[i].Params {
				if g := grads[x.Tensor]; g != nil {
					sum += g.Dot(g)
				}
			}
			if math.IsNaN(sum) || math.IsInf(sum, 0) {
				t.Errorf("%s: a batch of %d has loss %g and a gradient that is not finite",
					ph.Name, n, l.Item())
			}
		}
	}
}

// Derivative checks the derivative of the whole loss of each pass along a random direction in the
// space of the pass's parameters, in double precision, to 1e-5. Values whose gradient the loss
// stops or reverses are held constant, as ag.FrozenReplay describes. Parameters are perturbed,
// because with biases of 0 the hidden layers of sequences that are 0 would be at the kink of ReLU.
func Derivative(t testing.TB, s *zoo.Spec, c zoo.Config) {
	t.Helper()
	m, p := New(t, s, c, "cpu64", TinyDims)
	perturb(p)
	for _, ph := range m.Phases() {
		for i, loss := range ph.CheckableLosses(zoo.RandomBatch(p.Device(), &TinyDims, 8, 1)) {
			agtest.CheckDirection(t, 1e-5, Tensors(ph.Passes[i].Params), loss)
		}
	}
}

// frozenTextEncoder checks the gradients of a model with a frozen pretrained text encoder.
func frozenTextEncoder(t testing.TB, s *zoo.Spec, c zoo.Config) {
	d := TinyBERT()
	d.BERT.Layers = c.TextEncoder().Layers
	c.TextEncoder().BERT, c.TextEncoder().Finetune = "somewhere", false
	m, p := New(t, s, c, "cpu64", d)
	perturb(p)
	text := m.TextEncoder().Params.Tensors()
	for _, ph := range m.Phases() {
		for i, loss := range ph.CheckableLosses(zoo.RandomBatch(p.Device(), &d, 8, 1)) {
			pass := ph.Passes[i]
			for _, x := range pass.Params {
				if slices.Contains(text, x.Tensor) {
					t.Errorf("%s updates %s of a frozen encoder", ph.Name, x.Name)
				}
			}
			tp := ag.NewTape(p.Device())
			Gradients(t, ph.Name, tp.Backward(loss(tp)), pass)
			agtest.CheckDirection(t, 1e-5, Tensors(pass.Params), loss)
		}
	}
	for _, x := range m.TextEncoder().Params.All() {
		if !slices.Contains(m.PredictParams(), x) {
			t.Errorf("%s is not among the parameters of the prediction", x.Name)
		}
	}
}

// pretrainedTextEncoder checks the training of a pretrained text encoder: some pass updates each of
// its parameters that the model does not freeze, which has a gradient and is in one group of the
// pass, so that it has a learning rate of its own. A checkpoint contains all of them.
func pretrainedTextEncoder(t testing.TB, s *zoo.Spec, c zoo.Config) {
	d := TinyBERT()
	d.BERT.Layers = c.TextEncoder().Layers
	c.TextEncoder().BERT = "somewhere"
	m, p := New(t, s, c, "cpu64", d)
	perturb(p)
	text := m.TextEncoder().Trainable(m.TextEncoder().Params)
	for _, ph := range m.Phases() {
		groups := map[*ag.Tensor]int{}
		for i, loss := range ph.CheckableLosses(zoo.RandomBatch(p.Device(), &d, 16, 1)) {
			pass, inPass := ph.Passes[i], map[*ag.Tensor]int{}
			for _, g := range pass.Groups {
				for _, x := range g.Params {
					groups[x.Tensor]++
					if inPass[x.Tensor]++; !slices.Contains(Tensors(pass.Params), x.Tensor) ||
						inPass[x.Tensor] > 1 {
						t.Errorf("%s: group %s has %s, which is in another group or not updated",
							ph.Name, g.Name, x.Name)
					}
				}
			}
			tp := ag.NewTape(p.Device())
			Gradients(t, ph.Name, tp.Backward(loss(tp)), pass)
			agtest.CheckDirection(t, 1e-5, Tensors(pass.Params), loss)
		}
		for _, x := range text {
			if groups[x.Tensor] == 0 {
				t.Errorf("%s: %s is in no group", ph.Name, x.Name)
			}
		}
	}
	for _, x := range m.TextEncoder().Params.All() {
		if !slices.Contains(m.PredictParams(), x) {
			t.Errorf("%s is not among the parameters of the prediction", x.Name)
		}
	}
}
