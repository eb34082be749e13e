package simd

import "math"

// partials is the number of interleaved partial sums.
const partials = 32

// fold adds interleaved partial sums in the order of the vector kernels.
func fold[T float32 | float64](s *[partials]T) T {
	for half := partials / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[i+half]
		}
	}
	return s[0]
}

func plainSum(x []float32) float32 {
	var s [partials]float32
	for i, v := range x {
		s[i%partials] += v
	}
	return fold(&s)
}

func plainDot(x, y []float32) float32 {
	var s [partials]float32
	for i, v := range x {
		s[i%partials] += v * y[i]
	}
	return fold(&s)
}

func plainDot64(x, y []float32) float64 {
	var s [partials]float64
	for i, v := range x {
		s[i%partials] += float64(float64(v) * float64(y[i])) // exact
	}
	return fold(&s)
}

func plainSoftmax(y, x []float32) (top, sum float32) {
	top = -math.MaxFloat32
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	var s [partials]float32
	for i, v := range x {
		e := exp32(v - top)
		y[i] = e
		s[i%partials] += e
	}
	sum = fold(&s)
	scale := 1 / max(sum, 0x1p-126)
	for i, v := range y {
		y[i] = v * scale
	}
	return top, sum
}

func plainSoftmaxGrad(dx, y, g []float32) {
	s := plainDot(y, g)
	for i, v := range y {
		dx[i] = v * (g[i] - s)
	}
}

func plainScoreGrad(p, ds []float32, lse, inner float32) {
	for i, s := range p {
		w := exp32(s - lse)
		p[i] = w
		ds[i] = w * (ds[i] - inner)
	}
}

func plainLayerNorm(y, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	n := float32(len(x))
	mean = plainSum(x) / n
	var s [partials]float32
	for i, v := range x {
		s[i%partials] += (v - mean) * (v - mean)
	}
	rstd = 1 / float32(math.Sqrt(float64(fold(&s)/n+eps)))
	for i, v := range x {
		y[i] = gamma[i]*((v-mean)*rstd) + beta[i]
	}
	return mean, rstd
}

func plainLayerNormGrad(dx, dgamma, dbeta, g, x, gamma []float32, mean, rstd float32) {
	var sumH, sumHX [partials]float32
	for i, v := range x {
		normed, h := (v-mean)*rstd, g[i]*gamma[i]
		dgamma[i] += g[i] * normed
		dbeta[i] += g[i]
		sumH[i%partials] += h
		sumHX[i%partials] += h * normed
	}
	n := float32(len(x))
	a, b := fold(&sumH)/n, fold(&sumHX)/n
	for i, v := range x {
		dx[i] = (g[i]*gamma[i] - a - (v-mean)*rstd*b) * rstd
	}
}
