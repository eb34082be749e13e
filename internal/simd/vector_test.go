package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// onEveryFloat calls f with slices of numbers that sample all of float32, including special
// values.
func onEveryFloat(f func(x []float32)) {
	x := make([]float32, 0, 1<<12)
	for _, v := range []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(),
		1e-45, 1, -1, math.MaxFloat32, -math.MaxFloat32,
		88.72283, 88.7229, -87.3366, -103.97, -104, 9, -9} {
		x = append(x, float32(v))
	}
	for bits := uint64(0); bits < 1<<32; bits += 20011 {
		if x = append(x, math.Float32frombits(uint32(bits))); len(x) == cap(x) {
			f(x)
			x = x[:0]
		}
	}
	f(x)
}

// TestAccuracy compares the functions of one variable with double precision.
func TestAccuracy(t *testing.T) {
	cdf := func(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }
	functions := []struct {
		name     string
		f        func(dst, x []float32)
		want     func(x float64) float64
		rel, abs float64
	}{
		{"Exp", Exp, math.Exp, 1e-7, 1e-45},
		{"Log", Log, math.Log, 2e-7, 0},
		{"Tanh", Tanh, math.Tanh, 3e-7, 1e-45},
		{"Sigmoid", Sigmoid, func(x float64) float64 {
			return 1 / (1 + math.Exp(-x))
		}, 3e-7, 1.3e-38},
		{"GELU", GELU, func(x float64) float64 {
			if x < -50 {
				return 0
			}
			return x * cdf(x)
		}, 1.2e-7, 1e-6},
		{"GELUGrad", func(dst, x []float32) {
			g := make([]float32, len(x))
			for i := range g {
				g[i] = 1
			}
			GELUGrad(dst, x, g)
		}, func(x float64) float64 {
			if math.Abs(x) > 50 {
				return cdf(x)
			}
			return cdf(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		}, 0, 1e-6},
	}
	onEachPath(t, func(t *testing.T) {
		for _, c := range functions {
			var worstRel, worstAbs float64
			onEveryFloat(func(x []float32) {
				dst := make([]float32, len(x))
				c.f(dst, x)
				for i, v := range x {
					got, want := float64(dst[i]), c.want(float64(v))
					d := math.Abs(got - want)
					if single := float64(float32(want)); got == single || math.IsNaN(got) &&
						math.IsNaN(want) {
						continue
					}
					if !(d <= c.rel*math.Abs(want)+c.abs) {
						t.Fatalf("%s(%g) = %g, want %g", c.name, v, got, want)
					}
					worstAbs = max(worstAbs, d)
					if math.Abs(want) > 1.2e-38 {
						worstRel = max(worstRel, d/math.Abs(want))
					}
				}
			})
			t.Logf("%-8s errors: relative %.2g, absolute %.2g", c.name, worstRel, worstAbs)
		}
	})
}

// A routine is one kernel with the number of its arguments: it reads and writes outs, and reads
// ins.
type routine struct {
	name      string
	outs, ins int
	sums      bool
	call      func(v *vector, outs, ins [][]float32) []float64 // returns the kernel's results
}

var routines = []routine{
	{"Exp", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		v.exp(o[0], i[0])
		return nil
	}},
	{"Log", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		v.log(o[0], i[0])
		return nil
	}},
	{"Tanh", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		v.tanh(o[0], i[0])
		return nil
	}},
	{"Sigmoid", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		v.sigmoid(o[0], i[0])
		return nil
	}},
	{"GELU", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		v.gelu(o[0], i[0])
		return nil
	}},
	{"ReLU", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		v.relu(o[0], i[0])
		return nil
	}},
	{"GELUGrad", 1, 2, false, func(v *vector, o, i [][]float32) []float64 {
		v.geluGrad(o[0], i[0], i[1])
		return nil
	}},
	{"ReLUGrad", 1, 2, false, func(v *vector, o, i [][]float32) []float64 {
		v.reluGrad(o[0], i[0], i[1])
		return nil
	}},
	{"Add", 1, 2, false, func(v *vector, o, i [][]float32) []float64 {
		v.add(o[0], i[0], i[1])
		return nil
	}},
	{"Mul", 1, 2, false, func(v *vector, o, i [][]float32) []float64 {
		v.mul(o[0], i[0], i[1])
		return nil
	}},
	{"Scale", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		v.scale(o[0], -1.7, i[0])
		return nil
	}},
	{"Axpy", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		v.axpy(o[0], -1.7, i[0])
		return nil
	}},
	{"Adam", 3, 1, false, func(v *vector, o, i [][]float32) []float64 {
		plainMap(o[2], o[2], abs32)
		v.adam(o[0], i[0], o[1], o[2], 0.9, 0.1, 0.9, 0.1, 0.99, 0.01, 0.01, 1.5, 1e-3)
		return nil
	}},
	{"AdamCompact", 2, 2, false, func(v *vector, o, i [][]float32) []float64 {
		n := len(i[0]) &^ 1
		plainMap(i[1], i[1], abs32)
		plainMap(o[1], o[1], func(x float32) float32 { // two numbers
			return math.Float32frombits(bfloat16(x) | bfloat16(1-x)>>16)
		})
		// 0.5·m + 0.25·g is rounded once, so the rounding to bfloat16 is that of the reference
		v.adamCompact(o[0][:n], i[0][:n], o[1][:n/2], i[1][:n], 0.9, 0, 0.5, 0.25, 0.01, 1.5, 1e-3)
		return nil
	}},
	{"Sum", 0, 1, true, func(v *vector, o, i [][]float32) []float64 {
		return []float64{float64(v.sum(i[0]))}
	}},
	{"Dot", 0, 2, true, func(v *vector, o, i [][]float32) []float64 {
		return []float64{float64(v.dot(i[0], i[1]))}
	}},
	{"Dot64", 0, 2, true, func(v *vector, o, i [][]float32) []float64 {
		return []float64{v.dot64(i[0], i[1])}
	}},
	{"Softmax", 1, 1, false, func(v *vector, o, i [][]float32) []float64 {
		a, b := v.softmax(o[0], i[0])
		return []float64{float64(a), float64(b)}
	}},
	{"SoftmaxGrad", 1, 2, true, func(v *vector, o, i [][]float32) []float64 {
		v.softmaxGrad(o[0], i[0], i[1])
		return nil
	}},
	{"ScoreGrad", 2, 0, false, func(v *vector, o, i [][]float32) []float64 {
		v.scoreGrad(o[0], o[1], 0.5, 0.25)
		return nil
	}},
	{"LayerNorm", 1, 3, false, func(v *vector, o, i [][]float32) []float64 {
		a, b := v.layerNorm(o[0], i[0], i[1], i[2], 1e-5)
		return []float64{float64(a), float64(b)}
	}},
	{"LayerNormGrad", 3, 3, true, func(v *vector, o, i [][]float32) []float64 {
		v.layerNormGrad(o[0], o[1], o[2], i[0], i[1], i[2], 0.1, 0.9)
		return nil
	}},
}

// TestReference compares each kernel with its reference over all tails and alignments, and checks
// that it writes nothing outside its results.
func TestReference(t *testing.T) {
	for _, s := range supported() {
		t.Run(s.path, func(t *testing.T) {
			r := rand.New(rand.NewPCG(9, 10))
			for _, k := range routines {
				for n := range 150 {
					if n == 0 && k.name == "LayerNorm" {
						continue // 0/0
					}
					k.compare(t, r, s.vector, n, n%3)
				}
				k.compare(t, r, s.vector, 5003, 1)
			}
		})
	}
}

func (k *routine) compare(t *testing.T, r *rand.Rand, v *vector, n, offset int) {
	t.Helper()
	const guard = 12345
	make32 := func(count int) [][]float32 {
		var all [][]float32
		for range count {
			x := make([]float32, offset+n+20)
			for i := range x {
				x[i] = guard
				if i >= offset && i < offset+n {
					x[i] = float32(r.NormFloat64() * 3)
				}
			}
			all = append(all, x)
		}
		return all
	}
	inside := func(all [][]float32) (cut [][]float32) {
		for _, x := range all {
			cut = append(cut, x[offset:offset+n:offset+n])
		}
		return cut
	}
	ins, outs := make32(k.ins), make32(k.outs)
	var wants [][]float32
	for _, x := range outs {
		wants = append(wants, slices.Clone(x))
	}
	got, want := k.call(v, inside(outs), inside(ins)), k.call(&plainVector, inside(wants),
		inside(ins))
	for i := range got {
		if !k.near(got[i], want[i], n) {
			t.Fatalf("%s of %d: returns %v, reference %v", k.name, n, got, want)
		}
	}
	for o := range outs {
		for i := range outs[o] {
			if !k.near(float64(outs[o][i]), float64(wants[o][i]), n) {
				t.Fatalf("%s of %d: result %d, number %d is %g, reference %g", k.name, n,
					o, i-offset, outs[o][i], wants[o][i])
			}
		}
	}
	for _, x := range ins {
		if x[max(offset-1, 0)] != guard && offset > 0 || x[offset+n] != guard {
			t.Fatalf("%s of %d: wrote to an argument", k.name, n)
		}
	}
}

// near reports whether two results differ only by rounding. A sum of n numbers, each about 10, has
// a larger tolerance.
func (k *routine) near(got, want float64, n int) bool {
	tolerance := 2e-6 * (1 + math.Abs(want))
	if k.sums {
		tolerance += 4e-6 * (math.Abs(want) + float64(n))
	}
	return got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= tolerance
}

// TestFixedOrder checks that sums have the same bits on every path.
func TestFixedOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	x, y := make([]float32, 3000), make([]float32, 3000)
	for i := range x {
		x[i], y[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	for n := 0; n < len(x); n += 1 + n/5 {
		for _, s := range supported() {
			if got, want := s.vector.sum(x[:n]), plainSum(x[:n]); got != want {
				t.Errorf("%s: sum of %d is %v, reference %v", s.path, n, got, want)
			}
			if got, want := s.vector.dot64(x[:n], y[:n]), plainDot64(x[:n], y[:n]); got != want {
				t.Errorf("%s: double dot of %d is %v, reference %v", s.path, n, got, want)
			}
		}
	}
}

func TestVectorAllocates(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		x, y := make([]float32, 100), make([]float32, 100)
		if n := testing.AllocsPerRun(10, func() {
			Exp(y, x)
			GELUGrad(y, x, x)
			Softmax(y, x)
			AdamStep{Eps: 1}.Update(y, x, x, x)
			AdamStep{Eps: 1}.UpdateCompact(y[:99], x[:99], x[:50], x[:99])
		}); n > 0 {
			t.Errorf("%g allocations", n)
		}
	})
}

// TestInPlace checks elementwise kernels in place and over more than one span.
func TestInPlace(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(13, 14))
		x, y, z := make([]float32, 2*span+5), make([]float32, 2*span+5), make([]float32, 2*span+5)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		for name, f := range map[string]func(dst []float32){
			"Exp": func(d []float32) {
				Exp(d, d)
			}, "GELU": func(d []float32) { GELU(d, d) }, "Add": func(d []float32) { Add(d, d, d) },
			"GELUGrad": func(d []float32) {
				GELUGrad(d, x, d)
			}, "Scale": func(d []float32) { Scale(d, 3, d) },
		} {
			copy(y, x)
			f(y)
			for i := 0; i < len(x); i += 777 {
				copy(z, x)
				part := min(len(x)-i, 777)
				f2 := slices.Clone(x[i : i+part])
				switch name {
				case "GELUGrad":
					GELUGrad(f2, slices.Clone(f2), f2)
				default:
					f(f2)
				}
				if !slices.Equal(f2, y[i:i+part]) {
					t.Fatalf("%s: numbers from %d differ when computed in parts", name, i)
				}
			}
		}
	})
}

func TestLengths(t *testing.T) {
	numbers := func(n int) []float32 { return make([]float32, n) }
	for want, f := range map[string]func(){
		"Mul: lengths 2 and 3 differ":       func() { Mul(numbers(2), numbers(2), numbers(3)) },
		"PackSigns: lengths 1 and 2 differ": func() { PackSigns(numbers(1), numbers(17)) },
		"MaskSigns: lengths 16 and 17 differ": func() {
			MaskSigns(numbers(16), numbers(17), numbers(2))
		},
		"MaskSigns: lengths 1 and 2 differ": func() {
			MaskSigns(numbers(17), numbers(17), numbers(1))
		},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); got != "simd: "+want {
					t.Errorf("panic %q, want %q", got, "simd: "+want)
				}
			}()
			f()
		}()
	}
}

// TestDrop compares the kernels of Drop with the reference, bit by bit, over all tails, and checks
// that a long row, which is divided, continues the sequence.
func TestDrop(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	onEachPath(t, func(t *testing.T) {
		for n := range 70 {
			x := newGuarded(r, n)
			for i := range x.inside {
				x.inside[i] *= []float32{1, float32(math.NaN()), float32(math.Inf(1))}[i%7/3]
			}
			for _, limit := range []uint64{0, 1 << 50, 1 << 52, 1 << 53} {
				got, want := x.clone(), x.clone()
				state := r.Uint64()
				active.vector.drop(got.inside, got.inside, 1.25, state, limit)
				plainDrop(want.inside, x.inside, 1.25, state, limit)
				for i, w := range want.all {
					if math.Float32bits(got.all[i]) != math.Float32bits(w) {
						t.Fatalf("%d numbers, limit %x: number %d is %g, want %g", n, limit, i,
							got.all[i], w)
					}
				}
			}
		}
		x := slices.Repeat([]float32{1}, 2*span+3)
		y, want := make([]float32, len(x)), make([]float32, len(x))
		Drop(y, x, 2, 7, 1<<52)
		plainDrop(want, x, 2, 7, 1<<52)
		if kept := float64(Sum(y)) / 2 / float64(len(y)); !slices.Equal(y, want) ||
			math.Abs(kept-0.5) > 0.01 {
			t.Errorf("a row of %d numbers: other numbers are kept, %g of all", len(x), kept)
		}
	})
}

// TestSigns compares the kernels of PackSigns and MaskSigns with the references, bit by bit, over
// all tails and in a long row, which is divided. NaN, zeros and infinities are among the numbers.
func TestSigns(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	special := []float32{float32(math.NaN()), 0, float32(math.Copysign(0, -1)),
		float32(math.Inf(1)), float32(math.Inf(-1))}
	onEachPath(t, func(t *testing.T) {
		for n := range 150 {
			if n == 149 {
				n = span + 37
			}
			x, y := newGuarded(r, n), newGuarded(r, n)
			for i := range x.inside {
				if i%9 < len(special) {
					x.inside[i], y.inside[i/2] = special[i%9], special[i%9]
				}
			}
			signs, wantSigns := newGuarded(r, ceil(n, 16)), make([]float32, ceil(n, 16))
			PackSigns(signs.inside, x.inside)
			PlainPackSigns(wantSigns, x.inside)
			if !slices.Equal(signs.inside, wantSigns) {
				t.Fatalf("%d numbers: signs %g, want %g", n, signs.inside, wantSigns)
			}
			want := y.clone()
			PlainMaskSigns(want.inside, y.inside, wantSigns)
			MaskSigns(y.inside, y.inside, signs.inside)
			for i, w := range want.all {
				if math.Float32bits(y.all[i]) != math.Float32bits(w) {
					t.Fatalf("%d numbers: number %d is %g, want %g", n, i, y.all[i], w)
				}
			}
			for i := range n {
				if kept := math.Float32bits(y.inside[i]) != 0; kept && !(x.inside[i] > 0) {
					t.Fatalf("number %d of %d is kept, but its sign is that of %g", i, n,
						x.inside[i])
				}
			}
		}
	})
}
