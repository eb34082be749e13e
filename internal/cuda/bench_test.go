//go:build cuda && cgo && linux

package cuda

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
	"github.com/seed-6655bf3b/recap/internal/device"
)

// A benchKernel is a kernel with a size that occurs in training with 64 samples and the paper's
// sizes.
type benchKernel struct {
	name  string
	flops int                         // of one call; 0 if memory limits the speed
	bytes int                         // read and written by one call, each number counted once
	tf32  bool                        // runs on a device with products in TF32
	bind  func(s *benchSource) func() // returns the call, on new buffers
}

// A benchSource creates inputs.
type benchSource struct {
	*Device
	pattern []float32
}

// input returns a buffer of n numbers in [-0.5, 0.5), repeating pattern.
func (s *benchSource) input(n int) device.Buffer {
	numbers := make([]float32, n)
	for i := range numbers {
		numbers[i] = s.pattern[i%len(s.pattern)]
	}
	b := s.Alloc(n)
	s.Upload32(b, numbers)
	return b
}

// benchRows and benchWidth are the shape of most activations: 64 samples with 508 positions.
const benchRows, benchWidth, benchSize = 64 * 508, 128, 64 * 508 * 128

func benchKernels() []benchKernel {
	list := []benchKernel{
		attentionForward(508), attentionForward(383), attentionBackward(508),
		attentionBackward(383),
		gemm("Gemm/32512x1024x128", benchRows, 1024, 128, 1, false),
		gemm("Gemm/4096x2048x2048", 4096, 2048, 2048, 1, false),
		gemm("Gemm/512of50x50x64", 50, 50, 64, 512, false),
		gemm("GemmTF32/32512x1024x128", benchRows, 1024, 128, 1, true),
		gemm("GemmTF32/4096x2048x2048", 4096, 2048, 2048, 1, true),
		gemm("GemmTF32/512of50x50x64", 50, 50, 64, 512, true),
		{name: "LayerNorm", bytes: 4 * 2 * benchSize, bind: func(s *benchSource) func() {
			y, stats, x, gamma, beta := s.Alloc(benchSize), s.Alloc(2*benchRows), s.input(
				benchSize,
			), s.input(benchWidth), s.input(benchWidth)
			return func() { s.LayerNorm(y, stats, x, gamma, beta, benchRows, benchWidth, 1e-5) }
		}},
		{name: "LayerNormGrad", bytes: 4 * 3 * benchSize, bind: func(s *benchSource) func() {
			dx, dgamma, dbeta := s.Alloc(benchSize), s.Alloc(benchWidth), s.Alloc(benchWidth)
			g, x, stats, gamma := s.input(benchSize), s.input(benchSize), s.input(
				2*benchRows,
			), s.input(benchWidth)
			return func() {
				s.LayerNormGrad(dx, dgamma, dbeta, g, x, stats, gamma, benchRows, benchWidth)
			}
		}},
		{name: "GELU", bytes: 4 * 2 * benchSize, bind: func(s *benchSource) func() {
			y, x := s.Alloc(benchSize), s.input(benchSize)
			return func() { s.Unary(device.GELU, y, x, 0, 0) }
		}},
		{name: "Add", bytes: 4 * 3 * benchSize, bind: func(s *benchSource) func() {
			strides := []int{benchWidth, 1}
			z, x, y := s.Alloc(benchSize), device.Operand{Buf: s.input(benchSize),
				Strides: strides}, device.Operand{Buf: s.input(benchSize), Strides: strides}
			return func() { s.Binary(device.Add, z, []int{benchRows, benchWidth}, x, y) }
		}},
		copying("Copy/dense", benchWidth, 1), copying("Copy/transposed", 1, benchRows),
		// the gradient of a bias
		{name: "ReduceSum", bytes: 4 * benchSize, bind: func(s *benchSource) func() {
			sum, x := s.Alloc(benchWidth), s.input(benchSize)
			return func() { s.Reduce(device.Sum, sum, x, 1, benchRows, benchWidth) }
		}},
		{name: "Softmax", bytes: 4 * 2 * benchSize, bind: func(s *benchSource) func() {
			y, x := s.Alloc(benchSize), s.input(benchSize)
			return func() { s.Softmax(y, x, benchRows, benchWidth) }
		}},
		causalConv(false), causalConv(true),
		selectiveScan(false), selectiveScan(true),
		pairs(false), pairs(true),
		adam(32, 182_000_000/32), adamCompact(2048, 2048),
	}
	return list
}

func attentionOf(positions int) (a device.Attention, size, lse, product int) {
	a = device.Attention{Samples: 64, Heads: 8, Queries: positions, Keys: positions, Width: 64,
		Scale: 1 / math.Sqrt(64)}
	lse = a.Samples * a.Heads * positions
	return a, lse * a.Width, lse, 2 * lse * positions * a.Width
}

func attentionForward(positions int) benchKernel {
	a, size, rows, product := attentionOf(positions)
	return benchKernel{name: "Attention/" + strconv.Itoa(positions), flops: 2 * product,
		bytes: 4 * 4 * size, bind: func(s *benchSource) func() {
			out, lse, q, k, v := s.Alloc(size), s.Alloc(rows), s.input(size), s.input(
				size,
			), s.input(size)
			return func() { s.Attention(a, out, lse, q, k, v) }
		}}
}

// attentionBackward counts five products; one of them recomputes the scores.
func attentionBackward(positions int) benchKernel {
	a, size, rows, product := attentionOf(positions)
	return benchKernel{name: "AttentionGrad/" + strconv.Itoa(positions), flops: 5 * product,
		bytes: 4 * 8 * size, bind: func(s *benchSource) func() {
			out, lse, q, k, v := s.Alloc(size), s.Alloc(rows), s.input(size), s.input(
				size,
			), s.input(size)
			s.Attention(a, out, lse, q, k, v)
			g, dq, dk, dv := s.input(size), s.Alloc(size), s.Alloc(size), s.Alloc(size)
			return func() { s.AttentionGrad(a, dq, dk, dv, g, out, lse, q, k, v) }
		}}
}

// gemm is a product whose second factor is stored as [n k], like the weights of linear layers.
func gemm(name string, m, n, k, count int, tf32 bool) benchKernel {
	return benchKernel{name: name, flops: 2 * m * n * k * count,
		bytes: 4 * count * (m*k + n*k + m*n), tf32: tf32, bind: func(s *benchSource) func() {
			g := device.Gemm{TransB: true, M: m, N: n, K: k, Alpha: 1, Count: count,
				A: device.Matrix{Buf: s.input(count * m * k), Stride: k, Batch: m * k},
				B: device.Matrix{Buf: s.input(count * n * k), Stride: k, Batch: n * k},
				C: device.Matrix{Buf: s.Alloc(count * m * n), Stride: n, Batch: m * n}}
			return func() { s.Gemm(g) }
		}}
}

// copying copies rows to an operand with the given strides.
func copying(name string, strides ...int) benchKernel {
	return benchKernel{name: name, bytes: 4 * 2 * benchSize, bind: func(s *benchSource) func() {
		y, x := device.Operand{Buf: s.Alloc(benchSize),
			Strides: strides}, device.Operand{Buf: s.input(benchSize),
			Strides: []int{benchWidth, 1}}
		return func() { s.Copy(y, []int{benchRows, benchWidth}, x) }
	}}
}

// causalConv is the convolution of a Mamba layer on 64 samples of 50 steps with 512 channels.
func causalConv(backward bool) benchKernel {
	c := device.CausalConv{Samples: 64, Steps: 50, Width: 512, Kernel: 4}
	n, name, passes := c.Samples*c.Steps*c.Width, "CausalConv", 2
	if backward {
		name, passes = "CausalConvGrad", 3
	}
	return benchKernel{name: name, bytes: 4 * passes * n, bind: func(s *benchSource) func() {
		x, w, b := s.input(n), s.input(4*c.Width), s.input(c.Width)
		if !backward {
			y := s.Alloc(n)
			return func() { s.CausalConv(c, y, x, w, b) }
		}
		g, dx, dw, db := s.input(n), s.Alloc(n), s.Alloc(4*c.Width), s.Alloc(c.Width)
		return func() { s.CausalConvGrad(c, dx, dw, db, g, x, w) }
	}}
}

// selectiveScan counts the rows of channels, which are read and written; the flops are those of the
// states, with an exponential as one.
func selectiveScan(backward bool) benchKernel {
	c := device.Scan{Samples: 64, Steps: 50, Width: 512, States: 16}
	n, states := c.Samples*c.Steps*c.Width, c.Samples*c.Steps*c.States
	name, passes, flops := "SelectiveScan", 4, 7
	if backward {
		name, passes, flops = "SelectiveScanGrad", 7, 24
	}
	return benchKernel{name: name, flops: flops * n * c.States, bytes: 4 * passes * n,
		bind: func(s *benchSource) func() {
			operands := func(f func(n int) device.Buffer) device.ScanOperands {
				return device.ScanOperands{U: f(n), Step: f(n), Z: f(n), B: f(states),
					C: f(states), StepBias: f(c.Width), Skip: f(c.Width),
					ALog: f(c.Width * c.States)}
			}
			x, out, saved := operands(s.input), s.Alloc(n), s.Alloc(c.Samples*c.Saved()*c.Width*
				c.States)
			s.SelectiveScan(c, out, saved, x)
			if !backward {
				return func() { s.SelectiveScan(c, out, saved, x) }
			}
			g, dx := s.input(n), operands(s.Alloc)
			return func() { s.SelectiveScanGrad(c, dx, g, saved, x) }
		}}
}

func pairs(backward bool) benchKernel {
	const n, width = 64, 2048
	k := benchKernel{name: "PairScores", flops: 3 * n * n * width, bytes: 4 * 2 * n * width}
	if backward {
		k = benchKernel{name: "PairScoresGrad", flops: 6 * n * n * width, bytes: 4 * 4 * n * width}
	}
	k.bind = func(s *benchSource) func() {
		u, v, w := s.input(n*width), s.input(n*width), s.input(width)
		if !backward {
			y := s.Alloc(n * n)
			return func() { s.PairScores(y, u, v, w, n, n, width) }
		}
		g, du, dv, dw := s.input(n*n), s.Alloc(n*width), s.Alloc(n*width), s.Alloc(width)
		return func() { s.PairScoresGrad(du, dv, dw, g, u, v, w, n, n, width) }
	}
	return k
}

// adam is a step of AdamW of several tensors, computed by one kernel. A Fill of one number
// separates it from the next step, which would otherwise be added to the same kernel.
func adam(tensors, n int) benchKernel {
	return benchKernel{name: "Adam", bytes: 4 * 7 * tensors * n,
		bind: func(s *benchSource) func() {
			a := device.Adam{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01,
				Decoupled: true, Correction1: 0.1, Correction2: 0.001}
			var buffers [][4]device.Buffer
			for range tensors {
				var b [4]device.Buffer
				for i := range b {
					b[i] = s.Alloc(n)
					s.Fill(b[i], 0.01)
				}
				buffers = append(buffers, b)
			}
			one := s.Alloc(1)
			return func() {
				for _, b := range buffers {
					s.Adam(a, b[0], b[1], b[2], b[3])
				}
				s.Fill(one, 0)
			}
		}}
}

// adamCompact is a step of AdamW with compact moments. It reads g twice.
func adamCompact(rows, columns int) benchKernel {
	n := rows * columns
	return benchKernel{name: "AdamCompact", bytes: 4 * 5 * n, bind: func(s *benchSource) func() {
		a := device.Adam{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01,
			Decoupled: true, Correction1: 0.1, Correction2: 0.001}
		p, g, m := s.input(n), s.input(n), s.Alloc(n/2)
		row, column := s.Alloc(rows), s.Alloc(columns)
		for _, b := range []device.Buffer{m, row, column} {
			s.Fill(b, 0)
		}
		return func() { s.AdamCompact(a, p, g, m, row, column, nil) }
	}}
}

// cacheBytes is larger than the caches of GPUs. A kernel that is limited by memory uses as many
// sets of buffers in turn.
const cacheBytes = 256 << 20

// BenchmarkKernels times kernels one by one:
//
//	go test -tags cuda ./internal/cuda -run xxx -bench Kernels -benchtime 10x
//
// One operation of the benchmark is many calls that are submitted together, so that they run as a
// graph and the time does not include launches. us/call is the time of one call. GF/s counts the
// operations of a call, and GB/s the bytes that it reads and writes without caches.
func BenchmarkKernels(b *testing.B) {
	sources := map[bool]*benchSource{}
	for _, tf32 := range []bool{false, true} {
		dev, err := Open(0, tf32)
		if err != nil {
			b.Fatal(err)
		}
		s, rng := &benchSource{Device: dev.(*Device)}, rand.New(rand.NewPCG(1, 2))
		for range 1<<16 + 1 {
			s.pattern = append(s.pattern, rng.Float32()-0.5)
		}
		sources[tf32] = s
	}
	for _, k := range benchKernels() {
		b.Run(k.name, func(b *testing.B) {
			if cudatest.Emulator != "" && max(k.flops, k.bytes/4) > 1e8 {
				b.Skip("too large for the emulator")
			}
			k.run(b, sources[k.tf32])
		})
	}
}

func (k *benchKernel) run(b *testing.B, s *benchSource) {
	// a list of commands runs, is captured, and is launched, for each of two arenas
	sets, calls, warm := 1, 10, 6
	switch {
	case k.flops == 0:
		sets = max(1, min(8, cacheBytes/k.bytes))
		calls = 5 * sets
	case k.flops < 1e9:
		calls = 100
	}
	if cudatest.Emulator != "" {
		sets, calls, warm = 1, 2, 1
	}
	var call []func()
	for range sets {
		call = append(call, k.bind(s))
	}
	submit := func() {
		for i := range calls {
			call[i%sets]()
		}
		s.Submit()
	}
	for range warm {
		submit()
	}
	k.wait(b, s.Device)
	for b.Loop() {
		submit()
	}
	b.StartTimer() // until the device has finished
	k.wait(b, s.Device)
	b.StopTimer()
	seconds := b.Elapsed().Seconds() / float64(b.N*calls)
	b.ReportMetric(seconds*1e6, "us/call")
	if k.flops > 0 {
		b.ReportMetric(float64(k.flops)/seconds/1e9, "GF/s")
	}
	b.ReportMetric(float64(k.bytes)/seconds/1e9, "GB/s")
}

func (k *benchKernel) wait(b *testing.B, dev *Device) {
	b.Helper()
	if err := dev.Sync(); err != nil {
		b.Fatal(err)
	}
}
