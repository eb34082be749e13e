// Package tsne computes two-dimensional embeddings of high-dimensional points with exact t-SNE
// (van der Maaten and Hinton 2008), after a reduction by PCA. Neighbours in the data are
// neighbours in the embedding; the distances between clusters and the sizes of clusters have no
// meaning.
package tsne

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Options of [Embed].
type Options struct {
	// effective number of neighbours of a point; more than 0, less than the number of points
	Perplexity float64
	Iterations int
	Seed       uint64 // of the initial positions
	Step       func() // called before each iteration; may be nil
}

const (
	components = 50 // number of principal components
	// factor of the affinities in the first iterations, so that clusters form
	exaggeration           = 12
	exaggerationIterations = 250
	minGain                = 0.01
)

// Embed returns the position in the plane of each row of x [N D], and the final Kullback-Leibler
// divergence between the affinities of the rows and those of the positions. The same x and options
// give bit-identical results. Embed panics if the perplexity is out of range, or if D > 50 and x
// is not finite.
//
// It is gradient descent with momentum and per-coordinate gains, as in the authors' code. The
// learning rate is max(N/12, 200), where 12 is the early exaggeration (Belkina et al. 2019).
func Embed(x *mat.Dense, o Options) (y [][2]float64, kl float64) {
	n, _ := x.Dims()
	if !(o.Perplexity > 0 && o.Perplexity < float64(n)) {
		panic(fmt.Sprintf(
			"tsne: Embed: perplexity %g for %d points, want more than 0 and less than their number", o.Perplexity, n,
		))
	}
	p := affinities(squaredDistances(pca(x)), o.Perplexity)
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	y = make([][2]float64, n)
	velocity, gain, grad := make([][2]float64, n), make([][2]float64, n), make([][2]float64, n)
	for i := range y {
		y[i] = [2]float64{1e-4 * rng.NormFloat64(), 1e-4 * rng.NormFloat64()}
		gain[i] = [2]float64{1, 1}
	}
	// the authors' gradient lacks the factor 4
	learningRate := max(float64(n)/exaggeration, 200) / 4
	for step := range o.Iterations {
		if o.Step != nil {
			o.Step()
		}
		factor, momentum := 1.0, 0.8
		if step < exaggerationIterations {
			factor, momentum = exaggeration, 0.5
		}
		gradient(grad, p, y, factor)
		for i := range y {
			for k, g := range grad[i] {
				if g*velocity[i][k] < 0 {
					gain[i][k] += 0.2
				} else {
					gain[i][k] = max(gain[i][k]*0.8, minGain)
				}
				velocity[i][k] = momentum*velocity[i][k] - learningRate*gain[i][k]*g
				y[i][k] += velocity[i][k]
			}
		}
	}
	return y, divergence(p, y)
}

// pca projects the rows of x [N D] on their first 50 principal components. It returns x if D ≤ 50.
func pca(x *mat.Dense) *mat.Dense {
	n, d := x.Dims()
	if d <= components {
		return x
	}
	var covariance mat.SymDense
	stat.CovarianceMatrix(&covariance, x, nil)
	var eigen mat.EigenSym
	if !eigen.Factorize(&covariance, true) {
		panic(fmt.Sprintf(
			"tsne: Embed: the covariance of points [%d %d] has no eigenvectors: are they all finite?", n, d,
		))
	}
	var vectors, y mat.Dense
	eigen.VectorsTo(&vectors) // sorted by ascending eigenvalue
	y.Mul(x, vectors.Slice(0, d, d-components, d))
	return &y
}

// squaredDistances returns the squared distances between the rows of x, for the pairs i < j in
// lexicographic order.
func squaredDistances(x *mat.Dense) []float64 {
	n, _ := x.Dims()
	all := make([]float64, 0, n*(n-1)/2)
	for i := range n {
		for j := i + 1; j < n; j++ {
			d := floats.Distance(x.RawRowView(i), x.RawRowView(j), 2)
			all = append(all, d*d)
		}
	}
	return all
}

// pairIndex returns the index of the pair i < j of n points.
func pairIndex(i, j, n int) int { return i*(2*n-i-1)/2 + j - i - 1 }

// affinities returns p_ij of the pairs i < j, for squared distances d:
//
//	p_j|i = exp(−β_i d_ij) / Σ_k exp(−β_i d_ik),  p_ij = (p_j|i + p_i|j) / 2N
//
// with β_i such that the entropy of p_·|i is the logarithm of the perplexity. Σ_{i<j} p_ij = ½.
func affinities(d []float64, perplexity float64) []float64 {
	n := int(math.Round((1 + math.Sqrt(1+8*float64(len(d)))) / 2))
	p := make([]float64, len(d))
	row, conditional := make([]float64, n-1), make([]float64, n-1)
	at := func(i, j int) int { // index of the pair of i and its j-th other point
		if j < i {
			return pairIndex(j, i, n)
		}
		return pairIndex(i, j+1, n)
	}
	for i := range n {
		for j := range row {
			row[j] = d[at(i, j)]
		}
		conditionals(conditional, row, math.Log(perplexity))
		for j, v := range conditional {
			p[at(i, j)] += v / float64(2*n)
		}
	}
	return p
}

// conditionals sets p to exp(−β d) / Σ exp(−β d) and finds β by bisection, so that p has the given
// entropy (in nats).
func conditionals(p, d []float64, entropy float64) {
	low, high, beta := 0.0, math.Inf(1), 1.0
	nearest := floats.Min(d)
	for range 100 {
		for j, v := range d {
			p[j] = math.Exp(-beta * (v - nearest))
		}
		floats.Scale(1/floats.Sum(p), p)
		h := stat.Entropy(p)
		if math.Abs(h-entropy) < 1e-6 {
			return
		}
		if h > entropy {
			low = beta
			beta = min(2*beta, (beta+high)/2)
		} else {
			high = beta
			beta = (low + beta) / 2
		}
	}
}

// gradient sets g to the gradient of the divergence at y, with the affinities p multiplied by a
// factor f ≥ 1:
//
//	∂C/∂y_i = 4 Σ_j (f p_ij − q_ij) w_ij (y_i − y_j),  w_ij = 1/(1 + |y_i − y_j|²),  q_ij = w_ij / Σ_{k≠l} w_kl
func gradient(g [][2]float64, p []float64, y [][2]float64, f float64) {
	n := len(y)
	repulsion := make([][2]float64, n) // Σ_j w_ij² (y_i − y_j)
	clear(g)
	sum, k := 0.0, 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			dx, dy := y[i][0]-y[j][0], y[i][1]-y[j][1]
			w := 1 / (1 + dx*dx + dy*dy)
			sum += w
			attract, repel := p[k]*w, w*w
			k++
			g[i][0] += attract * dx
			g[i][1] += attract * dy
			g[j][0] -= attract * dx
			g[j][1] -= attract * dy
			repulsion[i][0] += repel * dx
			repulsion[i][1] += repel * dy
			repulsion[j][0] -= repel * dx
			repulsion[j][1] -= repel * dy
		}
	}
	for i := range g {
		for c := range g[i] {
			g[i][c] = 4 * (f*g[i][c] - repulsion[i][c]/(2*sum))
		}
	}
}

// divergence returns C = Σ_{i≠j} p_ij ln(p_ij / q_ij).
func divergence(p []float64, y [][2]float64) float64 {
	w := make([]float64, 0, len(p))
	for i := range y {
		for j := i + 1; j < len(y); j++ {
			dx, dy := y[i][0]-y[j][0], y[i][1]-y[j][1]
			w = append(w, 1/(1+dx*dx+dy*dy))
		}
	}
	sum, c := 2*floats.Sum(w), 0.0
	for k, v := range p {
		if v > 0 {
			c += 2 * v * math.Log(v*sum/w[k])
		}
	}
	return c
}
