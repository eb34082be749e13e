package nn

import (
	"math/rand/v2"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
)

// TestHeadIsTheBeginningOfForward compares values and all gradients with those of a slice of the whole.
func TestHeadIsTheBeginningOfForward(t *testing.T) {
	dev := open(t, "cpu64")
	for _, depth := range []int{1, 2} {
		c := tinyTransformer
		c.Depth = depth
		p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
		m := NewTransformer(p, c)
		x, u := wave(dev, 1, 2, 5, 6), wave(dev, 2, 2, 3, 6)
		run := func(f func(tp *ag.Tape) *ag.Tensor) (*ag.Tensor, ag.Grads) {
			tp := ag.NewTape(dev)
			y := f(tp)
			return y, tp.Backward(tp.Sum(tp.Mul(y, u)), y)
		}
		y, g := run(func(tp *ag.Tape) *ag.Tensor { return m.Head(tp, x, 3) })
		wantY, wantG := run(func(tp *ag.Tape) *ag.Tensor { return tp.Slice(m.Forward(tp, x), 1, 0, 3) })
		mustBeClose(t, 1e-14, y.Values(), wantY.Values())
		for _, q := range append(p.All(), Param{"x", x}) {
			if g[q.Tensor] == nil {
				t.Fatalf("%s has no gradient", q.Name)
			}
			mustBeClose(t, 1e-14, g[q.Tensor].Values(), wantG[q.Tensor].Values())
		}
	}
}

func TestTransformerRefusesWrongShapes(t *testing.T) {
	dev := open(t, "cpu64")
	m := NewTransformer(NewParams(dev, rand.New(rand.NewPCG(1, 2))), tinyTransformer)
	tp := ag.NewInferenceTape(dev)
	mustPanic(t, "a head longer than the sequence", func() { m.Head(tp, wave(dev, 1, 2, 5, 6), 6) })
	mustPanic(t, "x of two axes", func() { m.Head(tp, wave(dev, 1, 5, 6), 1) })
}

// tinyTokens is a batch of two sequences of four tokens, the second one padded.
func tinyTokens(dev ag.Device) (ids, segments []int, mask *ag.Tensor) {
	return []int{2, 5, 7, 3, 2, 9, 3, 0}, make([]int, 8), ag.NewTensor(dev, []float64{1, 1, 1, 1, 1, 1, 1, 0}, 2, 4)
}

func TestBERTDropout(t *testing.T) {
	dev := open(t, "cpu64")
	c := tinyBERT
	c.Dropout, c.Attention = 0.3, 0.3
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	b := NewBERT(p, c)
	ids, segments, mask := tinyTokens(dev)
	agtest.CheckDirection(t, 1e-7, p.Tensors(), func(tp *ag.Tape) *ag.Tensor {
		y := b.Forward(tp, ids, segments, mask)
		return tp.Sum(tp.Mul(y, wave(dev, 3, y.Shape()...)))
	})
	b.dropout = 0 // what remains is the dropout of attention weights
	tp := ag.NewTape(dev)
	trained := b.Forward(tp, ids, segments, mask).Values()
	if inferred := b.Forward(ag.NewInferenceTape(dev), ids, segments, mask).Values(); trained[0] == inferred[0] {
		t.Error("attention weights are not dropped in training")
	}
}

// TestBERTIgnoresPadding changes the padded token, which must change nothing at the real ones.
func TestBERTIgnoresPadding(t *testing.T) {
	dev := open(t, "cpu64")
	b := NewBERT(NewParams(dev, rand.New(rand.NewPCG(1, 2))), tinyBERT)
	ids, segments, mask := tinyTokens(dev)
	tp := ag.NewInferenceTape(dev)
	first := b.Forward(tp, ids, segments, mask).Values()
	ids[7] = 8
	second := b.Forward(tp, ids, segments, mask).Values()
	real := 7 * tinyBERT.Width
	mustBeClose(t, 0, second[:real], first[:real])
	if second[real] == first[real] {
		t.Error("the padded position itself does not depend on its token")
	}
	mustPanic(t, "a sequence longer than the positions", func() {
		b.Forward(tp, make([]int, 7), make([]int, 7), wave(dev, 1, 1, 7))
	})
}
