//go:build cuda && cgo && linux

package cuda

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

const (
	maxWidth      = 1024 // of a head, since the results of a query must fit in registers
	attentionTile = 32   // queries and keys in a block of the backward pass
)

// attentionRows returns the number of queries in a block of the forward pass. Wide heads have
// fewer, since the results of all columns stay in registers.
func attentionRows(width int) int {
	switch {
	case width <= 128:
		return 64
	case width <= 256:
		return 32
	}
	return 16
}

// attentionOptions returns the compiler options for a width.
func attentionOptions(width int) []string {
	return []string{fmt.Sprintf("-DWIDTH=%d", width),
		fmt.Sprintf("-DROWS=%d", attentionRows(width))}
}

// attentionKernels returns the suffix of the names of the kernels for a width. It compiles them at
// the first call for this width.
func (d *Device) attentionKernels(width int) (suffix string) {
	suffix = fmt.Sprintf("/%d", width)
	if width > maxWidth {
		panic(fmt.Sprintf(
			"cuda: Attention: heads of %d columns: at most %d are supported; use more heads",
			width, maxWidth,
		))
	}
	if !d.kernels.widths[width] {
		d.kernels.widths[width] = true
		d.do(func() {
			if err := d.kernels.compile(source("attention"), suffix,
				attentionOptions(width)...); err != nil {
				d.fail(err)
			}
		})
	}
	return suffix
}

// heads returns the words of struct heads in attention.cu, for the next command.
func (d *Device) heads(a device.Attention) []uint64 {
	mask, seed, limit := uint64(0), uint64(0), uint64(0)
	if a.Mask != nil {
		mask = d.data(a.Mask, 0)
	}
	if a.Dropout > 0 {
		seed, limit = stageSlice(d, []uint64{a.Seed}), device.KeepLimit(a.Dropout)
	}
	return []uint64{mask, seed, argInt(a.Samples), argInt(a.Heads), argInt(a.Queries),
		argInt(a.Keys), argBool(a.Causal), limit, argFloat(a.Scale), argFloat(1 / (1 - a.Dropout))}
}

// Attention implements device.Device.
func (d *Device) Attention(a device.Attention, out, lse, q, k, v device.Buffer) {
	d.begin()
	defer d.mu.Unlock()
	suffix := d.attentionKernels(a.Width)
	rows := attentionRows(a.Width)
	blocks := a.Samples * a.Heads * ((a.Queries + rows - 1) / rows)
	d.launchBlocks("attention"+suffix, blocks, blockThreads,
		append(d.heads(a), d.data(out, 0), d.data(lse, 0), d.data(q, 0), d.data(k, 0),
			d.data(v, 0))...)
}

// AttentionGrad implements device.Device. It computes the weights twice, for the gradients of the
// keys and for those of the queries, so that each sum has a fixed order.
func (d *Device) AttentionGrad(
	a device.Attention, dq, dk, dv, g, out, lse, q, k, v device.Buffer,
) {
	d.begin()
	defer d.mu.Unlock()
	suffix := d.attentionKernels(a.Width)
	units := a.Samples * a.Heads
	delta := d.scratchFor(units * a.Queries)
	d.launch("attention_delta"+suffix, 32*units*a.Queries,
		append(d.heads(a), delta, d.data(g, 0), d.data(out, 0))...)
	in := []uint64{d.data(g, 0), delta, d.data(lse, 0), d.data(q, 0), d.data(k, 0), d.data(v, 0)}
	d.launchBlocks("attention_grad_keys"+suffix, units*((a.Keys+attentionTile-1)/attentionTile),
		blockThreads, append(append(d.heads(a), d.data(dk, 0), d.data(dv, 0)), in...)...)
	d.launchBlocks("attention_grad_queries"+suffix,
		units*((a.Queries+attentionTile-1)/attentionTile), blockThreads,
		append(append(d.heads(a), d.data(dq, 0)), in...)...)
}
