package devicetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// A gatedSequence is one sample of a GRU, forward and backward, computed by the definition. Arrays
// are indexed by the time of a step.
type gatedSequence struct {
	width        int
	weight, bias []float64 // [3·width width], [3·width]
	x, gates     []float64 // [steps 3·width]: the input's part, and the values of the gates
	hidden, y, g []float64 // [steps width]
	times        []int     // the times of the steps, in the order in which they run
}

func (s *suite) gru() {
	bothWays(func(l device.Sequences) { s.compareGRU(device.GRU{Sequences: l}) })
}

func (s *suite) compareGRU(l device.GRU) {
	rows, w := l.Samples*l.Steps, l.Width
	x, weight, bias, g := s.numbers(rows*3*w), s.numbers(3*w*w), s.numbers(3*w), s.numbers(rows*w)
	for i := range weight {
		weight[i] /= float64(w)
	}
	hideEnds(g, l.Sequences)
	weight = s.get(s.put(weight)) // rounded as on the device
	gates, hidden := slices.Clone(x), filled(rows*w, math.NaN())
	y, dx, du := make([]float64, rows*w), make([]float64, rows*3*w), make([]float64, rows*w)
	for i := range l.Lengths {
		from, to := i*l.Steps, (i+1)*l.Steps
		q := &gatedSequence{width: w, weight: weight, bias: bias, x: x[from*3*w : to*3*w],
			gates: gates[from*3*w : to*3*w], hidden: hidden[from*w : to*w], y: y[from*w : to*w],
			g: g[from*w : to*w], times: timesOf(l.Sequences, i)}
		q.forward()
		q.backward(dx[from*3*w:to*3*w], du[from*w:to*w])
	}
	name := fmt.Sprintf("GRU %+v", l)
	ys, us, gs, ws := s.poison(rows*w), s.poison(rows*w), s.put(x), s.put(weight)
	s.dev.GRU(l, ys, us, gs, ws, s.put(bias))
	s.expect(name+": y", ys, y, w)
	s.expect(name+": hidden", us, hidden, w)
	s.expect(name+": gates", gs, gates, w)
	s.dev.GRUGrad(l, gs, us, s.put(g), ys, ws)
	s.expect(name+": gradient of the input's part", gs, dx, 3*w)
	s.expect(name+": gradient of the candidate's part", us, du, 3*w)
}

// before returns the output of the step before the k-th, zeros if k is 0.
func (q *gatedSequence) before(k int) []float64 {
	if k == 0 {
		return make([]float64, q.width)
	}
	t := q.times[k-1]
	return q.y[t*q.width : (t+1)*q.width]
}

func (q *gatedSequence) forward() {
	w := q.width
	for k, t := range q.times {
		prev := q.before(k)
		for j := range w {
			var u [3]float64
			for e := range u {
				u[e] = q.bias[e*w+j] + inner(q.weight[(e*w+j)*w:(e*w+j+1)*w], prev)
			}
			x := q.x[t*3*w+j:]
			r, z := logistic(x[0]+u[0]), logistic(x[w]+u[1])
			n := math.Tanh(x[2*w] + r*u[2])
			q.gates[t*3*w+j], q.gates[(t*3+1)*w+j], q.gates[(t*3+2)*w+j] = r, z, n
			q.hidden[t*w+j], q.y[t*w+j] = u[2], (1-z)*n+z*prev[j]
		}
	}
}

// backward writes the gradients of the input's part to dx [steps 3·width] and of the candidate's
// part of u to du [steps width].
func (q *gatedSequence) backward(dx, du []float64) {
	w := q.width
	dh := make([]float64, w)
	for k := len(q.times) - 1; k >= 0; k-- {
		t, next, prev := q.times[k], make([]float64, w), q.before(k)
		for j := range w {
			r, z, n := q.gates[t*3*w+j], q.gates[(t*3+1)*w+j], q.gates[(t*3+2)*w+j]
			h := q.g[t*w+j] + dh[j]
			gn := h * (1 - z) * (1 - n*n)
			gr, gz := gn*q.hidden[t*w+j]*r*(1-r), h*(prev[j]-n)*z*(1-z)
			dx[t*3*w+j], dx[(t*3+1)*w+j], dx[(t*3+2)*w+j], du[t*w+j] = gr, gz, gn, gn*r
			next[j] += h * z
			for e, v := range []float64{gr, gz, gn * r} {
				for m := range w {
					next[m] += v * q.weight[(e*w+j)*w+m]
				}
			}
		}
		dh = next
	}
}
