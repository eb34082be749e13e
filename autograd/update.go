package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// This file is for optimizers: it changes tensors in place. Only tensors that belong to no tape
// may change, and only between Backward and the next forward computation. SetRows alone may be
// called within one.

// Adam holds the constants of one step of Adam or AdamW.
type Adam = device.Adam

// Assign overwrites x with data.
func (x *Tensor) Assign(data []float64) {
	x.mustOwn("Assign")
	if len(data) != x.Len() {
		panic(fmt.Sprintf("autograd: Assign: %d numbers for shape %v, which holds %d", len(data), x.shape, x.Len()))
	}
	x.dev.Upload(x.buf, data)
}

// AddToRow adds y to row i of x, what has index i along the first axis. It does not wait for the
// device: a way to keep a value of every step. The commands that a device gets are the same for
// each i.
func (x *Tensor) AddToRow(i int, y *Tensor) {
	x.mustOwn("AddToRow")
	y.mustLive("AddToRow")
	y.mustBeDense("AddToRow")
	if x.rank() == 0 || i < 0 || i >= x.shape[0] || y.Len() != size(x.shape[1:]) || x.dev != y.dev {
		panic(fmt.Sprintf("autograd: AddToRow: %v as row %d of %v: want a row's size and the same device", y, i, x))
	}
	x.dev.ScatterAdd(x.buf, []int{i}, y.buf, y.Len())
}

// SetRows replaces row index[i] of x by row i of y, for y [len(index) …], x [n …] and distinct
// indices: a way to remember something of each sample. Rows that were finite become exactly those
// of y. The operations that follow see them; Backward must need none of the old ones, as it does
// not where constant rows were read by Gather, which copies. It does not wait for the device. The
// commands that a device gets are the same for each index of one length.
func (t *Tape) SetRows(x *Tensor, index []int, y *Tensor) {
	t.use("SetRows", x, y)
	x.mustOwn("SetRows")
	if x.rank() == 0 || y.rank() != x.rank() || y.shape[0] != len(index) || !slices.Equal(y.shape[1:], x.shape[1:]) {
		panic(fmt.Sprintf("autograd: SetRows: %v as %d rows of %v: want as many rows of the same shape", y.shape, len(index), x.shape))
	}
	sorted := slices.Sorted(slices.Values(index))
	for i, r := range sorted {
		if r < 0 || r >= x.shape[0] || i > 0 && r == sorted[i-1] {
			panic(fmt.Sprintf("autograd: SetRows: indices %v of %d rows: want each in range and none twice", index, x.shape[0]))
		}
	}
	width := size(x.shape[1:])
	t.unrecorded(func() {
		t.Scope(func() *Tensor { // x − x is exactly 0, and 0 + y exactly y
			minus := t.Neg(t.Gather(x, index))
			t.dev.ScatterAdd(x.buf, index, minus.buf, width)
			t.dev.ScatterAdd(x.buf, index, y.buf, width)
			return y
		})
	})
}

// AddScaled replaces x by x + a·y.
func (x *Tensor) AddScaled(a float64, y *Tensor) {
	x.mustOwn("AddScaled")
	x.mustMatch("AddScaled", y)
	y.mustBeDense("AddScaled")
	x.dev.Axpy(a, y.buf, x.buf)
}

// Multiply replaces x by a·x.
func (x *Tensor) Multiply(a float64) {
	x.mustOwn("Multiply")
	x.dev.Unary(device.Affine, x.buf, x.buf, a, 0)
}

// AdamStep updates x by its gradient g and the running moments m and v of g, which it updates too.
//
//	m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  x ← x − lr·(m/c₁) / (√(v/c₂) + eps),  cᵢ = 1 − βᵢᵗ
//
// Weight decay is added to g (Kingma and Ba 2015) or, decoupled, taken from x first: x ← x −
// lr·decay·x (Loshchilov and Hutter 2019). Of a row-sparse gradient (Lookup) only the rows that it
// stores are updated.
func (x *Tensor) AdamStep(g, m, v *Tensor, a Adam) {
	for _, y := range []*Tensor{x, m, v} {
		y.mustOwn("AdamStep")
		y.mustMatch("AdamStep", g)
	}
	if g.rows != nil {
		x.dev.AdamRows(a, x.buf, g.buf, m.buf, v.buf, g.rows, size(x.shape[1:]))
		return
	}
	x.dev.Adam(a, x.buf, g.buf, m.buf, v.buf)
}

// Norm returns the Euclidean norm of tensors taken as one vector: a constant, no gradient passes.
// Each one's square is accumulated in double precision. Row-sparse gradients (Lookup) are taken as
// any others.
func (t *Tape) Norm(xs ...*Tensor) *Tensor {
	squares := t.full([]int{max(1, len(xs))}, 0) // of no tensors it is 0
	for i, x := range xs {
		x = stored(x)
		t.use("Norm", x)
		t.dev.Dot(squares.buf, i, x.buf, x.buf)
	}
	return t.Sqrt(t.Sum(squares))
}

// Dot returns Σ x⊙y, accumulated in double precision and rounded to the device's. It waits for the
// device.
func (x *Tensor) Dot(y *Tensor) float64 {
	x.mustLive("Dot")
	x.mustMatch("Dot", y)
	if x != y {
		x.mustBeDense("Dot")
		y.mustBeDense("Dot")
	}
	dot := NewTensor(x.dev, []float64{0})
	x.dev.Dot(dot.buf, 0, x.buf, y.buf)
	return dot.Item()
}

func (x *Tensor) mustOwn(op string) {
	if x.tape != nil {
		panic("autograd: " + op + ": the tensor belongs to a tape and cannot change")
	}
}

func (x *Tensor) mustMatch(op string, y *Tensor) {
	y.mustLive(op)
	if x.Len() != y.Len() || x.dev != y.dev {
		panic(fmt.Sprintf("autograd: %s: %v and %v: want equal sizes on one device", op, x, y))
	}
}
