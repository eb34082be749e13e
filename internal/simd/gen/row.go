package main

import (
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// splitParams returns the names in a list of parameters.
func splitParams(params string) []string { return strings.Split(params, ", ") }

// rowwise writes the kernels that reduce a row, or reduce it and then rewrite it.
func (v *isa) rowwise() {
	v.sum()
	v.dot()
	v.dot64()
	v.softmax()
	v.softmaxGrad()
	v.scoreGrad()
	v.layerNorm()
	v.layerNormGrad()
}

// partialVectors returns the number of vectors that hold the partial sums.
func (v *isa) partialVectors() int { return partials / v.lanes }

func (v *isa) sum() {
	v.function("Sum", "func(x []float32) (sum float32)", "implements Sum.")
	p, n, acc := pointers("x"), length("x"), v.zeros(v.partialVectors())
	v.loop("loop", n, len(acc), func(u int, masked bool) {
		VADDPS(v.get(p[0], u, masked), acc[u], acc[u])
	})
	result(v.fold(acc, VADDPS), "sum")
	v.ret()
}

func (v *isa) dot() {
	v.function("Dot", "func(x, y []float32) (sum float32)", "implements Dot.")
	p, n := pointers("x", "y"), length("x")
	result(v.inner(p[0], p[1], n), "sum")
	v.ret()
}

// inner returns Σ x·y in every lane.
func (v *isa) inner(x, y, n reg.Register) reg.VecVirtual {
	acc := v.zeros(v.partialVectors())
	v.loop("inner", n, len(acc), func(u int, masked bool) {
		VFMADD231PS(v.get(x, u, masked), v.get(y, u, masked), acc[u])
	})
	return v.fold(acc, VADDPS)
}

// dot64 adds the products, which are exact in double precision, half a vector at a time.
func (v *isa) dot64() {
	v.function("Dot64", "func(x, y []float32) (sum float64)", "implements Dot64.")
	p, n, acc := pointers("x", "y"), length("x"), v.zeros(2*v.partialVectors())
	v.loop("loop", n, v.partialVectors(), func(u int, masked bool) {
		x, y := v.doubles(v.get(p[0], u, masked)), v.doubles(v.get(p[1], u, masked))
		for h := range 2 {
			VFMADD231PD(x[h], y[h], acc[2*u+h])
		}
	})
	for half := len(acc) / 2; half > 0; half /= 2 {
		for i := range half {
			VADDPD(acc[half+i], acc[i], acc[i])
		}
	}
	low := acc[0]
	if v.wide() {
		hi := YMM()
		VEXTRACTF64X4(U8(1), low, hi)
		VADDPD(hi, low.AsY(), low.AsY())
	}
	x, hi := low.AsX(), XMM()
	VEXTRACTF128(U8(1), low.AsY(), hi)
	VADDPD(hi, x, x)
	VPERMILPD(U8(1), x, hi)
	VADDPD(hi, x, x)
	at, err := Return("sum").Resolve()
	if err != nil {
		panic(err)
	}
	VMOVSD(x, at.Addr)
	v.ret()
}

// doubles returns the two halves of a vector in double precision.
func (v *isa) doubles(x reg.VecVirtual) [2]reg.VecVirtual {
	d := [2]reg.VecVirtual{v.vec(), v.vec()}
	if v.wide() {
		hi := YMM()
		VEXTRACTF32X8(U8(1), x, hi)
		VCVTPS2PD(hi, d[1])
		VCVTPS2PD(x.AsY(), d[0])
		return d
	}
	hi := XMM()
	VEXTRACTF128(U8(1), x, hi)
	VCVTPS2PD(hi, d[1])
	VCVTPS2PD(x.AsX(), d[0])
	return d
}

func (v *isa) softmax() {
	v.function("Softmax", "func(y, x []float32) (max, sum float32)", "implements Softmax.")
	p, n := pointers("y", "x"), length("y")
	v.hoist(append(expConstants, -math.MaxFloat32, 0x1p-126)...)
	unit := v.partialVectors()
	acc := make([]reg.VecVirtual, unit)
	for u := range acc {
		acc[u] = v.copyOf(v.c(-math.MaxFloat32))
	}
	v.loop("max", n, unit, func(u int, masked bool) {
		x := v.vec()
		v.loadOr(v.at(p[1], u), x, acc[u], masked)
		VMAXPS(x, acc[u], acc[u])
	})
	top := v.fold(acc, VMAXPS)
	result(top, "max")
	acc = v.zeros(unit)
	v.loop("exp", n, unit, func(u int, masked bool) {
		x := v.get(p[1], u, masked)
		VSUBPS(top, x, x)
		e := v.exp(v.clamp(x, expMin, expMax))
		v.zeroOutside(e, masked)
		VADDPS(e, acc[u], acc[u])
		v.put(e, p[0], u, masked)
	})
	sum := v.fold(acc, VADDPS)
	result(sum, "sum")
	scale := v.copyOf(v.c(1))
	VMAXPS(sum, v.copyOf(v.c(0x1p-126)), sum)
	VDIVPS(sum, scale, scale)
	v.loop("scale", n, unroll, func(u int, masked bool) {
		y := v.get(p[0], u, masked)
		VMULPS(scale, y, y)
		v.put(y, p[0], u, masked)
	})
	v.ret()
}

// loadOr loads a vector; lanes outside the mask get the values of other.
func (v *isa) loadOr(from Mem, to, other reg.Register, masked bool) {
	switch {
	case !masked:
		VMOVUPS(from, to)
	case v.wide():
		VMOVAPS(other, to)
		VMOVUPS(from, v.mask, to)
	default:
		VMASKMOVPS(from, v.mask, to)
		VBLENDVPS(v.mask, to, other, to)
	}
}

func (v *isa) softmaxGrad() {
	v.function("SoftmaxGrad", "func(dx, y, g []float32)", "implements SoftmaxGrad.")
	p, n := pointers("dx", "y", "g"), length("dx")
	s := v.inner(p[1], p[2], n)
	v.loop("loop", n, unroll, func(u int, masked bool) {
		g := v.get(p[2], u, masked)
		VSUBPS(s, g, g)
		VMULPS(v.get(p[1], u, masked), g, g)
		v.put(g, p[0], u, masked)
	})
	v.ret()
}

func (v *isa) scoreGrad() {
	v.function("ScoreGrad", "func(p, ds []float32, lse, inner float32)", "implements ScoreGrad.")
	at, n := pointers("p", "ds"), length("p")
	v.hoist(expConstants...)
	lse, inner := v.scalar("lse"), v.scalar("inner")
	v.loop("loop", n, 1, func(u int, masked bool) {
		s, ds := v.get(at[0], u, masked), v.get(at[1], u, masked)
		VSUBPS(lse, s, s)
		p := v.exp(v.clamp(s, expMin, expMax))
		v.put(p, at[0], u, masked)
		VSUBPS(inner, ds, ds)
		VMULPS(p, ds, ds)
		v.put(ds, at[1], u, masked)
	})
	v.ret()
}

func (v *isa) layerNorm() {
	v.function("LayerNorm", "func(y, x, gamma, beta []float32, eps float32) (mean, rstd float32)",
		"implements LayerNorm.")
	p, n := pointers("y", "x", "gamma", "beta"), length("y")
	v.hoist(1)
	count := v.count(n)
	acc := v.zeros(v.partialVectors())
	v.loop("mean", n, len(acc), func(u int, masked bool) {
		VADDPS(v.get(p[1], u, masked), acc[u], acc[u])
	})
	mean := v.fold(acc, VADDPS)
	VDIVPS(count, mean, mean)
	result(mean, "mean")
	acc = v.zeros(len(acc))
	v.loop("variance", n, len(acc), func(u int, masked bool) {
		x := v.get(p[1], u, masked)
		VSUBPS(mean, x, x)
		v.zeroOutside(x, masked)
		VFMADD231PS(x, x, acc[u])
	})
	rstd := v.fold(acc, VADDPS)
	VDIVPS(count, rstd, rstd)
	VADDPS(v.scalar("eps"), rstd, rstd)
	VSQRTPS(rstd, rstd)
	VDIVPS(rstd, v.copyOf(v.c(1)), rstd)
	result(rstd, "rstd")
	v.loop("loop", n, unroll, func(u int, masked bool) {
		x, y := v.get(p[1], u, masked), v.get(p[3], u, masked)
		VSUBPS(mean, x, x)
		VMULPS(rstd, x, x)
		VFMADD231PS(v.get(p[2], u, masked), x, y)
		v.put(y, p[0], u, masked)
	})
	v.ret()
}

// count returns n as a float32 in every lane.
func (v *isa) count(n reg.Register) reg.VecVirtual {
	x, all := XMM(), v.vec()
	VXORPS(x, x, x)
	VCVTSI2SSQ(n, x, x)
	VBROADCASTSS(x, all)
	return all
}

func (v *isa) layerNormGrad() {
	v.function("LayerNormGrad",
		"func(dx, dgamma, dbeta, g, x, gamma []float32, mean, rstd float32)",
		"implements LayerNormGrad.")
	p, n := pointers("dx", "dgamma", "dbeta", "g", "x", "gamma"), length("dx")
	dx, dgamma, dbeta, g, x, gamma := p[0], p[1], p[2], p[3], p[4], p[5]
	mean, rstd := v.scalar("mean"), v.scalar("rstd")
	sumH, sumHX := v.zeros(v.partialVectors()), v.zeros(v.partialVectors())
	v.loop("sums", n, len(sumH), func(u int, masked bool) {
		gv, xv := v.get(g, u, masked), v.get(x, u, masked)
		VSUBPS(mean, xv, xv)
		VMULPS(rstd, xv, xv)
		d := v.get(dbeta, u, masked)
		VADDPS(gv, d, d)
		v.put(d, dbeta, u, masked)
		d = v.get(dgamma, u, masked)
		VFMADD231PS(gv, xv, d)
		v.put(d, dgamma, u, masked)
		VMULPS(v.get(gamma, u, masked), gv, gv)
		VADDPS(gv, sumH[u], sumH[u])
		VFMADD231PS(gv, xv, sumHX[u])
	})
	count := v.count(n)
	a, b := v.fold(sumH, VADDPS), v.fold(sumHX, VADDPS)
	VDIVPS(count, a, a)
	VDIVPS(count, b, b)
	v.loop("loop", n, 2, func(u int, masked bool) {
		gv, xv := v.get(g, u, masked), v.get(x, u, masked)
		VSUBPS(mean, xv, xv)
		VMULPS(rstd, xv, xv)
		VFMSUB132PS(v.get(gamma, u, masked), a, gv)
		VFNMADD231PS(b, xv, gv)
		VMULPS(rstd, gv, gv)
		v.put(gv, dx, u, masked)
	})
	v.ret()
}
