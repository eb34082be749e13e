package zoo_test

import (
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// TestDimsAreChecked takes each size at its limit and outside of it.
func TestDimsAreChecked(t *testing.T) {
	for _, c := range []struct {
		want   string // the error outside of the limit
		limit  int
		change func(d *zoo.Dims, n int)
	}{
		{"Vocab: ", 1 << 20, func(d *zoo.Dims, n int) { d.Vocab = n }},
		{"TextT: ", 1 << 16, func(d *zoo.Dims, n int) { d.TextT = n }},
		{"AudioT: ", 1 << 20, func(d *zoo.Dims, n int) { d.AudioT, d.AudioD = n, 1 }},
		{"AudioD: ", 1 << 20, func(d *zoo.Dims, n int) { d.AudioT, d.AudioD = 1, n }},
		{"VisionT: ", 1 << 20, func(d *zoo.Dims, n int) { d.VisionT, d.VisionD = n, 1 }},
		{"VisionD: ", 1 << 20, func(d *zoo.Dims, n int) { d.VisionT, d.VisionD = 1, n }},
		{"numbers of an utterance's audio: ", 1 << 26,
			func(d *zoo.Dims, n int) { d.AudioT, d.AudioD = 1<<10, (n+1<<10-1)>>10 }},
		{"numbers of an utterance's vision: ", 1 << 26,
			func(d *zoo.Dims, n int) { d.VisionT, d.VisionD = 1<<10, (n+1<<10-1)>>10 }},
		{"number of classes: ", 7, func(d *zoo.Dims, n int) { d.Classes = n }},
		{"range of labels: ", 1e6, func(d *zoo.Dims, n int) { d.Range[1] = float64(n) }},
		{"range of labels: ", 1e6, func(d *zoo.Dims, n int) { d.Range[0] = -float64(n) }},
		{"range of labels: ", 2, func(d *zoo.Dims, n int) { d.Range[0] = float64(n) }},
	} {
		d := zootest.TinyDims
		if c.change(&d, c.limit); d.Check() != nil {
			t.Errorf("%s%v", c.want, d.Check())
		}
		if c.change(&d, c.limit+1); d.Check() == nil ||
			!strings.HasPrefix(d.Check().Error(), c.want) {
			t.Errorf("above %d: error %v, want %s…", c.limit, d.Check(), c.want)
		}
	}
	for n := -1; n <= 8; n++ {
		d := zootest.TinyDims
		d.Classes = n
		if valid := slices.Contains([]int{0, 2, 3, 5, 7}, n); (d.Check() == nil) != valid {
			t.Errorf("%d classes: error %v", n, d.Check())
		}
	}
	for _, d := range []*zoo.Dims{{}, {Vocab: -1}} {
		if err := d.Check(); err == nil || !strings.HasPrefix(err.Error(), "Vocab: ") {
			t.Errorf("no words: error %v", err)
		}
	}
}

// TestTextSettingsAreChecked checks what settings together must be.
func TestTextSettingsAreChecked(t *testing.T) {
	noFinetune := func(c *zoo.TextConfig) { c.Finetune = false }
	for want, change := range map[string]func(c *zoo.TextConfig){
		"": func(*zoo.TextConfig) {},
		"text.width 8 does not divide into text.heads 3": func(c *zoo.TextConfig) { c.Heads = 3 },
		"text.finetune is false without text.bert":       noFinetune,
		"text.layers is 0, want a number from 1 to 100":  func(c *zoo.TextConfig) { c.Layers = 0 },
	} {
		c := zootest.TinyText()
		change(&c)
		if err := c.Check(); (err == nil) != (want == "") ||
			err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestTextLen counts the tokens of each sequence, at least one.
func TestTextLen(t *testing.T) {
	dev := zootest.Open(t, "cpu")
	in := &zoo.Input{HostMask: []float32{1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0},
		Audio: ag.NewTensor(dev, make([]float64, 4), 4, 1, 1)}
	if got := in.TextLen(); !slices.Equal(got, []int{3, 2, 1, 1}) {
		t.Errorf("lengths %v, want 3, 2, 1 and 1", got)
	}
}

// TestRandomBatchLacksAThird checks that checks of models see what data have: sequences of several
// lengths with padding, and a third of tokens and frames that are missing in the corrupted input.
func TestRandomBatchLacksAThird(t *testing.T) {
	d := zoo.Dims{Vocab: 20, TextT: 9, AudioT: 30, AudioD: 2, VisionT: 20, VisionD: 3}
	b := zoo.RandomBatch(zootest.Open(t, "cpu"), &d, 8, 1)
	if b.Epoch != 3 || b.Step != 2 || b.Steps != 8 {
		t.Errorf("epoch %d, batch %d of %d, want 3, 2 of 8", b.Epoch, b.Step, b.Steps)
	}
	for what, x := range map[string]struct {
		*ag.Tensor
		want []int
	}{
		"mask": {b.Complete.Mask, []int{8, 9}}, "corrupted mask": {b.Corrupted.Mask, []int{8, 9}},
		"audio":            {b.Complete.Audio, []int{8, 30, 2}},
		"vision":           {b.Complete.Vision, []int{8, 20, 3}},
		"corrupted audio":  {b.Corrupted.Audio, []int{8, 30, 2}},
		"corrupted vision": {b.Corrupted.Vision, []int{8, 20, 3}},
		"language kept":    {b.KeepMasks[zoo.Language], []int{8, 9}},
		"audio kept":       {b.KeepMasks[zoo.Audio], []int{8, 30}},
		"vision kept":      {b.KeepMasks[zoo.Vision], []int{8, 20}},
		"label":            {b.Label, []int{8}}, "rates": {b.MissingRates, []int{8, 3}},
	} {
		if !slices.Equal(x.Shape(), x.want) {
			t.Errorf("%s has shape %v, want %v", what, x.Shape(), x.want)
		}
	}
	if !slices.Equal(b.Corrupted.AudioLen, b.Complete.AudioLen) ||
		!slices.Equal(b.Corrupted.VisionLen, b.Complete.VisionLen) {
		t.Error("the lengths of the recording differ in the corrupted input")
	}
	if got := b.Complete.TextLen(); !slices.Equal(got, []int{9, 8, 9, 8, 9, 8, 9, 8}) {
		t.Errorf("texts have lengths %v", got)
	}
	missing, tokens := 0, 0
	keep, mask := b.KeepMasks[zoo.Language].Values(), b.Complete.Mask.Values()
	for i, id := range b.Complete.IDs {
		want := id
		if mask[i] != float64(b.Complete.HostMask[i]) || keep[i] > mask[i] ||
			id > 0 != (mask[i] == 1) {
			t.Errorf("token %d is %d with mask %g, kept %g", i, id, mask[i], keep[i])
		}
		if mask[i] == 1 {
			if tokens++; keep[i] == 0 {
				missing++
				want = 0
			}
		}
		if b.Corrupted.IDs[i] != want {
			t.Errorf("token %d is %d in the corrupted input, want %d", i, b.Corrupted.IDs[i], want)
		}
	}
	if 3*missing < tokens-3 || 3*missing > tokens+6 {
		t.Errorf("%d of %d tokens are missing, want a third", missing, tokens)
	}
	for what, m := range map[string]struct {
		complete, corrupted, keep *ag.Tensor
		lengths                   []int
	}{
		"audio": {b.Complete.Audio, b.Corrupted.Audio, b.KeepMasks[zoo.Audio], b.Complete.AudioLen},
		"vision": {b.Complete.Vision, b.Corrupted.Vision, b.KeepMasks[zoo.Vision],
			b.Complete.VisionLen},
	} {
		steps, width := m.complete.Shape()[1], m.complete.Shape()[2]
		complete, corrupted, keep := m.complete.Values(), m.corrupted.Values(), m.keep.Values()
		missing, frames := 0, 0
		for i, n := range m.lengths {
			for s := range steps {
				at := (i*steps + s) * width
				x, y, k := complete[at:at+width], corrupted[at:at+width], keep[i*steps+s]
				if s < n {
					frames++
					missing += 1 - int(k)
				}
				if zero := slices.Contains(x, 0); zero != (s >= n) || zero && slices.Max(x) > 0 {
					t.Errorf("%s: frame %d of %d of sample %d: %v", what, s, n, i, x)
				}
				for j := range y {
					if y[j] != k*x[j] {
						t.Errorf("%s: corrupted frame %v of %v, kept %g", what, y, x, k)
					}
				}
			}
		}
		if slices.Min(m.lengths) == slices.Max(m.lengths) || slices.Max(m.lengths) > steps ||
			slices.Min(m.lengths) < steps/2 || len(m.lengths) != 8 {
			t.Errorf("%s: lengths %v", what, m.lengths)
		}
		if 3*missing < frames-3*len(m.lengths) || 3*missing > frames+3*len(m.lengths) {
			t.Errorf("%s: %d of %d frames are missing, want a third", what, missing, frames)
		}
	}
}

// TestRandomBatchHasLabelsClassesAndIndices checks what a batch has of each sample.
func TestRandomBatchHasLabelsClassesAndIndices(t *testing.T) {
	d, n := zootest.TinyDims, 50
	for _, classes := range []int{0, 3} {
		d.Classes = classes
		b := zoo.RandomBatch(zootest.Open(t, "cpu"), &d, n, 1)
		found := slices.Compact(slices.Sorted(slices.Values(b.Class)))
		if want := []int{0, 1, 2}[:max(classes, 1)]; !slices.Equal(found, want) ||
			len(b.Class) != n {
			t.Errorf("%d of %d samples have the classes %v, want all of %v", len(b.Class), n,
				found, want)
		}
		for i := range n {
			if b.Index[i] != i || b.Previous[i] != i {
				t.Errorf("sample %d has index %d, the batch before %d", i, b.Index[i],
					b.Previous[i])
			}
		}
		if len(b.Index) != n || len(b.Previous) != n {
			t.Errorf("%d indices, %d before, want %d", len(b.Index), len(b.Previous), n)
		}
		for what, v := range map[string][]float64{"labels": b.Label.Values(),
			"rates": b.MissingRates.Values()} {
			slices.Sort(v)
			if distinct := len(slices.Compact(v)); distinct != n && distinct != 3*n {
				t.Errorf("%d of the %s are distinct", distinct, what)
			}
			if slices.Contains(v, 0) {
				t.Errorf("one of the %s is 0", what)
			}
		}
		ids := slices.Clone(b.Complete.IDs)
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) != d.Vocab || ids[0] != 0 ||
			ids[len(ids)-1] != d.Vocab-1 {
			t.Errorf("tokens %v, want padding and 1 to %d", ids, d.Vocab-1)
		}
	}
}

// TestModality has the letters that are in names of parameters.
func TestModality(t *testing.T) {
	if zoo.Language.String() != "l" || zoo.Audio.String() != "a" || zoo.Vision.String() != "v" {
		t.Errorf("%v, %v and %v, want l, a and v", zoo.Language, zoo.Audio, zoo.Vision)
	}
}

func TestWarnOneFrame(t *testing.T) {
	for want, d := range map[string]zoo.Dims{"": {AudioT: 2, VisionT: 3},
		"audio: one frame in each utterance, so":            {AudioT: 1, VisionT: 2},
		"vision: one frame in each utterance, so":           {AudioT: 2, VisionT: 1},
		"audio and vision: one frame in each utterance, so": {AudioT: 1, VisionT: 1}} {
		if got := d.WarnOneFrame("so"); got != want {
			t.Errorf("%d and %d frames: %q, want %q", d.AudioT, d.VisionT, got, want)
		}
	}
}
