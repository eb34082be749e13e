package zoo

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// The fixtures testdata/*.json are what PyTorch computes for the models: testdata/make_*.py.
// Parameters and inputs are waves there and here.

// goldenDevices are where models are compared with PyTorch, and how near they have to come.
// Fixtures have ten digits.
var goldenDevices = map[string]bounds{"cpu64": {1e-9, 1e-9}, "cpu": {1e-5, 3e-4}}

type bounds struct{ value, gradient float64 }

// A golden is what all fixtures have. Gradients are with their parameters, or in a list of their
// own.
type golden struct {
	Score  []float64
	Terms  map[string]float64
	Params []goldenParam // the k-th is a wave of phase k
	Grads  [][]float64
}

type goldenParam struct {
	name  string
	shape []int
	grad  []float64
}

func (p *goldenParam) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&p.name, &p.shape, &p.grad})
}

// readGolden reads a fixture.
func readGolden(t *testing.T, name string, into any) {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name + ".json")
	if err == nil {
		err = json.Unmarshal(file, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wave returns n numbers.
func wave(phase float64, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(phase+1.7*float64(i)) / 2
	}
	return v
}

// waveOf returns a wave of a shape.
func waveOf(dev ag.Device, phase float64, shape ...int) *ag.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return ag.NewTensor(dev, wave(phase, n), shape...)
}

// assign gives parameters their waves, found by name and shape. Weights of norms are shifted by 1.
func (g *golden) assign(t *testing.T, ps []nn.Param) {
	t.Helper()
	if len(ps) != len(g.Params) {
		t.Errorf("%d parameters, PyTorch has %d", len(ps), len(g.Params))
	}
	for _, x := range ps {
		v := wave(float64(g.find(t, x)), x.Len())
		if strings.Contains(strings.ToLower(x.Name), "norm") && strings.HasSuffix(x.Name, "weight") {
			for i := range v {
				v[i]++
			}
		}
		x.Assign(v)
	}
}

// find returns the place of a parameter among PyTorch's.
func (g *golden) find(t *testing.T, x nn.Param) int {
	t.Helper()
	k := slices.IndexFunc(g.Params, func(p goldenParam) bool { return p.name == x.Name && slices.Equal(p.shape, x.Shape()) })
	if k < 0 {
		t.Fatalf("%s %v is not among PyTorch's parameters", x.Name, x.Shape())
	}
	return k
}

// agrees gives a model its waves, and compares its prediction, the terms of its loss and every
// gradient of the whole.
func (g *golden) agrees(t *testing.T, tol bounds, m Model, p *nn.Params, b *Batch) {
	t.Helper()
	g.assign(t, p.All())
	closeTo(t, "score", tol.value, m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score.Values(), g.Score)
	tp := ag.NewTape(p.Device())
	terms := m.Phases()[0].Terms(tp, b)
	termsAgree(t, "", tol.value, terms, g.Terms)
	g.gradientsAgree(t, tol.gradient, p.All(), tp.Backward(Total(tp, terms)))
}

// termsAgree compares the terms of a loss.
func termsAgree(t *testing.T, at string, tol float64, terms []Term, want map[string]float64) {
	t.Helper()
	if len(terms) != len(want) {
		t.Errorf("%s%d terms, want %d", at, len(terms), len(want))
	}
	for _, term := range terms {
		closeTo(t, at+term.Name, tol, []float64{term.Loss.Item()}, []float64{want[term.Name]})
	}
}

// gradientsAgree compares gradients, each to a tolerance relative to the parameter's largest, and
// reports the worst.
func (g *golden) gradientsAgree(t *testing.T, tol float64, ps []nn.Param, grads ag.Grads) {
	t.Helper()
	largest, name, off := 0.0, "", 0
	for _, x := range ps {
		k := g.find(t, x)
		want := g.Params[k].grad
		if g.Grads != nil {
			want = g.Grads[k]
		}
		err := math.Inf(1) // without a gradient
		if g := grads[x.Tensor]; g != nil {
			_, err = worst(g.Values(), want)
		}
		err /= max(1e-3, slices.Max(want), -slices.Min(want))
		if !(err <= tol) {
			off++
		}
		if math.IsNaN(err) || err > largest {
			largest, name = err, x.Name
		}
	}
	if off > 0 {
		t.Errorf("%d of %d gradients are off: that of %s by %.3g of its largest number, want ≤ %g", off, len(ps), name, largest, tol)
	}
}

// closeTo compares numbers, to a tolerance relative to the largest of want or to 1, and reports
// the worst.
func closeTo(t *testing.T, what string, tol float64, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	if i, err := worst(got, want); !(err <= tol*max(1, slices.Max(want), -slices.Min(want))) {
		t.Errorf("%s: element %d is %.12g, want %.12g ± %g", what, i, got[i], want[i], tol)
	}
}

// worst returns where two lists of numbers differ most, and how much. NaN is the largest
// difference.
func worst(got, want []float64) (at int, err float64) {
	for i := range want {
		if d := math.Abs(got[i] - want[i]); math.IsNaN(d) || d > err {
			at, err = i, d
		}
	}
	return at, err
}

// tokens returns an input without frames: sequences of steps tokens, of which 0 is padding.
func tokens(dev ag.Device, steps int, ids ...int) *Input {
	in := &Input{IDs: ids, Segments: make([]int, len(ids)), HostMask: make([]float32, len(ids))}
	mask := make([]float64, len(ids))
	for i, id := range ids {
		if id > 0 {
			mask[i], in.HostMask[i] = 1, 1
		}
	}
	in.Mask = ag.NewTensor(dev, mask, len(ids)/steps, steps)
	return in
}
