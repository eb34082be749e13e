package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestScanReference compares the kernels of a selective scan with their references over all tails
// and alignments, and checks that they write nothing outside their results.
func TestScanReference(t *testing.T) {
	for _, s := range supported() {
		t.Run(s.path, func(t *testing.T) {
			r := rand.New(rand.NewPCG(17, 18))
			for w := range 70 {
				for _, n := range []int{1, 2, 16, 33} {
					compareScanState(t, r, s.vector, w, n)
					compareScanStateGrad(t, r, s.vector, w, n)
				}
			}
			compareScanState(t, r, s.vector, 515, 3)
			compareScanStateGrad(t, r, s.vector, 515, 3)
		})
	}
}

func compareScanState(t *testing.T, r *rand.Rand, v *vector, w, n int) {
	next, decay, prev, a := newGuarded(r, n*w), newGuarded(r, n*w), newGuarded(r, n*w),
		newGuarded(r, n*w)
	delta, x, y, b, c := newGuarded(r, w), newGuarded(r, w), newGuarded(r, w), newGuarded(r, n),
		newGuarded(r, n)
	for i := range a.inside {
		a.inside[i] = -abs32(a.inside[i]) * 20 // exponents down to less than −105
	}
	for j := range delta.inside {
		delta.inside[j] = abs32(delta.inside[j])
	}
	all := []*guarded{next, decay, prev, a, delta, x, y, b, c}
	var want []*guarded
	for _, g := range all {
		want = append(want, g.clone())
	}
	v.scanState(next.inside, decay.inside, prev.inside, a.inside, delta.inside, x.inside, y.inside,
		b.inside, c.inside)
	plainVector.scanState(want[0].inside, want[1].inside, want[2].inside, want[3].inside,
		want[4].inside, want[5].inside, want[6].inside, want[7].inside, want[8].inside)
	for i, name := range []string{"next", "decay", "prev", "a", "delta", "x", "y", "b", "c"} {
		what := fmt.Sprintf("%d channels, %d states: %s", w, n, name)
		expectGuarded(t, what, all[i], want[i], float64(n))
	}
	// in place: next is prev
	v.scanState(prev.inside, decay.inside, prev.inside, a.inside, delta.inside, x.inside, y.inside,
		b.inside, c.inside)
	for i, h := range next.inside {
		if prev.inside[i] != h {
			t.Fatalf("%d channels, %d states: in place state %d is %g, else %g", w, n, i,
				prev.inside[i], h)
		}
	}
}

func compareScanStateGrad(t *testing.T, r *rand.Rand, v *vector, w, n int) {
	var all, want [15]*guarded
	for i := range all {
		switch {
		case i < 5:
			all[i] = newGuarded(r, n*w)
		case i < 10:
			all[i] = newGuarded(r, w)
		case i < 14:
			all[i] = newGuarded(r, n)
		default:
			all[i] = newGuarded(r, 2*ScanPartials*n)
		}
		want[i] = all[i].clone()
	}
	for i, g := range [2][15]*guarded{all, want} {
		f := v.scanStateGrad
		if i == 1 {
			f = PlainScanStateGrad[float32]
		}
		f(g[0].inside, g[1].inside, g[2].inside, g[3].inside, g[4].inside, g[5].inside,
			g[6].inside, g[7].inside, g[8].inside, g[9].inside, g[10].inside, g[11].inside,
			g[12].inside, g[13].inside, g[14].inside)
	}
	copy(want[14].inside, all[14].inside) // memory for partial sums
	for i, name := range []string{"carry", "da", "decay", "prev", "a", "delta", "x", "r", "kappa",
		"ddelta", "b", "c", "db", "dc", "outside of sums"} {
		what := fmt.Sprintf("%d channels, %d states: %s", w, n, name)
		expectGuarded(t, what, all[i], want[i], float64(8*(n+w)))
	}
}

func TestScanWithoutStatesPanics(t *testing.T) {
	row := make([]float32, 20)
	for want, f := range map[string]func(){
		"simd: ScanState: no states": func() {
			ScanState(nil, nil, nil, nil, row, row, row, nil, nil)
		},
		"simd: ScanStateGrad: no states": func() {
			ScanStateGrad(nil, nil, nil, nil, nil, row, row, row, row, row, nil, nil, nil, nil, nil)
		},
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %s", got, want)
				}
			}()
			f()
		}()
	}
}

// TestScanStep compares softplus and σ with package math, for all tails, and over numbers with
// results from denormal to beyond the point from which softplus is the identity.
func TestScanStep(t *testing.T) {
	for _, s := range supported() {
		t.Run(s.path, func(t *testing.T) {
			r := rand.New(rand.NewPCG(19, 20))
			for n := range 70 {
				compareScanStep(t, s.vector, newGuarded(r, n), newGuarded(r, n), newGuarded(r, n))
			}
			x := &guarded{}
			for i := -87000; i <= 87000; i++ {
				x.all = append(x.all, float32(i)/1000)
			}
			x.all = append(x.all, 0, float32(math.Copysign(0, -1)), 1e-30, -1e-30, 1e30)
			x.inside = x.all
			compareScanStep(t, s.vector, newGuarded(r, len(x.all)), newGuarded(r, len(x.all)), x)
			nan, low := float32(math.NaN()), float32(math.Inf(-1))
			delta, slope := []float32{1, 1}, []float32{1, 1}
			s.vector.scanStep(delta, slope, []float32{nan, low})
			if delta[0] == delta[0] || slope[0] == slope[0] || !(delta[1] < 1e-40) ||
				!(slope[1] < 1e-40) {
				t.Errorf("of NaN and −Inf: delta %v, slope %v", delta, slope)
			}
		})
	}
}

func compareScanStep(t *testing.T, v *vector, delta, slope, step *guarded) {
	before, after := delta.clone(), slope.clone()
	v.scanStep(delta.inside, slope.inside, step.inside)
	near := func(got float32, want float64) bool {
		return math.Abs(float64(got)-want) <= 3e-7*want+1e-45
	}
	for i, x := range step.inside {
		e := math.Exp(-math.Abs(float64(x)))
		softplus, sigmoid := max(float64(x), 0)+math.Log1p(e), 1/(1+math.Exp(-float64(x)))
		if !near(delta.inside[i], softplus) || !near(slope.inside[i], sigmoid) ||
			x > 20 && delta.inside[i] != x {
			t.Fatalf("of %g: delta %g and slope %g, want %g and %g", x, delta.inside[i],
				slope.inside[i], softplus, sigmoid)
		}
	}
	copy(delta.inside, before.inside)
	copy(slope.inside, after.inside)
	expectGuarded(t, "outside of delta", delta, before, 0)
	expectGuarded(t, "outside of slope", slope, after, 0)
}

func BenchmarkScan(b *testing.B) {
	const w, n = 64, 16
	var rows [5][]float32
	for i := range rows {
		rows[i] = make([]float32, n*w)
	}
	for i := range rows[4] {
		rows[4][i] = -1
	}
	row, state := make([]float32, w), make([]float32, n)
	db, dc, kappa, ddelta := make([]float32, n), make([]float32, n), make([]float32, w),
		make([]float32, w)
	sums, y := make([]float32, 2*ScanPartials*n), make([]float32, w)
	b.Run("step", func(b *testing.B) {
		for b.Loop() {
			ScanStep(y, kappa, row)
		}
	})
	b.Run("state", func(b *testing.B) {
		for b.Loop() {
			ScanState(rows[0], rows[1], rows[0], rows[4], row, row, y, state, state)
		}
	})
	b.Run("grad", func(b *testing.B) {
		for b.Loop() {
			ScanStateGrad(rows[0], rows[1], rows[2], rows[3], rows[4], row, row, y, kappa, ddelta,
				state, state, db, dc, sums)
		}
	})
}
