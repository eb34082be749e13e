package mascfstyle

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// A fusion lets the tokens of each subspace be completed by those of the other.
type fusion struct {
	shared, private, all *nn.MambaBlock
	// of what the private tokens add to the shared ones, and the reverse
	gateShared, gatePrivate *nn.Linear
}

func newFusion(p *nn.Params, c *Config) *fusion {
	return &fusion{
		shared:      nn.NewMambaBlock(p.Sub("shared"), c.mamba()),
		private:     nn.NewMambaBlock(p.Sub("private"), c.mamba()),
		all:         nn.NewMambaBlock(p.Sub("all"), c.mamba()),
		gateShared:  nn.NewLinear(p.Sub("gate.shared"), 2*c.Width, c.Width),
		gatePrivate: nn.NewLinear(p.Sub("gate.private"), 2*c.Width, c.Width),
	}
}

// Forward returns the means of the two halves of F, [B 2d], for the shared tokens C and the private
// tokens P, both [B 3n d]:
//
//	S = M_s(C),  V = M_v(P)
//	F = M_f([S + σ(G_s [S; V]) ⊙ V ; V + σ(G_v [V; S]) ⊙ S]), [B 6n d]
//
// where M are Mamba blocks; inside of σ, features are concatenated, outside tokens.
func (f *fusion) Forward(tp *ag.Tape, c, p *ag.Tensor) *ag.Tensor {
	s, v := f.shared.Forward(tp, c), f.private.Forward(tp, p)
	all := f.all.Forward(tp, tp.Concat(1, completed(tp, f.gateShared, s, v),
		completed(tp, f.gatePrivate, v, s)))
	b, width := s.Shape()[0], s.Shape()[2]
	return tp.Reshape(tp.Mean(tp.Reshape(all, b, 2, -1, width), 2), b, 2*width)
}

// completed returns x + σ(gate [x; y]) ⊙ y.
func completed(tp *ag.Tape, gate *nn.Linear, x, y *ag.Tensor) *ag.Tensor {
	g := tp.Sigmoid(gate.Forward(tp, tp.Concat(2, x, y)))
	return tp.Add(x, tp.Mul(g, y))
}
