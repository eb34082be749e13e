package recap

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Subspaces returns the spaces in which FID compares language and vision, for the completed
// features X'_l and X'_v [N L d] of the same N utterances, in this order, [N e]; ok is false for a
// model without the estimators. They are
//
//	shared: u of X'_l and v of X'_v in I_NCE(X'_l; X'_v), the first term of L_shared
//	unique: v of X'_l in I_NCE(X_l; X'_l) and v of X'_v in I_NCE(X_v; X'_v), the first terms of L_unique
//
// where u of x and v of y are the vectors that an estimator computes from each side alone before it
// scores the pair. For a separable critic f = u·v/√e; for the other, u and v are the halves of its
// first layer, which are added. They are closest to what the paper calls subspaces.
//
// Of u and v only their scores matter: the bound does not change with u → u + c, nor f with u →
// Au, v → A⁻ᵀv. So the position of one set of points relative to the other has no meaning; the
// shape of each set has.
func (m *Model) Subspaces(
	tp *ag.Tape, language, vision *ag.Tensor,
) (shared, unique [2]*ag.Tensor, ok bool) {
	for _, q := range m.pairs {
		if q.m1 != zoo.Language || q.m2 != zoo.Vision || q.common == nil || q.own1 == nil {
			continue
		}
		l, v := []*ag.Tensor{m.criticInput(tp, language)}, []*ag.Tensor{m.criticInput(tp, vision)}
		shared[0], shared[1] = q.common.sides(tp, l, v)
		_, unique[0] = q.own1.sides(tp, l, l)
		_, unique[1] = q.own2.sides(tp, v, v)
		return shared, unique, true
	}
	return shared, unique, false
}

// Reconstruct returns the outputs of the reconstructors for completed features, E_rec(X'_m), and
// their targets, the complete features X_m standardised over the N utterances; all [N L d]. ok is
// false for a model without reconstructors.
func (m *Model) Reconstruct(
	tp *ag.Tape, complete, completed [zoo.Modalities]*ag.Tensor,
) (target, reconstructed [zoo.Modalities]*ag.Tensor, ok bool) {
	for i, r := range m.reconstructors {
		target[i] = m.reconstructionTarget(tp, complete[i])
		reconstructed[i] = r.Forward(tp, completed[i])
	}
	return target, reconstructed, m.reconstructors != nil
}

// snapshot returns the parameters that figures of stage 1 need and that stage 2 changes or does
// not need: E_m as stage 1 leaves it, E_rec, and the estimators of Subspaces.
func (m *Model) snapshot() []nn.Param {
	return m.trained("embed", "reconstruct", "fid.lv.common", "fid.lv.own_1", "fid.lv.own_2")
}
