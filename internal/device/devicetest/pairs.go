package devicetest

import "fmt"

// pairs compares PairScores and PairScoresGrad with loops over all pairs and hidden units. The
// inputs are multiples of 1/1024, so no rounding error moves a sum across the kink of ReLU at 0.
func (s *suite) pairs() {
	for _, c := range [][3]int{{1, 1, 1}, {3, 5, 7}, {5, 3, 33}, {4, 2, 300}, {9, 7, 1030},
		{20, 37, 40}, {33, 17, 290}} {
		m, n, width := c[0], c[1], c[2]
		u, v, w, g := s.numbers(n*width), s.numbers(m*width), s.numbers(width), s.numbers(m*n)
		y, dw := make([]float64, m*n), make([]float64, width)
		du, dv := make([]float64, n*width), make([]float64, m*width)
		for i := range m {
			for j := range n {
				for h := range width {
					if sum := u[j*width+h] + v[i*width+h]; sum > 0 {
						y[i*n+j] += w[h] * sum
						du[j*width+h] += g[i*n+j] * w[h]
						dv[i*width+h] += g[i*n+j] * w[h]
						dw[h] += g[i*n+j] * sum
					}
				}
			}
		}
		what := fmt.Sprintf("PairScores [%d %d] of width %d", m, n, width)
		us, vs, ws := s.put(u), s.put(v), s.put(w)
		dst := s.poison(m * n)
		s.dev.PairScores(dst, us, vs, ws, m, n, width)
		s.expect(what, dst, y, 8*width)
		gu, gv, gw := s.poison(n*width), s.poison(m*width), s.poison(width)
		s.dev.PairScoresGrad(gu, gv, gw, s.put(g), us, vs, ws, m, n, width)
		s.expect(what+", du", gu, du, 4*m)
		s.expect(what+", dv", gv, dv, 4*n)
		s.expect(what+", dw", gw, dw, 4*m*n)
	}
}

// packSigns compares PackSigns and ApplySignMask with loops over single signs.
func (s *suite) packSigns() {
	for _, n := range append(sizes, 15, 16, 17) {
		x, y := s.numbers(n), s.numbers(n)
		packed, masked := make([]float64, (n+15)/16), make([]float64, n)
		for i := range n {
			if x[i] > 0 {
				packed[i/16] += float64(int(1) << (i % 16))
				masked[i] = y[i]
			}
		}
		signs, dst := s.poison(len(packed)), s.poison(n)
		s.dev.PackSigns(signs, s.put(x))
		s.expect(fmt.Sprintf("PackSigns of %d", n), signs, packed, 0)
		s.dev.ApplySignMask(dst, s.put(y), signs)
		s.expect(fmt.Sprintf("ApplySignMask of %d", n), dst, masked, 0)
		in := s.put(y)
		s.dev.ApplySignMask(in, in, signs)
		s.expect(fmt.Sprintf("ApplySignMask of %d in place", n), in, masked, 0)
	}
}
