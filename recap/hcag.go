package recap

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// This file holds H-CAG, Hierarchical Causality-aware Adversarial Generation. At several
// granularities the sequence X̃_m is divided into segments. The generator predicts the next segment
// from each, and a discriminator distinguishes the generated segment from the real one.

// A generator is G_m. It maps x [B T d] to [B T d]: a segment to the next one, and corrupted
// features to complete ones.
type generator interface {
	Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor
}

// newGenerator creates a modality's generator, and returns it with the list of its parameters that
// are held constant.
func newGenerator(p *nn.Params, c *Config, m zoo.Modality) (g generator, frozen []*ag.Tensor) {
	if c.Generator.Kind == "imagebind" {
		g := newImageBind(p, c, m)
		return g, g.frozen
	}
	return newSequence(p, c, c.Heads, c.Tokens, c.Depth), nil
}

// A discriminator is D_m. It returns a logit for each position of a segment, which is positive if
// it classifies the segment as real.
type discriminator struct {
	body  *sequence // nil for the release's two-layer MLP
	score *nn.MLP
}

func newDiscriminator(p *nn.Params, c *Config) *discriminator {
	if c.Discriminator == "mlp" {
		return &discriminator{score: nn.NewMLP(p.Sub("score"), c.Width, c.Width/2, 1)}
	}
	return &discriminator{newSequence(p, c, c.Heads, c.Tokens, c.Depth),
		nn.NewMLP(p.Sub("score"), c.Width, 1)}
}

// Forward returns logits [B T 1] for segments [B T d].
func (d *discriminator) Forward(tp *ag.Tape, s *ag.Tensor) *ag.Tensor {
	if d.body != nil {
		s = d.body.Forward(tp, s)
	}
	return d.score.Forward(tp, s)
}

// An adversary trains one modality's generator and discriminator against each other.
type adversary struct {
	generator           generator // G_m
	discriminator       *discriminator
	discriminatorParams []*ag.Tensor // constants in L_gen: the discriminator's; Release: none
	granularities       []int        // 𝒢, numbers of segments
}

// Losses returns L_gen and L_disc of eqs 3 and 5, summed over segments and granularities (eq 6).
// The segments that the generator continues are those of x [B L d], the real next segments those
// of future [B L d]. L_gen has gradients for the generator and x, and none for the
// discriminatorParams; L_disc has gradients for the discriminator alone. So one backward pass
// trains both, each by its own loss.
func (a *adversary) Losses(tp *ag.Tape, x, future *ag.Tensor) (gen, disc *ag.Tensor) {
	for i, n := range a.granularities {
		now, next := segments(tp, x, future, n)
		generated := a.generator.Forward(tp, now) // eq 1
		omega := similarity(tp, now, next)
		g := a.generatorLoss(tp, generated, omega, x.Shape()[0])
		d := a.discriminatorLoss(tp, generated, next, x.Shape()[0])
		if i == 0 {
			gen, disc = g, d
		} else {
			gen, disc = tp.Add(gen, g), tp.Add(disc, d)
		}
	}
	return gen, disc
}

// segments divides x and future [B L d] into n segments each and returns the first n−1 of x and, in
// the same order, their successors in future, both [B·(n−1) L/n d], so that all pairs of a
// granularity are one batch.
func segments(tp *ag.Tape, x, future *ag.Tensor, n int) (now, next *ag.Tensor) {
	l, d := x.Shape()[1], x.Shape()[2]
	w := l / n
	return tp.Reshape(tp.Slice(x, 1, 0, l-w), -1, w, d),
		tp.Reshape(tp.Slice(future, 1, w, l), -1, w, d)
}

// similarity returns ω of eq 2 for each pair of segments, [P 1], as a constant.
//
//	ω = (1 + cos(s_t, s_{t+1})) / 2
func similarity(tp *ag.Tape, now, next *ag.Tensor) *ag.Tensor {
	pairs := now.Shape()[0]
	cos := tp.CosineSimilarity(tp.Reshape(tp.StopGradient(now), pairs, -1),
		tp.Reshape(tp.StopGradient(next), pairs, -1))
	return tp.Reshape(tp.AddScalar(tp.Scale(cos, 0.5), 0.5), pairs, 1)
}

// generatorLoss returns eq 3, mean over positions and batch, sum over segments, with the
// discriminatorParams held constant: BCE(D(ŝ), 1) = softplus(−logit), weighted by ω.
func (a *adversary) generatorLoss(
	tp *ag.Tape, generated, omega *ag.Tensor, batch int,
) (loss *ag.Tensor) {
	tp.Frozen(a.discriminatorParams, func() {
		nll := tp.Softplus(tp.Neg(a.discriminator.Forward(tp, generated))) // [P T 1]
		loss = tp.Scale(tp.Sum(tp.Mul(omega, tp.Mean(nll, 1))), 1/float64(batch))
	})
	return loss
}

// discriminatorLoss returns eq 5, ½[BCE(D(s), 1) + BCE(D(ŝ), 0)], mean over positions and batch,
// sum over segments. Both segments are constants here.
func (a *adversary) discriminatorLoss(
	tp *ag.Tape, generated, real *ag.Tensor, batch int,
) *ag.Tensor {
	realLoss := tp.Softplus(tp.Neg(a.discriminator.Forward(tp, tp.StopGradient(real))))
	generatedLoss := tp.Softplus(a.discriminator.Forward(tp, tp.StopGradient(generated)))
	perPair := tp.Mean(tp.Add(realLoss, generatedLoss), 1) // [P 1]
	return tp.Scale(tp.Sum(perPair), 0.5/float64(batch))
}

// hcag returns the terms of eq 7, λ_adv·w_m·(L_gen + L_disc) for each modality, and disc_chance,
// the L_disc of a discriminator that cannot distinguish the segments, which is only logged. The
// generator continues segments of X̃_m. If Future is "complete", real next segments are those of
// X_m, so that G_m learns to complete, and L_gen trains G_m alone: E_m could lower it by making
// its tokens alike. If not, they are those of X̃_m, and L_gen trains E_m too.
func (m *Model) hcag(tp *ag.Tape, corrupted, complete features) []zoo.Term {
	var terms []zoo.Term
	w := m.config.Loss
	for i, a := range m.adversaries {
		x, future := corrupted[i], corrupted[i]
		if m.config.Future == "complete" {
			x, future = tp.StopGradient(x), complete[i]
		}
		gen, disc := a.Losses(tp, x, future)
		name, weight := zoo.Modality(i).String(), w.Adversarial*w.Modality[i]
		terms = append(terms, zoo.Term{Name: "gen_" + name, Weight: weight, Loss: gen},
			zoo.Term{Name: "disc_" + name, Weight: weight, Loss: disc})
	}
	if len(m.adversaries) > 0 {
		terms = append(terms, zoo.Term{Name: "disc_chance", Loss: tp.Full(m.chance())})
	}
	return terms
}

// chance returns L_disc if every logit is 0: ln 2 for each pair of segments.
func (m *Model) chance() float64 {
	pairs := 0
	for _, n := range m.config.Granularities {
		pairs += n - 1
	}
	return float64(pairs) * math.Ln2
}
