package zootest

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// The fixtures testdata/*.json of a model's package contain what PyTorch computes for the model;
// the scripts testdata/make_*.py write them. Parameters and inputs are [agtest.Noise] in
// both places.

// GoldenDevices lists the devices on which a model is compared with PyTorch, with their
// tolerances. Fixtures have ten digits.
var GoldenDevices = map[string]Tolerance{"cpu64": {1e-9, 1e-9}, "cpu": {1e-5, 3e-4}}

// A Tolerance bounds the error of values, relative to the largest or to 1, and of gradients,
// relative to the largest of each parameter.
type Tolerance struct{ Value, Gradient float64 }

// A Golden holds what all fixtures have. Gradients are with their parameters, or in a list of
// their own.
type Golden struct {
	Score  []float64
	Terms  map[string]float64
	Params []goldenParam // the k-th is noise of number k
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

// ReadGolden reads the fixture testdata/NAME.json.
func ReadGolden(t *testing.T, name string, into any) {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name + ".json")
	if err == nil {
		err = json.Unmarshal(file, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// NoiseTensor returns a tensor of the numbers of [agtest.Noise].
func NoiseTensor(dev ag.Device, number int, shape ...int) *ag.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return ag.NewTensor(dev, agtest.Noise(number, n), shape...)
}

// Assign sets parameters to their noise, found by name and shape. Weights of norms are shifted by
// 1.
func (g *Golden) Assign(t *testing.T, ps []nn.Param) {
	t.Helper()
	if len(ps) != len(g.Params) {
		t.Errorf("%d parameters, PyTorch has %d", len(ps), len(g.Params))
	}
	for _, x := range ps {
		v := agtest.Noise(g.find(t, x), x.Len())
		if strings.Contains(strings.ToLower(x.Name), "norm") &&
			strings.HasSuffix(x.Name, "weight") {
			for i := range v {
				v[i]++
			}
		}
		x.Assign(v)
	}
}

// find returns the position of a parameter among PyTorch's.
func (g *Golden) find(t *testing.T, x nn.Param) int {
	t.Helper()
	k := slices.IndexFunc(g.Params, func(p goldenParam) bool {
		return p.name == x.Name && slices.Equal(p.shape, x.Shape())
	})
	if k < 0 {
		t.Fatalf("%s %v is not among PyTorch's parameters", x.Name, x.Shape())
	}
	return k
}

// Agrees sets the model's parameters to their noise, and compares its prediction, the terms of its
// first pass's loss, and all gradients of the loss.
func (g *Golden) Agrees(t *testing.T, tol Tolerance, m zoo.Model, p *nn.Params, b *zoo.Batch) {
	t.Helper()
	g.Assign(t, p.All())
	Close(t, "score", tol.Value,
		m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score.Values(), g.Score)
	tp := ag.NewTape(p.Device())
	terms, _ := m.Phases()[0].Passes[0].Terms(tp, b)
	TermsAgree(t, "", tol.Value, terms, g.Terms)
	g.GradientsAgree(t, tol.Gradient, p.All(), tp.Backward(zoo.Total(tp, terms)))
}

// TermsAgree compares the terms of a loss. Messages begin with at.
func TermsAgree(t *testing.T, at string, tol float64, terms []zoo.Term, want map[string]float64) {
	t.Helper()
	if len(terms) != len(want) {
		t.Errorf("%s%d terms, want %d", at, len(terms), len(want))
	}
	for _, term := range terms {
		Close(t, at+term.Name, tol, []float64{term.Loss.Item()}, []float64{want[term.Name]})
	}
}

// GradientsAgree compares gradients, each to a tolerance relative to the parameter's largest, and
// reports the one with the largest error.
func (g *Golden) GradientsAgree(t *testing.T, tol float64, ps []nn.Param, grads ag.Grads) {
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
		t.Errorf("%d of %d gradients are off: that of %s by %.3g of its largest element, want ≤ %g",
			off, len(ps), name, largest, tol)
	}
}

// Close compares numbers, to a tolerance relative to the largest of want or to 1, and reports the
// one with the largest error.
func Close(t *testing.T, what string, tol float64, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	if i, err := worst(got, want); !(err <= tol*max(1, slices.Max(want), -slices.Min(want))) {
		t.Errorf("%s: element %d is %.12g, want %.12g ± %g", what, i, got[i], want[i], tol)
	}
}

// worst returns the position and size of the largest difference. NaN is larger than any number.
func worst(got, want []float64) (at int, err float64) {
	for i := range want {
		if d := math.Abs(got[i] - want[i]); math.IsNaN(d) || d > err {
			at, err = i, d
		}
	}
	return at, err
}

// Tokens returns an input without frames: sequences of steps token ids, of which 0 is padding.
func Tokens(dev ag.Device, steps int, ids ...int) *zoo.Input {
	in := &zoo.Input{IDs: ids, Segments: make([]int, len(ids)),
		HostMask: make([]float32, len(ids))}
	mask := make([]float64, len(ids))
	for i, id := range ids {
		if id > 0 {
			mask[i], in.HostMask[i] = 1, 1
		}
	}
	in.Mask = ag.NewTensor(dev, mask, len(ids)/steps, steps)
	return in
}

// Sentences returns an input of [TinyDims] without frames, with as many tokens in each sentence as
// lengths says: what golden.py's tokens makes.
func Sentences(dev ag.Device, lengths ...int) *zoo.Input {
	d := &TinyDims
	var ids []int
	for i, n := range lengths {
		for t := range n {
			ids = append(ids, 1+(7*i+3*t)%(d.Vocab-1))
		}
		ids = append(ids, make([]int, d.TextT-n)...)
	}
	return Tokens(dev, d.TextT, ids...)
}
