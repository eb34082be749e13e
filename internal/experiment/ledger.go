package experiment

import (
	"fmt"
	"math"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// stepsPerReading is how many steps are made between two readings of the terms. For a reading the
// host waits until the device has made every step, and the device then until the host has prepared
// the next: that should be rare. But so many steps can be in vain once one has failed.
const stepsPerReading = 16

// A ledger notes the values of the terms of each step on the device, so that no step waits for
// them.
type ledger struct {
	page  *ag.Tensor   // [stepsPerReading terms], 0 where nothing is noted
	steps [][]zoo.Term // that were noted since the last reading
}

// note puts a step's terms on the page.
func (l *ledger) note(tp *ag.Tape, terms []zoo.Term) {
	if len(l.steps) == 0 && (l.page == nil || l.page.Shape()[1] != len(terms)) {
		l.page = ag.NewTensor(tp.Device(), make([]float64, stepsPerReading*len(terms)), stepsPerReading, len(terms))
	}
	tp.NoGrad(func() {
		values := make([]*ag.Tensor, len(terms))
		for i, term := range terms {
			values[i] = tp.Reshape(term.Loss, 1)
		}
		l.page.AddToRow(len(l.steps), tp.Concat(0, values...))
	})
	l.steps = append(l.steps, terms)
}

// read waits for the device and returns the terms of the steps since the last reading with their
// values.
func (l *ledger) read() (steps [][]zoo.Term, values [][]float64, err error) {
	if err := l.page.Device().Sync(); err != nil { // what failed may read as NaN
		return nil, nil, err
	}
	steps, l.steps = l.steps, nil
	values = slices.Collect(slices.Chunk(l.page.Values(), l.page.Shape()[1]))
	l.page.Assign(make([]float64, l.page.Len()))
	return steps, values, nil
}

// read adds the values noted since the last reading to sums, that of the loss, Σ Weight·value,
// under "loss". step is the last that was noted.
func (t *trainer) read(ph zoo.Phase, epoch, step int, sums numbers) error {
	steps, values, err := t.ledger.read()
	if err != nil {
		return fmt.Errorf("experiment: phase %s, epoch %d, step %d: %w", ph.Name, epoch, step, err)
	}
	for i, terms := range steps {
		loss := 0.0
		for j, term := range terms {
			v := values[i][j]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("experiment: phase %s, epoch %d, step %d: term %s: expected a finite number, found %v; a smaller train.lr or train.clip=1 may help. %s",
					ph.Name, epoch, step-len(steps)+1+i, term.Name, v, t.dir.lastGood())
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
