package optim

import (
	"math"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// waves returns a parameter whose numbers are those of wave.
func waves(dev ag.Device, phase int, shape ...int) *ag.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return ag.NewParam(dev, wave(dev, phase, n).Values(), shape...)
}

// matrixAndVector returns the parameters of the golden case "compact".
func matrixAndVector(dev ag.Device) []nn.Param {
	return []nn.Param{{Name: "a", Tensor: waves(dev, 1, 2, 3)},
		{Name: "b", Tensor: waves(dev, 2, 4)}}
}

// compactGradients returns those of a step of the golden case; b has none in steps 2 and 3.
func compactGradients(ps []nn.Param, step int) ag.Grads {
	g := gradients(ps, step)
	g[ps[0].Tensor] = waves(ps[0].Device(), 10+step, 2, 3)
	return g
}

// TestCompactAgreesWithPyTorch compares with the formulas in PyTorch, whose bfloat16 the first
// moment has there.
func TestCompactAgreesWithPyTorch(t *testing.T) {
	golden := readGolden(t)["compact"]
	if len(golden) != 6 {
		t.Fatalf("golden.json has %d steps", len(golden))
	}
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		tol := map[int]float64{64: 1e-14, 32: 1e-6}[dev.Bits()]
		ps := matrixAndVector(dev)
		opt := NewCompactAdam(0.1, 0.2, ps)
		for i, want := range golden {
			opt.Step(compactGradients(ps, i))
			mustBeClose(t, tol, ps[0].Values(), want.A)
			mustBeClose(t, tol, ps[1].Values(), want.B)
		}
	}
}

// TestCompactEqualsAdam makes steps with gradients ±s·aᵢ·bⱼ, whose squares have the moment of Adam.
// Without β₁ the rounding of m has no effect.
func TestCompactEqualsAdam(t *testing.T) {
	dev := open(t, "cpu64")
	const rows, columns = 5, 7
	x, y := waves(dev, 3, rows, columns), waves(dev, 3, rows, columns)
	adam := NewAdam(0.1, 0, []nn.Param{{Name: "x", Tensor: x}})
	compact := NewCompactAdam(0.1, 0, []nn.Param{{Name: "y", Tensor: y}})
	adam.Beta1, compact.Beta1, compact.Decoupled = 0, 0, true
	for step := range 20 {
		g := make([]float64, rows*columns)
		for i := range g {
			row, column := float64(i/columns), float64(i%columns)
			g[i] = math.Copysign((1+float64(step%3))*(0.1+row)*math.Exp(-column),
				math.Sin(float64(31*step+7*i)))
		}
		gradient := ag.NewTensor(dev, g, rows, columns)
		adam.Step(ag.Grads{x: gradient})
		compact.Step(ag.Grads{y: gradient})
		mustBeClose(t, 1e-13, y.Values(), x.Values())
	}
}

// TestCompactResume saves after four of six steps, and goes on from the file to the same bits.
func TestCompactResume(t *testing.T) {
	dev := open(t, "cpu")
	ps, again := matrixAndVector(dev), matrixAndVector(dev)
	opt, resumed := NewCompactAdam(0.1, 0.2, ps), NewCompactAdam(0.1, 0.2, again)
	for i := range 6 {
		if i == 4 {
			file := transfer(t, append(opt.State(), ps...), append(resumed.State(), again...))
			full := nn.Load(file, append(NewAdam(0.1, 0.2, ps).State(), ps...))
			if full == nil || !strings.Contains(full.Error(), "missing adam.a.exp_avg\n") {
				t.Errorf("an optimizer with full moments loads these: error %v", full)
			}
		}
		opt.Step(compactGradients(ps, i))
		if i >= 4 {
			resumed.Step(compactGradients(again, i))
		}
	}
	for i := range ps {
		mustBeClose(t, 0, again[i].Values(), ps[i].Values())
	}
}

// TestCompactState counts the numbers of the state and the buffers that steps allocate.
func TestCompactState(t *testing.T) {
	dev := &counter{Device: open(t, "cpu")}
	ps := []nn.Param{{Name: "w", Tensor: waves(dev, 1, 6, 5, 2)},
		{Name: "b", Tensor: waves(dev, 2, 7)}}
	opt := NewCompactAdam(0.1, 0, ps)
	n := 0
	for _, s := range opt.State() {
		n += s.Len()
	}
	if want := 6*5 + 6 + 10 + 1 + 2*7 + 1; n != want {
		t.Errorf("the state has %d numbers, want %d", n, want)
	}
	grads := ag.Grads{ps[0].Tensor: waves(dev, 3, 6, 5, 2), ps[1].Tensor: waves(dev, 4, 7)}
	before := dev.allocs
	opt.Step(grads)
	opt.Step(grads)
	if dev.allocs != before {
		t.Errorf("two steps allocate %d buffers", dev.allocs-before)
	}
}

// TestCompactRowSparse makes steps that read two rows of a table: they change as a table of these
// two, and the others and their moments not at all.
func TestCompactRowSparse(t *testing.T) {
	for _, name := range []string{"cpu64", "cpu"} {
		dev := open(t, name)
		table := waves(dev, 1, 6, 3)
		read := []int{4, 1}
		before := table.Values()
		rows := ag.NewParam(dev, append(before[3:6:6], before[12:15]...), 2, 3)
		sparse := NewCompactAdam(0.1, 0.2, []nn.Param{{Name: "t", Tensor: table}})
		dense := NewCompactAdam(0.1, 0.2, []nn.Param{{Name: "t", Tensor: rows}})
		tp := ag.NewTape(dev)
		for range 3 {
			tp.Reset()
			y := tp.Lookup(table, read)
			sparse.Step(tp.Backward(tp.Sum(tp.Mul(y, y))))
			dense.Step(tp.Backward(tp.Sum(tp.Mul(rows, rows))))
		}
		after, want := table.Values(), rows.Values()
		mustBeClose(t, 0, after[3:6], want[:3])
		mustBeClose(t, 0, after[12:15], want[3:])
		m, r := sparse.State()[0].Values(), sparse.State()[1].Values()
		for i := range 6 {
			if i == 1 || i == 4 {
				continue
			}
			mustBeClose(t, 0, after[3*i:3*i+3], before[3*i:3*i+3])
			mustBeClose(t, 0, []float64{m[2*i], m[2*i+1], r[i]}, []float64{0, 0, 0})
		}
	}
}

// TestFirstMomentStandsStill shows what bfloat16 costs: with a constant gradient, m stops where a
// step would change it by half a unit of its last place, 2⁻⁸ of it, so at most 2⁻⁸/(1−β₁) = 4 %
// before the gradient.
func TestFirstMomentStandsStill(t *testing.T) {
	dev := open(t, "cpu64")
	worst := 0.0
	for i := range 100 {
		g := ag.NewTensor(dev, []float64{1 + float64(i)/100}, 1, 1)
		x := waves(dev, 1, 1, 1)
		opt := NewCompactAdam(0, 0, []nn.Param{{Name: "x", Tensor: x}})
		for range 200 {
			opt.Step(ag.Grads{x: g})
		}
		bits := math.Float32bits(float32(opt.State()[0].Item()))
		m := float64(math.Float32frombits(bits << 16))
		worst = max(worst, math.Abs(1-m/g.Item()))
	}
	if worst > 0.04 || worst < 0.01 {
		t.Errorf("m is up to %.3f of the gradient from it, want 0.01 to 0.04", worst)
	}
}
