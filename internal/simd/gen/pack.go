package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// packing writes the kernels that copy operands of a product to the order in which the product
// reads them.
func (v *isa) packing() {
	v.copyStrips(1)
	v.copyStrips(2)
	v.transpose()
}

// copyStrips writes a packer for strips of width vectors: see packer in gemm.go. It reads the last
// vector of a strip through a mask of tail lanes and writes zeros to the other lanes. It loads the
// strips eight rows ahead, since the rows of a matrix are often a page or more apart.
func (v *isa) copyStrips(width int) {
	v.function(fmt.Sprintf("Pack%d", width),
		"func(k, strips int, src *float32, ld, step int, dst *float32, size, tail int)",
		fmt.Sprintf("copies k rows of strips of %d vectors; see packer.", width))
	v.maskOf(param("tail"))
	k, src, dst := param("k"), param("src"), param("dst")
	ld, step, size, strips := stride("ld"), stride("step"), stride("size"), param("strips")
	from, to, n, ahead := GP64(), GP64(), GP64(), GP64()
	MOVQ(ld, ahead)
	SHLQ(U8(3), ahead)

	Label("row")
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(strips, n)
	Label("strip")
	for j, r := range v.vecs(width) {
		v.load(Mem{Base: from, Disp: v.bytes(j)}, r, j == width-1)
		v.store(r, Mem{Base: to, Disp: v.bytes(j)}, false)
		PREFETCHT0(Mem{Base: from, Index: ahead, Scale: 1, Disp: v.bytes(j)})
	}
	ADDQ(step, from)
	ADDQ(size, to)
	DECQ(n)
	JNZ(LabelRef("strip"))
	ADDQ(ld, src)
	ADDQ(U32(v.bytes(width)), dst)
	DECQ(k)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// transpose writes a transposer: see gemm.go. It loads the rows four lines ahead, since the
// processor does not do so by itself for so many rows.
func (v *isa) transpose() {
	v.function("Transpose", "func(k int, src *float32, rows *int, dst *float32, ld int)",
		"copies rows, whose offsets from src are given, to columns; see transposer.")
	k, src, rows, dst, ld := param("k"), param("src"), param("rows"), param("dst"), stride("ld")
	full, n := GP64(), GP64()
	MOVQ(U32(v.lanes), full)
	Label("block")
	MOVQ(k, n)
	CMPQ(n, full)
	CMOVQGT(full, n)
	v.maskOf(n)
	square := v.vecs(v.lanes)
	for i, r := range square {
		at := GP64()
		MOVQ(Mem{Base: rows, Disp: 8 * i}, at)
		v.load(Mem{Base: src, Index: at, Scale: 4}, r, true)
		PREFETCHT0(Mem{Base: src, Index: at, Scale: 4, Disp: 256})
	}
	for i, r := range v.transposed(square) {
		VMOVUPS(r, Mem{Base: dst})
		ADDQ(ld, dst)
		if i < v.lanes-1 {
			DECQ(n)
			JZ(LabelRef("next"))
		}
	}
	Label("next")
	ADDQ(U32(v.bytes(1)), src)
	SUBQ(full, k)
	JG(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// transposed returns the transpose of the square matrix with the given rows. Each stage doubles
// the size of the blocks that are transposed, 1 → 2 → 4 within lanes of 128 bits; the last stage
// moves the blocks of 4.
func (v *isa) transposed(x []reg.VecVirtual) []reg.VecVirtual {
	quads := v.quads(x)
	out := v.vecs(len(x))
	for c := range 4 {
		if !v.wide() {
			VPERM2F128(U8(0x20), quads[4+c], quads[c], out[c])
			VPERM2F128(U8(0x31), quads[4+c], quads[c], out[4+c])
			continue
		}
		q := []reg.VecVirtual{quads[c], quads[4+c], quads[8+c], quads[12+c]}
		h := v.vecs(4)
		VSHUFF32X4(U8(0x44), q[1], q[0], h[0]) // lanes 0 1 of q0, 0 1 of q1
		VSHUFF32X4(U8(0xee), q[1], q[0], h[1]) // lanes 2 3
		VSHUFF32X4(U8(0x44), q[3], q[2], h[2])
		VSHUFF32X4(U8(0xee), q[3], q[2], h[3])
		VSHUFF32X4(U8(0x88), h[2], h[0], out[c]) // lane 0 of each
		VSHUFF32X4(U8(0xdd), h[2], h[0], out[4+c])
		VSHUFF32X4(U8(0x88), h[3], h[1], out[8+c])
		VSHUFF32X4(U8(0xdd), h[3], h[1], out[12+c])
	}
	return out
}

// quads transposes blocks of 4: part l, of 128 bits, of its vector 4q+c has column 4l+c of rows 4q
// to 4q+3.
func (v *isa) quads(x []reg.VecVirtual) []reg.VecVirtual {
	n := len(x)
	pairs, quads := v.vecs(n), v.vecs(n)
	for i := 0; i < n; i += 2 {
		VUNPCKLPS(x[i+1], x[i], pairs[i])
		VUNPCKHPS(x[i+1], x[i], pairs[i+1])
	}
	for i := 0; i < n; i += 4 {
		for half := range 2 {
			lo, hi := pairs[i+half], pairs[i+2+half]
			VSHUFPS(U8(0x44), hi, lo, quads[i+2*half])
			VSHUFPS(U8(0xee), hi, lo, quads[i+2*half+1])
		}
	}
	return quads
}
