package zoo

import (
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// RandomBatch returns n samples of random tokens and standard normal frames, of which every third
// is missing, for checks of models. Sequences have different lengths. All fields of the batch are
// set: it is the third of eight batches in epoch 3, because a loss may have all its parts in later
// epochs only, and the batch before it had the same samples.
func RandomBatch(dev ag.Device, d *Dims, n int, seed uint64) *Batch {
	r := rand.New(rand.NewPCG(seed, 5))
	b := &Batch{Complete: &Input{}, Corrupted: &Input{}, Epoch: 3, Step: 2, Steps: 8}
	b.randomTokens(dev, d, n, r)
	b.Complete.Audio, b.Corrupted.Audio, b.Complete.AudioLen, b.KeepMasks[Audio] = randomFrames(
		dev, n, d.AudioT, d.AudioD, r,
	)
	b.Complete.Vision, b.Corrupted.Vision, b.Complete.VisionLen,
		b.KeepMasks[Vision] = randomFrames(dev, n, d.VisionT, d.VisionD, r)
	b.Corrupted.AudioLen, b.Corrupted.VisionLen = b.Complete.AudioLen, b.Complete.VisionLen

	label, rates := make([]float64, n), make([]float64, n*Modalities)
	for i := range rates {
		rates[i] = r.Float64()
	}
	for i := range n {
		label[i] = r.NormFloat64()
		b.Index = append(b.Index, i)
		b.Class = append(b.Class, r.IntN(max(d.Classes, 1)))
	}
	b.Previous = b.Index
	b.Label, b.MissingRates = ag.NewTensor(dev, label, n), ag.NewTensor(dev, rates, n, Modalities)
	return b
}

// randomTokens draws the tokens; every third is 0 in the corrupted input.
func (b *Batch) randomTokens(dev ag.Device, d *Dims, n int, r *rand.Rand) {
	size := n * d.TextT
	ids, corrupted, host := make([]int, size), make([]int, size), make([]float32, size)
	mask, keep := make([]float64, size), make([]float64, size)
	for i := range n {
		for t := range d.TextT - i%2 {
			j := i*d.TextT + t
			ids[j], mask[j], host[j] = 1+r.IntN(d.Vocab-1), 1, 1
			if j%3 > 0 {
				corrupted[j], keep[j] = ids[j], 1
			}
		}
	}
	b.Complete.IDs, b.Corrupted.IDs = ids, corrupted
	for _, in := range []*Input{b.Complete, b.Corrupted} {
		in.Segments, in.HostMask, in.Mask = make([]int, size), host, ag.NewTensor(dev, mask,
			n, d.TextT)
	}
	b.KeepMasks[Language] = ag.NewTensor(dev, keep, n, d.TextT)
}

// randomFrames returns frames [n t w], the same frames with every third set to 0, their lengths [n]
// and the keep mask [n t].
func randomFrames(
	dev ag.Device, n, t, w int, r *rand.Rand,
) (complete, corrupted *ag.Tensor, lengths []int, keep *ag.Tensor) {
	x, y, mask := make([]float64, n*t*w), make([]float64, n*t*w), make([]float64, n*t)
	for i := range n {
		lengths = append(lengths, t-r.IntN((t+1)/2))
		for j := range lengths[i] * w {
			k := i*t*w + j
			x[k] = r.NormFloat64()
			if k/w%3 > 0 {
				y[k], mask[k/w] = x[k], 1
			}
		}
	}
	return ag.NewTensor(dev, x, n, t, w), ag.NewTensor(dev, y, n, t, w), lengths, ag.NewTensor(dev,
		mask, n, t)
}

// CheckableLosses returns the loss of each pass on a batch, as functions that can be called any
// number of times, for gradient checks. If the phase has a memory, the losses read that of the
// third epoch of a training on this batch alone, and b.Epoch is set to 3.
func (ph *Phase) CheckableLosses(b *Batch) []func(tp *ag.Tape) *ag.Tensor {
	if ph.NewMemory != nil {
		ph.NewMemory(float32s(b.Label.Values()))
		tp := ag.NewTape(b.Label.Device())
		for b.Epoch = 1; b.Epoch < 3; b.Epoch++ {
			for _, pass := range ph.Passes {
				tp.Reset()
				_, updates := pass.Terms(tp, b)
				Apply(tp, updates)
			}
		}
	}
	losses := make([]func(tp *ag.Tape) *ag.Tensor, len(ph.Passes))
	for i, pass := range ph.Passes {
		losses[i] = func(tp *ag.Tape) *ag.Tensor {
			terms, _ := pass.Terms(tp, b)
			return Total(tp, terms)
		}
	}
	return losses
}

// Perturb adds normal noise of standard deviation sd to parameters. Gradient checks perturb them
// first, because some parameters start at 0 or 1, where some derivatives are 0.
func Perturb(ps []nn.Param, sd float64, r *rand.Rand) {
	for _, p := range ps {
		v := p.Values()
		for i := range v {
			v[i] += sd * r.NormFloat64()
		}
		p.Assign(v)
	}
}

func float32s(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
