package devicetest

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// adam takes three steps of the published algorithms: Adam by Kingma and Ba (ICLR 2015, algorithm
// 1), AdamW by Loshchilov and Hutter (ICLR 2019, algorithm 2).
func (s *suite) adam() {
	for _, n := range sizes {
		for _, a := range []device.Adam{
			{LR: 0.125, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
			{LR: 0.01, Beta1: 0.8, Beta2: 0.99, Eps: 1e-3, WeightDecay: 0.25},
			{LR: 0.0625, Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.25, Decoupled: true},
		} {
			p, m, v := s.numbers(n), make([]float64, n), make([]float64, n)
			pb, mb, vb := s.put(p), s.put(m), s.put(v)
			for step := 1.0; step <= 3; step++ {
				a.Correction1, a.Correction2 = 1-math.Pow(a.Beta1, step), 1-math.Pow(a.Beta2, step)
				g := s.numbers(n)
				s.dev.Adam(a, pb, s.put(g), mb, vb)
				for i := range p {
					adamElement(a, &p[i], &m[i], &v[i], g[i])
				}
				name := fmt.Sprintf("step %g of Adam of %d, decay %g, decoupled %t", step,
					n, a.WeightDecay, a.Decoupled)
				s.expect(name+": p", pb, p, 0)
				s.expect(name+": m", mb, m, 0)
				s.expect(name+": v", vb, v, 0)
			}
		}
	}
}

// adams takes steps of many tensors in immediate succession, which a device may combine. One of
// the tensors takes two steps, which a device must not combine.
func (s *suite) adams() {
	var all [4][]device.Buffer // p, g, m, v
	var want [][]float64
	steps := []device.Adam{}
	const twice = 3
	for i, n := range []int{5, 2048, 1, 40001, 2049, 33} {
		a := device.Adam{LR: 0.125 / float64(i+1), Beta1: 0.9, Beta2: 0.999,
			Eps: 1e-8, Correction1: 0.1, Correction2: 0.001 * float64(i+1)}
		p, g, m, v := s.numbers(n), s.numbers(n), make([]float64, n), make([]float64, n)
		for k, values := range [][]float64{p, g, m, v} {
			all[k] = append(all[k], s.put(values))
		}
		for j := range p {
			adamElement(a, &p[j], &m[j], &v[j], g[j])
			if i == twice {
				adamElement(a, &p[j], &m[j], &v[j], g[j])
			}
		}
		steps, want = append(steps, a), append(want, p)
	}
	for i, a := range steps {
		s.dev.Adam(a, all[0][i], all[1][i], all[2][i], all[3][i])
		if i == twice {
			s.dev.Adam(a, all[0][i], all[1][i], all[2][i], all[3][i])
		}
	}
	for i, p := range want {
		s.expect(fmt.Sprintf("tensor %d of many: p", i), all[0][i], p, 0)
	}
}

// adamRows updates some rows of a table as adam does, and checks that the other rows are
// unchanged.
func (s *suite) adamRows() {
	const rows, width = 7, 5
	a := device.Adam{LR: 0.0625, Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.25,
		Decoupled: true, Correction1: 0.1, Correction2: 0.02}
	p, g := s.numbers(rows*width), s.numbers(3*width)
	m, v := make([]float64, rows*width), make([]float64, rows*width)
	pb, mb, vb := s.put(p), s.put(m), s.put(v)
	index := []int{0, 4, 6}
	s.dev.AdamRows(a, pb, s.put(g), mb, vb, index, width)
	for i, r := range index {
		for j := range width {
			adamElement(a, &p[r*width+j], &m[r*width+j], &v[r*width+j], g[i*width+j])
		}
	}
	s.expect("AdamRows: p", pb, p, 0)
	s.expect("AdamRows: m", mb, m, 0)
	s.expect("AdamRows: v", vb, v, 0)
}

func adamElement(a device.Adam, p, m, v *float64, g float64) {
	if a.Decoupled {
		*p -= a.LR * a.WeightDecay * *p
	} else {
		g += a.WeightDecay * *p
	}
	*m = a.Beta1**m + (1-a.Beta1)*g
	*v = a.Beta2**v + (1-a.Beta2)*g*g
	*p -= a.LR * (*m / a.Correction1) / (math.Sqrt(*v/a.Correction2) + a.Eps)
}
