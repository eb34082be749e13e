package train

import (
	"fmt"
	"math"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// stepsPerFlush is how many steps are made between two readings of the terms. For a reading the
// host waits until the device has made every step, and the device then until the host has prepared
// the next: that should be rare. But so many steps can be in vain once one has failed.
const stepsPerFlush = 16

// A termLog notes the values of the terms of each step on the device, so that no step waits for
// them.
type termLog struct {
	buffer *ag.Tensor   // [stepsPerReading terms], 0 where nothing is noted
	steps  [][]zoo.Term // that were noted since the last reading
}

// record puts a step's terms on the page.
func (l *termLog) record(tp *ag.Tape, terms []zoo.Term) {
	if len(l.steps) == 0 && (l.buffer == nil || l.buffer.Shape()[1] != len(terms)) {
		l.buffer = ag.NewTensor(tp.Device(), make([]float64, stepsPerFlush*len(terms)), stepsPerFlush, len(terms))
	}
	tp.NoGrad(func() {
		values := make([]*ag.Tensor, len(terms))
		for i, term := range terms {
			values[i] = tp.Reshape(term.Loss, 1)
		}
		l.buffer.AddToRow(len(l.steps), tp.Concat(0, values...))
	})
	l.steps = append(l.steps, terms)
}

// flush waits for the device and returns the terms of the steps since the last reading with their
// values.
func (l *termLog) flush() (steps [][]zoo.Term, values [][]float64, err error) {
	if err := l.buffer.Device().Sync(); err != nil { // what failed may read as NaN
		return nil, nil, err
	}
	steps, l.steps = l.steps, nil
	values = slices.Collect(slices.Chunk(l.buffer.Values(), l.buffer.Shape()[1]))
	l.buffer.Assign(make([]float64, l.buffer.Len()))
	return steps, values, nil
}

// flushTerms adds the values noted since the last reading to sums, that of the loss, Σ Weight·value,
// under "loss". step is the last that was noted.
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
				return fmt.Errorf("train: phase %s, epoch %d, step %d: term %s: expected a finite number, found %v; a smaller train.lr or train.clip=1 may help. %s",
					ph.Name, epoch, step-len(steps)+1+i, term.Name, v, t.dir.LastGoodState())
			}
			sums[term.Name] += v
			if term.Weight != 0 {
				loss += term.Weight * v
			}
		}
		sums["loss"] += loss
	}
	return nil
}
