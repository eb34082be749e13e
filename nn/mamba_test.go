package nn

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// mambaCases are those of testdata/make_mamba.py. A layer maps the inputs to outputs.
var mambaCases = map[string]struct {
	steps, inputs int
	make          func(p *Params) func(tp *ag.Tape, x []*ag.Tensor) []*ag.Tensor
}{
	"mixer_uni_n16_t7":  {7, 1, oneMamba(MambaConfig{Width: 20, Expand: 2, State: 16})},
	"mixer_bi_n16_t7":   {7, 1, oneMamba(bidirectional(20, 2, 16))},
	"mixer_bi_short_t2": {2, 1, oneMamba(bidirectional(20, 2, 16))},
	"mixer_pair_n12_t5": {5, 2, func(p *Params) func(*ag.Tape, []*ag.Tensor) []*ag.Tensor {
		l := NewPairMamba(p, bidirectional(20, 4, 12))
		return func(tp *ag.Tape, x []*ag.Tensor) []*ag.Tensor {
			a, b := l.Forward(tp, x[0], x[1])
			return []*ag.Tensor{a, b}
		}
	}},
}

func bidirectional(width, expand, state int) MambaConfig {
	return MambaConfig{Width: width, Expand: expand, State: state, Bidirectional: true}
}

func oneMamba(c MambaConfig) func(p *Params) func(*ag.Tape, []*ag.Tensor) []*ag.Tensor {
	return func(p *Params) func(*ag.Tape, []*ag.Tensor) []*ag.Tensor {
		l := NewMamba(p, c)
		return func(tp *ag.Tape, x []*ag.Tensor) []*ag.Tensor {
			return []*ag.Tensor{l.Forward(tp, x[0])}
		}
	}
}

type mambaGolden struct {
	Params []goldenParam
	Y      []float64
	X      [][]float64
	Grads  [][2]float64 // of a parameter: Σ noise·gradient and Σ gradient²
}

// TestMambaAgreesWithPyTorch compares outputs and the gradients of inputs and parameters.
func TestMambaAgreesWithPyTorch(t *testing.T) {
	cases := map[string]mambaGolden{}
	file, err := os.ReadFile("testdata/mamba.json")
	if err == nil {
		err = json.Unmarshal(file, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []string{"cpu64", "cpu"} {
		for name := range mambaCases {
			t.Run(device+"/"+name, func(t *testing.T) {
				compareMamba(t, open(t, device), name, cases[name])
			})
		}
	}
}

func compareMamba(t *testing.T, dev ag.Device, name string, want mambaGolden) {
	forward, gradient := 1e-6, 1e-5
	if dev.Bits() == 64 {
		forward, gradient = 1e-14, 1e-13
	}
	c, p := mambaCases[name], NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	layer := c.make(p)
	setNoise(t, p.All(), want.Params)
	var x []*ag.Tensor
	for i := range c.inputs {
		x = append(x, noise(dev, 100*(1+i), 2, c.steps, 20))
	}
	tp := ag.NewTape(dev)
	y := tp.Concat(0, layer(tp, x)...)
	g := tp.Backward(tp.Sum(tp.Mul(noise(dev, 900, y.Shape()...), y)), y)
	mustBeClose(t, forward, y.Values(), want.Y)
	for i := range x {
		mustBeClose(t, gradient, g[x[i]].Values(), want.X[i])
	}
	for _, q := range p.All() {
		k := slices.IndexFunc(want.Params, func(g goldenParam) bool { return g.name == q.Name })
		var got [2]float64
		weights := noise(dev, 500+k, q.Shape()...).Values()
		for i, v := range g[q.Tensor].Values() {
			got[0] += weights[i] * v
			got[1] += v * v
		}
		for i := range got {
			if math.Abs(got[i]-want.Grads[k][i]) > 10*gradient*max(1, math.Abs(want.Grads[k][i])) {
				t.Errorf("%s: gradient %v, want %v", q.Name, got, want.Grads[k])
			}
		}
	}
}

// TestMambaParameters checks the numbers of parameters of published models.
func TestMambaParameters(t *testing.T) {
	for want, c := range map[int]MambaConfig{
		134656:  bidirectional(128, 2, 16),
		257024:  bidirectional(128, 4, 12),
		269312:  bidirectional(128, 4, 16),
		1042944: bidirectional(384, 2, 16),
		// half of the first, but both projections
		134656 - 18176: {Width: 128, Expand: 2, State: 16},
	} {
		p, plan := PlanParams()
		NewMamba(p, c)
		if plan.Size != want || p.Count() != want {
			t.Errorf("%+v: %d parameters, counted %d, want %d", c, plan.Size, p.Count(), want)
		}
	}
	p, plan := PlanParams()
	NewPairMamba(p, bidirectional(128, 4, 12))
	if want := 2*257024 - 2*512*12; plan.Size != want {
		t.Errorf("pair: %d parameters, want %d: two layers, of which one has no A_log", plan.Size,
			want)
	}
}

// TestMambaStarts checks the intervals from which initial values are drawn, for a layer alone and
// for one of four blocks.
func TestMambaStarts(t *testing.T) {
	const inner, rank, states = 64, 2, 3
	sqrt := math.Sqrt
	for blocks, backward := range map[int]float64{0: 1 / sqrt(rank), 4: 0} {
		c := bidirectional(32, 2, states)
		c.Blocks = blocks
		p := NewParams(open(t, "cpu64"), rand.New(rand.NewPCG(1, 2)))
		NewMamba(p, c)
		bounds := map[string]float64{"in_proj.weight": 1 / sqrt(32), "conv1d.weight": 0.5,
			"conv1d.bias": 0.5, "x_proj.weight": 1 / sqrt(inner), "dt_proj.weight": 1 / sqrt(rank),
			"dt_proj_b.bias":  backward,
			"out_proj.weight": 1 / sqrt(inner) / sqrt(float64(max(1, blocks)))}
		for _, q := range p.All() {
			name := strings.Replace(q.Name, "_b.weight", ".weight", 1)
			name = strings.Replace(name, "conv1d_b", "conv1d", 1)
			if bound, ok := bounds[name]; ok {
				mustFill(t, q.Name, q.Values(), -bound, bound)
				continue
			}
			switch q.Name {
			case "D", "D_b":
				mustFill(t, q.Name, q.Values(), 1, 1)
			case "A_log", "A_b_log":
				mustBeClose(t, 1e-15, q.Values()[states:2*states],
					[]float64{0, math.Log(2), math.Log(3)})
			case "dt_proj.bias":
				v := q.Values()
				for i, b := range v {
					v[i] = math.Log(math.Log1p(math.Exp(b)))
				}
				mustFill(t, q.Name, v, math.Log(0.001), math.Log(0.1))
			default:
				t.Errorf("parameter %s is not known", q.Name)
			}
		}
	}
}

// TestRankOfMamba has a sixteenth of the width, rounded up.
func TestRankOfMamba(t *testing.T) {
	for width, want := range map[int]int{1: 1, 16: 1, 17: 2, 32: 2, 33: 3} {
		p, plan := PlanParams()
		NewMamba(p, MambaConfig{Width: width, Expand: 2, State: 3})
		shape := plan.Shapes["dt_proj.weight"]
		if !slices.Equal(shape, []int{2 * width, want}) {
			t.Errorf("width %d: dt_proj.weight %v, want rank %d", width, shape, want)
		}
	}
}

// TestStepBias compares with the definition: softplus of the bias is 0.001·100^u for a uniform u.
func TestStepBias(t *testing.T) {
	r, same := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
	for range 10 {
		got := math.Log1p(math.Exp(stepBias(r)))
		want := math.Exp(math.Log(0.001) + same.Float64()*math.Log(100))
		mustBeClose(t, 1e-12, []float64{got}, []float64{want})
	}
}

// mustFill checks that numbers lie in [lo, hi] and reach into a tenth of it at either end, and that
// their mean is near its middle.
func mustFill(t *testing.T, name string, v []float64, lo, hi float64) {
	t.Helper()
	mean := 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	const rounding = 1e-12
	first, last, width := slices.Min(v), slices.Max(v), hi-lo
	if first < lo-rounding || last > hi+rounding || first > lo+0.1*width ||
		last < hi-0.1*width || math.Abs(mean-(lo+hi)/2) > 0.15*width+rounding {
		t.Errorf("%s lies in [%g, %g] with mean %g, want it to fill [%g, %g]", name, first, last,
			mean, lo, hi)
	}
}

func TestPairMambaRefusesWrongInputs(t *testing.T) {
	dev := open(t, "cpu64")
	p := NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	mustPanic(t, "nn: PairMamba: want Bidirectional", func() {
		NewPairMamba(p.Sub("one"), MambaConfig{Width: 4, Expand: 2, State: 2})
	})
	l := NewPairMamba(p, bidirectional(4, 2, 2))
	mustPanic(t, "nn: PairMamba: x [2 4 4], y [2 5 4]: want equal shapes", func() {
		l.Forward(ag.NewTape(dev), noise(dev, 1, 2, 4, 4), noise(dev, 2, 2, 5, 4))
	})
}

// TestMambaBlock compares with a mixer, norm and sum of its own parameters. The mixer's outputs are
// small at the start, so that ε matters.
func TestMambaBlock(t *testing.T) {
	dev := open(t, "cpu64")
	p := NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	b := NewMambaBlock(p, MambaConfig{Width: 6, Expand: 2, State: 3})
	want := NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	mixer, norm := NewMamba(want.Sub("mamba"), bidirectional(6, 2, 3)), want.Sub("norm")
	gamma, beta := norm.New("weight", Ones, 6), norm.New("bias", Zeros, 6)
	for i, x := range p.All() {
		if y := want.All()[i]; y.Name != x.Name || !slices.Equal(y.Values(), x.Values()) {
			t.Errorf("parameter %d is %s, want %s with its initial values", i, x.Name, y.Name)
		}
	}
	tp := ag.NewTape(dev)
	x := tp.Input([]float32{1, -2, 3, 0.5, 0, 1, 2, 1, -1, 0, 0.25, 3}, 1, 2, 6)
	y := b.Forward(tp, x).Values()
	for i, v := range tp.Add(x, tp.LayerNorm(mixer.Forward(tp, x), gamma, beta, 1e-6)).Values() {
		if math.Abs(y[i]-v) > 1e-14 {
			t.Errorf("element %d is %.15g, want %.15g", i, y[i], v)
		}
	}
}
