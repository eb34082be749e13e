package mmim

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
	"github.com/seed-6655bf3b/recap/optim"
)

func TestModel(t *testing.T) { zootest.Run(t, &Spec, tiny) }

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text audio vision fusion",
		"phase train: batches of 2 or more; labels true, complete input false, keep masks"+
			" false; memory.a [8 2]; memory.v [8 1]",
		"pass predictors: predictors; group predictors, decay true: predictors; norm of "+
			"text audio vision fusion contrast predictors; terms fit_a fit_v",
		"pass task: text audio vision fusion contrast; norm of text audio vision fusion "+
			"contrast predictors; terms task nce_l nce_a nce_v lld_a entropy_a lld_v "+
			"entropy_v",
		"groups of pass predictors with a pretrained text encoder: predictors 16",
		"groups of pass task with a pretrained text encoder: text 21")
}

func tiny() zoo.Config {
	return &Config{Text: zootest.TinyText(), AudioWidth: 3, VisionWidth: 4, AudioOut: 8,
		VisionOut: 4, Fusion: 7, Dropout: 0.1, PredictorShare: 1,
		Loss: LossConfig{Contrast: 0.3, Information: 0.2}}
}

// newTiny returns the tiny model without dropout, after a change of its configuration.
func newTiny(t *testing.T, device string, change func(*Config)) (*model, *nn.Params) {
	t.Helper()
	c := tiny().(*Config)
	c.Text.Dropout, c.Dropout = 0, 0
	change(c)
	m, p := zootest.New(t, &Spec, c, device, zootest.TinyDims)
	return m.(*model), p
}

func nothing(*Config) {}

// TestParameters counts what the published sizes have besides BERT. E, of both predictors, is
// among them: it is a parameter in the authors' code, here a buffer.
func TestParameters(t *testing.T) {
	const projections = 2 * (16*4 + 4)
	for dataset, want := range map[string]int{"mosi": 281673, "mosei": 292425, "sims": 373449} {
		_, got := zootest.PaperSizes(&Spec, dataset)
		if got += projections; got != want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want)
		}
		buffers := 0
		for _, x := range zootest.PaperParams(t, &Spec, dataset).Buffers() {
			buffers += x.Len()
		}
		if buffers != projections {
			t.Errorf("%s: %d numbers in buffers, want %d", dataset, buffers, projections)
		}
	}
}

// TestPresets has MMSA's numbers.
func TestPresets(t *testing.T) {
	of := func(text zoo.TextConfig, share float64, patience, epochs int) zootest.Preset {
		return zootest.Preset{
			Config: &Config{Text: text, AudioWidth: 16, VisionWidth: 16, AudioOut: 16,
				VisionOut: 16, Fusion: 128, Dropout: 0.1, PredictorShare: share,
				Loss: LossConfig{Contrast: 0.1, Information: 0.1}},
			Training: zoo.Training{Batch: 32, Accumulate: 1,
				Optimizer: "adam", Schedule: "constant", LR: 1e-3, WeightDecay: 1e-4,
				Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-4},
					"predictors": {LR: 1e-3, WeightDecay: 1e-4}},
				Clip: 1, Patience: patience, Epochs: map[string]int{"train": epochs}}}
	}
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi":  of(zoo.PaperText(), 1, 8, 200),
		"mosei": of(zoo.PaperText(), 0.5, 8, 200),
		"sims":  of(zoo.PaperText(), 1, 8, 200),
	}, of(zoo.QuickText(), 1, 0, 30))
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"mmim: audio_width is 0":     func(c *Config) { c.AudioWidth = 0 },
		"mmim: vision_width is 0":    func(c *Config) { c.VisionWidth = 0 },
		"mmim: audio_out is 3":       func(c *Config) { c.AudioOut = 3 },
		"mmim: vision_out is 3":      func(c *Config) { c.VisionOut = 3 },
		"mmim: fusion is 0":          func(c *Config) { c.Fusion = 0 },
		"mmim: dropout is 1":         func(c *Config) { c.Dropout = 1 },
		"mmim: predictor_share is 0": func(c *Config) { c.PredictorShare = 0 },
		"mmim: text.width 7":         func(c *Config) { c.Text.Width = 7 },
	})
}

// TestInit checks the standard deviations of matrices of the published sizes, which in the text
// encoder stay as they are, and the ranges of biases.
func TestInit(t *testing.T) {
	p := zootest.PaperParams(t, &Spec, "mosi")
	sd := map[string]float64{"audio.lstm.weight_ih_l0": 0.170, "audio.lstm.weight_hh_l0": 0.158,
		"audio.lstm.weight_hh_l0_reverse": 0.158, "predictors.a.mean.0.weight": 0.0505,
		"predictors.v.log_variance.0.weight": 0.0505, "predictors.v.project.weight": 0.316,
		"fusion.first.weight": 0.0464, "contrast.l.weight": 0.0472,
		"text.encoder.layer.1.attention.self.query.weight": 0.02}
	most := map[string]float64{"audio.lstm.bias_ih_l0": 0.25, "fusion.second.bias": 0.0884,
		"predictors.a.project.bias": 0.25}
	for _, x := range p.State() {
		v := x.Values()
		if want, ok := sd[x.Name]; ok {
			got := math.Sqrt(x.Dot(x.Tensor) / float64(len(v)))
			if math.Abs(got/want-1) > 3/math.Sqrt(2*float64(len(v)))+0.003 {
				t.Errorf("%s has standard deviation %g, want %g", x.Name, got, want)
			}
			if largest := max(slices.Max(v), -slices.Min(v)); largest < 2*want {
				t.Errorf("the largest element of %s is %g, want a normal distribution", x.Name,
					largest)
			}
		}
		if want, ok := most[x.Name]; ok {
			if got := max(slices.Max(v), -slices.Min(v)); got > want || got < 0.5*want {
				t.Errorf("the largest element of %s is %g, want at most %g", x.Name, got, want)
			}
		}
		delete(sd, x.Name)
		delete(most, x.Name)
	}
	if len(sd)+len(most) > 0 {
		t.Errorf("there are no %v, %v", sd, most)
	}
}

// TestProjectionInit checks the deviation of the weight of a wide random projection, to 1 %.
func TestProjectionInit(t *testing.T) {
	const out = 400
	q := newPredictor(nn.NewParams(zootest.Open(t, "cpu"), rand.New(rand.NewPCG(1, 1))), 1, out)
	w := q.project.W
	if want := []int{out / 4, out}; !slices.Equal(w.Shape(), want) {
		t.Errorf("shape %v, want %v", w.Shape(), want)
	}
	want := math.Sqrt(2. / (out + out/4))
	if sd := math.Sqrt(w.Dot(w) / float64(w.Len())); math.Abs(sd/want-1) > 0.01 {
		t.Errorf("standard deviation %g, want %g", sd, want)
	}
}

// TestContrast compares with the formula. The cosine does not depend on the length of a vector,
// however short, and is 0 if one is 0.
func TestContrast(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	for want, v := range map[float64][2][]float64{
		// own cosines of 1, others of 0
		math.Log(1 + math.Exp(-1)): {{1e-6, 0, 0, 3}, {2, 0, 0, 1e-5}},
		// own cosines of 0 and 0.6, others of 1 and −0.8
		(math.Log(1+math.E) + math.Log(math.Exp(-0.8)+math.Exp(0.6)) - 0.6) / 2: {{0, 2, -4, 3},
			{5, 0, 0, 1}},
		math.Ln2: {{0, 0, 0, 0}, {1, 2, 3, 4}},
	} {
		tp := ag.NewTape(dev)
		got := contrast(tp, ag.NewTensor(dev, v[0], 2, 2), ag.NewTensor(dev, v[1], 2, 2))
		zootest.Close(t, "contrast", 1e-12, got.Values(), []float64{want})
	}
}

// TestPasses checks what each pass updates and counts in the norm of its gradients: everything, in
// both, but for a frozen text encoder.
func TestPasses(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		c, d := tiny(), zootest.TinyBERT()
		c.TextEncoder().BERT, c.TextEncoder().Finetune = "somewhere", !frozen
		m, p := zootest.New(t, &Spec, c, "cpu", d)
		if n := m.Phases()[0].MinBatch; n != 2 {
			t.Errorf("a last batch of less than %d samples is merged, want 2", n)
		}
		passes := m.Phases()[0].Passes
		for i, name := range []string{"predictors", "task"} {
			if passes[i].Name != name {
				t.Errorf("pass %d is %q, want %q", i, passes[i].Name, name)
			}
		}
		for _, x := range p.All() {
			text := strings.HasPrefix(x.Name, "text.")
			trained := !frozen || !text
			predictor := strings.HasPrefix(x.Name, "predictors.")
			for i, pass := range passes {
				updated := trained && predictor == (i == 0)
				if got := slices.Contains(pass.Params, x); got != updated {
					t.Errorf("frozen %t, pass %s updates %s: %t, want %t", frozen, pass.Name,
						x.Name, got, updated)
				}
				if got := slices.Contains(pass.ClipParams, x); got != trained {
					t.Errorf("frozen %t, pass %s clips the norm of %s: %t, want %t", frozen,
						pass.Name, x.Name, got, trained)
				}
			}
		}
		for i, groups := range [][]string{{"predictors"}, {"text"}} {
			var got []string
			for _, g := range passes[i].Groups {
				got = append(got, g.Name)
				if g.NoDecay {
					t.Errorf("group %s does not decay", g.Name)
				}
			}
			if frozen && i == 1 {
				groups = nil
			}
			if !slices.Equal(got, groups) {
				t.Errorf("frozen %t, pass %d has groups %v, want %v", frozen, i, got, groups)
			}
		}
	}
}

// TestPredictorShare checks which of five batches the first pass uses: those with b/5 < share.
func TestPredictorShare(t *testing.T) {
	for share, want := range map[float64]int{1: 5, 0.5: 3, 0.4: 2, 0.01: 1} {
		m, p := newTiny(t, "cpu", func(c *Config) { c.PredictorShare = share })
		b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1)
		used := 0
		b.Steps = 5
		for b.Step = range b.Steps {
			terms, _ := m.predictorTerms(ag.NewTape(p.Device()), b)
			for _, term := range terms {
				switch {
				case term.Weight == -1 && used == b.Step || term.Weight == -1 && used == b.Step+1:
					used = b.Step + 1
				case term.Weight != 0:
					t.Errorf("share %g, batch %d: %s has weight %g", share, b.Step, term.Name,
						term.Weight)
				}
			}
		}
		if used != want {
			t.Errorf("with share %g the first %d batches of 5 are used, want %d", share, used, want)
		}
	}
}

// TestCovariances compares with loops: rows of label 0 are in neither class, and a class without
// rows has 1e-6 on its diagonal and no more.
func TestCovariances(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	z := agtest.Noise(1, 7*3)
	for _, y := range [][]float64{{1, -2, 0, 0.1, -0.1, 3, 0}, {1, 2, 0, 1, 0, 3, 4},
		{-1, 0, 0, 0, 0, 0, 0}} {
		tp := ag.NewTape(dev)
		got := covariances(tp, ag.NewTensor(dev, z, 7, 3), ag.NewTensor(dev, y, 7)).Values()
		var want []float64
		for _, sign := range []float64{1, -1} {
			var rows [][]float64
			for i, row := range slices.Collect(slices.Chunk(z, 3)) {
				if sign*y[i] > 0 {
					rows = append(rows, row)
				}
			}
			want = append(want, covariance(rows)...)
		}
		zootest.Close(t, "covariances", 1e-14, got, want)
	}
}

// covariance returns that of rows of width 3, with 1e-6 added to its diagonal.
func covariance(rows [][]float64) []float64 {
	mean, sum := make([]float64, 3), make([]float64, 9)
	for _, row := range rows {
		for k, v := range row {
			mean[k] += v / float64(len(rows))
		}
	}
	for j := range 3 {
		for k := range 3 {
			for _, row := range rows {
				sum[3*j+k] += (row[j] - mean[j]) * (row[k] - mean[k]) / float64(len(rows))
			}
		}
		sum[4*j] += 1e-6
	}
	return sum
}

// TestEntropy checks that the entropy is 0 in the first two batches of a pass, and later depends on
// this batch and the samples of the one before, and on no others.
func TestEntropy(t *testing.T) {
	m, p := newTiny(t, "cpu64", nothing)
	dev := p.Device()
	labels := []float32{1, -1, 0.5, -0.5, 1, -2, 2, -1, 0.1, -0.3, 3, -3}
	state := m.newMemory(labels)
	for i, x := range state {
		x.Assign(agtest.Noise(50+i, x.Len()))
	}
	b := zoo.RandomBatch(dev, &zootest.TinyDims, 4, 1)
	b.Index, b.Previous = []int{0, 1, 2, 3}, []int{4, 5, 6, 7}
	b.Label = ag.NewTensor(dev, labels[:4], 4)
	entropy := func() (v []float64) {
		terms, _ := m.taskTerms(ag.NewTape(dev), b)
		for _, term := range terms {
			if strings.HasPrefix(term.Name, "entropy") {
				v = append(v, term.Loss.Item())
			}
		}
		return v
	}
	for b.Step = range 2 {
		if v := entropy(); !slices.Equal(v, []float64{0, 0}) {
			t.Errorf("batch %d has entropies %v, want 0", b.Step, v)
		}
	}
	b.Step = 2
	first := entropy()
	b.Step = 3
	if again := entropy(); !slices.Equal(again, first) || slices.Contains(first, 0) {
		t.Errorf("batches 2 and 3 have entropies %v, %v", first, again)
	}
	change := func(row int) {
		for _, x := range state {
			v, width := x.Values(), x.Len()/len(labels)
			v[row*width] += 0.1
			x.Assign(v)
		}
	}
	for _, row := range []int{0, 3, 8, 11} {
		change(row)
		if !slices.Equal(entropy(), first) {
			t.Errorf("the entropy depends on sample %d of another batch", row)
		}
	}
	for _, row := range []int{4, 7} {
		change(row)
		if next := entropy(); next[0] == first[0] || next[1] == first[1] {
			t.Errorf("the entropies %v do not depend on sample %d of the batch before", next, row)
		}
	}
}

// TestMemory checks that the memory has the z of the forward pass for each sample of the batch, on
// the rows of its index.
func TestMemory(t *testing.T) {
	m, p := newTiny(t, "cpu64", nothing)
	b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 3, 1)
	b.Index = []int{4, 0, 2}
	state := m.newMemory(make([]float32, 5))
	tp := ag.NewTape(p.Device())
	_, updates := m.taskTerms(tp, b)
	zoo.Apply(tp, updates)
	x := m.encode(tp, b.Corrupted)
	for i, name := range []string{"memory.a", "memory.v"} {
		z := m.predictors[i].sample(tp, x[i+1])
		if state[i].Name != name || len(state) != 2 {
			t.Errorf("state %d of %d is %s, want %s of 2", i, len(state), state[i].Name, name)
		}
		zootest.Close(t, name, 0, tp.Gather(state[i].Tensor, b.Index).Values(), z.Values())
		zootest.Close(t, name, 0, tp.Gather(state[i].Tensor, []int{1, 3}).Values(),
			make([]float64, 2*z.Shape()[1]))
	}
}

// TestAbsentModality checks for a finite loss and gradients where all frames are missing, so that
// all vectors of a modality are equal, and where all labels are of one class.
func TestAbsentModality(t *testing.T) {
	for _, device := range []string{"cpu", "cpu64"} {
		m, p := newTiny(t, device, nothing)
		b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 8, 1)
		b.Corrupted.Vision = ag.NewTensor(p.Device(), make([]float64, 8*6*4), 8, 6, 4)
		for i := range b.Corrupted.VisionLen {
			b.Corrupted.VisionLen[i] = 1
		}
		b.Label = ag.NewTensor(p.Device(), []float64{1, 2, 3, 1, 2, 3, 0, 0}, 8)
		m.newMemory([]float32{1, 2, 3, 1, 2, 3, 0, 0})
		for _, pass := range m.Phases()[0].Passes {
			tp := ag.NewTape(p.Device())
			terms, updates := pass.Terms(tp, b)
			zoo.Apply(tp, updates)
			loss := zoo.Total(tp, terms)
			sum := loss.Item()
			for _, g := range tp.Backward(loss) {
				sum += g.Dot(g)
			}
			if math.IsNaN(sum) || math.IsInf(sum, 0) {
				t.Errorf("%s: pass %s: loss and squares of gradients add up to %g", device,
					pass.Name, sum)
			}
		}
	}
}

// TestDropout checks that dropout of the fusion's input is active in training and nowhere else.
func TestDropout(t *testing.T) {
	m, p := newTiny(t, "cpu64", func(c *Config) { c.Dropout = 0.5 })
	plain, _ := newTiny(t, "cpu64", nothing)
	in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 4, 1).Corrupted
	want := plain.Predict(ag.NewTape(p.Device()), in).Score.Values()
	got := m.Predict(ag.NewInferenceTape(p.Device()), in).Score.Values()
	if !slices.Equal(got, want) {
		t.Error("inference drops")
	}
	if got := m.Predict(ag.NewTape(p.Device()), in).Score.Values(); slices.Equal(got, want) {
		t.Error("training does not drop")
	}
	x, y := m.encode(ag.NewTape(p.Device()), in), plain.encode(ag.NewTape(p.Device()), in)
	for i := range x {
		zootest.Close(t, "x", 0, x[i].Values(), y[i].Values())
	}
}

// fixture is testdata/mmim.json.
type fixture struct {
	zootest.Golden
	Norm  float64
	Steps []map[string]float64 // terms of the batches of the second pass
	Fit   struct {             // the first batch of the first pass
		zootest.Golden
		Norm float64
	}
}

var (
	fixtureLabels = []float32{0.5, -0.75, 0, 3, -2.25, 1.25, -1, 0.25, -0.5, 1.75, -3, 0}
	fixtureRows   = [][]int{{4, 0, 2}, {5, 1, 3, 7}, {6, 9, 11, 8, 10}}
	textLen       = []int{5, 3, 4, 2, 5, 1, 4, 5, 2, 3, 5, 4}
	audioLen      = []int{7, 2, 5, 1, 6, 3, 4, 7, 1, 2, 5, 6}
	visionLen     = []int{6, 4, 1, 5, 3, 2, 6, 1, 4, 3, 2, 5}
)

// fixtureBatch returns the utterances in rows.
func fixtureBatch(dev ag.Device, rows []int) *zoo.Batch {
	d := &zootest.TinyDims
	var ids, segments, audio, vision []int
	var y []float32
	for _, i := range rows {
		for s := range d.TextT {
			id, segment := 1+(7*i+3*s)%(d.Vocab-1), s/3
			if s >= textLen[i] {
				id, segment = 0, 0
			}
			ids, segments = append(ids, id), append(segments, segment)
		}
		audio, vision = append(audio, audioLen[i]), append(vision, visionLen[i])
		y = append(y, fixtureLabels[i])
	}
	frames := func(number, steps, width int) *ag.Tensor {
		all := agtest.Noise(number, len(fixtureLabels)*steps*width)
		var v []float64
		for _, i := range rows {
			v = append(v, all[i*steps*width:][:steps*width]...)
		}
		return ag.NewTensor(dev, v, len(rows), steps, width)
	}
	in := zootest.Tokens(dev, d.TextT, ids...)
	in.Segments, in.AudioLen, in.VisionLen = segments, audio, vision
	in.Audio, in.Vision = frames(1003, d.AudioT, d.AudioD), frames(1004, d.VisionT, d.VisionD)
	return &zoo.Batch{Corrupted: in, Label: ag.NewTensor(dev, y, len(y)), Index: rows, Epoch: 1,
		Steps: len(fixtureRows)}
}

// TestAgreesWithPyTorch compares both passes.
func TestAgreesWithPyTorch(t *testing.T) {
	var want fixture
	zootest.ReadGolden(t, "mmim", &want)
	c := &Config{Text: zoo.TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2,
		FeedForward: 6}, AudioWidth: 3, VisionWidth: 2, AudioOut: 8, VisionOut: 12,
		Fusion: 7, PredictorShare: 1, Loss: LossConfig{Contrast: 0.3, Information: 0.2}}
	for device, tol := range map[string]zootest.Tolerance{
		"cpu64": {Value: 1e-9, Gradient: 1e-9}, "cpu": {Value: 1e-5, Gradient: 1e-4}} {
		t.Run(device, func(t *testing.T) {
			m, p := zootest.New(t, &Spec, c, device, zootest.TinyDims)
			want.Assign(t, p.State())
			ph := m.Phases()[0]
			ph.NewMemory(fixtureLabels)
			tp := ag.NewTape(p.Device())
			norm := func(grads ag.Grads, pass zoo.Pass) []float64 {
				return optim.ClipNorm(tp, grads, pass.ClipParams, 1e9).Values()
			}

			terms, _ := ph.Passes[0].Terms(tp, fixtureBatch(p.Device(), fixtureRows[0]))
			zootest.TermsAgree(t, "first pass, ", tol.Value, terms, want.Fit.Terms)
			grads := tp.Backward(zoo.Total(tp, terms))
			zootest.Close(t, "norm of the first pass", tol.Value, norm(grads, ph.Passes[0]),
				[]float64{want.Fit.Norm})
			var reached []nn.Param
			for _, x := range p.All() {
				if grads[x.Tensor] != nil {
					reached = append(reached, x)
				}
			}
			if len(reached) != len(want.Fit.Params) {
				t.Errorf("%d parameters have a gradient in the first pass, want %d", len(reached),
					len(want.Fit.Params))
			}
			want.Fit.GradientsAgree(t, tol.Gradient, reached, grads)

			for i, rows := range fixtureRows {
				tp.Reset()
				b := fixtureBatch(p.Device(), rows)
				if b.Step = i; i > 0 {
					b.Previous = fixtureRows[i-1]
				}
				terms, updates := ph.Passes[1].Terms(tp, b)
				zoo.Apply(tp, updates)
				zootest.TermsAgree(t, "second pass, ", tol.Value, terms, want.Steps[i])
				grads = tp.Backward(zoo.Total(tp, terms))
			}
			want.GradientsAgree(t, tol.Gradient, p.All(), grads)
			zootest.Close(t, "norm of the second pass", tol.Value, norm(grads, ph.Passes[1]),
				[]float64{want.Norm})
			all := fixtureBatch(p.Device(), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}).Corrupted
			zootest.Close(t, "score", tol.Value,
				m.Predict(ag.NewInferenceTape(p.Device()), all).Score.Values(), want.Score)
		})
	}
}
