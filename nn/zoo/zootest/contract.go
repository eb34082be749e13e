package zootest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// contract checks names and numbers of phases, passes and terms, that terms have titles, that a
// pass has each parameter once, and PredictParams too, in the order of their creation.
func contract(t testing.TB, s *zoo.Spec, c zoo.Config) {
	if s.Name == "" || s.Label == "" || s.Paper == "" {
		t.Errorf("the spec has name %q, label %q and paper %q", s.Name, s.Label, s.Paper)
	}
	m, p := New(t, s, c, "cpu64", TinyDims)
	state := p.State()
	for _, x := range m.PredictParams() {
		i := slices.Index(state, x)
		if i < 0 {
			t.Errorf("PredictParams: %s is out of order or there twice", x.Name)
			break
		}
		state = state[i+1:]
	}
	_, training := s.Preset("quick", "")
	for _, ph := range m.Phases() {
		if _, ok := training.Epochs[ph.Name]; !ok {
			t.Errorf("the preset has no epochs of phase %s", ph.Name)
		}
		var passes, terms []string
		b := zoo.RandomBatch(p.Device(), &TinyDims, 8, 1)
		newMemory(&ph, b)
		for _, pass := range ph.Passes {
			if slices.Contains(passes, pass.Name) || pass.Name == "" && len(ph.Passes) > 1 {
				t.Errorf("%s: two passes are called %q", ph.Name, pass.Name)
			}
			passes = append(passes, pass.Name)
			for i, x := range pass.Params {
				if slices.Contains(pass.Params[:i], x) {
					t.Errorf("%s: a pass has %s twice", ph.Name, x.Name)
				}
			}
			for _, g := range pass.Groups {
				for _, x := range g.Params {
					if !slices.Contains(pass.Params, x) {
						t.Errorf("%s: group %s has %s, which the pass does not update", ph.Name,
							g.Name, x.Name)
					}
				}
			}
			list, _ := pass.Terms(ag.NewTape(p.Device()), b)
			for _, term := range list {
				if slices.Contains(terms, term.Name) || term.Name == "loss" {
					t.Errorf("%s: two terms are called %q", ph.Name, term.Name)
				}
				terms = append(terms, term.Name)
				if !slices.ContainsFunc(s.Terms, func(x zoo.TermTitle) bool {
					return term.Name == x.Name || strings.HasPrefix(term.Name, x.Name+"_")
				}) {
					t.Errorf("%s: the spec has no title for the term %s", ph.Name, term.Name)
				}
			}
		}
	}
}

// planned checks that a plan of the model has the shapes of the model itself.
func planned(t testing.TB, s *zoo.Spec, c zoo.Config) {
	_, p := New(t, s, c, "cpu", TinyDims)
	planOnly, plan := nn.PlanParams()
	s.New(planOnly, c, TinyDims)
	size := 0
	for i, x := range p.State() {
		size += x.Len()
		if i >= len(plan.Names) || !slices.Equal(plan.Shapes[x.Name], x.Shape()) {
			t.Errorf("%s: planned with shape %v, want %v", x.Name, plan.Shapes[x.Name], x.Shape())
		}
	}
	if size != plan.Size || len(plan.Names) != len(p.State()) {
		t.Errorf("%d numbers in %d tensors are planned, want %d in %d", plan.Size,
			len(plan.Names), size, len(p.State()))
	}
}

// result holds what Terms returns, on the host.
type result struct {
	names   []string
	weights []float64
	losses  []float64
	updates [][]float64
}

func resultOf(tp *ag.Tape, pass zoo.Pass, b *zoo.Batch) (r result) {
	tp.Reset()
	tp.Seed(1)
	terms, updates := pass.Terms(tp, b)
	for _, term := range terms {
		r.names, r.weights, r.losses = append(r.names, term.Name), append(r.weights,
			term.Weight), append(r.losses, term.Loss.Item())
	}
	for _, u := range updates {
		r.updates = append(r.updates, u.Rows.Values())
	}
	return r
}

func (r result) equal(o result) bool {
	return slices.Equal(r.names, o.names) && slices.Equal(r.weights, o.weights) &&
		slices.Equal(r.losses, o.losses) &&
		equal(r.updates, o.updates)
}

// noSideEffects calls Terms twice with the same batch: it returns the same values, and changes
// neither parameters nor memory nor the batch. Applying the updates that it returns changes the
// memory.
func noSideEffects(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu", TinyDims)
	for _, ph := range m.Phases() {
		b := zoo.RandomBatch(p.Device(), &TinyDims, 8, 1)
		memory := newMemory(&ph, b)
		start := valuesOf(memory)
		tp := ag.NewTape(p.Device())
		for b.Epoch = 1; b.Epoch <= 3; b.Epoch++ {
			for _, pass := range ph.Passes {
				state := valuesOf(slices.Concat(p.All(), memory))
				index, ids := slices.Clone(b.Index), slices.Clone(b.Corrupted.IDs)
				first := resultOf(tp, pass, b)
				if !equal(valuesOf(slices.Concat(p.All(), memory)), state) {
					t.Errorf("%s, epoch %d: Terms changes parameters or memory", ph.Name, b.Epoch)
				}
				if !slices.Equal(b.Index, index) || !slices.Equal(b.Corrupted.IDs, ids) {
					t.Errorf("%s, epoch %d: Terms changes the batch", ph.Name, b.Epoch)
				}
				if again := resultOf(tp, pass, b); !again.equal(first) {
					t.Errorf("%s, epoch %d: Terms returns %v, and then %v for the same batch",
						ph.Name, b.Epoch, first, again)
				}
				_, updates := pass.Terms(tp, b)
				zoo.Apply(tp, updates)
			}
		}
		if memory != nil && equal(valuesOf(memory), start) {
			t.Errorf("%s: the memory is as NewMemory made it after three epochs", ph.Name)
		}
	}
}

// newMemory allocates the phase's memory for the samples of a batch, if it has one.
func newMemory(ph *zoo.Phase, b *zoo.Batch) []nn.Param {
	if ph.NewMemory == nil {
		return nil
	}
	return ph.NewMemory(labels(b))
}

func valuesOf(ps []nn.Param) [][]float64 {
	all := make([][]float64, len(ps))
	for i, p := range ps {
		all[i] = p.Values()
	}
	return all
}

func equal(a, b [][]float64) bool { return slices.EqualFunc(a, b, slices.Equal[[]float64]) }

// readsWhatItNeeds checks Supervised, NeedsComplete and NeedsKeepMasks: parts of the batch that a
// phase needs change its terms, and its terms are the same without the other parts.
func readsWhatItNeeds(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu", TinyDims)
	perturb(p)
	other := zoo.RandomBatch(p.Device(), &TinyDims, 8, 2)
	for _, ph := range m.Phases() {
		b := zoo.RandomBatch(p.Device(), &TinyDims, 8, 1)
		newMemory(&ph, b)
		want := resultsOf(&ph, b)

		absent, changed := *b, *b
		if changed.Label = other.Label; !ph.Supervised {
			absent.Label = nil
		} else if resultsAre(want, resultsOf(&ph, &changed)) {
			t.Errorf("%s says Supervised, but its terms do not depend on the labels", ph.Name)
		}
		changed = *b
		if changed.Complete = other.Complete; !ph.NeedsComplete {
			absent.Complete = nil
		} else if resultsAre(want, resultsOf(&ph, &changed)) {
			t.Errorf("%s says NeedsComplete, but its terms do not depend on the complete input",
				ph.Name)
		}
		changed = *b
		if changed.KeepMasks = inverted(b.KeepMasks); !ph.NeedsKeepMasks {
			absent.KeepMasks = [zoo.Modalities]*ag.Tensor{}
		} else if resultsAre(want, resultsOf(&ph, &changed)) {
			t.Errorf("%s says NeedsKeepMasks, but its terms do not depend on the keep masks",
				ph.Name)
		}
		defer func() {
			if err := recover(); err != nil {
				t.Errorf("%s reads of the batch what it does not say that it needs: %v",
					ph.Name, err)
			}
		}()
		if !resultsAre(want, resultsOf(&ph, &absent)) {
			t.Errorf("%s: terms depend on what the phase does not say that it needs", ph.Name)
		}
	}
}

func resultsOf(ph *zoo.Phase, b *zoo.Batch) []result {
	tp := ag.NewTape(b.Corrupted.Audio.Device())
	all := make([]result, len(ph.Passes))
	for i, pass := range ph.Passes {
		all[i] = resultOf(tp, pass, b)
	}
	return all
}

func resultsAre(want, got []result) bool { return slices.EqualFunc(want, got, result.equal) }

// inverted returns masks with 0 and 1 exchanged.
func inverted(masks [zoo.Modalities]*ag.Tensor) (inv [zoo.Modalities]*ag.Tensor) {
	for i, x := range masks {
		v := x.Values()
		for j := range v {
			v[j] = 1 - v[j]
		}
		inv[i] = ag.NewTensor(x.Device(), v, x.Shape()...)
	}
	return inv
}

// PhasesAre compares what PredictParams and Phases of a model say, in words, with want. Terms are
// in the order in which they are added up.
func PhasesAre(t *testing.T, s *zoo.Spec, c zoo.Config, want ...string) {
	t.Helper()
	m, p := New(t, s, c, "cpu", TinyDims)
	got := []string{"predict: " + prefixes(m.PredictParams(), p.State())}
	for _, ph := range m.Phases() {
		got = append(got, phaseInWords(&ph, m, p)...)
	}
	d := TinyBERT()
	d.BERT.Layers, c.TextEncoder().BERT = c.TextEncoder().Layers, "somewhere"
	m, _ = New(t, s, c, "cpu", d)
	for _, ph := range m.Phases() {
		for _, pass := range ph.Passes {
			line := fmt.Sprintf("groups of pass %s with a pretrained text encoder:", pass.Name)
			for _, g := range pass.Groups {
				line += fmt.Sprintf(" %s %d", g.Name, len(g.Params))
			}
			got = append(got, line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("phases\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func phaseInWords(ph *zoo.Phase, m zoo.Model, p *nn.Params) []string {
	b := zoo.RandomBatch(p.Device(), &TinyDims, 8, 1)
	line := fmt.Sprintf("phase %s: batches of %d or more; labels %t, complete input %t, keep "+
		"masks %t", ph.Name, max(1, ph.MinBatch), ph.Supervised, ph.NeedsComplete,
		ph.NeedsKeepMasks)
	for _, x := range newMemory(ph, b) {
		line += fmt.Sprintf("; %s %v", x.Name, x.Shape())
	}
	lines := []string{line}
	for _, pass := range ph.Passes {
		line := fmt.Sprintf("pass %s: %s", pass.Name, prefixes(pass.Params, p.All()))
		for _, g := range pass.Groups {
			line += fmt.Sprintf("; group %s, decay %t: %s", g.Name, !g.NoDecay,
				prefixes(g.Params, p.All()))
		}
		if pass.ClipParams != nil {
			line += "; norm of " + prefixes(pass.ClipParams, p.All())
		}
		terms, _ := pass.Terms(ag.NewTape(p.Device()), b)
		line += "; terms"
		for _, term := range terms {
			line += " " + term.Name
		}
		lines = append(lines, line)
	}
	return lines
}

// prefixes returns the shortest prefixes of names of which all parameters are in list, in order.
func prefixes(list, all []nn.Param) string {
	var found []string
	for _, x := range list {
		parts := strings.Split(x.Name, ".")
		for n := range parts {
			prefix := strings.Join(parts[:n+1], ".")
			if slices.ContainsFunc(all, func(y nn.Param) bool {
				return strings.HasPrefix(y.Name+".", prefix+".") && !slices.Contains(list, y)
			}) {
				continue
			}
			if !slices.Contains(found, prefix) {
				found = append(found, prefix)
			}
			break
		}
	}
	return strings.Join(found, " ")
}

// ClassesAre checks that a model for three classes returns logits and that the terms of its loss
// depend on the classes, and do not need labels.
func ClassesAre(t *testing.T, s *zoo.Spec, c zoo.Config) {
	t.Helper()
	d := TinyDims
	d.Classes = 3
	m, p := New(t, s, c, "cpu", d)
	b := zoo.RandomBatch(p.Device(), &d, 8, 1)
	b.Label = nil
	y := m.Predict(ag.NewInferenceTape(p.Device()), b.Corrupted).Score
	if !slices.Equal(y.Shape(), []int{8, 3}) {
		t.Errorf("logits have shape %v, want [8 3]", y.Shape())
	}
	for _, ph := range m.Phases() {
		before := resultsOf(&ph, b)
		for i, class := range b.Class {
			b.Class[i] = (class + 1) % 3
		}
		if resultsAre(before, resultsOf(&ph, b)) {
			t.Errorf("%s: the loss does not depend on the classes", ph.Name)
		}
	}
}

// A Preset is what a preset of a model contains.
type Preset struct {
	Config   zoo.Config
	Training zoo.Training
}

// PresetsAre compares the whole presets of a model: "paper" for mosi, which other data sets share,
// mosei and sims, and "quick" for all.
func PresetsAre(t *testing.T, s *zoo.Spec, paper map[string]Preset, quick Preset) {
	t.Helper()
	for _, dataset := range []string{"mosi", "mosei", "sims", "synthetic"} {
		want, ok := paper[dataset]
		if !ok {
			want = paper["mosi"]
		}
		for name, want := range map[string]Preset{"paper": want, "quick": quick} {
			c, training := s.Preset(name, dataset)
			if !reflect.DeepEqual(c, want.Config) {
				t.Errorf("%s, %s: %+v, want %+v", name, dataset, c, want.Config)
			}
			if !reflect.DeepEqual(training, want.Training) {
				t.Errorf("%s, %s: %+v, want %+v", name, dataset, training, want.Training)
			}
		}
	}
}

// presets checks every preset of a model.
func presets(t testing.TB, s *zoo.Spec, _ zoo.Config) {
	for _, preset := range []string{"quick", "paper"} {
		for _, dataset := range []string{"mosi", "mosei", "sims", "other"} {
			c, training := s.Preset(preset, dataset)
			if err := c.Check(); err != nil {
				t.Errorf("%s, %s: %v", preset, dataset, err)
			}
			_, text := training.Groups["text"]
			if training.Batch < 1 || training.Accumulate < 1 || training.LR <= 0 ||
				len(training.Epochs) == 0 || !text {
				t.Errorf("%s, %s: training %+v", preset, dataset, training)
			}
			for name, g := range training.Groups {
				if !(g.LR > 0) {
					t.Errorf("%s, %s: group %s has learning rate %g", preset, dataset, name, g.LR)
				}
			}
			for phase := range training.Epochs {
				training.Epochs[phase] = -1
				if _, again := s.Preset(preset, dataset); again.Epochs[phase] == -1 {
					t.Errorf("%s, %s: presets share a map", preset, dataset)
				}
			}
		}
	}
}
