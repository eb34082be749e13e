package zoo_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// TestTotal has terms of weight 0 before and after the others, and alone.
func TestTotal(t *testing.T) {
	tp := ag.NewTape(zootest.Open(t, "cpu64"))
	term := func(weight float64, loss float32) zoo.Term {
		return zoo.Term{Weight: weight, Loss: tp.Input([]float32{loss})}
	}
	for want, terms := range map[float64][]zoo.Term{
		6:   {term(2, 3)},
		-1:  {term(0, 7), term(0.5, 4), term(0, 8), term(1, 2), term(-2.5, 2), term(0, 9)},
		0.5: {term(1, 0.25), term(1, 0.25)},
	} {
		equal(t, "loss", zoo.Total(tp, terms), nil, want)
	}
	for _, terms := range [][]zoo.Term{nil, {term(0, 1), term(0, 2)}} {
		if loss := zoo.Total(tp, terms); loss != nil {
			t.Errorf("the loss of %d terms of weight 0 is %v", len(terms), loss.Values())
		}
	}
}

// TestApply writes rows into two memories.
func TestApply(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	tp, first := ag.NewTape(dev), ag.NewTensor(dev, []float64{1, 2, 3, 4, 5, 6}, 3, 2)
	second := ag.NewTensor(dev, []float64{1, 2}, 2)
	zoo.Apply(tp, []zoo.MemoryUpdate{
		{Memory: first, Index: []int{2, 0}, Rows: tp.Input([]float32{7, 8, 9, 10}, 2, 2)},
		{Memory: second, Index: []int{1}, Rows: tp.Input([]float32{11}, 1)}})
	equal(t, "first memory", first, []int{3, 2}, 9, 10, 3, 4, 7, 8)
	equal(t, "second memory", second, []int{2}, 1, 11)
}

// TestParamsAndNamesOfPasses has phases of one pass, and of two that share a parameter.
func TestParamsAndNamesOfPasses(t *testing.T) {
	p := nn.NewParams(zootest.Open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	for _, name := range []string{"a", "b", "c"} {
		p.New(name, nn.Zeros)
	}
	all := p.All()
	for want, ph := range map[string]zoo.Phase{
		"[b a] [train]": {Passes: []zoo.Pass{{Params: []nn.Param{all[1], all[0]}}}},
		"[b a c] [train/first train/second]": {Passes: []zoo.Pass{
			{Name: "first", Params: []nn.Param{all[1], all[0]}},
			{Name: "second", Params: []nn.Param{all[0], all[2], all[1]}}}},
	} {
		var params, passes []string
		for _, x := range ph.Params() {
			params = append(params, x.Name)
		}
		ph.Name = "train"
		for k := range ph.Passes {
			passes = append(passes, ph.PassName(k))
		}
		if got := fmt.Sprint(params, " ", passes); got != want {
			t.Errorf("parameters and passes %s, want %s", got, want)
		}
	}
}

// TestCheckableLosses has a phase of two passes that write the epoch into a memory: its losses read
// what two epochs of both passes have left, and write no more.
func TestCheckableLosses(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	b := zoo.RandomBatch(dev, &zootest.TinyDims, 3, 1)
	b.Label.Assign([]float64{-1, 0.5, 2})
	var memory *ag.Tensor
	var labels []float32
	var calls []string
	pass := func(name string, index int, weight float64) zoo.Pass {
		return zoo.Pass{Name: name, Terms: func(
			tp *ag.Tape, b *zoo.Batch,
		) ([]zoo.Term, []zoo.MemoryUpdate) {
			calls = append(calls, fmt.Sprint(name, b.Epoch))
			row := tp.Full(10*float64(b.Epoch)+float64(index), 1)
			return []zoo.Term{{Name: name, Weight: weight, Loss: tp.Sum(memory)}},
				[]zoo.MemoryUpdate{{Memory: memory, Index: []int{index}, Rows: row}}
		}}
	}
	ph := zoo.Phase{Passes: []zoo.Pass{pass("p", 1, 1), pass("q", 2, 0.5)},
		NewMemory: func(y []float32) []nn.Param {
			labels, memory = y, ag.NewTensor(dev, make([]float64, len(y)), len(y))
			return []nn.Param{{Name: "memory", Tensor: memory}}
		}}
	losses := ph.CheckableLosses(b)
	if want := []float32{-1, 0.5, 2}; !slices.Equal(labels, want) || b.Epoch != 3 {
		t.Errorf("memory of %v, epoch %d; want that of %v, epoch 3", labels, b.Epoch, want)
	}
	if want := []string{"p1", "q1", "p2", "q2"}; !slices.Equal(calls, want) {
		t.Errorf("calls %v, want %v", calls, want)
	}
	if len(losses) != 2 {
		t.Fatalf("%d losses of two passes", len(losses))
	}
	tp := ag.NewTape(dev)
	for range 2 {
		equal(t, "loss of p", losses[0](tp), nil, 21+22)
		equal(t, "loss of q", losses[1](tp), nil, 0.5*(21+22))
	}
	ph.NewMemory, b.Epoch = nil, 5
	if ph.CheckableLosses(b); b.Epoch != 5 {
		t.Errorf("a phase without memory: epoch %d, want 5 as before", b.Epoch)
	}
}

// TestPerturb adds noise of the given deviation to every element of every parameter.
func TestPerturb(t *testing.T) {
	p := nn.NewParams(zootest.Open(t, "cpu64"), rand.New(rand.NewPCG(1, 1)))
	p.New("a", nn.Ones, 3)
	p.New("b", nn.Zeros, 2, 2)
	zoo.Perturb(p.All(), 0.25, rand.New(rand.NewPCG(1, 2)))
	r := rand.New(rand.NewPCG(1, 2))
	for i, x := range p.All() {
		want := make([]float64, x.Len())
		for k := range want {
			want[k] = float64(1-i) + 0.25*r.NormFloat64()
		}
		equal(t, x.Name, x.Tensor, x.Shape(), want...)
	}
}
