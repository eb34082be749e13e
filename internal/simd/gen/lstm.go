package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var gateConstants = append(expConstants, negativeZero, 2, tanhMax)

// recurrent writes the kernels of recurrent networks.
func (v *isa) recurrent() {
	v.lstm()
	v.lstmGrad()
}

// gates returns the addresses of the four gates of n units in the named slice.
func gates(name string, n reg.GPVirtual) []reg.GPVirtual {
	p := pointers(name)
	for range 3 {
		next := GP64()
		LEAQ(Mem{Base: p[len(p)-1], Index: n, Scale: 4}, next)
		p = append(p, next)
	}
	return p
}

// times returns a·b in a new register.
func (v *isa) times(a, b Op) reg.VecVirtual {
	p := v.copyOf(a)
	VMULPS(b, p, p)
	return p
}

// lstm writes the kernel of LSTM.
func (v *isa) lstm() {
	v.function("LSTM", "func(gates, z, prev, cell, out []float32)", "implements LSTM.")
	n := length("cell")
	in, z, p := gates("gates", n), gates("z", n), pointers("prev", "cell", "out")
	v.hoist(gateConstants...)
	v.loop("loop", n, 1, func(u int, masked bool) {
		gate := func(k int, f func(x reg.Register) reg.VecVirtual) reg.VecVirtual {
			x := v.get(in[k], u, masked)
			VADDPS(v.get(z[k], u, masked), x, x)
			y := f(x)
			v.put(y, in[k], u, masked)
			return y
		}
		c := gate(1, v.sigmoid)
		VMULPS(v.get(p[0], u, masked), c, c)
		i := gate(0, v.sigmoid)
		VFMADD231PS(gate(2, v.tanh), i, c)
		v.put(c, p[1], u, masked)
		y := v.tanh(c)
		VMULPS(gate(3, v.sigmoid), y, y)
		v.put(y, p[2], u, masked)
	})
	v.ret()
}

// lstmGrad writes the kernel of LSTMGrad.
func (v *isa) lstmGrad() {
	v.function("LSTMGrad", "func(gates, prev, cell, g, dh, dc []float32)", "implements LSTMGrad.")
	n := length("cell")
	in, p := gates("gates", n), pointers("prev", "cell", "g", "dh", "dc")
	v.hoist(gateConstants...)
	// derivative of a sigmoid with value y: y·(1 − y)
	sigmoidGrad := func(y reg.Register) reg.VecVirtual {
		s := v.copyOf(y)
		VFNMADD213PS(y, y, s)
		return s
	}
	tanhGrad := func(y reg.Register) reg.VecVirtual { // derivative of a tanh with value y: 1 − y²
		s := v.copyOf(y)
		VFNMADD213PS(v.c(1), y, s)
		return s
	}
	v.loop("loop", n, 1, func(u int, masked bool) {
		dh, o := v.get(p[2], u, masked), v.get(in[3], u, masked)
		VADDPS(v.get(p[3], u, masked), dh, dh)
		tanh := v.tanh(v.get(p[1], u, masked))
		dTanh := v.times(dh, o)
		VMULPS(tanh, dh, dh)
		VMULPS(sigmoidGrad(o), dh, dh)
		v.put(dh, in[3], u, masked)

		dc := v.get(p[4], u, masked)
		VFMADD231PS(tanhGrad(tanh), dTanh, dc)
		i, f, g := v.get(in[0], u, masked), v.get(in[1], u, masked), v.get(in[2], u, masked)
		di, df, dg := v.times(dc, g), v.times(dc, v.get(p[0], u, masked)), v.times(dc, i)
		VMULPS(f, dc, dc)
		v.put(dc, p[4], u, masked)
		for k, d := range []reg.VecVirtual{di, df, dg} {
			VMULPS([]reg.VecVirtual{sigmoidGrad(i), sigmoidGrad(f), tanhGrad(g)}[k], d, d)
			v.put(d, in[k], u, masked)
		}
	})
	v.ret()
}
