package zootest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A broken model is the toy with one defect.
type broken struct {
	*toy
	p       *nn.Params
	phase   zoo.Phase
	saved   []nn.Param
	predict func(tp *ag.Tape, in *zoo.Input) zoo.Output
}

func (m *broken) Phases() []zoo.Phase                           { return []zoo.Phase{m.phase} }
func (m *broken) PredictParams() []nn.Param                     { return m.saved }
func (m *broken) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output { return m.predict(tp, in) }

// "task"
func (m *broken) pass() *zoo.Pass { return &m.phase.Passes[1] }

// terms makes the pass "task" call f at the end of its Terms.
func (m *broken) terms(f func(tp *ag.Tape, b *zoo.Batch, r *terms)) {
	m.pass().Terms = func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
		r := &terms{}
		r.list, r.updates = m.taskTerms(tp, b)
		f(tp, b, r)
		return r.list, r.updates
	}
}

// terms holds what Terms returns.
type terms struct {
	list    []zoo.Term
	updates []zoo.MemoryUpdate
}

// specOf returns the toy's spec with a defect.
func specOf(defect func(m *broken)) *zoo.Spec {
	s := toySpec
	s.New = func(p *nn.Params, c zoo.Config, d zoo.Dims) zoo.Model {
		m := &broken{toy: toySpec.New(p, c, d).(*toy), p: p}
		m.phase, m.saved, m.predict = m.toy.Phases()[0], m.toy.PredictParams(), m.toy.Predict
		defect(m)
		return m
	}
	return &s
}

// unused adds a parameter that no loss reads.
func unused(m *broken) nn.Param {
	m.p.New("unused", nn.Ones, 2)
	all := m.p.All()
	return all[len(all)-1]
}

// normalize adds a batch norm, whose running statistics Predict reads, and returns its parameters.
func (m *broken) normalize() *nn.Params {
	p := m.p.Sub("norm")
	norm := nn.NewBatchNorm1d(p, 1)
	m.predict = func(tp *ag.Tape, in *zoo.Input) zoo.Output {
		score := m.toy.Predict(tp, in).Score
		return zoo.Output{Score: tp.Reshape(norm.Forward(tp, tp.Reshape(score, -1, 1)), -1)}
	}
	return p
}

// defects lists for each check models that it must refuse, with a part of the message.
var defects = []struct {
	check, want string
	spec        *zoo.Spec
}{
	{"Contract", `two passes are called "repair"`, specOf(func(m *broken) {
		m.pass().Name = "repair"
	})},
	{"Contract", "no epochs of phase other", specOf(func(m *broken) { m.phase.Name = "other" })},
	{"Contract", "which the pass does not update", specOf(func(m *broken) {
		m.pass().Groups = m.phase.Passes[0].Groups
	})},
	{"Contract", "train: a pass has head.bias twice", specOf(func(m *broken) {
		all := m.pass().Params
		m.pass().Params = append(all, all[len(all)-1])
	})},
	{"Contract", "PredictParams: head.weight is out of order", specOf(func(m *broken) {
		slices.Reverse(m.saved)
	})},
	{"Contract", `two terms are called "task"`, specOf(func(m *broken) {
		m.terms(func(_ *ag.Tape, _ *zoo.Batch, r *terms) { r.list[1].Name = "task" })
	})},
	{"Contract", "no title for the term other", specOf(func(m *broken) {
		m.terms(func(_ *ag.Tape, _ *zoo.Batch, r *terms) { r.list[1].Name = "other" })
	})},

	{"Plan", "are planned, want", specOf(func(m *broken) {
		if m.p.Device() != nil {
			m.p.New("unplanned", nn.Ones, 2)
		}
	})},

	{"TermsHaveNoSideEffects", "Terms changes parameters or memory", specOf(func(m *broken) {
		m.terms(func(tp *ag.Tape, _ *zoo.Batch, r *terms) { zoo.Apply(tp, r.updates) })
	})},
	{"TermsHaveNoSideEffects", "Terms changes parameters or memory", specOf(func(m *broken) {
		m.terms(func(*ag.Tape, *zoo.Batch, *terms) {
			m.repair.B.Assign(make([]float64, m.repair.B.Len()))
		})
		m.repair.B.Assign([]float64{1, 2, 3})
	})},
	{"TermsHaveNoSideEffects", "for the same batch", specOf(func(m *broken) {
		calls := 0.0
		m.terms(func(tp *ag.Tape, _ *zoo.Batch, r *terms) {
			calls++
			r.list[0].Loss = tp.Scale(r.list[0].Loss, calls)
		})
	})},
	{"TermsHaveNoSideEffects", "Terms changes the batch", specOf(func(m *broken) {
		m.terms(func(_ *ag.Tape, b *zoo.Batch, _ *terms) { slices.Reverse(b.Index) })
	})},
	{"TermsHaveNoSideEffects", "the memory is as NewMemory made it", specOf(func(m *broken) {
		m.terms(func(_ *ag.Tape, _ *zoo.Batch, r *terms) { r.updates = nil })
	})},

	{"ReadsWhatItNeeds", "does not say that it needs", specOf(func(m *broken) {
		m.phase.Supervised = false
	})},
	{"ReadsWhatItNeeds", "does not say that it needs", specOf(func(m *broken) {
		m.phase.NeedsComplete = false
	})},
	{"ReadsWhatItNeeds", "does not say that it needs", specOf(func(m *broken) {
		m.phase.NeedsKeepMasks = false
	})},
	{"ReadsWhatItNeeds", "do not depend on the labels", specOf(func(m *broken) {
		m.phase.Passes = m.phase.Passes[:1]
	})},
	{"ReadsWhatItNeeds", "do not depend on the complete input", specOf(func(m *broken) {
		m.phase.Passes = m.phase.Passes[1:]
	})},
	{"ReadsWhatItNeeds", "do not depend on the keep masks", specOf(func(m *broken) {
		m.phase.Passes = m.phase.Passes[1:]
	})},

	{"EveryParameterHasAGradient", "unused has no gradient", specOf(func(m *broken) {
		m.pass().Params = append(m.pass().Params, unused(m))
	})},
	{"EveryParameterHasAGradient", "no phase updates unused", specOf(func(m *broken) {
		unused(m)
	})},
	{"Derivative", "derivative along a random direction", specOf(func(m *broken) {
		m.terms(func(tp *ag.Tape, _ *zoo.Batch, r *terms) {
			x := r.list[0].Loss
			y := tp.Empty()
			tp.Unrecorded(func() { y = tp.Scale(x, 1) })
			r.list[0].Loss = tp.Record("Wrong", y, ag.Wrt(x, func(g *ag.Tensor) *ag.Tensor {
				return tp.Scale(g, 1.001)
			}))
		})
	})},
	{"Derivative", "toy panics: not today", specOf(func(m *broken) {
		m.terms(func(*ag.Tape, *zoo.Batch, *terms) { panic("not today") })
	})},

	{"SmallestBatch", "a batch of 1 has loss NaN", specOf(func(m *broken) {
		m.terms(func(tp *ag.Tape, b *zoo.Batch, r *terms) {
			x := tp.Sub(b.Label, tp.Mean(b.Label))
			r.list[0].Loss = tp.Add(r.list[0].Loss, tp.Mean(tp.Div(x, x)))
		})
	})},

	{"OverfitsFourSamples", "want less than 0.15", specOf(func(m *broken) {
		m.terms(func(tp *ag.Tape, b *zoo.Batch, r *terms) {
			r.list[0].Loss = tp.MSE(m.Predict(tp, b.Corrupted).Score, tp.Neg(b.Label))
		})
	})},
	{"OverfitsFourSamples", "mean absolute error is 1.500", specOf(func(m *broken) {
		m.predict = func(tp *ag.Tape, in *zoo.Input) zoo.Output {
			y := m.toy.Predict(tp, in).Score
			return zoo.Output{Score: tp.Add(tp.Scale(y, 0), tp.Mean(y))}
		}
	})},
	{"OverfitsFourSamples", "training does not change head.weight", specOf(func(m *broken) {
		m.pass().Params = slices.DeleteFunc(m.pass().Params, func(x nn.Param) bool {
			return x.Tensor == m.head.W
		})
	})},
	{"SeparatesClasses", "want [4 3]", classes(specOf(func(*broken) {}))},
	{"SeparatesClasses", "the logits of sample", classes(specOf(func(m *broken) {
		m.predict = func(tp *ag.Tape, in *zoo.Input) zoo.Output {
			return zoo.Output{Score: tp.Full(0, in.Batch(), 3)}
		}
		m.pass().Terms = func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
			score := m.toy.Predict(tp, b.Corrupted).Score
			return []zoo.Term{{Name: "task", Weight: 1, Loss: tp.MSE(score, b.Label)}}, nil
		}
	}))},
	{"StepsAllocateNothing", "want no new ones", specOf(func(m *broken) {
		m.terms(func(tp *ag.Tape, b *zoo.Batch, _ *terms) {
			ag.NewTensor(m.p.Device(), make([]float64, 8), 8)
		})
	})},
	{"ActivationCheckpointing", "head.bias has other bits", specOf(func(m *broken) {
		calls := 1.0
		m.terms(func(tp *ag.Tape, _ *zoo.Batch, r *terms) {
			x := r.list[0].Loss
			r.list[0].Loss = tp.Scope(func() *ag.Tensor {
				calls /= 2
				return tp.Scale(x, calls)
			})
		})
	})},

	{"Predict", "have shape [5 1]", specOf(func(m *broken) {
		m.predict = func(tp *ag.Tape, in *zoo.Input) zoo.Output {
			return zoo.Output{Score: tp.Reshape(m.toy.Predict(tp, in).Score, -1, 1)}
		}
	})},
	{"Predict", "add up to 3", specOf(func(m *broken) {
		m.predict = func(tp *ag.Tape, in *zoo.Input) zoo.Output {
			return zoo.Output{Score: m.toy.Predict(tp, in).Score,
				Weight: tp.Full(1, in.Batch(), 3)}
		}
	})},
	{"Predict", "the weights of 5 samples have shape", specOf(func(m *broken) {
		m.predict = func(tp *ag.Tape, in *zoo.Input) zoo.Output {
			return zoo.Output{Score: m.toy.Predict(tp, in).Score,
				Weight: tp.Full(0.5, in.Batch(), 2)}
		}
	})},
	{"ReadsEveryModality", "other text changes", fixed(func(in, batch *zoo.Input) {
		in.IDs = batch.IDs
	})},
	{"ReadsEveryModality", "other audio changes", fixed(func(in, batch *zoo.Input) {
		in.Audio = batch.Audio
	})},
	{"ReadsEveryModality", "other vision changes", fixed(func(in, batch *zoo.Input) {
		in.Vision = batch.Vision
	})},
	{"SamplesAreIndependent", "among other samples", specOf(func(m *broken) {
		m.predict = func(tp *ag.Tape, in *zoo.Input) zoo.Output {
			y := m.toy.Predict(tp, in).Score
			return zoo.Output{Score: tp.Sub(y, tp.Mean(y))}
		}
	})},
	{"PredictParams", "Predict reads a parameter or buffer that is not in PredictParams",
		specOf(func(m *broken) {
			m.saved = m.saved[:len(m.saved)-1]
		})},
	{"PredictParams", "Predict reads a parameter or buffer that is not in PredictParams",
		specOf(func(m *broken) { m.saved = append(m.saved, m.normalize().All()...) })},
	{"PredictParams", "unread is in PredictParams and has no effect", specOf(func(m *broken) {
		m.p.NewBuffer("unread", nn.Ones, 2)
		m.saved = append(m.saved, m.p.Buffers()...)
	})},
	{"PredictParams", "has no effect on the prediction", specOf(func(m *broken) {
		m.saved = append(m.saved, unused(m))
	})},
	{"PredictParams", "gives it no gradient", specOf(func(m *broken) { m.saved = m.p.All() })},

	{"FrozenTextEncoder", "of a frozen encoder", specOf(func(m *broken) {
		m.pass().Params = m.main(m.p.All())
	})},
	{"FrozenTextEncoder", "is not among the parameters of the prediction", specOf(func(m *broken) {
		m.saved = m.p.Sub("head").All()
	})},
	{"PretrainedTextEncoder", "is in no group", specOf(func(m *broken) { m.pass().Groups = nil })},
	{"PretrainedTextEncoder", "which is in another group or not updated", specOf(func(m *broken) {
		m.pass().Groups = slices.Repeat(m.pass().Groups, 2)
	})},

	{"Presets", "training {Batch:0", withPreset(func(_ *toyConfig, t *zoo.Training) {
		t.Batch = 0
	})},
	{"Presets", "group repair has learning rate 0", withPreset(
		func(_ *toyConfig, t *zoo.Training) {
			t.Groups["repair"] = zoo.GroupTraining{}
		})},
	{"Presets", "text.width is 0", withPreset(func(c *toyConfig, _ *zoo.Training) {
		c.Text.Width = 0
	})},
	{"Presets", "presets share a map", withPreset(func(_ *toyConfig, t *zoo.Training) {
		t.Epochs = shared
	})},

	{"GPUGradients", "on the GPU", specOf(inexactOnGPU)},
	{"GPUTraining", "on the GPU", specOf(inexactOnGPU)},
}

var shared = map[string]int{"train": 2}

// inexactOnGPU makes the loss 1 % larger than in double precision.
func inexactOnGPU(m *broken) {
	m.terms(func(tp *ag.Tape, _ *zoo.Batch, r *terms) {
		if tp.Device().Bits() == 32 {
			r.list[0].Loss = tp.Scale(r.list[0].Loss, 1.01)
		}
	})
}

// fixed returns the spec of a model that predicts from a part of one batch, whatever the input.
func fixed(replace func(in, batch *zoo.Input)) *zoo.Spec {
	return specOf(func(m *broken) {
		m.predict = func(tp *ag.Tape, in *zoo.Input) zoo.Output {
			other := *in
			replace(&other, zoo.RandomBatch(m.p.Device(), &TinyDims, in.Batch(), 9).Corrupted)
			return m.toy.Predict(tp, &other)
		}
	})
}

// classes returns the spec of a model that says it can predict classes.
func classes(s *zoo.Spec) *zoo.Spec {
	s.Regression = false
	return s
}

// withPreset returns the toy's spec with another preset.
func withPreset(change func(*toyConfig, *zoo.Training)) *zoo.Spec {
	s := toySpec
	s.Preset = func(preset, dataset string) (zoo.Config, zoo.Training) {
		c, training := toySpec.Preset(preset, dataset)
		change(c.(*toyConfig), &training)
		return c, training
	}
	return &s
}

// A recorder records the errors of a test.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Helper()             {}
func (r *recorder) Error(args ...any)   { r.errors = append(r.errors, fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(f, args...))
}
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any) { r.Errorf(f, args...); runtime.Goexit() }
func (r *recorder) Skip(args ...any)             { runtime.Goexit() }

// errorsOf returns the errors that a check reports for the tiny toy with a spec.
func errorsOf(c check, s *zoo.Spec) []string {
	r, done := &recorder{}, make(chan bool)
	go func() {
		defer close(done)
		c.run(r, s, &toyConfig{TinyText()})
	}()
	<-done
	return r.errors
}

// TestChecksRefuseBrokenModels gives each check models with one defect. Each check has such a
// model.
func TestChecksRefuseBrokenModels(t *testing.T) {
	for _, c := range slices.Concat(checks, gpuChecks) {
		refused := 0
		for _, d := range defects {
			if d.check != c.name {
				continue
			}
			refused++
			if errors := strings.Join(errorsOf(c, d.spec), "\n"); !strings.Contains(errors,
				d.want) {
				t.Errorf("%s: errors %q, want %q", c.name, errors, d.want)
			}
		}
		if refused == 0 {
			t.Errorf("%s: no model with a defect shows that it can fail", c.name)
		}
	}
}
