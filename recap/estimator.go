package recap

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// An estimator bounds the mutual information of two modalities from B paired samples: two projection heads and a critic f, which
// learns to score pairs that belong together above pairs that do not.
type estimator struct {
	headX, headY *nn.MLP
	critic       critic
	params       []*ag.Tensor
}

// A critic scores all pairs of x [B n] and y [B n]: element (i, j) of the result [B B] is f(x_j, y_i).
type critic interface {
	Scores(tp *ag.Tape, x, y *ag.Tensor) *ag.Tensor
}

// newEstimator makes an estimator for features of the given width, of which each side has parts: 1, or 2 with a condition.
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

// Scores returns f for all pairs, [B B]. x and y hold the parts of each side, [B n] each: the features, and the condition where
// there is one. A head serves all parts of its side, and the projected parts are concatenated.
func (e *estimator) Scores(tp *ag.Tape, x, y []*ag.Tensor) *ag.Tensor {
	side := func(head *nn.MLP, parts []*ag.Tensor) *ag.Tensor {
		h := make([]*ag.Tensor, len(parts))
		for i, part := range parts {
			h[i] = head.Forward(tp, part)
		}
		if len(h) == 1 {
			return h[0]
		}
		return tp.Concat(1, h...)
	}
	return e.critic.Scores(tp, side(e.headX, x), side(e.headY, y))
}

// NCE returns the InfoNCE lower bound (van den Oord, Li, Vinyals 2018), at most ln B:
//
//	I_NCE(x; y) = mean_i f(x_i, y_i) − mean_i [ ln Σ_j e^f(x_j, y_i) − ln B ]
func (e *estimator) NCE(tp *ag.Tape, x, y []*ag.Tensor) *ag.Tensor {
	s := e.Scores(tp, x, y)
	b := float64(s.Shape()[0])
	return tp.AddScalar(tp.Sub(tp.Mean(tp.Diagonal(s)), tp.Mean(tp.LogSumExp(s, 1))), math.Log(b))
}

// CLUB returns the upper bound of eq 9, whose critic f* is the estimator's and is held constant, so that only the features
// move (Cheng et al. 2020; Liang et al. 2023):
//
//	I_NCE-CLUB(x; y) = mean_i f*(x_i, y_i) − mean_ij f*(x_j, y_i)
func (e *estimator) CLUB(tp *ag.Tape, x, y []*ag.Tensor) (bound *ag.Tensor) {
	tp.Frozen(e.params, func() {
		s := e.Scores(tp, x, y)
		bound = tp.Sub(tp.Mean(tp.Diagonal(s)), tp.Mean(s))
	})
	return bound
}

// Learn returns the lower bound on detached features: maximising it makes the estimator's critic the optimal f* and moves nothing else.
func (e *estimator) Learn(tp *ag.Tape, x, y []*ag.Tensor) *ag.Tensor {
	return e.NCE(tp, detached(tp, x), detached(tp, y))
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

func (c separableCritic) Scores(tp *ag.Tape, x, y *ag.Tensor) *ag.Tensor {
	g, h := c.g.Forward(tp, x), c.h.Forward(tp, y)
	return tp.Scale(tp.MatMul(h, g, ag.NT), 1/math.Sqrt(float64(g.Shape()[1])))
}

// A concatCritic is f(x, y) = MLP([x; y]) with ReLU. Its first layer on [x; y] is W_x x + W_y y + b, so it is
// applied to B rows of each side rather than to B² pairs; the rest sees every pair, in one pass without the B²×width tensor where
// there is no further hidden layer.
type concatCritic struct {
	firstX, firstY *nn.Linear // the halves of the first layer; the bias is firstY's
	rest           *nn.MLP
}

func newConcatCritic(p *nn.Params, c CriticConfig, in int) concatCritic {
	var widths []int
	for range c.Hidden + 1 {
		widths = append(widths, c.Width)
	}
	fan := nn.FanIn(2 * in) // both halves are one layer of 2·in inputs
	return concatCritic{
		firstX: &nn.Linear{W: p.Sub("first_x").New("weight", fan, c.Width, in)},
		firstY: &nn.Linear{W: p.Sub("first_y").New("weight", fan, c.Width, in), B: p.Sub("first_y").New("bias", fan, c.Width)},
		rest:   nn.NewMLP(p.Sub("rest"), append(widths, 1)...),
	}
}

func (c concatCritic) Scores(tp *ag.Tape, x, y *ag.Tensor) *ag.Tensor {
	b, w := x.Shape()[0], c.firstX.W.Shape()[0]
	u, v := c.firstX.Forward(tp, x), c.firstY.Forward(tp, y)
	last := c.rest.Layers[len(c.rest.Layers)-1]
	switch len(c.rest.Layers) {
	case 1:
		return tp.Add(tp.PairScores(u, v, last.W), last.B)
	case 2:
		hidden := c.rest.Layers[0]
		return tp.Add(tp.PairScoresDeep(u, v, hidden.W, hidden.B, last.W), last.B)
	}
	hidden := tp.ReLU(tp.Add(tp.Reshape(v, b, 1, w), tp.Reshape(u, 1, b, w)))
	return tp.Reshape(c.rest.Forward(tp, hidden), b, b)
}
