package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
)

// TestHeadIsTheBeginningOfForward compares values and all gradients with those of a slice of the
// whole.
func TestHeadIsTheBeginningOfForward(t *testing.T) {
	dev := open(t, "cpu64")
	for _, depth := range []int{1, 2} {
		c := tinyTransformer
		c.Depth = depth
		p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
		m := NewTransformer(p, c)
		for _, s := range [][2]int{{5, 3}, {5, 1}, {5, 5}, {8, 7}, {8, 1}} { // steps, of the head
			x, u := noise(dev, 1, 2, s[0], 6), noise(dev, 2, 2, s[1], 6)
			run := func(f func(tp *ag.Tape) *ag.Tensor) (*ag.Tensor, ag.Grads) {
				tp := ag.NewTape(dev)
				y := f(tp)
				return y, tp.Backward(tp.Sum(tp.Mul(y, u)), y)
			}
			y, g := run(func(tp *ag.Tape) *ag.Tensor { return m.Head(tp, x, s[1]) })
			wantY, wantG := run(func(tp *ag.Tape) *ag.Tensor {
				return tp.Slice(m.Forward(tp, x), 1, 0, s[1])
			})
			mustBeClose(t, 1e-14, y.Values(), wantY.Values())
			for _, q := range append(p.All(), Param{"x", x}) {
				if g[q.Tensor] == nil {
					t.Fatalf("%s has no gradient", q.Name)
				}
				mustBeClose(t, 1e-13, g[q.Tensor].Values(), wantG[q.Tensor].Values())
			}
		}
	}
}

func TestTransformerRefusesWrongShapes(t *testing.T) {
	dev := open(t, "cpu64")
	m := NewTransformer(NewParams(dev, rand.New(rand.NewPCG(1, 2))), tinyTransformer)
	tp := ag.NewInferenceTape(dev)
	for _, n := range []int{-1, 0, 6} {
		mustPanic(t, fmt.Sprintf("nn: Transformer: the first %d positions of [2 5 6]: want", n),
			func() { m.Head(tp, noise(dev, 1, 2, 5, 6), n) })
	}
	mustPanic(t, "nn: Transformer: the first 1 positions of [5 6]: want x [B T d]", func() {
		m.Head(tp, noise(dev, 1, 5, 6), 1)
	})
	for _, s := range [][2][]int{{{2, 3, 6}, {1, 5, 6}}, {{2, 3, 6}, {2, 5, 8}},
		{{2, 3, 6}, {2, 6}}, {{2, 6}, {2, 3, 6}}} {
		mustPanic(t, fmt.Sprintf("nn: Transformer: x %v attends to a source %v", s[0], s[1]),
			func() { m.Cross(tp, noise(dev, 1, s[0]...), noise(dev, 1, s[1]...)) })
	}
	for _, heads := range []int{3, 0, -1} {
		c := tinyBERT
		c.Heads = heads
		mustPanic(t, fmt.Sprintf("nn: BERT: width 8 does not divide into %d heads", heads), func() {
			NewBERT(NewParams(dev, rand.New(rand.NewPCG(1, 2))), c)
		})
	}
}

// perturbed returns a Transformer whose norms scale and shift too, and its parameters.
func perturbed(dev ag.Device, depth int) (*Transformer, *Params) {
	c := tinyTransformer
	c.Depth = depth
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	m := NewTransformer(p, c)
	for i, q := range p.All() {
		v := noise(dev, i, q.Shape()...).Values()
		for j, at := range q.Values() {
			v[j] += at
		}
		q.Assign(v)
	}
	return m, p
}

// TestCrossAttendsToTheSource compares with loops over positions, for few positions of x and for
// many.
func TestCrossAttendsToTheSource(t *testing.T) {
	dev := open(t, "cpu64")
	m, _ := perturbed(dev, 2)
	for _, n := range []int{1, 4, 9} {
		x, source := noise(dev, 3, 2, n, 6), noise(dev, 5, 2, 4, 6)
		var want []float64
		for b := range 2 {
			xs, ys := rows(x, 6)[b*n:][:n], rows(source, 6)[b*4:][:4]
			for i := range m.layers {
				for _, x := range xs {
					m.layers[i].naive(x, ys)
				}
			}
			want = append(want, slices.Concat(xs...)...)
		}
		mustBeClose(t, 1e-13, m.Cross(ag.NewInferenceTape(dev), x, source).Values(), want)
	}
}

func TestCrossHasTheRightGradients(t *testing.T) {
	dev := open(t, "cpu64")
	m, p := perturbed(dev, 2)
	for _, n := range []int{1, 9} {
		x, source := noise(dev, 3, 2, n, 6), noise(dev, 5, 2, 4, 6)
		agtest.CheckGrad(t, 1e-5, func(tp *ag.Tape, in []*ag.Tensor) *ag.Tensor {
			return m.Cross(tp, in[0], in[1])
		},
			append([]*ag.Tensor{x, source}, p.Tensors()...)...)
	}
}

// naive makes of one position x what the layer makes of it, for keys and values at the positions
// ys.
func (l *transformerLayer) naive(x []float64, ys [][]float64) {
	a := l.attention
	scale := &LayerNorm{Gamma: l.scaleK, Eps: l.normQ.Eps}
	q, width := affine(a.Query, l.normQ.naive(x)), a.Query.W.Shape()[0]/a.Heads
	var found []float64
	for h := range a.Heads {
		sum, o := 0.0, make([]float64, width)
		for _, y := range ys {
			k, v, score := affine(a.Key, scale.naive(y)), affine(a.Value, l.normV.naive(y)), 0.0
			for i := range width {
				score += q[h*width+i] * k[h*width+i] / math.Sqrt(float64(width))
			}
			sum += math.Exp(score)
			for i := range width {
				o[i] += math.Exp(score) * v[h*width+i]
			}
		}
		for i := range o {
			found = append(found, o[i]/sum)
		}
	}
	add := func(y []float64) {
		for i := range x {
			x[i] += y[i]
		}
	}
	add(affine(a.Output, found))
	hidden := affine(l.feedForward.in, l.norm.naive(x))
	for i, v := range hidden {
		hidden[i] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
	}
	add(affine(l.feedForward.out, hidden))
}

// naive normalises one row; a norm without Beta does not shift.
func (l *LayerNorm) naive(x []float64) []float64 {
	mean, variance, y := 0.0, 0.0, make([]float64, len(x))
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	for i, v := range x {
		y[i] = l.Gamma.Values()[i] * (v - mean) / math.Sqrt(variance+l.Eps)
		if l.Beta != nil {
			y[i] += l.Beta.Values()[i]
		}
	}
	return y
}

// affine is a linear map of one row.
func affine(l *Linear, x []float64) []float64 {
	var y []float64
	for i, w := range rows(l.W, len(x)) {
		sum := 0.0
		if l.B != nil {
			sum = l.B.Values()[i]
		}
		for j := range x {
			sum += w[j] * x[j]
		}
		y = append(y, sum)
	}
	return y
}

// rows returns the numbers of x in rows of n.
func rows(x *ag.Tensor, n int) [][]float64 { return slices.Collect(slices.Chunk(x.Values(), n)) }

// TestCrossOfOneLayerIsForward takes x for its own source.
func TestCrossOfOneLayerIsForward(t *testing.T) {
	dev := open(t, "cpu64")
	m, _ := perturbed(dev, 1)
	x, tp := noise(dev, 1, 2, 5, 6), ag.NewInferenceTape(dev)
	mustBeClose(t, 1e-14, m.Cross(tp, x, x).Values(), m.Forward(tp, x).Values())
}

// TestStreamHasEachLayersOutput compares with Transformers of less depth.
func TestStreamHasEachLayersOutput(t *testing.T) {
	dev := open(t, "cpu64")
	m, _ := perturbed(dev, 2)
	x, tp := noise(dev, 1, 2, 8, 6), ag.NewInferenceTape(dev)
	stream := m.Stream(tp, x)
	if len(stream) != 3 || stream[0] != x {
		t.Fatalf("%d states of two layers; want x and one of each layer", len(stream))
	}
	first := &Transformer{m.layers[:1]}
	mustBeClose(t, 0, stream[1].Values(), first.Forward(tp, x).Values())
	mustBeClose(t, 0, stream[2].Values(), m.Forward(tp, x).Values())
}

func TestStreamHasTheRightGradients(t *testing.T) {
	dev := open(t, "cpu64")
	m, p := perturbed(dev, 2)
	x := noise(dev, 1, 2, 5, 6)
	agtest.CheckGrad(t, 1e-5, func(tp *ag.Tape, in []*ag.Tensor) *ag.Tensor {
		return tp.Stack(0, m.Stream(tp, in[0])...)
	},
		append([]*ag.Tensor{x}, p.Tensors()...)...)
}

// tinyTokens is a batch of two sequences of four tokens, the second one padded.
func tinyTokens(dev ag.Device) (ids, segments []int, mask *ag.Tensor) {
	return []int{2, 5, 7, 3, 2, 9, 3, 0}, make([]int, 8), ag.NewTensor(dev,
		[]float64{1, 1, 1, 1, 1, 1, 1, 0}, 2, 4)
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
		return tp.Sum(tp.Mul(y, noise(dev, 3, y.Shape()...)))
	})
	// each place alone: there is nothing to drop at the others
	for place, isolate := range map[string]func(b *BERT, l *bertLayer){
		"the attention weights": func(b *BERT, l *bertLayer) { b.dropout = 0 },
		"the embeddings": func(b *BERT, l *bertLayer) {
			constant(l.attention.Output, 0)
			constant(l.feedForward.out, 0)
		},
		"the attention's result": func(b *BERT, l *bertLayer) {
			constantNorm(b.norm, 0)
			constant(l.attention.Output, 1)
			constant(l.feedForward.out, 0)
		},
		"the FFN's result": func(b *BERT, l *bertLayer) {
			constantNorm(b.norm, 0)
			constant(l.attention.Output, 0)
			constant(l.feedForward.out, 1)
		},
	} {
		run := func(tp *ag.Tape, dropout float64) []float64 {
			c := tinyBERT
			c.Layers, c.Dropout, c.Attention = 1, dropout, dropout
			b := NewBERT(NewParams(dev, rand.New(rand.NewPCG(1, 2))), c)
			isolate(b, &b.layers[0])
			return b.Forward(tp, ids, segments, mask).Values()
		}
		plain := run(ag.NewTape(dev), 0)
		if slices.Equal(run(ag.NewTape(dev), 0.5), plain) {
			t.Errorf("%s: nothing is dropped in training", place)
		}
		if !slices.Equal(run(ag.NewInferenceTape(dev), 0.5), plain) {
			t.Errorf("%s: dropped in inference", place)
		}
	}
}

// constantNorm makes a norm whose result is b whatever comes in.
func constantNorm(l *LayerNorm, b float64) {
	l.Gamma.Assign(make([]float64, l.Gamma.Len()))
	l.Beta.Assign(slices.Repeat([]float64{b}, l.Beta.Len()))
}

// TestSparseTokensOfBERT checks which table has a row-sparse gradient.
func TestSparseTokensOfBERT(t *testing.T) {
	dev := open(t, "cpu64")
	for _, sparse := range []bool{true, false} {
		c := tinyBERT
		c.SparseTokens = sparse
		b := NewBERT(NewParams(dev, rand.New(rand.NewPCG(1, 2))), c)
		ids, segments, mask := tinyTokens(dev)
		tp := ag.NewTape(dev)
		g := tp.Backward(tp.Sum(b.Forward(tp, ids, segments, mask)))
		for i, table := range []*Embedding{b.tokens, b.positions, b.types} {
			if got, want := rowSparse(tp, g[table.W]), sparse && i == 0; got != want {
				t.Errorf("SparseTokens %t: table %d has a row-sparse gradient: %t, want %t", sparse,
					i, got, want)
			}
		}
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
	limit := noise(dev, 1, 1, 6)
	if y := b.Forward(tp, make([]int, 6), make([]int, 6), limit); y.Shape()[1] != 6 {
		t.Errorf("as many tokens as there are positions give %v", y.Shape())
	}
	mustPanic(t, "nn: BERT: sequences of 7 tokens: there are 6 positions", func() {
		b.Forward(tp, make([]int, 7), make([]int, 7), noise(dev, 1, 1, 7))
	})
}

// TestBERTRefusesOtherSizes embeds ids, segments or a mask that an addition would stretch.
func TestBERTRefusesOtherSizes(t *testing.T) {
	dev := open(t, "cpu64")
	b := NewBERT(NewParams(dev, rand.New(rand.NewPCG(1, 2))), tinyBERT)
	ids, segments, mask := tinyTokens(dev)
	tp := ag.NewInferenceTape(dev)
	mustPanic(t, "nn: BERT: 1 ids, 8 segments, mask [2 4]: want", func() {
		b.Embed(tp, ids[:1], segments, mask)
	})
	mustPanic(t, "nn: BERT: 8 ids, 1 segments, mask [2 4]: want", func() {
		b.Embed(tp, ids, segments[:1], mask)
	})
	mustPanic(t, "nn: BERT: 8 ids, 8 segments, mask [2 4 1]: want", func() {
		b.Embed(tp, ids, segments, tp.Reshape(mask, 2, 4, 1))
	})
}

func TestBERTRefusesLayersThatDoNotExist(t *testing.T) {
	dev := open(t, "cpu64")
	b := NewBERT(NewParams(dev, rand.New(rand.NewPCG(1, 2))), tinyBERT)
	x, mask := noise(dev, 1, 2, 5, 8), ag.NewTensor(dev, make([]float64, 10), 2, 5)
	for _, r := range [][2]int{{-1, 1}, {1, 3}, {2, 1}} {
		mustPanic(t, fmt.Sprintf("nn: BERT: layers %d to %d of 2", r[0], r[1]), func() {
			b.Encode(ag.NewTape(dev), x, mask, r[0], r[1])
		})
	}
	if b.Encode(ag.NewTape(dev), x, mask, 1, 1) != x {
		t.Error("no layers change the hidden states")
	}
}
