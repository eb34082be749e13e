package devicetest

import (
	"fmt"
	"math"
)

// A norm is one LayerNorm, forward and backward, computed by the definition.
type norm struct {
	rows, n                 int
	x, gamma, beta, g       []float64
	y, stats                []float64
	dx, dgamma, dbeta, hats []float64
}

const normEps = 1e-5

func (s *suite) norm(rows, n int, mean float64) *norm {
	m := &norm{rows: rows, n: n, x: s.numbers(rows * n), gamma: s.numbers(n), beta: s.numbers(n),
		g: s.numbers(rows * n),
		y: make([]float64, rows*n), stats: make([]float64, 2*rows),
		dx: make([]float64, rows*n), dgamma: make([]float64, n), dbeta: make([]float64, n),
		hats: make([]float64, rows*n)}
	for i := range m.x {
		m.x[i] += mean
	}
	for r := range rows {
		m.row(r)
	}
	return m
}

// row computes row r, and adds its part to the gradients of gamma and beta. With h = g ⊙ γ, dx is
// the product of h with the Jacobian ∂x̂ᵢ/∂xⱼ = rstd·([i = j] − 1/n − x̂ᵢx̂ⱼ/n).
func (m *norm) row(r int) {
	n, from := float64(m.n), r*m.n
	mean, variance := 0.0, 0.0
	for _, v := range m.x[from : from+m.n] {
		mean += v
	}
	mean /= n
	for _, v := range m.x[from : from+m.n] {
		variance += (v - mean) * (v - mean)
	}
	rstd := 1 / math.Sqrt(variance/n+normEps)
	m.stats[2*r], m.stats[2*r+1] = mean, rstd
	sumH, sumHX := 0.0, 0.0
	for j := range m.n {
		hat := (m.x[from+j] - mean) * rstd
		m.hats[from+j] = hat
		m.y[from+j] = m.gamma[j]*hat + m.beta[j]
		m.dgamma[j] += m.g[from+j] * hat
		m.dbeta[j] += m.g[from+j]
		sumH += m.g[from+j] * m.gamma[j]
		sumHX += m.g[from+j] * m.gamma[j] * hat
	}
	for j := range m.n {
		m.dx[from+j] = rstd * (m.g[from+j]*m.gamma[j] - sumH/n - m.hats[from+j]*sumHX/n)
	}
}

func (s *suite) layerNorm() {
	for _, c := range matrices {
		// With a mean far from 0, a variance computed as mean(x²) − mean(x)² would lose its
		// digits.
		for _, mean := range []float64{0, 256} {
			m := s.norm(c.rows, c.n, mean)
			name, terms := fmt.Sprintf("LayerNorm %+v, mean %g", c, mean), 64+32*int(mean)
			y, stats, same := s.poison(len(m.y)), s.poison(len(m.stats)), s.put(m.x)
			s.dev.LayerNorm(y, stats, s.put(m.x), s.put(m.gamma), s.put(m.beta), c.rows,
				c.n, normEps)
			s.expect(name+": y", y, m.y, terms)
			s.expect(name+": stats", stats, m.stats, terms)
			s.dev.LayerNorm(same, stats, same, s.put(m.gamma), s.put(m.beta), c.rows, c.n, normEps)
			s.expect(name+": y in place", same, m.y, terms)

			for _, in := range []string{"", "g", "x"} {
				g, x, dx := s.put(m.g), s.put(m.x), s.poison(len(m.x))
				switch in {
				case "g":
					dx = g
				case "x":
					dx = x
				}
				dgamma, dbeta := s.poison(c.n), s.poison(c.n)
				s.dev.LayerNormGrad(dx, dgamma, dbeta, g, x, s.put(m.stats), s.put(m.gamma),
					c.rows, c.n)
				s.expect(fmt.Sprintf("%s: dx in place of %q", name, in), dx, m.dx, terms)
				s.expect(fmt.Sprintf("%s: dgamma, dx in place of %q", name, in), dgamma,
					m.dgamma, terms*max(1, c.rows/8))
				s.expect(fmt.Sprintf("%s: dbeta, dx in place of %q", name, in), dbeta, m.dbeta, 0)
			}
		}
	}
}
