package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// MambaBlock is a [Mamba] in both directions with a norm and a residual connection, as in TF-Mamba:
// y = x + LN(Mamba(x)).
type MambaBlock struct {
	mamba *Mamba
	norm  *LayerNorm
}

// NewMambaBlock creates "mamba", bidirectional, and "norm", with ε = 1e-6.
func NewMambaBlock(p *Params, c MambaConfig) *MambaBlock {
	c.Bidirectional = true
	b := &MambaBlock{NewMamba(p.Sub("mamba"), c), NewLayerNorm(p.Sub("norm"), c.Width)}
	b.norm.Eps = 1e-6
	return b
}

// Forward maps x [B T d] to [B T d].
func (b *MambaBlock) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		return tp.Add(x, b.norm.Forward(tp, b.mamba.Forward(tp, x)))
	})
}
