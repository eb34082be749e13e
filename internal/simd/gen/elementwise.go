package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elementwise writes the kernels that compute each number independently.
func (v *isa) elementwise() {
	v.unary("Exp", expConstants, func(x reg.Register) reg.VecVirtual {
		return v.exp(v.clamp(x, expMin, expMax))
	})
	v.unary("Log", logConstants, v.log)
	v.unary("Tanh", gateConstants, v.tanh)
	v.unary("Sigmoid", append(expConstants, negativeZero), v.sigmoid)
	v.unary("GELU", gaussConstants, v.gelu)
	v.unary("ReLU", nil, v.relu)
	v.binary("GELUGrad", "dx, x, g", gaussConstants, func(x reg.Register, g Op) reg.VecVirtual {
		y := v.geluGrad(x)
		VMULPS(g, y, y)
		return y
	})
	v.binary("ReLUGrad", "dx, x, g", nil, v.reluGrad)
	v.binary("Add", "dst, x, y", nil, func(x reg.Register, y Op) reg.VecVirtual {
		s := v.vec()
		VADDPS(y, x, s)
		return s
	})
	v.binary("Mul", "dst, x, y", nil, func(x reg.Register, y Op) reg.VecVirtual {
		p := v.vec()
		VMULPS(y, x, p)
		return p
	})
	v.scale()
	v.axpy()
	v.adam()
	v.adamCompact()
	if v.wide() {
		v.drop()
		v.packSigns()
		v.maskSigns()
	}
}

// unroll is the number of vectors in one iteration of kernels that need few registers.
const unroll = 4

// unary writes a kernel dst = f(x).
func (v *isa) unary(name string, constants []float64, f func(x reg.Register) reg.VecVirtual) {
	v.function(name, "func(dst, x []float32)", "implements "+name+".")
	p, n := pointers("dst", "x"), length("dst")
	v.hoist(constants...)
	v.loop("loop", n, v.unit(constants), func(u int, masked bool) {
		v.put(f(v.get(p[1], u, masked)), p[0], u, masked)
	})
	v.ret()
}

// unit returns the number of vectors in one iteration: kernels with constants need the registers.
func (v *isa) unit(constants []float64) int {
	if constants == nil {
		return unroll
	}
	return 1
}

// binary writes a kernel with two inputs, whose parameters are named in params.
func (v *isa) binary(
	name, params string, constants []float64, f func(x reg.Register, y Op) reg.VecVirtual,
) {
	v.function(name, "func("+params+" []float32)", "implements "+name+".")
	names := splitParams(params)
	p, n := pointers(names...), length(names[0])
	v.hoist(constants...)
	v.loop("loop", n, v.unit(constants), func(u int, masked bool) {
		x := v.get(p[1], u, masked)
		v.put(f(x, v.get(p[2], u, masked)), p[0], u, masked)
	})
	v.ret()
}

// reluGrad returns g where x > 0, and 0 elsewhere.
func (v *isa) reluGrad(x reg.Register, g Op) reg.VecVirtual {
	const greater = 30 // GT_OQ: false for NaN
	zero := v.zeros(1)[0]
	if v.wide() {
		VCMPPS(U8(greater), zero, x, reg.K2)
		VMOVAPS_Z(g, reg.K2, zero)
		return zero
	}
	VCMPPS(U8(greater), zero, x, zero)
	VANDPS(g, zero, zero)
	return zero
}

func (v *isa) scale() {
	v.function("Scale", "func(dst []float32, alpha float32, x []float32)", "implements Scale.")
	p, n, alpha := pointers("dst", "x"), length("dst"), v.scalar("alpha")
	v.loop("loop", n, unroll, func(u int, masked bool) {
		x := v.get(p[1], u, masked)
		VMULPS(alpha, x, x)
		v.put(x, p[0], u, masked)
	})
	v.ret()
}

func (v *isa) axpy() {
	v.function("Axpy", "func(y []float32, alpha float32, x []float32)", "implements Axpy.")
	p, n, alpha := pointers("y", "x"), length("y"), v.scalar("alpha")
	v.loop("loop", n, unroll, func(u int, masked bool) {
		y, x := v.get(p[0], u, masked), v.get(p[1], u, masked)
		VFMADD231PS(x, alpha, y)
		v.put(y, p[0], u, masked)
	})
	v.ret()
}

// adam writes one step of Adam; see AdamStep.
func (v *isa) adam() {
	v.function("Adam",
		"func(p, g, m, v []float32, keep, decay, beta1, rest1, beta2, rest2, step, scale, eps "+
			"float32)", "implements AdamStep.Update.")
	at, n := pointers("p", "g", "m", "v"), length("p")
	s := map[string]reg.VecVirtual{}
	for _, name := range []string{"keep", "decay", "beta1", "rest1", "beta2", "rest2", "step",
		"scale", "eps"} {
		s[name] = v.scalar(name)
	}
	v.loop("loop", n, 1, func(u int, masked bool) {
		p, g := v.get(at[0], u, masked), v.get(at[1], u, masked)
		m, w := v.get(at[2], u, masked), v.get(at[3], u, masked)
		VFMADD231PS(p, s["decay"], g)
		VMULPS(s["beta1"], m, m)
		VFMADD231PS(g, s["rest1"], m)
		v.put(m, at[2], u, masked)
		VMULPS(s["beta2"], w, w)
		square := v.vec()
		VMULPS(g, g, square)
		VFMADD231PS(square, s["rest2"], w)
		v.put(w, at[3], u, masked)
		VMULPS(s["scale"], w, w)
		VSQRTPS(w, w)
		VADDPS(s["eps"], w, w)
		VMULPS(s["step"], m, m)
		VDIVPS(w, m, m)
		VFMSUB132PS(s["keep"], m, p)
		v.put(p, at[0], u, masked)
	})
	v.ret()
}

// adamCompact writes the kernel of AdamStep.UpdateCompact, for a row of even length.
func (v *isa) adamCompact() {
	v.function("AdamCompact",
		"func(p, g, m, c []float32, keep, decay, beta1, rest1, step, scale, eps float32)",
		"implements AdamStep.UpdateCompact.")
	at, n := pointers("p", "g", "c", "m"), length("m")
	high := make([]reg.GPVirtual, 3) // addresses of the second halves
	for i := range high {
		high[i] = GP64()
		LEAQ(Mem{Base: at[i], Index: n, Scale: 4}, high[i])
	}
	s := map[string]reg.VecVirtual{}
	for _, name := range []string{"keep", "decay", "beta1", "rest1", "step", "scale", "eps"} {
		s[name] = v.scalar(name)
	}
	below := float64(math.Float32frombits(0x7fff)) // below half a unit of the high 16 bits
	v.hoist(below)
	// update updates p and returns the bits of m, rounded, in the high or the low half
	update := func(at []reg.GPVirtual, m reg.VecVirtual, u int, masked bool) reg.VecVirtual {
		p, g, w := v.get(at[0], u, masked), v.get(at[1], u, masked), v.get(at[2], u, masked)
		VFMADD231PS(p, s["decay"], g)
		VMULPS(s["beta1"], m, m)
		VFMADD231PS(g, s["rest1"], m)
		VMULPS(s["scale"], w, w)
		VSQRTPS(w, w)
		VADDPS(s["eps"], w, w)
		step := v.vec()
		VMULPS(s["step"], m, step)
		VDIVPS(w, step, step)
		VFMSUB132PS(s["keep"], step, p)
		v.put(p, at[0], u, masked)
		odd := v.vec()
		VPSLLD(U8(15), m, odd)
		VPSRLD(U8(31), odd, odd)
		VPADDD(v.c(below), m, m)
		VPADDD(odd, m, m)
		VPSRLD(U8(16), m, m)
		return m
	}
	v.loop("loop", n, 1, func(u int, masked bool) {
		pair, first := v.get(at[3], u, masked), v.vec()
		VPSLLD(U8(16), pair, first)
		VPSRLD(U8(16), pair, pair)
		VPSLLD(U8(16), pair, pair)
		low, second := update(at[:3], first, u, masked), update(high, pair, u, masked)
		VPSLLD(U8(16), second, second)
		VORPS(low, second, second)
		v.put(second, at[3], u, masked)
	})
	v.ret()
}

// packSigns writes the kernel of PackSigns. The signs of a vector are one word.
func (v *isa) packSigns() {
	v.function("PackSigns", "func(signs, x []float32)", "implements PackSigns.")
	p, n, zero, bits := pointers("x", "signs"), length("x"), v.zeros(1)[0], GP64()
	v.loop("loop", n, unroll, func(u int, masked bool) {
		const greater = 30 // GT_OQ: false for NaN
		VCMPPS(U8(greater), zero, v.get(p[0], u, masked), reg.K2)
		KMOVW(reg.K2, bits.As32())
		word := XMM()
		VXORPS(word, word, word)
		VCVTSI2SSL(bits.As32(), word, word)
		VMOVSS(word, Mem{Base: p[1]})
		ADDQ(U32(4), p[1])
	})
	v.ret()
}

// maskSigns writes the kernel of MaskSigns.
func (v *isa) maskSigns() {
	v.function("MaskSigns", "func(dst, x, signs []float32)", "implements MaskSigns.")
	p, n, bits := pointers("dst", "x", "signs"), length("x"), GP64()
	v.loop("loop", n, unroll, func(u int, masked bool) {
		VCVTTSS2SI(Mem{Base: p[2]}, bits.As32())
		ADDQ(U32(4), p[2])
		KMOVW(bits.As32(), reg.K2)
		x := v.get(p[1], u, masked)
		VMOVAPS_Z(x, reg.K2, x)
		v.put(x, p[0], u, masked)
	})
	v.ret()
}

// drop writes the kernel of Drop. It computes eight outputs of SplitMix64 in a vector.
func (v *isa) drop() {
	const gamma = 0x9e3779b97f4a7c15
	v.function("Drop", "func(dst, x []float32, scale float32, state, limit uint64)",
		"implements Drop.")
	p, n, scale := pointers("dst", "x"), length("dst"), v.scalar("scale")
	table := GLOBL("lanes", RODATA|NOPTR)
	for i := range uint64(8) {
		DATA(int(8*i), U64(i*gamma))
	}
	all := func(x Op) reg.VecVirtual {
		r, z := GP64(), v.vec()
		MOVQ(x, r)
		VPBROADCASTQ(r, z)
		return z
	}
	const half = 8 * gamma % (1 << 64)
	low, high, limit := all(param("state")), v.vec(), all(param("limit"))
	first, second := all(U64(0xbf58476d1ce4e5b9)), all(U64(0x94d049bb133111eb))
	next := all(U64(2 * half % (1 << 64)))
	VPADDQ(table, low, low)
	VPADDQ(all(U64(half)), low, high)
	kept := func(state reg.Register, mask reg.Register) {
		z, shifted := v.vec(), v.vec()
		mix := func(bits uint64, from reg.Register) {
			VPSRLQ(U8(bits), from, shifted)
			VPXORQ(shifted, from, z)
		}
		mix(30, state)
		VPMULLQ(first, z, z)
		mix(27, z)
		VPMULLQ(second, z, z)
		mix(31, z)
		VPSRLQ(U8(11), z, z)
		const notBelow = 5
		VPCMPUQ(U8(notBelow), limit, z, mask)
		VPADDQ(next, state, state)
	}
	v.loop("loop", n, 1, func(u int, masked bool) {
		kept(low, reg.K2)
		kept(high, reg.K3)
		KUNPCKBW(reg.K2, reg.K3, reg.K2)
		x := v.get(p[1], u, masked)
		VMULPS_Z(scale, x, reg.K2, x)
		v.put(x, p[0], u, masked)
	})
	v.ret()
}
