package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// PairScores implements device.Device.
func (d *Device[T]) PairScores(dst, u, v, w device.Buffer, m, n, width int) {
	y, us, vs, ws := d.data(dst), d.data(u), d.data(v), d.data(w)
	parallel.For(m, rowGrain(n*width), func(lo, hi int) {
		sum := d.borrow(width)
		defer d.recycle(sum)
		for i := lo; i < hi; i++ {
			for j := range n {
				d.loops.add(*sum, us[j*width:(j+1)*width], vs[i*width:(i+1)*width])
				d.loops.relu(*sum, *sum)
				y[i*n+j] = d.loops.dot(*sum, ws)
			}
		}
	})
}

// pairWidth is the number of columns of the hidden layer in a chunk of PairScoresGrad.
const pairWidth = 256

// PairScoresGrad implements device.Device. With s = u_j + v_i,
//
//	ū_j = Σ_i g_ij·w ⊙ [s > 0],  v̄_i = Σ_j g_ij·w ⊙ [s > 0],  w̄ = Σ_ij g_ij·max(0, s)
//
// Chunks are columns of the hidden layer, which are independent of each other.
func (d *Device[T]) PairScoresGrad(du, dv, dw, g, u, v, w device.Buffer, m, n, width int) {
	dus, dvs, dws := d.data(du), d.data(dv), d.data(dw)
	gs, us, vs, ws := d.data(g), d.data(u), d.data(v), d.data(w)
	parallel.For(width, pairWidth, func(lo, hi int) {
		scratch := d.borrow(2 * (hi - lo))
		defer d.recycle(scratch)
		sum, slope := (*scratch)[:hi-lo], (*scratch)[hi-lo:]
		columns := func(x []T, row int) []T { return x[row*width+lo : row*width+hi] }
		clear(dws[lo:hi])
		for j := range n {
			clear(columns(dus, j))
		}
		for i := range m {
			clear(columns(dvs, i))
			for j := range n {
				gij := gs[i*n+j]
				d.loops.add(sum, columns(us, j), columns(vs, i))
				d.loops.reluGrad(slope, sum, ws[lo:hi])
				d.loops.relu(sum, sum)
				d.loops.axpy(dws[lo:hi], gij, sum)
				d.loops.axpy(columns(dus, j), gij, slope)
				d.loops.axpy(columns(dvs, i), gij, slope)
			}
		}
	})
}

// PackSigns implements device.Device.
func (d *Device[T]) PackSigns(dst, x device.Buffer) {
	y, v := d.data(dst), d.data(x)
	parallel.For(len(y), grain/16, func(lo, hi int) {
		d.loops.packSigns(y[lo:hi], v[16*lo:min(16*hi, len(v))])
	})
}

// ApplySignMask implements device.Device.
func (d *Device[T]) ApplySignMask(dst, x, signs device.Buffer) {
	y, v, s := d.data(dst), d.data(x), d.data(signs)
	parallel.For(len(s), grain/16, func(lo, hi int) {
		first, last := 16*lo, min(16*hi, len(v))
		d.loops.maskSigns(y[first:last], v[first:last], s[lo:hi])
	})
}
