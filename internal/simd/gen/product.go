package main

import (
	"fmt"
	"maps"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const productSignature = "func(k int, a *float32, rs, cs int, b *float32, ldb int, c *float32, " +
	"ldc, tail, tiles, nextA, nextB, nextC, ahead int, alpha, beta float32)"

// width returns the maximum number of vectors of columns in a tile. A core computes up to eight
// multiply-adds at once, so with two vectors the chains of few rows would wait for each other, and
// 4 to 6 rows load fewer numbers for each multiply-add with four vectors.
func (v *isa) width(rows int) int {
	if v.wide() && rows <= 6 {
		return []int{8, 6, 5, 4, 4, 4}[rows-1]
	}
	return 2
}

// products writes the family of micro-kernels of the matrix product, for 1 to v.rows rows and 1 to
// v.width(rows) vectors of columns, and for AVX-512 the ahead kernels.
func (v *isa) products() {
	for rows := 1; rows <= v.rows; rows++ {
		for width := 1; width <= v.width(rows); width++ {
			v.product(rows, width, false)
		}
	}
	if v.wide() {
		for rows := aheadRows; rows <= v.rows; rows++ {
			v.product(rows, 2, true)
		}
	}
}

// longSum is the number of steps from which an ahead kernel loads B 48 steps ahead, as long as a
// load from main memory takes: then B is a strip of a large matrix. Otherwise the loads would
// mostly be behind the end of B, and 12 steps are as long as a load from L2 takes.
const longSum = 256

// aheadRows is the number of rows of the smallest ahead kernel. The rows have room for all loads.
const aheadRows = 6

// product writes C ← alpha·A·B + beta·C for tiles of rows×(width·lanes) numbers of C. All of a tile
// stay in registers over the k steps of the sum, and each is one chain of fused multiply-adds.
//
// While it computes one or two vectors, it loads the tile of C into the cache; a C with wider tiles
// is there already. An ahead kernel loads one row of C in each of the first steps, since loads of
// all rows at once delay those of A and B, and it loads B ahead. Without that, a core that computes
// a step in 14 cycles waits for B.
func (v *isa) product(rows, width int, ahead bool) {
	name := "Product"
	if ahead {
		name = "Ahead"
	}
	v.function(fmt.Sprintf("%s%dx%d", name, rows, width), productSignature,
		fmt.Sprintf("is the micro-kernel for %d rows and %d vectors of columns.", rows, width))
	Label("tile")
	if !ahead && width <= 2 {
		prefetch(rows, width)
	}
	if v.wide() {
		v.maskOf(param("tail"))
	}
	k, b, ldb, cs := param("k"), param("b"), stride("ldb"), stride("cs")
	a := v.rowsOf(rows)
	acc := make([][]reg.VecVirtual, rows)
	for i := range acc {
		acc[i] = v.vecs(width)
		for _, r := range acc[i] {
			VXORPS(r, r, r)
		}
	}

	step := func(between map[int]func()) {
		col := v.vecs(width)
		for j, r := range col {
			v.load(Mem{Base: b, Disp: v.bytes(j)}, r, v.wide() && j == width-1)
		}
		for i := range acc {
			if f := between[i]; f != nil {
				f()
			}
			x := v.vec()
			VBROADCASTSS(a.at[i], x)
			for j := range col {
				VFMADD231PS(col[j], x, acc[i][j])
			}
		}
		for _, p := range a.pointers {
			ADDQ(cs, p)
		}
		ADDQ(ldb, b)
	}
	if !ahead {
		between := map[int]func(){}
		if v.wide() && width == 1 && rows >= aheadRows {
			between[rows/4] = loadNextRows(rows)
		}
		v.steps(k, "step", func() { step(between) })
	} else {
		v.aheadSteps(rows, k, b, ldb, step)
	}
	v.epilogue(acc)
	nextTile()
	v.ret()
}

// loadNextRows returns code for a step that loads a part of the rows of A in the next tile, if rows
// are contiguous. The processor loads single rows ahead by itself, but not the next ones.
func loadNextRows(rows int) func() {
	at := stride("nextA")
	ADDQ(argument("a"), at)
	return func() {
		PREFETCHT0(Mem{Base: at})
		ADDQ(U32(4*rows), at)
	}
}

// nextTile moves the arguments to the next tile, if there is one.
func nextTile() {
	DECQ(argument("tiles"))
	JZ(LabelRef("end"))
	for _, name := range []string{"a", "b", "c"} {
		ADDQ(stride("next"+strings.ToUpper(name)), argument(name))
	}
	JMP(LabelRef("tile"))
	Label("end")
}

// steps writes a loop of k steps.
func (v *isa) steps(k reg.Register, label string, step func()) {
	Label(label)
	step()
	DECQ(k)
	JNZ(LabelRef(label))
}

// aheadSteps writes the k steps of an ahead kernel: as many as there are rows load C too. The
// loads are between the rows of a step. B goes to the second cache, since rows that are a multiple
// of 4 KiB apart share a set of the first, which has 12 lines. The loads are of the last byte of
// each vector: if the vectors are not aligned, they lie in three lines, of which the first is also
// in the strip before.
func (v *isa) aheadSteps(rows int, k, b, ldb reg.Register, step func(between map[int]func())) {
	c, ldc, first, limit := param("c"), stride("ldc"), GP64(), GP64()
	distance, long := GP64(), GP64()
	MOVQ(U32(12), distance)
	MOVQ(U32(48), long)
	CMPQ(k, U32(longSum))
	CMOVQGE(long, distance)
	IMULQ(ldb, distance)
	ofC := func(at Mem) func() { return func() { PREFETCHT0(at) } }
	ofB := func(at Mem) func() { return func() { PREFETCHT1(at) } }
	loads := map[int]func(){
		rows / 2:     ofB(Mem{Base: b, Index: distance, Scale: 1, Disp: v.bytes(1) - 1}),
		3 * rows / 4: ofB(Mem{Base: b, Index: distance, Scale: 1, Disp: v.bytes(2) - 1}),
	}
	MOVQ(k, first)
	MOVQ(U32(rows), limit)
	CMPQ(first, limit)
	CMOVQGT(limit, first)
	SUBQ(first, k)
	v.steps(first, "first", func() {
		both := maps.Clone(loads)
		both[rows/7], both[rows/3] = ofC(Mem{Base: c}), ofC(Mem{Base: c, Disp: v.bytes(1)})
		step(both)
		ADDQ(ldc, c)
	})
	TESTQ(k, k)
	JZ(LabelRef("done"))
	loads[rows/4] = loadNextRows(rows)
	v.steps(k, "step", func() { step(loads) })
	Label("done")
}

// prefetch loads the tile of C into the cache while the sums are computed.
func prefetch(rows, width int) {
	c, ldc := param("c"), stride("ldc")
	for i := range rows {
		for j := range width {
			PREFETCHT0(Mem{Base: c, Disp: 64 * j})
		}
		if i < rows-1 {
			ADDQ(ldc, c)
		}
	}
}

// A column addresses the numbers of A that one step of the sum needs.
type column struct {
	at       []Mem
	pointers []reg.GPVirtual // advance by the column stride after each step
}

// rowsOf addresses up to 14 rows with two pointers, to rows 0 and 7, and the strides rs, 3rs and
// 5rs.
func (v *isa) rowsOf(rows int) column {
	p0, rs := param("a"), stride("rs")
	none, rs3, rs5, p7 := GP64(), GP64(), GP64(), GP64()
	type address struct {
		base, stride reg.GPVirtual
		scale        uint8
	}
	table := []address{{p0, none, 0}, {p0, rs, 1}, {p0, rs, 2}, {p0, rs3, 1}, {p0, rs, 4},
		{p0, rs5, 1}, {p0, rs3, 2},
		{p7, none, 0}, {p0, rs, 8}, {p7, rs, 2}, {p0, rs5, 2}, {p7, rs, 4}, {p0, rs3, 4},
		{p7, rs3, 2}}[:rows]
	col := column{pointers: []reg.GPVirtual{p0}}
	if rows > 3 {
		LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	}
	if rows > 5 {
		LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	}
	if rows > 7 {
		LEAQ(Mem{Base: p0, Index: rs3, Scale: 2}, p7)
		ADDQ(rs, p7)
		col.pointers = append(col.pointers, p7)
	}
	for _, r := range table {
		m := Mem{Base: r.base}
		if r.scale > 0 {
			m.Index, m.Scale = r.stride, r.scale
		}
		col.at = append(col.at, m)
	}
	return col
}

// one is the bits of the number 1.
const one = 0x3f800000

// epilogue writes alpha·acc + beta·C to C. If beta is 0, it does not read C. In a short sum, a
// multiplication by alpha takes as long as a step.
func (v *isa) epilogue(acc [][]reg.VecVirtual) {
	if !v.wide() {
		v.maskOf(param("tail"))
	}
	c, ldc, bits := param("c"), stride("ldc"), GP32()
	alpha, beta := v.vec(), v.vec()
	VBROADCASTSS(argument("alpha"), alpha)
	VBROADCASTSS(argument("beta"), beta)
	CMPL(argument("alpha"), U32(one))
	JEQ(LabelRef("scaled"))
	for _, row := range acc {
		for _, r := range row {
			VMULPS(alpha, r, r)
		}
	}
	Label("scaled")
	loadAhead(acc)
	MOVL(argument("beta"), bits)
	SHLL(U8(1), bits)
	JZ(LabelRef("overwrite"))
	v.rowsOut(acc, c, ldc, beta)
	JMP(LabelRef("next"))
	Label("overwrite")
	v.rowsOut(acc, c, ldc, nil)
	Label("next")
}

// loadAhead loads the lines of C at the distance ahead, unless that is 0.
func loadAhead(acc [][]reg.VecVirtual) {
	at, ldc := param("ahead"), stride("ldc")
	TESTQ(at, at)
	JZ(LabelRef("loaded"))
	SHLQ(U8(2), at)
	ADDQ(argument("c"), at)
	for _, row := range acc {
		for j := range row {
			PREFETCHT0(Mem{Base: at, Disp: 64 * j})
		}
		ADDQ(ldc, at)
	}
	Label("loaded")
}

// rowsOut adds beta·C to the tile if beta is not nil, and writes the tile.
func (v *isa) rowsOut(acc [][]reg.VecVirtual, c, ldc reg.GPVirtual, beta reg.Register) {
	for i, row := range acc {
		for j, r := range row {
			at, last := Mem{Base: c, Disp: v.bytes(j)}, j == len(row)-1
			if beta != nil {
				old := v.vec()
				v.load(at, old, last)
				VFMADD231PS(old, beta, r)
			}
			v.store(r, at, last)
		}
		if i < len(acc)-1 {
			ADDQ(ldc, c)
		}
	}
}
