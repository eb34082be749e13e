package recap

import (
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// This file holds FID, the Factorised Information Decomposition. For each pair of modalities it
// separates the information that both share from the information that each has alone, by maximising
// lower bounds and minimising upper bounds of mutual information.

// A pair holds the six estimators of two modalities; each estimates another joint distribution, so
// none is shared.
type pair struct {
	name   string // "la"
	m1, m2 zoo.Modality

	common     *estimator // I_NCE(X'₁; X'₂)
	commonClub *estimator // I_NCE-CLUB(X'₁; X'₂ | X₁, X₂)
	own1, own2 *estimator // I_NCE(X₁; X'₁), I_NCE(X₂; X'₂)
	club       *estimator // I_NCE-CLUB(X'₁; X'₂)
	given      *estimator // I_NCE(X'₁; X'₂ | X₁, X₂)
}

func newPair(p *nn.Params, c *Config, m1, m2 zoo.Modality) *pair {
	name := m1.String() + m2.String()
	p = p.Sub(name)
	n := c.Width
	if c.Critic.Input == "flat" {
		n *= c.Tokens
	}
	q := &pair{name: name, m1: m1, m2: m2}
	if !c.Without.Shared {
		q.common = newEstimator(p.Sub("common"), c.Critic, n, 1)
		q.commonClub = newEstimator(p.Sub("common_club"), c.Critic, n, 2)
	}
	if !c.Without.Unique {
		q.own1 = newEstimator(p.Sub("own_1"), c.Critic, n, 1)
		q.own2 = newEstimator(p.Sub("own_2"), c.Critic, n, 1)
		q.club = newEstimator(p.Sub("club"), c.Critic, n, 1)
		q.given = newEstimator(p.Sub("given"), c.Critic, n, 2)
	}
	for _, e := range []*estimator{q.commonClub, q.club} {
		if e != nil {
			e.release = c.Release
		}
	}
	return q
}

// newPairs returns the pairs of eq 11 that the configuration keeps.
func newPairs(p *nn.Params, c *Config) []*pair {
	var pairs []*pair
	if !c.Without.LA {
		pairs = append(pairs, newPair(p, c, zoo.Language, zoo.Audio))
	}
	if !c.Without.LV {
		pairs = append(pairs, newPair(p, c, zoo.Language, zoo.Vision))
	}
	if !c.Without.AV {
		pairs = append(pairs, newPair(p, c, zoo.Audio, zoo.Vision))
	}
	return pairs
}

// fid returns the terms of eq 11 for the complete features X and the completed ones X', each [B L
// d]. Every bound is a term of its own, so that it is logged; the sum of the weighted terms is
// λ_fid·L_FID, plus the objectives that train f* alone.
func (m *Model) fid(tp *ag.Tape, complete, completed features) []zoo.Term {
	var x, y features // complete and completed, [B n]
	for i := range x {
		x[i], y[i] = m.criticInput(tp, complete[i]), m.criticInput(tp, completed[i])
	}
	var terms []zoo.Term
	for _, q := range m.pairs {
		terms = append(terms,
			q.terms(tp, m.config.Loss.Factorisation, x[q.m1], x[q.m2], y[q.m1], y[q.m2])...)
	}
	return terms
}

// terms returns the bounds of one pair with their signs in
//
//	L_shared  = −I_NCE(X'₁; X'₂) + I_CLUB(X'₁; X'₂ | X₁, X₂)                        eq 8
//	L_unique₁ = −I_NCE(X₁; X'₁) + I_CLUB(X'₁; X'₂) − I_NCE(X'₁; X'₂ | X₁, X₂)      eq 10, and the same for 2
//
// The last two bounds of eq 10 are equal in L_unique₁ and L_unique₂: one estimator computes each
// for both, with twice the weight.
func (q *pair) terms(tp *ag.Tape, lambda float64, x1, x2, y1, y2 *ag.Tensor) []zoo.Term {
	one := func(x *ag.Tensor) []*ag.Tensor { return []*ag.Tensor{x} }
	side1, side2 := []*ag.Tensor{y1, x1}, []*ag.Tensor{y2, x2} // with the condition
	var terms []zoo.Term
	add := func(name string, weight float64, bound *ag.Tensor) {
		if bound != nil { // the release's critics f* have no objective of their own
			terms = append(terms, zoo.Term{Name: name + "_" + q.name, Weight: weight, Loss: bound})
		}
	}
	if q.common != nil {
		add("nce_common", -lambda, q.common.NCE(tp, one(y1), one(y2)))
		bound, learn := q.commonClub.CLUB(tp, side1, side2)
		add("club_common", lambda, bound)
		add("learn_club_common", -1, learn)
	}
	if q.club != nil {
		add("nce_own1", -lambda, q.own1.NCE(tp, one(x1), one(y1)))
		add("nce_own2", -lambda, q.own2.NCE(tp, one(x2), one(y2)))
		bound, learn := q.club.CLUB(tp, one(y1), one(y2))
		add("club", 2*lambda, bound)
		add("learn_club", -1, learn)
		add("nce_given", -2*lambda, q.given.NCE(tp, side1, side2))
	}
	return terms
}

// criticInput returns the input [B n] of the estimators for features h [B L d], the L·d features or
// the d means over tokens. Each is standardised over the batch, without learned scale or running
// statistics, so that scaling the features does not change a bound,
//
//	(x − mean)/√(variance + 1e-8)
func (m *Model) criticInput(tp *ag.Tape, h *ag.Tensor) *ag.Tensor {
	if m.config.Critic.Input == "mean" {
		h = tp.Mean(h, 1)
	}
	x := tp.Reshape(h, h.Shape()[0], -1)
	if m.config.Literal {
		return x
	}
	centred, variance := centre(tp, x, 0)
	return tp.Div(centred, tp.Sqrt(tp.AddScalar(variance, 1e-8)))
}

// centre returns x − mean, and the variance, over an axis of x: the first or the second.
func centre(tp *ag.Tape, x *ag.Tensor, axis int) (centred, variance *ag.Tensor) {
	kept := slices.Clone(x.Shape())
	kept[axis] = 1
	centred = tp.Sub(x, tp.Reshape(tp.Mean(x, axis), kept...))
	return centred, tp.Mean(tp.Mul(centred, centred), axis)
}
