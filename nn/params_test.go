package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

func names(ps []Param) []string {
	var s []string
	for _, p := range ps {
		s = append(s, p.Name)
	}
	return s
}

func TestParamsAreListedInOrderUnderTheirPrefix(t *testing.T) {
	p := NewParams(open(t, "cpu64"), rand.New(rand.NewPCG(1, 2)))
	NewLinear(p.Sub("b"), 2, 3)
	p.New("a", Zeros)
	NewMLP(p.Sub("bc").Sub("d"), 3, 4, 1)
	if got, want := names(p.All()), []string{"b.weight", "b.bias", "a", "bc.d.0.weight",
		"bc.d.0.bias", "bc.d.2.weight", "bc.d.2.bias"}; !slices.Equal(got, want) {
		t.Errorf("All gives %v, want %v", got, want)
	}
	if got, want := names(p.Sub("b").All()), []string{"b.weight", "b.bias"}; !slices.Equal(got,
		want) {
		t.Errorf("All under b gives %v, want %v", got, want)
	}
	if got, want := p.Sub("bc").Count(), 3*4+4+4+1; got != want {
		t.Errorf("Count under bc is %d, want %d", got, want)
	}
	if got := p.Sub("bc").Tensors(); len(got) != 4 || got[0] != p.All()[3].Tensor {
		t.Errorf("Tensors under bc gives %v", got)
	}
}

// TestParamsToLoad compares parameters with those drawn from the same numbers.
func TestParamsToLoad(t *testing.T) {
	dev := open(t, "cpu64")
	source := func() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
	want := NewParams(dev, source()).New("a", Normal(1), 2, 3).Values()
	p := NewParams(dev, source())
	loaded := p.Sub("b").ToLoad().Sub("c")
	zeros := make([]float64, 6)
	if got := loaded.New("w", Normal(1), 2, 3).Values(); !slices.Equal(got, zeros) {
		t.Errorf("a parameter to load begins with %v, want zeros", got)
	}
	if got := loaded.NewBuffer("v", Ones, 6).Values(); !slices.Equal(got, zeros) {
		t.Errorf("a buffer to load begins with %v, want zeros", got)
	}
	if got := p.New("a", Normal(1), 2, 3).Values(); !slices.Equal(got, want) {
		t.Errorf("the next parameter is %v, want %v: nothing was drawn before", got, want)
	}
	loaded.InitMatrices(XavierNormal)
	if got := p.All()[0].Values(); !slices.Equal(got, zeros) {
		t.Errorf("InitMatrices gives a parameter to load %v, want zeros", got)
	}
	if got, want := names(p.State()), []string{"b.c.w", "a", "b.c.v"}; !slices.Equal(got, want) {
		t.Errorf("the state has %v, want %v", got, want)
	}
}

func TestASecondUseOfANamePanics(t *testing.T) {
	p := NewParams(open(t, "cpu64"), rand.New(rand.NewPCG(1, 2)))
	NewLinear(p.Sub("x"), 2, 3)
	mustPanic(t, `nn: New: parameter "x.weight" exists`, func() { NewLinear(p.Sub("x"), 2, 3) })
}

// mustPanic checks that f panics with a text that begins with want.
func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.HasPrefix(got, want) {
			t.Errorf("panic %s, want %s …", got, want)
		}
	}()
	f()
}

// TestInits checks mean, spread and range of 40000 draws, to four standard errors.
func TestInits(t *testing.T) {
	const n = 40000
	for _, c := range []struct {
		name     string
		init     Init
		sd, most float64
	}{
		{"Normal(0.02)", Normal(0.02), 0.02, 0.2},
		{"FanIn(16)", FanIn(16), 0.25 / math.Sqrt(3), 0.25},
		{"Xavier(2, 4)", Xavier(2, 4), 1 / math.Sqrt(3), 1},
		{"XavierNormal(20, 30)", XavierNormal(20, 30), 0.2, 2},
	} {
		p := NewParams(open(t, "cpu64"), rand.New(rand.NewPCG(1, 2)))
		sum, squares, most := 0.0, 0.0, 0.0
		for _, v := range p.New("x", c.init, n).Values() {
			sum, squares, most = sum+v, squares+v*v, max(most, math.Abs(v))
		}
		if mean := sum / n; !(math.Abs(mean) <= 4*c.sd/math.Sqrt(n)) {
			t.Errorf("%s: mean %g", c.name, mean)
		}
		sd := math.Sqrt(squares / n)
		if !(math.Abs(sd/c.sd-1) <= 4/math.Sqrt(2*n)) || most > c.most {
			t.Errorf("%s: standard deviation %g, want %g; largest %g, want at most %g", c.name,
				sd, c.sd, most, c.most)
		}
	}
}

// TestInitMatrices draws the matrices of a layer again, from an init that tells which is which.
func TestInitMatrices(t *testing.T) {
	p := NewParams(open(t, "cpu"), rand.New(rand.NewPCG(1, 2)))
	NewLinear(p.Sub("other"), 4, 5)
	layer := p.Sub("layer")
	NewLSTM(layer, LSTMConfig{In: 2, Hidden: 3, Layers: 1})
	layer.New("kernel", Zeros, 2, 3, 4)
	layer.NewBuffer("table", Zeros, 2, 3)
	before := map[string][]float64{}
	for _, x := range p.State() {
		before[x.Name] = x.Values()
	}
	layer.InitMatrices(func(in, out int) Init {
		return func(rng *rand.Rand) float64 {
			return float64(100*in+out) + 0.5*float64(rng.IntN(2))
		}
	})
	for _, x := range p.State() {
		v := x.Values()
		want, drawn := map[string]float64{"layer.weight_ih_l0": 212,
			"layer.weight_hh_l0": 312}[x.Name]
		if !drawn && !slices.Equal(v, before[x.Name]) {
			t.Errorf("%s was drawn again", x.Name)
		}
		if drawn && (slices.Min(v) != want || slices.Max(v) != want+0.5) {
			t.Errorf("%s is %v, want %g and %g", x.Name, v, want, want+0.5)
		}
	}
	plan, _ := PlanParams()
	NewLinear(plan, 2, 3)
	plan.InitMatrices(XavierNormal) // draws nothing
}

func TestLinearWithoutBias(t *testing.T) {
	dev := open(t, "cpu64")
	l := &Linear{W: ag.NewParam(dev, []float64{1, 2, 3, 4, 5, 6}, 3, 2)}
	y := l.Forward(ag.NewInferenceTape(dev), ag.NewTensor(dev, []float64{1, -1}, 1, 2))
	mustBeClose(t, 0, y.Values(), []float64{-1, -1, -1})
}

func TestEmbedding(t *testing.T) {
	dev := open(t, "cpu64")
	e := NewEmbedding(NewParams(dev, rand.New(rand.NewPCG(1, 2))), Ones, 3, 2)
	e.W.Assign([]float64{1, 2, 3, 4, 5, 6})
	for _, sparse := range []bool{false, true} {
		e.Sparse = sparse
		tp := ag.NewTape(dev)
		y := e.Forward(tp, []int{2, 0, 2})
		mustBeClose(t, 0, y.Values(), []float64{5, 6, 1, 2, 5, 6})
		g := tp.Backward(tp.Sum(y))[e.W]
		mustBeClose(t, 0, g.Values(), []float64{1, 1, 0, 0, 2, 2})
		if got := rowSparse(tp, g); got != sparse {
			t.Errorf("Sparse %t: the gradient is row-sparse: %t", sparse, got)
		}
	}
}

// rowSparse reports whether a gradient is one that operations of the tape refuse.
func rowSparse(tp *ag.Tape, g *ag.Tensor) (sparse bool) {
	defer func() {
		sparse = strings.HasPrefix(fmt.Sprint(recover()), "autograd: Mul: "+
			fmt.Sprint(g)+" is a row-sparse gradient")
	}()
	tp.Mul(g, g)
	return false
}

// TestPlan compares the plan of a model with its shapes, and plans tensors that are too large.
func TestPlan(t *testing.T) {
	p, plan := PlanParams()
	shape := []int{2, 3}
	p.New("b", Ones, shape...)
	shape[0] = 7
	p.Sub("norm").NewBuffer("mean", Zeros, 4)
	p.Sub("norm").New("scale", Zeros)
	want := Plan{Names: []string{"b", "norm.mean", "norm.scale"}, Size: 6 + 4 + 1,
		Shapes: map[string][]int{"b": {2, 3}, "norm.mean": {4}, "norm.scale": nil}}
	if !reflect.DeepEqual(*plan, want) {
		t.Errorf("plan %v, want %v", *plan, want)
	}
	if all, norm := p.Count(), p.Sub("norm").Count(); all != 7 || norm != 1 {
		t.Errorf("%d and %d elements of parameters, want 7 and 1", all, norm)
	}
	p.New("large", Zeros, 1<<31, 1<<31)
	if plan.Size != 1<<62+11 {
		t.Errorf("%d numbers, want 2^62 + 11", plan.Size)
	}
	for name, shape := range map[string][]int{"larger": {1 << 31, 1 << 32},
		"negative": {4, -1, 2}, "limit": {math.MaxInt}} {
		q, plan := PlanParams()
		q.New("small", Zeros, 3)
		q.New(name, Zeros, shape...)
		if got := plan.Count(name); got != math.MaxInt || plan.Size != math.MaxInt {
			t.Errorf("%s: %d elements of %d, want the largest number", name, got, plan.Size)
		}
	}
	p, plan = PlanParams()
	p.New("empty", Zeros, 0, 1<<40)
	if got := plan.Count("empty"); got != 0 || plan.Size != 0 {
		t.Errorf("%d elements of %d, want none", got, plan.Size)
	}
}

// TestBuffers makes a parameter and two buffers, and sees where each is listed, that a buffer
// has no gradient, and that both survive Save and Load.
func TestBuffers(t *testing.T) {
	for _, device := range []string{"cpu", "cpu64"} {
		model := func() (*Params, *ag.Tensor, *ag.Tensor) {
			p := NewParams(open(t, device), rand.New(rand.NewPCG(1, 2)))
			mean := p.Sub("norm").NewBuffer("running_mean", Zeros, 2)
			w := p.Sub("norm").New("weight", Ones, 2)
			p.NewBuffer("steps", Zeros)
			return p, mean, w
		}
		p, mean, w := model()
		if got, want := names(p.All()), []string{"norm.weight"}; !slices.Equal(got, want) {
			t.Errorf("All gives %v, want %v", got, want)
		}
		if got, want := names(p.Buffers()), []string{"norm.running_mean",
			"steps"}; !slices.Equal(got, want) {
			t.Errorf("Buffers gives %v, want %v", got, want)
		}
		if got, want := names(p.Sub("norm").State()), []string{"norm.weight",
			"norm.running_mean"}; !slices.Equal(got, want) {
			t.Errorf("State under norm gives %v, want %v", got, want)
		}
		if p.Count() != 2 || len(p.Tensors()) != 1 {
			t.Errorf("the buffers count as parameters: %d elements", p.Count())
		}
		mustPanic(t, `nn: New: parameter "norm.weight" exists`, func() {
			p.Sub("norm").NewBuffer("weight", Zeros, 2)
		})

		tp := ag.NewTape(p.Device())
		y := tp.Mul(w, tp.Add(mean, w))
		if grads := tp.Backward(tp.Sum(y), y); len(grads) != 1 || grads[w] == nil {
			t.Errorf("%d gradients, want that of the parameter", len(grads))
		}
		mean.AddScaled(0.5, y)
		file := save(t, p.State(), nil)
		loaded, mean2, _ := model()
		if err := Load(file, loaded.State()); err != nil {
			t.Fatal(err)
		}
		mustBeClose(t, 0, mean2.Values(), []float64{0.5, 0.5})
		if err := Load(file, loaded.All()); err == nil {
			t.Error("a file with buffers loads into the parameters alone")
		}
	}
}
