package train

import (
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A batcher makes a model's input from utterances. It reuses its memory for each batch.
type batcher struct {
	classes int
	static  bool // the keep masks of training are the same in each epoch
	kind    metric.Kind

	data  datasets.Batch
	class []int
	rate  []float32 // [B 3]
	zero  []float32 // [B T], see masked
}

func newBatcher(c *settings.Config, d zoo.Dims) batcher {
	return batcher{classes: d.Classes, static: c.Data.Resample == "static",
		kind: metric.KindOf(c.Dataset, d.Range)}
}

// Fill sets the batch to the utterances of s with the given indices and their keep masks, for
// Batch.
func (f *batcher) Fill(s *datasets.Split, index []int, k *datasets.KeepMasks) {
	f.data.Fill(s, index, k)
	f.classify()
}

// FillCorrupted sets the batch to the corrupted utterances of s with the given indices, for
// Corrupted.
func (f *batcher) FillCorrupted(s *datasets.Split, index []int, k *datasets.KeepMasks) {
	f.data.FillCorrupted(s, index, k)
	f.classify()
}

// classify computes the classes of the labels.
func (f *batcher) classify() {
	f.class = f.class[:0]
	if f.classes > 0 {
		for _, y := range f.data.Label {
			f.class = append(f.class, metric.ClassOf(float64(y), f.classes, f.kind))
		}
	}
}

// Batch returns the utterances of Fill or, for a phase that does not need complete inputs, of
// FillCorrupted, for a training step of an epoch, with the missing rates that their masks were
// drawn with. The complete frames and the attention mask are uploaded once; the corrupted frames
// are then computed on the device.
func (f *batcher) Batch(tp *ag.Tape, ph zoo.Phase, rates *datasets.Rates, epoch int) *zoo.Batch {
	d := &f.data
	f.rate = f.rate[:0]
	for _, i := range d.Index {
		f.rate = append(f.rate, float32(rates.Language[i]), float32(rates.Audio[i]),
			float32(rates.Vision[i]))
	}
	n := len(d.Index)
	b := &zoo.Batch{MissingRates: tp.Input(f.rate, n, zoo.Modalities), Index: d.Index,
		Epoch: epoch}
	if ph.NeedsComplete {
		complete := f.input(tp, d.Language.ID)
		complete.Cacheable = true
		corrupted := *complete
		corrupted.IDs = d.Language.Corrupted
		corrupted.Audio = f.masked(tp, complete.Audio, d.Audio.Keep)
		corrupted.Vision = f.masked(tp, complete.Vision, d.Vision.Keep)
		b.Complete, b.Corrupted = complete, &corrupted
	} else {
		b.Corrupted = f.Corrupted(tp)
	}
	b.Corrupted.Cacheable = f.static
	if ph.NeedsKeepMasks {
		b.KeepMasks = [zoo.Modalities]*ag.Tensor{
			tp.Input(d.Language.Keep, n, d.Language.T), tp.Input(d.Audio.Keep, n, d.Audio.T),
			tp.Input(d.Vision.Keep, n, d.Vision.T)}
	}
	if f.classes > 0 {
		b.Class = f.class
	} else {
		b.Label = tp.Input(d.Label, len(d.Index))
	}
	return b
}

// Corrupted returns the utterances of FillCorrupted.
func (f *batcher) Corrupted(tp *ag.Tape) *zoo.Input {
	return f.input(tp, f.data.Language.Corrupted)
}

func (f *batcher) input(tp *ag.Tape, ids []int) *zoo.Input {
	d, n := &f.data, len(f.data.Index)
	return &zoo.Input{
		IDs: ids, Segments: d.Language.Segment, HostMask: d.Language.Mask,
		Mask:     tp.Input(d.Language.Mask, n, d.Language.T),
		Audio:    tp.Input(d.Audio.X, n, d.Audio.T, d.Audio.D),
		Vision:   tp.Input(d.Vision.X, n, d.Vision.T, d.Vision.D),
		AudioLen: d.Audio.Len, VisionLen: d.Vision.Len,
	}
}

// masked returns K·x + z for frames x [B T D] that are finite: x, bit for bit, where K is 1, and
// +0 where K is 0. Without z, which is -0 where K is 1 and +0 where K is 0, a missing frame would
// keep the signs of x.
func (f *batcher) masked(tp *ag.Tape, x *ag.Tensor, keep []float32) *ag.Tensor {
	f.zero = f.zero[:0]
	for _, k := range keep {
		z := float32(0)
		if k == 1 {
			z = float32(math.Copysign(0, -1))
		}
		f.zero = append(f.zero, z)
	}
	s := x.Shape()
	return tp.Add(tp.Mul(x, tp.Input(keep, s[0], s[1], 1)), tp.Input(f.zero, s[0], s[1], 1))
}
