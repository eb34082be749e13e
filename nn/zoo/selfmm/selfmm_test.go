package selfmm

import (
	"bytes"
	"fmt"
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
)

func TestModel(t *testing.T) { zootest.Run(t, &Spec, tiny) }

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text audio vision heads.fusion",
		"phase train: batches of 1 or more; labels true, complete input false, keep masks"+
			" false; memory.features.m [8 8]; memory.labels.t [8]; memory.features.t [8 6]; "+
			"memory.labels.a [8]; memory.features.a [8 7]; memory.labels.v [8]; "+
			"memory.features.v [8 5]",
		"pass : text audio vision heads; group audio, decay true: audio; group vision, "+
			"decay true: vision; terms fusion text audio vision shift_l shift_a shift_v",
		"groups of pass  with a pretrained text encoder: audio 6 vision 6 text 9 text 12")
}

// termsOf returns the terms of a batch's loss and updates the memory, as the trainer does.
func termsOf(tp *ag.Tape, m *model, b *zoo.Batch) []zoo.Term {
	terms, updates := m.terms(tp, b)
	zoo.Apply(tp, updates)
	return terms
}

func tiny() zoo.Config {
	return &Config{Text: zootest.TinyText(), AudioWidth: 4, VisionWidth: 5, AudioOut: 3,
		VisionOut: 4, Heads: HeadsConfig{
			Fusion: HeadConfig{8, 0.1}, Text: HeadConfig{6, 0.1}, Audio: HeadConfig{7, 0.1},
			Vision: HeadConfig{5, 0.1}}}
}

// newTiny returns the tiny model with labels of at most bound, ready for the N utterances
// whose human labels are given, and its tables.
func newTiny(
	dev ag.Device, dropout, bound float64, labels []float32,
) (m *model, p *nn.Params, tables map[string]*ag.Tensor) {
	c := tiny().(*Config)
	for _, rate := range []*float64{&c.Text.Dropout, &c.Heads.Fusion.Dropout,
		&c.Heads.Text.Dropout, &c.Heads.Audio.Dropout, &c.Heads.Vision.Dropout} {
		*rate = dropout
	}
	d := zootest.TinyDims
	d.Range = [2]float64{-bound, bound}
	p = nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	m = newModel(p, c, d).(*model)
	tables = map[string]*ag.Tensor{}
	for _, x := range m.Phases()[0].NewMemory(labels) {
		tables[x.Name] = x.Tensor
	}
	return m, p, tables
}

// batchOf returns noise that stands for the utterances in index.
func batchOf(dev ag.Device, epoch int, index []int, labels []float32) *zoo.Batch {
	b := zoo.RandomBatch(dev, &zootest.TinyDims, len(index), uint64(100*epoch+index[0]))
	y := make([]float64, len(index))
	for k, i := range index {
		y[k] = float64(labels[i])
	}
	b.Label, b.Index, b.Epoch = ag.NewTensor(dev, y, len(y)), index, epoch
	return b
}

var letters = [4]string{"m", "t", "a", "v"}

// humanLabels has zeros, and numbers at the ends of the range.
var humanLabels = []float32{0.5, -1, 0, 1, -0.25, 0, 0.75, -0.5, 1, -0.75, 0.25}

// shuffled returns a random division of the utterances into batches of four.
func shuffled(r *rand.Rand) [][]int {
	return slices.Collect(slices.Chunk(r.Perm(len(humanLabels)), 4))
}

// A naive is the memory of Self-MM in loops over utterances.
type naive struct {
	bound    float64
	human    []float64
	labels   [4][]float64   // m, t, a, v
	features [4][][]float64 // [x][utterance]
}

func newNaive(m *model, labels []float32) *naive {
	s := &naive{bound: m.bound}
	for _, y := range labels {
		s.human = append(s.human, float64(y))
	}
	for x := range s.labels {
		s.labels[x] = slices.Clone(s.human)
		for range labels {
			s.features[x] = append(s.features[x], make([]float64, m.tasks[x].features.Shape()[1]))
		}
	}
	return s
}

// distance is that of f from the mean of those features of x whose label has the sign.
func (s *naive) distance(x int, f []float64, sign float64) float64 {
	square := 0.0
	for c := range f {
		sum, n := 0.0, 0.0
		for i, row := range s.features[x] {
			if s.labels[x][i]*sign > 0 {
				sum, n = sum+row[c], n+1
			}
		}
		if n > 0 {
			sum /= n
		}
		square += (f[c] - sum) * (f[c] - sum)
	}
	return math.Sqrt(square)
}

func (s *naive) relativeDistance(x int, f []float64) float64 {
	return (s.distance(x, f, -1) - s.distance(x, f, 1)) / (s.distance(x, f, 1) + 1e-8)
}

// update is what happens after the loss of a batch whose representations are f [x][k].
func (s *naive) update(epoch int, index []int, f [4][][]float64) (clamped int) {
	n := float64(epoch)
	var fresh [4][]float64
	for x := 1; x < 4 && epoch > 1; x++ {
		for k, i := range index {
			m, own := s.relativeDistance(0, f[0][k]), s.relativeDistance(x, f[x][k])
			y := (s.human[i]*own/(m+1e-8) + s.human[i] + own - m) / 2
			if math.Abs(y) > s.bound {
				clamped++
				y = math.Copysign(s.bound, y)
			}
			fresh[x] = append(fresh[x], ((n-1)*s.labels[x][i]+2*y)/(n+1))
		}
	}
	for x := range f {
		for k, i := range index {
			s.features[x][i] = f[x][k]
			if fresh[x] != nil {
				s.labels[x][i] = fresh[x][k]
			}
		}
	}
	return clamped
}

// TestEqualsNaiveLoops runs epochs in which the parameters move at random, and compares losses
// and tables with loops that are given the representations of each batch.
func TestEqualsNaiveLoops(t *testing.T) {
	// with dropout predictions cannot be computed again
	for _, dropout := range []float64{0, 0.3} {
		dev, r := zootest.Open(t, "cpu64"), rand.New(rand.NewPCG(2, 2))
		m, p, tables := newTiny(dev, dropout, 1, humanLabels)
		naive := newNaive(m, humanLabels)
		tp := ag.NewTape(dev)
		clamped, rewritten := 0, 0
		for epoch := 1; epoch <= 4; epoch++ {
			for _, index := range shuffled(r) {
				zoo.Perturb(p.All(), 0.3, r)
				b := batchOf(dev, epoch, index, humanLabels)
				want := naive.losses(m, b)
				tp.Reset()
				for i, term := range termsOf(tp, m, b) {
					if dropout == 0 || i > 3 {
						zootest.Close(t, fmt.Sprintf("epoch %d, %s", epoch, term.Name), 1e-12,
							[]float64{term.Loss.Item()}, want[i:i+1])
					}
				}
				var f [4][][]float64
				for x, l := range letters {
					rows := slices.Collect(slices.Chunk(tables["memory.features."+l].Values(),
						m.tasks[x].features.Shape()[1]))
					for _, i := range index {
						f[x] = append(f[x], rows[i])
					}
				}
				clamped += naive.update(epoch, index, f)
				for x, l := range letters {
					zootest.Close(t, "features of "+l, 0, tables["memory.features."+l].Values(),
						slices.Concat(naive.features[x]...))
					if x > 0 {
						zootest.Close(t, fmt.Sprintf("epoch %d, labels of %s", epoch, l),
							1e-9, tables["memory.labels."+l].Values(), naive.labels[x])
					}
				}
				if epoch > 1 {
					rewritten += 3 * len(index)
				}
			}
		}
		if clamped == 0 || clamped > rewritten*3/4 {
			t.Errorf("%d of %d labels were clamped: the test needs both kinds", clamped, rewritten)
		}
	}
}

// losses returns the terms of a batch, with predictions of the model without dropout.
func (s *naive) losses(m *model, b *zoo.Batch) []float64 {
	tp := ag.NewInferenceTape(m.all.Device())
	terms := make([]float64, 7)
	n := float64(len(b.Index))
	for x, input := range m.encode(tp, b.Corrupted) {
		_, score := m.tasks[x].Forward(tp, input)
		for k, y := range score.Values() {
			i := b.Index[k]
			shift := math.Abs(s.labels[x][i] - s.human[i])
			if x == 0 {
				terms[0] += math.Abs(y-s.human[i]) / n
				continue
			}
			terms[x] += math.Tanh(shift) * math.Abs(y-s.labels[x][i]) / n
			terms[3+x] += shift / n
		}
	}
	return terms
}

// TestFirstEpochsTrainTheFusion checks that text, audio and vision have no loss of their own in two
// epochs, exactly, and then have one.
func TestFirstEpochsTrainTheFusion(t *testing.T) {
	for _, name := range []string{"cpu", "cpu64"} {
		dev := zootest.Open(t, name)
		m, p, _ := newTiny(dev, 0.1, 1, humanLabels)
		tp := ag.NewTape(dev)
		for epoch := 1; epoch <= 3; epoch++ {
			for _, index := range [][]int{{0, 1, 2, 3, 4, 5}, {10, 9, 8, 7, 6}} {
				tp.Reset()
				terms := termsOf(tp, m, batchOf(dev, epoch, index, humanLabels))
				for _, term := range terms[1:] {
					if (term.Weight == 0) != strings.HasPrefix(term.Name, "shift_") ||
						term.Weight > 1 {
						t.Errorf("%s has weight %g", term.Name, term.Weight)
					}
					if v := term.Loss.Item(); (v == 0) != (epoch < 3) {
						t.Errorf("%s: epoch %d: %s is %g", name, epoch, term.Name, v)
					}
				}
				grads := tp.Backward(zoo.Total(tp, terms))
				for _, x := range p.Sub("heads").All() {
					own, g := !strings.HasPrefix(x.Name, "heads.fusion"), grads[x.Tensor]
					if zero := g.Dot(g) == 0; own && zero != (epoch < 3) {
						t.Errorf("%s: epoch %d: gradient of %s is zero: %t", name, epoch,
							x.Name, zero)
					}
				}
			}
		}
	}
}

// TestLabelsStayInRange is about rounding and about centroids that coincide with
// representations: parameters never move, so that after one epoch the only positive utterance is
// its class's centroid.
func TestLabelsStayInRange(t *testing.T) {
	for what, labels := range map[string][]float32{"both classes": {1, -1, 0, -0.5},
		"no negative": {1, 0.25, 0, 0.5}, "no positive": {-1, -0.25, 0, -1},
		"zeros": {0, 0, 0, 0}} {
		for _, name := range []string{"cpu", "cpu64"} {
			dev := zootest.Open(t, name)
			m, _, tables := newTiny(dev, 0, 1, labels)
			tp := ag.NewTape(dev)
			b := batchOf(dev, 1, []int{0, 1, 2, 3}, labels)
			for b.Epoch = 1; b.Epoch < 6; b.Epoch++ {
				tp.Reset()
				termsOf(tp, m, b)
				for table, x := range tables {
					for i, v := range x.Values() {
						if math.IsNaN(v) || math.IsInf(v, 0) ||
							strings.Contains(table, "labels") && math.Abs(v) > 1+1e-6 {
							t.Errorf("%s, %s: epoch %d: %s of utterance %d is %g", what,
								name, b.Epoch, table, i, v)
						}
					}
				}
			}
		}
	}
}

// TestResumes saves parameters and tables between two batches, and goes on with another
// model.
func TestResumes(t *testing.T) {
	dev := zootest.Open(t, "cpu")
	r := rand.New(rand.NewPCG(3, 3))
	var results [2][]byte
	all := func(p *nn.Params, tables map[string]*ag.Tensor) []nn.Param {
		ps := p.All()
		for name, x := range tables {
			ps = append(ps, nn.Param{Name: name, Tensor: x})
		}
		slices.SortFunc(ps, func(a, b nn.Param) int { return strings.Compare(a.Name, b.Name) })
		return ps
	}
	save := func(ps []nn.Param) []byte {
		var w bytes.Buffer
		if err := nn.Save(&w, ps, nil); err != nil {
			t.Fatal(err)
		}
		return w.Bytes()
	}
	m, p, tables := newTiny(dev, 0.1, 1, humanLabels)
	for epoch := 1; epoch <= 3; epoch++ {
		for _, index := range shuffled(r) {
			termsOf(ag.NewTape(dev), m, batchOf(dev, epoch, index, humanLabels))
		}
	}
	saved := save(all(p, tables))
	for i := range results {
		if i == 1 {
			m, p, tables = newTiny(dev, 0.1, 1, humanLabels)
			if err := nn.Load(saved, all(p, tables)); err != nil {
				t.Fatal(err)
			}
		}
		termsOf(ag.NewTape(dev), m, batchOf(dev, 4, []int{7, 0, 3, 5}, humanLabels))
		results[i] = save(all(p, tables))
	}
	if !bytes.Equal(results[0], results[1]) || bytes.Equal(saved, results[0]) {
		t.Error("the next batch left other tables in the model that was restored, or changed none")
	}
	if len(tables) != 7 {
		t.Errorf("%d tables are saved, want the labels of t, a and v and the features of m, t, a and v", len(tables))
	}
}

// TestInputDropout checks that the representations remembered are those that the loss was
// computed from, with dropout, and that it is their input's: of their own, elements would be 0 or
// twice what they are.
func TestInputDropout(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	m, _, _ := newTiny(dev, 0, 1, humanLabels)
	for _, x := range m.tasks {
		x.dropout = 0.5
	}
	b := batchOf(dev, 1, []int{0, 1, 2, 3}, humanLabels)
	termsOf(ag.NewTape(dev), m, b)
	tp := ag.NewInferenceTape(dev)
	for i, input := range m.encode(tp, b.Corrupted) {
		x := m.tasks[i]
		f, _ := x.Forward(tp, input)
		others, whole := 0, f.Values()
		for k, v := range tp.Gather(x.features, b.Index).Values() {
			if v != 0 && v != whole[k] && v != 2*whole[k] {
				others++
			}
		}
		if others == 0 {
			t.Errorf("%s: nothing is what dropout of the input makes of a representation", x.name)
		}
	}
}

// TestParameters compares with the counts of MMSA's modules, without BERT's.
func TestParameters(t *testing.T) {
	for dataset, want := range map[string]int{"mosi": 159332, "mosei": 165668, "sims": 381380} {
		if _, got := zootest.PaperSizes(&Spec, dataset); got != want {
			t.Errorf("%s: %d parameters besides those of the words' encoder, want %d", dataset,
				got, want)
		}
	}
}

// TestPresets has the table of MMSA's numbers.
func TestPresets(t *testing.T) {
	bert, small := zoo.PaperText(), zoo.QuickText()
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi": {Config: &Config{
			Text: bert, AudioWidth: 16, VisionWidth: 32, AudioOut: 16,
			VisionOut: 32, Heads: HeadsConfig{Fusion: HeadConfig{128, 0},
				Text: HeadConfig{32, 0.1}, Audio: HeadConfig{16, 0.1},
				Vision: HeadConfig{32, 0}}},
			Training: zoo.Training{Batch: 16, Accumulate: 4,
				Optimizer: "adam", Schedule: "constant", LR: 1e-3, WeightDecay: 1e-3,
				Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-3},
					"audio":  {LR: 5e-3, WeightDecay: 1e-3},
					"vision": {LR: 5e-3, WeightDecay: 1e-3}},
				Patience: 8, Epochs: map[string]int{"train": 200}}},
		"mosei": {Config: &Config{
			Text: bert, AudioWidth: 16, VisionWidth: 32, AudioOut: 16,
			VisionOut: 32, Heads: HeadsConfig{Fusion: HeadConfig{128, 0.1},
				Text: HeadConfig{32, 0}, Audio: HeadConfig{16, 0},
				Vision: HeadConfig{32, 0}}},
			Training: zoo.Training{Batch: 32, Accumulate: 4,
				Optimizer: "adam", Schedule: "constant", LR: 1e-3, WeightDecay: 1e-2,
				Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-3},
					"audio":  {LR: 5e-3, WeightDecay: 0},
					"vision": {LR: 1e-4, WeightDecay: 0}},
				Patience: 8, Epochs: map[string]int{"train": 200}}},
		"sims": {Config: &Config{
			Text: bert, AudioWidth: 16, VisionWidth: 64, AudioOut: 16,
			VisionOut: 32, Heads: HeadsConfig{Fusion: HeadConfig{128, 0},
				Text: HeadConfig{64, 0.1}, Audio: HeadConfig{16, 0.1},
				Vision: HeadConfig{32, 0}}},
			Training: zoo.Training{Batch: 32, Accumulate: 4,
				Optimizer: "adam", Schedule: "constant", LR: 1e-3, WeightDecay: 1e-3,
				Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-3},
					"audio":  {LR: 5e-3, WeightDecay: 1e-2},
					"vision": {LR: 5e-3, WeightDecay: 1e-2}},
				Patience: 8, Epochs: map[string]int{"train": 200}}},
	}, zootest.Preset{Config: &Config{
		Text: small, AudioWidth: 16, VisionWidth: 32, AudioOut: 16,
		VisionOut: 32, Heads: HeadsConfig{Fusion: HeadConfig{128, 0},
			Text: HeadConfig{32, 0.1}, Audio: HeadConfig{16, 0.1},
			Vision: HeadConfig{32, 0}}},
		Training: zoo.Training{Batch: 32, Accumulate: 2,
			Optimizer: "adam", Schedule: "constant", LR: 1e-3, WeightDecay: 1e-3,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-3},
				"audio":  {LR: 5e-3, WeightDecay: 1e-3},
				"vision": {LR: 5e-3, WeightDecay: 1e-3}},
			Epochs: map[string]int{"train": 30}}})
}

// TestGroups checks which parameters of a pretrained BERT decay, and that the heads are in no
// group.
func TestGroups(t *testing.T) {
	m, _ := zootest.New(t, &Spec, tiny(), "cpu", zootest.TinyDims)
	if g := m.Phases()[0].Passes[0].Groups; len(g) != 2 {
		t.Errorf("from scratch there are %d groups, want audio and vision", len(g))
	}
	m, _ = zootest.New(t, &Spec, tiny(), "cpu", zootest.TinyBERT())
	decays := map[string]bool{"text.embeddings.word_embeddings.weight": true,
		"text.embeddings.LayerNorm.weight":                 false,
		"text.embeddings.LayerNorm.bias":                   false,
		"text.encoder.layer.0.attention.self.query.weight": true,
		"text.encoder.layer.0.attention.self.query.bias":   false,
		"text.encoder.layer.0.output.LayerNorm.weight":     false}
	var names []string
	for _, g := range m.Phases()[0].Passes[0].Groups {
		names = append(names, fmt.Sprintf("%s %t %d", g.Name, g.NoDecay, len(g.Params)))
		for _, x := range g.Params {
			if !strings.HasPrefix(x.Name, g.Name+".") {
				t.Errorf("%s is in group %s", x.Name, g.Name)
			}
			if want, listed := decays[x.Name]; listed && want == g.NoDecay {
				t.Errorf("%s: weight decay %t, want %t", x.Name, !g.NoDecay, want)
			}
			delete(decays, x.Name)
		}
	}
	if len(decays) > 0 {
		t.Errorf("not in a group: %v", decays)
	}
	want := []string{"audio false 6", "vision false 6", "text false 9", "text true 12"}
	if !slices.Equal(names, want) {
		t.Errorf("groups %q, want %q", names, want)
	}
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"self-mm: vision_width is 0, want 1 or more": func(c *Config) {
			c.VisionWidth = 0
		},
		"self-mm: heads.audio.width is -1, want 1 or more": func(c *Config) {
			c.Heads.Audio.Width = -1
		},
		"self-mm: heads.text.dropout is 1, want 0 or more, below 1": func(c *Config) {
			c.Heads.Text.Dropout = 1
		},
		"self-mm: text.width 7 does not divide into text.heads 2": func(c *Config) {
			c.Text.Width = 7
		},
	})
	m, p := zootest.New(t, &Spec, tiny(), "cpu", zootest.TinyDims)
	defer func() {
		if got, _ := recover().(string); !strings.HasPrefix(got,
			"selfmm: Terms: the tasks have no labels") {
			t.Errorf("panic %q", got)
		}
	}()
	m.Phases()[0].Passes[0].Terms(ag.NewTape(p.Device()),
		zoo.RandomBatch(p.Device(), &zootest.TinyDims, 2, 1))
}

// fixture is testdata/self_mm.json.
type fixture struct {
	zootest.Golden
	TextLen   []int `json:"text_len"`
	AudioLen  []int `json:"audio_len"`
	VisionLen []int `json:"vision_len"`
	Labels    []float32
	Epochs    [][][]int
	Steps     []struct {
		Terms  map[string]float64
		Tables map[string][]float64
	}
}

// batch returns the utterances in rows, with nothing but what the phase may read.
func (g *fixture) batch(dev ag.Device, rows []int, epoch int) *zoo.Batch {
	d := &zootest.TinyDims
	var ids, segments, audioLen, visionLen []int
	var y []float64
	for _, i := range rows {
		for s := range d.TextT {
			id, segment := 1+(7*i+3*s)%(d.Vocab-1), s/3
			if s >= g.TextLen[i] {
				id, segment = 0, 0
			}
			ids, segments = append(ids, id), append(segments, segment)
		}
		audioLen, visionLen = append(audioLen, g.AudioLen[i]), append(visionLen, g.VisionLen[i])
		y = append(y, float64(g.Labels[i]))
	}
	frames := func(number, steps, width int) *ag.Tensor {
		all := slices.Collect(slices.Chunk(agtest.Noise(number, len(g.Labels)*steps*width),
			steps*width))
		var v []float64
		for _, i := range rows {
			v = append(v, all[i]...)
		}
		return ag.NewTensor(dev, v, len(rows), steps, width)
	}
	in := zootest.Tokens(dev, d.TextT, ids...)
	in.Segments, in.AudioLen, in.VisionLen = segments, audioLen, visionLen
	in.Audio, in.Vision = frames(1003, d.AudioT, d.AudioD), frames(1004, d.VisionT, d.VisionD)
	return &zoo.Batch{Corrupted: in, Label: ag.NewTensor(dev, y, len(y)), Index: rows,
		Epoch: epoch}
}

// TestAgreesWithPyTorch compares losses and tables of every step, the gradients of the last,
// and predictions.
func TestAgreesWithPyTorch(t *testing.T) {
	var want fixture
	zootest.ReadGolden(t, "self_mm", &want)
	c := &Config{Text: zoo.TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2,
		FeedForward: 6}, AudioWidth: 3, VisionWidth: 4, AudioOut: 2,
		VisionOut: 3,
		Heads: HeadsConfig{Fusion: HeadConfig{6, 0}, Text: HeadConfig{5, 0},
			Audio: HeadConfig{4, 0}, Vision: HeadConfig{3, 0}}}
	for device, tol := range zootest.GoldenDevices {
		t.Run(device, func(t *testing.T) {
			m, p := zootest.New(t, &Spec, c, device, zootest.TinyDims)
			want.Assign(t, p.All())
			ph := m.Phases()[0]
			tables := ph.NewMemory(want.Labels)
			tp := ag.NewTape(p.Device())
			var grads ag.Grads
			steps := want.Steps
			for e, batches := range want.Epochs {
				for _, rows := range batches {
					at, step := fmt.Sprintf("epoch %d, %d, ", e+1, rows), steps[0]
					tp.Reset()
					terms, updates := ph.Passes[0].Terms(tp, want.batch(p.Device(), rows, e+1))
					zoo.Apply(tp, updates)
					zootest.TermsAgree(t, at, tol.Value, terms, step.Terms)
					if len(tables) != len(step.Tables) {
						t.Errorf("%d tables, want %d", len(tables), len(step.Tables))
					}
					for _, x := range tables {
						zootest.Close(t, at+x.Name, tol.Value, x.Values(),
							step.Tables[strings.TrimPrefix(x.Name, "memory.")])
					}
					steps, grads = steps[1:], tp.Backward(zoo.Total(tp, terms))
				}
			}
			want.GradientsAgree(t, tol.Gradient, p.All(), grads)
			all := want.batch(p.Device(), []int{0, 1, 2, 3, 4, 5}, 0).Corrupted
			zootest.Close(t, "score", tol.Value,
				m.Predict(ag.NewInferenceTape(p.Device()), all).Score.Values(), want.Score)
		})
	}
}
