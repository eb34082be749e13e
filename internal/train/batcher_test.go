package train

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestMaskedOnTheDevice compares the corrupted frames that the device computes with those that the
// host copies, signs of zeros included.
func TestMaskedOnTheDevice(t *testing.T) {
	set, _ := datasets.Synthetic(datasets.SyntheticConfig{Train: 5, LanguageSteps: 6,
		AudioSteps: 9, VisionSteps: 7, AudioDim: 3, VisionDim: 2})
	s, index := set.Train, []int{4, 1, 2}
	for i := range s.Audio.X {
		if i%5 == 0 {
			s.Audio.X[i] = float32(math.Copysign(0, -1))
		}
	}
	rates := datasets.FixedRates(s.Len(), 0.5)
	dev, err := ag.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*datasets.KeepMasks{s.KeepMasks(rates), nil} {
		var f batcher
		tp := ag.NewTape(dev)
		f.Fill(s, index, k)
		got := f.Batch(tp, zoo.Phase{NeedsComplete: true}, &rates, 1).Corrupted
		ids := slices.Clone(got.IDs)
		f.FillCorrupted(s, index, k)
		want := f.Corrupted(tp)
		if !slices.Equal(ids, want.IDs) {
			t.Errorf("tokens %v, want %v", ids, want.IDs)
		}
		for m, pair := range [][2]*ag.Tensor{{got.Audio, want.Audio}, {got.Vision, want.Vision},
			{got.Mask, want.Mask}} {
			x, y := pair[0].Values(), pair[1].Values()
			for i := range y {
				if math.Float64bits(x[i]) != math.Float64bits(y[i]) {
					t.Fatalf("input %d, element %d: %g, want %g", m, i, x[i], y[i])
				}
			}
		}
	}
}

// TestInputs compares the inputs, the keep masks and the labels of a batch with the data.
func TestInputs(t *testing.T) {
	set, _ := datasets.Synthetic(datasets.SyntheticConfig{Train: 5, LanguageSteps: 6,
		AudioSteps: 9, VisionSteps: 7, AudioDim: 3, VisionDim: 2, Seed: 3})
	s, index := set.Train, []int{4, 1}
	s.Language.Segment[4*6+2] = 1
	dev, err := ag.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	rates := datasets.FixedRates(s.Len(), 0.5)
	k := s.KeepMasks(rates)
	for _, classes := range []int{0, 3} {
		f := batcher{classes: classes}
		f.Fill(s, index, k)
		f.Fill(s, index, k) // classes of the last batch only
		b := f.Batch(ag.NewTape(dev), zoo.Phase{NeedsComplete: true, NeedsKeepMasks: true}, &rates,
			1)
		var want datasets.Batch
		want.Fill(s, index, k)
		equal := func(what string, got *ag.Tensor, want []float32, shape ...int) {
			t.Helper()
			var x []float32
			for _, v := range got.Values() {
				x = append(x, float32(v))
			}
			if !slices.Equal(x, want) || !slices.Equal(got.Shape(), shape) {
				t.Errorf("%s: %v %v, want %v %v", what, got.Shape(), x, shape, want)
			}
		}
		equal("audio", b.Complete.Audio, want.Audio.X, 2, 9, 3)
		equal("vision", b.Complete.Vision, want.Vision.X, 2, 7, 2)
		equal("mask", b.Complete.Mask, want.Language.Mask, 2, 6)
		equal("kept tokens", b.KeepMasks[zoo.Language], want.Language.Keep, 2, 6)
		equal("kept audio", b.KeepMasks[zoo.Audio], want.Audio.Keep, 2, 9)
		equal("kept vision", b.KeepMasks[zoo.Vision], want.Vision.Keep, 2, 7)
		for _, in := range []*zoo.Input{b.Complete, b.Corrupted} {
			if !slices.Equal(in.Segments, want.Language.Segment) ||
				!slices.Equal(in.HostMask, want.Language.Mask) ||
				!slices.Equal(in.AudioLen, want.Audio.Len) ||
				!slices.Equal(in.VisionLen, want.Vision.Len) {
				t.Errorf("%+v", in)
			}
		}
		if !slices.Equal(b.Complete.IDs, want.Language.ID) ||
			!slices.Equal(b.Corrupted.IDs, want.Language.Corrupted) {
			t.Errorf("tokens %v, corrupted %v", b.Complete.IDs, b.Corrupted.IDs)
		}
		if classes == 0 {
			equal("labels", b.Label, want.Label, 2)
			continue
		}
		var class []int // negative, neutral, positive
		for _, y := range want.Label {
			class = append(class, map[bool]int{true: 0, false: 2}[y < 0])
		}
		if !slices.Equal(b.Class, class) || b.Label != nil {
			t.Errorf("classes %v of the labels %v, want %v", b.Class, want.Label, class)
		}
	}
	f := batcher{}
	f.FillCorrupted(s, index, k)
	b := f.Batch(ag.NewTape(dev), zoo.Phase{}, &rates, 1)
	if b.Class != nil || b.KeepMasks != [zoo.Modalities]*ag.Tensor{} || b.Complete != nil {
		t.Errorf("%+v", b)
	}
}

// TestNewBatcher takes the settings that it needs.
func TestNewBatcher(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"data.resample": "static"})
	c.Dataset = "sims"
	f := newBatcher(&c, zoo.Dims{Classes: 3, Range: [2]float64{-1, 1}})
	if !f.static || f.kind != metric.SIMS || f.classes != 3 {
		t.Errorf("%+v", f)
	}
	c.Data.Resample = "epoch"
	if f := newBatcher(&c, zoo.Dims{}); f.static {
		t.Errorf("%+v", f)
	}
}

// TestBatch checks what a batch has besides its inputs.
func TestBatch(t *testing.T) {
	set, _ := datasets.Synthetic(datasets.SyntheticConfig{Train: 3, LanguageSteps: 6,
		AudioSteps: 9, VisionSteps: 7, AudioDim: 3, VisionDim: 2})
	dev, err := ag.Open("cpu64")
	if err != nil {
		t.Fatal(err)
	}
	rates := datasets.Rates{Language: []float64{0, 0.25, 0.5}, Audio: []float64{0.125, 0.375, 1},
		Vision: []float64{0.75, 0.875, 0.625}}
	for _, static := range []bool{false, true} {
		for _, complete := range []bool{false, true} {
			f := batcher{static: static}
			f.Fill(set.Train, []int{2, 0}, nil)
			b := f.Batch(ag.NewTape(dev), zoo.Phase{NeedsComplete: complete}, &rates, 4)
			want := []float64{0.5, 1, 0.625, 0, 0.125, 0.75}
			if got := b.MissingRates.Values(); !slices.Equal(got, want) {
				t.Errorf("missing rates %v, want %v", got, want)
			}
			if shape := b.MissingRates.Shape(); !slices.Equal(shape, []int{2, 3}) {
				t.Errorf("missing rates %v", shape)
			}
			if b.Corrupted.Cacheable != static {
				t.Errorf("static %v: corrupted inputs are cacheable: %v", static,
					b.Corrupted.Cacheable)
			}
			if (b.Complete != nil) != complete || complete && !b.Complete.Cacheable {
				t.Errorf("complete inputs %v, want %v, cacheable", b.Complete != nil, complete)
			}
			if b.Epoch != 4 || !slices.Equal(b.Index, []int{2, 0}) {
				t.Errorf("epoch %d, index %v", b.Epoch, b.Index)
			}
		}
	}
}
