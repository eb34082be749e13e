// Package devicetest checks that a device computes what package device defines. It compares each
// kernel with plain loops in double precision, over sizes that leave remainders in vector loops
// and sizes that are split between cores. Every device must pass.
//
// A new kernel gets a check in this package and a line in the table of [Run].
package devicetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// Run checks every kernel of dev, and every constant of package device that selects a function.
// Each kernel is a subtest.
func Run(t *testing.T, dev device.Device) {
	families := []struct {
		name  string
		check func(s *suite)
	}{
		{"Buffers", (*suite).buffers},
		{"Fill", (*suite).fill},
		{"Axpy", (*suite).axpy},
		{"Unary", (*suite).unary},
		{"UnarySpecial", (*suite).unarySpecial},
		{"UnaryGrad", (*suite).unaryGrad},
		{"UnaryGradSpecial", (*suite).unaryGradSpecial},
		{"Binary", (*suite).binary},
		{"BinarySpecial", (*suite).binarySpecial},
		{"Copy", (*suite).copy},
		{"Accumulate", (*suite).accumulate},
		{"Gather", (*suite).gather},
		{"ScatterAdd", (*suite).scatterAdd},
		{"Dropout", (*suite).dropout},
		{"Reduce", (*suite).reduce},
		{"ReduceSpecial", (*suite).reduceSpecial},
		{"Dot", (*suite).dot},
		{"Gemm", (*suite).gemm},
		{"Softmax", (*suite).softmax},
		{"SoftmaxSpecial", (*suite).softmaxSpecial},
		{"LayerNorm", (*suite).layerNorm},
		{"Attention", (*suite).attention},
		{"LSTM", (*suite).lstm},
		{"GRU", (*suite).gru},
		{"CausalConv", (*suite).causalConv},
		{"SelectiveScan", (*suite).scan},
		{"PairScores", (*suite).pairs},
		{"PackSigns", (*suite).packSigns},
		{"Adam", (*suite).adam},
		{"Adams", (*suite).adams},
		{"AdamRows", (*suite).adamRows},
		{"AdamCompact", (*suite).adamCompact},
		{"AdamCompactZeros", (*suite).compactZeros},
		{"DropoutLimit", (*suite).dropoutLimit},
		{"Parts", (*suite).parts},
	}
	for i, f := range families {
		t.Run(f.name, func(t *testing.T) {
			f.check(&suite{t, dev, rand.New(rand.NewPCG(1, uint64(i)))})
		})
	}
}

// A suite checks one device.
type suite struct {
	*testing.T
	dev device.Device
	rng *rand.Rand
}

// sizes are lengths with and without a remainder, below and above the length of one core's chunk.
var sizes = []int{1, 7, 33, 16384, 40001}

// numbers returns n random multiples of 1/1024 in [−2, 2). They are exact in either precision, and
// some are equal to one another.
func (s *suite) numbers(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(s.rng.IntN(4096)-2048) / 1024
	}
	return v
}

// put returns a new buffer with the contents v.
func (s *suite) put(v []float64) device.Buffer {
	b := s.dev.Alloc(len(v))
	s.dev.Upload(b, v)
	return b
}

// poison returns a buffer of NaN. It reveals an element that a kernel failed to write, or read by
// mistake.
func (s *suite) poison(n int) device.Buffer { return s.put(filled(n, math.NaN())) }

func filled(n int, v float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// get returns the contents of a buffer.
func (s *suite) get(b device.Buffer) []float64 {
	s.Helper()
	v := make([]float64, b.Len())
	s.dev.Download(v, b)
	if err := s.dev.Sync(); err != nil {
		s.Fatalf("Sync: %v", err)
	}
	return v
}

// expect compares a buffer with want. The tolerance is 32 units in the last place of the element,
// or of 1 if the element is smaller, plus one unit for each of the terms of a sum.
func (s *suite) expect(what string, b device.Buffer, want []float64, terms int) {
	s.Helper()
	tolerances := make([]float64, len(want))
	for i, w := range want {
		tolerances[i] = s.unit() * (32*max(1, math.Abs(w)) + float64(terms))
	}
	s.expectWithin(what, b, want, tolerances)
}

// expectWithin compares a buffer with want; each element has its own tolerance.
func (s *suite) expectWithin(what string, b device.Buffer, want, tolerances []float64) {
	s.Helper()
	got := s.get(b)
	if len(got) != len(want) {
		s.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if got[i] == w || math.IsNaN(got[i]) && math.IsNaN(w) {
			continue
		}
		if math.IsInf(w, 0) || !(math.Abs(got[i]-w) <= tolerances[i]) {
			s.Errorf("%s: element %d of %d is %g, want %g ± %.1g", what, i, len(want), got[i],
				w, tolerances[i])
			return
		}
	}
}

// unit returns the unit in the last place of 1.
func (s *suite) unit() float64 {
	if s.dev.Bits() == 64 {
		return 0x1p-52
	}
	return 0x1p-23
}

// parts checks that a part of a buffer is the same memory.
func (s *suite) parts() {
	whole := s.put([]float64{1, 2, 3, 4, 5})
	part := s.dev.Part(whole, 1, 3)
	if got := s.get(part); !slices.Equal(got, []float64{2, 3, 4}) {
		s.Errorf("Part(1, 3) of 1 to 5 is %v", got)
	}
	s.dev.Fill(part, 7)
	if got := s.get(whole); !slices.Equal(got, []float64{1, 7, 7, 7, 5}) {
		s.Errorf("1 to 5 after Fill(7) of Part(1, 3): %v", got)
	}
}

// buffers checks that Download returns what Upload stored, rounded to the device's precision.
func (s *suite) buffers() {
	if s.dev.Name() == "" || s.dev.Bits() != 32 && s.dev.Bits() != 64 {
		s.Errorf("Name %q, Bits %d", s.dev.Name(), s.dev.Bits())
	}
	rounded := func(v float64) float64 {
		if s.dev.Bits() == 32 {
			return float64(float32(v))
		}
		return v
	}
	for _, n := range append([]int{0}, sizes...) {
		src, src32 := make([]float64, n), make([]float32, n)
		special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1),
			1e300, 1e-300}
		for i := range src {
			if i < len(special) && n > 1 {
				src[i] = special[i]
			} else {
				src[i] = s.rng.NormFloat64()
			}
			src32[i] = float32(src[i])
		}
		wide, narrow := s.poison(n), s.poison(n)
		s.dev.Upload(wide, src)
		s.dev.Upload32(narrow, src32)
		if wide.Len() != n {
			s.Errorf("Alloc(%d): Len is %d", n, wide.Len())
		}
		a, b := s.get(wide), s.get(narrow)
		for i := range src {
			if w := rounded(src[i]); math.Float64bits(a[i]) != math.Float64bits(w) &&
				!math.IsNaN(w) {
				s.Fatalf("Upload: element %d of %d is %g, want %g", i, n, a[i], w)
			}
			if w := float64(src32[i]); math.Float64bits(b[i]) != math.Float64bits(w) &&
				!math.IsNaN(w) {
				s.Fatalf("Upload32: element %d of %d is %g, want %g", i, n, b[i], w)
			}
			if math.IsNaN(src[i]) != math.IsNaN(a[i]) || math.IsNaN(src[i]) != math.IsNaN(b[i]) {
				s.Fatalf("element %d of %d: NaN was downloaded as %g and %g", i, n, a[i], b[i])
			}
		}
	}
}

func (s *suite) fill() {
	for _, n := range sizes {
		b := s.poison(n)
		for _, v := range []float64{0, -1.75, math.Inf(-1)} {
			s.dev.Fill(b, v)
			s.expect(fmt.Sprintf("Fill(%g) of %d", v, n), b, filled(n, v), 0)
		}
	}
}

func (s *suite) axpy() {
	for _, n := range sizes {
		x, y := s.numbers(n), s.numbers(n)
		want := make([]float64, n)
		for i := range want {
			want[i] = y[i] - 1.75*x[i]
		}
		b := s.put(y)
		s.dev.Axpy(-1.75, s.put(x), b)
		s.expect(fmt.Sprintf("Axpy of %d", n), b, want, 0)
	}
}
