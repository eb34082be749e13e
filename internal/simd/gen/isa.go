package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa writes the kernels for one instruction set. Each kernel is described once, for both sets.
type isa struct {
	name  string
	lanes int // float32 numbers in a vector
	rows  int // maximum rows of a tile, whose registers are 2·rows accumulators and 3 or 4 others

	// The state of the function being written.
	mask    reg.Register
	index   reg.Register // of a loop, in bytes
	hoisted map[uint32]reg.VecVirtual
}

func (v *isa) wide() bool { return v.lanes == 16 }

// vec returns a new vector register.
func (v *isa) vec() reg.VecVirtual {
	if v.wide() {
		return ZMM()
	}
	return YMM()
}

// vecs returns n new vector registers.
func (v *isa) vecs(n int) []reg.VecVirtual {
	r := make([]reg.VecVirtual, n)
	for i := range r {
		r[i] = v.vec()
	}
	return r
}

// bytes returns the size of n vectors.
func (v *isa) bytes(n int) int { return 4 * v.lanes * n }

// maskOf sets the mask to the first n lanes, where n is a register and 1 ≤ n ≤ lanes.
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

// maskTable returns eight words of ones followed by eight words of zeros. The words from 8−n on
// are a mask of n lanes.
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

// load reads a vector. If masked, it does not read the lanes outside the mask, and sets them to 0.
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

// store writes a vector or, if masked, only its lanes inside the mask.
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

// param loads a parameter into a new register.
func param(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// stride loads a parameter that counts float32 numbers, and converts it to bytes.
func stride(name string) reg.GPVirtual {
	r := param(name)
	SHLQ(U8(2), r)
	return r
}

// argument returns the address of a scalar parameter.
func argument(name string) Mem {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return at.Addr
}

// function starts a function with a doc comment.
func (v *isa) function(name, signature, doc string) {
	TEXT(v.name+name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(v.name + name + " " + doc)
}
