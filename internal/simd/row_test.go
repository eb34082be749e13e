package simd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func normals(r *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(scale * r.NormFloat64())
	}
	return x
}

func expect(t *testing.T, what string, got float32, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tolerance) {
		t.Fatalf("%s is %g, want %g", what, got, want)
	}
}

func sum64(n int, f func(i int) float64) (s float64) {
	for i := range n {
		s += f(i)
	}
	return s
}

func TestSoftmax(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		for _, n := range []int{1, 2, 15, 50, 383, 1000} {
			x, g := normals(r, n, 5), normals(r, n, 1)
			x[n/2] = float32(math.Inf(-1))
			x[0] += 40
			y, dx := make([]float32, n), make([]float32, n)
			most, sum := Softmax(y, x)
			z := sum64(n, func(i int) float64 { return math.Exp(float64(x[i])) })
			if n > 1 {
				expect(t, "ln Σeˣ", most+float32(math.Log(float64(sum))), math.Log(z), 4e-6)
			}
			for i := range x {
				expect(t, "softmax", y[i], math.Exp(float64(x[i]))/max(z, 1e-300), 3e-7)
			}
			inner := sum64(n, func(i int) float64 { return float64(y[i]) * float64(g[i]) })
			SoftmaxGrad(dx, y, g)
			p, ds := append([]float32(nil), x...), append([]float32(nil), g...)
			ScoreGrad(p, ds, float32(math.Log(z)), float32(inner))
			for i := range x {
				expect(t, "softmax's gradient", dx[i], float64(y[i])*(float64(g[i])-inner), 1e-6)
				if n > 1 {
					expect(t, "recomputed weight", p[i], float64(y[i]), 6e-6)
					expect(t, "score's gradient", ds[i], float64(y[i])*(float64(g[i])-inner), 2e-5)
				}
			}
		}
	})
}

// TestSoftmaxSpecial covers rows of −Inf and rows with NaN.
func TestSoftmaxSpecial(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		x := make([]float32, 37)
		for i := range x {
			x[i] = float32(math.Inf(-1))
		}
		if _, sum := Softmax(x, x); sum != 0 || x[0] != 0 || x[36] != 0 {
			t.Errorf("row of −Inf: sum %g, %v", sum, x)
		}
		x[20] = float32(math.NaN())
		if Softmax(x, x); x[0] == x[0] || x[20] == x[20] {
			t.Errorf("row with NaN: %v", x)
		}
	})
}

func TestLayerNorm(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(17, 18))
		for _, n := range []int{2, 15, 33, 128, 300, 1024} {
			x, gamma, beta, g := normals(r, n, 2), normals(r, n, 1), normals(r, n, 1), normals(r,
				n, 1)
			for i := range x {
				x[i] += 10
			}
			y, dx, dgamma, dbeta := make([]float32, n), make([]float32, n), normals(r, n,
				1), normals(r, n, 1)
			mean, rstd := LayerNorm(y, x, gamma, beta, 1e-5)
			m := sum64(n, func(i int) float64 { return float64(x[i]) }) / float64(n)
			s := 1 / math.Sqrt(sum64(n, func(i int) float64 {
				d := float64(x[i]) - m
				return d * d
			})/float64(n)+1e-5)
			expect(t, "mean", mean, m, 3e-6)
			expect(t, "rstd", rstd, s, 3e-6*s)
			normed := func(i int) float64 { return (float64(x[i]) - m) * s }
			h := func(i int) float64 { return float64(g[i]) * float64(gamma[i]) }
			a := sum64(n, h) / float64(n)
			b := sum64(n, func(i int) float64 { return h(i) * normed(i) }) / float64(n)
			oldGamma, oldBeta := append([]float32(nil), dgamma...), append([]float32(nil),
				dbeta...)
			LayerNormGrad(dx, dgamma, dbeta, g, x, gamma, mean, rstd)
			for i := range x {
				expect(t, "y", y[i], normed(i)*float64(gamma[i])+float64(beta[i]), 2e-5)
				expect(t, "dx", dx[i], s*(h(i)-a-normed(i)*b), 2e-5*(1+s))
				expect(t, "dgamma", dgamma[i], float64(oldGamma[i])+float64(g[i])*normed(i), 2e-5)
				expect(t, "dbeta", dbeta[i], float64(oldBeta[i])+float64(g[i]), 1e-6)
			}
		}
	})
}

// TestBfloat16 compares the rounding with that by package math.
func TestBfloat16(t *testing.T) {
	onEveryFloat(func(x []float32) {
		for _, v := range x {
			if v != v || math.IsInf(float64(v), 0) {
				continue
			}
			_, e := math.Frexp(float64(v))
			unit := math.Ldexp(1, max(e-8, -133)) // of the last place
			want := float32(math.RoundToEven(float64(v)/unit) * unit)
			if got := bfloat16(v); got != math.Float32bits(want) {
				t.Fatalf("%g (%x) is rounded to %x, want %g", v, math.Float32bits(v), got, want)
			}
		}
	})
}

// TestAdamCompact makes a step of rows of even and odd length, and compares it with the formulas
// in double precision and with the rounding of m that the formulas give.
func TestAdamCompact(t *testing.T) {
	a := AdamStep{Keep: 0.99, Decay: 0.01, Beta1: 0.9, Rest1: 0.1, Step: 0.02, Scale: 2, Eps: 1e-8}
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(27, 28))
		for _, n := range []int{0, 1, 2, 7, 16, 33, 100, 2051} {
			p, g, c, means := normals(r, n, 1), normals(r, n, 1), normals(r, n, 1), normals(r, n, 1)
			plainMap(c, c, abs32)
			m, half := make([]float32, (n+1)/2), n/2
			at := func(i int) (slot int, shift uint32) { // of number i
				if i >= half && i < 2*half {
					return i - half, 0
				}
				return min(i, half), 16
			}
			for i, x := range means {
				slot, shift := at(i)
				m[slot] = math.Float32frombits(math.Float32bits(m[slot]) | bfloat16(x)>>shift)
			}
			old := slices.Clone(p)
			a.UpdateCompact(p, g, m, c)
			for i := range p {
				p0, m0 := float64(old[i]), float64(math.Float32frombits(bfloat16(means[i])))
				m1 := float64(a.Beta1)*m0 + float64(a.Rest1)*(float64(g[i])+float64(a.Decay)*p0)
				p1 := float64(a.Keep)*p0 -
					float64(a.Step)*m1/(math.Sqrt(float64(a.Scale*c[i]))+float64(a.Eps))
				expect(t, "p", p[i], p1, 1e-6*(1+math.Abs(p1)))
				slot, shift := at(i)
				got := math.Float32frombits(math.Float32bits(m[slot]) << shift &^ 0xffff)
				expect(t, "m", got, m1, 0x1.0001p-8*math.Abs(m1)+1e-7)
			}
		}
	})
}

func TestAdam(t *testing.T) {
	a := AdamStep{Keep: 0.99, Decay: 0.01, Beta1: 0.9, Rest1: 0.1, Beta2: 0.999, Rest2: 0.001,
		Step: 0.02, Scale: 1000, Eps: 1e-8}
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(19, 20))
		for _, n := range []int{1, 7, 16, 100, span + 3} {
			p, g, m, v := normals(r, n, 1), normals(r, n, 1), normals(r, n, 1), normals(r, n, 1)
			plainMap(v, v, abs32)
			old := [3][]float32{append([]float32(nil), p...), append([]float32(nil), m...),
				append([]float32(nil), v...)}
			a.Update(p, g, m, v)
			for i := range p {
				p0, m0, v0 := float64(old[0][i]), float64(old[1][i]), float64(old[2][i])
				d := float64(g[i]) + float64(a.Decay)*p0
				m1 := float64(a.Beta1)*m0 + float64(a.Rest1)*d
				v1 := float64(a.Beta2)*v0 + float64(a.Rest2)*d*d
				expect(t, "m", m[i], m1, 1e-6)
				expect(t, "v", v[i], v1, 1e-6)
				expect(t, "p",
					p[i], float64(a.Keep)*p0-float64(a.Step)*m1/(math.Sqrt(float64(a.Scale)*v1)+
						float64(a.Eps)), 1e-6)
			}
		}
	})
}
