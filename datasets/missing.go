package datasets

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/mathext/prng"
)

// Rates holds the missing rate of each utterance and modality: the probability r, from 0 to 1,
// with which a position is missing.
type Rates struct{ Language, Audio, Vision []float64 } // [N] each

// FixedRates returns the missing rate r for each of n utterances in every modality, as evaluation
// uses it.
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

// TrainingRates draws a missing rate from U[0, 1) for each of n utterances and modalities, then
// sets it to 0 for a random half of the utterances, ⌊n/2⌋, separately in each modality (LNLN,
// core/dataset.py; NeurIPS 2024).
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

// KeepMasks says which positions of a split's N utterances are kept: K [N T] of each modality,
// true where a token or frame is kept, false where it is missing and at padding. A nil mask keeps
// everything.
type KeepMasks struct{ Language, Audio, Vision []bool }

// maskSeed seeds the masks of the literature in every run (configurations of LNLN and MMSA).
const maskSeed = 1111

// KeepMasks returns the masks of the literature for the missing rates r, equal bit for bit to
// those of MMSA and LNLN. With U [N T] from NumPy's legacy generator, seeded again for each
// modality,
//
//	K[i,t] = V[i,t] and U[i,t] > r[i],  V the valid positions
//
// and [CLS] and [SEP] are always kept. A larger rate keeps a subset of what a smaller rate keeps.
// It panics if r does not have one rate for each utterance. Training usually uses
// [Split.RandomMasks].
func (s *Split) KeepMasks(r Rates) *KeepMasks {
	return s.drawMasks(r, func() func() float64 { return legacyUniform(maskSeed) })
}

// legacyUniform returns NumPy's legacy random_sample after seed(s): 53 bits of two outputs of
// MT19937.
func legacyUniform(seed uint64) func() float64 {
	mt := prng.NewMT19937()
	mt.Seed(seed)
	return func() float64 {
		a, b := mt.Uint32()>>5, mt.Uint32()>>6
		return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
	}
}

// RandomMasks returns masks by the formula of [Split.KeepMasks] with U drawn from rng, a new one
// in each call and for each modality. It panics if r does not have one rate for each utterance.
func (s *Split) RandomMasks(r Rates, rng *rand.Rand) *KeepMasks {
	return s.drawMasks(r, func() func() float64 { return rng.Float64 })
}

// drawMasks draws the masks; generator returns the source of U for the next modality.
func (s *Split) drawMasks(r Rates, generator func() func() float64) *KeepMasks {
	language := drawMask(s.Len(), s.Language.T, s.Language.length, r.Language, generator())
	for i := range s.Len() {
		if n := s.Language.length(i); n > 0 {
			language[i*s.Language.T], language[i*s.Language.T+n-1] = true, true
		}
	}
	return &KeepMasks{
		Language: language,
		Audio:    drawMask(s.Len(), s.Audio.T, s.Audio.length, r.Audio, generator()),
		Vision:   drawMask(s.Len(), s.Vision.T, s.Vision.length, r.Vision, generator()),
	}
}

func (f *Frames) length(i int) int { return f.Len[i] }

// drawMask returns K [n steps] of one modality. It calls u once for each position, padding
// included, in row-major order.
func drawMask(n, steps int, length func(int) int, rate []float64, u func() float64) []bool {
	if len(rate) != n {
		panic(fmt.Sprintf("datasets: KeepMasks: %d rates for %d utterances: want one for each",
			len(rate), n))
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
