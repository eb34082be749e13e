package autograd

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// AttentionConfig holds the settings of [Tape.Attention].
type AttentionConfig struct {
	Heads   int     // H, which divides the width
	Mask    *Tensor // [B Tk], 0 excludes a key; nil excludes none
	Causal  bool    // query i attends to key j only if j ≤ i + |Tk − Tq|
	Dropout float64 // of the attention weights, except on an inference tape
}

// Attention returns multi-head scaled dot-product attention (Vaswani et al. 2017, Attention is all
// you need) [B Tq H·w] as one fused operation: for queries q [B Tq H·w], keys k and values v [B Tk
// H·w], and head h in columns h·w to (h+1)·w,
//
//	P = softmax(q kᵀ/√w),  y = P v
//	v̄ = Pᵀ ȳ,  S̄ = P ⊙ (ȳ vᵀ − Σ ȳ⊙y),  q̄ = S̄ k/√w,  k̄ = S̄ᵀ q/√w
//
// per sample and head. The weights P are not saved but computed again in the backward pass. The
// result is 0 for a query whose keys are all excluded. It panics if shapes do not fit.
func (t *Tape) Attention(q, k, v *Tensor, c AttentionConfig) *Tensor {
	t.CheckOperands("Attention", q, k, v)
	if q.rank() != 3 || k.rank() != 3 || v.rank() != 3 || k.shape[1] != v.shape[1] ||
		k.shape[0] != q.shape[0] || v.shape[0] != q.shape[0] || k.shape[2] != q.shape[2] ||
		v.shape[2] != q.shape[2] {
		panic(fmt.Sprintf(
			"autograd: Attention: q %v, k %v, v %v: want [B Tq E], [B Tk E], [B Tk E]", q.shape,
			k.shape, v.shape,
		))
	}
	if c.Heads < 1 || q.shape[2]%c.Heads != 0 {
		panic(fmt.Sprintf("autograd: Attention: width %d does not divide into %d heads",
			q.shape[2], c.Heads))
	}
	a := device.Attention{Samples: q.shape[0], Heads: c.Heads, Queries: q.shape[1],
		Keys: k.shape[1], Width: q.shape[2] / c.Heads, Causal: c.Causal}
	a.Scale = 1 / math.Sqrt(float64(a.Width))
	if c.Mask != nil {
		t.CheckOperands("Attention", c.Mask)
		if !slices.Equal(c.Mask.shape, []int{a.Samples, a.Keys}) {
			panic(fmt.Sprintf("autograd: Attention: mask %v for k %v: want [B Tk]", c.Mask.shape,
				k.shape))
		}
		a.Mask = c.Mask.buf
	}
	mustBeProbability("Attention", c.Dropout)
	if c.Dropout > 0 && !t.inference {
		a.Dropout, a.Seed = c.Dropout, t.draw()
	}
	y, lse := t.alloc(q.shape), t.alloc([]int{a.Samples, a.Heads, a.Queries})
	t.dev.Attention(a, y.buf, lse.buf, q.buf, k.buf, v.buf)
	t.RecordJoint("Attention", []*Tensor{y}, []*Tensor{q, k, v}, func(g []*Tensor) []*Tensor {
		gq, gk, gv := t.alloc(q.shape), t.alloc(k.shape), t.alloc(v.shape)
		t.dev.AttentionGrad(a, gq.buf, gk.buf, gv.buf, g[0].buf, y.buf, lse.buf, q.buf, k.buf,
			v.buf)
		return []*Tensor{gq, gk, gv}
	})
	return y
}
