package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
	"github.com/seed-6655bf3b/recap/internal/simd"
)

// A scanGrad differentiates a block of channels of a group of samples.
type scanGrad[T Float] struct {
	scanBlock[T]
	du, dstep, dz, g      []T // [Samples Steps Width]
	db, dc                []T // the block's part [Samples Steps States]
	da, dbias, dskip      []T // the group's part [States width], [width], [width]
	r, kappa, ddelta      []T // rows like those of scanBlock: r = g ⊙ SiLU(z)
	carry, decay, h, sums []T
}

// scanGradRows is the number of rows that a scanGrad has beside those of its block.
const scanGradRows = 3

// SelectiveScanGrad implements device.Device. The gradients of B and C are sums over the blocks of
// channels, those of the weights sums over the groups of samples.
func (d *Device[T]) SelectiveScanGrad(
	s device.Scan, dx device.ScanOperands, g, saved device.Buffer, x device.ScanOperands,
) {
	a := d.borrow(s.Width * s.States)
	defer d.recycle(a)
	p := d.newScan(s, saved, x, *a)
	group := (s.Samples + scanGroups - 1) / scanGroups
	groups := (s.Samples + group - 1) / group
	perSample, perWeight := s.Samples*s.Steps*s.States, s.Width*(s.States+2)
	partial := d.borrow(2*p.blocks()*perSample + (groups+1)*perWeight)
	defer d.recycle(partial)
	left := arena[T](*partial)
	db, dc := left.alloc(p.blocks()*perSample), left.alloc(p.blocks()*perSample)
	weights, total := left.alloc(groups*perWeight), left.alloc(perWeight)
	clear(weights)
	size := scanLanes*((scanRows+scanGradRows+2*s.States)*device.ScanInterval+2*s.States) +
		2*simd.ScanPartials*s.States
	parallel.For(groups*p.blocks(), 1, func(lo, _ int) {
		scratch := d.borrow(size)
		defer d.recycle(scratch)
		i, block := lo/p.blocks(), lo%p.blocks()
		for sample := i * group; sample < min((i+1)*group, s.Samples); sample++ {
			left := arena[T](*scratch)
			q := scanGrad[T]{scanBlock: p.block(sample, block, &left), du: d.data(dx.U),
				dstep: d.data(dx.Step), dz: d.data(dx.Z), g: d.data(g),
				db: db[block*perSample:], dc: dc[block*perSample:]}
			q.alloc(&left, weights[i*perWeight:])
			for k := p.Saved() * device.ScanInterval; k >= 0; k -= device.ScanInterval {
				q.interval(k, min(device.ScanInterval, s.Steps-k))
			}
		}
	})
	d.reduceColumns(device.Sum, d.data(dx.B), db, 1, p.blocks(), perSample)
	d.reduceColumns(device.Sum, d.data(dx.C), dc, 1, p.blocks(), perSample)
	d.reduceColumns(device.Sum, total, weights, 1, groups, perWeight)
	p.weightGrads(d.data(dx.ALog), d.data(dx.StepBias), d.data(dx.Skip), total)
}

// alloc divides scratch memory, and the group's part [Width·(States+2)] of the weights' gradients.
func (p *scanGrad[T]) alloc(scratch *arena[T], weights arena[T]) {
	states, rows := p.width*p.States, device.ScanInterval*p.width
	weights = weights[p.from*(p.States+2):]
	p.da, p.dbias, p.dskip = weights.alloc(states), weights.alloc(p.width), weights.alloc(p.width)
	p.r, p.kappa, p.ddelta = scratch.alloc(rows), scratch.alloc(rows), scratch.alloc(rows)
	p.carry = scratch.alloc(states)
	p.decay = scratch.alloc(device.ScanInterval * states)
	p.h = scratch.alloc((device.ScanInterval + 1) * states)
	p.sums = scratch.alloc(2 * simd.ScanPartials * p.States)
	clear(p.carry)
}

// weightGrads takes the gradients of the weights from total, in the order of scanGrad.alloc.
func (p *scan[T]) weightGrads(dlog, dbias, dskip, total []T) {
	for block := range p.blocks() {
		from := block * scanLanes
		w := min(scanLanes, p.Width-from)
		part := arena[T](total[from*(p.States+2):])
		da, a := part.alloc(w*p.States), p.a[from*p.States:]
		copy(dbias[from:], part.alloc(w))
		copy(dskip[from:], part.alloc(w))
		for i := range w * p.States {
			j, n := i/p.States, i%p.States
			dlog[from*p.States+i] = da[n*w+j] * a[n*w+j]
		}
	}
}

// interval differentiates n steps from the first on, a multiple of ScanInterval, whose states it
// computes again.
func (p *scanGrad[T]) interval(first, n int) {
	w, states := p.width, p.width*p.States
	if first > 0 {
		copy(p.h, p.savedStates(first))
	} else {
		clear(p.h[:states])
	}
	p.run(first, n, p.h, p.decay, states)
	p.gateGrad(first, n)
	for i := n - 1; i >= 0; i-- {
		lo, hi, at := i*w, (i+1)*w, p.position(first+i)*p.States
		p.loops.scanStateGrad(p.carry, p.da, p.decay[lo*p.States:hi*p.States],
			p.h[lo*p.States:hi*p.States], p.states(p.a), p.delta[lo:hi], p.x[lo:hi], p.r[lo:hi],
			p.kappa[lo:hi], p.ddelta[lo:hi], p.b[at:at+p.States], p.c[at:at+p.States],
			p.db[at:at+p.States], p.dc[at:at+p.States], p.sums)
	}
	p.inputGrad(first, n)
}

// gateGrad computes r and the gradients of z and of the skip, of n steps from the first on.
func (p *scanGrad[T]) gateGrad(first, n int) {
	w, all := p.width, n*p.width
	g, slope := p.kappa[:all], p.ddelta[:all] // not yet used; SiLU′ = σ + SiLU − SiLU·σ
	p.loops.mul(p.rest[:all], p.silu[:all], p.gate[:all])
	p.loops.add(slope, p.silu[:all], p.gate[:all])
	p.loops.axpy(slope, -1, p.rest[:all])
	for i := range n {
		copy(g[i*w:], p.row(p.g, p.position(first+i)))
	}
	p.loops.mul(p.r[:all], g, p.silu[:all])
	p.loops.mul(p.y[:all], p.y[:all], g)
	p.loops.mul(p.rest[:all], p.r[:all], p.u[:all])
	for i := range n {
		p.loops.mul(p.row(p.dz, p.position(first+i)), p.y[i*w:(i+1)*w], slope[i*w:(i+1)*w])
		p.loops.add(p.dskip, p.dskip, p.rest[i*w:(i+1)*w])
	}
}

// inputGrad computes the gradients of u and of step from kappa and ddelta, the sums over the
// states.
func (p *scanGrad[T]) inputGrad(first, n int) {
	w, all := p.width, n*p.width
	p.loops.mul(p.rest[:all], p.delta[:all], p.kappa[:all])
	p.loops.mul(p.kappa[:all], p.u[:all], p.kappa[:all])
	p.loops.add(p.ddelta[:all], p.ddelta[:all], p.kappa[:all])
	p.loops.mul(p.ddelta[:all], p.ddelta[:all], p.slope[:all])
	for i := range n {
		at, dstep := p.position(first+i), p.ddelta[i*w:(i+1)*w]
		du := p.row(p.du, at)
		p.loops.mul(du, p.r[i*w:(i+1)*w], p.channels(p.skip))
		p.loops.add(du, du, p.rest[i*w:(i+1)*w])
		copy(p.row(p.dstep, at), dstep)
		p.loops.add(p.dbias, p.dbias, dstep)
	}
}

// scanStep is simd.ScanStep in plain Go.
func scanStep[T Float](delta, slope, step []T) {
	for i, x := range step {
		delta[i], slope[i] = softplus(x), sigmoid(x)
		if x > 20 {
			delta[i], slope[i] = x, 1
		}
	}
}
