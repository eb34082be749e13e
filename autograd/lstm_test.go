package autograd_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// cells is Tape.LSTM op by op, as one reads it in a textbook, for T inputs [B in]; it returns the
// T results [B H].
func cells(
	tp *ag.Tape, xs []*ag.Tensor, w ag.LSTMWeights, lengths []int, reverse bool,
) []*ag.Tensor {
	b, n := len(lengths), w.Hidden.Shape()[1]
	ys := make([]*ag.Tensor, len(xs))
	h := tp.Input(make([]float32, b*n), b, n)
	c := h
	for k := range xs {
		t := k
		if reverse {
			t = len(xs) - 1 - k
		}
		z := tp.Add(tp.Linear(xs[t], w.Input, w.InputBias), tp.Linear(h, w.Hidden, w.HiddenBias))
		gates := tp.Split(z, 1, n, n, n, n)
		i, f, g, o := tp.Sigmoid(gates[0]), tp.Sigmoid(gates[1]), tp.Tanh(gates[2]), tp.Sigmoid(
			gates[3],
		)
		next := tp.Add(tp.Mul(f, c), tp.Mul(i, g))
		ys[t] = tp.Mul(tp.Mul(o, tp.Tanh(next)), stepMask(tp, lengths, t))
		// after the last step the state is never used, before the first it stays 0
		h, c = ys[t], tp.Mul(next, stepMask(tp, lengths, t))
	}
	return ys
}

// stepMask returns [B 1], 1 where a sequence has a step t.
func stepMask(tp *ag.Tape, lengths []int, t int) *ag.Tensor {
	m := make([]float32, len(lengths))
	for i, n := range lengths {
		if t < n {
			m[i] = 1
		}
	}
	return tp.Input(m, len(m), 1)
}

func waves(dev ag.Device, phase int, shape ...int) *ag.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(float64(phase)+1.7*float64(i)) / 2
	}
	return ag.NewParam(dev, v, shape...)
}

func lstmWeights(dev ag.Device, in, n int) ag.LSTMWeights {
	return ag.LSTMWeights{Input: waves(dev, 1, 4*n, in), Hidden: waves(dev, 2, 4*n, n),
		InputBias: waves(dev, 3, 4*n), HiddenBias: waves(dev, 4, 4*n)}
}

// TestLSTMIsItsCells compares values and all gradients of the fused operation with the cells'.
func TestLSTMIsItsCells(t *testing.T) {
	const in, n, steps = 5, 19, 11
	lengths := []int{11, 3, 1, 8, 11, 2, 5, 9, 4, 11}
	for name := range devices {
		dev := open(t, name)
		tol := map[int]float64{64: 1e-12, 32: 3e-6}[dev.Bits()]
		for _, reverse := range []bool{false, true} {
			w, x, u := lstmWeights(dev, in, n), waves(dev, 5, len(lengths), steps, in), waves(dev,
				6, len(lengths), steps, n).Clone()
			run := func(lstm func(tp *ag.Tape) *ag.Tensor) []float64 {
				tp := ag.NewTape(dev)
				tp.Poison = true
				y := lstm(tp)
				g := tp.Backward(tp.Sum(tp.Mul(y, u)), y)
				return slices.Concat(y.Values(), g[x].Values(), g[w.Input].Values(),
					g[w.Hidden].Values(), g[w.InputBias].Values(), g[w.HiddenBias].Values())
			}
			fused := run(func(tp *ag.Tape) *ag.Tensor { return tp.LSTM(x, w, lengths, reverse) })
			want := run(func(tp *ag.Tape) *ag.Tensor {
				xs := tp.Split(x, 1, slices.Repeat([]int{1}, steps)...)
				for t := range xs {
					xs[t] = tp.Reshape(xs[t], -1, in)
				}
				return tp.Stack(1, cells(tp, xs, w, lengths, reverse)...)
			})
			for i := range want {
				if !(math.Abs(fused[i]-want[i]) <= tol*max(1, math.Abs(want[i]))) {
					t.Fatalf("%s, reverse %t: number %d is %.12g, by cells %.12g", name,
						reverse, i, fused[i], want[i])
				}
			}
		}
	}
}

// TestLSTMIgnoresPadding changes the inputs there, and the gradient of the outputs.
func TestLSTMIgnoresPadding(t *testing.T) {
	dev := open(t, "cpu64")
	w, lengths := lstmWeights(dev, 2, 3), []int{4, 2}
	run := func(last float64) []float64 {
		v := waves(dev, 5, 2, 4, 2).Values()
		u := waves(dev, 6, 2, 4, 3).Values()
		v[15], u[23] = last, last
		x := ag.NewParam(dev, v, 2, 4, 2)
		tp := ag.NewTape(dev)
		y := tp.Add(tp.LSTM(x, w, lengths, false), tp.LSTM(x, w, lengths, true))
		g := tp.Backward(tp.Sum(tp.Mul(y, ag.NewTensor(dev, u, 2, 4, 3))), y)
		return slices.Concat(y.Values(), g[x].Values(), g[w.Input].Values(), g[w.Hidden].Values(),
			g[w.HiddenBias].Values())
	}
	if !slices.Equal(run(1), run(-1e6)) {
		t.Error("an input or a gradient after the end has an effect")
	}
}

// TestFrozenLSTM passes the gradient to the input alone.
func TestFrozenLSTM(t *testing.T) {
	dev := open(t, "cpu64")
	w, x, lengths := lstmWeights(dev, 2, 3), waves(dev, 5, 2, 4, 2), []int{4, 2}
	gradient := func(hold ...*ag.Tensor) ag.Grads {
		tp := ag.NewTape(dev)
		var y *ag.Tensor
		tp.Frozen(hold, func() { y = tp.LSTM(x, w, lengths, true) })
		return tp.Backward(tp.Sum(tp.Mul(y, y)))
	}
	all, one := gradient(), gradient(w.Input, w.Hidden, w.InputBias, w.HiddenBias)
	if len(all) != 5 || len(one) != 1 || !slices.Equal(all[x].Values(), one[x].Values()) {
		t.Errorf("%d and %d gradients; that of x: %v, frozen %v", len(all), len(one),
			all[x].Values(), one[x].Values())
	}
}

// TestRecurrenceOverConstants has inputs that need no gradient, as features do: the weights have
// the same gradients.
func TestRecurrenceOverConstants(t *testing.T) {
	dev := open(t, "cpu64")
	lengths, x := []int{2, 4}, waves(dev, 5, 2, 4, 2)
	lstm, gru := lstmWeights(dev, 2, 3), lstmWeights(dev, 2, 3)
	gru.Input, gru.Hidden = waves(dev, 1, 9, 2), waves(dev, 2, 9, 3)
	gru.InputBias, gru.HiddenBias = waves(dev, 3, 9), waves(dev, 4, 9)
	gradients := func(x *ag.Tensor) []float64 {
		tp := ag.NewTape(dev)
		y := tp.Add(tp.LSTM(x, lstm, lengths, false), tp.GRU(x, gru, lengths, true))
		g := tp.Backward(tp.Sum(tp.Mul(y, y)))
		var all []float64
		for _, w := range []*ag.Tensor{lstm.Input, lstm.Hidden, lstm.InputBias, lstm.HiddenBias,
			gru.Input, gru.Hidden, gru.InputBias, gru.HiddenBias} {
			if g[w] == nil {
				t.Fatalf("a weight %v has no gradient", w.Shape())
			}
			all = append(all, g[w].Values()...)
		}
		return all
	}
	if got, want := gradients(x.Clone()), gradients(x); !slices.Equal(got, want) {
		t.Errorf("gradients %v over constants, %v over a parameter", got, want)
	}
}

// TestLSTMReusesMemory checks that steps with other lengths allocate no memory after the first one.
func TestLSTMReusesMemory(t *testing.T) {
	dev := &counting{Device: open(t, "cpu")}
	w, x := lstmWeights(dev, 2, 3), waves(dev, 5, 3, 6, 2)
	tp := ag.NewTape(dev)
	first := 0
	for i, lengths := range [][]int{{6, 2, 3}, {1, 1, 1}, {4, 6, 5}} {
		tp.Reset()
		y := tp.LSTM(x, w, lengths, i%2 == 1)
		tp.Backward(tp.Sum(tp.Mul(y, y)))
		if i == 0 {
			first = dev.buffers
		}
	}
	if dev.buffers != first {
		t.Errorf("%d buffers after the first step, %d after the third", first, dev.buffers)
	}
}

// BenchmarkLSTM makes a forward and backward pass of sequences that fill their steps, fused and
// cell by cell: of words, and of video frames in both directions.
func BenchmarkLSTM(b *testing.B) {
	dev := open(b, "cpu")
	for _, c := range []struct{ steps, in, n, directions int }{{50, 300, 128, 1},
		{500, 20, 32, 2}} {
		const samples = 64
		lengths := slices.Repeat([]int{c.steps}, samples)
		w := []ag.LSTMWeights{lstmWeights(dev, c.in, c.n),
			lstmWeights(dev, c.in, c.n)}[:c.directions]
		x, xs := waves(dev, 5, samples, c.steps, c.in), make([]*ag.Tensor, c.steps)
		for t := range xs {
			xs[t] = waves(dev, t, samples, c.in)
		}
		for name, lstm := range map[string]func(tp *ag.Tape, w ag.LSTMWeights,
			reverse bool) *ag.Tensor{
			"fused": func(tp *ag.Tape, w ag.LSTMWeights, reverse bool) *ag.Tensor {
				return tp.LSTM(x, w, lengths, reverse)
			},
			"cells": func(tp *ag.Tape, w ag.LSTMWeights, reverse bool) *ag.Tensor {
				return tp.Stack(1, cells(tp, xs, w, lengths, reverse)...)
			},
		} {
			b.Run(fmt.Sprintf("T%d/%s", c.steps, name), func(b *testing.B) {
				tp := ag.NewTape(dev)
				for b.Loop() {
					tp.Reset()
					loss := tp.Mean(lstm(tp, w[0], false))
					if c.directions == 2 {
						loss = tp.Add(loss, tp.Mean(lstm(tp, w[1], true)))
					}
					tp.Backward(loss)
				}
			})
		}
	}
}
