package recap

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// This file holds a candidate of docs/method-study.md: the fusion sees what FID's heads compute
// from X'_m, beside X'_m or instead of it.

// Study holds the settings of the candidate.
type Study struct {
	// append: the fusion sees L+1 tokens, X'_m and one of the heads; replace: the latter alone
	Heads string `yaml:"heads" values:"none,append,replace" older:"none" help:"FID's heads fused"`
	// other heads of the same sizes, as a control
	Random bool `yaml:"heads_random" older:"false" help:"fused heads are not those of FID"`
	// otherwise they are constant in stage 2, as G_m is
	Train bool `yaml:"heads_train" older:"false" help:"stage 2 trains the fused heads"`
	// otherwise they are those of stage 1
	Track bool `yaml:"heads_track" older:"false" help:"stage 2 changes the running statistics"`
}

func (c *Config) checkStudy() error {
	w, s := c.Without, c.Study
	if s.Heads == "none" {
		if s.Random || s.Train || s.Track {
			return fmt.Errorf("recap: study.heads is none, want append or replace with " +
				"another setting of the study")
		}
		return nil
	}
	if c.Literal || c.Release || w.Stage1 || w.FID || w.Shared || w.Unique || w.LV || w.LA || w.AV {
		return fmt.Errorf("recap: study.heads is %s, want none in a variant without stage 1, "+
			"without a part of FID, or with literal or release", s.Heads)
	}
	return nil
}

// headTokens maps X'_m to one token for the fusion, by the four heads that read X'_m in
// I_NCE(X'_1; X'_2), "shared", and in I_NCE(X_m; X'_m), "unique", of the two pairs of m.
type headTokens struct {
	heads   [zoo.Modalities][]*nn.MLP // n → n
	params  []nn.Param                // of the heads
	project *nn.Linear                // 4n → d, shared by the modalities
	// moving sums of what the heads see: a modality has the n means, the n variances, and a 1
	running *ag.Tensor // [3 2n+1]
}

// newHeadTokens creates the modules. They are created after all others, which so start from the
// same weights as without them.
func newHeadTokens(p *nn.Params, c *Config, pairs []*pair) *headTokens {
	t, n := &headTokens{}, c.criticWidth()
	for _, q := range pairs {
		for _, h := range []struct {
			modality zoo.Modality
			name     string
			head     *nn.MLP
		}{
			{q.m1, "common.head_x", q.common.headX}, {q.m2, "common.head_y", q.common.headY},
			{q.m1, "own_1.head_y", q.own1.headY}, {q.m2, "own_2.head_y", q.own2.headY},
		} {
			of := p.Sub("fid." + q.name + "." + h.name)
			if c.Study.Random {
				of = p.Sub("random." + q.name + "." + h.name)
				h.head = nn.NewMLP(of, n, n, n)
			}
			t.heads[h.modality] = append(t.heads[h.modality], h.head)
			t.params = append(t.params, of.All()...)
		}
	}
	t.project = nn.NewLinear(p.Sub("fuse.token"), len(t.heads[0])*n, c.Width)
	t.running = p.NewBuffer("fuse.token.running", nn.Zeros, zoo.Modalities, 2*n+1)
	return t
}

// track returns the change of the running statistics by the features x_m [B n] of a batch:
//
//	running ← 0.9·running + 0.1·(means, variances, 1)
//
// The last number is the sum of the weights, by which the others are divided when they are read, so
// that the zeros of the start do not count.
func (t *headTokens) track(tp *ag.Tape, x features) (update zoo.MemoryUpdate) {
	tp.Unrecorded(func() {
		var rows features
		for i := range x {
			_, variance := centre(tp, x[i], 0)
			rows[i] = tp.Concat(0, tp.Mean(x[i], 0), variance, tp.Full(1, 1))
		}
		update = zoo.MemoryUpdate{Memory: t.running, Index: []int{0, 1, 2},
			Rows: tp.Add(tp.Scale(t.running, 0.9), tp.Scale(tp.Stack(0, rows[:]...), 0.1))}
	})
	return update
}

// standardise returns (x − mean)/√(variance + 1e-8) for the features x [B n] of modality i, with
// the running statistics. A feature that was constant is 0, since a small change in stage 2 would
// be large beside its deviation.
func (t *headTokens) standardise(tp *ag.Tape, x *ag.Tensor, i int) *ag.Tensor {
	n := x.Shape()[1]
	sums := tp.Split(tp.Reshape(tp.Slice(t.running, 0, i, i+1), -1), 0, n, n, 1)
	weight := tp.AddScalar(sums[2], 1e-12)
	mean, variance := tp.Div(sums[0], weight), tp.Div(sums[1], weight)
	scale := tp.Div(tp.Less(tp.Full(1e-6, 1), variance),
		tp.Sqrt(tp.AddScalar(variance, 1e-8)))
	return tp.Mul(tp.Sub(x, mean), scale)
}

// Forward returns the tokens, [B 1 d], of the features x_m [B n].
func (t *headTokens) Forward(tp *ag.Tape, x features) (tokens features) {
	for i := range x {
		z := t.standardise(tp, x[i], i)
		var h []*ag.Tensor
		for _, head := range t.heads[i] {
			h = append(h, head.Forward(tp, z))
		}
		tokens[i] = tp.Concat(1, h...)
	}
	return tokens
}

// fuse returns the prediction and the weights for X'_m.
func (m *Model) fuse(tp *ag.Tape, completed features) (score, alpha *ag.Tensor) {
	t, f := m.headTokens, m.fusion
	if t == nil {
		return f.Forward(tp, completed)
	}
	var constant []*ag.Tensor
	if !m.config.Study.Train {
		for _, p := range t.params {
			constant = append(constant, p.Tensor)
		}
	}
	var heads features
	tp.Frozen(constant, func() { heads = t.Forward(tp, m.headFeatures(tp, completed)) })
	// the bias of project serves as the position of the token
	y := t.project.Forward(tp, tp.Concat(0, heads[:]...))
	y = tp.Reshape(y, y.Shape()[0], 1, -1)
	if m.config.Study.Heads == "append" {
		x := tp.Concat(0, completed[:]...)
		if f.body != nil {
			x = tp.Add(x, f.body.positions)
		}
		y = tp.Concat(1, x, y)
	}
	if f.body != nil {
		y = f.body.transformer.Forward(tp, y)
	}
	n := y.Shape()[0] / zoo.Modalities
	return f.attend(tp, features(tp.Split(y, 0, n, n, n)))
}

// headFeatures returns what FID's heads see of X'_m before it is standardised, [B n].
func (m *Model) headFeatures(tp *ag.Tape, completed features) (x features) {
	for i := range x {
		x[i] = m.criticFeatures(tp, completed[i])
	}
	return x
}
