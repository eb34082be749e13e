package zoo

import (
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// Sample returns n utterances of noise, with holes, to check models on. Their sequences have
// different lengths.
func Sample(dev ag.Device, d *Dims, n int, seed uint64) *Batch {
	r := rand.New(rand.NewPCG(seed, 5))
	b := &Batch{Complete: &Input{}, Corrupted: &Input{}, Epoch: 1}
	b.sampleWords(dev, d, n, r)
	b.Complete.Audio, b.Corrupted.Audio, b.Complete.AudioLen = sampleFrames(dev, n, d.AudioT, d.AudioD, r)
	b.Complete.Vision, b.Corrupted.Vision, b.Complete.VisionLen = sampleFrames(dev, n, d.VisionT, d.VisionD, r)
	b.Corrupted.AudioLen, b.Corrupted.VisionLen = b.Complete.AudioLen, b.Complete.VisionLen

	label, rate := make([]float64, n), make([]float64, n*Modalities)
	for i := range rate {
		rate[i] = r.Float64()
	}
	for i := range n {
		label[i] = r.NormFloat64()
		b.Index = append(b.Index, i)
		b.Class = append(b.Class, r.IntN(max(d.Classes, 1)))
	}
	b.Label, b.Rate = ag.NewTensor(dev, label, n), ag.NewTensor(dev, rate, n, Modalities)
	return b
}

// sampleWords fills in tokens, of which each third is a hole in the corrupted input.
func (b *Batch) sampleWords(dev ag.Device, d *Dims, n int, r *rand.Rand) {
	size := n * d.TextT
	ids, holed, mask, host := make([]int, size), make([]int, size), make([]float64, size), make([]float32, size)
	for i := range n {
		for t := range d.TextT - i%2 {
			j := i*d.TextT + t
			ids[j], mask[j], host[j] = 1+r.IntN(d.Vocab-1), 1, 1
			if holed[j] = ids[j]; j%3 == 0 {
				holed[j] = 0
			}
		}
	}
	b.Complete.IDs, b.Corrupted.IDs = ids, holed
	for _, in := range []*Input{b.Complete, b.Corrupted} {
		in.Segments, in.HostMask, in.Mask = make([]int, size), host, ag.NewTensor(dev, mask, n, d.TextT)
	}
}

// sampleFrames returns frames [n t w], the same with each third missing, and lengths.
func sampleFrames(dev ag.Device, n, t, w int, r *rand.Rand) (whole, holed *ag.Tensor, lengths []int) {
	x, y := make([]float64, n*t*w), make([]float64, n*t*w)
	for i := range n {
		lengths = append(lengths, t-r.IntN((t+1)/2))
		for j := range lengths[i] * w {
			k := i*t*w + j
			x[k] = r.NormFloat64()
			if k/w%3 > 0 {
				y[k] = x[k]
			}
		}
	}
	return ag.NewTensor(dev, x, n, t, w), ag.NewTensor(dev, y, n, t, w), lengths
}

// Rehearse makes the phase ready to be checked on a batch, and returns its whole loss there. What
// the phase remembers is that of its third epoch on this batch alone, and is put back before each
// computation of the loss.
func (ph *Phase) Rehearse(b *Batch) (loss func(tp *ag.Tape) *ag.Tensor) {
	var memory []nn.Param
	if ph.Remember != nil {
		memory = ph.Remember(float32s(b.Label.Values()))
		tp := ag.NewTape(b.Label.Device())
		for b.Epoch = 1; b.Epoch < 3; b.Epoch++ {
			tp.Reset()
			ph.Terms(tp, b)
		}
	}
	kept := make([][]float64, len(memory))
	for i, p := range memory {
		kept[i] = p.Values()
	}
	return func(tp *ag.Tape) *ag.Tensor {
		for i, p := range memory {
			p.Assign(kept[i])
		}
		return Total(tp, ph.Terms(tp, b))
	}
}

// Nudge adds a little noise to parameters: at the ones and zeros that some start from, derivatives
// may vanish that do not elsewhere.
func Nudge(ps []nn.Param, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 6))
	for _, p := range ps {
		v := p.Values()
		for i := range v {
			v[i] += 0.01 * r.NormFloat64()
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
