package devicetest

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// scans are sizes of selective scans, with numbers of steps around the interval of saved states,
// and numbers of channels and states with remainders in vector loops.
var scans = []device.Scan{
	{Samples: 1, Steps: 1, Width: 1, States: 1},
	{Samples: 3, Steps: 5, Width: 7, States: 4},
	{Samples: 2, Steps: 16, Width: 33, States: 16},
	{Samples: 2, Steps: 17, Width: 16, States: 12},
	{Samples: 1, Steps: 50, Width: 8, States: 3},
	{Samples: 5, Steps: 3, Width: 130, States: 33},
	{Samples: 35, Steps: 2, Width: 65, States: 1},
}

// A scanned is a selective scan, forward and backward, computed by the definition. All states stay
// in memory.
type scanned struct {
	device.Scan
	u, step, z, b, c, bias, skip, a, g []float64
	out                                []float64
	dx                                 map[string][]float64
	h                                  [][]float64 // by sample and step, [Width States]
}

func (s *suite) scan() {
	for _, c := range scans {
		for _, reverse := range []bool{false, true} {
			c.Reverse = reverse
			s.compareScan(c)
		}
	}
}

func (s *suite) compareScan(c device.Scan) {
	rows, states := c.Samples*c.Steps*c.Width, c.Samples*c.Steps*c.States
	q := &scanned{Scan: c, u: s.numbers(rows), step: s.numbers(rows), z: s.numbers(rows),
		b: s.numbers(states), c: s.numbers(states), bias: s.numbers(c.Width),
		skip: s.numbers(c.Width), a: s.numbers(c.Width * c.States), g: s.numbers(rows)}
	q.step[rows/2] = 25 // where softplus is the identity
	q.run()
	x := device.ScanOperands{U: s.put(q.u), Step: s.put(q.step), Z: s.put(q.z), B: s.put(q.b),
		C: s.put(q.c), StepBias: s.put(q.bias), Skip: s.put(q.skip), ALog: s.put(q.a)}
	dx := device.ScanOperands{U: s.poison(rows), Step: s.poison(rows), Z: s.poison(rows),
		B: s.poison(states), C: s.poison(states), StepBias: s.poison(c.Width),
		Skip: s.poison(c.Width), ALog: s.poison(c.Width * c.States)}
	out, saved := s.poison(rows), s.poison(c.Samples*c.Saved()*c.States*c.Width)
	s.dev.SelectiveScan(c, out, saved, x)
	name, terms := fmt.Sprintf("SelectiveScan %+v", c), c.States*c.Steps
	s.expect(name+": out", out, q.out, terms)
	s.dev.SelectiveScanGrad(c, dx, s.put(q.g), saved, x)
	for _, d := range []struct {
		what  string
		got   device.Buffer
		terms int
	}{{"u", dx.U, terms}, {"step", dx.Step, terms}, {"z", dx.Z, terms},
		{"b", dx.B, terms * c.Width}, {"c", dx.C, terms * c.Width},
		{"stepBias", dx.StepBias, terms * c.Samples}, {"skip", dx.Skip, terms * c.Samples},
		{"aLog", dx.ALog, terms * c.Samples}} {
		s.expect(name+": gradient of "+d.what, d.got, q.dx[d.what], d.terms)
	}
}

// times returns the positions of a sample's steps in [Samples Steps], in the order in which they
// run.
func (q *scanned) times(sample int) []int {
	at := make([]int, q.Steps)
	for k := range at {
		if at[k] = sample*q.Steps + k; q.Reverse {
			at[k] = (sample+1)*q.Steps - 1 - k
		}
	}
	return at
}

// delta returns Δ and its derivative, at a position and channel.
func (q *scanned) delta(at, j int) (delta, slope float64) {
	x := q.step[at*q.Width+j] + q.bias[j]
	if x > 20 {
		return x, 1
	}
	return math.Log1p(math.Exp(x)), logistic(x)
}

func (q *scanned) run() {
	rows := q.Samples * q.Steps * q.Width
	q.out, q.dx = make([]float64, rows), map[string][]float64{}
	q.h = make([][]float64, q.Samples*q.Steps)
	for what, like := range map[string][]float64{"u": q.u, "step": q.step, "z": q.z, "b": q.b,
		"c": q.c, "stepBias": q.bias, "skip": q.skip, "aLog": q.a} {
		q.dx[what] = make([]float64, len(like))
	}
	for sample := range q.Samples {
		h := make([]float64, q.Width*q.States) // before the first step
		all := [][]float64{h}
		for _, at := range q.times(sample) {
			h = q.forward(at, h)
			all = append(all, h)
		}
		carry := make([]float64, q.Width*q.States)
		for k := q.Steps - 1; k >= 0; k-- {
			q.backward(q.times(sample)[k], all[k], all[k+1], carry)
		}
	}
}

// forward computes the step at a position, given the states of the step before, and returns its
// states.
func (q *scanned) forward(at int, prev []float64) []float64 {
	h := make([]float64, len(prev))
	for j := range q.Width {
		delta, _ := q.delta(at, j)
		i := at*q.Width + j
		s := q.skip[j] * q.u[i]
		for n := range q.States {
			e := j*q.States + n
			h[e] = math.Exp(-delta*math.Exp(q.a[e]))*prev[e] + delta*q.u[i]*q.b[at*q.States+n]
			s += q.c[at*q.States+n] * h[e]
		}
		q.out[i] = s * q.z[i] * logistic(q.z[i])
	}
	return h
}

// backward adds the gradients of the step at a position, where carry is the gradient that the step
// after passes to the states h, and replaces carry by that for the states prev.
func (q *scanned) backward(at int, prev, h, carry []float64) {
	for j := range q.Width {
		i, sigma := at*q.Width+j, logistic(q.z[at*q.Width+j])
		delta, slope := q.delta(at, j)
		r, s, dDelta := q.g[i]*q.z[i]*sigma, q.skip[j]*q.u[i], 0.0
		q.dx["u"][i] = r * q.skip[j]
		for n := range q.States {
			e, m := j*q.States+n, at*q.States+n
			a := -math.Exp(q.a[e])
			grad := r*q.c[m] + carry[e] // of h
			s += q.c[m] * h[e]
			q.dx["c"][m] += r * h[e]
			q.dx["b"][m] += grad * delta * q.u[i]
			q.dx["u"][i] += grad * delta * q.b[m]
			decay := math.Exp(delta * a)
			dDelta += grad * (q.u[i]*q.b[m] + a*decay*prev[e])
			q.dx["aLog"][e] += grad * delta * decay * prev[e] * a
			carry[e] = grad * decay
		}
		q.dx["step"][i] = dDelta * slope
		q.dx["stepBias"][j] += dDelta * slope
		q.dx["skip"][j] += r * q.u[i]
		q.dx["z"][i] = q.g[i] * s * sigma * (1 + q.z[i]*(1-sigma))
	}
}
