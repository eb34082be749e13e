package zoo_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
	"github.com/seed-6655bf3b/recap/optim"
)

// TestTextPresets has the sizes of BERT-base, and those of the small encoder.
func TestTextPresets(t *testing.T) {
	if got, want := zoo.PaperText(), (zoo.TextConfig{Finetune: true, Sparse: true, Width: 768,
		Layers: 12, Heads: 12, FeedForward: 3072, Dropout: 0.1}); got != want {
		t.Errorf("PaperText is %+v, want %+v", got, want)
	}
	if got, want := zoo.QuickText(), (zoo.TextConfig{Finetune: true, Sparse: true, Width: 64,
		Layers: 1, Heads: 4, FeedForward: 128, Dropout: 0.1}); got != want {
		t.Errorf("QuickText is %+v, want %+v", got, want)
	}
}

var pretrained = nn.BERTConfig{Vocab: 11, Width: 8, Layers: 2, Heads: 2, FeedForward: 12,
	Positions: 6, Types: 2, Eps: 1e-12, Dropout: 0.5, Attention: 0.5}

func newEncoder(t *testing.T, finetune bool) (*zoo.TextEncoder, ag.Device) {
	t.Helper()
	dev := zootest.Open(t, "cpu")
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	return zoo.NewTextEncoder(p, zoo.TextConfig{BERT: "somewhere", Finetune: finetune},
		zoo.Dims{BERT: &pretrained}), dev
}

// input returns sequences of five tokens.
func input(dev ag.Device, ids ...int) *zoo.Input {
	in, n := zootest.Tokens(dev, 5, ids...), len(ids)/5
	in.Audio = ag.NewTensor(dev, make([]float64, n), n, 1, 1)
	return in
}

var sequences = []int{2, 5, 10, 3, 0, 2, 7, 3, 0, 0, 2, 9, 9, 1, 3}

func TestFrozenTextEncoderIsConstant(t *testing.T) {
	text, dev := newEncoder(t, false)
	if len(text.Trainable(text.Params)) != 0 {
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
		t.Error("the other operand has none")
	}
}

// TestFrozenTextEncoderCaches compares features, cached or not, with those of the same encoder
// without dropout.
func TestFrozenTextEncoderCaches(t *testing.T) {
	frozen, dev := newEncoder(t, false)
	tuned, _ := newEncoder(t, true)
	in := input(dev, sequences...)
	segments := []int{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 1}
	in.Segments = segments
	want := tuned.Forward(ag.NewInferenceTape(dev), in).Values()
	tp := ag.NewTape(dev)
	in.Cacheable = true
	for _, first := range []int{2, 0} { // the third alone, then all
		part := input(dev, sequences[5*first:]...)
		part.Cacheable, part.Segments = true, segments[5*first:]
		got := frozen.Forward(tp, part)
		if !slices.Equal(got.Values(), want[5*8*first:]) ||
			!slices.Equal(got.Shape(), []int{3 - first, 5, 8}) {
			t.Errorf("from sequence %d: features differ", first)
		}
	}
	if n := frozen.Cached(); n != 3 {
		t.Errorf("%d sequences are cached, want 3", n)
	}
	frozen.RemoveBERT() // from here on it has the cache alone
	if got := frozen.Forward(tp, in).Values(); !slices.Equal(got, want) {
		t.Error("cached features differ")
	}
}

func TestFrozenTextEncoderCachesOnlyCacheable(t *testing.T) {
	text, dev := newEncoder(t, false)
	in := input(dev, sequences...)
	text.Forward(ag.NewTape(dev), in)
	if text.Cached() != 0 {
		t.Error("inputs that do not come again are cached")
	}
	in.Cacheable = true
	// a sequence of 5 tokens needs 4 bytes for each of its features, and 5 for each token
	for _, x := range [][2]int{{2*(4*5*8+5*5) - 1, 1}, {4*5*8 + 5*5, 2}} {
		text.SetCacheSpace(x[0])
		if text.Forward(ag.NewTape(dev), in); text.Cached() != x[1] {
			t.Errorf("%d sequences cached, there is space for %d", text.Cached(), x[1])
		}
	}
	other := input(dev, sequences...)
	for i := range other.HostMask {
		other.HostMask[i] = 1
	}
	other.Mask = nil // a frozen encoder does not read it
	a, b := text.Forward(ag.NewTape(dev), in).Values(), text.Forward(ag.NewTape(dev),
		other).Values()
	if slices.Equal(a[:5*8], b[:5*8]) {
		t.Error("another mask has the same features")
	}
}

// TestCachedFeaturesAreThoseOfTheSequence changes one id, segment or element of the mask.
func TestCachedFeaturesAreThoseOfTheSequence(t *testing.T) {
	dev, c := zootest.Open(t, "cpu"), pretrained
	c.Vocab = 300
	text := zoo.NewTextEncoder(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))),
		zoo.TextConfig{BERT: "somewhere"}, zoo.Dims{BERT: &c})
	features := func(change func(in *zoo.Input)) []float64 {
		in := input(dev, 2, 5, 10, 3, 0)
		in.Cacheable = true
		change(in)
		return text.Forward(ag.NewTape(dev), in).Values()
	}
	first := features(func(*zoo.Input) {})
	for what, change := range map[string]func(in *zoo.Input){
		"id 130":  func(in *zoo.Input) { in.IDs[0] = 130 },
		"id 258":  func(in *zoo.Input) { in.IDs[0] = 258 },
		"segment": func(in *zoo.Input) { in.Segments[0] = 1 },
		"mask":    func(in *zoo.Input) { in.HostMask[4] = 1 },
	} {
		if slices.Equal(features(change), first) {
			t.Errorf("another %s has the same features", what)
		}
	}
	if text.Cached() != 5 {
		t.Errorf("%d sequences are cached, want 5", text.Cached())
	}
}

// TestCacheKeysAreDistinct has sequences that differ in one id, segment, mask or length.
func TestCacheKeysAreDistinct(t *testing.T) {
	keys := map[string]string{}
	add := func(ids, segments []int, mask []float32) {
		what := fmt.Sprint(ids, segments, mask)
		key := zoo.CacheKey(ids, segments, mask)
		if other, ok := keys[key]; ok {
			t.Errorf("%s has the key of %s", what, other)
		}
		keys[key] = what
	}
	for _, id := range []int{0, 1, 2, 3, 127, 128, 129, 255, 256, 257, 1 << 16, 1<<20 - 1} {
		for segment := range 2 {
			for mask := range 2 {
				add([]int{7, id}, []int{0, segment}, []float32{1, float32(mask)})
			}
		}
	}
	add([]int{7}, []int{0}, []float32{1})
	add([]int{0, 7}, []int{0, 0}, []float32{1, 1})
}

// TestFrozenTextEncoderNeedsFewShapes gives a frozen encoder batches with different numbers of
// sequences that are not cached: its tape needs no new memory for them.
func TestFrozenTextEncoderNeedsFewShapes(t *testing.T) {
	dev := &zootest.CountingDevice{Device: zootest.Open(t, "cpu")}
	text := zoo.NewTextEncoder(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))),
		zoo.TextConfig{BERT: "somewhere"}, zoo.Dims{BERT: &pretrained})
	tp := ag.NewInferenceTape(dev)
	compute := func(n int) {
		in := input(dev, slices.Repeat([]int{2, 7, 9, 3, 0}, n)...)
		tp.Reset()
		text.Compute(make([]float32, n*5*text.Width), in, firstRows(n))
	}
	for _, n := range []int{1, 2, 4, 8} {
		compute(n)
	}
	for n := 1; n < 16; n++ {
		given := dev.Buffers + 2 // mask and audio of the input
		if compute(n); dev.Buffers != given {
			t.Errorf("%d sequences: %d new buffers", n, dev.Buffers-given)
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

// TestSparseTokens trains the token embeddings of a pretrained encoder for two steps. The second
// batch lacks a token of the first: AdamW changes its embedding again only if text.sparse is false.
func TestSparseTokens(t *testing.T) {
	for _, sparse := range []bool{true, false} {
		dev := zootest.Open(t, "cpu64")
		p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
		text := zoo.NewTextEncoder(p,
			zoo.TextConfig{BERT: "somewhere", Finetune: true, Sparse: sparse},
			zoo.Dims{BERT: &pretrained})
		table := p.All()[slices.IndexFunc(p.All(), func(x nn.Param) bool {
			return strings.HasSuffix(x.Name, "word_embeddings.weight")
		})]
		opt := optim.NewAdamW(1e-3, 1e-2, p.All())
		step := func(ids ...int) []float64 {
			tp := ag.NewTape(dev)
			opt.Step(tp.Backward(tp.Sum(text.Forward(tp, input(dev, ids...)))))
			return table.Values()
		}
		width := pretrained.Width
		row := func(table []float64) []float64 { return table[7*width:][:width] }
		first, second := row(step(2, 7, 3, 0, 0)), row(step(2, 9, 3, 0, 0))
		if slices.Equal(first, second) != sparse {
			t.Errorf("sparse %v: token 7 has %.4g, then %.4g", sparse, first, second)
		}
	}
}

// TestGroupsOfTheTextEncoder has a learning rate of its own only for an encoder that is pretrained
// and trained further.
func TestGroupsOfTheTextEncoder(t *testing.T) {
	frozen, dev := newEncoder(t, false)
	tuned, _ := newEncoder(t, true)
	scratch := zoo.NewTextEncoder(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))),
		zoo.QuickText(), zoo.Dims{Vocab: 11, TextT: 5})
	if g := slices.Concat(frozen.Groups(), scratch.Groups()); len(g) != 0 {
		t.Errorf("frozen and from scratch: groups %v", g)
	}
	if g := tuned.Groups(); len(g) != 1 || g[0].Name != "text" ||
		len(g[0].Params) != len(tuned.Params.All()) {
		t.Errorf("groups %v of a pretrained encoder", g)
	}
	if g := frozen.DecayGroups(); len(g) != 0 {
		t.Errorf("frozen: groups with decay %v", g)
	}
	decayed, others := zoo.SplitDecay(tuned.Params.All())
	if g, want := tuned.DecayGroups(), []zoo.Group{{Name: "text", Params: decayed},
		{Name: "text", Params: others, NoDecay: true}}; !reflect.DeepEqual(g, want) {
		t.Errorf("groups %v with and without decay, want %v", g, want)
	}
}

// TestForwardWith changes the hidden states after the first layer: not at all, which gives the
// result of Forward, and by a parameter, which has a gradient through the second layer. The
// parameters of an encoder have gradients unless it is frozen, those of embeddings unless they are.
func TestForwardWith(t *testing.T) {
	c := pretrained
	c.Dropout, c.Attention = 0, 0
	for _, x := range []struct{ finetune, freezeEmbeddings bool }{{true, false}, {true, true},
		{false, false}, {false, true}} {
		dev := zootest.Open(t, "cpu64")
		p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
		text := zoo.NewTextEncoder(p, zoo.TextConfig{BERT: "somewhere", Finetune: x.finetune},
			zoo.Dims{BERT: &c})
		if x.freezeEmbeddings {
			text.FreezeEmbeddings()
		}
		in, tp := input(dev, sequences...), ag.NewTape(dev)
		shift := ag.NewParam(dev, []float64{0, 0, 0, 0, 0, 0, 0, 0}, 8)
		shape := []int{}
		y := text.ForwardWith(tp, in, 1, func(h *ag.Tensor) *ag.Tensor {
			shape = h.Shape()
			return tp.Add(h, shift)
		})
		want := text.Forward(tp, in).Values()
		if !slices.Equal(shape, []int{3, 5, 8}) {
			t.Errorf("%+v: hidden states %v", x, shape)
		}
		for i, v := range y.Values() {
			if d := v - want[i]; d > 1e-6 || d < -1e-6 { // a frozen encoder caches float32
				t.Fatalf("%+v: element %d is %g, Forward gives %g", x, i, v, want[i])
			}
		}
		grads := tp.Backward(tp.Sum(tp.Mul(y, y)))
		if g := grads[shift]; g == nil || g.Dot(g) == 0 {
			t.Errorf("%+v: no gradient of the shift", x)
		}
		trained := text.Trainable(p)
		for _, q := range p.All() {
			embedding := strings.HasPrefix(q.Name, "embeddings.")
			want := x.finetune && !(embedding && x.freezeEmbeddings)
			if got := grads[q.Tensor] != nil; got != want || slices.Contains(trained, q) != want {
				t.Errorf("%+v: %s has a gradient: %t, want %t", x, q.Name, got, want)
			}
		}
		for _, g := range text.Groups() {
			if len(g.Params) != len(trained) {
				t.Errorf("%+v: group %s has %d parameters, want %d", x, g.Name, len(g.Params),
					len(trained))
			}
		}
	}
}

// TestSizesOfTheTextEncoder compares the parameters of an encoder from scratch, with the sizes
// of settings and data, with those of a BERT, and so for a pretrained one.
func TestSizesOfTheTextEncoder(t *testing.T) {
	c := zoo.TextConfig{Finetune: true, Width: 6, Layers: 2, Heads: 3, FeedForward: 7}
	d := zoo.Dims{Vocab: 11, TextT: 5}
	for _, want := range []nn.BERTConfig{{Vocab: 11, Width: 6, Layers: 2, Heads: 3, FeedForward: 7,
		Positions: 5, Types: 2}, pretrained} {
		p, got := nn.PlanParams()
		text := zoo.NewTextEncoder(p, c, d)
		q, plan := nn.PlanParams()
		nn.NewBERT(q, want)
		if !reflect.DeepEqual(got, plan) || text.Width != want.Width {
			t.Errorf("width %d, parameters %v, want %d, %v", text.Width, got, want.Width, plan)
		}
		d.BERT = &pretrained
	}
}

// TestTextEncoderIsBERT compares an encoder from scratch with a BERT of the same initial values,
// which are so small that ε matters, and of the same two dropouts.
func TestTextEncoderIsBERT(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	text := zoo.NewTextEncoder(p, zoo.TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2,
		FeedForward: 4, Dropout: 0.1}, zoo.Dims{Vocab: 11, TextT: 5})
	bert := nn.NewBERT(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))), nn.BERTConfig{Vocab: 11,
		Width: 8, Layers: 1, Heads: 2, FeedForward: 4, Positions: 5, Types: 2, Eps: 1e-12,
		Dropout: 0.1, Attention: 0.1})
	in := input(dev, sequences...)
	for _, tp := range []*ag.Tape{ag.NewInferenceTape(dev), ag.NewTape(dev)} {
		tp.Seed(1)
		want := bert.Forward(tp, in.IDs, in.Segments, in.Mask).Values()
		tp.Seed(1)
		zootest.Close(t, "features", 1e-14, text.Forward(tp, in).Values(), want)
	}
}

// TestEmbeddingsFromScratchAreNotFrozen trains all of an encoder that is not pretrained.
func TestEmbeddingsFromScratchAreNotFrozen(t *testing.T) {
	p := nn.NewParams(zootest.Open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	text := zoo.NewTextEncoder(p, zootest.TinyText(), zootest.TinyDims)
	text.FreezeEmbeddings()
	if n := len(text.Trainable(p)); n != len(p.All()) {
		t.Errorf("%d of %d parameters are trained", n, len(p.All()))
	}
}

// TestTextDropout checks that the encoder has the dropout of its hidden states: that of the
// settings, or the pretrained model's.
func TestTextDropout(t *testing.T) {
	p := nn.NewParams(zootest.Open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	text := zoo.NewTextEncoder(p, zootest.TinyText(), zootest.TinyDims)
	if text.Dropout != 0.1 {
		t.Errorf("dropout %g, want 0.1", text.Dropout)
	}
	c := pretrained
	c.Attention = 0.25
	text = zoo.NewTextEncoder(p.Sub("pretrained"), zootest.TinyText(), zoo.Dims{BERT: &c})
	if text.Dropout != 0.5 {
		t.Errorf("dropout of a pretrained encoder %g, want 0.5", text.Dropout)
	}
}

func TestSplitDecay(t *testing.T) {
	p := nn.NewParams(zootest.Open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	c := pretrained
	c.Layers = 1
	nn.NewBERT(p, c)
	decayed, others := zoo.SplitDecay(p.All())
	names := func(ps []nn.Param) (s []string) {
		for _, x := range ps {
			s = append(s, x.Name)
		}
		return s
	}
	a, b := names(decayed), names(others)
	if len(a)+len(b) != len(p.All()) || len(a) != 3+6 ||
		!slices.Contains(a, "embeddings.word_embeddings.weight") ||
		!slices.Contains(b, "embeddings.LayerNorm.weight") ||
		!slices.Contains(b, "encoder.layer.0.output.dense.bias") {
		t.Errorf("with decay %v, without %v", a, b)
	}
}
