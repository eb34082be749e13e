package zoo

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/nn"
)

func tinyLNLN() Config {
	return &LNLNConfig{Width: 8, Tokens: 4, Heads: 2, HeadWidth: 4, HyperHeadWidth: 3, FeedForward: 6, Depth: 2, HyperDepth: 3, FusionDepth: 2,
		Text: tinyText(), Loss: LNLNLoss{Completeness: 0.9, Adversarial: 0.8, Reconstruction: 0.1, Sentiment: 1}}
}

// newTinyLNLN makes the tiny model, and moves its parameters from where they start: tables of ones have no spread for a norm to scale.
func newTinyLNLN(t *testing.T, device string) (*lnln, *nn.Params) {
	t.Helper()
	p := nn.NewParams(openDevice(t, device), rand.New(rand.NewPCG(1, 1)))
	m := newLNLN(p, tinyLNLN(), tinyDims).(*lnln)
	r := rand.New(rand.NewPCG(2, 2))
	for _, x := range p.All() {
		v := x.Values()
		for i := range v {
			v[i] += 0.2 * r.NormFloat64()
		}
		x.Assign(v)
	}
	return m, p
}

// lnlnTerm returns one term of the loss of a batch, by itself.
func lnlnTerm(m *lnln, tp *ag.Tape, b *Batch, name string) *ag.Tensor {
	terms := m.Phases()[0].Terms(tp, b)
	return terms[slices.IndexFunc(terms, func(x Term) bool { return x.Name == name })].Loss
}

// lnlnPart returns the parameters whose names begin with one of the prefixes.
func lnlnPart(p *nn.Params, prefixes ...string) []*ag.Tensor {
	var xs []*ag.Tensor
	for _, x := range p.All() {
		if slices.ContainsFunc(prefixes, func(s string) bool { return strings.HasPrefix(x.Name, s) }) {
			xs = append(xs, x.Tensor)
		}
	}
	return xs
}

func lnlnClose(t *testing.T, what string, tol, floor float64, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*max(floor, math.Abs(want[i]))) {
			t.Fatalf("%s: element %d is %.12g, want %.12g", what, i, got[i], want[i])
		}
	}
}

// TestLNLNParameters counts those of the paper's presets, without the encoder of words, and lays them beside the authors' code's: there each block of
// attention has d more, the shift of LN_k.
func TestLNLNParameters(t *testing.T) {
	embed, completeness, proxy, language, reconstruct := 3*2, 2, 2, 2, 3*2 // blocks
	for dataset, want := range map[string]struct {
		dims          Dims
		theirs        int
		fusion, parts int // blocks of the fusion; numbers of embed.a
	}{
		"mosi":  {Dims{TextT: 50, AudioT: 375, AudioD: 5, VisionT: 500, VisionD: 20}, 6483012, 2, 643456},
		"mosei": {Dims{TextT: 50, AudioT: 500, AudioD: 74, VisionT: 500, VisionD: 35}, 7102404, 4, 0},
		"sims":  {Dims{TextT: 39, AudioT: 400, AudioD: 33, VisionT: 55, VisionD: 709}, 7112260, 4, 0},
	} {
		c, _ := lnlnPreset("paper", dataset)
		*c.Words() = TextConfig{Finetune: true, Width: 768, Layers: 1, Heads: 1, FeedForward: 1}
		want.dims.Vocab = 1
		p := nn.NewParams(openDevice(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
		newLNLN(p, c, want.dims)
		blocks := embed + completeness + proxy + language + reconstruct + want.fusion
		if got := p.Count() - p.Sub("text").Count() + 128*blocks; got != want.theirs {
			t.Errorf("%s: %d numbers with the shifts of LN_k, want %d", dataset, got, want.theirs)
		}
		if dataset != "mosi" {
			continue
		}
		for name, part := range map[string]struct{ theirs, blocks int }{
			"embed.l": {699520, 2}, "embed.a": {643456, 2}, "embed.v": {661376, 2}, "proxy.generate": {597760, 2}, "discriminator": {8386, 0},
			"completeness.encode": {593920, 2}, "completeness.score": {8321, 0}, "reconstruct": {3 * 593664, 6}, "language": {593664, 2},
			"hyper.layers": {298368, 0}, "fusion": {595072, 2}, "score": {129, 0},
		} {
			if got := p.Sub(name).Count() + 128*part.blocks; got != part.theirs {
				t.Errorf("%s has %d numbers, want %d", name, got, part.theirs)
			}
		}
	}
}

// TestLNLNStart checks where the tables begin.
func TestLNLNStart(t *testing.T) {
	p := nn.NewParams(openDevice(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	c, _ := lnlnPreset("quick", "mosi")
	newLNLN(p, c, tinyDims)
	for _, x := range p.All() {
		v, sum, square := x.Values(), 0.0, 0.0
		for _, y := range v {
			sum, square = sum+y, square+y*y
		}
		n := float64(len(v))
		switch last := x.Name[strings.LastIndex(x.Name, ".")+1:]; {
		case last == "start" && (sum != n || square != n):
			t.Errorf("%s does not start at ones", x.Name)
		case (last == "tokens" || last == "class") && square != 0:
			t.Errorf("%s does not start at 0", x.Name)
		case last == "positions" || last == "target" || last == "source":
			if math.Abs(sum/n) > 0.2 || math.Abs(square/n-1) > 0.2 {
				t.Errorf("%s starts with mean %.2f and mean square %.2f, want 0 and 1", x.Name, sum/n, square/n)
			}
		}
	}
}

func TestLNLNCheckNamesTheKey(t *testing.T) {
	for key, change := range map[string]func(*LNLNConfig){
		"width is 0":        func(c *LNLNConfig) { c.Width = 0 },
		"width is 7":        func(c *LNLNConfig) { c.Width = 7 },
		"hyper_depth is -1": func(c *LNLNConfig) { c.HyperDepth = -1 },
		"text.width":        func(c *LNLNConfig) { c.Text.Width = 7 },
	} {
		c := tinyLNLN().(*LNLNConfig)
		change(c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), "lnln: "+key) {
			t.Errorf("changing %s: %v", key, err)
		}
	}
}

// TestLNLNPresets holds the numbers that differ between data sets.
func TestLNLNPresets(t *testing.T) {
	for dataset, want := range map[string]struct {
		fusion int
		loss   LNLNLoss
	}{"mosi": {2, LNLNLoss{0.9, 0.8, 0.1, 1}}, "mosei": {4, LNLNLoss{0.9, 0.8, 0.1, 1}}, "sims": {4, LNLNLoss{0.9, 0.6, 0.1, 1}}} {
		c, training := lnlnPreset("paper", dataset)
		if c := c.(*LNLNConfig); c.FusionDepth != want.fusion || c.Loss != want.loss || training.Epochs["train"] != 200 || training.LR != 1e-4 {
			t.Errorf("%s: %+v, %+v", dataset, c, training)
		}
	}
}

// TestLNLNTerms compares the parts of the loss with loops over samples and tokens.
func TestLNLNTerms(t *testing.T) {
	m, p := newTinyLNLN(t, "cpu64")
	const size, n, d = 3, 4, 8
	b := Sample(p.Device(), &tinyDims, size, 1)
	tp := ag.NewInferenceTape(p.Device())
	u, clean := m.features(tp, b.Corrupted), m.features(tp, b.Complete)
	w := m.completeness.Forward(tp, u[Language]).Values()
	proxy, words, target := m.proxy.Forward(tp, u[Audio], u[Vision]).Values(), u[Language].Values(), clean[Language].Values()
	rate, label, y := b.Rate.Values(), b.Label.Values(), m.Predict(tp, b.Corrupted).Score.Values()

	want := map[string]float64{}
	for i := range size {
		want["cc"] += math.Pow(w[i]-(1-rate[3*i]), 2) / size
		want["sp"] += math.Pow(y[i]-label[i], 2) / size
		want["completeness"] += w[i] / size
		for k := range n {
			at := (i*n + k) * d
			blend := make([]float64, d)
			for j := range blend {
				blend[j] = (1-w[i])*proxy[at+j] + w[i]*words[at+j]
			}
			want["adv"] -= m.discriminator.naive(blend)[1] / (2 * size * n)
			want["adv"] -= m.discriminator.naive(target[at:][:d])[0] / (2 * size * n)
		}
	}
	for i, r := range m.reconstructors {
		x, y := r.Forward(tp, u[i]).Values(), clean[i].Values()
		for j := range x {
			want["rec"] += (x[j] - y[j]) * (x[j] - y[j]) / (3 * size * n * d)
		}
	}
	weights := map[string]float64{"cc": 0.9, "adv": 0.8, "rec": 0.1, "sp": 1, "completeness": 0}
	terms := m.Phases()[0].Terms(tp, b)
	if len(terms) != len(weights) {
		t.Errorf("%d terms, want %d", len(terms), len(weights))
	}
	for _, term := range terms {
		lnlnClose(t, term.Name, 1e-12, 1, []float64{term.Loss.Item()}, []float64{want[term.Name]})
		if w, ok := weights[term.Name]; !ok || term.Weight != w {
			t.Errorf("%s has weight %g, want %g", term.Name, term.Weight, w)
		}
	}
}

// naive returns the logarithms of the two classes' probabilities for a token.
func (l *lnlnTwoLayer) naive(x []float64) (logs [2]float64) {
	w1, b1, w2, b2 := l.hidden.W.Values(), l.hidden.B.Values(), l.out.W.Values(), l.out.B.Values()
	copy(logs[:], b2)
	for k := range b1 {
		h := b1[k]
		for j := range x {
			h += w1[k*len(x)+j] * x[j]
		}
		for c := range logs {
			logs[c] += w2[c*len(b1)+k] * max(h, 0.1*h)
		}
	}
	sum := math.Log(math.Exp(logs[0]) + math.Exp(logs[1]))
	return [2]float64{logs[0] - sum, logs[1] - sum}
}

// lnlnSlopes returns the derivative of a loss along a random direction in the space of the parameters, as Backward has it and as it is. Where the
// gradient is reversed they differ: nothing holds the reversal here, as agtest.Direction does.
func lnlnSlopes(params []*ag.Tensor, loss func(tp *ag.Tape) *ag.Tensor) (backward, truth float64) {
	tp := ag.NewTape(params[0].Device())
	eval := func() *ag.Tensor {
		tp.Reset()
		tp.Seed(1)
		return loss(tp)
	}
	grads := tp.Backward(eval())
	along := agtest.UnitDirection(params)
	at := make([][]float64, len(params))
	for i, p := range params {
		at[i] = p.Values()
		if g := grads[p]; g != nil {
			for j, v := range g.Values() {
				backward += v * along[i][j]
			}
		}
	}
	moved := func(h float64) float64 {
		for i, p := range params {
			v := slices.Clone(at[i])
			for j := range v {
				v[j] += h * along[i][j]
			}
			p.Assign(v)
		}
		return eval().Item()
	}
	const h = 1e-5
	truth = (8*(moved(h)-moved(-h)) - (moved(2*h) - moved(-2*h))) / (12 * h)
	moved(0)
	return backward, truth
}

// TestLNLNReversal sees that the gradient is reversed where P leaves the generator, and nowhere else: in every loss that sees P, the table p and the
// generator go uphill, as do audio and vision in L_adv, which sees them in P only. All else goes downhill, w and U_l too. And where Backward agrees
// with the truth nothing is detached: the clean targets C_m learn.
func TestLNLNReversal(t *testing.T) {
	m, p := newTinyLNLN(t, "cpu64")
	b := Sample(p.Device(), &tinyDims, 6, 1)
	for _, c := range []struct {
		term, part string
		sign       float64
	}{
		{"adv", "proxy.start", -1}, {"adv", "proxy.generate", -1}, {"adv", "embed.a", -1}, {"adv", "embed.v", -1},
		{"sp", "proxy.start", -1}, {"sp", "proxy.generate", -1},
		{"adv", "completeness", 1}, {"adv", "embed.l", 1}, {"adv", "text", 1}, {"adv", "discriminator", 1},
		{"sp", "completeness", 1}, {"sp", "embed.l", 1}, {"sp", "text", 1},
		{"sp", "language", 1}, {"sp", "hyper", 1}, {"sp", "fusion", 1}, {"sp", "score", 1},
		{"cc", "completeness", 1}, {"cc", "embed.l", 1}, {"cc", "text", 1},
		{"rec", "reconstruct", 1}, {"rec", "embed", 1}, {"rec", "text", 1},
	} {
		backward, truth := lnlnSlopes(lnlnPart(p, c.part), func(tp *ag.Tape) *ag.Tensor { return lnlnTerm(m, tp, b, c.term) })
		if math.Abs(truth) < 1e-6 || math.Abs(backward-c.sign*truth) > 1e-6*math.Abs(truth) {
			t.Errorf("along %s the derivative of %s is %.9g, and Backward has %.9g; want %+.0f times it", c.part, c.term, truth, backward, c.sign)
		}
	}
}

// TestLNLNReversalOfPartOfAPath takes L_sp, which audio and vision reach both through the generator, reversed, and through the hyper-modality.
func TestLNLNReversalOfPartOfAPath(t *testing.T) {
	m, p := newTinyLNLN(t, "cpu64")
	b := Sample(p.Device(), &tinyDims, 6, 1)
	for _, part := range []string{"embed.a.", "embed.v."} {
		params := lnlnPart(p, part)
		backward, truth := lnlnSlopes(params, func(tp *ag.Tape) *ag.Tensor { return lnlnTerm(m, tp, b, "sp") })
		direct, _ := lnlnSlopes(params, func(tp *ag.Tape) *ag.Tensor { // without what the generator sees
			u := m.features(tp, b.Corrupted)
			dominant, _ := m.dominant(tp, [Modalities]*ag.Tensor{u[Language], tp.StopGradient(u[Audio]), tp.StopGradient(u[Vision])})
			return tp.Mean(TaskErrors(tp, m.sentiment(tp, dominant, u), b, &tinyDims))
		})
		through := truth - direct
		if math.Abs(through) < 1e-6 || math.Abs(backward-(direct-through)) > 1e-6*math.Abs(through) {
			t.Errorf("%s: Backward has %.9g, want %.9g − %.9g", part, backward, direct, through)
		}
	}
}

// TestLNLNCleanWordsLearn finds, in L_adv and in L_rec, a gradient at words that only the complete input has.
func TestLNLNCleanWordsLearn(t *testing.T) {
	m, p := newTinyLNLN(t, "cpu64")
	b := Sample(p.Device(), &tinyDims, 2, 1)
	words := lnlnPart(p, "text.embeddings.word_embeddings.")[0]
	for _, term := range []string{"adv", "rec"} {
		tp := ag.NewTape(p.Device())
		g := tp.Backward(lnlnTerm(m, tp, b, term))[words].Values()
		for i, id := range b.Complete.IDs {
			row := g[id*8:][:8]
			lost := b.Complete.HostMask[i] == 1 && !slices.Contains(b.Corrupted.IDs, id)
			if lost && !slices.ContainsFunc(row, func(v float64) bool { return v != 0 }) {
				t.Errorf("%s does not move word %d of the complete input", term, id)
			}
		}
	}
}

// TestLNLNPredictsFromWhatIsThere changes the complete input, which must change no prediction and must change L_adv and L_rec.
func TestLNLNPredictsFromWhatIsThere(t *testing.T) {
	m, p := newTinyLNLN(t, "cpu64")
	b, other := Sample(p.Device(), &tinyDims, 1, 1), Sample(p.Device(), &tinyDims, 1, 2)
	swapped := *b
	swapped.Complete = other.Complete
	tp := ag.NewInferenceTape(p.Device())
	for _, name := range []string{"cc", "sp", "completeness", "adv", "rec"} {
		one, two := lnlnTerm(m, tp, b, name).Item(), lnlnTerm(m, tp, &swapped, name).Item()
		if clean := name == "adv" || name == "rec"; (one != two) != clean {
			t.Errorf("%s is %g, and %g with another complete input", name, one, two)
		}
	}
	if y, e := m.Predict(tp, b.Corrupted).Score.Item(), b.Label.Values()[0]; math.Abs((y-e)*(y-e)-lnlnTerm(m, tp, b, "sp").Item()) > 1e-12 {
		t.Errorf("the trained prediction is not that of Predict")
	}
}

// lnlnGolden is testdata/lnln.json.
type lnlnGolden struct {
	Score  []float64
	Terms  map[string]float64
	Params []lnlnGoldenParam // the k-th is a wave of phase k
}

type lnlnGoldenParam struct {
	name  string
	shape []int
	grad  []float64
}

func (g *lnlnGoldenParam) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&g.name, &g.shape, &g.grad})
}

func readLNLNGolden(t *testing.T) (g lnlnGolden) {
	t.Helper()
	file, err := os.ReadFile("testdata/lnln.json")
	if err == nil {
		err = json.Unmarshal(file, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func lnlnWave(phase float64, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(phase+1.7*float64(i)) / 2
	}
	return v
}

// setParams gives the parameters their waves, and returns PyTorch's gradients in the same order.
func (g *lnlnGolden) setParams(t *testing.T, ps []nn.Param) (grads [][]float64) {
	t.Helper()
	if len(ps) != len(g.Params) {
		t.Errorf("%d parameters, PyTorch has %d", len(ps), len(g.Params))
	}
	for _, p := range ps {
		k := slices.IndexFunc(g.Params, func(q lnlnGoldenParam) bool { return q.name == p.Name && slices.Equal(q.shape, p.Shape()) })
		if k < 0 {
			t.Fatalf("%s %v is not among PyTorch's parameters", p.Name, p.Shape())
		}
		v := lnlnWave(float64(k), p.Len())
		if strings.Contains(strings.ToLower(p.Name), "norm") && strings.HasSuffix(p.Name, "weight") {
			for i := range v {
				v[i]++
			}
		}
		p.Assign(v)
		grads = append(grads, g.Params[k].grad)
	}
	return grads
}

// lnlnGoldenInput is an input of testdata/make_lnln.py.
func lnlnGoldenInput(dev ag.Device, phase float64, ids ...int) *Input {
	in := &Input{IDs: ids, Segments: make([]int, 12), HostMask: make([]float32, 12),
		Audio: ag.NewTensor(dev, lnlnWave(phase, 45), 3, 5, 3), Vision: ag.NewTensor(dev, lnlnWave(phase+100, 18), 3, 3, 2)}
	mask := make([]float64, 12)
	for i, id := range ids {
		if id > 0 {
			mask[i], in.HostMask[i] = 1, 1
		}
	}
	in.Mask = ag.NewTensor(dev, mask, 3, 4)
	return in
}

// TestLNLNAgreesWithPyTorch compares the prediction, the terms of the loss and every gradient of the whole with testdata/lnln.json.
func TestLNLNAgreesWithPyTorch(t *testing.T) {
	want := readLNLNGolden(t)
	c := &LNLNConfig{Width: 4, Tokens: 2, Heads: 2, HeadWidth: 3, HyperHeadWidth: 2, FeedForward: 5, Depth: 2, HyperDepth: 3, FusionDepth: 2,
		Text: TextConfig{Finetune: true, Width: 6, Layers: 1, Heads: 2, FeedForward: 5}, Loss: LNLNLoss{0.9, 0.8, 0.1, 1}}
	d := Dims{Vocab: 9, TextT: 4, AudioT: 5, AudioD: 3, VisionT: 3, VisionD: 2, Range: [2]float64{-3, 3}}
	for name, tol := range map[string]struct{ value, gradient float64 }{"cpu64": {1e-10, 1e-9}, "cpu": {1e-5, 1e-4}} {
		t.Run(name, func(t *testing.T) {
			dev := openDevice(t, name)
			p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
			m := newLNLN(p, c, d)
			grads := want.setParams(t, p.All())
			b := &Batch{
				Corrupted: lnlnGoldenInput(dev, 100, 2, 1, 8, 3, 2, 1, 3, 0, 2, 6, 1, 3),
				Complete:  lnlnGoldenInput(dev, 300, 2, 5, 8, 3, 2, 7, 3, 0, 2, 6, 4, 3),
				Label:     ag.NewTensor(dev, lnlnWave(500, 3), 3),
				Rate:      ag.NewTensor(dev, []float64{0.4, 0.2, 0.7, 0.9, 0.1, 0.3, 0, 0.5, 0.6}, 3, 3),
			}
			lnlnClose(t, "score", tol.value, 1, m.Predict(ag.NewInferenceTape(dev), b.Corrupted).Score.Values(), want.Score)
			tp := ag.NewTape(dev)
			terms := m.Phases()[0].Terms(tp, b)
			if len(terms) != len(want.Terms) {
				t.Errorf("%d terms, want %d", len(terms), len(want.Terms))
			}
			for _, term := range terms {
				lnlnClose(t, term.Name, tol.value, 1, []float64{term.Loss.Item()}, []float64{want.Terms[term.Name]})
			}
			got := tp.Backward(Total(tp, terms))
			for i, x := range p.All() {
				largest := max(slices.Max(grads[i]), -slices.Min(grads[i]), 1e-3)
				lnlnClose(t, "gradient of "+x.Name, tol.gradient, largest, got[x.Tensor].Values(), grads[i])
			}
		})
	}
}
