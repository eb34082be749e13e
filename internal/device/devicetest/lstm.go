package devicetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// sequences are the sizes of recurrent networks, with the lengths of their sequences.
var sequences = []struct {
	steps, width int
	lengths      []int
}{
	{1, 1, []int{1}},
	{5, 3, []int{5, 1, 4}},
	{4, 7, []int{2, 3, 2}}, // every sequence is shorter than the number of steps
	{9, 33, []int{9, 9, 1, 6, 2, 8, 3, 9, 9, 4, 5}},
	{6, 130, []int{3, 6, 5, 6, 1, 1, 2, 4, 6, 6, 3, 2, 5, 5, 4, 6, 1, 3, 3}},
	{3, 260, []int{3, 1, 2, 3, 2, 1, 3, 3, 3, 3, 2, 1, 1, 1, 2, 2, 3, 3, 2, 1, 2, 3, 3, 3,
		2, 2, 1, 1, 3, 3, 3, 2, 2, 1, 3, 1}},
}

// A sequence is one sample of an LSTM, forward and backward, computed by the definition. Arrays
// are indexed by the time of a step.
type sequence struct {
	width      int
	weight     []float64 // [4·width width]
	z, gates   []float64 // [steps 4·width]: the input's part of z, and the values of the gates
	y, cell, g []float64 // [steps width]
	times      []int     // the times of the steps, in the order in which they run
}

// bothWays calls f for all sizes and both directions.
func bothWays(f func(device.Sequences)) {
	for _, c := range sequences {
		for _, reverse := range []bool{false, true} {
			f(device.Sequences{Samples: len(c.lengths), Steps: c.steps, Width: c.width,
				Lengths: c.lengths, Reverse: reverse})
		}
	}
}

// hideEnds sets g [samples steps width] to NaN after the end of each sequence, where the device
// must not read it.
func hideEnds(g []float64, l device.Sequences) {
	for i := range g {
		if i/l.Width%l.Steps >= l.Lengths[i/l.Width/l.Steps] {
			g[i] = math.NaN()
		}
	}
}

// timesOf returns the times of the steps of sample i, in the order in which they run.
func timesOf(l device.Sequences, i int) []int {
	times := make([]int, l.Lengths[i])
	for t := range times {
		times[t] = t
	}
	if l.Reverse {
		slices.Reverse(times)
	}
	return times
}

func (s *suite) lstm() {
	bothWays(func(l device.Sequences) { s.compareLSTM(device.LSTM{Sequences: l}) })
}

func (s *suite) compareLSTM(l device.LSTM) {
	rows, w := l.Samples*l.Steps, l.Width
	z, weight, g := s.numbers(rows*4*w), s.numbers(4*w*w), s.numbers(rows*w)
	for i := range weight {
		weight[i] /= float64(w)
	}
	hideEnds(g, l.Sequences)
	weight = s.get(s.put(weight)) // rounded as on the device
	gates, dz := append([]float64{}, z...), make([]float64, rows*4*w)
	y, cell := make([]float64, rows*w), filled(rows*w, math.NaN())
	for i := range l.Lengths {
		from, to := i*l.Steps, (i+1)*l.Steps
		q := &sequence{width: w, weight: weight, z: z[from*4*w : to*4*w],
			gates: gates[from*4*w : to*4*w], y: y[from*w : to*w], cell: cell[from*w : to*w],
			g: g[from*w : to*w], times: timesOf(l.Sequences, i)}
		q.forward()
		q.backward(dz[from*4*w : to*4*w])
	}
	name := fmt.Sprintf("LSTM %+v", l)
	ys, cells, gs, ws := s.poison(rows*w), s.poison(rows*w), s.put(z), s.put(weight)
	s.dev.LSTM(l, ys, cells, gs, ws)
	s.expect(name+": y", ys, y, w)
	s.expect(name+": cell", cells, cell, w)
	s.expect(name+": gates", gs, gates, w)
	s.dev.LSTMGrad(l, gs, s.put(g), cells, ws)
	s.expect(name+": gradient of z", gs, dz, 4*w)
}

// before returns the time of the step before the k-th step, or −1 if k is 0.
func (q *sequence) before(k int) int {
	if k == 0 {
		return -1
	}
	return q.times[k-1]
}

func (q *sequence) forward() {
	w := q.width
	for k, t := range q.times {
		for j := range w {
			var gate [4]float64
			prev := 0.0
			for e := range gate {
				gate[e] = q.z[(t*4+e)*w+j]
				if b := q.before(k); b >= 0 {
					gate[e] += inner(q.weight[(e*w+j)*w:(e*w+j+1)*w], q.y[b*w:])
					prev = q.cell[b*w+j]
				}
			}
			i, f := logistic(gate[0]), logistic(gate[1])
			g, o := math.Tanh(gate[2]), logistic(gate[3])
			for e, v := range []float64{i, f, g, o} {
				q.gates[(t*4+e)*w+j] = v
			}
			q.cell[t*w+j] = f*prev + i*g
			q.y[t*w+j] = o * math.Tanh(q.cell[t*w+j])
		}
	}
}

func (q *sequence) backward(dz []float64) {
	w := q.width
	dh, dc := make([]float64, w), make([]float64, w)
	for k := len(q.times) - 1; k >= 0; k-- {
		t, next := q.times[k], make([]float64, w)
		for j := range w {
			i, f := q.gates[(t*4)*w+j], q.gates[(t*4+1)*w+j]
			g, o := q.gates[(t*4+2)*w+j], q.gates[(t*4+3)*w+j]
			prev := 0.0
			if b := q.before(k); b >= 0 {
				prev = q.cell[b*w+j]
			}
			h, tanh := q.g[t*w+j]+dh[j], math.Tanh(q.cell[t*w+j])
			c := dc[j] + h*o*(1-tanh*tanh)
			for e, v := range []float64{c * g * i * (1 - i), c * prev * f * (1 - f),
				c * i * (1 - g*g), h * tanh * o * (1 - o)} {
				dz[(t*4+e)*w+j] = v
				for m := range w {
					next[m] += v * q.weight[(e*w+j)*w+m]
				}
			}
			dc[j] = c * f
		}
		dh = next
	}
}
