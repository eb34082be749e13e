package train

import (
	"fmt"
	"math"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// stepsPerFlush is the number of steps between two reads of the terms. A read must be rare, since
// the host waits for the device to finish all steps and the device then waits for the next one. On
// the other hand, up to so many steps are wasted after one that fails.
const stepsPerFlush = 16

// A termLog collects the terms of each step in a buffer on the device, so that no step waits for a
// transfer.
type termLog struct {
	buffers map[int]*ag.Tensor // by number of terms: [stepsPerFlush terms], zeros after a flush
	steps   [][]zoo.Term       // the terms of each step since the last flush
}

// record appends the terms of a step to the buffer.
func (l *termLog) record(tp *ag.Tape, terms []zoo.Term) {
	n := len(terms)
	if l.buffers == nil {
		l.buffers = map[int]*ag.Tensor{}
	}
	if l.buffers[n] == nil {
		l.buffers[n] = ag.NewTensor(tp.Device(), make([]float64, stepsPerFlush*n), stepsPerFlush,
			n)
	}
	tp.NoGrad(func() {
		values := make([]*ag.Tensor, n)
		for i, term := range terms {
			values[i] = tp.Reshape(term.Loss, 1)
		}
		l.buffers[n].AddToRow(len(l.steps), tp.Concat(0, values...))
	})
	l.steps = append(l.steps, terms)
}

// flush waits for the device and returns the terms of the steps since the last flush and their
// values, [step][term].
func (l *termLog) flush() (steps [][]zoo.Term, values [][]float64, err error) {
	n := len(l.steps[0])
	buffer := l.buffers[n]
	if err := buffer.Device().Sync(); err != nil { // a failure may also show as NaN
		return nil, nil, err
	}
	steps, l.steps = l.steps, nil
	values = slices.Collect(slices.Chunk(buffer.Values(), n))
	buffer.Assign(make([]float64, buffer.Len()))
	return steps, values, nil
}

// flushTerms adds the terms since the last flush to sums, by name, and the loss Σ Weight·value as
// "loss". step is the last recorded step. A value that is not finite is an error, which names the
// term and the step.
func (t *trainer) flushTerms(ph zoo.Phase, epoch, step int, sums rundir.Numbers) error {
	steps, values, err := t.terms.flush()
	if err != nil {
		return fmt.Errorf("train: phase %s, epoch %d, step %d: %w", ph.Name, epoch, step, err)
	}
	for i, terms := range steps {
		loss := 0.0
		for j, term := range terms {
			v := values[i][j]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				where := fmt.Sprintf("step %d: term %s", step-len(steps)+1+i, term.Name)
				return t.diverged(ph.Name, epoch, where, "a finite number", v)
			}
			sums[term.Name] += v
			loss += term.Weight * v
		}
		sums["loss"] += loss
	}
	return nil
}
