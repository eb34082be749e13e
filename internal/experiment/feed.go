package experiment

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A feed turns utterances into a model's input. Its memory is used again for each batch.
type feed struct {
	classes int
	static  bool // the holes of training are the same in each epoch
	kind    metric.Kind

	data  datasets.Batch
	class []int
	rate  []float32 // [B 3]
}

func newFeed(c *Config, d zoo.Dims) feed {
	return feed{classes: d.Classes, static: c.Data.Resample == "static", kind: labelsOf(c.Dataset, d.Range)}
}

// Fill takes the utterances of s with the given indices, with holes.
func (f *feed) Fill(s *datasets.Split, index []int, h *datasets.Holes) {
	f.data.Fill(s, index, h)
	f.class = f.class[:0]
	if f.classes > 0 {
		for _, y := range f.data.Label {
			f.class = append(f.class, classOf(float64(y), f.classes, f.kind))
		}
	}
}

// Batch returns the utterances for a step of training in an epoch, with the rates of which their
// holes are.
func (f *feed) Batch(tp *ag.Tape, rates *datasets.Rates, epoch int) *zoo.Batch {
	d := &f.data
	f.rate = f.rate[:0]
	for _, i := range d.Index {
		f.rate = append(f.rate, float32(rates.Text[i]), float32(rates.Audio[i]), float32(rates.Vision[i]))
	}
	b := &zoo.Batch{Complete: f.input(tp, d.Text.ID, d.Audio.X, d.Vision.X), Corrupted: f.Corrupted(tp),
		Rate: tp.Input(f.rate, len(d.Index), zoo.Modalities), Index: d.Index, Epoch: epoch}
	b.Complete.Recurs, b.Corrupted.Recurs = true, f.static
	if f.classes > 0 {
		b.Class = f.class
	} else {
		b.Label = tp.Input(d.Label, len(d.Index))
	}
	return b
}

// Corrupted returns the utterances with their holes.
func (f *feed) Corrupted(tp *ag.Tape) *zoo.Input {
	d := &f.data
	return f.input(tp, d.Text.Corrupted, d.Audio.Corrupted, d.Vision.Corrupted)
}

func (f *feed) input(tp *ag.Tape, ids []int, audio, vision []float32) *zoo.Input {
	d, n := &f.data, len(f.data.Index)
	return &zoo.Input{
		IDs: ids, Segments: d.Text.Segment, HostMask: d.Text.Mask,
		Mask:     tp.Input(d.Text.Mask, n, d.Text.T),
		Audio:    tp.Input(audio, n, d.Audio.T, d.Audio.D),
		Vision:   tp.Input(vision, n, d.Vision.T, d.Vision.D),
		AudioLen: d.Audio.Len, VisionLen: d.Vision.Len,
	}
}
