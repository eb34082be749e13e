package models

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cpu"
	"github.com/seed-6655bf3b/recap/internal/device"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// TestProducts prints the matrix products of a training step of each model, at the sizes of
// BenchmarkModels. Nothing is computed, so that it takes seconds and needs little memory:
//
//	go test ./internal/models -run 'Products$' -v
//
// A line is a product C = op(A)·op(B): the model and the phase; the kernel; which of A and B are
// transposed; how many products the kernel computes, m, n and k of each; the distance
// between the rows of C; which factor all of them share, or * where a kernel computes them one
// after the other in the same small memory; and how often a step computes it.
// benchmarks/peer_gemm.py reads these lines. Attention, LSTM and GRU have the products that the
// device "cpu" computes inside of them. Other kernels have none.
func TestProducts(t *testing.T) {
	if !testing.Verbose() {
		t.Skip("prints the products with -v")
	}
	for _, s := range All {
		t.Run(s.Name, func(t *testing.T) {
			c := &counter{calls: map[product]int{}}
			m, p, batch := paper(&s, c)
			for _, ph := range m.Phases() {
				step := training(p, ph, batch)
				clear(c.calls)
				step()
				if len(c.calls) == 0 {
					t.Errorf("phase %s: no products", ph.Name)
				}
				t.Logf("%d different products\n%s", len(c.calls), c.lines(s.Name+" "+ph.Name))
			}
		})
	}
}

// TestProductsOfKernels compares the work in the products of each kernel with its formula.
func TestProductsOfKernels(t *testing.T) {
	c := &counter{calls: map[product]int{}}
	a := device.Attention{Samples: 3, Heads: 2, Queries: 150, Keys: 140, Width: 24}
	q := device.Sequences{Samples: 9, Steps: 5, Width: 32,
		Lengths: []int{5, 1, 2, 3, 4, 5, 5, 5, 5}}
	attention := 2 * a.Samples * a.Heads * a.Queries * a.Keys * a.Width
	recurrent := 2 * q.Width * q.Width * (35 - q.Samples) // no product in the first step
	for _, k := range []struct {
		name string
		run  func()
		want int
	}{
		{"Gemm", func() {
			c.Gemm(device.Gemm{M: 3, N: 4, K: 5, Count: 6})
		}, 2 * 3 * 4 * 5 * 6},
		{"Attention", func() { c.Attention(a, nil, nil, nil, nil, nil) }, 2 * attention},
		{"AttentionGrad", func() {
			c.AttentionGrad(a, nil, nil, nil, nil, nil, nil, nil, nil, nil)
		}, 5 * attention},
		{"LSTM", func() { c.LSTM(device.LSTM{Sequences: q}, nil, nil, nil, nil) }, 4 * recurrent},
		{"LSTMGrad", func() {
			c.LSTMGrad(device.LSTM{Sequences: q}, nil, nil, nil, nil)
		}, 4 * recurrent},
		{"GRU", func() { c.GRU(device.GRU{Sequences: q}, nil, nil, nil, nil, nil) }, 3 * recurrent},
		{"GRUGrad", func() {
			c.GRUGrad(device.GRU{Sequences: q}, nil, nil, nil, nil, nil)
		}, 3 * recurrent},
	} {
		clear(c.calls)
		k.run()
		got := 0
		for p, calls := range c.calls {
			got += 2 * p.count * p.m * p.n * p.k * calls
			if p.kernel != k.name {
				t.Errorf("%s: a product of kernel %s", k.name, p.kernel)
			}
		}
		if got != k.want {
			t.Errorf("%s: products have %d operations, want %d", k.name, got, k.want)
		}
	}
}

// A product is a kind of matrix product.
type product struct {
	kernel, trans       string
	count, m, n, k, ldc int
	shared              string // the factor that all products of a batch share: "A", "B" or "-";
	// "*" if a kernel computes them in the same small memory
}

// A counter is a device that counts products and computes nothing.
type counter struct {
	idle
	calls map[product]int
}

func transposed(a, b bool) string {
	letter := map[bool]string{true: "T", false: "N"}
	return letter[a] + letter[b]
}

// lines returns a line for each product, those with the most work first.
func (c *counter) lines(prefix string) string {
	work := func(p product) int { return p.count * p.m * p.n * p.k * c.calls[p] }
	all := slices.SortedFunc(maps.Keys(c.calls), func(a, b product) int {
		return cmp.Or(work(b)-work(a), strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	var s strings.Builder
	for _, p := range all {
		fmt.Fprintln(&s, prefix, p.kernel, p.trans, p.count, p.m, p.n, p.k, p.ldc, p.shared,
			c.calls[p])
	}
	return s.String()
}

func (c *counter) Gemm(g device.Gemm) {
	p := product{"Gemm", transposed(g.TransA, g.TransB), g.Count, g.M, g.N, g.K, g.C.Stride, "-"}
	if g.Count > 1 && g.A.Batch == 0 {
		p.shared = "A"
	} else if g.Count > 1 && g.B.Batch == 0 {
		p.shared = "B"
	}
	c.calls[p]++
}

// inside counts the products that the device "cpu" computes in a kernel, each count times. The
// kernel gets buffers of zeros of the given sizes.
func (c *counter) inside(
	kernel string, count int, run func(d device.Device, b []device.Buffer), sizes ...int,
) {
	d := cpu.New32()
	var buffers []device.Buffer
	for _, n := range sizes {
		buffers = append(buffers, d.Alloc(n))
	}
	w := &watcher{Float32: blas32.Implementation(), calls: map[product]int{}}
	blas32.Use(w)
	run(d, buffers)
	blas32.Use(w.Float32)
	for p, calls := range w.calls {
		p.kernel, p.count = kernel, count
		c.calls[p] += calls
	}
}

// A watcher is a BLAS that counts products and does not compute them.
type watcher struct {
	blas.Float32
	mu    sync.Mutex
	calls map[product]int
}

func (w *watcher) Sgemm(
	tA, tB blas.Transpose, m, n, k int, _ float32, _ []float32, _ int, _ []float32, _ int,
	_ float32, _ []float32, ldc int,
) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[product{trans: transposed(tA != blas.NoTrans, tB != blas.NoTrans), m: m, n: n, k: k,
		ldc: ldc, shared: "*"}]++
}

func (c *counter) Attention(a device.Attention, _, _, _, _, _ device.Buffer) {
	count, queries, keys := oneSample(&a)
	c.inside("Attention", count, func(d device.Device, b []device.Buffer) {
		d.Attention(a, b[0], b[1], b[2], b[3], b[4])
	}, queries, a.Heads*a.Queries, queries, keys, keys)
}

func (c *counter) AttentionGrad(a device.Attention, _, _, _, _, _, _, _, _, _ device.Buffer) {
	count, queries, keys := oneSample(&a)
	c.inside("AttentionGrad", count, func(d device.Device, b []device.Buffer) {
		d.AttentionGrad(a, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8])
	}, queries, keys, keys, queries, queries, a.Heads*a.Queries, queries, keys, keys)
}

// oneSample makes a the attention of one sample without masks. It returns the number of samples
// that there were, and the sizes of queries and keys.
func oneSample(a *device.Attention) (count, queries, keys int) {
	count = a.Samples
	a.Samples, a.Mask, a.Dropout = 1, nil, 0
	return count, a.Queries * a.Heads * a.Width, a.Keys * a.Heads * a.Width
}

func (c *counter) LSTM(l device.LSTM, _, _, _, _ device.Buffer) {
	n, w := l.Samples*l.Steps*l.Width, l.Width
	c.inside("LSTM", 1, func(d device.Device, b []device.Buffer) {
		d.LSTM(l, b[0], b[1], b[2], b[3])
	}, n, n, 4*n, 4*w*w)
}

func (c *counter) LSTMGrad(l device.LSTM, _, _, _, _ device.Buffer) {
	n, w := l.Samples*l.Steps*l.Width, l.Width
	c.inside("LSTMGrad", 1, func(d device.Device, b []device.Buffer) {
		d.LSTMGrad(l, b[0], b[1], b[2], b[3])
	}, 4*n, n, n, 4*w*w)
}

func (c *counter) GRU(r device.GRU, _, _, _, _, _ device.Buffer) {
	n, w := r.Samples*r.Steps*r.Width, r.Width
	c.inside("GRU", 1, func(d device.Device, b []device.Buffer) {
		d.GRU(r, b[0], b[1], b[2], b[3], b[4])
	}, n, n, 3*n, 3*w*w, 3*w)
}

func (c *counter) GRUGrad(r device.GRU, _, _, _, _, _ device.Buffer) {
	n, w := r.Samples*r.Steps*r.Width, r.Width
	c.inside("GRUGrad", 1, func(d device.Device, b []device.Buffer) {
		d.GRUGrad(r, b[0], b[1], b[2], b[3], b[4])
	}, 3*n, n, n, n, 3*w*w)
}
