package zoo

import (
	"encoding/json"
	"fmt"
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

// tinyMISA leaves L_diff out of the loss, so that a few utterances can be learned by heart in steps of 0.01. Norms being constants, L_diff shrinks what
// differs between utterances, and the more the smaller it is; at this width it wins.
func tinyMISA() Config {
	return &MISAConfig{Text: tinyText(), Width: 8, Heads: 2, FeedForward: 8, TransformerDropout: 0.1, Dropout: 0.1, Lengths: "own",
		Loss: MISALoss{Sim: 0.3, Recon: 1}}
}

// newTinyMISA returns the model without dropout.
func newTinyMISA(t *testing.T, device, lengths string, d Dims) (*misa, *nn.Params) {
	t.Helper()
	c := tinyMISA().(*MISAConfig)
	c.Text.Dropout, c.TransformerDropout, c.Dropout, c.Lengths = 0, 0, 0, lengths
	p := nn.NewParams(openDevice(t, device), rand.New(rand.NewPCG(1, 1)))
	return newMISA(p, c, d).(*misa), p
}

// misaClose compares numbers, to a tolerance relative to the largest of want, but at least to floor.
func misaClose(t *testing.T, what string, tol, floor float64, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	scale := max(floor, slices.Max(want), -slices.Min(want))
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*scale) {
			t.Errorf("%s: element %d is %.12g, want %.12g", what, i, got[i], want[i])
			return
		}
	}
}

// TestMISAParameters counts what the published sizes have besides BERT, less the 3588 numbers that nothing uses.
func TestMISAParameters(t *testing.T) {
	for dataset, c := range map[string]struct {
		dims Dims
		want int
	}{
		"mosi":  {Dims{AudioT: 375, AudioD: 5, VisionT: 500, VisionD: 20}, 1138033 - 3588},
		"mosei": {Dims{AudioT: 500, AudioD: 74, VisionT: 500, VisionD: 35}, 1435105 - 3588},
		"sims":  {Dims{AudioT: 400, AudioD: 33, VisionT: 55, VisionD: 709}, 21664749 - 3588},
	} {
		config, _ := misaPreset("paper", dataset)
		*config.Words() = TextConfig{Finetune: true, Width: 768, Layers: 1, Heads: 1, FeedForward: 1}
		c.dims.Vocab, c.dims.TextT = 2, 2
		p := nn.NewParams(openDevice(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
		newMISA(p, config, c.dims)
		if got := p.Count() - p.Sub("text").Count(); got != c.want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, c.want)
		}
	}
}

// TestMISATakesWordsAsWideAsTheyAre has a pretrained encoder that is wider than the configuration says.
func TestMISATakesWordsAsWideAsTheyAre(t *testing.T) {
	d := tinyDims
	d.BERT = &nn.BERTConfig{Vocab: d.Vocab, Width: 12, Layers: 1, Heads: 2, FeedForward: 8, Positions: d.TextT, Types: 2, Eps: 1e-12}
	m, p := newTinyMISA(t, "cpu64", "own", d)
	if got := m.Predict(ag.NewTape(p.Device()), Sample(p.Device(), &d, 2, 1).Corrupted).Score.Shape(); !slices.Equal(got, []int{2}) {
		t.Errorf("scores of two utterances have shape %v", got)
	}
}

func TestMISAPresets(t *testing.T) {
	type numbers struct {
		batch            int
		dropout, clip    float64
		diff, sim, recon float64
	}
	for dataset, want := range map[string]numbers{
		"mosi": {16, 0.2, 0.8, 0.1, 0.3, 1}, "mosei": {64, 0.5, 0.8, 0.3, 0.8, 1}, "sims": {64, 0, 1, 0.3, 1, 0.8}, "synthetic": {16, 0.2, 0.8, 0.1, 0.3, 1},
	} {
		config, training := misaPreset("paper", dataset)
		c := config.(*MISAConfig)
		if got := (numbers{training.Batch, c.Dropout, training.ClipValue, c.Loss.Diff, c.Loss.Sim, c.Loss.Recon}); got != want {
			t.Errorf("%s: %+v, want %+v", dataset, got, want)
		}
		if c.Lengths != "text" || c.Width != 128 || c.FeedForward != 2048 || c.Heads != 2 || c.TransformerDropout != 0.1 || c.Text != PaperText() {
			t.Errorf("%s: %+v", dataset, c)
		}
		if training.Accumulate != 2 || training.Patience != 8 || training.LR != 1e-4 || training.WeightDecay != 0 || training.Optimizer != "adam" ||
			training.Schedule != "constant" || training.Clip != 0 || training.Groups["text"] != (GroupTraining{LR: 1e-4}) {
			t.Errorf("%s: %+v", dataset, training)
		}
	}
}

func TestMISACheckNamesTheKey(t *testing.T) {
	for key, change := range map[string]func(*MISAConfig){
		"width":               func(c *MISAConfig) { c.Width = 0 },
		"heads":               func(c *MISAConfig) { c.Heads = 3 },
		"feed_forward":        func(c *MISAConfig) { c.FeedForward = 0 },
		"transformer_dropout": func(c *MISAConfig) { c.TransformerDropout = 1 },
		"dropout":             func(c *MISAConfig) { c.Dropout = math.NaN() },
		"lengths":             func(c *MISAConfig) { c.Lengths = "words" },
		"text.width":          func(c *MISAConfig) { c.Text.Width = 7 },
	} {
		c := tinyMISA().(*MISAConfig)
		change(c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), "misa: "+key+" ") {
			t.Errorf("changing %s: %v", key, err)
		}
	}
}

// TestMISATerms sees that the loss has the terms of the paper, and their weights those of the configuration.
func TestMISATerms(t *testing.T) {
	m, p := newTinyMISA(t, "cpu64", "own", tinyDims)
	m.config.Loss = MISALoss{Diff: 0.2, Sim: 0.3, Recon: 0.4}
	b := Sample(p.Device(), &tinyDims, 4, 1)
	b.Complete, b.Rate, b.Index = nil, nil, nil // only what has holes is seen
	terms := m.Phases()[0].Terms(ag.NewTape(p.Device()), b)
	got := ""
	for _, term := range terms {
		got += fmt.Sprintf("%s %g, ", term.Name, term.Weight)
	}
	if want := "task 1, diff 0.2, sim 0.3, recon 0.4, "; got != want {
		t.Errorf("the terms are %s want %s", got, want)
	}
	sum := 0.0
	score := m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score.Values()
	for i, y := range b.Label.Values() {
		sum += (score[i] - y) * (score[i] - y) / 4
	}
	misaClose(t, "task", 1e-12, 0, []float64{terms[0].Loss.Item()}, []float64{sum})
}

// misaNoise returns n random views [n b d] between 0 and 1.
func misaNoise(dev ag.Device, seed uint64, n, b, d int) (*ag.Tensor, []float64) {
	r := rand.New(rand.NewPCG(seed, 2))
	v := make([]float64, n*b*d)
	for i := range v {
		v[i] = r.Float64()
	}
	return ag.NewParam(dev, v, n, b, d), v
}

// TestMISASimilarity compares L_sim with loops over pairs, moments and features.
func TestMISASimilarity(t *testing.T) {
	const b, d = 5, 3
	dev := openDevice(t, "cpu64")
	c, v := misaNoise(dev, 1, 3, b, d)
	moment := func(view, j, k int) float64 {
		mean, sum := 0.0, 0.0
		for i := range b {
			mean += v[(view*b+i)*d+j] / b
		}
		if k == 1 {
			return mean
		}
		for i := range b {
			sum += math.Pow(v[(view*b+i)*d+j]-mean, float64(k)) / b
		}
		return sum
	}
	want := 0.0
	for _, pair := range [][2]int{{0, 1}, {0, 2}, {2, 1}} {
		for k := 1; k <= 5; k++ {
			square := 0.0
			for j := range d {
				gap := moment(pair[0], j, k) - moment(pair[1], j, k)
				square += gap * gap
			}
			want += math.Sqrt(square) / 3
		}
	}
	misaClose(t, "L_sim", 1e-8, 0, []float64{misaSimilarity(ag.NewTape(dev), c).Item()}, []float64{want})
}

// misaApartNaive returns L_diff of views v [6 b d] in the order s_l, s_v, s_a, c_l, c_v, c_a, with the norms of the rows of the views fixed.
func misaApartNaive(v, fixed []float64, b, d int) float64 {
	centred := func(x []float64, view, i, j int) float64 {
		mean := 0.0
		for k := range b {
			mean += x[(view*b+k)*d+j] / float64(b)
		}
		return x[(view*b+i)*d+j] - mean
	}
	unit := func(view, i, j int) float64 {
		square := 0.0
		for k := range d {
			square += math.Pow(centred(fixed, view, i, k), 2)
		}
		return centred(v, view, i, j) / (math.Sqrt(square) + 1e-6)
	}
	const sl, sv, sa, cl, cv, ca = 0, 1, 2, 3, 4, 5
	sum := 0.0
	for _, pair := range [][2]int{{sl, cl}, {sv, cv}, {sa, ca}, {sa, sl}, {sa, sv}, {sl, sv}} {
		for j := range d {
			for k := range d {
				dot := 0.0
				for i := range b {
					dot += unit(pair[0], i, j) * unit(pair[1], i, k)
				}
				sum += dot * dot / float64(d*d)
			}
		}
	}
	return sum
}

// TestMISADifference compares L_diff with loops, and its gradient with differences in which the norms of rows do not move.
func TestMISADifference(t *testing.T) {
	const b, d = 5, 3
	dev := openDevice(t, "cpu64")
	x, v := misaNoise(dev, 1, 6, b, d)
	tp := ag.NewTape(dev)
	loss := misaDifference(tp, x)
	gradient := tp.Backward(loss, loss)[x].Values()
	misaClose(t, "L_diff", 1e-12, 0, []float64{loss.Item()}, []float64{misaApartNaive(v, v, b, d)})
	const h = 1e-5
	slope := make([]float64, len(v))
	for i := range v {
		for _, sign := range []float64{1, -1} {
			moved := slices.Clone(v)
			moved[i] += sign * h
			slope[i] += sign * misaApartNaive(moved, v, b, d) / (2 * h)
		}
	}
	misaClose(t, "the gradient of L_diff", 1e-8, 0, gradient, slope)
}

// TestMISAAlongADirection checks the derivative of the loss with all its terms; what is constant in L_diff stays as it is.
func TestMISAAlongADirection(t *testing.T) {
	for _, lengths := range []string{"own", "text"} {
		c := tinyMISA().(*MISAConfig)
		c.Loss.Diff, c.Lengths = 0.5, lengths
		m, p := newModel(t, &Spec{New: newMISA}, c, "cpu64", tinyDims)
		ph := m.Phases()[0]
		agtest.CheckDirection(t, 1e-6, tensorsOf(ph.Params), ph.Rehearse(Sample(p.Device(), &tinyDims, 8, 1)))
	}
}

// TestMISAReconstruction compares L_recon with loops, and sees that p is no constant in it.
func TestMISAReconstruction(t *testing.T) {
	m, p := newTinyMISA(t, "cpu64", "own", tinyDims)
	dev, tp := p.Device(), ag.NewTape(p.Device())
	const b, d = 4, 8
	projected, pv := misaNoise(dev, 1, 3, b, d)
	private, sv := misaNoise(dev, 2, 3, b, d)
	shared, cv := misaNoise(dev, 3, 3, b, d)
	want := 0.0
	for k := range 3 {
		w, bias := m.reconstruct[k].W.Values(), m.reconstruct[k].B.Values()
		for i := range b {
			row := (k*b + i) * d
			for j := range d {
				r := bias[j]
				for l := range d {
					r += w[j*d+l] * (sv[row+l] + cv[row+l])
				}
				want += (r - pv[row+j]) * (r - pv[row+j]) / (b * d) / 3
			}
		}
	}
	loss := m.reconstruction(tp, misaViews{projected: projected, private: private, shared: shared})
	grads := tp.Backward(loss, loss)
	misaClose(t, "L_recon", 1e-12, 0, []float64{loss.Item()}, []float64{want})
	if grads[projected] == nil || grads[private] == nil || grads[shared] == nil {
		t.Error("L_recon does not move p, s or c")
	}
}

// TestMISAOneRow sees a finite gradient where all moments of a batch agree: those of one row, and of equal rows.
func TestMISAOneRow(t *testing.T) {
	for _, device := range []string{"cpu64", "cpu"} {
		for _, n := range []int{1, 3} {
			m, p := newTinyMISA(t, device, "text", tinyDims)
			b := Sample(p.Device(), &tinyDims, n, 1)
			for i := 1; i < n; i++ { // the first, again
				copy(b.Corrupted.IDs[i*tinyDims.TextT:], b.Corrupted.IDs[:tinyDims.TextT])
				copy(b.Corrupted.HostMask[i*tinyDims.TextT:], b.Corrupted.HostMask[:tinyDims.TextT])
			}
			b.Corrupted.Mask = ag.NewTensor(p.Device(), float64s(b.Corrupted.HostMask), n, tinyDims.TextT)
			b.Corrupted.Audio = ag.NewTensor(p.Device(), make([]float64, n*7*3), n, 7, 3)
			b.Corrupted.Vision = ag.NewTensor(p.Device(), make([]float64, n*6*4), n, 6, 4)
			for i := range m.Phases()[0].Terms(ag.NewTape(p.Device()), b) {
				tp := ag.NewTape(p.Device())
				loss := m.terms(tp, b)[i]
				for x, g := range tp.Backward(loss.Loss) {
					for _, v := range g.Values() {
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Fatalf("%s, %d equal rows: the gradient of %s with respect to a parameter %v has %g", device, n, loss.Name, x.Shape(), v)
						}
					}
				}
			}
		}
	}
	m, _ := newTinyMISA(t, "cpu64", "own", tinyDims)
	if least := m.Phases()[0].Least; least != 2 {
		t.Errorf("a last batch of less than %d is merged, want 2", least)
	}
}

func float64s(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// TestMISAOrderOfFinalStates silences the LSTMs of each direction one at a time: without weights the final state is 0. It is the quarter of u_m that
// the authors' code has in that place.
func TestMISAOrderOfFinalStates(t *testing.T) {
	dev := openDevice(t, "cpu64")
	const d = 3
	for place, name := range []string{"first.@_l0", "second.@_l0", "first.@_l0_reverse", "second.@_l0_reverse"} {
		p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
		e := newMISAEncoder(p, d)
		net, rest, _ := strings.Cut(name, "@")
		for _, x := range p.All() {
			if part, ok := strings.CutPrefix(x.Name, net); ok {
				if slices.Contains([]string{"weight_ih", "weight_hh", "bias_ih", "bias_hh"}, strings.TrimSuffix(part, rest)) {
					x.Assign(make([]float64, x.Len()))
				}
			}
		}
		x, _ := misaNoise(dev, 1, 2, 5, d)
		u := e.Forward(ag.NewTape(dev), x, []int{5, 3})
		if !slices.Equal(u.Shape(), []int{2, 4 * d}) {
			t.Fatalf("u has shape %v", u.Shape())
		}
		for i, v := range u.Values() {
			if zero := i%(4*d)/d == place; (v == 0) != zero {
				t.Errorf("without %s element %d of u is %g", name, i, v)
			}
		}
	}
}

// TestMISAReadsToTheEnd changes frames, from each on, and the lengths of the recordings: what is before a sequence's end matters, and no more.
func TestMISAReadsToTheEnd(t *testing.T) {
	d := Dims{Vocab: 20, TextT: 5, AudioT: 4, AudioD: 2, VisionT: 9, VisionD: 3, Range: [2]float64{-3, 3}} // fewer frames than tokens, and more
	for lengths, want := range map[string]struct{ audio, vision []int }{
		"own":  {[]int{3, 1}, []int{9, 7}},
		"text": {[]int{4, 4}, []int{5, 4}}, // Sample's sentences have 5 tokens and 4
	} {
		m, p := newTinyMISA(t, "cpu64", lengths, d)
		dev := p.Device()
		run := func(audioFrom, visionFrom int) []float64 {
			b := Sample(dev, &d, 2, 1)
			b.Corrupted.AudioLen, b.Corrupted.VisionLen = []int{3, 1}, []int{9, 7}
			b.Corrupted.Audio = misaTail(dev, 2, d.AudioT, d.AudioD, audioFrom)
			b.Corrupted.Vision = misaTail(dev, 2, d.VisionT, d.VisionD, visionFrom)
			tp := ag.NewTape(dev)
			score := m.Predict(tp, b.Corrupted).Score
			values := score.Values()
			grads := tp.Backward(tp.Sum(score))
			for _, x := range m.PredictParams() {
				values = append(values, grads[x.Tensor].Values()...)
			}
			return values
		}
		plain := run(d.AudioT, d.VisionT)
		for from := range d.VisionT {
			same := func(got []float64, i int) bool { return got[i] == plain[i] }
			audio, vision := run(from, d.VisionT), run(d.AudioT, from)
			for i := range 2 {
				if got := same(audio, i); got != (from >= want.audio[i]) {
					t.Errorf("%s: audio of utterance %d changed from frame %d on: same score: %t", lengths, i, from, got)
				}
				if got := same(vision, i); got != (from >= want.vision[i]) {
					t.Errorf("%s: vision of utterance %d changed from frame %d on: same score: %t", lengths, i, from, got)
				}
			}
			if from >= slices.Max(want.audio) && !slices.Equal(audio, plain) || from >= slices.Max(want.vision) && !slices.Equal(vision, plain) {
				t.Errorf("%s: padding has an effect on gradients", lengths)
			}
		}
	}
}

// TestMISAComputesNoMoreThanIsRead sees that frames which no sentence is long enough for are cut off, and no others.
func TestMISAComputesNoMoreThanIsRead(t *testing.T) {
	for lengths, want := range map[string]int{"own": 7, "text": 5} {
		m, p := newTinyMISA(t, "cpu64", lengths, tinyDims)
		in := Sample(p.Device(), &tinyDims, 2, 1).Corrupted
		if x, _ := m.frames(ag.NewTape(p.Device()), in, in.Audio, in.AudioLen); x.Shape()[1] != want {
			t.Errorf("%s: %d frames, want %d", lengths, x.Shape()[1], want)
		}
	}
}

// misaTail returns frames that are always the same before frame from, and others from there on.
func misaTail(dev ag.Device, b, steps, d, from int) *ag.Tensor {
	v := misaWave(1, b*steps*d)
	for i := range v {
		if i/d%steps >= from {
			v[i] += 3
		}
	}
	return ag.NewTensor(dev, v, b, steps, d)
}

// TestMISAWithoutTokens sees a number where a sentence has no token at all.
func TestMISAWithoutTokens(t *testing.T) {
	m, p := newTinyMISA(t, "cpu64", "text", tinyDims)
	b := Sample(p.Device(), &tinyDims, 2, 1)
	clear(b.Corrupted.HostMask)
	b.Corrupted.Mask = ag.NewTensor(p.Device(), make([]float64, 2*tinyDims.TextT), 2, tinyDims.TextT)
	for _, v := range m.Predict(ag.NewTape(p.Device()), b.Corrupted).Score.Values() {
		if math.IsNaN(v) {
			t.Error("the score is NaN")
		}
	}
}

// TestMISADrops sees both dropouts in training and none in inference.
func TestMISADrops(t *testing.T) {
	for name, set := range map[string]func(*MISAConfig){
		"none":                func(*MISAConfig) {},
		"transformer_dropout": func(c *MISAConfig) { c.TransformerDropout = 0.5 },
		"dropout":             func(c *MISAConfig) { c.Dropout = 0.5 },
	} {
		c := tinyMISA().(*MISAConfig)
		c.Text.Dropout, c.TransformerDropout, c.Dropout = 0, 0, 0
		set(c)
		p := nn.NewParams(openDevice(t, "cpu64"), rand.New(rand.NewPCG(1, 1)))
		m, in := newMISA(p, c, tinyDims), Sample(p.Device(), &tinyDims, 4, 1).Corrupted
		plain, _ := newTinyMISA(t, "cpu64", "own", tinyDims)
		want := plain.Predict(ag.NewTape(plain.predict[0].Device()), Sample(plain.predict[0].Device(), &tinyDims, 4, 1).Corrupted).Score.Values()
		if got := m.Predict(ag.NewInferenceTape(p.Device()), in).Score.Values(); !slices.Equal(got, want) {
			t.Errorf("%s: inference drops", name)
		}
		if got := m.Predict(ag.NewTape(p.Device()), in).Score.Values(); slices.Equal(got, want) != (name == "none") {
			t.Errorf("%s: training gives %v, without dropout %v", name, got, want)
		}
	}
}

// A misaGolden is one case of testdata/misa.json.
type misaGolden struct {
	Score  []float64
	Terms  map[string]float64
	Params [][2]any // name and shape; its place in the list is the phase of its wave
	Grads  [][]float64
}

func misaWave(phase float64, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(phase+1.7*float64(i)) / 2
	}
	return v
}

// misaGoldenDims are those of testdata/make_misa.py.
var misaGoldenDims = Dims{Vocab: 11, TextT: 6, AudioT: 5, AudioD: 2, VisionT: 9, VisionD: 3, Range: [2]float64{-3, 3}}

// misaGoldenBatch is the batch of testdata/make_misa.py.
func misaGoldenBatch(dev ag.Device) *Batch {
	in := &Input{IDs: []int{2, 5, 10, 7, 7, 3, 2, 7, 1, 3, 0, 0, 2, 3, 0, 0, 0, 0, 2, 9, 4, 1, 3, 0}, Segments: make([]int, 24), HostMask: make([]float32, 24),
		AudioLen: []int{5, 1, 3, 4}, VisionLen: []int{9, 4, 1, 7}}
	for i, id := range in.IDs {
		in.HostMask[i] = float32(min(id, 1))
	}
	in.Mask = ag.NewTensor(dev, float64s(in.HostMask), 4, 6)
	in.Audio, in.Vision = ag.NewTensor(dev, misaWave(100, 4*5*2), 4, 5, 2), ag.NewTensor(dev, misaWave(200, 4*9*3), 4, 9, 3)
	return &Batch{Corrupted: in, Label: ag.NewTensor(dev, misaWave(300, 4), 4), Epoch: 1}
}

// assign gives the parameters their waves, and returns PyTorch's gradients in their order.
func (w *misaGolden) assign(t *testing.T, ps []nn.Param) (grads [][]float64) {
	t.Helper()
	if len(ps) != len(w.Params) {
		t.Fatalf("%d parameters, want %d", len(ps), len(w.Params))
	}
	for _, x := range ps {
		k := slices.IndexFunc(w.Params, func(p [2]any) bool { return p[0] == x.Name && fmt.Sprint(p[1]) == fmt.Sprint(x.Shape()) })
		if k < 0 {
			t.Fatalf("%s %v is not among PyTorch's parameters", x.Name, x.Shape())
		}
		v := misaWave(float64(k), x.Len())
		if strings.Contains(strings.ToLower(x.Name), "norm") && strings.HasSuffix(x.Name, "weight") {
			for i := range v {
				v[i]++
			}
		}
		x.Assign(v)
		grads = append(grads, w.Grads[k])
	}
	return grads
}

// TestMISAAgreesWithPyTorch compares predictions, terms of the loss and every gradient of the whole with testdata/misa.json.
func TestMISAAgreesWithPyTorch(t *testing.T) {
	var cases map[string]*misaGolden
	file, err := os.ReadFile("testdata/misa.json")
	if err == nil {
		err = json.Unmarshal(file, &cases)
	}
	if err != nil || len(cases) != 2 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for name, tol := range map[string]struct{ value, gradient float64 }{"cpu64": {1e-9, 1e-8}, "cpu": {1e-4, 1e-3}} {
		for lengths, want := range cases {
			c := &MISAConfig{Text: TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2, FeedForward: 12}, Width: 6, Heads: 2, FeedForward: 7,
				Lengths: lengths, Loss: MISALoss{Diff: 0.3, Sim: 0.8, Recon: 0.9}}
			m, p := newModel(t, &Spec{New: newMISA}, c, name, misaGoldenDims)
			gradients := want.assign(t, p.All())
			at, b := name+", "+lengths+": ", misaGoldenBatch(p.Device())
			misaClose(t, at+"score", tol.value, 0, m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score.Values(), want.Score)
			tp := ag.NewTape(p.Device())
			terms := m.Phases()[0].Terms(tp, b)
			if len(terms) != len(want.Terms) {
				t.Errorf("%s%d terms, want %d", at, len(terms), len(want.Terms))
			}
			for _, term := range terms {
				misaClose(t, at+term.Name, tol.value, 0, []float64{term.Loss.Item()}, []float64{want.Terms[term.Name]})
			}
			grads := tp.Backward(Total(tp, terms))
			for i, x := range p.All() {
				misaClose(t, at+"gradient of "+x.Name, tol.gradient, 1e-3, grads[x.Tensor].Values(), gradients[i])
			}
		}
	}
}
