package optim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/nn"
)

func open(t *testing.T, name string) ag.Device {
	t.Helper()
	dev, err := ag.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// wave returns the numbers of which parameters and gradients of the golden cases are made.
func wave(dev ag.Device, phase, n int) *ag.Tensor {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(float64(phase) + 1.7*float64(i))
	}
	return ag.NewParam(dev, v, n)
}

func parameters(dev ag.Device) []nn.Param {
	return []nn.Param{{Name: "a", Tensor: wave(dev, 1, 3)}, {Name: "b", Tensor: wave(dev, 2, 4)}}
}

// gradients returns those of a step; b has none in steps 2 and 3.
func gradients(ps []nn.Param, step int) ag.Grads {
	dev := ps[0].Device()
	g := ag.Grads{ps[0].Tensor: wave(dev, 10+step, 3)}
	if step != 2 && step != 3 {
		g[ps[1].Tensor] = wave(dev, 20+step, 4)
	}
	return g
}

type optimizer interface {
	Step(ag.Grads)
	State() []nn.Param
}

// The cases by their names in testdata/golden.json, PyTorch's results.
var cases = []struct {
	name  string
	make  func(ps []nn.Param) optimizer
	clip  float64
	value float64
}{
	{name: "sgd", make: func(ps []nn.Param) optimizer { return NewSGD(0.1, 0, ps) }},
	{name: "momentum", make: func(ps []nn.Param) optimizer { return NewSGD(0.1, 0.9, ps) }},
	{name: "adam", make: func(ps []nn.Param) optimizer { return NewAdam(0.1, 0.2, ps) }},
	{name: "adamw", make: func(ps []nn.Param) optimizer { return NewAdamW(0.1, 0.2, ps) }},
	{name: "groups", make: func(ps []nn.Param) optimizer {
		o := NewAdamW(0.1, 0.2, ps[:1])
		o.AddGroup(Group{Params: ps[1:], LR: 0.05})
		return o
	}},
	{name: "clipped", make: func(ps []nn.Param) optimizer {
		return NewSGD(0.1, 0, ps)
	}, clip: 1.3},
	{name: "value", make: func(ps []nn.Param) optimizer { return NewSGD(0.1, 0, ps) }, value: 0.6},
}

// A goldenStep holds the parameters after a step, and the norm of the gradients before clipping.
type goldenStep struct {
	A, B []float64
	Norm float64
}

func readGolden(t *testing.T) map[string][]goldenStep {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	all := map[string][]goldenStep{}
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStepsAgreeWithPyTorch(t *testing.T) {
	all := readGolden(t)
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		tol := map[int]float64{64: 1e-14, 32: 1e-6}[dev.Bits()]
		for _, c := range cases {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				ps := parameters(dev)
				opt := c.make(ps)
				if len(all[c.name]) != 6 {
					t.Fatalf("golden.json has %d steps", len(all[c.name]))
				}
				for i, want := range all[c.name] {
					grads := gradients(ps, i)
					if c.clip > 0 {
						norm := ClipNorm(ag.NewTape(dev), grads, ps, c.clip)
						mustBeClose(t, tol, norm.Values(), []float64{want.Norm})
					}
					if c.value > 0 {
						ClipValue(ag.NewTape(dev), grads, ps, c.value)
					}
					opt.Step(grads)
					mustBeClose(t, tol, ps[0].Values(), want.A)
					mustBeClose(t, tol, ps[1].Values(), want.B)
				}
			})
		}
	}
}

// TestBatchesAccumulate makes each step from the sum of three batches' gradients, clipped by value
// after each, as PyTorch's "accumulated".
func TestBatchesAccumulate(t *testing.T) {
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		tol := map[int]float64{64: 1e-14, 32: 1e-6}[dev.Bits()]
		ps := parameters(dev)
		opt := NewAdam(0.1, 0, ps)
		tp := ag.NewTape(dev)
		for step, want := range readGolden(t)["accumulated"] {
			tp.Reset()
			grads := ag.Grads{}
			for batch := range 3 {
				loss := tp.Sum(tp.Mul(wave(dev, 10+step+30*batch, 3), ps[0].Tensor))
				if step != 2 && step != 3 {
					loss = tp.Add(loss,
						tp.Sum(tp.Mul(wave(dev, 20+step+30*batch, 4), ps[1].Tensor)))
				}
				tp.Accumulate(grads, loss)
				ClipValue(tp, grads, ps, 0.6)
			}
			opt.Step(grads)
			mustBeClose(t, tol, ps[0].Values(), want.A)
			mustBeClose(t, tol, ps[1].Values(), want.B)
		}
	}
}

// TestResume saves in the middle, continues in a new optimizer, and must arrive at the same bits.
func TestResume(t *testing.T) {
	dev := open(t, "cpu")
	for _, c := range cases {
		ps := parameters(dev)
		opt := c.make(ps)
		again := parameters(dev)
		resumed := c.make(again)
		for i := range 6 {
			if i == 4 { // a has made four steps, b two
				transfer(t, append(opt.State(), ps...), append(resumed.State(), again...))
				resumed.State() // must not undo the loading
			}
			opt.Step(gradients(ps, i))
			if i >= 4 {
				resumed.Step(gradients(again, i))
			}
		}
		for i := range ps {
			mustBeClose(t, 0, again[i].Values(), ps[i].Values())
		}
	}
}

// transfer saves parameters and state, loads them into others, and returns the file.
func transfer(t *testing.T, from, to []nn.Param) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := errors.Join(nn.Save(&file, from, nil), nn.Load(file.Bytes(), to)); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestStateIsCurrent checks the step counts of two parameters, one of which was skipped twice.
func TestStateIsCurrent(t *testing.T) {
	ps := parameters(open(t, "cpu"))
	opt := NewAdamW(0.1, 0, ps)
	for i := range 5 {
		for range 2 { // asking twice changes nothing
			if s := opt.State()[2]; s.Name != "adam.a.step" || s.Item() != float64(i) {
				t.Fatalf("%s is %g after %d steps", s.Name, s.Item(), i)
			}
		}
		opt.Step(gradients(ps, i))
	}
	if s := opt.State()[5]; s.Name != "adam.b.step" || s.Item() != 3 {
		t.Errorf("%s is %g, want 3", s.Name, s.Item())
	}
}

// TestNamesOfState has the names and shapes by which checkpoints hold the state.
func TestNamesOfState(t *testing.T) {
	dev := open(t, "cpu")
	ps := []nn.Param{{Name: "w", Tensor: waves(dev, 1, 2, 3)},
		{Name: "b", Tensor: waves(dev, 2, 4)}}
	sgd := "sgd.w.momentum_buffer [2 3] sgd.b.momentum_buffer [4] "
	adam := "adam.w.exp_avg [2 3] adam.w.exp_avg_sq [2 3] adam.w.step [] "
	b := "adam.b.exp_avg [4] adam.b.exp_avg_sq [4] adam.b.step [] "
	for _, c := range []struct {
		o    optimizer
		want string
	}{{NewSGD(0.1, 0, ps), ""}, {NewSGD(0.1, 0.9, ps), sgd}, {NewSGD(0.1, 1, ps), sgd},
		{NewAdam(0.1, 0, ps), adam + b}, {NewAdamW(0.1, 0, ps), adam + b},
		{NewCompactAdam(0.1, 0, ps), "adam.w.exp_avg_bf16 [2 2] adam.w.exp_avg_sq_row [2] " +
			"adam.w.exp_avg_sq_col [3] adam.w.step [] " + b}} {
		got := ""
		for _, s := range c.o.State() {
			got += fmt.Sprint(s.Name, " ", s.Shape(), " ")
		}
		if got != c.want {
			t.Errorf("%T: state %q, want %q", c.o, got, c.want)
		}
	}
}

// TestSetLR sets the learning rate of both groups to 0, at which a step changes nothing, then that
// of one of them.
func TestSetLR(t *testing.T) {
	ps := parameters(open(t, "cpu64"))
	opt := NewAdamW(0.1, 0.2, ps[:1])
	opt.AddGroup(Group{Params: ps[1:], LR: 0.05})
	if len(opt.Groups) != 2 {
		t.Fatalf("%d groups, want 2", len(opt.Groups))
	}
	for _, set := range []struct {
		f     func()
		moved [2]bool
	}{
		{func() {}, [2]bool{true, true}}, {func() { opt.SetLR(0) }, [2]bool{false, false}},
		{func() { opt.Groups[1].LR = 0.1 }, [2]bool{false, true}},
		{func() { opt.SetLR(0.1) }, [2]bool{true, true}},
	} {
		set.f()
		before := [][]float64{ps[0].Values(), ps[1].Values()}
		opt.Step(gradients(ps, 0))
		for i, p := range ps {
			if moved := !slices.Equal(p.Values(), before[i]); moved != set.moved[i] {
				t.Errorf("learning rates %g and %g: %s moved: %t", opt.Groups[0].LR,
					opt.Groups[1].LR, p.Name, moved)
			}
		}
	}
}

// TestAParameterIsInOneGroup adds one again, or twice at once.
func TestAParameterIsInOneGroup(t *testing.T) {
	ps := parameters(open(t, "cpu"))
	for i := range ps {
		for name, f := range map[string]func(){
			"again": func() { NewAdam(0.1, 0, ps).AddGroup(Group{Params: ps[i : i+1]}) },
			"twice": func() { NewAdam(0.1, 0, append(ps, ps[i])) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("adding parameter %d %s does not panic", i, name)
					}
				}()
				f()
			}()
		}
	}
}

// TestClipNormScalesSharedGradientsOnce gives two parameters one gradient tensor, as Backward may.
func TestClipNormScalesSharedGradientsOnce(t *testing.T) {
	dev := open(t, "cpu64")
	ps := []nn.Param{{Name: "a", Tensor: wave(dev, 1, 3)}, {Name: "b", Tensor: wave(dev, 2, 3)}}
	g := ag.NewTensor(dev, []float64{3, 0, 4}, 3)
	grads := ag.Grads{ps[0].Tensor: g, ps[1].Tensor: g}
	if norm := ClipNorm(ag.NewTape(dev),
		grads, ps, 0.99*math.Sqrt(50)).Item(); norm != math.Sqrt(50) {
		t.Errorf("norm %g, want √50", norm)
	}
	for _, p := range ps {
		mustBeClose(t, 1e-6, grads[p.Tensor].Values(), []float64{2.97, 0, 3.96})
	}
}

// TestClipNormKeepsSmallGradients compares bits of gradients within the limit, at it, and of none
// at all.
func TestClipNormKeepsSmallGradients(t *testing.T) {
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		ps := parameters(dev)
		tp := ag.NewTape(dev)
		all := tp.Norm(ps[0].Tensor, ps[1].Tensor).Item()
		for _, limit := range []float64{all + 2e-6, 1e6} {
			grads := ag.Grads{ps[0].Tensor: ps[0].Tensor, ps[1].Tensor: ps[1].Tensor}
			ClipNorm(tp, grads, ps, limit)
			for _, p := range ps {
				mustBeClose(t, 0, grads[p.Tensor].Values(), p.Values())
			}
		}
		if norm := ClipNorm(tp, ag.Grads{}, ps, 1).Item(); norm != 0 {
			t.Errorf("%s: the norm of no gradients is %g", name, norm)
		}
	}
}

// TestClipNormOfSmallGradients has gradients of norm 0.05: a limit of 0.5 leaves them as they are,
// one of 0.01 scales them to it.
func TestClipNormOfSmallGradients(t *testing.T) {
	dev := open(t, "cpu64")
	ps := parameters(dev)[:1]
	for limit, want := range map[float64][]float64{0.5: {0.03, 0, -0.04},
		0.01: {0.006, 0, -0.008}} {
		grads := ag.Grads{ps[0].Tensor: ag.NewTensor(dev, []float64{0.03, 0, -0.04}, 3)}
		ClipNorm(ag.NewTape(dev), grads, ps, limit)
		mustBeClose(t, 1e-6, grads[ps[0].Tensor].Values(), want)
	}
}

// TestParametersWithoutGradient leaves out the gradient of the first, a middle or the last of three
// parameters: it stays as it is, and the others are clipped and move.
func TestParametersWithoutGradient(t *testing.T) {
	dev := open(t, "cpu64")
	for _, c := range cases {
		if c.name == "groups" {
			continue // of two parameters
		}
		for without := range 3 {
			ps := append(parameters(dev), nn.Param{Name: "c", Tensor: wave(dev, 3, 2)})
			opt := c.make(ps)
			grads := ag.Grads{}
			var before [][]float64
			for i, p := range ps {
				before = append(before, p.Values())
				if i != without {
					grads[p.Tensor] = wave(dev, 10+i, p.Len())
				}
			}
			tp := ag.NewTape(dev)
			ClipNorm(tp, grads, ps, 0.5)
			norm := 0.0
			for _, g := range grads {
				norm += g.Dot(g)
			}
			ClipValue(tp, grads, ps, 0.1)
			opt.Step(grads)
			for i, p := range ps {
				if moved := !slices.Equal(p.Values(), before[i]); moved == (i == without) {
					t.Errorf("%s: %s, whose gradient is absent: %t, moved: %t", c.name, p.Name,
						i == without, moved)
				}
				for _, v := range values(grads[p.Tensor]) {
					if math.Abs(v) > 0.1 {
						t.Errorf("%s: the gradient of %s has %g, want at most 0.1", c.name,
							p.Name, v)
					}
				}
			}
			if math.Abs(norm-0.25) > 1e-5 {
				t.Errorf("%s: the clipped gradients have norm² %g, want 0.25", c.name, norm)
			}
		}
	}
}

// values returns the elements of x, none if x is nil.
func values(x *ag.Tensor) []float64 {
	if x == nil {
		return nil
	}
	return x.Values()
}

// A counter is a device that counts the buffers it hands out.
type counter struct {
	ag.Device
	allocs int
}

func (c *counter) Alloc(n int) device.Buffer {
	c.allocs++
	return c.Device.Alloc(n)
}

func TestStepsAllocateNoData(t *testing.T) {
	for _, c := range cases {
		dev := &counter{Device: open(t, "cpu")}
		ps := parameters(dev)
		opt := c.make(ps)
		tp := ag.NewTape(dev)
		grads := gradients(ps, 0)
		var before int
		for i := range 3 {
			if i == 1 {
				before = dev.allocs
			}
			tp.Reset()
			ours := ag.Grads{ps[0].Tensor: grads[ps[0].Tensor], ps[1].Tensor: grads[ps[1].Tensor]}
			if c.clip > 0 {
				ClipNorm(tp, ours, ps, c.clip)
			}
			if c.value > 0 {
				ClipValue(tp, ours, ps, c.value)
			}
			opt.Step(ours)
		}
		if n := dev.allocs - before; n != 0 {
			t.Errorf("%s: two steps allocate %d buffers", c.name, n)
		}
	}
}

func TestPositiveWarmupCosine(t *testing.T) {
	root := math.Sqrt(0.5)
	for i, want := range []float64{1, 2, 1 + root, 1, 1 - root} {
		if lr := (WarmupCosine{2, 5, true}).At(i + 1); math.Abs(lr-want) > 1e-15 {
			t.Errorf("epoch %d of 5: %g, want %g", i+1, lr, want)
		}
	}
	for epochs := 1; epochs <= 200; epochs++ {
		highest := 0.0
		for epoch := 1; epoch <= epochs; epoch++ {
			lr := WarmupCosine{1, epochs, true}.At(epoch)
			if highest = max(highest, lr); lr <= 0 {
				t.Errorf("epoch %d of %d: %g", epoch, epochs, lr)
			}
		}
		if highest != 1 {
			t.Errorf("the highest rate of %d epochs is %g, want 1", epochs, highest)
		}
	}
}

// TestWarmupCosine has the values of the original scheduler for 200 epochs.
func TestWarmupCosine(t *testing.T) {
	s := WarmupCosine{LR: 1e-4, Epochs: 200}
	for epoch, want := range map[int]float64{1: 0, 2: 5e-6, 3: 1e-5, 21: 1e-4, 22: 1e-4,
		23: 9.999238475781957e-5,
		24: 9.99695413509548e-5, 200: 3.045864904521188e-8} {
		if got := s.At(epoch); math.Abs(got-want) > 1e-19 {
			t.Errorf("epoch %d has learning rate %.17g, want %.17g", epoch, got, want)
		}
	}
	for epochs := 1; epochs <= 25; epochs++ {
		s := WarmupCosine{LR: 1, Epochs: epochs}
		highest := 0.0
		for e := 1; e <= epochs; e++ {
			if lr := s.At(e); !(lr >= 0 && lr <= 1) {
				t.Errorf("epoch %d of %d has learning rate %g", e, epochs, lr)
			} else {
				highest = max(highest, lr)
			}
		}
		if highest != 1 {
			t.Errorf("the highest learning rate of %d epochs is %g, want 1", epochs, highest)
		}
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

// TestRowSparseGradients compares a step of AdamW on a table that is read by Lookup with one by
// Gather: equal for the rows that are read, none for the others.
func TestRowSparseGradients(t *testing.T) {
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		tol := map[int]float64{64: 1e-14, 32: 1e-6}[dev.Bits()]
		step := func(sparse bool) (table []float64, norm float64, state []nn.Param) {
			x := ag.NewParam(dev, wave(dev, 1, 12).Values(), 6, 2)
			ps := []nn.Param{{Name: "table", Tensor: x}}
			opt := NewAdamW(0.1, 0.2, ps)
			tp := ag.NewTape(dev)
			for range 2 {
				tp.Reset()
				y := (&nn.Embedding{W: x, Sparse: sparse}).Forward(tp, []int{1, 4, 1})
				grads := tp.Backward(tp.Sum(tp.Mul(y, y)))
				norm = ClipNorm(tp, grads, ps, 1.5).Item()
				ClipValue(tp, grads, ps, 0.5)
				opt.Step(grads)
			}
			return x.Values(), norm, opt.State()
		}
		before := wave(dev, 1, 12).Values()
		dense, denseNorm, _ := step(false)
		sparse, sparseNorm, state := step(true)
		mustBeClose(t, tol, []float64{sparseNorm}, []float64{denseNorm})
		for i := range sparse {
			read := i/2 == 1 || i/2 == 4
			if want := map[bool]float64{true: dense[i],
				false: before[i]}[read]; math.Abs(sparse[i]-want) > tol {
				t.Errorf("%s: number %d is %g, want %g", name, i, sparse[i], want)
			}
			if moved := state[0].Values()[i] != 0; moved != read {
				t.Errorf("%s: moment %d: %t", name, i, moved)
			}
		}
	}
}

// BenchmarkTokenEmbeddings makes a step of AdamW on the table of BERT-base, 30,522 tokens of which
// a batch of 64 × 50 tokens reads a few.
func BenchmarkTokenEmbeddings(b *testing.B) {
	dev, err := ag.Open("cpu")
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]int, 64*50)
	for i := range ids {
		ids[i] = i * i % 997 * 30
	}
	for name, sparse := range map[string]bool{"sparse": true, "dense": false} {
		b.Run(name, func(b *testing.B) {
			tokens := &nn.Embedding{W: ag.NewParam(dev, make([]float64, 30522*768), 30522, 768),
				Sparse: sparse}
			opt := NewAdamW(1e-4, 1e-4, []nn.Param{{Name: "tokens", Tensor: tokens.W}})
			tp := ag.NewTape(dev)
			for b.Loop() {
				tp.Reset()
				y := tokens.Forward(tp, ids)
				opt.Step(tp.Backward(tp.Mean(tp.Mul(y, y))))
			}
		})
	}
}
