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

// adamCompact takes two steps of the compact form, of all rows of a matrix or of some, with either
// weight decay. The second starts from the device's m, which may be rounded to another number where
// it is almost halfway between two.
func (s *suite) adamCompact() {
	for _, shape := range [][2]int{
		{1, 1}, {1, 70}, {9, 1}, {6, 33}, {37, 64}, {3, 20011}, {201, 256},
	} {
		for _, index := range [][]int{nil, {shape[0] - 1}, {}} {
			for _, decoupled := range []bool{false, true} {
				c := compact{suite: s, rows: shape[0], columns: shape[1], index: index,
					a: device.Adam{LR: 0.0625, Beta1: 0.9, Beta2: 0.98, Eps: 1e-6,
						WeightDecay: 0.25, Decoupled: decoupled}}
				c.check()
			}
		}
	}
}

// A compact checks AdamCompact for one shape.
type compact struct {
	*suite
	a             device.Adam
	rows, columns int
	index         []int

	p, m, row, column []float64 // as they should be
}

func (c *compact) check() {
	c.p, c.m = c.numbers(c.rows*c.columns), make([]float64, c.rows*c.columns)
	c.row, c.column = make([]float64, c.rows), make([]float64, c.columns)
	half := (c.columns + 1) / 2
	pb, mb := c.put(c.p), c.put(make([]float64, c.rows*half))
	row, column := c.put(c.row), c.put(c.column)
	for step := 1.0; step <= 2; step++ {
		c.a.Correction1, c.a.Correction2 = 1-math.Pow(c.a.Beta1, step), 1-math.Pow(c.a.Beta2, step)
		n := c.rows
		if c.index != nil {
			n = len(c.index)
		}
		g := c.numbers(n * c.columns)
		c.dev.AdamCompact(c.a, pb, c.put(g), mb, row, column, c.index)
		c.step(g)
		name := fmt.Sprintf("step %g of AdamCompact of %d×%d, rows %v, decoupled %t", step, c.rows,
			c.columns, c.index, c.a.Decoupled)
		c.expect(name+": p", pb, c.p, 64)
		c.expect(name+": row", row, c.row, 64)
		c.expect(name+": column", column, c.column, 64)
		for i, got := range c.unpacked(c.get(mb)) {
			if !(math.Abs(got-c.m[i]) <= 0x1.001p-8*math.Abs(c.m[i])+8*c.unit()) {
				c.Errorf("%s: m: element %d is %g, want %g to 8 bits", name, i, got, c.m[i])
				return
			}
			c.m[i] = got
		}
	}
}

// step computes the formulas of device.Adam.
func (c *compact) step(g []float64) {
	rows := c.index
	if rows == nil {
		for r := range c.rows {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return
	}
	squares := make([]float64, c.columns)
	for i, r := range rows {
		sum := 0.0
		for j := range c.columns {
			if x := &g[i*c.columns+j]; !c.a.Decoupled {
				*x += c.a.WeightDecay * c.p[r*c.columns+j]
			}
			square := math.Pow(g[i*c.columns+j], 2)
			sum, squares[j] = sum+square, squares[j]+square
		}
		c.row[r] = c.a.Beta2*c.row[r] + (1-c.a.Beta2)*sum/float64(c.columns)
	}
	mean := 0.0
	for j, sum := range squares {
		c.column[j] = c.a.Beta2*c.column[j] + (1-c.a.Beta2)*sum/float64(len(rows))
		mean += c.column[j] / float64(c.columns)
	}
	for i, r := range rows {
		for j := range c.columns {
			p, m := &c.p[r*c.columns+j], &c.m[r*c.columns+j]
			if c.a.Decoupled {
				*p -= c.a.LR * c.a.WeightDecay * *p
			}
			*m = c.a.Beta1**m + (1-c.a.Beta1)*g[i*c.columns+j]
			v := c.row[r] * c.column[j] / mean
			*p -= c.a.LR * (*m / c.a.Correction1) / (math.Sqrt(v/c.a.Correction2) + c.a.Eps)
		}
	}
}

// unpacked returns the numbers that are stored in pairs.
func (c *compact) unpacked(pairs []float64) []float64 {
	m, h, half := make([]float64, c.rows*c.columns), c.columns/2, (c.columns+1)/2
	for i, pair := range pairs {
		row, bits := m[i/half*c.columns:], math.Float32bits(float32(pair))
		low, high := math.Float32frombits(bits<<16), math.Float32frombits(bits&^0xffff)
		if k := i % half; k < h {
			row[k], row[h+k] = float64(low), float64(high)
		} else {
			row[2*h] = float64(low)
		}
	}
	return m
}

// compactZeros makes steps with gradients of zeros, before any other and after: the first changes
// nothing, and there is no NaN.
func (s *suite) compactZeros() {
	a := device.Adam{LR: 0.5, Beta1: 0.5, Beta2: 0.5, Eps: 0x1p-60,
		Correction1: 0.5, Correction2: 0.5}
	zeros := func(n int) device.Buffer { return s.put(make([]float64, n)) }
	p, m, row, column := s.put([]float64{1, 2, 3, 4}), zeros(2), zeros(2), zeros(2)
	s.dev.AdamCompact(a, p, zeros(4), m, row, column, nil)
	s.expect("AdamCompact without a gradient", p, []float64{1, 2, 3, 4}, 0)
	s.dev.AdamCompact(a, p, s.put([]float64{1, 0, 0, 0}), m, row, column, nil)
	s.expect("AdamCompact with one of a number", p, []float64{0.5, 2, 3, 4}, 0)
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
