package recap

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
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

// TestPairsOfRecycledMemory panics with what is wrong.
func TestPairsOfRecycledMemory(t *testing.T) {
	dev := open(t, "cpu")
	tp, w := ag.NewTape(dev), ag.NewTensor(dev, []float64{1, 2}, 2)
	u := ag.NewTensor(dev, make([]float64, 6), 3, 2)
	stale := tp.Exp(u)
	tp.Reset()
	for i, f := range []func(){func() { pairScores(tp, stale, u, w) },
		func() { pairScores(tp, u, stale, w) }} {
		func() {
			defer func() {
				if err := fmt.Sprint(recover()); !strings.Contains(err,
					"PairScores: the operand's memory was recycled") {
					t.Errorf("operand %d: panic %q", i, err)
				}
			}()
			f()
		}()
	}
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
