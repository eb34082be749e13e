package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// partials is the number of interleaved partial sums of a reduction, on every path.
const partials = 32

// loop writes a loop over the n numbers of a row. It processes unit vectors at a time, then the
// remaining vectors one by one, the last with a mask. body writes the code for vector u of a unit.
func (v *isa) loop(label string, n reg.Register, unit int, body func(u int, masked bool)) {
	v.index = GP64()
	left := GP64()
	step := unit * v.lanes
	XORQ(v.index, v.index)
	MOVQ(n, left)
	SUBQ(U32(step), left)
	JL(LabelRef(label + "Rest"))
	Label(label)
	for u := range unit {
		body(u, false)
	}
	ADDQ(U32(4*step), v.index)
	SUBQ(U32(step), left)
	JGE(LabelRef(label))

	Label(label + "Rest")
	ADDQ(U32(step), left)
	for u := range unit - 1 {
		CMPQ(left, U32(v.lanes))
		JL(LabelRef(tailLabel(label, u)))
		body(u, false)
		SUBQ(U32(v.lanes), left)
	}
	for u := unit - 1; u >= 0; u-- {
		Label(tailLabel(label, u))
		TESTQ(left, left)
		JZ(LabelRef(label + "Done"))
		v.maskOf(left)
		body(u, true)
		if u > 0 {
			JMP(LabelRef(label + "Done"))
		}
	}
	Label(label + "Done")
}

func tailLabel(label string, u int) string { return fmt.Sprintf("%sTail%d", label, u) }

// at returns the address of vector u of a unit.
func (v *isa) at(base reg.Register, u int) Mem {
	return Mem{Base: base, Index: v.index, Scale: 1, Disp: v.bytes(u)}
}

// get loads vector u of a row.
func (v *isa) get(base reg.Register, u int, masked bool) reg.VecVirtual {
	r := v.vec()
	v.load(v.at(base, u), r, masked)
	return r
}

// put stores vector u of a row.
func (v *isa) put(r reg.Register, base reg.Register, u int, masked bool) {
	v.store(r, v.at(base, u), masked)
}

// zeroOutside sets the lanes outside the mask to 0.
func (v *isa) zeroOutside(r reg.Register, masked bool) {
	switch {
	case !masked:
	case v.wide():
		VMOVAPS_Z(r, v.mask, r)
	default:
		VANDPS(v.mask, r, r)
	}
}

// pointers returns the addresses of the slices with these names.
func pointers(names ...string) []reg.GPVirtual {
	var r []reg.GPVirtual
	for _, name := range names {
		r = append(r, GP64())
		Load(Param(name).Base(), r[len(r)-1])
	}
	return r
}

// length returns the length of a slice.
func length(name string) reg.GPVirtual {
	n := GP64()
	Load(Param(name).Len(), n)
	return n
}

// scalar returns a vector with a parameter in every lane.
func (v *isa) scalar(name string) reg.VecVirtual {
	r := v.vec()
	VBROADCASTSS(argument(name), r)
	return r
}

// result stores lane 0 as the named result.
func result(x reg.Vec, name string) {
	at, err := Return(name).Resolve()
	if err != nil {
		panic(err)
	}
	VMOVSS(x.AsX(), at.Addr)
}

// ret ends the function.
func (v *isa) ret() {
	VZEROUPPER()
	RET()
}

// zeros returns n vectors of zeros.
func (v *isa) zeros(n int) []reg.VecVirtual {
	r := v.vecs(n)
	for _, x := range r {
		VXORPS(x, x, x)
	}
	return r
}

// fold combines interleaved partial results with op, 32 → 16 → … → 1, and returns the result in
// every lane.
func (v *isa) fold(acc []reg.VecVirtual, op func(...Op)) reg.VecVirtual {
	for half := len(acc) / 2; half > 0; half /= 2 {
		for i := range half {
			op(acc[half+i], acc[i], acc[i])
		}
	}
	low := acc[0]
	if v.wide() {
		hi := YMM()
		VEXTRACTF32X8(U8(1), low, hi)
		op(hi, low.AsY(), low.AsY())
	}
	x, hi := low.AsX(), XMM()
	VEXTRACTF128(U8(1), low.AsY(), hi)
	op(hi, x, x)
	VPERMILPS(U8(0x4e), x, hi)
	op(hi, x, x)
	VPERMILPS(U8(0xb1), x, hi)
	op(hi, x, x)
	all := v.vec()
	VBROADCASTSS(x, all)
	return all
}

// hoist loads constants into registers for the rest of the function if the instruction set has
// enough registers.
func (v *isa) hoist(constants ...float64) {
	v.hoisted = map[uint32]reg.VecVirtual{}
	if !v.wide() {
		return
	}
	for _, c := range constants {
		r := v.vec()
		VBROADCASTSS(constant(c), r)
		v.hoisted[bitsOf(c)] = r
	}
}

// c returns a hoisted constant as an operand.
func (v *isa) c(x float64) Op {
	if !v.wide() {
		return constant(x)
	}
	r, ok := v.hoisted[bitsOf(x)]
	if !ok {
		panic(fmt.Sprintf("gen: constant %g was not hoisted", x))
	}
	return r
}

// copyOf returns a copy of an operand in a new register.
func (v *isa) copyOf(x Op) reg.VecVirtual {
	r := v.vec()
	VMOVUPS(x, r)
	return r
}

func bitsOf(x float64) uint32 { return math.Float32bits(float32(x)) }

var constants = map[uint32]Mem{}

// constant returns the address of a float32 that is repeated eight times.
func constant(x float64) Mem {
	bits := bitsOf(x)
	m, known := constants[bits]
	if !known {
		m = GLOBL(fmt.Sprintf("float%08x", bits), RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, U32(bits))
		}
		constants[bits] = m
	}
	return m
}
