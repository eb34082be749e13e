package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// A kernel is one call of a kernel, of a size that is divided between cores.
type kernel struct {
	name    string
	numbers int // read and written; 0 if flops measure the work
	flops   int
	call    func()
	outs    []device.Buffer
}

// A builder creates kernels with random inputs, the same inputs each time.
type builder[T Float] struct {
	dev     *Device[T]
	rng     *rand.Rand
	kernels []kernel
}

// input returns n numbers in [0.5, 1.5).
func (m *builder[T]) input(n int) device.Buffer {
	b := buffer[T](make([]T, n))
	for i := range b {
		b[i] = T(0.5 + m.rng.Float64())
	}
	return b
}

func (m *builder[T]) add(name string, numbers, flops int, call func(), outs ...device.Buffer) {
	m.kernels = append(m.kernels, kernel{name, numbers, flops, call, outs})
}

func kernels[T Float](dev *Device[T]) []kernel {
	m := &builder[T]{dev: dev, rng: rand.New(rand.NewPCG(1, 2))}
	m.elementwise()
	m.movement()
	m.rowwise()
	m.products()
	m.pairs()
	m.recurrent()
	m.convolution()
	m.scan()
	return m.kernels
}

func (m *builder[T]) pairs() {
	const rows, columns, width = 40, 33, 1030
	d, u, v, w, g := m.dev, m.input(columns*width), m.input(rows*width), m.input(width), m.input(
		rows*columns,
	)
	y, du, dv, dw := d.Alloc(rows*columns), d.Alloc(columns*width), d.Alloc(rows*width), d.Alloc(
		width,
	)
	m.add("PairScores", rows*columns*width, 0, func() {
		d.PairScores(y, u, v, w, rows, columns, width)
	}, y)
	m.add("PairScoresGrad", rows*columns*width, 0, func() {
		d.PairScoresGrad(du, dv, dw, g, u, v, w, rows, columns, width)
	}, du, dv, dw)
	const many = 100003
	x, signs, masked := m.input(many), d.Alloc((many+15)/16), d.Alloc(many)
	m.add("PackSigns", many, 0, func() { d.PackSigns(signs, x) }, signs)
	m.add("ApplySignMask", many, 0, func() { d.ApplySignMask(masked, x, signs) }, masked)
}

func (m *builder[T]) recurrent() {
	const samples, steps, width = 20, 9, 33
	q := device.Sequences{Samples: samples, Steps: steps, Width: width, Reverse: true}
	for i := range samples {
		q.Lengths = append(q.Lengths, 1+i*i%steps)
	}
	l, r := device.LSTM{Sequences: q}, device.GRU{Sequences: q}
	d, y, cell, gates, weight, g := m.dev, m.dev.Alloc(samples*steps*width), m.input(
		samples*steps*width,
	), m.input(samples*steps*width*4), m.input(4*width*width), m.input(samples*steps*width)
	given, values := m.input(samples*steps*width), m.input(samples*steps*width*4)
	flops := 8 * samples * steps * width * width
	m.add("LSTM", 0, flops, func() { d.LSTM(l, y, cell, gates, weight) }, y, cell, gates)
	m.add("LSTMGrad", 0, flops, func() { d.LSTMGrad(l, values, g, given, weight) }, values)
	n := samples * steps * width
	out, hidden, gates3, values3, bias := d.Alloc(n), m.input(n), m.input(3*n), m.input(
		3*n,
	), m.input(3*width)
	flops = 6 * n * width
	m.add("GRU", 0, flops, func() { d.GRU(r, out, hidden, gates3, weight, bias) }, out, hidden,
		gates3)
	u := m.input(n)
	m.add("GRUGrad", 0, flops, func() { d.GRUGrad(r, values3, u, g, given, weight) }, values3, u)
}

func (m *builder[T]) convolution() {
	c := device.CausalConv{Samples: 30, Steps: 19, Width: 130, Kernel: 4, Reverse: true}
	d, n := m.dev, c.Samples*c.Steps*c.Width
	x, g, w, b := m.input(n), m.input(n), m.input(4*c.Width), m.input(c.Width)
	y, dx, dw, db := d.Alloc(n), d.Alloc(n), d.Alloc(4*c.Width), d.Alloc(c.Width)
	m.add("CausalConv", 2*n, 0, func() { d.CausalConv(c, y, x, w, b) }, y)
	m.add("CausalConvGrad", 3*n, 0, func() { d.CausalConvGrad(c, dx, dw, db, g, x, w) }, dx, dw,
		db)
}

func (m *builder[T]) scan() {
	s := device.Scan{Samples: 5, Steps: 37, Width: 130, States: 12, Reverse: true}
	d, rows, states := m.dev, s.Samples*s.Steps*s.Width, s.Samples*s.Steps*s.States
	operands := func(f func(n int) device.Buffer) device.ScanOperands {
		return device.ScanOperands{U: f(rows), Step: f(rows), Z: f(rows), B: f(states),
			C: f(states), StepBias: f(s.Width), Skip: f(s.Width), ALog: f(s.Width * s.States)}
	}
	x, dx, g := operands(m.input), operands(d.Alloc), m.input(rows)
	out, saved := d.Alloc(rows), m.input(s.Samples*s.Saved()*s.Width*s.States)
	given := m.input(s.Samples * s.Saved() * s.Width * s.States)
	m.add("SelectiveScan", rows*s.States, 0, func() { d.SelectiveScan(s, out, saved, x) }, out,
		saved)
	m.add("SelectiveScanGrad", rows*s.States, 0, func() {
		d.SelectiveScanGrad(s, dx, g, given, x)
	}, dx.U, dx.Step, dx.Z, dx.B, dx.C, dx.StepBias, dx.Skip, dx.ALog)
}

func (m *builder[T]) elementwise() {
	const n = 100003
	d, x, y, g := m.dev, m.input(n), m.input(n), m.input(n)
	names := map[device.Unary]string{device.Affine: "Affine", device.Exp: "Exp", device.Log: "Log",
		device.Tanh: "Tanh", device.Softplus: "Softplus",
		device.Sigmoid: "Sigmoid", device.GELU: "GELU", device.ReLU: "ReLU",
		device.SiLU: "SiLU"}
	for op := range device.NumUnary {
		if names[op] == "" {
			continue
		}
		dst, dx := d.Alloc(n), d.Alloc(n)
		m.add(names[op], 2*n, 0, func() { d.Unary(op, dst, x, 0.5, 0.25) }, dst)
		m.add(names[op]+"Grad", 4*n, 0, func() { d.UnaryGrad(op, dx, x, y, g, 0.5, 0.25) }, dx)
	}
	filled, sum, dropped, total := d.Alloc(n), m.input(n), d.Alloc(n), d.Alloc(1)
	m.add("Fill", n, 0, func() { d.Fill(filled, 0.5) }, filled)
	m.add("Axpy", 3*n, 0, func() { d.Axpy(0.5, x, sum) }, sum)
	m.add("Dropout", 2*n, 0, func() { d.Dropout(dropped, x, 0.1, 7) }, dropped)
	m.add("Dot", 2*n, 0, func() { d.Dot(total, 0, x, y) }, total)
	p, mean, square := m.input(n), m.input(n), m.input(n)
	step := device.Adam{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01,
		Decoupled: true, Correction1: 0.1, Correction2: 0.001}
	m.add("Adam", 7*n, 0, func() { d.Adam(step, p, g, mean, square) }, p, mean, square)

	const rows, columns = 400, 253
	matrix, grad := m.input(rows*columns), m.input(rows*columns)
	packed := d.Alloc(rows * (columns + 1) / 2)
	squareRows, squareColumns := m.input(rows), m.input(columns)
	d.Fill(packed, 0)
	m.add("AdamCompact", 5*rows*columns, 0, func() {
		d.AdamCompact(step, matrix, grad, packed, squareRows, squareColumns, nil)
	}, matrix, packed, squareRows, squareColumns)
	shape, dense, row := []int{rows, columns}, []int{columns, 1}, []int{0, 1}
	a, b := m.input(rows*columns), m.input(rows*columns)
	for _, c := range []struct {
		name    string
		op      device.Binary
		strides []int
	}{{"Add", device.Add, dense}, {"Mul", device.Mul, dense}, {"Div", device.Div, dense},
		{"AddRow", device.Add, row}, {"MulColumn", device.Mul, []int{1, 0}}} {
		dst := d.Alloc(rows * columns)
		m.add(c.name, 3*rows*columns, 0, func() {
			d.Binary(c.op, dst, shape, device.Operand{Buf: a, Strides: dense},
				device.Operand{Buf: b, Strides: c.strides})
		}, dst)
	}
}

func (m *builder[T]) movement() {
	const rows, columns, n = 400, 253, 400 * 253
	d, x, shape := m.dev, m.input(n), []int{rows, columns}
	transposed, folded, gathered, scattered := d.Alloc(n), m.input(columns), d.Alloc(n), m.input(n)
	along := device.Operand{Buf: x, Strides: []int{columns, 1}}
	m.add("Transpose", 2*n, 0, func() {
		d.Copy(device.Operand{Buf: transposed, Strides: []int{1, rows}}, shape, along)
	}, transposed)
	m.add("Accumulate", 2*n, 0, func() {
		d.Accumulate(device.Operand{Buf: folded, Strides: []int{0, 1}}, shape, along)
	}, folded)
	index := make([]int, rows)
	for i := range index {
		index[i] = m.rng.IntN(rows)
	}
	m.add("Gather", 2*n, 0, func() { d.Gather(gathered, x, index, columns) }, gathered)
	some := []int{3, 50, 51, 200}
	table, tableMean, tableSquare := m.input(n), m.input(n), m.input(n)
	step := device.Adam{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Correction1: 0.1,
		Correction2: 0.001}
	m.add("AdamRows", 7*len(some)*columns, 0, func() {
		d.AdamRows(step, table, x, tableMean, tableSquare, some, columns)
	}, table, tableMean, tableSquare)
	m.add("ScatterAdd", 3*n, 0, func() { d.ScatterAdd(scattered, index, x, columns) }, scattered)
	for op, name := range [device.NumReductions]string{device.Sum: "Sum", device.Max: "Max",
		device.LogSumExp: "LogSumExp"} {
		op := device.Reduction(op)
		all, each, middle := d.Alloc(1), d.Alloc(rows), d.Alloc(columns)
		m.add(name, n, 0, func() { d.Reduce(op, all, x, 1, n, 1) }, all)
		m.add(name+"OfRows", n, 0, func() { d.Reduce(op, each, x, rows, columns, 1) }, each)
		m.add(name+"OfColumns", n, 0, func() { d.Reduce(op, middle, x, 1, rows, columns) }, middle)
	}
}

func (m *builder[T]) rowwise() {
	const rows, n = 500, 128
	d, x, g := m.dev, m.input(rows*n), m.input(rows*n)
	soft, logs, softGrad, logsGrad := d.Alloc(rows*n), d.Alloc(rows*n), d.Alloc(rows*n), d.Alloc(
		rows*n,
	)
	m.add("Softmax", 2*rows*n, 0, func() { d.Softmax(soft, x, rows, n) }, soft)
	m.add("LogSoftmax", 2*rows*n, 0, func() { d.LogSoftmax(logs, x, rows, n) }, logs)
	m.add("SoftmaxGrad", 3*rows*n, 0, func() { d.SoftmaxGrad(softGrad, x, g, rows, n) }, softGrad)
	m.add("LogSoftmaxGrad", 3*rows*n, 0, func() {
		d.LogSoftmaxGrad(logsGrad, x, g, rows, n)
	}, logsGrad)
	gamma, beta, y, stats, given := m.input(n), m.input(n), d.Alloc(rows*n), d.Alloc(
		2*rows,
	), m.input(2*rows)
	dx, dgamma, dbeta := d.Alloc(rows*n), d.Alloc(n), d.Alloc(n)
	m.add("LayerNorm", 2*rows*n, 0, func() {
		d.LayerNorm(y, stats, x, gamma, beta, rows, n, 1e-5)
	}, y, stats)
	m.add("LayerNormGrad", 3*rows*n, 0, func() {
		d.LayerNormGrad(dx, dgamma, dbeta, g, x, given, gamma, rows, n)
	}, dx, dgamma, dbeta)
}

func (m *builder[T]) products() {
	d := m.dev
	for _, c := range []struct {
		name         string
		rows, n, k   int
		count        int
		tA, tB, read bool
	}{{"GemmTall", 301, 128, 128, 1, false, true, false},
		{"GemmWide", 64, 515, 130, 1, true, false, true},
		{"GemmBatch", 50, 50, 32, 32, false, true, false},
		{"GemmSmall", 64, 64, 700, 1, true, false, false},
		{"GemmLong", 128, 64, 4100, 1, true, false, false}} {
		a, b, y := m.input(c.count*c.rows*c.k), m.input(c.count*c.k*c.n), m.input(
			c.count*c.rows*c.n,
		)
		g := device.Gemm{TransA: c.tA, TransB: c.tB, M: c.rows, N: c.n, K: c.k, Alpha: 0.5,
			Count: c.count,
			A:     device.Matrix{Buf: a, Stride: c.k, Batch: c.rows * c.k},
			B:     device.Matrix{Buf: b, Stride: c.n, Batch: c.k * c.n},
			C:     device.Matrix{Buf: y, Stride: c.n, Batch: c.rows * c.n}}
		if c.tA {
			g.A.Stride = c.rows
		}
		if c.tB {
			g.B.Stride = c.k
		}
		if c.read {
			g.Beta = 0.5
		}
		m.add(c.name, 0, 2*c.count*c.rows*c.n*c.k, func() { d.Gemm(g) }, y)
	}
	const samples, heads, n, width = 8, 4, 50, 16
	size := samples * n * heads * width
	q, k, v, g, out, lse := m.input(size), m.input(size), m.input(size), m.input(size), d.Alloc(
		size,
	), d.Alloc(samples*heads*n)
	dq, dk, dv, given := d.Alloc(size), d.Alloc(size), d.Alloc(size), m.input(samples*heads*n)
	a := device.Attention{Samples: samples, Heads: heads, Queries: n, Keys: n, Width: width,
		Scale: 1 / math.Sqrt(width), Dropout: 0.1, Seed: 3}
	product := 2 * samples * heads * n * n * width
	m.add("Attention", 0, 2*product, func() { d.Attention(a, out, lse, q, k, v) }, out, lse)
	m.add("AttentionGrad", 0, 5*product, func() {
		d.AttentionGrad(a, dq, dk, dv, g, q, given, q, k, v)
	}, dq, dk, dv)
}

func BenchmarkFloat32(b *testing.B) { benchmark(b, New32()) }

func BenchmarkFloat64(b *testing.B) { benchmark(b, New64()) }

func benchmark[T Float](b *testing.B, dev *Device[T]) {
	for _, k := range kernels(dev) {
		b.Run(k.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(k.numbers * dev.Bits() / 8))
			for b.Loop() {
				k.call()
			}
			if k.flops > 0 {
				b.ReportMetric(float64(k.flops)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
			}
		})
	}
}
