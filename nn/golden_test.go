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
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
)

// The golden cases are PyTorch's results: testdata/make_golden.py. The same cases serve the
// gradient checks.

func open(t testing.TB, name string) ag.Device {
	t.Helper()
	dev, err := ag.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// noise returns the numbers of which parameters and inputs of the golden cases are made.
func noise(dev ag.Device, number int, shape ...int) *ag.Tensor {
	return ag.NewParam(dev, agtest.Noise(number, product(shape)), shape...)
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

type layerFunc func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor

var goldenCases = []struct {
	name string
	make func(p *Params, dev ag.Device) (forward layerFunc, x []*ag.Tensor)
}{
	{"layer_norm", func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		l := NewLayerNorm(p.Sub("norm"), 5)
		return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			return l.Forward(tp, x[0])
		}, []*ag.Tensor{noise(dev, 100, 3, 5)}
	}},
	{"rms_norm", func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		l := NewRMSNorm(p.Sub("norm"), 5)
		return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			return l.Forward(tp, x[0])
		}, []*ag.Tensor{noise(dev, 100, 3, 5)}
	}},
	{"mlp", func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		m := NewMLP(p, 4, 5, 2)
		return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			return m.Forward(tp, x[0])
		}, []*ag.Tensor{noise(dev, 100, 2, 3, 4)}
	}},
	{"multi_head", func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		m := NewMultiHead(p, MultiHeadConfig{Width: 6, Heads: 2, HeadWidth: 4, Bias: true})
		mask := ag.NewTensor(dev, []float64{1, 1, 0, 1, 1, 1, 1, 0}, 2, 4)
		return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
				return m.Forward(tp, x[0], x[1], x[2], mask)
			},
			[]*ag.Tensor{noise(dev, 100, 2, 3, 6), noise(dev, 200, 2, 4, 6),
				noise(dev, 300, 2, 4, 6)}
	}},
	{"transformer", func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		m := NewTransformer(p, tinyTransformer)
		return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			return m.Forward(tp, x[0])
		}, []*ag.Tensor{noise(dev, 100, 2, 5, 6)}
	}},
	{"bert", func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		m := NewBERT(p, tinyBERT)
		ids, segments, mask := bertTokens(dev)
		return func(tp *ag.Tape, _ []*ag.Tensor) *ag.Tensor {
			return m.Forward(tp, ids, segments, mask)
		}, nil
	}},
	{"bert_injected", func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		m := NewBERT(p, tinyBERT)
		ids, segments, mask := bertTokens(dev)
		return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			h := m.Encode(tp, m.Embed(tp, ids, segments, mask), mask, 0, 1)
			return m.Encode(tp, tp.Add(h, x[0]), mask, 1, m.Layers())
		}, []*ag.Tensor{noise(dev, 100, 2, 5, 8)}
	}},
	{"positions", func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		l, x := NewSinusoidalPositions(p, 9, 7), noise(dev, 100, 2, 4, 7).Values()
		clear(x[2*7 : 3*7])
		for i := range 7 {
			x[4*7+i] = math.Copysign(0, -1)
		}
		x[5*7] = 0            // padding, though the others are not 0
		clear(x[6*7+1 : 7*7]) // not padding
		return func(tp *ag.Tape, y []*ag.Tensor) *ag.Tensor {
			return tp.Add(y[0], l.Forward(tp, ag.NewTensor(dev, x, 2, 4, 7)))
		}, []*ag.Tensor{noise(dev, 200, 2, 4, 7)}
	}},
	{"conv1d", convCase(3, 2, true)},
	{"conv1d_no_padding", convCase(2, 0, false)},
	{"conv1d_kernel_1", convCase(1, 0, true)},
}

// bertTokens returns two sequences of four and three tokens.
func bertTokens(dev ag.Device) (ids, segments []int, mask *ag.Tensor) {
	return []int{2, 5, 10, 3, 0, 2, 7, 3, 0, 0}, []int{0, 0, 1, 1, 0, 0, 1, 1, 0, 0},
		ag.NewTensor(dev, []float64{1, 1, 1, 1, 0, 1, 1, 1, 0, 0}, 2, 5)
}

// convCase is a convolution of width 3 to width 4 on sequences of five steps.
func convCase(
	kernel, padding int, bias bool,
) func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
	return func(p *Params, dev ag.Device) (layerFunc, []*ag.Tensor) {
		l := NewConv1d(p, Conv1dConfig{In: 3, Out: 4, Kernel: kernel, Padding: padding, Bias: bias})
		return func(tp *ag.Tape, x []*ag.Tensor) *ag.Tensor {
			return l.Forward(tp, x[0])
		}, []*ag.Tensor{noise(dev, 100, 2, 5, 3)}
	}
}

var (
	tinyTransformer = TransformerConfig{Width: 6, Heads: 2, HeadWidth: 4, FeedForward: 7, Depth: 2}
	tinyBERT        = BERTConfig{Vocab: 11, Width: 8, Layers: 2, Heads: 2, FeedForward: 12,
		Positions: 6, Types: 2, Eps: 1e-12}
)

// A goldenParam is a name and a shape; its place in the list is the number of its noise.
type goldenParam struct {
	name  string
	shape []int
}

func (g *goldenParam) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&g.name, &g.shape})
}

type golden struct {
	Params []goldenParam
	Y      []float64
}

func readGolden(t *testing.T) map[string]golden {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	cases := map[string]golden{}
	if err == nil {
		err = json.Unmarshal(b, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// setNoise gives parameters the values of the golden case, by name, and checks names and shapes.
func setNoise(t *testing.T, ps []Param, want []goldenParam) {
	t.Helper()
	if len(ps) != len(want) {
		t.Errorf("%d parameters, want %d", len(ps), len(want))
	}
	for _, p := range ps {
		k := slices.IndexFunc(want, func(g goldenParam) bool { return g.name == p.Name })
		if k < 0 || !slices.Equal(p.Shape(), want[k].shape) {
			t.Fatalf("parameter %s %v is not among PyTorch's %v", p.Name, p.Shape(), want)
		}
		v := noise(p.Device(), k, p.Shape()...).Values()
		if strings.Contains(strings.ToLower(p.Name), "norm") &&
			strings.HasSuffix(p.Name, "weight") {
			for i := range v {
				v[i]++
			}
		}
		p.Assign(v)
	}
}

func TestLayersAgreeWithPyTorch(t *testing.T) {
	cases := readGolden(t)
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		tol := map[int]float64{64: 1e-13, 32: 1e-5}[dev.Bits()]
		for _, c := range goldenCases {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				p := NewParams(dev, rand.New(rand.NewPCG(1, 1)))
				forward, x := c.make(p, dev)
				setNoise(t, p.All(), cases[c.name].Params)
				got := forward(ag.NewInferenceTape(dev), x).Values()
				mustBeClose(t, tol, got, cases[c.name].Y)
			})
		}
	}
}

func TestLayersHaveTheRightGradients(t *testing.T) {
	dev := open(t, "cpu64")
	for _, c := range goldenCases {
		t.Run(c.name, func(t *testing.T) {
			p := NewParams(dev, rand.New(rand.NewPCG(1, 1)))
			forward, x := c.make(p, dev)
			agtest.CheckGrad(t, 1e-5, gradcheck.Func(forward), append(x, p.Tensors()...)...)
		})
	}
}

func mustBeClose(t *testing.T, tol float64, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*max(1, math.Abs(want[i]))) {
			t.Fatalf("element %d is %.17g, want %.17g", i, got[i], want[i])
		}
	}
}
