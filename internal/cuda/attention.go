//go:build cuda && cgo && linux

package cuda

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// maxWidth is the widest head: the results of a query must fit into registers.
const maxWidth = 1024

// attentionKernels returns the suffix of the kernels for a width, and compiles them if it is met for the first time.
func (d *Device) attentionKernels(width int) (suffix string) {
	suffix = fmt.Sprintf("/%d", width)
	if width > maxWidth {
		panic(fmt.Sprintf("cuda: Attention: heads of %d columns: at most %d are supported; take more heads", width, maxWidth))
	}
	if !d.kernels.wide[width] {
		d.kernels.wide[width] = true
		d.do(func() {
			if err := d.kernels.compile(source("attention"), suffix, fmt.Sprintf("-DWIDTH=%d", width)); err != nil {
				d.fail(err)
			}
		})
	}
	return suffix
}

// heads returns struct heads of attention.cu, for the next command.
func (d *Device) heads(a device.Attention) []uint64 {
	mask, seed, limit := uint64(0), uint64(0), uint64(0)
	if a.Mask != nil {
		mask = d.data(a.Mask, 0)
	}
	if a.Dropout > 0 {
		seed, limit = stageSlice(d, []uint64{a.Seed}), keepLimit(a.Dropout)
	}
	return []uint64{mask, seed, whole(a.Samples), whole(a.Heads), whole(a.Queries), whole(a.Keys), flag(a.Causal), limit, number(a.Scale), number(1 / (1 - a.Dropout))}
}

// Attention implements device.Device.
func (d *Device) Attention(a device.Attention, out, lse, q, k, v device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	suffix := d.attentionKernels(a.Width)
	slices, rows := (a.Width+63)/64, 16 // as in attention.cu
	switch {
	case slices <= 2:
		rows = 64
	case slices <= 4:
		rows = 32
	}
	blocks := a.Samples * a.Heads * ((a.Queries + rows - 1) / rows)
	d.launchBlocks("attention"+suffix, blocks, blockThreads, append(d.heads(a), d.data(out, 0), d.data(lse, 0), d.data(q, 0), d.data(k, 0), d.data(v, 0))...)
}

// AttentionGrad implements device.Device. Weights are computed twice, once for the keys' gradients and once for the queries', so that each
// sum has one order.
func (d *Device) AttentionGrad(a device.Attention, dq, dk, dv, g, out, lse, q, k, v device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	suffix := d.attentionKernels(a.Width)
	units := a.Samples * a.Heads
	delta := d.scratchOf(units * a.Queries)
	const tile = 32 // as in attention.cu
	d.launch("attention_delta"+suffix, 32*units*a.Queries, append(d.heads(a), delta, d.data(g, 0), d.data(out, 0))...)
	in := []uint64{d.data(g, 0), delta, d.data(lse, 0), d.data(q, 0), d.data(k, 0), d.data(v, 0)}
	d.launchBlocks("attention_grad_keys"+suffix, units*((a.Keys+tile-1)/tile), blockThreads, append(append(d.heads(a), d.data(dk, 0), d.data(dv, 0)), in...)...)
	d.launchBlocks("attention_grad_queries"+suffix, units*((a.Queries+tile-1)/tile), blockThreads, append(append(d.heads(a), d.data(dq, 0)), in...)...)
}
