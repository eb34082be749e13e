package mascfstyle

import (
	"math"
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

func TestClasses(t *testing.T) { zootest.ClassesAre(t, &Spec, tiny()) }

// TestPhases checks what each pass updates, and the terms of its loss in their order.
func TestPhases(t *testing.T) {
	zootest.PhasesAre(t, &Spec, tiny(),
		"predict: text encode private shared fuse head",
		"phase train: batches of 1 or more; labels true, complete input false, keep masks"+
			" false",
		"pass : text encode private shared fuse head reconstruct; terms task diff sim "+
			"recon",
		"groups of pass  with a pretrained text encoder: text 21")
}

// width is that of tiny.
const width = 16

// tiny has small weights. The gradient of L_diff, for constant norms, makes the utterances of a
// batch more equal, and so do those of L_sim and L_recon; with four utterances they would win over
// the task.
func tiny() zoo.Config {
	return &Config{Text: zootest.TinyText(), Width: width, Expand: 2, State: 3, Tokens: 2,
		Dropout: 0.1, Loss: zoo.ViewWeights{Diff: 0.01, Sim: 0.1, Recon: 0.1}}
}

// newTiny returns the model without dropout for a data set of the given sizes.
func newTiny(t *testing.T, d zoo.Dims, device string) (*model, *nn.Params) {
	t.Helper()
	c := tiny().(*Config)
	c.Text.Dropout, c.Dropout = 0, 0
	m, p := zootest.New(t, &Spec, c, device, d)
	return m.(*model), p
}

// TestParameters has counts of an independent program that was written from the same description,
// and of the parts of all three.
func TestParameters(t *testing.T) {
	for dataset, want := range map[string]int{"mosi": 1129601, "mosei": 1140353,
		"sims": 1221377} {
		p, got := zootest.PaperSizes(&Spec, dataset)
		if got != want {
			t.Errorf("%s: %d numbers besides BERT, want %d", dataset, got, want)
		}
		for part, want := range map[string]int{"encode.l.mix": 134912, "shared": 16512,
			"private": 3 * 16512, "fuse": 3*134912 + 65792, "head": 33025, "reconstruct": 49536} {
			if got := p.Sub(part).Count(); got != want {
				t.Errorf("%s: %s has %d numbers, want %d", dataset, part, got, want)
			}
		}
	}
}

// TestPresets has the weights and dropouts of MISA in MMSA, and the training of LNLN.
func TestPresets(t *testing.T) {
	paper := func(dropout, diff, sim, recon float64) zootest.Preset {
		return zootest.Preset{Config: &Config{Text: zoo.PaperText(), Width: 128, Expand: 2,
			State: 16, Tokens: 8, Dropout: dropout,
			Loss: zoo.ViewWeights{Diff: diff, Sim: sim, Recon: recon}},
			Training: zoo.Training{Batch: 64, Accumulate: 1, Optimizer: "adamw",
				Schedule: "cosine", LR: 1e-4, WeightDecay: 1e-4,
				Groups: map[string]zoo.GroupTraining{"text": {LR: 1e-4, WeightDecay: 1e-4}},
				Epochs: map[string]int{"train": 200}}}
	}
	zootest.PresetsAre(t, &Spec, map[string]zootest.Preset{
		"mosi":  paper(0.2, 0.1, 0.3, 1),
		"mosei": paper(0.5, 0.3, 0.8, 1),
		"sims":  paper(0, 0.3, 1, 0.8),
	}, zootest.Preset{Config: &Config{Text: zoo.QuickText(), Width: 64, Expand: 2, State: 8,
		Tokens: 8, Dropout: 0.2, Loss: zoo.ViewWeights{Diff: 0.1, Sim: 0.3, Recon: 1}},
		Training: zoo.Training{Batch: 32, Accumulate: 1, Optimizer: "adamw",
			Schedule: "cosine-positive", LR: 1e-3, WeightDecay: 1e-4,
			Groups: map[string]zoo.GroupTraining{"text": {LR: 5e-5, WeightDecay: 1e-4}},
			Epochs: map[string]int{"train": 30}}})
}

func TestCheckNamesTheKey(t *testing.T) {
	zootest.Refuses(t, tiny, map[string]func(*Config){
		"mascf-style: width is 0":     func(c *Config) { c.Width = 0 },
		"mascf-style: expand is 0":    func(c *Config) { c.Expand = 0 },
		"mascf-style: state is 0":     func(c *Config) { c.State = 0 },
		"mascf-style: tokens is 0":    func(c *Config) { c.Tokens = 0 },
		"mascf-style: dropout is NaN": func(c *Config) { c.Dropout = math.NaN() },
		"mascf-style: text.width 7":   func(c *Config) { c.Text.Width = 7 },
	})
}

// TestNamesWhatItIs checks that the model's name is not that of the paper's alone, that a note says
// why, and that it has no row beside the paper's.
func TestNamesWhatItIs(t *testing.T) {
	if Spec.Label != "MASCF-style (re-designed from the title)" || !Spec.FromTitle ||
		!strings.Contains(Spec.Adaptation, "The paper was not available") {
		t.Errorf("label %q, note %q", Spec.Label, Spec.Adaptation)
	}
}

// TestInit checks the initial values of the queries, and that all Mamba layers start as those of
// TF-Mamba: W_out is not divided, and the backward steps have a bias.
func TestInit(t *testing.T) {
	p := zootest.PaperParams(t, &Spec, "mosi")
	layers := 0
	for _, x := range p.All() {
		v := x.Values()
		largest := max(slices.Max(v), -slices.Min(v))
		want := 0.0
		switch {
		case strings.HasSuffix(x.Name, "queries"):
			sd := math.Sqrt(x.Dot(x.Tensor) / float64(len(v)))
			if math.Abs(sd-0.02) > 0.0015 || largest < 0.045 {
				t.Errorf("%s has standard deviation %g and largest element %g, want N(0, 0.02²)",
					x.Name, sd, largest)
			}
		case strings.HasSuffix(x.Name, "mamba.out_proj.weight"):
			want = 1 / math.Sqrt(256)
			layers++
		case strings.HasSuffix(x.Name, "dt_proj_b.bias"):
			want = 1 / math.Sqrt(8)
		}
		if want > 0 && (largest > want || largest < 0.97*want) {
			t.Errorf("the largest element of %s is %g, want %g", x.Name, largest, want)
		}
	}
	if layers != 6 {
		t.Errorf("%d Mamba layers, want 6", layers)
	}
}

// TestGroups checks that all parameters decay, and that only a pretrained text encoder has a
// learning rate of its own.
func TestGroups(t *testing.T) {
	for d, want := range map[*zoo.Dims]int{&zootest.TinyDims: 0, ptr(zootest.TinyBERT()): 1} {
		m, _ := zootest.New(t, &Spec, tiny(), "cpu", *d)
		groups := m.Phases()[0].Passes[0].Groups
		if len(groups) != want || want == 1 && (groups[0].Name != "text" || groups[0].NoDecay) {
			t.Errorf("groups %v, want %d", groups, want)
		}
	}
}

func ptr[T any](x T) *T { return &x }

// TestHeadDropout gives the head weights with which the score is that of one hidden unit: it is 0
// where the unit is dropped and doubled where it is not, and never another number.
func TestHeadDropout(t *testing.T) {
	m, p := newTiny(t, zootest.TinyDims, "cpu64")
	m.config.Dropout = 0.5
	unit := make([]float64, m.score.W.Len())
	unit[0] = 1
	m.score.W.Assign(unit)
	m.score.B.Assign([]float64{0})
	positive := make([]float64, m.hidden.B.Len())
	positive[0] = 10
	m.hidden.B.Assign(positive)
	in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 1, 1).Corrupted
	score := func(tp *ag.Tape) float64 { return m.Predict(tp, in).Score.Item() }
	want := score(ag.NewInferenceTape(p.Device()))
	dropped := 0
	for seed := range uint64(64) {
		tp := ag.NewTape(p.Device())
		tp.Seed(seed)
		switch y := score(tp); {
		case y == 0:
			dropped++
		case math.Abs(y-2*want) > 1e-12*want:
			t.Fatalf("the score is %g, in inference %g: want 0 or twice as much", y, want)
		}
	}
	if dropped < 20 || dropped > 44 {
		t.Errorf("the unit is dropped in %d of 64 predictions, want about half", dropped)
	}
}

// TestPadding checks that the encoders read frames after the end of a recording, and that the
// pooling does not. Missing frames count in both.
func TestPadding(t *testing.T) {
	m, p := newTiny(t, zootest.TinyDims, "cpu64")
	e := m.encode[zoo.Audio]
	tp := ag.NewTape(p.Device())
	pooled := func(x *ag.Tensor) []float64 { return e.Forward(tp, x, []int{3, 7}).Values() }
	v := agtest.Noise(1, 2*7*3)
	clear(v[3:6]) // a missing frame
	x := ag.NewTensor(p.Device(), v, 2, 7, 3)
	v[7*3-1]++ // of the last frame of the first sample
	other := ag.NewTensor(p.Device(), v, 2, 7, 3)
	first, changed := pooled(x), pooled(other)
	if first[0] == changed[0] || !slices.Equal(first[2*width:], changed[2*width:]) {
		t.Error("the last frame of the padding does not change the tokens of its sample alone")
	}
	for _, x := range p.Sub("encode.a.mix.norm").All() {
		x.Multiply(0) // the block adds nothing
	}
	if !slices.Equal(pooled(x), pooled(other)) {
		t.Error("the pooling reads padding")
	}
	e.queries.Multiply(0)
	frames := e.norm.Forward(tp, e.project.Forward(tp, x))
	want := tp.MeanPool(frames, []int{3, 7}).Values()
	got := pooled(x)
	zootest.Close(t, "token 0 of sample 0, with queries of 0,", 1e-14, got[:width],
		want[:width])
	zootest.Close(t, "token 1 of sample 1, with queries of 0,", 1e-14, got[3*width:],
		want[width:])
}

// TestWithoutTokens checks for a finite prediction, which depends on the text, where a sentence has
// no token: its first position counts.
func TestWithoutTokens(t *testing.T) {
	m, p := newTiny(t, zootest.TinyDims, "cpu64")
	in := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 2, 1).Corrupted
	empty := zootest.Tokens(p.Device(), zootest.TinyDims.TextT, make([]int, 10)...)
	in.IDs, in.HostMask, in.Mask = empty.IDs, empty.HostMask, empty.Mask
	tp := ag.NewTape(p.Device())
	u, _, _ := m.tokens(tp, in)
	for i, v := range u.Values()[:width] {
		if math.IsNaN(v) || v == 0 {
			t.Errorf("element %d of the first token is %g", i, v)
		}
	}
}

// TestOneFrame checks for a warning that names the modalities of one frame in each utterance, and
// for finite gradients, which their queries do not have.
func TestOneFrame(t *testing.T) {
	for want, steps := range map[string][2]int{"": {7, 6}, "audio: one": {1, 6},
		"vision: one": {7, 1}, "audio and vision: one": {1, 1}} {
		d := zootest.TinyDims
		d.AudioT, d.VisionT = steps[0], steps[1]
		m, p := newTiny(t, d, "cpu64")
		if got := m.config.WarnDims(&d); !strings.HasPrefix(got, want) ||
			(want == "") != (got == "") {
			t.Errorf("%v frames: warning %q, want %s …", steps, got, want)
		}
		tp := ag.NewTape(p.Device())
		terms, _ := m.terms(tp, zoo.RandomBatch(p.Device(), &d, 4, 1))
		grads := tp.Backward(zoo.Total(tp, terms))
		for i, encoder := range []string{"encode.a", "encode.v"} {
			for _, x := range p.Sub(encoder).All() {
				g := grads[x.Tensor]
				norm := g.Dot(g)
				untrained := steps[i] == 1 && (strings.HasSuffix(x.Name, "queries") ||
					strings.HasSuffix(x.Name, "_log"))
				if math.IsNaN(norm) || untrained != (norm < 1e-25) {
					t.Errorf("%v frames: the gradient of %s has norm² %g", steps, x.Name, norm)
				}
			}
		}
	}
}

// TestLastBatchOfOne checks that a last batch of one utterance is not merged, and what its terms
// are: nothing is orthogonal, and only means differ.
func TestLastBatchOfOne(t *testing.T) {
	m, p := newTiny(t, zootest.TinyDims, "cpu64")
	if n := m.Phases()[0].MinBatch; n != 0 {
		t.Errorf("a last batch of less than %d samples is merged", n)
	}
	tp := ag.NewTape(p.Device())
	b := zoo.RandomBatch(p.Device(), &zootest.TinyDims, 1, 1)
	terms, _ := m.terms(tp, b)
	_, c, _ := m.tokens(tp, b.Corrupted)
	mean := tp.Reshape(m.means(tp, c), 3, width)
	apart := tp.Sub(mean, tp.Gather(mean, []int{1, 2, 0}))
	want := 12e-6 / 3.0 // of the four central moments of each pair
	for _, square := range tp.Sum(tp.Mul(apart, apart), 1).Values() {
		want += math.Sqrt(square+1e-12) / 3
	}
	zootest.Close(t, "L_diff and L_sim", 1e-14,
		[]float64{terms[1].Loss.Item(), terms[2].Loss.Item()}, []float64{0, want})
}

// TestAgreesWithPyTorch compares scores, terms of the loss and all gradients.
func TestAgreesWithPyTorch(t *testing.T) {
	var want struct {
		zootest.Golden
		Lengths map[string][]int
	}
	zootest.ReadGolden(t, "mascf_style", &want)
	c := &Config{Text: zoo.TextConfig{Finetune: true, Width: 8, Layers: 1, Heads: 2,
		FeedForward: 6}, Width: 6, Expand: 2, State: 3, Tokens: 3,
		Loss: zoo.ViewWeights{Diff: 0.3, Sim: 0.8, Recon: 0.9}}
	d := &zootest.TinyDims
	for device, tol := range map[string]zootest.Tolerance{
		"cpu64": {Value: 1e-9, Gradient: 1e-9}, "cpu": {Value: 1e-5, Gradient: 1e-4}} {
		t.Run(device, func(t *testing.T) {
			m, p := zootest.New(t, &Spec, c, device, *d)
			in := zootest.Sentences(p.Device(), want.Lengths["l"]...)
			in.Audio = zootest.NoiseTensor(p.Device(), 1001, 5, d.AudioT, d.AudioD)
			in.Vision = zootest.NoiseTensor(p.Device(), 1002, 5, d.VisionT, d.VisionD)
			in.AudioLen, in.VisionLen = want.Lengths["a"], want.Lengths["v"]
			want.Agrees(t, tol, m, p, &zoo.Batch{Corrupted: in,
				Label: zootest.NoiseTensor(p.Device(), 1003, 5), Epoch: 1})
		})
	}
}
