package devicetest

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// tables are the sizes of tables of rows, with the lengths of lists of row numbers.
var tables = []struct{ rows, width, length int }{
	{1, 1, 1}, {5, 1, 12}, {4, 7, 9}, {9, 33, 3}, {50, 20, 3000}, {1, 20000, 3},
	{4000, 2, 3000}, // most rows occur once or twice, far from each other
}

// indices returns random row numbers of a table. At least one row occurs twice if length > 1.
func (s *suite) indices(rows, length int) []int {
	index := make([]int, length)
	for i := range index {
		index[i] = s.rng.IntN(rows)
	}
	if length > 1 {
		index[length-1] = index[0]
	}
	return index
}

func (s *suite) gather() {
	for _, c := range tables {
		table, index := s.numbers(c.rows*c.width), s.indices(c.rows, c.length)
		want := make([]float64, c.length*c.width)
		for i, row := range index {
			for j := range c.width {
				want[i*c.width+j] = table[row*c.width+j]
			}
		}
		dst := s.poison(len(want))
		s.dev.Gather(dst, s.put(table), index, c.width)
		s.expect(fmt.Sprintf("Gather %+v", c), dst, want, 0)
	}
}

func (s *suite) scatterAdd() {
	for _, c := range tables {
		src, index := s.numbers(c.length*c.width), s.indices(c.rows, c.length)
		want := s.numbers(c.rows * c.width)
		dst := s.put(want)
		for i, row := range index {
			for j := range c.width {
				want[row*c.width+j] += src[i*c.width+j]
			}
		}
		s.dev.ScatterAdd(dst, index, s.put(src), c.width)
		s.expect(fmt.Sprintf("ScatterAdd %+v", c), dst, want, 0)
	}
}

func (s *suite) dropout() {
	for _, n := range sizes {
		for _, p := range []float64{0, 0.1, 0.5, 0.999} {
			for _, seed := range []uint64{0, 1, 0xfedcba9876543210} {
				x := s.numbers(n)
				want := make([]float64, n)
				for i, v := range x {
					if device.Keep(seed, i, p) {
						want[i] = v / (1 - p)
					}
				}
				dst, same := s.poison(n), s.put(x)
				s.dev.Dropout(dst, s.put(x), p, seed)
				s.expect(fmt.Sprintf("Dropout of %d, p %g, seed %d", n, p, seed), dst, want, 0)
				s.dev.Dropout(same, same, p, seed)
				s.expect(fmt.Sprintf("Dropout of %d, p %g, seed %d, in place", n, p, seed),
					same, want, 0)
			}
		}
	}
}

// dropoutLimit checks probabilities that are equal to the number of an element, which is kept, and
// greater by half of the distance between two numbers, which drops it.
func (s *suite) dropoutLimit() {
	for seed := range uint64(20) {
		const i = 2
		h := float64(device.Hash(seed, i) >> 11)
		if h >= 1<<52 {
			continue // h + 1/2 is not a float64
		}
		for _, above := range []float64{0, 0.5} {
			p, want := (h+above)*0x1p-53, make([]float64, i+1)
			for j := range want {
				want[j] = indicator(device.Keep(seed, j, p)) / (1 - p)
			}
			if kept := want[i] != 0; kept != (above == 0) {
				s.Errorf("device.Keep(%d, %d, %g) is %t", seed, i, p, kept)
			}
			dst := s.poison(i + 1)
			s.dev.Dropout(dst, s.put(filled(i+1, 1)), p, seed)
			s.expect(fmt.Sprintf("Dropout with p %g, seed %d", p, seed), dst, want, 0)
		}
	}
}
