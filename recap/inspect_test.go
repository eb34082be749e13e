package recap

import (
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestInspect checks that what is shown is what the prediction was made of.
func TestInspect(t *testing.T) {
	for _, name := range []string{"full", "no-hcag", "no-stage1"} {
		c := tiny()
		variant, _ := Spec.Variant(name)
		variant.Apply(&c)
		for _, classes := range []int{0, 3} {
			d := tinyDims
			d.Classes = classes
			m, dev := newTiny(t, "cpu64", c, d)
			tp := ag.NewInferenceTape(dev)
			b := sample(dev, d, 4)
			want := m.Predict(tp, b.Corrupted)
			embedded, completed, got := m.Inspect(tp, b.Corrupted)
			if !slices.Equal(got.Score.Values(), want.Score.Values()) ||
				!slices.Equal(got.Weight.Values(), want.Weight.Values()) ||
				!slices.Equal(got.Score.Shape(), want.Score.Shape()) {
				t.Errorf("%s: Inspect predicts otherwise than Predict", name)
			}
			for i := range zoo.Modalities {
				if x := m.embedder.Forward(tp, b.Corrupted)[i]; !slices.Equal(embedded[i].Values(),
					x.Values()) {
					t.Errorf("%s: the embedded features of %v are not E_m's",
						name, zoo.Modality(i))
				}
				x := embedded[i]
				if m.generators != nil {
					x = m.generators[i].Forward(tp, x)
				}
				if !slices.Equal(completed[i].Values(), x.Values()) ||
					slices.Equal(completed[i].Values(),
						embedded[i].Values()) != (name == "no-hcag") {
					t.Errorf("%s: the completed features of %v are not G_m's",
						name, zoo.Modality(i))
				}
			}
		}
	}
}
