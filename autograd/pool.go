package autograd

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// MeanPool returns the mean over time of sequences x [B T C], as [B C]: of the first lengths[b]
// steps of sample b, or of all steps if lengths is nil. The steps after them must be finite; their
// weight is 0. It panics if x has not three axes, or if a length is not in 1 to T.
//
//	x̄_t = ȳ / n for the first n steps, 0 after them
func (t *Tape) MeanPool(x *Tensor, lengths []int) *Tensor {
	t.mustBeSequences("MeanPool", x, lengths)
	if lengths == nil {
		return t.Mean(x, 1)
	}
	b, steps := x.shape[0], x.shape[1]
	weight := make([]float64, b*steps)
	for i, n := range lengths {
		for k := range n {
			weight[i*steps+k] = 1 / float64(n)
		}
	}
	w := t.alloc([]int{b, 1, steps})
	t.dev.Upload(w.buf, weight)
	return t.Reshape(t.MatMul(w, x, NN), b, x.shape[2])
}

// MaxPool returns the maximum over time of sequences x [B T C], as [B C]: of the first lengths[b]
// steps of sample b, or of all steps if lengths is nil. Of equal maxima the first gets the
// gradient, as in PyTorch's max over one axis; [Tape.Max] divides it. It panics if x has not three
// axes, or if a length is not in 1 to T.
//
//	x̄_t = ȳ where t is the first step with x_t = y, 0 elsewhere
func (t *Tape) MaxPool(x *Tensor, lengths []int) *Tensor {
	t.mustBeSequences("MaxPool", x, lengths)
	b, steps, width := x.shape[0], x.shape[1], x.shape[2]
	read := x // with −Inf after the ends
	if lengths != nil {
		t.Unrecorded(func() {
			keep := t.Reshape(t.UntilEnd(lengths, steps), b, steps, 1)
			read = t.masked("MaxPool", x, keep)
		})
	}
	y := t.reduce(device.Max, read, []int{1})
	return t.Record("MaxPool", y, Wrt(x, func(g *Tensor) *Tensor {
		column := []int{b, 1, width}
		// T, T−1, …, 1 at the maxima, 0 elsewhere: the largest is at the first maximum
		at := t.binary("MaxPool", device.Equal, read, t.alias(y, column))
		rank := t.Mul(at, t.countDown(steps))
		first := t.alias(t.reduce(device.Max, rank, []int{1}), column)
		return t.Mul(t.binary("MaxPool", device.Equal, rank, first), t.alias(g, column))
	}))
}

// AlignPool returns sequences x [B T C] with another number of steps, as [B steps C]: the means of
// steps windows of w = ⌈T/steps⌉ steps each, after copies of the last step have filled the windows.
// So the frames of a modality become as many as the tokens of a text. If steps exceeds T, w is 1,
// and the last step is repeated. It panics if x has not three axes or steps is not positive.
func (t *Tape) AlignPool(x *Tensor, steps int) *Tensor {
	t.mustBeSequences("AlignPool", x, nil)
	if steps < 1 {
		panic(fmt.Sprintf("autograd: AlignPool: x %v to %d steps: want at least 1", x.shape, steps))
	}
	b, length, width := x.shape[0], x.shape[1], x.shape[2]
	if length == steps {
		return x
	}
	window := (length + steps - 1) / steps
	if missing := window*steps - length; missing > 0 {
		last := t.Slice(x, 1, length-1, length)
		x = t.Concat(1, x, t.Expand(last, b, missing, width))
	}
	return t.Mean(t.Reshape(x, b, steps, window, width), 2)
}

// UntilEnd returns [B T], 1 in the first lengths[b] steps of sample b and 0 after them. It panics
// if a length is not in 0 to T, the number of steps.
func (t *Tape) UntilEnd(lengths []int, steps int) *Tensor {
	keep := make([]float32, len(lengths)*steps)
	for i, n := range lengths {
		if n < 0 || n > steps {
			panic(fmt.Sprintf("autograd: UntilEnd: sample %d has length %d: want 0 to %d", i, n,
				steps))
		}
		for k := range n {
			keep[i*steps+k] = 1
		}
	}
	return t.Input(keep, len(lengths), steps)
}

// countDown returns n, n−1, …, 1 as [n 1].
func (t *Tape) countDown(n int) *Tensor {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(n - i)
	}
	return t.Input(v, n, 1)
}

// mustBeSequences panics if x is not [B T C], or lengths are neither nil nor B numbers in 1 to T.
func (t *Tape) mustBeSequences(op string, x *Tensor, lengths []int) {
	t.CheckOperands(op, x)
	if x.rank() != 3 {
		panic(fmt.Sprintf("autograd: %s: x %v: want [B T C]", op, x.shape))
	}
	if lengths != nil {
		mustBeLengths(op, x, lengths)
	}
}

// mustBeLengths panics if lengths are not those of the sequences x [B T …].
func mustBeLengths(op string, x *Tensor, lengths []int) {
	if len(lengths) != x.shape[0] {
		panic(fmt.Sprintf("autograd: %s: %d lengths for x %v", op, len(lengths), x.shape))
	}
	for i, n := range lengths {
		if n < 1 || n > x.shape[1] {
			panic(fmt.Sprintf(
				"autograd: %s: sample %d has length %d: want 1 to the %d steps of x %v", op, i, n,
				x.shape[1], x.shape,
			))
		}
	}
}
