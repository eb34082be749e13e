package nn

import (
	"fmt"
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// SinusoidalPositions are fixed position codes in fairseq's form (Vaswani et al. 2017, Attention is
// all you need, section 3.5, with other frequencies and all sines before all cosines), for
// sequences in which a step of zeros is padding: such a step has the code 0. With h = ⌊d/2⌋ and
// f_k = 10000^(−k/(h−1)), step t ≥ 0 has
//
//	[sin((t+1)f_0) … sin((t+1)f_{h−1}) cos((t+1)f_0) … cos((t+1)f_{h−1})], and 0 if d is odd
//
// A step is padding where its first element is exactly 0, as in the code of MulT; the other
// elements are not read. It has no parameters, and no gradient.
type SinusoidalPositions struct {
	table *ag.Tensor // [length width]; nil for a plan
}

// NewSinusoidalPositions computes the codes of sequences of up to length steps of the given width,
// on the device of p. It panics if the width is below 4, for which f_k does not exist.
func NewSinusoidalPositions(p *Params, length, width int) *SinusoidalPositions {
	half := width / 2
	if half < 2 {
		panic(fmt.Sprintf("nn: SinusoidalPositions: width %d: want at least 4", width))
	}
	if p.plan != nil {
		return &SinusoidalPositions{}
	}
	codes := make([]float64, length*width)
	for t := range length {
		for k := range half {
			f := math.Pow(10000, -float64(k)/float64(half-1))
			codes[t*width+k], codes[t*width+half+k] = math.Sincos(float64(t+1) * f)
		}
	}
	return &SinusoidalPositions{ag.NewTensor(p.Device(), codes, length, width)}
}

// Forward returns the codes [B T d] of the steps of x [B T d]. It panics if x has another width or
// is longer than the codes.
func (l *SinusoidalPositions) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	s, limit := x.Shape(), l.table.Shape()
	if len(s) != 3 || s[1] > limit[0] || s[2] != limit[1] {
		panic(fmt.Sprintf("nn: SinusoidalPositions: x %v: want [B T %d] with at most %d steps", s,
			limit[1], limit[0]))
	}
	first, zero := tp.Slice(x, 2, 0, 1), tp.Full(0)
	present := tp.Add(tp.Less(first, zero), tp.Less(zero, first)) // [B T 1]
	return tp.Mul(present, tp.Slice(l.table, 0, 0, s[1]))
}
