package cpu

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// BenchmarkProducts measures the matrix products that standard input lists, one a line, as soon as
// it has read the line, and reports the time of the processor. benchmarks/peer_gemm.py writes the
// lines. A line has the transpositions, the number of products, m, n, k, the distance between the
// rows of C and what the products share, as TestProducts of internal/models prints them:
//
//	NN 64 128 64 508 512 -
func BenchmarkProducts(b *testing.B) {
	var last string
	var run func()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); last = in.Text() {
		if in.Text() != last {
			run = parseProduct(b, in.Text())
		}
		b.Run(strings.ReplaceAll(in.Text(), " ", "/"), func(b *testing.B) {
			run()
			before := processorTime(b)
			for b.Loop() {
				run()
			}
			b.ReportMetric((processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// parseProduct returns the product that a line describes.
func parseProduct(b *testing.B, line string) func() {
	var trans, shared string
	g := device.Gemm{Alpha: 1}
	_, err := fmt.Sscan(line, &trans, &g.Count, &g.M, &g.N, &g.K, &g.C.Stride, &shared)
	if err != nil {
		b.Fatalf("standard input: %q: %v; want a line such as NN 64 128 64 508 512 -", line, err)
	}
	m := &builder[float32]{dev: New32(), rng: rand.New(rand.NewPCG(1, 2))}
	g.TransA, g.TransB = trans[0] == 'T', trans[1] == 'T'
	g.A.Stride, g.A.Batch = g.K, g.M*g.K
	g.B.Stride, g.B.Batch = g.N, g.K*g.N
	if g.TransA {
		g.A.Stride = g.M
	}
	if g.TransB {
		g.B.Stride = g.K
	}
	g.A.Buf, g.B.Buf = m.input(g.Count*g.A.Batch), m.input(g.Count*g.B.Batch)
	g.C.Batch = g.M * g.C.Stride
	g.C.Buf = m.dev.Alloc(g.Count * g.C.Batch)
	switch shared {
	case "A":
		g.A.Batch = 0
	case "B":
		g.B.Batch = 0
	case "*":
		g.A.Batch, g.B.Batch, g.C.Batch = 0, 0, 0
	}
	return func() { m.dev.Gemm(g) }
}

// processorTime returns the nanoseconds of the processor that the process has used.
func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}
