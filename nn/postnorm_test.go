package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
)

var tinyPostNorm = PostNormConfig{Width: 6, Heads: 2, FeedForward: 7}

// newPostNorm returns a layer whose norms and biases are not 1 and 0.
func newPostNorm(dev ag.Device, c PostNormConfig) (*PostNormLayer, *Params) {
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	l := NewPostNormLayer(p, c)
	for i, q := range p.All() {
		v, w := q.Values(), noise(dev, i, q.Shape()...).Values()
		for k := range v {
			v[k] += w[k]
		}
		q.Assign(v)
	}
	return l, p
}

func TestPostNormLayerEqualsItsFormula(t *testing.T) {
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		l, p := newPostNorm(dev, tinyPostNorm)
		x := noise(dev, 100, 2, 4, 6)
		got := l.Forward(ag.NewTape(dev), x).Values()
		mustBeClose(t, map[int]float64{64: 1e-13, 32: 1e-5}[dev.Bits()], got,
			naivePostNorm(p, x.Values(), 2, 4, 6, 2))
	}
}

// naivePostNorm computes the layer in loops, for x [b steps d].
func naivePostNorm(p *Params, x []float64, b, steps, d, heads int) []float64 {
	value := map[string][]float64{}
	for _, q := range p.All() {
		value[q.Name] = q.Values()
	}
	linear := func(name string, x []float64) []float64 {
		w, y := value[name+".weight"], slices.Clone(value[name+".bias"])
		for i := range y {
			for j, v := range x {
				y[i] += w[i*len(x)+j] * v
			}
		}
		return y
	}
	norm := func(name string, x, add []float64) []float64 {
		y, mean, variance := make([]float64, d), 0.0, 0.0
		for i := range y {
			y[i] = x[i] + add[i]
			mean += y[i] / float64(d)
		}
		for _, v := range y {
			variance += (v - mean) * (v - mean) / float64(d)
		}
		for i := range y {
			y[i] = value[name+".weight"][i]*(y[i]-mean)/math.Sqrt(variance+1e-5) + value[name+
				".bias"][i]
		}
		return y
	}
	var z []float64
	for s := range b {
		row := func(t int) []float64 { return x[(s*steps+t)*d:][:d] }
		for t := range steps {
			all, w := make([]float64, d), d/heads
			q := linear("attention.query", row(t))
			for h := range heads {
				weight, sum := make([]float64, steps), 0.0
				for u := range steps {
					k, score := linear("attention.key", row(u)), 0.0
					for i := h * w; i < (h+1)*w; i++ {
						score += q[i] * k[i] / math.Sqrt(float64(w))
					}
					weight[u] = math.Exp(score)
					sum += weight[u]
				}
				for u := range steps {
					v := linear("attention.value", row(u))
					for i := h * w; i < (h+1)*w; i++ {
						all[i] += weight[u] / sum * v[i]
					}
				}
			}
			y := norm("attention_norm", row(t), linear("attention.output", all))
			hidden := linear("feed_forward.in", y)
			for i, v := range hidden {
				hidden[i] = max(v, 0)
			}
			z = append(z, norm("norm", y, linear("feed_forward.out", hidden))...)
		}
	}
	return z
}

func TestPostNormLayerHasTheRightGradients(t *testing.T) {
	dev := open(t, "cpu64")
	for _, dropout := range []float64{0, 0.2} {
		c := tinyPostNorm
		c.Dropout = dropout
		l, p := newPostNorm(dev, c)
		agtest.CheckGrad(t, 1e-6, func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			return l.Forward(tp, x[0])
		},
			append([]*ag.Tensor{noise(dev, 100, 2, 4, 6)}, p.Tensors()...)...)
	}
}

// constant makes a linear map whose result is b whatever comes in.
func constant(l *Linear, b float64) {
	bias := make([]float64, l.B.Len())
	for i := range bias {
		bias[i] = b
	}
	l.W.Assign(make([]float64, l.W.Len()))
	l.B.Assign(bias)
}

// TestPostNormLayerDropout checks for dropout on a recording tape and not in inference, at each of
// three places alone: there is nothing to drop at the others.
func TestPostNormLayerDropout(t *testing.T) {
	dev := open(t, "cpu64")
	x := noise(dev, 100, 2, 4, 6)
	for place, isolate := range map[string]func(l *PostNormLayer){
		"the attention weights": func(l *PostNormLayer) { l.dropout = 0 },
		"the attention's result": func(l *PostNormLayer) {
			l.attention.Dropout = 0
			constant(l.out, 0)
		},
		"the FFN's result": func(l *PostNormLayer) {
			constant(l.attention.Output, 0)
			constant(l.out, 1)
		},
	} {
		run := func(tp *ag.Tape, dropout float64) []float64 {
			c := tinyPostNorm
			c.Dropout = dropout
			l, _ := newPostNorm(dev, c)
			isolate(l)
			return l.Forward(tp, x).Values()
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

// TestPostNormLayerHiddenDropout has one hidden unit. Where it is dropped nothing is added
// to any of a position's 12 features, which the dropout of the result alone leaves so once in
// 4096.
func TestPostNormLayerHiddenDropout(t *testing.T) {
	dev := open(t, "cpu64")
	run := func(weight float64) []float64 {
		l, _ := newPostNorm(dev, PostNormConfig{Width: 12, Heads: 2, FeedForward: 1, Dropout: 0.5})
		constant(l.attention.Output, 0)
		constant(l.in, 1)
		constant(l.out, 0)
		w := make([]float64, 12)
		for i := range w {
			w[i] = weight
		}
		l.out.W.Assign(w)
		return l.Forward(ag.NewTape(dev), noise(dev, 100, 2, 16, 12)).Values()
	}
	with, without, same := run(1), run(0), 0
	for i := 0; i < len(with); i += 12 {
		if slices.Equal(with[i:i+12], without[i:i+12]) {
			same++
		}
	}
	if same < 8 || same > 24 {
		t.Errorf("the hidden unit is dropped at %d of 32 positions, want about half", same)
	}
}

// TestPostNormLayerInit checks that weights fill the range they are drawn from, and the
// numbers of a layer of MISA.
func TestPostNormLayerInit(t *testing.T) {
	p := NewParams(open(t, "cpu64"), rand.New(rand.NewPCG(1, 2)))
	NewPostNormLayer(p, PostNormConfig{Width: 128, Heads: 2, FeedForward: 2048})
	if n := p.Count(); n != 593024 {
		t.Errorf("%d numbers, want 4·(128·128 + 128) + 2·128·2048 + 2048 + 128 + 4·128 = 593024",
			n)
	}
	packed, in, out := math.Sqrt(6./(4*128)), 1/math.Sqrt(128), 1/math.Sqrt(2048)
	bound := map[string]float64{
		"attention.query.weight": packed, "attention.key.weight": packed,
		"attention.value.weight": packed, "attention.output.weight": in,
		"feed_forward.in.weight": in, "feed_forward.in.bias": in, "feed_forward.out.weight": out,
		"feed_forward.out.bias": out,
	}
	for _, q := range p.All() {
		v := q.Values()
		lo, hi, ones := slices.Min(v), slices.Max(v), 0.0
		if q.Name == "attention_norm.weight" || q.Name == "norm.weight" {
			ones = 1
		}
		if b := bound[q.Name]; lo < ones-b || hi > ones+b || b > 0 && (lo > -0.9*b || hi < 0.9*b) {
			t.Errorf("%s lies in [%g, %g], want it to fill %g ± %g", q.Name, lo, hi, ones, b)
		}
	}
}
