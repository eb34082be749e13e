package recap

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestModalityErrorsAreThoseOfEquation15 compares L_MI of the predictors g_m, without dropout, and
// L_rank from these errors and α.
func TestModalityErrorsAreThoseOfEquation15(t *testing.T) {
	m, dev := newTiny(t, "cpu64", withoutDropout(), tinyDims)
	const samples = 8
	b := sample(dev, tinyDims, samples)
	tp := ag.NewInferenceTape(dev)
	terms := valuesOf(tp, m.stage2(), b)
	alpha := rowsOf(m.Predict(tp, b.Corrupted).Weight)
	var errs [zoo.Modalities][]float64
	for i, x := range m.complete(tp, b.Corrupted) {
		g := m.predictors[i]
		rows, mean := rowsOf(g.body.Forward(tp, x)), 0.0
		for s, y := range b.Label.Values() {
			h := relu(affine(g.hidden, meanOf(rows[s*m.config.Tokens:(s+1)*m.config.Tokens])))
			errs[i] = append(errs[i], math.Pow(affine(g.score, h)[0]-y, 2))
			mean += errs[i][s] / samples
		}
		name := "probe_" + zoo.Modality(i).String()
		equal(t, name+", L_MI (eq. 15)", terms[name], mean)
	}
	mean, variance := 0.0, 0.0
	for _, y := range b.Label.Values() {
		mean += y / samples
	}
	for _, y := range b.Label.Values() {
		variance += math.Pow(y-mean, 2) / samples
	}
	equal(t, "constant, the variance of the labels", terms["constant"], variance)
	rank := 0.0
	for s := range samples {
		for i := range errs {
			for j := range errs {
				if i != j && errs[i][s] < errs[j][s] {
					hinge := max(0, alpha[s][j]-alpha[s][i]+m.config.Loss.Margin)
					rank += hinge / 2 / samples
				}
			}
		}
	}
	equal(t, "L_rank (eq. 15)", terms["rank"], rank)
}

// TestFusionIsEquations16And17 computes queries, keys and values of every token, and then their
// means.
func TestFusionIsEquations16And17(t *testing.T) {
	dev, r := open(t, "cpu64"), rand.New(rand.NewPCG(13, 14))
	const samples, tokens, d, classes = 5, 3, 4, 2
	p := nn.NewParams(dev, r)
	f := newFusion(p, &Config{Width: d}, classes)
	for _, x := range p.All() {
		x.Assign(normals(r, x.Len()))
	}
	var x features
	for i := range x {
		x[i] = ag.NewTensor(dev, normals(r, samples*tokens*d), samples, tokens, d)
	}
	score, alpha := f.Forward(ag.NewTape(dev), x)
	for s := range samples {
		var e, muV [][]float64
		sum := 0.0
		for i := range x {
			var q, k, v [][]float64
			for _, row := range rowsOf(x[i])[s*tokens : (s+1)*tokens] {
				y := affine(f.qkv, row)
				q, k, v = append(q, y[:d]), append(k, y[d:2*d]), append(v, y[2*d:])
			}
			e = append(e, []float64{math.Exp(dot(meanOf(q), meanOf(k)) / math.Sqrt(d))})
			muV = append(muV, meanOf(v))
			sum += e[i][0]
		}
		fused := make([]float64, d)
		for i := range x {
			want := e[i][0] / sum
			equal(t, fmt.Sprintf("α_%s of sample %d (eq. 16)", zoo.Modality(i), s),
				rowsOf(alpha)[s][i], want)
			for k := range d {
				fused[k] += want * muV[i][k]
			}
		}
		for k, want := range affine(f.head, fused) {
			equal(t, fmt.Sprintf("score %d of sample %d (eq. 17)", k, s), rowsOf(score)[s][k], want)
		}
	}
}

// TestFusionDepth has as many layers as the setting says, of as many heads as every Transformer.
func TestFusionDepth(t *testing.T) {
	for depth := range 4 {
		c := tiny()
		c.FusionDepth = depth
		m, dev := newTiny(t, "cpu", c, tinyDims)
		body := m.fusion.body
		if body == nil || depth == 0 {
			if (body == nil) != (depth == 0) {
				t.Errorf("depth %d: there is a body: %t", depth, body != nil)
			}
			continue
		}
		x := ag.NewTensor(dev, make([]float32, c.Tokens*c.Width), 1, c.Tokens, c.Width)
		if n := len(body.transformer.Stream(ag.NewTape(dev), x)) - 1; n != depth {
			t.Errorf("the body has %d layers, want %d", n, depth)
		}
	}
}

// TestDepth has as many layers as the setting says in every Transformer but the fusion's, where
// there are fewer heads.
func TestDepth(t *testing.T) {
	c := tiny()
	c.Depth = 3
	m, dev := newTiny(t, "cpu", c, tinyDims)
	x := ag.NewTensor(dev, make([]float32, c.Tokens*c.Width), 1, c.Tokens, c.Width)
	for i := range zoo.Modalities {
		for name, s := range map[string]*sequence{"E_m": m.embedder.each[i].encode,
			"G_m": m.generators[i].(*sequence), "D_m": m.adversaries[i].discriminator.body,
			"E_rec": m.reconstructors[i], "g_m": m.predictors[i].body} {
			if n := len(s.transformer.Stream(ag.NewTape(dev), x)) - 1; n != 3 {
				t.Errorf("%s of %v has %d layers, want 3", name, zoo.Modality(i), n)
			}
		}
	}
}

// TestTaskLossIsEquation18 compares L_task with the predictions, for labels and for classes.
func TestTaskLossIsEquation18(t *testing.T) {
	const samples = 8
	for _, classes := range []int{0, 3} {
		d := tinyDims
		d.Classes = classes
		m, dev := newTiny(t, "cpu64", withoutDropout(), d)
		b := sample(dev, d, samples)
		want := 0.0
		if score := m.Predict(ag.NewInferenceTape(dev), b.Corrupted).Score; classes == 0 {
			for i, y := range b.Label.Values() {
				want += math.Pow(y-score.Values()[i], 2) / samples
			}
		} else {
			for i, logits := range rowsOf(score) {
				sum := 0.0
				for _, v := range logits {
					sum += math.Exp(v)
				}
				want -= math.Log(math.Exp(logits[b.Class[i]])/sum) / samples
			}
		}
		equal(t, fmt.Sprintf("L_task (eq. 18) with %d classes", classes),
			valuesOf(ag.NewTape(dev), m.stage2(), b)["task"], want)
	}
}
