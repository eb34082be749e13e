package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// BenchmarkBounds measures how near the kernels of a Transformer are to what bounds them, with the
// rows of RECAP's encoders, 508 tokens of 128 numbers. Those that read and write tensors are
// compared with a sum of two tensors, which the memory bounds: of 256 samples, a tensor does not
// fit into a cache. A result that is not in the cache is read before it is written, so it counts
// twice. Attention has 8 heads of 64 columns; its bound is the time of its products at the speed of
// the largest kernel and, for each score, of one exponential (BenchmarkKernel and BenchmarkVector
// of package simd).
func BenchmarkBounds(b *testing.B) {
	const samples, tokens, heads, width, columns = 256, 508, 8, 64, 128
	const rows = samples * tokens
	m := &builder[float32]{dev: New32(), rng: rand.New(rand.NewPCG(1, 2))}
	d, n := m.dev, rows*columns
	x, g, y, dx := m.input(n), m.input(n), d.Alloc(n), m.input(n)
	gamma, beta, stats := m.input(columns), m.input(columns), m.input(2*rows)
	dgamma, dbeta := d.Alloc(columns), d.Alloc(columns)
	mean, square := m.input(n), m.input(n)
	step := device.Adam{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Decoupled: true,
		Correction1: 0.1, Correction2: 0.001}
	shape, dense := []int{rows, columns}, []int{columns, 1}
	of := func(buf device.Buffer) device.Operand { return device.Operand{Buf: buf, Strides: dense} }
	var bandwidth float64 // of a sum, in bytes a nanosecond
	for _, k := range []struct {
		name    string
		tensors int // that go through the memory
		call    func()
	}{
		{"Add", 4, func() { d.Binary(device.Add, y, shape, of(x), of(g)) }},
		{"LayerNorm", 3, func() { d.LayerNorm(y, stats, x, gamma, beta, rows, columns, 1e-5) }},
		{"LayerNormGrad", 4, func() {
			d.LayerNormGrad(dx, dgamma, dbeta, g, x, stats, gamma, rows, columns)
		}},
		{"Softmax", 3, func() { d.Softmax(y, x, rows, columns) }},
		{"GELU", 3, func() { d.Unary(device.GELU, y, x, 0, 0) }},
		{"GELUGrad", 4, func() { d.UnaryGrad(device.GELU, dx, x, y, g, 0, 0) }},
		{"Adam", 7, func() { d.Adam(step, dx, g, mean, square) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				k.call()
			}
			speed := float64(4*k.tensors*n*b.N) / float64(b.Elapsed().Nanoseconds())
			if k.name == "Add" {
				bandwidth = speed
			}
			b.ReportMetric(speed, "GB/s")
			b.ReportMetric(speed/bandwidth, "of-Add")
		})
	}
	const size = samples / 4 * tokens * heads * width
	q, k, v, o := m.input(size), m.input(size), m.input(size), m.input(size)
	dq, dk, dv, lse := d.Alloc(size), d.Alloc(size), d.Alloc(size), d.Alloc(size/width)
	a := device.Attention{Samples: samples / 4, Heads: heads, Queries: tokens, Keys: tokens,
		Width: width, Scale: 1 / math.Sqrt(width)}
	for _, k := range []struct {
		name     string
		products int
		call     func()
	}{
		{"Attention", 2, func() { d.Attention(a, o, lse, q, k, v) }},
		{"AttentionGrad", 5, func() { d.AttentionGrad(a, dq, dk, dv, o, o, lse, q, k, v) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				k.call()
			}
			flops := 2 * k.products * samples / 4 * heads * tokens * tokens * width
			b.ReportMetric(float64(flops*b.N)/float64(b.Elapsed().Nanoseconds()), "GF/s")
		})
	}
}
