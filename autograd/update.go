package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// This file is for optimizers and for state that a model updates: it changes tensors in place.
// Only tensors that belong to no tape can change, and only between Backward and the next forward
// computation. SetRows alone may be called within one.

// Adam holds the constants of one step of Adam or AdamW: see [Tensor.AdamStep].
type Adam = device.Adam

// Assign overwrites x with data, in row-major order. It panics if x belongs to a tape or data does
// not fill its shape.
func (x *Tensor) Assign(data []float64) { assign(x, data) }

// Assign32 is [Tensor.Assign] for float32 data, which are not widened on their way to the device.
func (x *Tensor) Assign32(data []float32) { assign(x, data) }

func assign[F float32 | float64](x *Tensor, data []F) {
	x.mustOwn("Assign")
	if len(data) != x.Len() {
		panic(fmt.Sprintf("autograd: Assign: %d numbers for shape %v, which holds %d", len(data),
			x.shape, x.Len()))
	}
	upload(x, data)
}

// AddToRow adds y to row i of x, the part of x with index i along the first axis, for example to
// collect a value of every step. It does not wait for the device, and the device gets the same
// commands for each i. It panics if x belongs to a tape, or if y does not have a row's size or
// is on another device.
func (x *Tensor) AddToRow(i int, y *Tensor) {
	x.mustOwn("AddToRow")
	y.mustLive("AddToRow")
	y.mustBeDense("AddToRow")
	if x.rank() == 0 || i < 0 || i >= x.shape[0] || y.Len() != size(x.shape[1:]) ||
		x.dev != y.dev {
		panic(fmt.Sprintf(
			"autograd: AddToRow: %v as row %d of %v: want a row's size and the same device",
			y, i, x,
		))
	}
	x.dev.ScatterAdd(x.buf, []int{i}, y.buf, y.Len())
}

// SetRows replaces row index[i] of x [n …] by row i of y [len(index) …], for example to save a
// value of each sample of a batch. The indices are distinct. Rows of x that were finite become
// exactly those of y.
//
// The operations that follow read the new rows. Backward must not need the old ones; it does not
// where constant rows were read by [Tape.Gather], which copies. SetRows does not wait for the
// device, and the device gets the same commands for each index of one length. It panics if x
// belongs to a tape, if shapes do not fit, or if an index is out of range or occurs twice.
func (t *Tape) SetRows(x *Tensor, index []int, y *Tensor) {
	t.CheckOperands("SetRows", x, y)
	x.mustOwn("SetRows")
	if x.rank() == 0 || y.rank() != x.rank() || y.shape[0] != len(index) ||
		!slices.Equal(y.shape[1:], x.shape[1:]) {
		panic(fmt.Sprintf(
			"autograd: SetRows: %v as %d rows of %v: want as many rows of the same shape",
			y.shape, len(index), x.shape,
		))
	}
	sorted := slices.Sorted(slices.Values(index))
	for i, r := range sorted {
		if r < 0 || r >= x.shape[0] || i > 0 && r == sorted[i-1] {
			panic(fmt.Sprintf(
				"autograd: SetRows: indices %v of %d rows: want each in range and none twice",
				index, x.shape[0],
			))
		}
	}
	if t.again {
		return
	}
	width := size(x.shape[1:])
	t.Unrecorded(func() {
		t.Scope(func() *Tensor { // x − x is exactly 0, and 0 + y exactly y
			minus := t.Neg(t.Gather(x, index))
			t.dev.ScatterAdd(x.buf, index, minus.buf, width)
			t.dev.ScatterAdd(x.buf, index, y.buf, width)
			return y
		})
	})
}

// AddScaled replaces x by x + a·y, for y of x's size. It panics if x belongs to a tape, or if y is
// stale, of another size, on another device or row-sparse.
func (x *Tensor) AddScaled(a float64, y *Tensor) {
	x.mustOwn("AddScaled")
	x.mustMatch("AddScaled", y)
	y.mustBeDense("AddScaled")
	x.dev.Axpy(a, y.buf, x.buf)
}

// Multiply replaces x by a·x. It panics if x belongs to a tape.
func (x *Tensor) Multiply(a float64) {
	x.mustOwn("Multiply")
	x.dev.Unary(device.Affine, x.buf, x.buf, a, 0)
}

// AdamStep makes one step of Adam: it updates x by its gradient g, and with it the running
// moments m and v of g. All four have one size.
//
//	m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  x ← x − lr·(m/c₁) / (√(v/c₂) + eps),  cᵢ = 1 − βᵢᵗ
//
// Weight decay is added to g (Adam, Kingma and Ba 2015) or, decoupled, applied to x before: x ←
// x − lr·decay·x (AdamW, Loshchilov and Hutter 2019). If g is row-sparse ([Tape.Lookup]), only
// the rows that it stores are updated. It panics if x, m or v belongs to a tape or sizes differ.
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

// AdamCompactStep is [Tensor.AdamStep] with less state, 2 bytes for each element of x and a few
// others instead of 8. For x [rows …], taken as a matrix [rows columns], it keeps m in bfloat16 and
// instead of v the running means of each row and column of g² (Shazeer and Stern 2018, Adafactor):
//
//	r_i ← β₂r_i + (1−β₂)·mean_j g²_ij,  c_j ← β₂c_j + (1−β₂)·mean_i g²_ij,  v_ij = r_i·c_j/mean(c)
//
// m is [rows ⌈columns/2⌉], two numbers in the bits of a float32. (v in bfloat16 would stand still:
// at β₂ = 0.999 a step changes it by less than half a unit in its last place.)
//
// If g is row-sparse, only the rows that it stores and their r_i are updated, and the mean over i
// is that of these rows. It panics if x or a moment belongs to a tape or a size is another.
func (x *Tensor) AdamCompactStep(g, m, row, column *Tensor, a Adam) {
	x.mustOwn("AdamCompactStep")
	x.mustMatch("AdamCompactStep", g)
	fits := x.rank() > 0 && row.Len() == x.shape[0] && column.Len() == size(x.shape[1:]) &&
		m.Len() == row.Len()*((column.Len()+1)/2)
	for _, y := range []*Tensor{m, row, column} {
		y.mustOwn("AdamCompactStep")
		fits = fits && y.dev == x.dev
	}
	if !fits {
		panic(fmt.Sprintf(
			"autograd: AdamCompactStep: moments %v, %v and %v of %v: want [rows ⌈columns/2⌉], "+
				"[rows] and [columns] on its device", m, row, column, x,
		))
	}
	x.dev.AdamCompact(a, x.buf, g.buf, m.buf, row.buf, column.buf, g.rows)
}

// Norm returns the Euclidean norm of tensors, dense or row-sparse, taken as one vector: a scalar
// that is a constant. The norm of no tensors is 0. The squares of each tensor are summed in
// double precision.
func (t *Tape) Norm(xs ...*Tensor) *Tensor {
	squares := t.full([]int{max(1, len(xs))}, 0)
	for i, x := range xs {
		x = stored(x)
		t.CheckOperands("Norm", x)
		t.dev.Dot(squares.buf, i, x.buf, x.buf)
	}
	return t.Sqrt(t.Sum(squares))
}

// Dot returns Σ x⊙y for x and y of one size, summed in double precision and rounded to the
// device's. It waits for the device. It panics if one of them is stale or, unless x is y,
// row-sparse.
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
