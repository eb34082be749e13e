package recap

import (
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestPretrainedTextInTheWhole puts a BERT of its own sizes before the model, trained further and
// frozen: what moves, that none of it is dead, and the derivative of the task's loss along a
// direction.
func TestPretrainedTextInTheWhole(t *testing.T) {
	d := tinyDims
	d.BERT = &nn.BERTConfig{Vocab: 20, Width: 12, Layers: 2, Heads: 3, FeedForward: 16, Positions: 9, Types: 2, Eps: 1e-12}
	for _, finetune := range []bool{true, false} {
		c := tiny()
		c.Text.BERT, c.Text.Finetune, c.Text.Dropout = "somewhere", finetune, 0
		m, dev := newTiny(t, "cpu64", c, d)
		b := sample(dev, d, 8)
		text := m.Text().Params.All()
		for _, ph := range m.Phases() {
			for _, p := range text {
				if slices.Contains(ph.Params, p) != finetune {
					t.Errorf("finetune %v, %s: does %s move? %v", finetune, ph.Name, p.Name, !finetune)
				}
			}
			loss := func(tp *ag.Tape) *ag.Tensor { return zoo.Total(tp, only(ph.Terms(tp, b), oneOf("task"))) }
			tp := ag.NewTape(dev)
			grads := tp.Backward(zoo.Total(tp, ph.Terms(tp, b)))
			for _, i := range gradcheck.ZeroGradient(grads, tensorsOf(ph.Params)) {
				t.Errorf("finetune %v, %s: %s has no gradient", finetune, ph.Name, ph.Params[i].Name)
			}
			if moved := m.trained("embed"); finetune && ph.Labels { // stage 1 holds what depends on the complete input constant
				agtest.CheckDirection(t, 1e-5, tensorsOf(moved), loss)
			} else if !finetune && len(moved) != len(m.params("embed"))-len(text) {
				t.Errorf("%d parameters of the embedding move when the text is frozen", len(moved))
			}
		}
		for _, p := range text {
			if !slices.Contains(m.PredictParams(), p) {
				t.Errorf("finetune %v: %s is not saved for prediction", finetune, p.Name)
			}
		}
	}
}
