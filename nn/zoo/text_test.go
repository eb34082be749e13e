package zoo

import (
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

var pretrained = nn.BERTConfig{Vocab: 11, Width: 8, Layers: 2, Heads: 2, FeedForward: 12, Positions: 6, Types: 2, Eps: 1e-12, Dropout: 0.5, Attention: 0.5}

func newText(t *testing.T, finetune bool) (*Text, ag.Device) {
	t.Helper()
	dev := openDevice(t, "cpu")
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	return NewText(p, TextConfig{BERT: "somewhere", Finetune: finetune}, Dims{BERT: &pretrained}), dev
}

// input returns sequences of five tokens.
func input(dev ag.Device, ids ...int) *Input {
	in, n := tokens(dev, 5, ids...), len(ids)/5
	in.Audio = ag.NewTensor(dev, make([]float64, n), n, 1, 1)
	return in
}

var sequences = []int{2, 5, 10, 3, 0, 2, 7, 3, 0, 0, 2, 9, 9, 1, 3}

func TestFrozenTextIsConstant(t *testing.T) {
	text, dev := newText(t, false)
	if len(text.Trained()) != 0 {
		t.Error("a frozen encoder has parameters to train")
	}
	tp := ag.NewTape(dev)
	y := text.Forward(tp, input(dev, sequences...))
	w := ag.NewParam(dev, []float64{1}, 1)
	grads := tp.Backward(tp.Sum(tp.Mul(y, w)))
	for _, p := range text.Params.All() {
		if grads[p.Tensor] != nil {
			t.Errorf("%s has a gradient", p.Name)
		}
	}
	if grads[w] == nil {
		t.Error("the rest has none")
	}
}

// TestFrozenTextIsTheEncoder compares features, remembered or not, with those of the same encoder
// without dropout.
func TestFrozenTextIsTheEncoder(t *testing.T) {
	frozen, dev := newText(t, false)
	tuned, _ := newText(t, true)
	in := input(dev, sequences...)
	want := tuned.Forward(ag.NewInferenceTape(dev), in).Values()
	tp := ag.NewTape(dev)
	in.Recurs = true
	for _, first := range []int{2, 0} { // the third alone, then all
		part := input(dev, sequences[5*first:]...)
		part.Recurs = true
		got := frozen.Forward(tp, part).Values()
		if !slices.Equal(got, want[5*8*first:]) {
			t.Errorf("from sequence %d: features differ", first)
		}
	}
	if n := len(frozen.known); n != 3 {
		t.Errorf("%d sequences are remembered, want 3", n)
	}
	frozen.bert = nil // from here on it can only remember
	if got := frozen.Forward(tp, in).Values(); !slices.Equal(got, want) {
		t.Error("remembered features differ")
	}
}

func TestFrozenTextForgetsWhatDoesNotRecur(t *testing.T) {
	text, dev := newText(t, false)
	in := input(dev, sequences...)
	text.Forward(ag.NewTape(dev), in)
	if len(text.known) != 0 {
		t.Error("holes that do not come again are remembered")
	}
	in.Recurs, text.left = true, 2*(4*5*8+30)
	text.Forward(ag.NewTape(dev), in)
	if len(text.known) != 2 {
		t.Errorf("%d sequences remembered, there is room for 2", len(text.known))
	}
	other := input(dev, sequences...)
	for i := range other.HostMask {
		other.HostMask[i] = 1
	}
	other.Mask = nil // a frozen encoder does not read it
	a, b := text.Forward(ag.NewTape(dev), in).Values(), text.Forward(ag.NewTape(dev), other).Values()
	if slices.Equal(a[:5*8], b[:5*8]) {
		t.Error("another mask has the same features")
	}
}

// TestFrozenTextKeepsFewShapes gives a frozen encoder batches of which ever other numbers are
// unknown to it: its tape needs no new memory for them.
func TestFrozenTextKeepsFewShapes(t *testing.T) {
	dev := &counting{Device: openDevice(t, "cpu")}
	text := NewText(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))), TextConfig{BERT: "somewhere"}, Dims{BERT: &pretrained})
	tp := ag.NewInferenceTape(dev)
	compute := func(n int) {
		in := input(dev, slices.Repeat([]int{2, 7, 9, 3, 0}, n)...)
		tp.Reset()
		text.compute(make([]float32, n*5*text.Width), in, firstRows(n))
	}
	for _, n := range []int{1, 2, 4, 8} {
		compute(n)
	}
	for n := 1; n < 16; n++ {
		given := dev.buffers + 2 // mask and audio of the input
		if compute(n); dev.buffers != given {
			t.Errorf("%d sequences: %d new buffers", n, dev.buffers-given)
		}
	}
}

func firstRows(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}
