package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// CausalConv is a convolution over time of sequences x [B T C], as [B T C], in which each channel j
// has its own weights w_j of w [C K] and a step depends on no later one (a depthwise causal
// convolution):
//
//	y_tj = b_j + Σ_k w_jk·x_{t−(K−1−k), j},  where steps before the first are 0
//
// With reverse, steps t+(K−1−k) take their place: it equals the convolution of the sequence in
// reversed time, reversed back. It panics if shapes do not fit, or if T or K is 0.
//
//	x̄_tj = Σ_k w_jk·ȳ_{t+(K−1−k), j},  w̄_jk = Σ ȳ_tj·x_{t−(K−1−k), j},  b̄_j = Σ ȳ_tj
func (t *Tape) CausalConv(x, w, b *Tensor, reverse bool) *Tensor {
	t.CheckOperands("CausalConv", x, w, b)
	if x.rank() != 3 || w.rank() != 2 || w.shape[0] != x.shape[2] ||
		!slices.Equal(b.shape, x.shape[2:]) || min(x.shape[1], w.shape[1]) == 0 {
		panic(fmt.Sprintf("autograd: CausalConv: x %v, w %v, b %v: want [B T C], [C K], [C], "+
			"T and K at least 1", x.shape, w.shape, b.shape))
	}
	c := device.CausalConv{Samples: x.shape[0], Steps: x.shape[1], Width: x.shape[2],
		Kernel: w.shape[1], Reverse: reverse}
	y := t.alloc(x.shape)
	t.dev.CausalConv(c, y.buf, x.buf, w.buf, b.buf)
	t.RecordJoint("CausalConv", []*Tensor{y}, []*Tensor{x, w, b}, func(g []*Tensor) []*Tensor {
		gx, gw, gb := t.alloc(x.shape), t.alloc(w.shape), t.alloc(b.shape)
		t.dev.CausalConvGrad(c, gx.buf, gw.buf, gb.buf, g[0].buf, x.buf, w.buf)
		return []*Tensor{gx, gw, gb}
	})
	return y
}
