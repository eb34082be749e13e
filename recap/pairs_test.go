package recap

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/optable"
	"github.com/seed-6655bf3b/recap/internal/optable/optest"
)

func TestPairValues(t *testing.T) {
	for name, tol := range map[string]float64{"cpu": 2e-5, "cpu64": 1e-12} {
		optest.Values(t, open(t, name), tol, OpCases())
	}
}

func TestPairGradients(t *testing.T) { optest.Gradients(t, open(t, "cpu64"), OpCases()) }

func TestPairPrecision(t *testing.T) {
	optest.Precision(t, open(t, "cpu"), open(t, "cpu64"), OpCases())
}

// TestManyPairs has blocks of a single row of v, since a row has more pairs than a block.
func TestManyPairs(t *testing.T) {
	optest.Values(t, open(t, "cpu64"), 1e-12, []optable.Case{pairDeepCase("", 1100, 3, 2, 2)})
}

// TestShapeOfPairs has more rows of v than of u.
func TestShapeOfPairs(t *testing.T) {
	tp := ag.NewTape(open(t, "cpu"))
	u, v, w2, w := tp.Full(1, 3, 2), tp.Full(1, 4, 2), tp.Full(1, 5, 2), tp.Full(1, 5)
	twice, constant := pairScoresTwice(tp, u, v, u, v, w2, w, w)
	for i, y := range []*ag.Tensor{pairScores(tp, u, v, tp.Full(1, 2)),
		pairScoresDeep(tp, u, v, w2, w, w), twice, constant} {
		if !slices.Equal(y.Shape(), []int{4, 3}) {
			t.Errorf("scores %d have the shape %v, want [4 3]", i, y.Shape())
		}
	}
}

// TestWrongPairOperands gives each operand in turn recycled memory, and then another shape.
func TestWrongPairOperands(t *testing.T) {
	dev := open(t, "cpu")
	ops := []struct {
		name string
		in   [][]int
		f    func(tp *ag.Tape, x []*ag.Tensor)
	}{
		{"PairScores", [][]int{{3, 2}, {4, 2}, {2}}, func(tp *ag.Tape, x []*ag.Tensor) {
			pairScores(tp, x[0], x[1], x[2])
		}},
		{"PairScoresDeep", [][]int{{3, 2}, {4, 2}, {5, 2}, {5}, {5}},
			func(tp *ag.Tape, x []*ag.Tensor) { pairScoresDeep(tp, x[0], x[1], x[2], x[3], x[4]) }},
		{"PairScoresTwice", [][]int{{3, 2}, {4, 2}, {5, 2}, {5}, {5}, {3, 2}, {4, 2}},
			func(tp *ag.Tape, x []*ag.Tensor) {
				pairScoresTwice(tp, x[0], x[1], x[5], x[6], x[2], x[3], x[4])
			}},
	}
	for _, op := range ops {
		for wrong := range op.in {
			for _, kind := range []string{"recycled", "length", "axes"} {
				tp := ag.NewTape(dev)
				x := make([]*ag.Tensor, len(op.in))
				for i, shape := range op.in {
					shape = slices.Clone(shape)
					switch {
					case i == wrong && kind == "axes":
						shape = append(shape, 1, 1)[1:] // [2 1 1] or [1 1]
					case i == wrong && kind == "length":
						shape[len(shape)-1]++
					}
					x[i] = tp.Full(1, shape...)
					if i == wrong && kind == "recycled" {
						tp.Reset()
					} else {
						x[i] = ag.NewTensor(dev, x[i].Values(), shape...)
					}
				}
				want := "recap: " + op.name + ": "
				if kind == "recycled" {
					want = op.name + ": the operand's memory was recycled"
				}
				err := optest.PanicOf(func() { op.f(tp, x) })
				if !strings.Contains(err, want) {
					t.Errorf("%s, operand %d, %s: panic %q", op.name, wrong, kind, err)
				}
			}
		}
	}
}

// TestConstantSidesHaveTheSizeOfTheOthers gives one of pairScoresTwice's constant sides more rows.
func TestConstantSidesHaveTheSizeOfTheOthers(t *testing.T) {
	tp := ag.NewTape(open(t, "cpu"))
	u, v, w2, w := tp.Full(1, 3, 2), tp.Full(1, 4, 2), tp.Full(1, 5, 2), tp.Full(1, 5)
	for _, sides := range [][2]*ag.Tensor{{tp.Full(1, 4, 2), v}, {u, tp.Full(1, 5, 2)}} {
		err := optest.PanicOf(func() { pairScoresTwice(tp, u, v, sides[0], sides[1], w2, w, w) })
		if !strings.Contains(err, "u [3 2] and v [4 2], but cu [") {
			t.Errorf("sides %v and %v: panic %q", sides[0], sides[1], err)
		}
	}
}

// TestConstantScoresOfSavedValues has scores of other constant sides than u and v, which a check of
// gradients by differences needs.
func TestConstantScoresOfSavedValues(t *testing.T) {
	dev := open(t, "cpu64")
	c := pairDeepCase("", 3, 4, 5, 6)
	x, sides := c.Inputs(dev), pairDeepCase("", 3, 4, 5, 6).Inputs(dev)
	for _, s := range sides[:2] {
		s.Multiply(-0.7)
	}
	tp := ag.NewTape(dev)
	tp.FrozenReplay = ag.NewFrozenReplay(nil)
	y, constant := pairScoresTwice(tp, x[0], x[1], sides[0], sides[1], x[2], x[3], x[4])
	for what, scores := range map[string][2][]float64{"scores": {y.Values(), c.Want(values(x))},
		"constant scores": {constant.Values(), c.Want(values(append(sides[:2], x[2:]...)))}} {
		for i, want := range scores[1] {
			equal(t, fmt.Sprintf("element %d of the %s", i, what), scores[0][i], want)
		}
	}
	grads := tp.Backward(tp.Sum(constant))
	for i, z := range append(sides[:2:2], x...) {
		if got := grads[z] != nil; got != (i < 2) {
			t.Errorf("the constant scores move operand %d: %t", i, got)
		}
	}
}

func values(xs []*ag.Tensor) [][]float64 {
	var all [][]float64
	for _, x := range xs {
		all = append(all, x.Values())
	}
	return all
}

// TestEveryPairOpIsTested finds the operations in pairs.go: its functions pairScores….
func TestEveryPairOpIsTested(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "pairs.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, c := range OpCases() {
		tested[c.Op] = true
	}
	ops := 0
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "pairScores") {
			ops++
			if name := "P" + fn.Name.Name[1:]; !tested[name] {
				t.Errorf("operation %s has no case in OpCases", name)
			}
		}
	}
	var names []string
	for _, c := range OpCases() {
		names = append(names, c.Name())
	}
	if want := []string{"PairScores", "PairScoresDeep", "PairScoresDeep/in blocks",
		"PairScoresTwice", "PairScoresTwice/both results"}; !slices.Equal(names, want) {
		t.Errorf("the cases are %q, want %q", names, want)
	}
	if ops != len(tested) {
		t.Errorf("%d operations, but cases of %d", ops, len(tested))
	}
}

func BenchmarkPairOps(b *testing.B) {
	dev, err := ag.Open("cpu")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range OpCases() {
		b.Run(c.Name(), func(b *testing.B) {
			x := c.Inputs(dev)
			tp := ag.NewTape(dev)
			for b.Loop() {
				tp.Reset()
				tp.Backward(tp.Sum(c.F(tp, x)))
			}
		})
	}
}
