package tsne

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// clusters returns k Gaussian clusters of n points each in d dimensions. distance is the standard
// deviation of their centres.
func clusters(k, n, d int, distance float64) *mat.Dense {
	r := rand.New(rand.NewPCG(1, 2))
	x := mat.NewDense(k*n, d, nil)
	for g := range k {
		centre := make([]float64, d)
		for c := range centre {
			centre[c] = distance * r.NormFloat64()
		}
		for i := range n {
			for c := range centre {
				x.Set(g*n+i, c, centre[c]+r.NormFloat64())
			}
		}
	}
	return x
}

func TestSameSeedSameBits(t *testing.T) {
	x := clusters(3, 20, 60, 3)
	o := Options{Perplexity: 10, Iterations: 300, Seed: 7}
	a, kl := Embed(x, o)
	b, again := Embed(x, o)
	if !slices.Equal(a, b) || kl != again {
		t.Error("two runs with one seed differ")
	}
	o.Seed++
	if c, _ := Embed(x, o); slices.Equal(a, c) {
		t.Error("another seed gives the same positions")
	}
}

func TestDivergenceFalls(t *testing.T) {
	x := clusters(4, 30, 20, 1)
	last := math.Inf(1)
	for _, n := range []int{0, exaggerationIterations + 100, exaggerationIterations + 250,
		exaggerationIterations + 500} {
		_, kl := Embed(x, Options{Perplexity: 15, Iterations: n, Seed: 1})
		if !(kl < last) {
			t.Errorf("after %d iterations the divergence is %g, before it was %g", n, kl, last)
		}
		last = kl
	}
	if last > 1 {
		t.Errorf("the divergence is %g at the end, want less than 1", last)
	}
}

// TestGradient compares the gradient with central differences of the divergence.
func TestGradient(t *testing.T) {
	const n = 7
	p := affinities(squaredDistances(clusters(1, n, 5, 0)), 3)
	r := rand.New(rand.NewPCG(3, 4))
	flat := make([]float64, 2*n)
	for i := range flat {
		flat[i] = r.NormFloat64()
	}
	positions := func(v []float64) [][2]float64 {
		y := make([][2]float64, n)
		for i := range y {
			y[i] = [2]float64(v[2*i:])
		}
		return y
	}
	want := fd.Gradient(nil, func(v []float64) float64 {
		return divergence(p, positions(v))
	}, flat, &fd.Settings{Formula: fd.Central})
	got := make([][2]float64, n)
	gradient(got, p, positions(flat), 1)
	for i, g := range got {
		if math.Abs(g[0]-want[2*i]) > 1e-7 || math.Abs(g[1]-want[2*i+1]) > 1e-7 {
			t.Errorf("point %d: gradient %v, differences %v", i, g, want[2*i:2*i+2])
		}
	}
}

// TestPerplexity checks that the conditional probabilities of each point have the given
// perplexity, and that the sum of the affinities is 1.
func TestPerplexity(t *testing.T) {
	x := clusters(3, 20, 10, 5)
	n, _ := x.Dims()
	d := squaredDistances(x)
	if got, want := d[pairIndex(2, 41, n)], math.Pow(floats.Distance(x.RawRowView(2),
		x.RawRowView(41), 2), 2); math.Abs(got-want) > 1e-12*want {
		t.Errorf("squared distance %g, want %g", got, want)
	}
	near := make([]float64, n-1)
	for i := range n {
		var row []float64
		for j := range n {
			if j != i {
				row = append(row, d[pairIndex(min(i, j), max(i, j), n)])
			}
		}
		conditionals(near, row, math.Log(12))
		if got := math.Exp(stat.Entropy(near)); math.Abs(got-12) > 1e-4 {
			t.Errorf("point %d has a perplexity of %g, want 12", i, got)
		}
	}
	if sum := 2 * floats.Sum(affinities(d, 12)); math.Abs(sum-1) > 1e-12 {
		t.Errorf("the sum of the affinities is %g, want 1", sum)
	}
}

// TestClustersAreSeparated checks that the nearest neighbour of each point is of the same cluster.
func TestClustersAreSeparated(t *testing.T) {
	const k, n = 4, 25
	y, _ := Embed(clusters(k, n, 80, 2), Options{Perplexity: 8, Iterations: 600, Seed: 1})
	for i := range y {
		nearest, best := -1, math.Inf(1)
		for j := range y {
			if d := math.Hypot(y[i][0]-y[j][0], y[i][1]-y[j][1]); j != i && d < best {
				nearest, best = j, d
			}
		}
		if i/n != nearest/n {
			t.Errorf("the nearest neighbour of point %d, of cluster %d, is of cluster %d",
				i, i/n, nearest/n)
		}
	}
}

// TestPCA projects points of a 50-dimensional subspace of 60 dimensions. Their distances stay the
// same.
func TestPCA(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	low, basis := mat.NewDense(70, components, nil), mat.NewDense(components, 60, nil)
	for _, m := range []*mat.Dense{low, basis} {
		for i := range m.RawMatrix().Data {
			m.RawMatrix().Data[i] = r.NormFloat64()
		}
	}
	var x mat.Dense
	x.Mul(low, basis)
	y := pca(&x)
	if _, d := y.Dims(); d != components {
		t.Fatalf("%d components, want %d", d, components)
	}
	if got, want := squaredDistances(y), squaredDistances(&x); !floats.EqualApprox(got, want,
		1e-8) {
		t.Error("the distances change although no component is lost")
	}
}

// TestEqualPoints checks that the positions of equal points are finite.
func TestEqualPoints(t *testing.T) {
	y, kl := Embed(mat.NewDense(9, 3, nil), Options{Perplexity: 2, Iterations: 300, Seed: 1})
	for _, v := range y {
		if math.IsNaN(v[0]+v[1]) || math.IsInf(v[0]+v[1], 0) {
			t.Fatal(y)
		}
	}
	if math.IsNaN(kl) {
		t.Error("the divergence is NaN")
	}
}

func BenchmarkEmbed(b *testing.B) {
	x := clusters(7, 98, 128, 1)
	var kl float64
	for b.Loop() {
		_, kl = Embed(x, Options{Perplexity: 30, Iterations: 500, Seed: 1})
	}
	b.ReportMetric(kl, "KL")
}
