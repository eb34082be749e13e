package zootest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// predict checks the shapes of predictions, and that attention weights add up to 1.
func predict(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu", TinyDims)
	for _, n := range []int{1, 5} {
		y := m.Predict(ag.NewInferenceTape(p.Device()),
			zoo.RandomBatch(p.Device(), &TinyDims, n, 1).Corrupted)
		if got := y.Score.Shape(); !slices.Equal(got, []int{n}) {
			t.Errorf("the scores of %d samples have shape %v, want [%d]", n, got, n)
		}
		if y.Weight == nil {
			continue
		}
		if got := y.Weight.Shape(); !slices.Equal(got, []int{n, zoo.Modalities}) {
			t.Errorf("the weights of %d samples have shape %v, want [%d 3]", n, got, n)
			continue
		}
		for w := range slices.Chunk(y.Weight.Values(), zoo.Modalities) {
			if sum := w[0] + w[1] + w[2]; math.Abs(sum-1) > 1e-6 {
				t.Errorf("the weights %v add up to %g", w, sum)
			}
		}
	}
}

// readsEveryModality checks that predictions depend on each modality: other tokens or frames change
// them by more than 1e-4. The parameters are perturbed, because some initial ones are so small that
// a tiny model hardly reads its input: by little and by much, because much saturates attention.
func readsEveryModality(t testing.TB, s *zoo.Spec, c zoo.Config) {
	largest := map[string]float64{}
	for _, sd := range []float64{0.1, 0.3} {
		m, p := New(t, s, c, "cpu64", TinyDims)
		zoo.Perturb(p.All(), sd, rand.New(rand.NewPCG(1, 6)))
		in := *zoo.RandomBatch(p.Device(), &TinyDims, 4, 1).Corrupted
		other := zoo.RandomBatch(p.Device(), &TinyDims, 4, 2).Corrupted
		text, audio, vision := in, in, in
		text.IDs, audio.Audio, vision.Vision = other.IDs, other.Audio, other.Vision
		y := scores(m, &in)
		for name, changed := range map[string]zoo.Input{"text": text, "audio": audio,
			"vision": vision} {
			largest[name] = max(largest[name], meanDistance(scores(m, &changed), y))
		}
	}
	for name, d := range largest {
		if !(d > 1e-4) {
			t.Errorf("other %s changes the scores by %g on average", name, d)
		}
	}
}

// samplesAreIndependent checks that the prediction of a sample does not depend on the others in its
// batch: it is the same, up to rounding, among other samples.
func samplesAreIndependent(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu64", TinyDims)
	perturb(p)
	in := zoo.RandomBatch(p.Device(), &TinyDims, 4, 1).Corrupted
	other := zoo.RandomBatch(p.Device(), &TinyDims, 4, 2).Corrupted
	copyFirst(other.IDs, in.IDs)
	copyFirst(other.HostMask, in.HostMask)
	copyFirst(other.AudioLen, in.AudioLen)
	copyFirst(other.VisionLen, in.VisionLen)
	for to, from := range map[*ag.Tensor]*ag.Tensor{other.Mask: in.Mask, other.Audio: in.Audio,
		other.Vision: in.Vision} {
		v := to.Values()
		copyFirst(v, from.Values())
		to.Assign(v)
	}
	if got, want := scores(m, other)[0], scores(m, in)[0]; !(math.Abs(got-want) <= 1e-9) {
		t.Errorf("among other samples a sample has score %.12g, want %.12g", got, want)
	}
}

// copyFirst overwrites the first of four samples.
func copyFirst[E any](to, from []E) { copy(to[:len(to)/4], from) }

// scores returns ŷ.
func scores(m zoo.Model, in *zoo.Input) []float64 {
	return m.Predict(ag.NewInferenceTape(in.Audio.Device()), in).Score.Values()
}

// meanDistance returns the mean |a − b|.
func meanDistance(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += math.Abs(a[i]-b[i]) / float64(len(a))
	}
	return sum
}

// predictParams sets every parameter that is not in PredictParams to NaN: predictions stay
// finite. And each parameter in PredictParams has an effect on them: a gradient or, if only an
// earlier phase updates it and Predict holds it constant, another prediction when it changes. The
// same is true of buffers, on an inference tape: in training a batch norm does not read its own.
func predictParams(t testing.TB, s *zoo.Spec, c zoo.Config) {
	m, p := New(t, s, c, "cpu64", TinyDims)
	perturb(p)
	saved := m.PredictParams()
	for _, x := range p.State() {
		if !slices.Contains(Tensors(saved), x.Tensor) {
			x.Multiply(math.NaN())
		}
	}
	in := zoo.RandomBatch(p.Device(), &TinyDims, 8, 1).Corrupted
	tp := ag.NewTape(p.Device())
	tp.Seed(1)
	y := m.Predict(tp, in).Score
	loss := tp.Sum(tp.Mul(y, y))
	grads := tp.Backward(loss, loss, y)
	before := inferred(m, in)
	if math.IsNaN(loss.Item()) || slices.ContainsFunc(before, math.IsNaN) {
		t.Error("Predict reads a parameter or buffer that is not in PredictParams")
	}
	phases := m.Phases()
	last := &phases[len(phases)-1]
	for _, i := range gradcheck.ZeroGradient(grads, Tensors(saved)) {
		x, old := saved[i], saved[i].Values()
		if slices.Contains(last.Params(), x) {
			t.Errorf("%s is in PredictParams, phase %s updates it, and the prediction gives it "+
				"no gradient", x.Name, last.Name)
			continue
		}
		zoo.Perturb(saved[i:i+1], 0.1, rand.New(rand.NewPCG(7, 7)))
		if slices.Equal(inferred(m, in), before) {
			t.Errorf("%s is in PredictParams and has no effect on the prediction", x.Name)
		}
		x.Assign(old)
	}
}

// inferred returns the predictions for an input, without dropout.
func inferred(m zoo.Model, in *zoo.Input) []float64 {
	return m.Predict(ag.NewInferenceTape(in.Audio.Device()), in).Score.Values()
}
