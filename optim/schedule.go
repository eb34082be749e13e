package optim

import "math"

// WarmupCosine is the learning rate schedule of RECAP and LNLN: a linear warm-up over the first
// tenth of the epochs, then half a cosine down to 0. With W = 0.1·Epochs, rounded to the nearest
// integer, and i = epoch − 1,
//
//	LR · i/W                                       i < W
//	LR                                             i = W
//	LR · (1 + cos(π·(i−W−1)/(Epochs−W))) / 2       i > W
//
// Two oddities are those of the original scheduler: the learning rate of the first epoch is 0
// (unless W is 0), and the first epoch of the cosine repeats LR. A positive schedule has neither:
//
//	LR · (i+1)/(W+1)                               i < W
//	LR · (1 + cos(π·(i−W)/(Epochs−W))) / 2         i ≥ W
type WarmupCosine struct {
	LR       float64 // the highest
	Epochs   int
	Positive bool // no epoch has a learning rate of 0
}

// At returns the learning rate of an epoch. The first epoch is 1.
func (s WarmupCosine) At(epoch int) float64 {
	warmup := int(math.Round(0.1 * float64(s.Epochs)))
	switch i := epoch - 1; {
	case s.Positive && i < warmup:
		return s.LR * float64(i+1) / float64(warmup+1)
	case s.Positive:
		return s.LR * (1 + math.Cos(math.Pi*float64(i-warmup)/float64(s.Epochs-warmup))) / 2
	case i < warmup:
		return s.LR * float64(i) / float64(warmup)
	case i == warmup:
		return s.LR
	default:
		return s.LR * (1 + math.Cos(math.Pi*float64(i-warmup-1)/float64(s.Epochs-warmup))) / 2
	}
}
