package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa says how the kernels, which are written once, look in one instruction set.
type isa struct {
	name  string
	lanes int // float32 numbers in a vector
	rows  int // most rows of C that the accumulators of a product hold: 2·rows + 4 registers, or 2·rows + 3

	// The state of the function being written.
	mask    reg.Register
	index   reg.Register // of a loop, in bytes
	hoisted map[uint32]reg.VecVirtual
}

func (v *isa) wide() bool { return v.lanes == 16 }

// vec returns a fresh vector register.
func (v *isa) vec() reg.VecVirtual {
	if v.wide() {
		return ZMM()
	}
	return YMM()
}

func (v *isa) vecs(n int) []reg.VecVirtual {
	r := make([]reg.VecVirtual, n)
	for i := range r {
		r[i] = v.vec()
	}
	return r
}

// bytes returns the size of n vectors.
func (v *isa) bytes(n int) int { return 4 * v.lanes * n }

// maskOf makes the mask that selects the first n lanes, n in a register, 1 ≤ n ≤ lanes.
func (v *isa) maskOf(n reg.Register) {
	if v.wide() {
		bits := GP64()
		MOVQ(U32(0xffff), bits)
		BZHIQ(n, bits, bits)
		v.mask = reg.K1
		KMOVW(bits.As32(), reg.K1)
		return
	}
	table, from := GP64(), GP64()
	LEAQ(maskTable(), table)
	MOVQ(U32(8), from)
	SUBQ(n, from)
	m := YMM()
	VMOVUPS(Mem{Base: table, Index: from, Scale: 4}, m)
	v.mask = m
}

var masks *Mem

// maskTable returns eight words of ones followed by eight of zeros: from word 8−n on, a mask of n
// lanes.
func maskTable() Mem {
	if masks == nil {
		m := GLOBL("mask", RODATA|NOPTR)
		masks = &m
		for i := range 16 {
			word := U32(0)
			if i < 8 {
				word = 0xffffffff
			}
			DATA(4*i, word)
		}
	}
	return *masks
}

// load reads a vector; where masked, the lanes outside the mask are not touched in memory and
// become 0.
func (v *isa) load(from Mem, to reg.Register, masked bool) {
	switch {
	case !masked:
		VMOVUPS(from, to)
	case v.wide():
		VMOVUPS_Z(from, v.mask, to)
	default:
		VMASKMOVPS(from, v.mask, to)
	}
}

// store writes a vector, or its lanes inside the mask.
func (v *isa) store(from reg.Register, to Mem, masked bool) {
	switch {
	case !masked:
		VMOVUPS(from, to)
	case v.wide():
		VMOVUPS(from, v.mask, to)
	default:
		VMASKMOVPS(from, v.mask, to)
	}
}

// param loads a parameter into a fresh register.
func param(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// stride loads a parameter that counts float32 numbers and makes it count bytes.
func stride(name string) reg.GPVirtual {
	r := param(name)
	SHLQ(U8(2), r)
	return r
}

// argument returns where a scalar parameter lies.
func argument(name string) Mem {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return at.Addr
}

func (v *isa) function(name, signature, doc string) {
	TEXT(v.name+name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(v.name + name + " " + doc)
}
