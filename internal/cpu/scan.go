package cpu

import (
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/parallel"
)

// scanLanes is the number of channels that are computed together, and scanGroups the largest number
// of groups into which the samples are divided.
const (
	scanLanes  = 128
	scanGroups = 16
)

// A scan has the data of a selective scan. Arrays of states lie in blocks of scanLanes channels,
// the last of which may be narrower: the block from channel j on has its states [States width] from
// element j·States on.
type scan[T Float] struct {
	device.Scan
	loops                            *loops[T]
	u, step, z, b, c, stepBias, skip []T
	saved                            []T // [Samples Saved States Width]
	a                                []T // A [States Width]
}

// newScan returns a scan, with A in scratch memory a.
func (d *Device[T]) newScan(
	s device.Scan, saved device.Buffer, x device.ScanOperands, a []T,
) *scan[T] {
	p := &scan[T]{s, d.loops, d.data(x.U), d.data(x.Step), d.data(x.Z), d.data(x.B), d.data(x.C),
		d.data(x.StepBias), d.data(x.Skip), d.data(saved), a}
	for i, log := range d.data(x.ALog) {
		j, n := i/p.States, i%p.States
		from := j / scanLanes * scanLanes
		a[from*p.States+n*min(scanLanes, p.Width-from)+j-from] = -exp(log)
	}
	return p
}

func (p *scan[T]) blocks() int { return (p.Width + scanLanes - 1) / scanLanes }

// A scanBlock is a block of channels of one sample. Its scratch memory has rows of its width for
// ScanInterval steps, in the order in which they run.
type scanBlock[T Float] struct {
	*scan[T]
	sample, from, width    int
	u, step, delta, slope  []T // step includes the bias, and slope is the derivative of softplus
	x, y, gate, silu, rest []T // x = Δ ⊙ u; gate = σ(z); rest is for intermediate results
}

// scanRows is the number of rows of scratch memory for each step.
const scanRows = 9

func (p *scan[T]) block(sample, block int, scratch *arena[T]) scanBlock[T] {
	from := block * scanLanes
	q := scanBlock[T]{scan: p, sample: sample, from: from, width: min(scanLanes, p.Width-from)}
	for _, row := range []*[]T{&q.u, &q.step, &q.delta, &q.slope, &q.x, &q.y, &q.gate, &q.silu,
		&q.rest} {
		*row = scratch.alloc(device.ScanInterval * q.width)
	}
	return q
}

// position returns the position in [Samples Steps] of the k-th step that runs.
func (p *scanBlock[T]) position(k int) int {
	if p.Reverse {
		k = p.Steps - 1 - k
	}
	return p.sample*p.Steps + k
}

// row returns the block's channels of x [Samples Steps Width] at a position.
func (p *scanBlock[T]) row(x []T, at int) []T { return x[at*p.Width+p.from:][:p.width] }

// channels returns the block's part of x [Width].
func (p *scanBlock[T]) channels(x []T) []T { return x[p.from:][:p.width] }

// states returns the block's part of x [Width States].
func (p *scanBlock[T]) states(x []T) []T { return x[p.from*p.States:][:p.width*p.States] }

// savedStates returns the states that were saved before step k, a multiple of ScanInterval.
func (p *scanBlock[T]) savedStates(k int) []T {
	i := p.sample*p.Saved() + k/device.ScanInterval - 1
	return p.states(p.saved[i*p.Width*p.States:])
}

// run computes the rows of n steps from the first on. The i-th of them has the states before it at
// h[i·stride], leaves its own at h[(i+1)·stride], and the factors exp(ΔA) at decay[i·stride].
func (p *scanBlock[T]) run(first, n int, h, decay []T, stride int) {
	w, all, z, states := p.width, n*p.width, p.silu, p.width*p.States
	for i := range n {
		at := p.position(first + i)
		copy(p.u[i*w:], p.row(p.scan.u, at))
		copy(z[i*w:], p.row(p.z, at))
		p.loops.add(p.step[i*w:(i+1)*w], p.row(p.scan.step, at), p.channels(p.stepBias))
		p.loops.mul(p.rest[i*w:(i+1)*w], p.u[i*w:(i+1)*w], p.channels(p.skip))
	}
	p.loops.scanStep(p.delta[:all], p.slope[:all], p.step[:all])
	p.loops.mul(p.x[:all], p.delta[:all], p.u[:all])
	p.loops.sigmoid(p.gate[:all], z[:all])
	p.loops.mul(p.silu[:all], z[:all], p.gate[:all])
	for i := range n {
		at := p.position(first + i)
		p.loops.scanState(h[(i+1)*stride:][:states], decay[i*stride:][:states],
			h[i*stride:][:states], p.states(p.a), p.delta[i*w:(i+1)*w], p.x[i*w:(i+1)*w],
			p.y[i*w:(i+1)*w], p.b[at*p.States:][:p.States], p.c[at*p.States:][:p.States])
	}
	p.loops.add(p.y[:all], p.y[:all], p.rest[:all])
}

// SelectiveScan implements device.Device.
func (d *Device[T]) SelectiveScan(
	s device.Scan, out, saved device.Buffer, x device.ScanOperands,
) {
	a := d.borrow(s.Width * s.States)
	defer d.recycle(a)
	p, o := d.newScan(s, saved, x, *a), d.data(out)
	parallel.For(s.Samples*p.blocks(), 1, func(lo, _ int) {
		scratch := d.borrow(scanLanes * (scanRows*device.ScanInterval + 2*s.States))
		defer d.recycle(scratch)
		left := arena[T](*scratch)
		q := p.block(lo/p.blocks(), lo%p.blocks(), &left)
		h, decay := left.alloc(q.width*s.States), left.alloc(q.width*s.States)
		clear(h)
		for k := 0; k < s.Steps; k += device.ScanInterval {
			if k > 0 {
				copy(q.savedStates(k), h)
			}
			n := min(device.ScanInterval, s.Steps-k)
			q.run(k, n, h, decay, 0)
			for i := range n {
				d.loops.mul(q.row(o, q.position(k+i)), q.y[i*q.width:(i+1)*q.width],
					q.silu[i*q.width:(i+1)*q.width])
			}
		}
	})
}
