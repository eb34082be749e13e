package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
)

// newCrossmodal returns an encoder of width 6 whose norms and biases are not 1 and 0.
func newCrossmodal(
	dev ag.Device, positions bool, change func(*CrossmodalConfig),
) (*CrossmodalTransformer, *Params) {
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	c := CrossmodalConfig{Width: 6, Heads: 2, Layers: 2}
	if positions {
		c.Positions = NewSinusoidalPositions(p, 9, 6)
	}
	change(&c)
	m := NewCrossmodalTransformer(p, c)
	for i, q := range p.All() {
		v := noise(dev, i, q.Shape()...).Values()
		for j, at := range q.Values() {
			v[j] += at
		}
		q.Assign(v)
	}
	return m, p
}

func unchanged(*CrossmodalConfig) {}

// sequence returns noise [2 steps 6] whose second sequence begins with a step of padding, and one
// whose first element alone is 0.
func sequence(dev ag.Device, seed, steps int) *ag.Tensor {
	v := noise(dev, seed, 2, steps, 6).Values()
	clear(v[steps*6:][:6])
	if steps > 1 {
		v[(steps+1)*6] = 0
	}
	return ag.NewTensor(dev, v, 2, steps, 6)
}

// naive computes the encoder in loops, for x and source [steps][6] of one sample.
func (t *CrossmodalTransformer) naive(x, source [][]float64) [][]float64 {
	x, self := t.naiveEmbed(x), source == nil
	source = t.naiveEmbed(source)
	for _, l := range t.layers {
		if self {
			source = x
		}
		next := make([][]float64, len(x))
		reach := len(source) - len(x)
		if reach < 0 {
			reach = -reach
		}
		for i := range x {
			next[i] = slices.Clone(x[i])
			l.naive(next[i], source[:min(i+reach+1, len(source))])
		}
		x = next
	}
	for i := range x {
		x[i] = t.norm.naive(x[i])
	}
	return x
}

// naiveEmbed returns √6·x + PE(x).
func (t *CrossmodalTransformer) naiveEmbed(x [][]float64) [][]float64 {
	y := make([][]float64, len(x))
	for i, row := range x {
		y[i] = make([]float64, 6)
		for j, v := range row {
			y[i][j] = math.Sqrt(6) * v
			if frequency := math.Pow(10000, -float64(j%3)/2); t.config.Positions != nil &&
				row[0] != 0 {
				angle := float64(i+1)*frequency + math.Pi/2*float64(j/3)
				y[i][j] += math.Sin(angle)
			}
		}
	}
	return y
}

// naive replaces one step x by the layer's result, for keys and values at the steps ys.
func (l *crossmodalLayer) naive(x []float64, ys [][]float64) {
	a, normed := l.attention, l.attentionNorm.naive
	q, o := affine(a.Query, normed(x)), make([]float64, 6)
	for h := range 2 {
		sum := 0.0
		for _, y := range ys {
			k, v, score := affine(a.Key, normed(y)), affine(a.Value, normed(y)), 0.0
			for j := 3 * h; j < 3*h+3; j++ {
				score += q[j] * k[j] / math.Sqrt(3)
			}
			sum += math.Exp(score)
			for j := 3 * h; j < 3*h+3; j++ {
				o[j] += math.Exp(score) * v[j]
			}
		}
		for j := 3 * h; j < 3*h+3; j++ {
			o[j] /= sum
		}
	}
	for j, v := range affine(a.Output, o) {
		x[j] += v
	}
	hidden := affine(l.in, l.norm.naive(x))
	for j, v := range hidden {
		hidden[j] = max(v, 0)
	}
	for j, v := range affine(l.out, hidden) {
		x[j] += v
	}
}

// TestCrossmodalTransformerEqualsItsFormula compares with loops: for x alone, and for sources that
// are longer, shorter by little and by much, or as long, with and without positions.
func TestCrossmodalTransformerEqualsItsFormula(t *testing.T) {
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		tol := map[int]float64{64: 1e-12, 32: 1e-4}[dev.Bits()]
		for _, positions := range []bool{true, false} {
			m, _ := newCrossmodal(dev, positions, unchanged)
			for _, steps := range [][2]int{{5, 0}, {1, 0}, {4, 6}, {5, 3}, {9, 2}, {4, 4}, {3, 1}} {
				x, source := sequence(dev, 50, steps[0]), (*ag.Tensor)(nil)
				if steps[1] > 0 {
					source = sequence(dev, 60, steps[1])
				}
				var want []float64
				for b := range 2 {
					var s [][]float64
					if source != nil {
						s = rows(source, 6)[b*steps[1]:][:steps[1]]
					}
					y := m.naive(rows(x, 6)[b*steps[0]:][:steps[0]], s)
					want = append(want, slices.Concat(y...)...)
				}
				mustBeClose(t, tol, m.Forward(ag.NewTape(dev), x, source).Values(), want)
			}
		}
	}
}

// TestCrossmodalTransformerParameters checks names, shapes and the bounds of initial values.
func TestCrossmodalTransformerParameters(t *testing.T) {
	const d = 32
	p := NewParams(open(t, "cpu64"), rand.New(rand.NewPCG(1, 2)))
	NewCrossmodalTransformer(p, CrossmodalConfig{Width: d, Heads: 2, Layers: 2})
	packed, square, ffn := math.Sqrt(6./(4*d)), math.Sqrt(6./(2*d)), math.Sqrt(6./(5*d))
	type want struct {
		name   string
		shape  []int
		lo, hi float64
	}
	var all []want
	for _, layer := range []string{"layers.0.", "layers.1."} {
		for _, x := range []struct {
			name    string
			in, out int
			bound   float64
		}{{"attention.query", d, d, packed}, {"attention.key", d, d, packed},
			{"attention.value", d, d, packed}, {"attention.output", d, d, square},
			{"attention_norm", 0, d, 0}, {"feed_forward.in", d, 4 * d, ffn},
			{"feed_forward.out", 4 * d, d, ffn}, {"norm", 0, d, 0}} {
			weight := want{layer + x.name + ".weight", []int{x.out, x.in}, -x.bound, x.bound}
			if x.in == 0 {
				weight = want{layer + x.name + ".weight", []int{x.out}, 1, 1}
			}
			all = append(all, weight, want{layer + x.name + ".bias", []int{x.out}, 0, 0})
		}
	}
	all = append(all, want{"norm.weight", []int{d}, 1, 1}, want{"norm.bias", []int{d}, 0, 0})
	if n := len(p.All()); n != len(all) {
		t.Fatalf("%d parameters, want %d", n, len(all))
	}
	for i, x := range p.All() {
		if want := all[i]; x.Name != want.name || !slices.Equal(x.Shape(), want.shape) {
			t.Errorf("parameter %d is %s %v, want %s %v", i, x.Name, x.Shape(), want.name,
				want.shape)
		} else {
			mustFill(t, x.Name, x.Values(), want.lo, want.hi)
		}
	}
}

// TestCrossmodalTransformerGradients has every kind of dropout.
func TestCrossmodalTransformerGradients(t *testing.T) {
	dev := open(t, "cpu64")
	m, p := newCrossmodal(dev, true, func(c *CrossmodalConfig) {
		c.AttentionDropout, c.ReLUDropout, c.ResidualDropout, c.EmbedDropout = 0.3, 0.2, 0.1, 0.2
	})
	x, source := noise(dev, 50, 2, 4, 6), noise(dev, 60, 2, 5, 6)
	for _, s := range []*ag.Tensor{nil, source} {
		agtest.CheckDirection(t, 1e-7, p.Tensors(), func(tp *ag.Tape) *ag.Tensor {
			y := m.Forward(tp, x, s)
			return tp.Sum(tp.Mul(y, noise(dev, 3, y.Shape()...)))
		})
	}
	m, p = newCrossmodal(dev, true, unchanged)
	agtest.CheckGrad(t, 1e-5, func(tp *ag.Tape, in []*ag.Tensor) *ag.Tensor {
		return m.Forward(tp, in[0], in[1])
	}, append([]*ag.Tensor{x, source}, p.Tensors()...)...)
}

// TestCrossmodalTransformerDropouts checks that each probability drops something in training,
// nothing in inference, and that keys and values have masks of their own.
func TestCrossmodalTransformerDropouts(t *testing.T) {
	dev := open(t, "cpu64")
	x, source := noise(dev, 50, 2, 4, 6), noise(dev, 60, 2, 5, 6)
	plain, _ := newCrossmodal(dev, false, unchanged)
	want := plain.Forward(ag.NewTape(dev), x, source).Values()
	for name, change := range map[string]func(*CrossmodalConfig){
		"attention": func(c *CrossmodalConfig) { c.AttentionDropout = 0.5 },
		"relu":      func(c *CrossmodalConfig) { c.ReLUDropout = 0.5 },
		"residual":  func(c *CrossmodalConfig) { c.ResidualDropout = 0.5 },
		"embed":     func(c *CrossmodalConfig) { c.EmbedDropout = 0.5 },
	} {
		m, _ := newCrossmodal(dev, false, change)
		inferred := m.Forward(ag.NewInferenceTape(dev), x, source).Values()
		if !slices.Equal(inferred, want) {
			t.Errorf("%s: inference drops", name)
		}
		if got := m.Forward(ag.NewTape(dev), x, source).Values(); slices.Equal(got, want) {
			t.Errorf("%s: training drops nothing", name)
		}
	}
	// the masks of k and v are drawn first, then that of x
	m, _ := newCrossmodal(dev, false, func(c *CrossmodalConfig) {
		c.Layers, c.EmbedDropout = 0, 0.5
	})
	tp := ag.NewTape(dev)
	tp.Seed(1)
	got := m.Forward(tp, x, source)
	tp.Seed(1)
	var third *ag.Tensor
	for range 3 {
		third = tp.Dropout(tp.Scale(x, math.Sqrt(6)), 0.5)
	}
	mustBeClose(t, 0, got.Values(), m.norm.Forward(tp, third).Values())
}

func TestCrossmodalTransformerRefusesWhatDoesNotFit(t *testing.T) {
	dev := open(t, "cpu64")
	m, _ := newCrossmodal(dev, true, unchanged)
	tp := ag.NewTape(dev)
	mustPanic(t, "nn: SinusoidalPositions: x [2 3 8]: want [B T 6] with at most 9 steps", func() {
		m.Forward(tp, noise(dev, 1, 2, 3, 6), noise(dev, 1, 2, 3, 8))
	})
	mustPanic(t, "autograd: Attention: ", func() {
		m.Forward(tp, noise(dev, 1, 2, 3, 6), noise(dev, 1, 1, 3, 6))
	})
}
