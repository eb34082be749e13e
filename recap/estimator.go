package recap

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// An estimator bounds the mutual information of two modalities from B paired samples: two
// projection heads and a critic f, which learns to score pairs that belong together above pairs
// that do not.
type estimator struct {
	headX, headY *nn.MLP
	critic       critic
	params       []*ag.Tensor
	release      bool // CLUB is that of the authors' release
}

// A critic scores all pairs of x [B n] and y [B n] in two steps: Sides computes u and v, each from
// the rows of x or y alone, and Pairs combines them.
type critic interface {
	// Sides returns u of x and v of y, [B …].
	Sides(tp *ag.Tape, x, y *ag.Tensor) (u, v *ag.Tensor)
	// Pairs returns [B B], of which element (i, j) is f(x_j, y_i).
	Pairs(tp *ag.Tape, u, v *ag.Tensor) *ag.Tensor
	// PairsTwice returns Pairs of u and v, and the same numbers as a function of cu and cv, whose
	// values are u's and v's, with the critic's weights held constant.
	PairsTwice(tp *ag.Tape, u, v, cu, cv *ag.Tensor) (scores, constant *ag.Tensor)
}

// newEstimator creates an estimator for features of the given width. Each side has one part, the
// features, or two with a condition.
func newEstimator(p *nn.Params, c CriticConfig, width, parts int) *estimator {
	e := &estimator{
		headX: nn.NewMLP(p.Sub("head_x"), width, width, width),
		headY: nn.NewMLP(p.Sub("head_y"), width, width, width),
	}
	if c.Kind == "concat" {
		e.critic = newConcatCritic(p.Sub("critic"), c, parts*width)
	} else {
		e.critic = newSeparableCritic(p.Sub("critic"), c, parts*width)
	}
	e.params = p.Tensors()
	return e
}

// sides returns the two sides of the critic. x and y hold the parts of each side, [B n] each: the
// features, and the condition if there is one. All parts of a side are projected by the same head
// and then concatenated.
func (e *estimator) sides(tp *ag.Tape, x, y []*ag.Tensor) (u, v *ag.Tensor) {
	project := func(head *nn.MLP, parts []*ag.Tensor) *ag.Tensor {
		h := make([]*ag.Tensor, len(parts))
		for i, part := range parts {
			h[i] = head.Forward(tp, part)
		}
		if len(h) == 1 {
			return h[0]
		}
		return tp.Concat(1, h...)
	}
	return e.critic.Sides(tp, project(e.headX, x), project(e.headY, y))
}

// NCE returns the InfoNCE lower bound (van den Oord, Li, Vinyals 2018), a scalar in nats of at most
// ln B:
//
//	I_NCE(x; y) = mean_i f(x_i, y_i) − mean_i [ ln Σ_j e^f(x_j, y_i) − ln B ]
func (e *estimator) NCE(tp *ag.Tape, x, y []*ag.Tensor) *ag.Tensor {
	u, v := e.sides(tp, x, y)
	return lowerBound(tp, e.critic.Pairs(tp, u, v))
}

// CLUB returns the upper bound of eq 9, whose critic f* is the estimator's and is held constant,
// so that only the features have gradients (Cheng et al. 2020; Liang et al. 2023):
//
//	I_NCE-CLUB(x; y) = mean_i f*(x_i, y_i) − mean_ij f*(x_j, y_i)
//
// and learn, the lower bound on detached features: maximising it makes the estimator's critic the
// optimal f* and trains nothing else. In the authors' release there is no learn: the bound trains
// its critic too, which can lower it without end, and is clamped.
func (e *estimator) CLUB(tp *ag.Tape, x, y []*ag.Tensor) (bound, learn *ag.Tensor) {
	if e.release {
		u, v := e.sides(tp, x, y)
		return tp.Clamp(difference(tp, e.critic.Pairs(tp, u, v)), -5, math.Inf(1)), nil
	}
	var cu, cv *ag.Tensor
	tp.Frozen(e.params, func() { cu, cv = e.sides(tp, x, y) })
	u, v := e.sides(tp, detached(tp, x), detached(tp, y))
	scores, constant := e.critic.PairsTwice(tp, u, v, cu, cv)
	return difference(tp, constant), lowerBound(tp, scores)
}

// difference returns the mean score of the pairs that belong together minus that of all pairs.
func difference(tp *ag.Tape, scores *ag.Tensor) *ag.Tensor {
	return tp.Sub(tp.Mean(tp.Diagonal(scores)), tp.Mean(scores))
}

func lowerBound(tp *ag.Tape, scores *ag.Tensor) *ag.Tensor {
	b := float64(scores.Shape()[0])
	return tp.AddScalar(tp.Sub(tp.Mean(tp.Diagonal(scores)), tp.Mean(tp.LogSumExp(scores, 1))),
		math.Log(b))
}

func detached(tp *ag.Tape, x []*ag.Tensor) []*ag.Tensor {
	d := make([]*ag.Tensor, len(x))
	for i := range x {
		d[i] = tp.StopGradient(x[i])
	}
	return d
}

// A separableCritic is f(x, y) = g(x)·h(y)/√e, with two-layer perceptrons g and h of width e.
type separableCritic struct{ g, h *nn.MLP }

func newSeparableCritic(p *nn.Params, c CriticConfig, in int) separableCritic {
	widths := []int{in}
	for range c.Hidden + 1 {
		widths = append(widths, c.Width)
	}
	widths = append(widths, c.Width)
	return separableCritic{nn.NewMLP(p.Sub("g"), widths...), nn.NewMLP(p.Sub("h"), widths...)}
}

func (c separableCritic) Sides(tp *ag.Tape, x, y *ag.Tensor) (u, v *ag.Tensor) {
	return c.g.Forward(tp, x), c.h.Forward(tp, y)
}

func (c separableCritic) Pairs(tp *ag.Tape, u, v *ag.Tensor) *ag.Tensor {
	return tp.Scale(tp.MatMul(v, u, ag.NT), 1/math.Sqrt(float64(u.Shape()[1])))
}

func (c separableCritic) PairsTwice(
	tp *ag.Tape, u, v, cu, cv *ag.Tensor,
) (scores, constant *ag.Tensor) {
	return c.Pairs(tp, u, v), c.Pairs(tp, cu, cv)
}

// A concatCritic is f(x, y) = MLP([x; y]) with ReLU, of one hidden layer or two. Its first layer
// on [x; y] is W_x x + W_y y + b, so it is applied to B rows of each side rather than to B² pairs;
// the other layers are applied to every pair, in blocks, so that no tensor has B²×width numbers.
type concatCritic struct {
	firstX, firstY *nn.Linear // the halves of the first layer; the bias is firstY's
	second         *nn.Linear // nil for one hidden layer
	last           *nn.Linear
	constants      []*ag.Tensor // the parameters of last
}

func newConcatCritic(p *nn.Params, c CriticConfig, in int) concatCritic {
	fan := nn.FanIn(2 * in) // both halves are one layer of 2·in inputs
	critic := concatCritic{
		firstX: &nn.Linear{W: p.Sub("first_x").New("weight", fan, c.Width, in)},
		firstY: &nn.Linear{W: p.Sub("first_y").New("weight", fan, c.Width, in),
			B: p.Sub("first_y").New("bias", fan, c.Width)},
	}
	if c.Hidden == 1 {
		critic.second = nn.NewLinear(p.Sub("second"), c.Width, c.Width)
	}
	critic.last = nn.NewLinear(p.Sub("last"), c.Width, 1)
	critic.constants = p.Sub("last").Tensors()
	return critic
}

func (c concatCritic) Sides(tp *ag.Tape, x, y *ag.Tensor) (u, v *ag.Tensor) {
	return c.firstX.Forward(tp, x), c.firstY.Forward(tp, y)
}

func (c concatCritic) Pairs(tp *ag.Tape, u, v *ag.Tensor) *ag.Tensor {
	if c.second == nil {
		return tp.Add(pairScores(tp, u, v, c.last.W), c.last.B)
	}
	return tp.Add(pairScoresDeep(tp, u, v, c.second.W, c.second.B, c.last.W), c.last.B)
}

func (c concatCritic) PairsTwice(
	tp *ag.Tape, u, v, cu, cv *ag.Tensor,
) (scores, constant *ag.Tensor) {
	if c.second == nil {
		scores = c.Pairs(tp, u, v)
		tp.Frozen(c.constants, func() { constant = c.Pairs(tp, cu, cv) })
		return scores, constant
	}
	scores, constant = pairScoresTwice(tp, u, v, cu, cv, c.second.W, c.second.B, c.last.W)
	return tp.Add(scores, c.last.B), tp.Add(constant, tp.StopGradient(c.last.B))
}
