package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of artanh(s)/s; see plainScanStep in scan.go.
var artanh = []float64{0.1400599628686905, 0.14000901579856873, 0.2001076340675354,
	0.3333320915699005, 1}

// scans writes the kernels of a selective scan.
func (v *isa) scans() {
	v.scanStep()
	v.scanState()
	v.scanStateGrad()
}

// scanStep writes the kernel of ScanStep.
func (v *isa) scanStep() {
	v.function("ScanStep", "func(delta, slope, step []float32)", "implements ScanStep.")
	p, n := pointers("delta", "slope", "step"), length("delta")
	v.hoist(append(append(expConstants, negativeZero, 2), artanh[:4]...)...)
	v.loop("loop", n, 1, func(u int, masked bool) {
		x := v.get(p[2], u, masked)
		minus, bound := v.vec(), v.copyOf(v.c(expMin))
		VORPS(v.c(negativeZero), x, minus)
		VMAXPS(minus, bound, minus)
		e := v.exp(minus)
		s, t := v.copyOf(e), v.vec()
		VADDPS(v.c(2), e, t)
		VDIVPS(t, s, s)
		VMULPS(s, s, t)
		log := v.copyOf(v.c(artanh[0]))
		for _, c := range artanh[1:] {
			VFMADD213PS(v.c(c), t, log)
		}
		VADDPS(s, s, s)
		VFMADD213PS(v.relu(x), s, log)
		v.put(log, p[0], u, masked)
		slope := v.negativeOr1(x, e)
		VADDPS(v.c(1), e, e)
		VDIVPS(e, slope, slope)
		v.put(slope, p[1], u, masked)
	})
	v.ret()
}

// negativeOr1 returns e where x < 0, and 1 elsewhere.
func (v *isa) negativeOr1(x, e reg.Register) reg.VecVirtual {
	const less = 17 // LT_OQ: false for NaN
	y, zero := v.copyOf(v.c(1)), v.zeros(1)[0]
	if v.wide() {
		VCMPPS(U8(less), zero, x, reg.K2)
		VMOVAPS(e, reg.K2, y)
		return y
	}
	VCMPPS(U8(less), zero, x, zero)
	VBLENDVPS(zero, e, y, y)
	return y
}

// rowBytes returns the size of w numbers.
func rowBytes(w reg.Register) reg.GPVirtual {
	row := GP64()
	MOVQ(w, row)
	SHLQ(U8(2), row)
	return row
}

// eachState writes a loop over the n states of a vector of channels. body gets the offset of the
// vector in arrays of states, in bytes, and the number of the state.
func (v *isa) eachState(label string, n, row reg.Register, body func(at, state reg.Register)) {
	at, state := GP64(), GP64()
	MOVQ(v.index, at)
	XORQ(state, state)
	Label(label)
	body(at, state)
	ADDQ(row, at)
	INCQ(state)
	CMPQ(state, n)
	JL(LabelRef(label))
}

// every returns a vector with number i of a row in every lane.
func (v *isa) every(row, i reg.Register) reg.VecVirtual {
	x := v.vec()
	VBROADCASTSS(Mem{Base: row, Index: i, Scale: 4}, x)
	return x
}

// stateLabel returns the label of a loop over states, which differs in the loop's masked part.
func stateLabel(masked bool) string {
	if masked {
		return "statesTail"
	}
	return "states"
}

// scanState writes the kernel of ScanState.
func (v *isa) scanState() {
	v.function("ScanState", "func(next, decay, prev, a, delta, x, y, b, c []float32)",
		"implements ScanState.")
	p, bc, w, n := pointers("next", "decay", "prev", "a"), pointers("b", "c"), length("y"),
		length("b")
	row := rowBytes(w)
	v.hoist(expConstants...)
	v.loop("loop", w, 1, func(u int, masked bool) {
		rows := pointers("delta", "x")
		delta, x, y := v.get(rows[0], u, masked), v.get(rows[1], u, masked), v.zeros(1)[0]
		v.eachState(stateLabel(masked), n, row, func(at, state reg.Register) {
			of := func(base reg.Register) Mem { return Mem{Base: base, Index: at, Scale: 1} }
			exponent, h, bound := v.vec(), v.vec(), v.copyOf(v.c(expMin))
			v.load(of(p[3]), exponent, masked)
			VMULPS(delta, exponent, exponent)
			VMAXPS(exponent, bound, exponent)
			decay := v.exp(exponent)
			v.store(decay, of(p[1]), masked)
			v.load(of(p[2]), h, masked)
			VMULPS(decay, h, h)
			VFMADD231PS(v.every(bc[0], state), x, h)
			v.store(h, of(p[0]), masked)
			VFMADD231PS(v.every(bc[1], state), h, y)
		})
		v.put(y, pointers("y")[0], u, masked)
	})
	v.ret()
}

// scanStateGrad writes the kernel of ScanStateGrad. sums has a vector of partial sums for each
// number of db and dc.
func (v *isa) scanStateGrad() {
	v.function("ScanStateGrad", "func(carry, da, decay, prev, a, delta, x, r, kappa, ddelta, b, "+
		"c, db, dc, sums []float32)", "implements ScanStateGrad.")
	p, w, n := pointers("carry", "da", "decay", "prev", "a"), length("r"), length("b")
	row := rowBytes(w)
	v.hoist()
	v.clearSums(n)
	v.loop("loop", w, 1, func(u int, masked bool) {
		rows := pointers("delta", "x", "r")
		delta, x, r := v.get(rows[0], u, masked), v.get(rows[1], u, masked),
			v.get(rows[2], u, masked)
		kappa, ddelta, sums := v.zeros(1)[0], v.zeros(1)[0], pointers("sums")[0]
		bc := pointers("b", "c")
		v.eachState(stateLabel(masked), n, row, func(at, state reg.Register) {
			get := func(base reg.Register) reg.VecVirtual {
				x := v.vec()
				v.load(Mem{Base: base, Index: at, Scale: 1}, x, masked)
				return x
			}
			put := func(x, base reg.Register) {
				v.store(x, Mem{Base: base, Index: at, Scale: 1}, masked)
			}
			b, q, decay, kept := v.every(bc[0], state), get(p[0]), get(p[2]), get(p[3])
			VFMADD231PS(v.every(bc[1], state), r, q)
			VFMADD231PS(b, q, kappa)
			VMULPS(decay, kept, kept)
			v.addProduct(Mem{Base: sums}, q, x)
			h := v.copyOf(kept)
			VFMADD231PS(b, x, h)
			v.addProduct(Mem{Base: sums, Disp: v.bytes(1)}, r, h)
			VMULPS(q, kept, kept)
			VMULPS(q, decay, decay)
			put(decay, p[0])
			VFMADD231PS(get(p[4]), kept, ddelta)
			da := get(p[1])
			VFMADD231PS(delta, kept, da)
			put(da, p[1])
			ADDQ(U32(v.bytes(2)), sums)
		})
		out := pointers("kappa", "ddelta")
		v.put(kappa, out[0], u, masked)
		v.put(ddelta, out[1], u, masked)
	})
	v.foldSums(n)
	v.ret()
}

// addProduct adds x·y to a vector in memory.
func (v *isa) addProduct(at Mem, x, y reg.Register) {
	s := v.copyOf(at)
	VFMADD231PS(x, y, s)
	VMOVUPS(s, at)
}

// clearSums sets the 2n vectors of sums to 0.
func (v *isa) clearSums(n reg.Register) {
	at, left, zero := pointers("sums")[0], GP64(), v.zeros(1)[0]
	MOVQ(n, left)
	Label("clear")
	VMOVUPS(zero, Mem{Base: at})
	VMOVUPS(zero, Mem{Base: at, Disp: v.bytes(1)})
	ADDQ(U32(v.bytes(2)), at)
	DECQ(left)
	JNZ(LabelRef("clear"))
}

// foldSums adds the numbers of each vector of sums, and writes db and dc.
func (v *isa) foldSums(n reg.Register) {
	p, state := pointers("sums", "db", "dc"), GP64()
	XORQ(state, state)
	Label("fold")
	for k := range 2 {
		sum := v.fold([]reg.VecVirtual{v.copyOf(Mem{Base: p[0], Disp: v.bytes(k)})}, VADDPS)
		VMOVSS(sum.AsX(), Mem{Base: p[1+k], Index: state, Scale: 4})
	}
	ADDQ(U32(v.bytes(2)), p[0])
	INCQ(state)
	CMPQ(state, n)
	JL(LabelRef("fold"))
}
