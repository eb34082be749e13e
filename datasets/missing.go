package datasets

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/mathext/prng"
)

// Rates holds, for each utterance, the share of each modality's positions that will be missing.
type Rates struct{ Text, Audio, Vision []float64 } // [N] each, 0 nothing to 1 everything

// FixedRates gives n utterances the same rate in every modality, as evaluation does.
func FixedRates(n int, r float64) Rates {
	constant := func() []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r
		}
		return x
	}
	return Rates{constant(), constant(), constant()}
}

// TrainingRates draws for each modality a rate from U[0,1) for each of n utterances, and makes it
// 0 for a random half of them, ⌊n/2⌋ (LNLN, core/dataset.py; NeurIPS 2024).
func TrainingRates(n int, rng *rand.Rand) Rates {
	draw := func() []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.Float64()
		}
		for _, i := range rng.Perm(n)[:n/2] {
			x[i] = 0
		}
		return x
	}
	return Rates{draw(), draw(), draw()}
}

// Holes says what of a split is there: K [N T] of each modality, false at holes and at padding.
type Holes struct{ Text, Audio, Vision []bool }

// maskSeed seeds the literature's masks, in every run (LNLN's and MMSA's configurations).
const maskSeed = 1111

// Holes returns the masks of the literature, bit for bit those of MMSA and LNLN: with U from
// NumPy's legacy generator, seeded afresh for each modality,
//
//	K[i,t] = V[i,t] and U[i,t] > r[i],  V the valid positions
//
// and of the text [CLS] and [SEP] always kept. A larger rate only takes more away.
func (s *Split) Holes(r Rates) *Holes {
	return s.holes(r, func() func() float64 { return legacyUniform(maskSeed) })
}

// legacyUniform returns NumPy's legacy random_sample after seed(s): 53 bits of two draws of
// MT19937.
func legacyUniform(seed uint64) func() float64 {
	mt := prng.NewMT19937()
	mt.Seed(seed)
	return func() float64 {
		a, b := mt.Uint32()>>5, mt.Uint32()>>6
		return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
	}
}

// FreshHoles returns masks by the rules of [Split.Holes], drawn from rng, for training.
func (s *Split) FreshHoles(r Rates, rng *rand.Rand) *Holes {
	return s.holes(r, func() func() float64 { return rng.Float64 })
}

func (s *Split) holes(r Rates, generator func() func() float64) *Holes {
	text := keep(s.Len(), s.Text.T, s.Text.length, r.Text, generator())
	for i := range s.Len() {
		if n := s.Text.length(i); n > 0 {
			text[i*s.Text.T], text[i*s.Text.T+n-1] = true, true
		}
	}
	return &Holes{
		Text:   text,
		Audio:  keep(s.Len(), s.Audio.T, s.Audio.length, r.Audio, generator()),
		Vision: keep(s.Len(), s.Vision.T, s.Vision.length, r.Vision, generator()),
	}
}

func (f *Frames) length(i int) int { return f.Len[i] }

// keep returns K [N T] for one modality, of u's draws in row-major order.
func keep(n, steps int, length func(int) int, rate []float64, u func() float64) []bool {
	if len(rate) != n {
		panic("datasets: Holes: one rate for each utterance expected")
	}
	k := make([]bool, n*steps)
	for i := range n {
		valid := length(i)
		for t := range steps {
			draw := u()
			k[i*steps+t] = t < valid && draw > rate[i]
		}
	}
	return k
}
