package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A guarded slice is part of a longer slice, whose other numbers must not change.
type guarded struct{ inside, all []float32 }

func (g *guarded) clone() *guarded {
	all := slices.Clone(g.all)
	at := len(all) - 20 - len(g.inside)
	return &guarded{all[at : at+len(g.inside) : at+len(g.inside)], all}
}

// newGuarded returns n random numbers at a random alignment.
func newGuarded(r *rand.Rand, n int) *guarded {
	g := &guarded{all: make([]float32, n+20+r.IntN(4))}
	for i := range g.all {
		g.all[i] = float32(2 * r.NormFloat64())
	}
	at := len(g.all) - 20 - n
	g.inside = g.all[at : at+n : at+n]
	return g
}

// expectGuarded compares all numbers, those outside included, relative to want and to scale.
func expectGuarded(t *testing.T, what string, got, want *guarded, scale float64) {
	t.Helper()
	for i, w := range want.all {
		d := math.Abs(float64(got.all[i] - w))
		if !(d <= 2e-6*(scale+math.Abs(float64(w)))) {
			t.Fatalf("%s: number %d is %g, reference %g", what, i, got.all[i], w)
		}
	}
}

// TestLSTMReference compares the recurrent kernels with their references over all tails and
// alignments, and checks that they write nothing outside their results.
func TestLSTMReference(t *testing.T) {
	for _, s := range supported() {
		t.Run(s.path, func(t *testing.T) {
			r := rand.New(rand.NewPCG(15, 16))
			for n := range 150 {
				compareLSTM(t, r, s.vector, n)
			}
			compareLSTM(t, r, s.vector, 5003)
		})
	}
}

func compareLSTM(t *testing.T, r *rand.Rand, v *vector, n int) {
	numbers := func(n int) *guarded { return newGuarded(r, n) }
	expect := func(what string, got, want *guarded) {
		t.Helper()
		expectGuarded(t, fmt.Sprintf("%d units: %s", n, what), got, want, 1)
	}
	gates, cell, out := numbers(4*n), numbers(n), numbers(n)
	z, prev := numbers(4*n), numbers(n)
	gates2, z2, prev2, cell2, out2 := gates.clone(), z.clone(), prev.clone(), cell.clone(),
		out.clone()
	v.lstm(gates.inside, z.inside, prev.inside, cell.inside, out.inside)
	plainLSTM(gates2.inside, z2.inside, prev2.inside, cell2.inside, out2.inside)
	for what, pair := range map[string][2]*guarded{"gates": {gates, gates2}, "z": {z, z2},
		"prev": {prev, prev2}, "cell": {cell, cell2}, "out": {out, out2}} {
		expect(what, pair[0], pair[1])
	}

	gates, cell = gates2.clone(), cell2.clone()
	g, dh, dc := numbers(n), numbers(n), numbers(n)
	g2, dh2, dc2 := g.clone(), dh.clone(), dc.clone()
	v.lstmGrad(gates.inside, prev.inside, cell.inside, g.inside, dh.inside, dc.inside)
	plainLSTMGrad(gates2.inside, prev2.inside, cell2.inside, g2.inside, dh2.inside, dc2.inside)
	for what, pair := range map[string][2]*guarded{"gradient of gates": {gates, gates2},
		"prev": {prev, prev2}, "cell": {cell, cell2}, "g": {g, g2}, "dh": {dh, dh2},
		"dc": {dc, dc2}} {
		expect(what, pair[0], pair[1])
	}
}

func BenchmarkLSTM(b *testing.B) {
	for _, n := range []int{5, 32, 128} {
		gates, z, prev, cell, out, g, dh, dc := make([]float32, 4*n), make([]float32,
			4*n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32,
			n), make([]float32, n), make([]float32, n)
		b.Run(fmt.Sprintf("step/%d", n), func(b *testing.B) {
			for b.Loop() {
				LSTM(gates, z, prev, cell, out)
			}
		})
		b.Run(fmt.Sprintf("grad/%d", n), func(b *testing.B) {
			for b.Loop() {
				LSTMGrad(gates, prev, cell, g, dh, dc)
			}
		})
	}
}
