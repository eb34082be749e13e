package devicetest

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// A view is an operand without its buffer.
type view struct {
	offset  int
	strides []int
}

func (v view) of(b device.Buffer) device.Operand {
	return device.Operand{Buf: b, Offset: v.offset, Strides: v.strides}
}

// at returns the position of the i-th element, in row-major order, of a view of the given shape.
func (v view) at(shape []int, i int) int {
	p := v.offset
	for axis := len(shape) - 1; axis >= 0; axis-- {
		p += i % shape[axis] * v.strides[axis]
		i /= shape[axis]
	}
	return p
}

// extent returns the length of the smallest buffer that holds the view.
func (v view) extent(shape []int) int {
	last := v.offset
	for axis, n := range shape {
		last += (n - 1) * v.strides[axis]
	}
	return last + 1
}

func volume(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func dense(shape []int) view {
	v := view{strides: make([]int, len(shape))}
	n := 1
	for axis := len(shape) - 1; axis >= 0; axis-- {
		v.strides[axis] = n
		n *= shape[axis]
	}
	return v
}

// A layout is a shape with two views.
type layout struct {
	name  string
	shape []int
	x, y  view
}

var layouts = []layout{
	{"rank 0", nil, view{}, view{offset: 3}},
	{"one element", []int{1, 1}, view{0, []int{5, 7}}, view{2, []int{1, 1}}},
	{"vector", []int{7}, view{0, []int{1}}, view{0, []int{1}}},
	{"vector and scalar", []int{33}, view{0, []int{1}}, view{2, []int{0}}},
	{"matrix", []int{3, 11}, view{0, []int{11, 1}}, view{0, []int{11, 1}}},
	{"row", []int{4, 6}, view{0, []int{6, 1}}, view{0, []int{0, 1}}},
	{"row first", []int{4, 6}, view{1, []int{0, 1}}, view{0, []int{6, 1}}},
	{"column", []int{4, 6}, view{0, []int{6, 1}}, view{0, []int{1, 0}}},
	{"row and column", []int{5, 4}, view{0, []int{0, 1}}, view{0, []int{1, 0}}},
	{"scalar", []int{4, 6}, view{0, []int{6, 1}}, view{1, []int{0, 0}}},
	{"two scalars", []int{4, 6}, view{0, []int{0, 0}}, view{0, []int{0, 0}}},
	{"middle axis", []int{3, 4, 5}, view{0, []int{20, 5, 1}}, view{0, []int{5, 0, 1}}},
	{"outer axes", []int{3, 4, 5}, view{0, []int{20, 5, 1}}, view{0, []int{0, 1, 0}}},
	{"transposed", []int{4, 6}, view{2, []int{1, 4}}, view{0, []int{6, 1}}},
	{"both transposed", []int{3, 4, 5}, view{0, []int{1, 15, 3}}, view{4, []int{1, 3, 12}}},
	{"parts of rows", []int{3, 5}, view{2, []int{9, 1}}, view{1, []int{14, 2}}},
	{"windows", []int{6, 3, 2}, view{0, []int{2, 2, 1}}, view{0, []int{6, 2, 1}}},
	{"axes of 1", []int{1, 5, 1, 3}, view{0, []int{99, 3, 42, 1}}, view{0, []int{0, 1, 0, 0}}},
	{"rank 5", []int{2, 3, 2, 3, 2}, view{0, []int{36, 12, 6, 2, 1}},
		view{0, []int{1, 2, 0, 6, 18}}},
	{"long vector", []int{40001}, view{0, []int{1}}, view{5, []int{1}}},
	{"long vector and scalar", []int{40001}, view{0, []int{1}}, view{0, []int{0}}},
	{"long vector, every second", []int{20001}, view{1, []int{2}}, view{0, []int{1}}},
	{"long rows", []int{2, 20001}, view{0, []int{20003, 1}}, view{0, []int{0, 1}}},
	{"large matrix and row", []int{300, 131}, view{0, []int{131, 1}}, view{0, []int{0, 1}}},
	{"large matrix and column", []int{300, 131}, view{0, []int{131, 1}}, view{0, []int{1, 0}}},
	{"large transposed", []int{131, 300}, view{0, []int{1, 131}}, view{0, []int{300, 1}}},
	{"large middle axis", []int{20, 30, 64}, view{0, []int{1920, 64, 1}},
		view{0, []int{64, 0, 1}}},
}

// A relation defines a device.Binary.
type relation struct {
	name string
	f    func(x, y float64) float64
}

var relations = [device.NumBinary]relation{
	device.Add:   {"Add", func(x, y float64) float64 { return x + y }},
	device.Sub:   {"Sub", func(x, y float64) float64 { return x - y }},
	device.Mul:   {"Mul", func(x, y float64) float64 { return x * y }},
	device.Div:   {"Div", func(x, y float64) float64 { return x / y }},
	device.Equal: {"Equal", func(x, y float64) float64 { return indicator(x == y) }},
	device.Less:  {"Less", func(x, y float64) float64 { return indicator(x < y) }},
	device.Mask: {"Mask", func(x, y float64) float64 {
		if y == 0 {
			return math.Inf(-1)
		}
		return x
	}},
}

func indicator(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// eachRelation calls check for every device.Binary, and fails if relations has no definition of
// it.
func (s *suite) eachRelation(check func(op device.Binary, r relation)) {
	for op := range device.NumBinary {
		if relations[op].f == nil {
			s.Errorf("device.Binary %d has no definition in devicetest; add one", op)
			continue
		}
		check(op, relations[op])
	}
}

// coarse returns n random multiples of 1/2 in [−2, 2]. No divisor is close to 0, and equal pairs
// and zeros are common.
func (s *suite) coarse(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(s.rng.IntN(9)-4) / 2
	}
	return v
}

func (s *suite) binary() {
	s.eachRelation(func(op device.Binary, r relation) {
		for _, l := range layouts {
			x, y := s.coarse(l.x.extent(l.shape)), s.coarse(l.y.extent(l.shape))
			want := make([]float64, volume(l.shape))
			for i := range want {
				want[i] = r.f(x[l.x.at(l.shape, i)], y[l.y.at(l.shape, i)])
			}
			dst := s.poison(len(want))
			s.dev.Binary(op, dst, l.shape, l.x.of(s.put(x)), l.y.of(s.put(y)))
			s.expect(fmt.Sprintf("%s, %s", r.name, l.name), dst, want, 0)

			contiguous := dense(l.shape)
			if len(x) == len(want) && fmt.Sprint(l.x) == fmt.Sprint(contiguous) {
				same := s.put(x)
				s.dev.Binary(op, same, l.shape, l.x.of(same), l.y.of(s.put(y)))
				s.expect(fmt.Sprintf("%s, %s, in place of x", r.name, l.name), same, want, 0)
			}
			if len(y) == len(want) && fmt.Sprint(l.y) == fmt.Sprint(contiguous) {
				same := s.put(y)
				s.dev.Binary(op, same, l.shape, l.x.of(s.put(x)), l.y.of(same))
				s.expect(fmt.Sprintf("%s, %s, in place of y", r.name, l.name), same, want, 0)
			}
		}
	})
}

// binarySpecial checks all pairs of special numbers, in a row that is long enough for the vector
// loops.
func (s *suite) binarySpecial() {
	special := []float64{0, math.Copysign(0, -1), 1, -1, infinite, -infinite, math.NaN()}
	var x, y []float64
	for _, a := range special {
		for _, b := range special {
			x, y = append(x, a), append(y, b)
		}
	}
	s.eachRelation(func(op device.Binary, r relation) {
		want := make([]float64, len(x))
		for i := range x {
			want[i] = r.f(x[i], y[i])
		}
		dst, shape := s.poison(len(x)), []int{len(x)}
		s.dev.Binary(op, dst, shape, dense(shape).of(s.put(x)), dense(shape).of(s.put(y)))
		s.expect(r.name+" of special numbers", dst, want, 0)
	})
}

// copy checks each view of the layouts as a source and, if it does not repeat elements, as a
// destination.
func (s *suite) copy() {
	for _, l := range layouts {
		contiguous := dense(l.shape)
		for _, c := range []struct {
			name     string
			dst, src view
		}{{"y to x", l.x, l.y}, {"x to y", l.y, l.x}, {"x to dense", contiguous, l.x},
			{"y to dense", contiguous, l.y}} {
			src, want := s.numbers(c.src.extent(l.shape)), filled(c.dst.extent(l.shape)+2,
				math.NaN())
			seen := map[int]bool{}
			for i := range volume(l.shape) {
				p := c.dst.at(l.shape, i)
				seen[p] = true
				want[p] = src[c.src.at(l.shape, i)]
			}
			if len(seen) < volume(l.shape) {
				continue
			}
			dst := s.poison(len(want))
			s.dev.Copy(c.dst.of(dst), l.shape, c.src.of(s.put(src)))
			s.expect(fmt.Sprintf("Copy, %s, %s", l.name, c.name), dst, want, 0)
		}
	}
}

// accumulate checks each view as a source and as a destination, including views that repeat
// elements.
func (s *suite) accumulate() {
	for _, l := range layouts {
		contiguous := dense(l.shape)
		for _, c := range []struct {
			name     string
			dst, src view
		}{{"y to x", l.x, l.y}, {"x to y", l.y, l.x}, {"dense to x", l.x, contiguous},
			{"dense to y", l.y, contiguous}} {
			src, start := s.numbers(c.src.extent(l.shape)), s.numbers(c.dst.extent(l.shape)+2)
			want, dst := append([]float64(nil), start...), s.put(start)
			for i := range volume(l.shape) {
				want[c.dst.at(l.shape, i)] += src[c.src.at(l.shape, i)]
			}
			s.dev.Accumulate(c.dst.of(dst), l.shape, c.src.of(s.put(src)))
			s.expect(fmt.Sprintf("Accumulate, %s, %s", l.name, c.name), dst, want, 0)

			again := s.put(start)
			s.dev.Accumulate(c.dst.of(again), l.shape, c.src.of(s.put(src)))
			first, second := s.get(dst), s.get(again)
			for i := range first {
				if first[i] != second[i] {
					s.Fatalf("Accumulate, %s, %s: element %d is %g, and %g when repeated",
						l.name, c.name, i, first[i], second[i])
				}
			}
		}
	}
}
