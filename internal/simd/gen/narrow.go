package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// narrowColumns is the number of columns of the widest narrow kernel. Its sums and parts of A fill
// the registers.
const narrowColumns = 6

// narrow writes a kernel for a product with few columns, which would leave most lanes of a vector
// of columns idle. Its vectors are columns of 16 rows: it transposes eight columns of A at a time,
// and each number of C is one chain of fused multiply-adds. There are two groups of rows, since the
// chains of one group would wait for each other.
func (v *isa) narrow(columns int) {
	v.function(fmt.Sprintf("Narrow%d", columns),
		"func(k int, a *float32, rs int, b *float32, ldb int, c *float32, ldc, second, skip1, "+
			"skip2 int, alpha, beta float32)",
		fmt.Sprintf("is the kernel for %d columns; see narrow in gemm.go.", columns))
	k, b, ldb := param("k"), param("b"), stride("ldb")
	a := v.groupsOf()
	acc := [][]reg.VecVirtual{v.zeros(columns), v.zeros(columns)}
	halves(nil)

	Label("block")
	CMPQ(k, U32(8))
	JGE(LabelRef("whole"))
	halves(k)
	Label("whole")
	cols := [][]reg.VecVirtual{v.columnsOf(a[0]), v.columnsOf(a[1])}
	for p := range 8 {
		for j := range columns {
			x := v.vec()
			VBROADCASTSS(Mem{Base: b, Disp: 4 * j}, x)
			for g, sums := range acc {
				VFMADD231PS(cols[g][p], x, sums[j])
			}
		}
		ADDQ(ldb, b)
		DECQ(k)
		JZ(LabelRef("done"))
	}
	for _, rows := range a {
		for _, i := range []int{0, 8} {
			ADDQ(U32(32), rows[i].Base)
		}
	}
	JMP(LabelRef("block"))
	Label("done")
	v.narrowOut(acc)
	v.ret()
}

// halves sets the masks K1 and K2 to the first n lanes of each half, or to all.
func halves(n reg.Register) {
	x := GP64()
	MOVQ(U32(0xff), x)
	if n != nil {
		BZHIQ(n, x, x)
	}
	KMOVW(x.As32(), reg.K1)
	SHLQ(U8(8), x)
	KMOVW(x.As32(), reg.K2)
}

// columnsOf loads eight numbers of each row, through the masks K1 and K2, and transposes them.
func (v *isa) columnsOf(rows []Mem) []reg.VecVirtual {
	x := v.vecs(8)
	for i, r := range x { // rows 0 and 4, …, 3 and 7, 8 and 12, …, 11 and 15
		i += i / 4 * 4
		VBROADCASTF32X8_Z(rows[i], reg.K1, r)
		VBROADCASTF32X8(rows[i+4], reg.K2, r)
	}
	quads, out := v.quads(x), v.vecs(8)
	for c := range 4 {
		VSHUFF32X4(U8(0x88), quads[4+c], quads[c], out[c])
		VSHUFF32X4(U8(0xdd), quads[4+c], quads[c], out[4+c])
	}
	return out
}

// groupsOf addresses the rows of both groups: rows 0 and lanes/2 of each with a pointer, the others
// with the strides rs, 3rs, 5rs and 7rs.
func (v *isa) groupsOf() [2][]Mem {
	p, rs, second := param("a"), stride("rs"), param("second")
	rs3, rs5, rs7 := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	LEAQ(Mem{Base: rs3, Index: rs, Scale: 4}, rs7)
	IMULQ(rs, second)
	ADDQ(p, second)
	var all [2][]Mem
	for g, first := range []reg.GPVirtual{p, second} {
		half := GP64()
		LEAQ(Mem{Base: first, Index: rs, Scale: 8}, half)
		for _, base := range []reg.GPVirtual{first, half} {
			all[g] = append(all[g], Mem{Base: base},
				Mem{Base: base, Index: rs, Scale: 1}, Mem{Base: base, Index: rs, Scale: 2},
				Mem{Base: base, Index: rs3, Scale: 1}, Mem{Base: base, Index: rs, Scale: 4},
				Mem{Base: base, Index: rs5, Scale: 1}, Mem{Base: base, Index: rs3, Scale: 2},
				Mem{Base: base, Index: rs7, Scale: 1})
		}
	}
	return all
}

// narrowOut writes alpha·acc + beta·C to C, but skips the first rows of each group. If beta is 0,
// it does not read C. It reads all rows before it writes any, since a load near a row that has just
// been written waits.
func (v *isa) narrowOut(acc [][]reg.VecVirtual) {
	columns := len(acc[0])
	alpha, beta, bits := v.vec(), v.vec(), GP32()
	VBROADCASTSS(argument("alpha"), alpha)
	VBROADCASTSS(argument("beta"), beta)
	MOVL(U32(1<<columns-1), bits)
	KMOVW(bits, reg.K1)
	c, ldc, second := param("c"), stride("ldc"), param("second")
	IMULQ(ldc, second)
	ADDQ(c, second)
	for g, sums := range acc {
		for _, r := range sums {
			VMULPS(alpha, r, r)
		}
		padded := make([]reg.VecVirtual, v.lanes) // only the first columns are written
		for i := range padded {
			padded[i] = sums[i%columns]
		}
		rows, write := v.transposed(padded), fmt.Sprintf("write%d", g)
		first := []reg.GPVirtual{c, second}[g]
		MOVL(argument("beta"), bits)
		SHLL(U8(1), bits)
		JZ(LabelRef(write))
		at := GP64()
		MOVQ(first, at)
		for _, r := range rows {
			VFMADD231PS(Mem{Base: at}, beta, reg.K1, r)
			ADDQ(ldc, at)
		}
		Label(write)
		skip := param(fmt.Sprintf("skip%d", g+1))
		for i, r := range rows {
			next := fmt.Sprintf("row%d", g*v.lanes+i+1)
			CMPQ(skip, U32(i))
			JGT(LabelRef(next))
			VMOVUPS(r, reg.K1, Mem{Base: first})
			Label(next)
			ADDQ(ldc, first)
		}
	}
}
