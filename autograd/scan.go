package autograd

import (
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// ScanWeights holds the parameters of a selective scan of D channels with N states each.
type ScanWeights struct {
	StepBias *Tensor // [D]
	ALog     *Tensor // [D N], A = −exp(ALog)
	Skip     *Tensor // [D]
}

// SelectiveScan is the state space model of Mamba (Gu and Dao 2023, Linear-time sequence modeling
// with selective state spaces, algorithm 2), with the gate z, as one fused operation: for u, step
// and z [B T D], and b and c [B T N], it returns o [B T D],
//
//	Δ_t = softplus(step_t + StepBias),  h_t = exp(Δ_t A) ⊙ h_{t−1} + (Δ_t ⊙ u_t) b_tᵀ
//	o_t = (h_t c_t + Skip ⊙ u_t) ⊙ SiLU(z_t)
//
// with states h_t [D N], 0 before the first step. Above 20, softplus is the identity. With reverse
// the scan runs from the last step to the first: t+1 stands for t−1. SelectiveScan panics if shapes
// do not fit or a length is 0.
//
// The states of every 16th step are saved, and the backward pass computes the others again. With
// a_t = exp(Δ_t A), s_t = h_t c_t + Skip ⊙ u_t and r_t = ō_t ⊙ SiLU(z_t),
//
//	q_t = r_t c_tᵀ + a_{t+1} ⊙ q_{t+1},  k_t = q_t b_t,  p_t = q_t ⊙ a_t ⊙ h_{t−1}
//	ū_t = r_t ⊙ Skip + Δ_t ⊙ k_t,  step̄_t = (u_t ⊙ k_t + Σ_n p_t ⊙ A) ⊙ σ(step_t + StepBias)
//	z̄_t = ō_t ⊙ s_t ⊙ SiLU′(z_t),  b̄_t = q_tᵀ (Δ_t ⊙ u_t),  c̄_t = h_tᵀ r_t
//	StepBias̄ = Σ step̄_t,  Skip̄ = Σ r_t ⊙ u_t,  ALoḡ = A ⊙ Σ Δ_t p_t
func (t *Tape) SelectiveScan(u, step, b, c, z *Tensor, w ScanWeights, reverse bool) *Tensor {
	inputs := []*Tensor{u, step, z, b, c, w.StepBias, w.Skip, w.ALog}
	s := t.newScan(inputs)
	s.Reverse = reverse
	y := t.alloc(u.shape)
	saved := t.Empty(s.Samples, s.Saved(), s.States, s.Width)
	x := scanOperands(inputs)
	t.dev.SelectiveScan(s, y.buf, saved.buf, x)
	t.RecordJoint("SelectiveScan", []*Tensor{y}, slices.Clone(inputs),
		func(g []*Tensor) []*Tensor {
			grads := make([]*Tensor, len(inputs))
			for i, input := range inputs {
				grads[i] = t.alloc(input.shape)
			}
			t.dev.SelectiveScanGrad(s, scanOperands(grads), g[0].buf, saved.buf, x)
			return grads
		})
	return y
}

// scanOperands lists u, step, z, b, c, StepBias, Skip and ALog, or their gradients, for the device.
func scanOperands(x []*Tensor) device.ScanOperands {
	return device.ScanOperands{U: x[0].buf, Step: x[1].buf, Z: x[2].buf, B: x[3].buf, C: x[4].buf,
		StepBias: x[5].buf, Skip: x[6].buf, ALog: x[7].buf}
}

// newScan checks the inputs, in the order of scanOperands, and returns their sizes.
func (t *Tape) newScan(x []*Tensor) device.Scan {
	t.CheckOperands("SelectiveScan", x...)
	u, aLog := x[0].shape, x[7].shape
	if len(u) == 3 && len(aLog) == 2 && min(x[0].Len(), x[7].Len()) > 0 {
		s := device.Scan{Samples: u[0], Steps: u[1], Width: u[2], States: aLog[1]}
		row, state, channel := []int{s.Samples, s.Steps, s.Width},
			[]int{s.Samples, s.Steps, s.States}, []int{s.Width}
		fits := true
		for i, want := range [][]int{row, row, row, state, state, channel, channel,
			{s.Width, s.States}} {
			fits = fits && slices.Equal(x[i].shape, want)
		}
		if fits {
			return s
		}
	}
	panic(fmt.Sprintf("autograd: SelectiveScan: u %v, step %v, z %v, b %v, c %v, StepBias %v, "+
		"Skip %v, ALog %v: want [B T D], [B T D], [B T D], [B T N], [B T N], [D], [D], "+
		"[D N], each at least 1", u, x[1].shape, x[2].shape, x[3].shape, x[4].shape, x[5].shape,
		x[6].shape, aLog))
}
