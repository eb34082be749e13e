package cpu

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/device/devicetest"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/internal/simd"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

func TestDevice(t *testing.T) {
	t.Run("float32", func(t *testing.T) { devicetest.Run(t, New32()) })
	t.Run("float64", func(t *testing.T) { devicetest.Run(t, New64()) })
}

// TestSameBits checks that results have the same bits on any number of cores.
func TestSameBits(t *testing.T) {
	t.Run("float32", func(t *testing.T) { sameBits(t, New32) })
	t.Run("float64", func(t *testing.T) { sameBits(t, New64) })
}

func sameBits[T Float](t *testing.T, open func() *Device[T]) {
	want := bitsOn(1, open())
	for _, cores := range []int{2, 3} {
		got := bitsOn(cores, open())
		for name, w := range want {
			for i, bits := range got[name] {
				if bits != w[i] {
					t.Errorf("%s: number %d is %g on %d cores, %g on one", name,
						i, math.Float64frombits(bits), cores, math.Float64frombits(w[i]))
					break
				}
			}
		}
	}
}

// bitsOn returns the results of the kernels on the given number of cores.
func bitsOn[T Float](cores int, dev *Device[T]) map[string][]uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	bits := map[string][]uint64{}
	for _, k := range kernels(dev) {
		k.call()
		for _, out := range k.outs {
			for _, v := range dev.data(out) {
				bits[k.name] = append(bits[k.name], math.Float64bits(float64(v)))
			}
		}
	}
	return bits
}

// TestHeadGrain: also many heads with few rows are divided.
func TestHeadGrain(t *testing.T) {
	for _, c := range []struct{ queries, keys, width, want int }{
		{1, 1, 16, 31}, {8, 8, 16, 26}, {56, 56, 16, 3}, {375, 375, 64, 1},
	} {
		a := device.Attention{Queries: c.queries, Keys: c.keys, Width: c.width}
		if got := headGrain(a); got != c.want {
			t.Errorf("%d queries, %d keys: %d heads in a chunk, want %d", c.queries, c.keys, got,
				c.want)
		}
	}
}

// TestRepeat copies rows of several lengths over and over.
func TestRepeat(t *testing.T) {
	for _, n := range []int{1, 3, 500, 2000} {
		row, to := make([]float32, n), make([]float32, 7*n)
		for i := range row {
			row[i] = float32(i)
		}
		repeat(to, row)
		for i, v := range to {
			if v != row[i%n] {
				t.Fatalf("rows of %d: number %d is %g, want %g", n, i, v, row[i%n])
			}
		}
	}
}

// TestBlocks checks that products are divided equally, and only into blocks of at least so many
// squares of 64 by 64 numbers.
func TestBlocks(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	const large = 1 << 30 // multiplications
	for _, c := range []struct{ threads, m, n, work, squares, down, across int }{
		{1, 2048, 2048, large, 4, 1, 1}, {2, 2048, 2048, large, 4, 2, 2},
		{2, 400, 100, large, 4, 4, 1}, {2, 128, 128, large, 4, 1, 1},
		{8, 301, 128, large, 4, 2, 1}, {2, 64, 1024, large, 4, 1, 4},
		{2, 2048, 2048, gemmWork, 4, 1, 1}, {2, 32512, 512, large, 4, 4, 1},
		{2, 128, 128, large, 1, 2, 2}, {2, 64, 64, 2 * gemmWork, 1, 2, 1},
		{8, 32, 32, large, 1, 1, 1},
	} {
		runtime.GOMAXPROCS(c.threads)
		down, across := blocks(c.m, c.n, c.work, c.squares)
		if down != c.down || across != c.across {
			t.Errorf("[%d %d] on %d threads: %d by %d blocks, want %d by %d", c.m, c.n, c.threads,
				down, across, c.down, c.across)
		}
	}
	for next, i := 0, 0; i < 4; i++ {
		first, size := part(400, 4, i)
		if want := []int{96, 96, 96, 112}[i]; first != next || size != want {
			t.Errorf("part %d of 400 has %d rows from %d, want %d from %d", i, size, first, want,
				next)
		}
		next += size
	}
}

// TestProductInBlocks compares a product in blocks with the same in one, on any number of cores.
func TestProductInBlocks(t *testing.T) {
	const m, n, k, gap = 150, 170, 9, 3
	dev, rng := New64(), rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		return x
	}
	for _, transA := range []bool{false, true} {
		whole := simd.Gemm[float64]{M: m, N: n, K: k, Alpha: 0.5, Beta: 2,
			C: random(m * (n + gap)), LDC: n + gap,
			A: simd.Matrix[float64]{V: random(m * m), LD: m, Trans: transA},
			B: simd.Matrix[float64]{V: random(n * n), LD: n, Trans: !transA}}
		parts := whole
		parts.C = slices.Clone(whole.C)
		dev.gemm(&whole)
		dev.dividedGemm(parts, 2, 3)
		for i, want := range whole.C {
			if math.Abs(parts.C[i]-want) > 1e-12 {
				t.Fatalf("A transposed %t: number %d is %g in blocks, %g in one", transA, i,
					parts.C[i], want)
			}
		}
	}
}

// TestEmptyProducts checks products without numbers, and sums of no numbers in a batch.
func TestEmptyProducts(t *testing.T) {
	for _, c := range []struct{ m, n, k, count, written int }{
		{2, 2, 2, 0, 0}, {0, 2, 2, 2, 0}, {2, 0, 2, 2, 0}, {2, 2, 0, 2, 8},
	} {
		dev := New32()
		of := func() device.Matrix { return device.Matrix{Buf: dev.Alloc(8), Stride: 2, Batch: 4} }
		g := device.Gemm{M: c.m, N: c.n, K: c.k, Count: c.count, Alpha: 1, A: of(), B: of(),
			C: of()}
		dev.Fill(g.C.Buf, 1)
		dev.Gemm(g)
		written := 0
		for _, v := range dev.data(g.C.Buf) {
			if v == 0 {
				written++
			}
		}
		if written != c.written {
			t.Errorf("%d products [%d %d %d]: %d numbers are written, want %d", c.count, c.m, c.n,
				c.k, written, c.written)
		}
	}
}

// A counter counts products.
type counter struct {
	simd.BLAS
	calls *atomic.Int32
}

func (c counter) Sgemm(
	tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int,
	beta float32, out []float32, ldc int,
) {
	c.calls.Add(1)
	c.BLAS.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, out, ldc)
}

// TestSmallProductsAreDivided: the vector kernels compute the same sums in blocks of any size.
func TestSmallProductsAreDivided(t *testing.T) {
	if simd.Path() == "generic" {
		t.Skip("gonum's sums depend on the size")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	c := counter{calls: new(atomic.Int32)}
	blas32.Use(c)
	defer blas32.Use(simd.BLAS{})
	dev := New32()
	const n, k = 64, 512
	of := func() device.Matrix { return device.Matrix{Buf: dev.Alloc(n * k), Stride: n} }
	dev.Gemm(device.Gemm{TransA: true, M: n, N: n, K: k, Alpha: 1, A: of(), B: of(), C: of(),
		Count: 1})
	if got := c.calls.Load(); got != 2 {
		t.Errorf("%d blocks on two cores, want 2", got)
	}
}

// TestSteadyState checks that repeated calls allocate little: closures and lists of chunks, but no
// arrays of numbers, which would exceed the limit. It takes the minimum over several calls, since
// a garbage collection may empty the pool of scratch memory.
func TestSteadyState(t *testing.T) {
	if raced {
		t.Skip("under the race detector sync.Pool drops memory at random")
	}
	t.Run("float32", func(t *testing.T) { steadyState(t, New32()) })
	t.Run("float64", func(t *testing.T) { steadyState(t, New64()) })
}

func steadyState[T Float](t *testing.T, dev *Device[T]) {
	const limit = 4096 // gonum's Dgemm starts goroutines
	for _, k := range kernels(dev) {
		smallest := uint64(math.MaxUint64)
		for range 10 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			k.call()
			runtime.ReadMemStats(&after)
			smallest = min(smallest, after.TotalAlloc-before.TotalAlloc)
		}
		if smallest > limit {
			t.Errorf("%s allocates %d bytes a call, at most %d expected", k.name, smallest, limit)
		}
	}
}

// TestForeignBuffer checks that a kernel rejects a buffer of another precision.
func TestForeignBuffer(t *testing.T) {
	defer func() {
		if want := "cpu: a buffer of type cpu.buffer[float64] on device cpu"; recover() != want {
			t.Errorf("want a panic: %s", want)
		}
	}()
	var single device.Device = New32()
	single.Fill(New64().Alloc(1), 0)
}
