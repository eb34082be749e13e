package train

import (
	"math"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
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
		f.FillCorrupted(s, index, k)
		want := f.Corrupted(tp)
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
