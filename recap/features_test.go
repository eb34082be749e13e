package recap

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// seenFeatures returns the complete and the completed features of a batch.
func seenFeatures(
	tp *ag.Tape, m *Model, b *zoo.Batch,
) (complete, completed [zoo.Modalities]*ag.Tensor) {
	complete, _, _ = m.Inspect(tp, b.Complete)
	_, completed, _ = m.Inspect(tp, b.Corrupted)
	return complete, completed
}

// withoutDropout returns tiny without dropout.
func withoutDropout() Config {
	c := tiny()
	c.Text.Dropout = 0
	return c
}

// boundOf computes I_NCE from the two sides of a separable critic, with loops.
func boundOf(u, v *ag.Tensor) float64 {
	n, e := u.Shape()[0], u.Shape()[1]
	x, y := u.Values(), v.Values()
	bound := 0.0
	for i := range n {
		sum, own := 0.0, 0.0
		for j := range n {
			f := 0.0
			for k := range e {
				f += x[j*e+k] * y[i*e+k] / math.Sqrt(float64(e))
			}
			sum += math.Exp(f)
			if i == j {
				own = f
			}
		}
		bound += (own - math.Log(sum) + math.Log(float64(n))) / float64(n)
	}
	return bound
}

// TestFeaturesAgreeWithTerms checks that the features which plots show are those from which the
// terms of stage 1 are computed: the bounds of language and vision from the vectors of Subspaces,
// and the errors of the reconstruction.
func TestFeaturesAgreeWithTerms(t *testing.T) {
	m, dev := newTiny(t, "cpu64", withoutDropout(), tinyDims)
	b := sample(dev, tinyDims, 8)
	terms := map[string]float64{}
	for _, term := range termsOf(ag.NewTape(dev), m.Phases()[0], b) {
		terms[term.Name] = term.Loss.Item()
	}
	same := func(name string, got float64) {
		t.Helper()
		if want, ok := terms[name]; !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %g in the snapshot, %g in the loss", name, got, want)
		}
	}
	tp := ag.NewInferenceTape(dev)
	complete, completed := seenFeatures(tp, m, b)
	shared, unique, ok := m.Subspaces(tp, completed[zoo.Language], completed[zoo.Vision])
	if !ok {
		t.Fatal("no subspaces")
	}
	same("nce_common_lv", boundOf(shared[0], shared[1]))
	q := m.pairs[1]
	for i, own := range []*estimator{q.own1, q.own2} {
		modality := []zoo.Modality{q.m1, q.m2}[i]
		u, _ := own.sides(tp, []*ag.Tensor{m.criticInput(tp, complete[modality])},
			[]*ag.Tensor{m.criticInput(tp, completed[modality])})
		same([]string{"nce_own1_lv", "nce_own2_lv"}[i], boundOf(u, unique[i]))
	}
	target, made, ok := m.Reconstruct(tp, complete, completed)
	if !ok {
		t.Fatal("no reconstructors")
	}
	for i := range target {
		same("rec_"+zoo.Modality(i).String(), tp.MSE(made[i], target[i]).Item())
	}
}

// TestSnapshotIsEnoughForPlots loads another model with the parameters that prediction needs, as
// stage 2 leaves them, and then with the snapshot of stage 1: its plots are those of the end of
// stage 1. The snapshot contains nothing that they do not need.
func TestSnapshotIsEnoughForPlots(t *testing.T) {
	m, dev := newTiny(t, "cpu", withoutDropout(), tinyDims)
	other := New(nn.NewParams(dev, rand.New(rand.NewPCG(9, 9))), withoutDropout(), tinyDims)
	b := sample(dev, tinyDims, 8)
	all := func(m *Model) []float64 {
		tp := ag.NewInferenceTape(dev)
		complete, completed := seenFeatures(tp, m, b)
		shared, unique, _ := m.Subspaces(tp, completed[zoo.Language], completed[zoo.Vision])
		target, made, _ := m.Reconstruct(tp, complete, completed)
		var values []float64
		for _, x := range slices.Concat(shared[:], unique[:], completed[:], target[:], made[:]) {
			values = append(values, x.Values()...)
		}
		return values
	}
	save := func(ps []nn.Param) []byte {
		var file bytes.Buffer
		if err := nn.Save(&file, ps, nil); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	want, kept := all(m), save(m.Phases()[0].Snapshot)
	for _, p := range m.params("embed", "fuse") { // as stage 2 does
		change(p)
	}
	if err := errors.Join(nn.Load(save(m.PredictParams()), other.PredictParams()),
		nn.Load(kept, other.Phases()[0].Snapshot)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(all(other), want) {
		t.Error("a model with what is kept shows something else")
	}
	for _, p := range other.Phases()[0].Snapshot {
		old := p.Values()
		change(p)
		if slices.Equal(all(other), want) && !withoutEffect(p.Name) {
			t.Errorf("%s is kept, but nothing that is shown depends on it", p.Name)
		}
		p.Assign(old)
	}
}

// change changes a parameter.
func change(p nn.Param) {
	v := p.Values()
	for i := range v {
		v[i] += 0.5 * float64(i%3+1)
	}
	p.Assign(v)
}

// withoutEffect reports whether a parameter of the snapshot has no effect on the plots: the half of
// an estimator of L_unique that reads X_m, since estimators are saved as a unit, and the bias of
// keys, which softmax ignores.
func withoutEffect(name string) bool {
	for _, half := range []string{"fid.lv.own_1.head_x", "fid.lv.own_1.critic.g",
		"fid.lv.own_2.head_x", "fid.lv.own_2.critic.g"} {
		if strings.HasPrefix(name, half) {
			return true
		}
	}
	return strings.HasSuffix(name, ".key.bias")
}

// TestFeaturesOfVariants checks which variants have features for the plots.
func TestFeaturesOfVariants(t *testing.T) {
	for _, v := range Spec.AllVariants() {
		c := tiny()
		v.Apply(&c)
		m, dev := newTiny(t, "cpu", c, tinyDims)
		tp := ag.NewInferenceTape(dev)
		complete, completed := seenFeatures(tp, m, sample(dev, tinyDims, 8))
		_, _, spaces := m.Subspaces(tp, completed[zoo.Language], completed[zoo.Vision])
		if want := !slices.Contains([]string{"no-fid", "no-shared", "no-unique", "no-lv",
			"no-stage1"}, v.Name); spaces != want {
			t.Errorf("%s: subspaces %v, want %v", v.Name, spaces, want)
		}
		_, _, rebuilt := m.Reconstruct(tp, complete, completed)
		if want := !slices.Contains([]string{"no-reconstructor", "no-stage1"},
			v.Name); rebuilt != want {
			t.Errorf("%s: reconstructed %v, want %v", v.Name, rebuilt, want)
		}
	}
}
