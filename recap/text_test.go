package recap

import (
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// TestPretrainedTextEncoder puts a BERT of two layers and of its own sizes before the model,
// trained further and frozen. It checks which parameters each phase updates, that each has a
// gradient, and the derivative of the task's loss along a direction. The gradient of the token
// embedding is row-sparse.
func TestPretrainedTextEncoder(t *testing.T) {
	d := tinyDims
	d.BERT = &nn.BERTConfig{Vocab: 20, Width: 12, Layers: 2, Heads: 3, FeedForward: 16,
		Positions: 9, Types: 2, Eps: 1e-12}
	for _, finetune := range []bool{true, false} {
		c := tiny()
		c.Text.BERT, c.Text.Finetune, c.Text.Dropout = "somewhere", finetune, 0
		m, dev := newTiny(t, "cpu64", c, d)
		b := sample(dev, d, 8)
		text := m.TextEncoder().Params.All()
		for i, ph := range m.Phases() {
			if want := []int{8, 0}[i]; ph.MinBatch != want {
				t.Errorf("%s: batches of at least %d, want %d", ph.Name, ph.MinBatch, want)
			}
			groups := map[string]int{}
			for _, g := range ph.Passes[0].Groups {
				groups[g.Name] += len(g.Params)
			}
			if _, ok := groups["generator"]; !ok || finetune && groups["text"] != len(text) {
				t.Errorf("finetune %v, %s: groups of %v parameters, want generator, and text with "+
					"%d", finetune, ph.Name, groups, len(text))
			}
			for _, p := range text {
				if slices.Contains(ph.Params(), p) != finetune {
					t.Errorf("finetune %v, %s: is %s updated? %v", finetune, ph.Name, p.Name,
						!finetune)
				}
			}
			loss := func(tp *ag.Tape) *ag.Tensor {
				return zoo.Total(tp, only(termsOf(tp, ph, b), oneOf("task")))
			}
			tp := ag.NewTape(dev)
			grads := tp.Backward(zoo.Total(tp, termsOf(tp, ph, b)))
			for _, i := range gradcheck.ZeroGradient(grads, zootest.Tensors(ph.Params())) {
				t.Errorf("finetune %v, %s: %s has no gradient", finetune, ph.Name,
					ph.Params()[i].Name)
			}
			updated := m.trained("embed")
			// stage 1 holds what depends on the complete input constant
			if finetune && ph.Supervised {
				agtest.CheckDirection(t, 1e-5, zootest.Tensors(updated), loss)
			} else if !finetune && len(updated) != len(m.params("embed"))-len(text) {
				t.Errorf("%d parameters of the embedding are updated when the text encoder is frozen", len(updated))
			}
		}
		for _, p := range text {
			if !slices.Contains(m.PredictParams(), p) {
				t.Errorf("finetune %v: %s is not saved for prediction", finetune, p.Name)
			}
		}
	}
}
